"""«Thu âm»: the words large, a recorder and an upload for each bulletin of a post, and the file that will be heard."""

import threading
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import FileResponse, PlainTextResponse, Response
from sqlmodel import select

from campaigns import drafting, takes, views
from campaigns.drafting import Preview
from campaigns.people import Action, Mistake
from campaigns.takes import Chosen
from content.recordings import LONGEST, RecordingMistake
from content.speech import mark
from store.recordings import Recording
from store.tables import Outlet, Post
from web.console import clips, sheets
from web.console.clips import Sent
from web.console.pages import done, page, wants_fragment
from web.forms import Form
from web.session import Here, NotHere, Visitor

router = APIRouter()

FIELD = "recording_file"
MICROPHONE = "camera=(), geolocation=(), microphone=(self), payment=(), usb=()"
_KEEP = "private, max-age=86400"
_ONE_AT_A_TIME = threading.Semaphore(1)
_NO_BULLETIN = (
    "Bài này chưa đi kênh truyền thanh nào, hoặc chưa đủ nội dung để có lời đọc. Hãy xem lại ở trang Soạn tin."
)


@dataclass(frozen=True)
class Bulletin:
    """What is read once: the same words for all these outlets. ``seconds`` is estimated, ``of`` marks the words."""

    outlets: list[Outlet]
    script: str
    seconds: int
    of: str
    chosen: Chosen | None
    stale: bool

    @property
    def id(self) -> int:
        """The first of its outlets."""
        return self.outlets[0].id or 0

    @property
    def outlet_ids(self) -> list[int]:
        """All of its outlets."""
        return [outlet.id or 0 for outlet in self.outlets]


async def sent(request: Request, here: Visitor) -> Sent:
    """Dependency: the form of this request, its recording written down as it comes."""
    return await clips.receive(request, here, FIELD)


@router.get("/bai/{post_id:int}/thu-am")
def recorder(request: Request, here: Visitor, post_id: int) -> Response:
    """The words of a post to be read aloud, with a recorder for each bulletin."""
    return _page(request, here, post_id)


@router.post("/thu-am")
def save(request: Request, here: Visitor, given: Annotated[Sent, Depends(sent)]) -> Response:
    """Clean, level and keep a recording as what is heard of the post; what was there before stays until then."""
    post_id, outlet_id = given.form.number("post_id") or 0, given.form.number("outlet") or 0
    try:
        bulletin = _bulletin(here, post_id, outlet_id)
        if given.path is None:
            raise Mistake("Chưa chọn tệp nào. Hãy thu âm, hoặc chọn một tệp tiếng rồi bấm «Tải lên».")
        with _ONE_AT_A_TIME:
            made = takes.make(here.actor, here.ward_id, here.desk.files, given.path)
        with here.store.write() as session:
            post = views.mine(session, Post, post_id, here.ward_id)
            drafting.reopen(session, here.actor, post, here.now)
            of = given.form.line("of") or bulletin.of
            takes.keep(session, here.actor, post, bulletin.outlet_ids, of, made, given.name, here.now)
    except (Mistake, RecordingMistake) as mistake:
        return _refused(request, here, post_id, outlet_id, given, str(mistake))
    finally:
        if given.path is not None:
            given.path.unlink(missing_ok=True)
    answer = done(
        here,
        f"/quan-tri/bai/{post_id}/thu-am#ban-tin-{bulletin.id}",
        "Đã lưu bản thu. Hãy nghe lại lần cuối rồi gửi duyệt.",
    )
    if wants_fragment(request):
        answer.status_code = 200
    return answer


@router.post("/bai/{post_id:int}/thu-am/bo")
def drop(request: Request, here: Visitor, form: Form, post_id: int) -> Response:
    """No recording is heard of this bulletin any more."""
    here.require(Action.WRITE)
    return _changed(request, here, post_id, form.number("outlet") or 0, "")


@router.post("/bai/{post_id:int}/thu-am/van-dung")
def right(request: Request, here: Visitor, form: Form, post_id: int) -> Response:
    """Somebody listened: the recording says what the text says now."""
    here.require(Action.WRITE)
    return _changed(request, here, post_id, form.number("outlet") or 0, form.line("of"))


@router.get("/ban-thu/{sha256}")
def play(here: Visitor, sha256: str) -> Response:
    """A recording of this ward by its hash; any stretch of it may be asked for."""
    with here.store.read() as session:
        wanted = select(Recording.id).where(Recording.ward_id == here.ward_id, Recording.sha256 == sha256)
        known = session.exec(wanted).first()
    if known is None or not here.desk.files.path(sha256).is_file():
        raise NotHere(sha256)
    headers = {"cache-control": _KEEP, "content-security-policy": "default-src 'none'; sandbox"}
    return FileResponse(here.desk.files.path(sha256), media_type="audio/mpeg", headers=headers)


def _changed(request: Request, here: Here, post_id: int, outlet_id: int, right_for: str) -> Response:
    try:
        bulletin = _bulletin(here, post_id, outlet_id)
        with here.store.write() as session:
            post = views.mine(session, Post, post_id, here.ward_id)
            drafting.reopen(session, here.actor, post, here.now)
            if right_for:
                takes.still_right(session, here.actor, post, bulletin.outlet_ids, right_for, here.now)
            else:
                takes.drop(session, here.actor, post, bulletin.outlet_ids, here.now)
    except Mistake as mistake:
        return _page(request, here, post_id, 422, (outlet_id, str(mistake)))
    said = "Đã xác nhận bản thu vẫn đúng." if right_for else "Đã bỏ bản thu khỏi bài."
    return done(here, f"/quan-tri/bai/{post_id}/thu-am#ban-tin-{bulletin.id}", said)


def _refused(request: Request, here: Here, post_id: int, outlet_id: int, given: Sent, words: str) -> Response:
    if wants_fragment(request):
        return PlainTextResponse(words, 422)
    named = f"«{given.name}»: {words}" if given.name else words
    return _page(request, here, post_id, 422, (outlet_id, named))


def _page(
    request: Request, here: Here, post_id: int, status: int = 200, mistake: tuple[int, str] = (0, "")
) -> Response:
    post, title, found = _bulletins(here, post_id)
    answer = page(
        request, here, "recordings.html", status, post=post, title_of_post=title, bulletins=found, mistake=mistake,
        longest=LONGEST, nothing=_NO_BULLETIN,
    )  # fmt: skip
    answer.headers["permissions-policy"] = MICROPHONE
    return answer


def _bulletin(here: Here, post_id: int, outlet_id: int) -> Bulletin:
    _, _, found = _bulletins(here, post_id)
    for one in found:
        if outlet_id in one.outlet_ids:
            return one
    raise Mistake(_NO_BULLETIN)


def _bulletins(here: Here, post_id: int) -> tuple[Post, str, list[Bulletin]]:
    with here.store.read() as session:
        post = views.mine(session, Post, post_id, here.ward_id)
        title = views.titles(session, here.ward, [post])[post.id or 0]
        draft = drafting.draft_of(session, post, here.ward)
        kept = takes.of_post(session, post.id)
    heard = [one for one in sheets.look(here, draft, post).previews if one.message and one.message.extra.get("reading")]
    together: dict[str, list[Preview]] = {}
    for preview in heard:
        together.setdefault(preview.message.parts[0].body if preview.message else "", []).append(preview)
    return post, title, [_read_once(script, found, kept) for script, found in together.items()]


def _read_once(script: str, found: list[Preview], kept: dict[int, Chosen]) -> Bulletin:
    extra = found[0].message.extra if found[0].message else {}
    outlets = [preview.outlet for preview in found]
    chosen = next((kept[outlet.id or 0] for outlet in outlets if outlet.id in kept), None)
    stale = any(bool(one.message and (one.message.extra.get("recorded") or {}).get("stale")) for one in found)
    return Bulletin(outlets, script, int(extra.get("seconds", 0)), mark(str(extra["reading"]["spoken"])), chosen, stale)

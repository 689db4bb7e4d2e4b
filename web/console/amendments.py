"""«Đính chính»: the right words for a post that is out, old beside new for the approver, and how each channel took it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlmodel import Session

from campaigns import amend_settling, amendment_views, amendments, correcting, views
from campaigns.correcting import Sight, Words
from campaigns.people import Action, Mistake
from channels.contract import Problem
from content import templates
from content.templates import Template as Parsed
from store.amendments import Amendment, AmendmentLine
from store.tables import Outlet, Post, Template
from web.console import sheets
from web.console.pages import done, fragment, page, wants_fragment
from web.forms import Form, Typed
from web.session import Here, Visitor

router = APIRouter()


@dataclass(frozen=True)
class Desk:
    """The page on which a correction is written: the words, the form's fields, and every published delivery."""

    post: Post
    title: str
    words: Words
    parsed: Parsed | None
    outlets: list[Outlet]
    sights: list[Sight]
    chosen: frozenset[int]
    problems: list[Problem]
    waiting: int
    returned: Amendment | None

    @property
    def taken(self) -> list[Sight]:
        """The deliveries that are to be changed."""
        return [sight for sight in self.sights if sight.delivery.id in self.chosen and not sight.fixed]


@router.get("/bai/{post_id:int}/dinh-chinh")
def write(request: Request, here: Visitor, post_id: int) -> Response:
    """The words that stand now, to be put right."""
    here.require(Action.WRITE)
    with here.store.read() as session:
        post = views.mine(session, Post, post_id, here.ward_id)
        waits = amendments.open_one(session, post)
        words = correcting.words_in(waits) if waits else correcting.words_of(session, post)
        desk = _desk(session, here, post, words, None)
    if waits is not None and waits.state == "submitted":
        return done(here, f"/quan-tri/dinh-chinh/{waits.id}", amendments.ALREADY, "info")
    return page(request, here, "amend.html", desk=desk, looked=False)


@router.post("/bai/{post_id:int}/dinh-chinh/xem-truoc")
def look(request: Request, here: Visitor, form: Form, post_id: int) -> Response:
    """What each channel would say, and what is wrong; nothing is kept."""
    here.require(Action.WRITE)
    desk = _typed(here, form, post_id)
    if wants_fragment(request):
        return fragment(here, "amend_previews.html", desk=desk)
    return page(request, here, "amend.html", desk=desk, looked=True)


@router.post("/bai/{post_id:int}/dinh-chinh")
def submit(request: Request, here: Visitor, form: Form, post_id: int) -> Response:
    """Freeze it and hand it to the approver."""
    here.require(Action.WRITE)
    desk = _typed(here, form, post_id)
    if desk.problems:
        return page(request, here, "amend.html", 422, desk=desk, looked=True, errors=sheets.by_field(desk.problems))
    try:
        with here.store.write() as session:
            post = views.mine(session, Post, post_id, here.ward_id)
            made = amendments.submit(session, here.actor, post, desk.words, desk.taken, here.now)
    except Mistake as mistake:
        return page(request, here, "amend.html", 422, desk=desk, looked=True, errors={"": str(mistake)})
    return done(here, f"/quan-tri/dinh-chinh/{made.id}", "Đã gửi đính chính để duyệt.")


@router.get("/dinh-chinh/{amendment_id:int}")
def one(request: Request, here: Visitor, amendment_id: int) -> Response:
    """One correction: old beside new, the decision, and how each channel took it."""
    return _page(request, here, amendment_id)


@router.post("/dinh-chinh/{amendment_id:int}/duyet")
def approve(request: Request, here: Visitor, form: Form, amendment_id: int) -> Response:
    """Approve exactly what was seen."""
    here.require(Action.APPROVE)
    return _decide(
        request, here, amendment_id, "Đã duyệt. Chương trình sửa bài trên các kênh trong ít phút tới.",
        lambda session, row: amendments.approve(session, here.actor, row, form.text("digest"), here.now),
    )  # fmt: skip


@router.post("/dinh-chinh/{amendment_id:int}/tra-lai")
def send_back(request: Request, here: Visitor, form: Form, amendment_id: int) -> Response:
    """Return it to its author with a reason."""
    here.require(Action.APPROVE)
    return _decide(
        request, here, amendment_id, "Đã trả lại đính chính cho người soạn.",
        lambda session, row: amendments.send_back(session, here.actor, row, form.text("note"), here.now),
    )  # fmt: skip


@router.post("/dinh-chinh/{amendment_id:int}/rut")
def recall(request: Request, here: Visitor, amendment_id: int) -> Response:
    """Give an undecided correction up."""
    here.require(Action.WRITE)
    return _decide(
        request, here, amendment_id, "Đã rút đính chính. Bài trên các kênh giữ nguyên.",
        lambda session, row: amendments.recall(session, here.actor, row, here.now),
    )  # fmt: skip


@router.post("/dinh-chinh/luot/{line_id:int}/da-sua")
def done_by_hand(request: Request, here: Visitor, line_id: int) -> Response:
    """A person saw, or made, the new words on the channel."""
    return _settle(request, here, line_id, "Đã ghi nhận: bài trên kênh đã đúng.", amend_settling.done_by_hand)


@router.post("/dinh-chinh/luot/{line_id:int}/sua-lai")
def again(request: Request, here: Visitor, line_id: int) -> Response:
    """Ask the platform once more."""
    return _settle(request, here, line_id, "Chương trình sẽ sửa lại trong ít phút tới.", amend_settling.again)


@router.post("/dinh-chinh/luot/{line_id:int}/thoi")
def give_up(request: Request, here: Visitor, line_id: int) -> Response:
    """Leave the post on this channel as it is."""
    return _settle(request, here, line_id, "Đã ghi nhận: không sửa bài ở kênh này nữa.", amend_settling.give_up)


def _decide(
    request: Request, here: Here, id: int, said: str, decision: Callable[[Session, Amendment], None]
) -> Response:
    try:
        with here.store.write() as session:
            decision(session, views.mine(session, Amendment, id, here.ward_id))
    except Mistake as mistake:
        return _page(request, here, id, 422, str(mistake))
    return done(here, f"/quan-tri/dinh-chinh/{id}", said)


def _settle(request: Request, here: Here, line_id: int, said: str, decision: Callable[..., None]) -> Response:
    here.require(Action.SETTLE)
    with here.store.read() as session:
        id = views.mine(session, AmendmentLine, line_id, here.ward_id).amendment_id
    try:
        with here.store.write() as session:
            decision(session, here.actor, views.mine(session, AmendmentLine, line_id, here.ward_id), here.now)
    except Mistake as mistake:
        return _page(request, here, id, 422, str(mistake))
    return done(here, f"/quan-tri/dinh-chinh/{id}", said)


def _page(request: Request, here: Here, id: int, status: int = 200, mistake: str = "") -> Response:
    with here.store.read() as session:
        shown = amendment_views.shown(session, here.ward, id)
    decides = shown.amendment.state == "submitted" and here.may(Action.APPROVE)
    own = shown.amendment.author_id == here.user.id
    return page(request, here, "amendment.html", status, shown=shown, decides=decides, own=own, mistake=mistake)


def _typed(here: Here, form: Typed, post_id: int) -> Desk:
    with here.store.read() as session:
        post = views.mine(session, Post, post_id, here.ward_id)
        return _desk(session, here, post, _words(session, form, post), frozenset(form.numbers("delivery")))


def _desk(session: Session, here: Here, post: Post, words: Words, chosen: frozenset[int] | None) -> Desk:
    sights = correcting.sights(session, here.desk, here.ward, post, words)
    kept = amendments.open_one(session, post)
    returned = kept if kept is not None and kept.state == "returned" else None
    if chosen is None:
        before = {line.delivery_id for line in amendments.lines_of(session, returned)} if returned else set()
        chosen = frozenset(sight.delivery.id or 0 for sight in sights if not before or sight.delivery.id in before)
    taken = [sight for sight in sights if sight.delivery.id in chosen and not sight.fixed]
    template = session.get(Template, post.template_id) if post.template_id else None
    return Desk(
        post=post,
        title=views.titles(session, here.ward, [post])[post.id or 0],
        words=words,
        parsed=templates.load(template.source) if template else None,
        outlets=list({sight.outlet.id: sight.outlet for sight in sights}.values()),
        sights=sights,
        chosen=chosen,
        problems=amendments.wrong(words, taken),
        waiting=correcting.still_to_come(session, post),
        returned=returned,
    )


def _words(session: Session, form: Typed, post: Post) -> Words:
    """What was typed over what stands now; fields that the template does not have are left out."""
    standing = correcting.words_of(session, post)
    given: dict[str, Any] = {name: form.text(name) for name in ("title", "summary", "body", "note")}
    fields = {key: text for key, text in form.under("field").items() if key in standing.fields or post.template_id}
    own = {int(key): text for key, text in form.under("own").items() if key.isdigit()}
    return Words(**given, fields={**standing.fields, **fields}, own_words=own)

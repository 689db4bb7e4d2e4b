"""The video or sound of the composer's sheet: taken in piece by piece, made anew apart from whoever waits, looked at."""

import hashlib
import threading
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import FileResponse, Response
from sqlmodel import Session, select
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from campaigns import clips, views
from campaigns.clips import Chosen
from campaigns.people import Action
from content.clips import ClipMistake
from store.clips import Clip
from web.console import compose
from web.console.pages import fragment, wants_fragment
from web.forms import MAX_FIELDS, MAX_FILES, MAX_TEXT, Typed
from web.session import Here, NotHere, Visitor

router = APIRouter()

FIELD = "clip_file"
_PIECE = 1_000_000
_KEEP = "private, max-age=86400"
_ONE_AT_A_TIME = threading.Semaphore(1)
_WAITING: set[tuple[str, int]] = set()


class Sent:
    """A form with a large file: the texts as typed, the file on disk and not in memory; ``path`` is None where none came."""

    def __init__(self, form: Typed, path: Path | None, name: str, sha256: str) -> None:
        self.form, self.path, self.name, self.sha256 = form, path, name, sha256


async def sent(request: Request, here: Visitor) -> Sent:
    """Dependency: the form of this request, its large file written down as it comes."""
    return await receive(request, here, FIELD)


async def receive(request: Request, here: Here, field: str) -> Sent:
    """The form of this request, the large file of this field written down as it comes; raises Forbidden."""
    here.require(Action.WRITE)
    async with request.form(max_files=MAX_FILES, max_fields=MAX_FIELDS, max_part_size=MAX_TEXT) as form:
        texts = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
        file = form.get(field)
        if not isinstance(file, UploadFile) or not file.filename:
            return Sent(Typed(texts), None, "", "")
        path = clips.waiting_place(here.desk.files, here.now)
        sha256 = await _written(file, path)
        return Sent(Typed(texts), path, Typed([("name", file.filename)]).line("name"), sha256)


async def _written(file: UploadFile, path: Path) -> str:
    """The hash of the file, which now lies at the path; nothing of one that broke off."""
    digest = hashlib.sha256()
    try:
        with path.open("wb") as out:
            while piece := await file.read(_PIECE):
                digest.update(piece)
                await run_in_threadpool(out.write, piece)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return digest.hexdigest()


@router.post("/soan/video")
def upload(request: Request, here: Visitor, given: Annotated[Sent, Depends(sent)]) -> Response:
    """Keep a video or a sound, or let go of the one that is there, and give the sheet's block (the whole sheet without scripts)."""
    chosen, error = _chosen(here, given)
    if not wants_fragment(request):
        return compose.again(request, here, given.form, {"clip": error} if error else {})
    with here.store.read() as session:
        found = of_form(session, here, given.form)
    return fragment(here, "clip.html", 422 if error else 200, clip=found or chosen, error=error)


@router.get("/soan/video/{clip_id:int}")
def state(here: Visitor, clip_id: int) -> Response:
    """The block of one clip as it stands now; what nobody is at work on is begun again."""
    here.require(Action.WRITE)
    with here.store.read() as session:
        row = views.mine(session, Clip, clip_id, here.ward_id)
    if clips.is_lost(row, here.now):
        begin(here, clip_id)
    return fragment(here, "clip_state.html", clip=Chosen(row))


@router.get("/clip/{sha256}")
def play(here: Visitor, sha256: str) -> Response:
    """A clip of this ward by its hash; any stretch of it may be asked for."""
    with here.store.read() as session:
        row = session.exec(select(Clip).where(Clip.ward_id == here.ward_id, Clip.sha256 == sha256)).first()
    if row is None or not sha256 or not here.desk.files.path(sha256).is_file():
        raise NotHere(sha256)
    headers = {"cache-control": _KEEP, "content-security-policy": "default-src 'none'; sandbox"}
    return FileResponse(here.desk.files.path(sha256), media_type=row.mime, headers=headers)


def of_form(session: Session, here: Here, form: Typed) -> Chosen | None:
    """The clip of the sheet with its words; raises NotInWard when it is not of this ward."""
    id = form.number("clip")
    return Chosen(views.mine(session, Clip, id, here.ward_id), form.text("clip_about")) if id else None


def begin(here: Here, clip_id: int) -> None:
    """Make it in a thread of its own, one after the other: a request waits for nothing, and asking again begins nothing."""
    wanted = (str(here.desk.files.folder), clip_id)
    if wanted not in _WAITING:
        _WAITING.add(wanted)
        threading.Thread(target=_work, args=(here, wanted), name=f"clip-{clip_id}", daemon=True).start()


def _work(here: Here, wanted: tuple[str, int]) -> None:
    try:
        with _ONE_AT_A_TIME:
            clips.work(here.store, here.desk.files, wanted[1], here.desk.now())
    finally:
        _WAITING.discard(wanted)


def _chosen(here: Here, given: Sent) -> tuple[Chosen | None, str]:
    if given.form.on("clip_remove"):
        given.form.put("clip", "")
        return None, ""
    if given.path is None:
        return None, "Chưa chọn tệp nào. Hãy chọn một tệp video hoặc tiếng rồi bấm tải lên."
    try:
        with here.store.write() as session:
            files = here.desk.files
            row = clips.take(session, here.actor, here.ward_id, files, given.path, given.sha256, given.name, here.now)
    except ClipMistake as mistake:
        return None, f"«{given.name}»: {mistake}" if given.name else str(mistake)
    given.form.put("clip", str(row.id))
    if row.state == clips.WORKING:
        begin(here, row.id or 0)
    return Chosen(row), ""

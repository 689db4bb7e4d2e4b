"""«Soạn tin»: choose a template, fill in, see every channel, check, hand over for approval. Drafts keep themselves."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from sqlmodel import Session

from campaigns import drafting, library, urgency, views
from campaigns.drafting import Draft, Stale
from campaigns.people import Action, Mistake
from campaigns.timetable import local
from content import events
from content.pictures import PictureMistake
from content.templates import format_time
from store.tables import Post, Template
from web.console import album, readings, sheets
from web.console.pages import done, fragment, page, wants_fragment
from web.console.sheets import Sheet
from web.forms import Form, Typed
from web.session import Here, NotHere, Visitor

router = APIRouter()


@router.get("/soan")
def choose(request: Request, here: Visitor, ngay: str = "", tim: str = "") -> Response:
    """The templates as cards, by topic."""
    here.require(Action.WRITE)
    with here.store.read() as session:
        found = sheets.groups(session, here, tim)
    return page(request, here, "choose.html", groups=found, day=ngay, words_wanted=tim)


@router.get("/soan/moi")
def begin(request: Request, here: Visitor, mau: str = "", ngay: str = "", gio: str = "", vi_du: str = "") -> Response:
    """An empty sheet, or one with the template's examples; nothing is kept until something is typed."""
    here.require(Action.WRITE)
    with here.store.read() as session:
        template = _template(session, here, mau) if mau else None
        draft = sheets.blank(session, here, template.id if template else None, ngay, gio, vi_du == "1")
        found = sheets.sheet(session, here, draft)
    return _page(request, here, found)


@router.get("/bai/{post_id:int}/soan")
def edit(request: Request, here: Visitor, post_id: int) -> Response:
    """The sheet of a kept post."""
    here.require(Action.WRITE)
    with here.store.read() as session:
        post = views.mine(session, Post, post_id, here.ward_id)
        found = sheets.sheet(session, here, drafting.draft_of(session, post, here.ward), post)
    return _page(request, here, found)


@router.post("/soan/xem-truoc")
def preview(request: Request, here: Visitor, form: Form) -> Response:
    """The previews of what stands in the form; keeps nothing."""
    here.require(Action.WRITE)
    with here.store.read() as session:
        found = _typed_sheet(here, session, form)
    found.look = sheets.look(here, found.draft, found.post)
    if wants_fragment(request):
        return fragment(here, "previews.html", sheet=found, look=found.look, swapped=True)
    return _page(request, here, found)


@router.post("/soan/luu")
def keep(request: Request, here: Visitor, form: Form) -> Response:
    """Keep what was typed, right or wrong."""
    try:
        post = _keep(here, form)
    except (Mistake, PictureMistake) as mistake:
        if wants_fragment(request):
            return fragment(here, "kept.html", 409, mistake=str(mistake), post=None)
        return _again(request, here, form, mistake)
    if not wants_fragment(request):
        return done(here, f"/quan-tri/bai/{post.id}/soan", "Đã lưu bản nháp.")
    answer = fragment(here, "kept.html", mistake="", post=post, at=format_time(local(here.now, here.ward.zone).time()))
    answer.headers["hx-replace-url"] = f"/quan-tri/bai/{post.id}/soan"
    return answer


@router.post("/soan/tu-dien")
def save_word(request: Request, here: Visitor, form: Form, muc: str = "") -> Response:
    """Keep the reading of a doubtful word in the ward's dictionary; the previews of what stands in the form, read anew."""
    here.require(Action.WRITE)
    try:
        told = ("ok", readings.save_word(here, form, muc))
    except Mistake as mistake:
        told = ("error", str(mistake))
    with here.store.read() as session:
        found = _typed_sheet(here, session, form)
    found.look, found.told = sheets.look(here, found.draft, found.post), told
    if wants_fragment(request):
        return fragment(here, "previews.html", sheet=found, look=found.look, swapped=True)
    return _page(request, here, found, 422 if told[0] == "error" else 200)


@router.post("/soan/kiem-tra")
def check(request: Request, here: Visitor, form: Form) -> Response:
    """Keep the draft; on to the page that shows everything, or back to the sheet with what is wrong beside its field."""
    try:
        post = _keep(here, form)
    except (Mistake, PictureMistake) as mistake:
        return _again(request, here, form, mistake)
    with here.store.read() as session:
        draft = drafting.draft_of(session, post, here.ward)
        found = sheets.sheet(session, here, draft, post)
    found.look = sheets.look(here, draft, post)
    if not found.look.errors:
        return RedirectResponse(f"/quan-tri/bai/{post.id}/gui", 303)
    found.errors = sheets.by_field(found.look.problems)
    return _page(request, here, found, 422)


@router.post("/soan/anh")
def photo(request: Request, here: Visitor, form: Form) -> Response:
    """Keep photos in the media library, or move one, and give the sheet's picture block (the whole sheet without scripts)."""
    here.require(Action.WRITE)
    error = album.receive(here, form)
    if not wants_fragment(request):
        with here.store.read() as session:
            found = _typed_sheet(here, session, form)
        found.errors = {"photo": error} if error else {}
        return _page(request, here, found, 422 if error else 200)
    with here.store.read() as session:
        shots = album.shots(session, here, album.chosen(form))
    return fragment(here, "photo.html", 422 if error else 200, shots=shots, error=error)


def again(request: Request, here: Here, form: Typed, errors: dict[str, str]) -> Response:
    """The whole sheet as it was typed, for who has no scripts."""
    with here.store.read() as session:
        found = _typed_sheet(here, session, form)
    found.errors = errors
    return _page(request, here, found, 422 if errors else 200)


@router.get("/bai/{post_id:int}/gui")
def review(request: Request, here: Visitor, post_id: int) -> Response:
    """Every channel's render and every warning on one page, before the post is handed over."""
    here.require(Action.WRITE)
    return _review(request, here, post_id)


@router.post("/bai/{post_id:int}/gui")
def submit(request: Request, here: Visitor, post_id: int) -> Response:
    """Hand the post over for approval."""
    with here.store.write() as session:
        post = views.mine(session, Post, post_id, here.ward_id)
        errors = drafting.submit(session, here.actor, post, here.ward, here.desk, here.now)
    if errors:
        return _review(request, here, post_id, 422)
    return done(here, f"/quan-tri/bai/{post_id}", "Đã gửi duyệt. Người duyệt sẽ thấy bài ở mục Chờ duyệt.")


def _template(session: Session, here: Here, name: str) -> Template:
    try:
        return library.current(session, here.ward_id, name)
    except LookupError as error:
        raise NotHere(name) from error


def _review(request: Request, here: Here, post_id: int, status: int = 200) -> Response:
    with here.store.read() as session:
        post = views.mine(session, Post, post_id, here.ward_id)
        draft = drafting.draft_of(session, post, here.ward)
        title = views.titles(session, here.ward, [post])[post.id or 0]
    return page(
        request, here, "review.html", status, post=post, title_of_post=title, draft=draft,
        look=sheets.look(here, draft, post), now_at_approval=urgency.at_once(post, here.now),
    )  # fmt: skip


def _keep(here: Here, form: Typed) -> Post:
    here.require(Action.WRITE)
    post_id = form.number("post_id")
    if error := album.receive(here, form):
        raise PictureMistake(error)
    with here.store.write() as session:
        draft: Draft = sheets.typed_draft(session, here, form)
        post = views.mine(session, Post, post_id, here.ward_id) if post_id else None
        return drafting.save(session, here.actor, here.ward, draft, here.now, post, form.number("revision") or 0)


def _typed_sheet(here: Here, session: Session, form: Typed) -> Sheet:
    draft = sheets.typed_draft(session, here, form)
    post_id = form.number("post_id")
    post = views.mine(session, Post, post_id, here.ward_id) if post_id else None
    return sheets.sheet(session, here, draft, post, form.number("revision") or 0)


def _again(request: Request, here: Here, form: Typed, mistake: Exception) -> Response:
    with here.store.read() as session:
        found = _typed_sheet(here, session, form)
    found.errors = {"photo" if isinstance(mistake, PictureMistake) else "": str(mistake)}
    return _page(request, here, found, 409 if isinstance(mistake, Stale) else 422)


def _page(request: Request, here: Here, found: Sheet, status: int = 200) -> Response:
    found.look = found.look or sheets.look(here, found.draft, found.post)
    return page(
        request,
        here,
        "compose.html",
        status,
        sheet=found,
        look=found.look,
        errors=found.errors,
        classes=urgency.CLASSES,
        event_fields=events.FREE,
    )

"""«Tin, bài»: the list, one post with its deliveries and its story, and taking a post back."""

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlmodel import Session, col

from campaigns import amendment_views, approving, drafting, histories, planning, urgency, views
from campaigns.people import Action, Mistake
from content.text import squeeze
from store.tables import Post
from web.console import sheets
from web.console.pages import done, page
from web.forms import Form
from web.session import Here, Visitor

router = APIRouter()

PER_PAGE = 40
SHOWS = {
    "": "Tất cả",
    "draft": "Bản nháp",
    "submitted": "Chờ duyệt",
    "returned": "Trả lại",
    "approved": "Đã duyệt",
    "withdrawn": "Đã rút",
}


@router.get("/bai")
def posts(request: Request, here: Visitor, trang_thai: str = "", trang: str = "1") -> Response:
    """The ward's posts, newest first."""
    state = trang_thai if trang_thai in SHOWS else ""
    number = max(1, int(trang)) if trang.isascii() and trang.isdigit() and len(trang) < 6 else 1
    with here.store.read() as session:
        query = views.of_ward(Post, here.ward_id)
        if state:
            query = query.where(Post.state == state)
        wanted = query.order_by(col(Post.updated_at).desc(), col(Post.id).desc())
        found = views.posts(session, here.ward, wanted.offset((number - 1) * PER_PAGE).limit(PER_PAGE + 1))
    return page(
        request, here, "posts.html", rows=found[:PER_PAGE], more=len(found) > PER_PAGE, number=number, shown=state,
        shows=SHOWS,
    )  # fmt: skip


@router.get("/bai/{post_id:int}")
def one(request: Request, here: Visitor, post_id: int) -> Response:
    """One post: its previews while it waits, its deliveries once it is planned."""
    return post_page(request, here, post_id)


@router.post("/bai/{post_id:int}/duyet")
def approve(request: Request, here: Visitor, form: Form, post_id: int) -> Response:
    """Approve exactly what was seen."""
    try:
        with here.store.write() as session:
            post = views.mine(session, Post, post_id, here.ward_id)
            approving.approve(session, here.actor, post, form.text("digest"), here.now)
            # What is urgent does not wait for the next round of planning.
            at_once = urgency.of(post).at_once and post.due_at == here.now
            if at_once:
                planning.plan_post(session, post, here.now)
    except Mistake as mistake:
        return post_page(request, here, post_id, 409, mistake=str(mistake))
    said = "Đã duyệt. Bài khẩn cấp đang được đăng ngay." if at_once else "Đã duyệt. Bài sẽ được đăng đúng giờ."
    return done(here, "/quan-tri/cho-duyet", said)


@router.post("/bai/{post_id:int}/tra-lai")
def send_back(request: Request, here: Visitor, form: Form, post_id: int) -> Response:
    """Return the post to its author with a reason."""
    try:
        with here.store.write() as session:
            post = views.mine(session, Post, post_id, here.ward_id)
            approving.send_back(session, here.actor, post, form.text("note"), here.now)
    except Mistake as mistake:
        return post_page(request, here, post_id, 422, mistake=str(mistake), note=form.text("note"))
    return done(here, "/quan-tri/cho-duyet", "Đã trả lại bài cho người soạn.")


@router.post("/bai/{post_id:int}/rut")
def withdraw(request: Request, here: Visitor, form: Form, post_id: int) -> Response:
    """Take the approval back: what has not gone out never will."""
    reason = squeeze(form.text("reason"))
    try:
        if not reason:
            raise Mistake("Hãy ghi lý do rút bài.")
        with here.store.write() as session:
            post = views.mine(session, Post, post_id, here.ward_id)
            stopped = approving.withdraw_approval(session, here.actor, post, reason, here.now)
    except Mistake as mistake:
        return post_page(request, here, post_id, 422, mistake=str(mistake))
    return done(here, f"/quan-tri/bai/{post_id}", f"Đã rút bài. {stopped} lượt chưa đăng đã được hủy.")


def post_page(
    request: Request, here: Here, post_id: int, status: int = 200, mistake: str = "", note: str = ""
) -> Response:
    """The page of a post, with what went wrong at the last button."""
    with here.store.read() as session:
        post = views.mine(session, Post, post_id, here.ward_id)
        values = _around(session, here, post)
        stories = histories.stories(session, here.ward, post)
        draft = drafting.draft_of(session, post, here.ward)
    look = None if any(story.message for story in stories) else sheets.look(here, draft, post)
    return page(
        request, here, "post.html", status, post=post, stories=stories, look=look, mistake=mistake, note=note,
        repeats=look.repeats if look else [], **values,
    )  # fmt: skip


def _around(session: Session, here: Here, post: Post) -> dict[str, object]:
    names = views.people_names(session, (post.author_id, post.approver_id))
    decides = post.state == "submitted" and here.may(Action.APPROVE)
    return {
        "title_of_post": views.titles(session, here.ward, [post])[post.id or 0],
        "author": names.get(post.author_id, ""),
        "approver": names.get(post.approver_id or 0, ""),
        "amendments": amendment_views.of_post(session, post),
        "events": histories.events(session, here.ward_id, post),
        "changes": histories.changes(session, here.ward_id, post)
        if post.state in ("submitted", "draft", "returned")
        else None,
        "digest": approving.digest_of(session, post),
        "decides": decides,
        "own": post.author_id == here.user.id,
    }

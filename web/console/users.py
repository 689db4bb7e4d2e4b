"""«Người dùng»: the ward's accounts, for its administrator."""

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlmodel import Session

from campaigns import people, staffing, views
from campaigns.people import ROLE_WORDS, Action, Mistake, Role
from store.tables import User
from web.console.pages import done, page
from web.forms import Form, Typed
from web.session import Here, Visitor

router = APIRouter()

ROLES = [(str(role), said) for role, said in ROLE_WORDS.items()]
MAY = {
    "editor": "soạn bài, gửi duyệt",
    "approver": "duyệt bài, xử lý lượt đăng, lập báo cáo",
    "announcer": "soạn và phát bản tin loa",
    "reporter": "xem và lập báo cáo",
    "admin": "mọi việc, kể cả kênh và người dùng",
    "reader": "chỉ xem",
}


@router.get("/nguoi-dung")
def users(request: Request, here: Visitor) -> Response:
    """Every account of the ward."""
    return _page(request, here)


@router.post("/nguoi-dung")
def add(request: Request, here: Visitor, form: Form) -> Response:
    """A new account."""
    here.require(Action.MANAGE)
    try:
        if form.line("role") not in set(Role):
            raise Mistake("Hãy chọn vai trò cho tài khoản.")
        with here.store.write() as session:
            made = staffing.add(
                session,
                here.actor,
                here.ward,
                form.line("username"),
                form.line("name"),
                form.line("role"),
                form.text("password"),
                here.now,
            )
    except Mistake as mistake:
        return _page(request, here, 422, form, str(mistake))
    return done(
        here,
        "/quan-tri/nguoi-dung",
        f"Đã thêm tài khoản «{made.username}». Hãy trao mật khẩu tận tay và nhắc đổi ngay.",
    )


@router.post("/nguoi-dung/{user_id:int}/ngung")
def deactivate(request: Request, here: Visitor, user_id: int) -> Response:
    """Close an account; whoever is signed in with it is signed out."""
    try:
        with here.store.write() as session:
            user = _mine(session, here, user_id)
            staffing.deactivate(session, here.actor, user, here.now)
    except Mistake as mistake:
        return _page(request, here, 422, None, str(mistake))
    return done(here, "/quan-tri/nguoi-dung", f"Đã ngừng tài khoản «{user.username}» và đăng xuất mọi thiết bị.")


@router.post("/nguoi-dung/{user_id:int}/mo-lai")
def activate(here: Visitor, user_id: int) -> Response:
    """Open a closed account again."""
    with here.store.write() as session:
        user = _mine(session, here, user_id)
        staffing.activate(session, here.actor, user, here.now)
    return done(here, "/quan-tri/nguoi-dung", f"Đã mở lại tài khoản «{user.username}».")


@router.post("/nguoi-dung/{user_id:int}/mat-khau")
def reset_password(request: Request, here: Visitor, form: Form, user_id: int) -> Response:
    """A new password for somebody who lost the old one."""
    here.require(Action.MANAGE)
    try:
        hashed = people.hash_password(form.text("password"))
        with here.store.write() as session:
            user = _mine(session, here, user_id)
            staffing.reset_password(session, here.actor, user, hashed, here.now)
    except Mistake as mistake:
        return _page(request, here, 422, None, str(mistake))
    return done(here, "/quan-tri/nguoi-dung", f"Đã đặt lại mật khẩu của «{user.username}» và đăng xuất mọi thiết bị.")


def _mine(session: Session, here: Here, user_id: int) -> User:
    here.require(Action.MANAGE)
    return views.mine(session, User, user_id, here.ward_id)


def _page(request: Request, here: Here, status: int = 200, typed: Typed | None = None, mistake: str = "") -> Response:
    here.require(Action.MANAGE)
    with here.store.read() as session:
        rows = staffing.staff(session, here.actor, here.ward_id)
    return page(
        request,
        here,
        "users.html",
        status,
        rows=rows,
        typed=typed or Typed(()),
        adding=typed is not None,
        mistake=mistake,
        roles=ROLES,
        may=MAY,
    )

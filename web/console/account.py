"""«Tài khoản»: changing one's password, signing out everywhere."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from campaigns import people
from campaigns.people import Mistake
from store.tables import User
from web.console.pages import done, page
from web.forms import Form
from web.session import SIGN_IN, Visitor, drop_cookie, hashing

router = APIRouter()


@router.get("/tai-khoan")
def account(request: Request, here: Visitor) -> Response:
    """Who is signed in, and what they can change."""
    return page(request, here, "account.html")


@router.post("/tai-khoan/mat-khau")
def change_password(request: Request, here: Visitor, form: Form) -> Response:
    """Set a new password; every other session ends."""
    if form.text("new") != form.text("again"):
        errors = {"again": "Hai lần nhập mật khẩu mới không giống nhau."}
        return page(request, here, "account.html", 422, errors=errors)
    try:
        with hashing():
            made = people.new_password(here.user, form.text("old"), form.text("new"))
    except Mistake as mistake:
        field = "old" if isinstance(mistake, people.WrongPassword) else "new"
        return page(request, here, "account.html", 422, errors={field: str(mistake)})
    with here.store.write() as session:
        user = session.get_one(User, here.user.id)
        people.put_password(session, user, made, here.token, here.now)
    return done(here, "/quan-tri/tai-khoan", "Đã đổi mật khẩu. Các nơi đăng nhập khác đã bị đăng xuất.")


@router.post("/tai-khoan/dang-xuat-het")
def sign_out_everywhere(here: Visitor) -> Response:
    """Revoke every session of this person, this one too."""
    with here.store.write() as session:
        people.sign_out_everywhere(session, here.user, here.now)
    response = RedirectResponse(SIGN_IN, 303)
    drop_cookie(response, here.house, here.house.cookie)
    return response

"""Signing in and out, and choosing the ward that is open."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from campaigns import people
from campaigns.people import LONGEST
from web.console.pages import bare
from web.forms import Form
from web.session import (
    HOME,
    SIGN_IN,
    House,
    NotHere,
    Visitor,
    drop_cookie,
    enter,
    known_page,
    put_cookie,
    tell,
)

router = APIRouter()

WRONG = "Tên đăng nhập hoặc mật khẩu không đúng, hoặc bạn đã thử quá nhiều lần. Hãy kiểm tra lại; nếu vẫn không được, đợi 15 phút rồi thử lại."


@router.get("/dang-nhap")
def sign_in_page(request: Request, tiep: str = "") -> Response:
    """The form for signing in."""
    return bare(request.app.state.house, "sign_in.html", next=known_page(request, tiep), username="", error="")


@router.post("/dang-nhap")
def sign_in(request: Request, form: Form) -> Response:
    """Open a session under a new id; says the same whatever was wrong."""
    house: House = request.app.state.house
    next_page = known_page(request, form.text("next"))
    address = request.client.host if request.client else "?"
    token = enter(house, form.text("username"), form.text("password"), address, request.headers.get("user-agent", ""))
    if token is None:
        return bare(house, "sign_in.html", 401, next=next_page, username=form.line("username")[:100], error=WRONG)
    _revoke(house, request)
    response = RedirectResponse(next_page, 303)
    put_cookie(response, house, house.cookie, token, int(LONGEST.total_seconds()))
    return response


@router.post("/dang-xuat")
def sign_out(request: Request) -> Response:
    """Revoke this session."""
    house: House = request.app.state.house
    _revoke(house, request)
    response = RedirectResponse(SIGN_IN, 303)
    drop_cookie(response, house, house.cookie)
    return response


@router.post("/chon-phuong")
def choose_ward(request: Request, here: Visitor, form: Form) -> Response:
    """Open another ward, for an account that has several."""
    ward = next((ward for ward in here.wards if ward.slug == form.line("ward")), None)
    if ward is None:
        raise NotHere(form.line("ward"))
    response = RedirectResponse(HOME, 303)
    put_cookie(response, here.house, here.house.choice, ward.slug, 31_536_000)
    tell(response, here.house, f"Đang mở {ward.name}.")
    return response


def _revoke(house: House, request: Request) -> None:
    if old := request.cookies.get(house.cookie):
        with house.store.write() as session:
            people.sign_out(session, old, house.desk.now())

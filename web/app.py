"""The web application: the console for staff and the public site for citizens, behind the same safety."""

import logging
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response

from campaigns.outlets import Desk
from campaigns.people import Forbidden, Mistake
from campaigns.views import NotInWard
from store.engine import Store
from store.troubles import trouble
from web import assets, console, health
from web.apologies import TROUBLES
from web.console.pages import bare, wants_fragment
from web.health import Watch
from web.security import HEADERS, BodyLimit, SafeHeaders, SameOriginOnly
from web.session import SIGN_IN, House, SignInNeeded

log = logging.getLogger("lantoa.web")

MESSAGES = {
    400: ("Chưa làm được", "Yêu cầu chưa đúng. Hãy quay lại trang trước, kiểm tra rồi gửi lại."),
    403: ("Không được phép", "Tài khoản của bạn không có quyền làm việc này."),
    404: ("Không tìm thấy", "Trang này không có, đã được chuyển đi, hoặc thuộc phường khác."),
    405: ("Chưa làm được", "Trang này không nhận yêu cầu kiểu đó. Hãy quay lại trang trước và bấm nút trên trang."),
    413: ("Dữ liệu quá lớn", "Dữ liệu gửi lên quá lớn. Hãy chọn ảnh nhẹ hơn rồi gửi lại."),
    422: ("Dữ liệu chưa đúng", "Có giá trị chưa đúng trong yêu cầu. Hãy quay lại trang trước, kiểm tra rồi gửi lại."),
    500: (
        "Có lỗi xảy ra",
        "Chương trình gặp lỗi ngoài dự kiến. Những gì đã lưu vẫn còn. Hãy thử lại; nếu vẫn lỗi, báo người quản trị.",
    ),
}


def build(
    store: Store,
    desk: Desk,
    *,
    secure: bool = False,
    rehearsal: bool = False,
    public: Any = None,
    watch: Watch | None = None,
) -> FastAPI:
    """The application; ``secure`` when it is reached over https, ``public`` an ASGI application for the citizens' pages.

    ``watch`` is what ``/healthz``, ``/readyz`` and ``/metrics`` are told by the program around it.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, title="Lan Tỏa")
    app.state.house = House(store, desk, secure, rehearsal)
    pages = console.router()
    app.include_router(pages)
    app.state.console_routes = list(pages.routes)
    app.include_router(health.router(app.state.house, watch or Watch()))
    app.router.routes.append(assets.assets.route())
    _answer_errors(app)
    if public is not None:
        app.mount("/", public)

    def refuse(status: int, text: str) -> Response:
        return bare(app.state.house, "error.html", status, code=status, title=MESSAGES[status][0], text=text)

    app.add_middleware(BodyLimit, refuse=refuse)
    app.add_middleware(SameOriginOnly, refuse=refuse)
    app.add_middleware(SafeHeaders, secure=secure)
    return app


def _answer_errors(app: FastAPI) -> None:
    app.add_exception_handler(SignInNeeded, _ask_to_sign_in)
    app.add_exception_handler(Forbidden, lambda request, error: _error(request, 403, str(error)))
    app.add_exception_handler(NotInWard, lambda request, error: _error(request, 404))
    app.add_exception_handler(Mistake, lambda request, error: _error(request, 400, str(error)))
    app.add_exception_handler(RequestValidationError, lambda request, error: _error(request, 422))
    app.add_exception_handler(HTTPException, _on_http)
    for kind in (DBAPIError, NoConnectionFree, OSError):
        app.add_exception_handler(kind, _on_trouble)
    app.add_exception_handler(Exception, _on_bug)


def _ask_to_sign_in(request: Request, error: Exception) -> Response:
    assert isinstance(error, SignInNeeded)  # noqa: S101
    if wants_fragment(request):
        return _error(request, 401)
    query = urlencode({"tiep": error.next}) if error.next else ""
    return RedirectResponse(f"{SIGN_IN}?{query}" if query else SIGN_IN, 303)


def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    return _error(request, error.status_code)


def _on_trouble(request: Request, error: Exception) -> Response:
    """The disk or the database does not work: said in words, and nothing else; any other such error is a bug."""
    found = trouble(error)
    if found is None:
        raise error
    log.error("%s %s: %s", request.method, request.url.path, found, exc_info=error)
    title, text = TROUBLES[found]
    response = _page(request, 503, title, text)
    response.headers["retry-after"] = "30"
    return response


def _on_bug(request: Request, error: Exception) -> Response:
    # Starlette answers these outside of every added layer, so the headers must come from here.
    response = _error(request, 500)
    response.headers.update(HEADERS)
    return response


def _error(request: Request, status: int, text: str = "") -> HTMLResponse:
    title, usual = MESSAGES.get(status, (HTTPStatus(status).phrase, MESSAGES[400][1]))
    if status == 401:
        title, usual = (
            "Phiên làm việc đã hết",
            "Hãy đăng nhập lại ở một thẻ khác rồi quay lại đây: nội dung đang nhập vẫn còn trên trang này.",
        )
    return _page(request, status, title, text or usual)


def _page(request: Request, status: int, title: str, text: str) -> HTMLResponse:
    name = "error_piece.html" if wants_fragment(request) else "error.html"
    return bare(request.app.state.house, name, status, code=status, title=title, text=text)

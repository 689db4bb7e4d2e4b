"""What every answer and every unsafe request must satisfy, as pure ASGI layers around the whole application."""

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
BODY_LIMIT = 24_000_000
PHOTOS_LIMIT = 84_000_000
PHOTOS_PATH = "/quan-tri/soan/anh"
LARGE = {PHOTOS_PATH: PHOTOS_LIMIT, "/quan-tri/soan/video": 202_000_000, "/quan-tri/thu-am": 202_000_000}
"""Where more may be sent at once: several photos, one video, one recording."""

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)

HEADERS: Mapping[str, str] = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "x-frame-options": "DENY",
}
HSTS = "max-age=31536000"

CROSS_SITE = "Yêu cầu đến từ một trang khác nên bị từ chối. Hãy mở trang quản trị và làm lại tại đó."
TOO_LARGE = "Dữ liệu gửi lên quá lớn. Hãy chọn ít ảnh hơn một lần, ảnh nhẹ hơn, hoặc video ngắn hơn (tối đa 200 MB), rồi gửi lại."


Refuse = Callable[[int, str], Response]
"""How a refusal is shown: the page for a status and a Vietnamese sentence."""


class SafeHeaders:
    """Puts the security headers on every answer that does not set its own."""

    def __init__(self, app: ASGIApp, secure: bool = False) -> None:
        self.app = app
        self.headers = {**HEADERS, **({"strict-transport-security": HSTS} if secure else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; add the headers on the way back."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


class SameOriginOnly:
    """Refuses unsafe requests that another site may have caused a browser to send.

    The algorithm of Go 1.25 (https://pkg.go.dev/net/http#CrossOriginProtection), with one difference: a request
    that carries a cookie but says nothing of where it comes from is refused as well.
    """

    def __init__(self, app: ASGIApp, refuse: Refuse) -> None:
        self.app = app
        self.refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403."""
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS or same_origin(Headers(scope=scope)):
            await self.app(scope, receive, send)
        else:
            await self.refuse(403, CROSS_SITE)(scope, receive, send)


def same_origin(headers: Headers) -> bool:
    """Whether a browser says that our own page sent this, or no browser's authority comes with it."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc == headers.get("host", "") != ""
    return "cookie" not in headers


class _TooLarge(Exception):
    pass


class BodyLimit:
    """Answers 413 to a request whose body is larger than ``limit`` bytes, told or counted; several photos or a video may be larger."""

    def __init__(self, app: ASGIApp, refuse: Refuse, limit: int = BODY_LIMIT) -> None:
        self.app = app
        self.refuse = refuse
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on while its body stays within the limit."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = max(self.limit, LARGE.get(scope["path"], 0))
        told = Headers(scope=scope).get("content-length", "")
        if told.isdigit() and int(told) > limit:
            await self.refuse(413, TOO_LARGE)(scope, receive, send)
            return
        await self._counting(scope, receive, send, limit)

    async def _counting(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        taken, started = 0, False

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise _TooLarge
            return message

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, counted, watched)
        except _TooLarge:
            if not started:
                await self.refuse(413, TOO_LARGE)(scope, receive, send)

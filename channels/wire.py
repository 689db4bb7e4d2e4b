"""The one HTTP client: timeouts, size caps, a guard against private addresses, and what was really seen.

Every outgoing request of the program goes through here. A *visible* call (one that may make something public)
opens a fresh connection and follows it with httpx's trace, so that a failure says for certain whether a byte
left this machine (https://www.encode.io/httpcore/extensions/#trace). Other calls share connections on the
faster aiohttp transport. Redirects are never followed by themselves; ``fetch`` follows them one by one, each
through the guard again. One Wire belongs to one event loop and is closed in it.
"""

import asyncio
import json as jsonlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Protocol, TypeVar

import aiohttp
import httpcore
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from httpx_aiohttp import AiohttpTransport
from pydantic import BaseModel, ValidationError

from channels.guard import Guard as Guard
from channels.guard import Refusal as Refusal

Model = TypeVar("Model", bound=BaseModel)

for _chatty in ("httpx", "httpcore"):  # at INFO httpx logs whole addresses, tokens in the query included
    logging.getLogger(_chatty).setLevel(logging.WARNING)

REFUSED = "Refusal"

may_leave: ContextVar[Callable[[], bool]] = ContextVar("may_leave", default=lambda: True)
"""Asked just before the first byte of a visible call; when it says no, the call ends as one of which nothing left."""
KEPT_SECONDS = 4.0
PIECE = 256 * 1024


@dataclass(frozen=True)
class Answer:
    """What the other side answered, whatever its status."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    url: str = field(default="", repr=False)

    @property
    def text(self) -> str:
        """The body as text, unreadable bytes replaced."""
        return self.body.decode("utf-8", "replace")

    def read(self, model: type[Model]) -> Model | None:
        """The JSON body as a model, or None where it is not what was expected."""
        try:
            return model.model_validate_json(self.body)
        except ValidationError:
            return None


@dataclass(frozen=True)
class Silence:
    """No trustworthy answer. ``sent`` is False only where it is proved that no byte of the request left."""

    sent: bool
    kind: str


Seen = Answer | Silence


@cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


class Kept(Protocol):
    """Connections of a transport that is not HTTP (mail), kept between calls."""

    async def close(self) -> None:
        """Close them."""


Keeping = TypeVar("Keeping", bound=Kept)


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.AsyncNetworkStream:  # fmt: skip
        try:
            addresses = await self._guard.resolve(host, port)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        for position, address in enumerate(addresses):
            try:
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore.ConnectError:
                if position == len(addresses) - 1:
                    raise
        raise httpcore.ConnectError(host)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class VisibleTransport(httpx.AsyncHTTPTransport):
    """One request, one fresh connection; ``sent`` tells whether a byte of the last request left."""

    def __init__(self, guard: Guard) -> None:
        super().__init__(verify=_tls(), trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))
        self.sent = False
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_tls(),
            max_connections=4,
            max_keepalive_connections=0,
            network_backend=_GuardedBackend(guard),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request, noting whether writing began."""
        self.sent = False
        request.extensions = {**request.extensions, "trace": self._trace}
        return await super().handle_async_request(request)

    async def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        if event.endswith("send_request_headers.started"):
            if not may_leave.get()():
                raise httpcore.ConnectError("too late to leave")
            self.sent = True


class _GuardedResolver(AbstractResolver):
    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        addresses = await self._guard.resolve(host, port)
        return [_result(host, port, address) for address in addresses]

    async def close(self) -> None:
        return None


def _result(host: str, port: int, address: str) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)


@dataclass
class Wire:
    """The client handed to every channel and to the source watcher."""

    guard: Guard = field(default_factory=Guard)
    timeout: float = 20.0
    max_bytes: int = 5_000_000
    user_agent: str = "LanToa/1.0"
    _shared: httpx.AsyncClient | None = None
    _kept: aiohttp.ClientSession | None = None
    _allowed: dict[str, str] = field(default_factory=dict, repr=False)
    _others: dict[object, Any] = field(default_factory=dict, repr=False)

    def keep(self, name: object, make: Callable[[], Keeping]) -> Keeping:
        """What another transport keeps under this name, made when it is not there yet; closed with this client."""
        kept: Keeping = self._others.get(name) or make()
        self._others[name] = kept
        return kept

    def visible_transport(self) -> VisibleTransport:
        """A guarded transport of one's own, for a library that brings its own client (python-telegram-bot)."""
        return VisibleTransport(self.guard)

    def another(self) -> "Wire":
        """One more client with the same guard and limits, for another event loop."""
        return Wire(self.guard, self.timeout, self.max_bytes, self.user_agent)

    async def call(self, method: str, url: str, *, visible: bool = False, longer: float = 0, **request: Any) -> Seen:
        """One request, tried once. ``request`` takes httpx's params, headers, json, data, files, content.

        ``longer`` gives a large body so many seconds more than the usual whole.

        Kept connections go stale: the faster transport then repeats a GET, PUT or DELETE (never a POST) by itself;
        a visible call is never repeated. An address that the guard refuses is a Silence of the kind REFUSED: nothing was sent.
        """
        request = _in_pieces(request)
        if not visible:
            return await self._send(self._shared_client(), method, url, request, None, longer)
        transport = self.visible_transport()
        async with self._client(transport) as client:
            return await self._send(client, method, url, request, transport, longer)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Seen:
        """One POST on a kept connection, for sending one message to many: never repeated, no redirect followed.

        Ten times cheaper than ``call``; how many are in flight is up to the caller. Connections idle for longer than
        KEPT_SECONDS are not used again, because servers close theirs and the answer would be lost.
        """
        try:
            async with self._keeping().post(
                self._dialled(url), data=body, headers=headers, allow_redirects=False
            ) as seen:
                return Answer(seen.status, seen.headers, await self._whole(seen.content), url)
        except Refusal:
            return Silence(sent=False, kind=REFUSED)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Silence(sent=_was_sent(error, None), kind=type(error).__name__)

    async def fetch(self, url: str, headers: Mapping[str, str] | None = None, hops: int = 4) -> Seen:
        """GET that follows redirects, every hop through the guard; raises Refusal."""
        for _ in range(hops + 1):
            seen = await self.call("GET", url, headers=dict(headers or {}))
            if isinstance(seen, Silence) and seen.kind == REFUSED:
                raise Refusal(f"địa chỉ «{url}» không được phép")
            if not isinstance(seen, Answer) or seen.status not in (301, 302, 303, 307, 308):
                return seen
            url = _next_hop(url, seen.headers.get("location", ""))
        return Silence(sent=True, kind="TooManyRedirects")

    async def close(self) -> None:
        """Close the shared connections."""
        while self._others:
            await self._others.popitem()[1].close()
        if self._kept is not None:
            await self._kept.close()
            self._kept = None
        if self._shared is not None:
            await self._shared.aclose()
            self._shared = None

    def _client(self, transport: httpx.AsyncBaseTransport) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=transport,
            timeout=self.timeout,
            trust_env=False,
            follow_redirects=False,
            headers={"user-agent": self.user_agent},
            cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        )

    def _shared_client(self) -> httpx.AsyncClient:
        if self._shared is None:
            self._shared = self._client(AiohttpTransport(client=self._session, verify=_tls()))
        return self._shared

    def _session(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=_GuardedResolver(self.guard), limit=64, use_dns_cache=False, ssl=_tls()
        )
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)

    def _keeping(self) -> aiohttp.ClientSession:
        if self._kept is None:
            self._kept = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=_GuardedResolver(self.guard), limit=0, use_dns_cache=False, ssl=_tls(),
                    keepalive_timeout=KEPT_SECONDS,
                ),
                cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, headers={"user-agent": self.user_agent},
                timeout=aiohttp.ClientTimeout(total=self.timeout * 2, sock_connect=self.timeout),
            )  # fmt: skip
        return self._kept

    def _dialled(self, url: str) -> str:
        """The checked address; the same one, asked again for the next recipient, is not checked anew."""
        if url not in self._allowed:
            if len(self._allowed) > 1000:
                self._allowed.clear()
            self._allowed[url] = str(self._checked(url))
        return self._allowed[url]

    async def _whole(self, content: aiohttp.StreamReader) -> bytes:
        body = await content.read(self.max_bytes + 1)
        while not content.at_eof():
            body += await content.read(self.max_bytes + 1 - len(body))
            if len(body) > self.max_bytes:
                raise aiohttp.ClientPayloadError("answer too large")
        return body

    async def _send(
        self,
        client: httpx.AsyncClient,
        method: str,
        url: str,
        request: dict[str, Any],
        visible: VisibleTransport | None,
        longer: float,
    ) -> Seen:
        try:
            target = self._checked(url)
            async with (
                asyncio.timeout(self.timeout * 2 + longer),
                client.stream(method, target, **request) as response,
            ):
                body = await self._body(response)
                return Answer(response.status_code, dict(response.headers), body, str(response.url))
        except Refusal:
            return Silence(sent=False, kind=REFUSED)
        except (httpx.HTTPError, httpx.StreamError, aiohttp.ClientError, TimeoutError, OSError) as error:
            return Silence(sent=_was_sent(error, visible), kind=type(error).__name__)

    async def _body(self, response: httpx.Response) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > self.max_bytes:
                raise httpx.ReadError("answer too large")
        return bytes(body)

    def _checked(self, url: str) -> httpx.URL:
        """The address as it will be dialled: checked after httpx's own normalisation, which folds odd dots and digits."""
        try:
            target = httpx.URL(url)
        except (httpx.InvalidURL, ValueError, UnicodeError) as error:
            raise Refusal("địa chỉ không đọc được") from error
        if target.scheme not in ("http", "https") or not target.host:
            raise Refusal("địa chỉ phải bắt đầu bằng http:// hoặc https://")
        self.guard.check_target(target.host, target.port or (443 if target.scheme == "https" else 80))
        return target


def _in_pieces(request: dict[str, Any]) -> dict[str, Any]:
    """A large body is given piece by piece, with its length, so that nothing else stands still while it leaves."""
    content = request.get("content")
    if not isinstance(content, bytes) or len(content) <= PIECE:
        return request
    headers = {**(request.get("headers") or {}), "content-length": str(len(content))}
    return {**request, "content": _pieces(content), "headers": headers}


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(content), PIECE):
        yield content[at : at + PIECE]


def _next_hop(url: str, location: str) -> str:
    try:
        return str(httpx.URL(url).join(location))
    except (httpx.InvalidURL, ValueError, UnicodeError) as error:
        raise Refusal("địa chỉ chuyển hướng không đọc được") from error


def _was_sent(error: BaseException, visible: VisibleTransport | None) -> bool:
    """Whether a byte may have left. httpx-aiohttp calls a lost answer ConnectTimeout, so its cause is what counts."""
    if visible is not None:
        return visible.sent
    nothing_left = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, httpcore.ConnectError)
    return not any(isinstance(one, nothing_left) for one in (error, error.__cause__))


def digest(user: str, password: str) -> httpx.Auth:
    """Digest authentication (RFC 7616) for ``call``: the first request is answered with a challenge, the second is meant."""
    return httpx.DigestAuth(user, password)


def as_json(value: Any) -> str:
    """Compact JSON that keeps Vietnamese letters as they are, for APIs that take JSON inside a parameter."""
    return jsonlib.dumps(value, ensure_ascii=False, separators=(",", ":"))

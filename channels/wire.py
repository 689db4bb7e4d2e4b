"""The one HTTP client: timeouts, size caps, a guard against private addresses, and what was really seen.

Every outgoing request of the program goes through here. A *visible* call (one that may make something public)
opens a fresh connection and follows it with httpx's trace, so that a failure says for certain whether a byte
left this machine (https://www.encode.io/httpcore/extensions/#trace). Other calls share connections on the
faster aiohttp transport. Redirects are never followed by themselves; ``fetch`` follows them one by one, each
through the guard again.
"""

import asyncio
import ipaddress
import json as jsonlib
import socket
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import aiohttp
import httpcore
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult
from httpx_aiohttp import AiohttpTransport
from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_PORTS = frozenset({80, 443})


class Refusal(Exception):
    """The guard's refusal: the address is not one that this program may talk to. Nothing was sent."""


@dataclass(frozen=True)
class Answer:
    """What the other side answered, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str = ""

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


@dataclass(frozen=True)
class Guard:
    """Which addresses may be dialled: public ones on ports 80 and 443, and the ``host:port`` pairs named."""

    allowed: frozenset[str] = frozenset()

    def named(self, host: str, port: int) -> bool:
        """Whether this very host and port was named in the settings."""
        return f"{host.lower()}:{port}" in self.allowed

    def check(self, host: str, port: int, addresses: Iterable[str]) -> list[str]:
        """The addresses, all of them public; raises Refusal when one is not, or the port is unusual."""
        found = list(addresses)
        if self.named(host, port):
            return found
        if port not in _PORTS:
            raise Refusal(f"cổng {port} không được phép")
        if not found or not all(_public(address) for address in found):
            raise Refusal(f"«{host}» không phải địa chỉ công khai")
        return found

    async def resolve(self, host: str, port: int) -> list[str]:
        """The checked addresses of a host: resolved once, and these are the ones dialled."""
        try:
            infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        return self.check(host, port, dict.fromkeys(str(info[4][0]) for info in infos))


def _public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is not None or address in _NAT64:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.AsyncNetworkStream:  # fmt: skip
        addresses = await self._guard.resolve(host, port)
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
        super().__init__(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))
        self.sent = False
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(),
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
            self.sent = True


class _GuardedResolver(AbstractResolver):
    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        try:
            addresses = await self._guard.resolve(host, port)
        except httpcore.ConnectError as error:
            raise OSError(str(error)) from error
        return [_result(host, port, address) for address in addresses]

    async def close(self) -> None:
        return None


def _result(host: str, port: int, address: str) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(
        hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST
    )


@dataclass
class Wire:
    """The client handed to every channel and to the source watcher."""

    guard: Guard = field(default_factory=Guard)
    timeout: float = 20.0
    max_bytes: int = 5_000_000
    user_agent: str = "LanToa/1.0"
    _shared: httpx.AsyncClient | None = None

    def visible_transport(self) -> VisibleTransport:
        """A guarded transport of one's own, for a library that brings its own client (python-telegram-bot)."""
        return VisibleTransport(self.guard)

    async def call(self, method: str, url: str, *, visible: bool = False, **request: Any) -> Seen:
        """One request, tried once. ``request`` takes httpx's params, headers, json, data, files, content."""
        if not visible:
            return await self._send(self._shared_client(), method, url, request, None)
        transport = self.visible_transport()
        async with self._client(transport) as client:
            return await self._send(client, method, url, request, transport)

    async def fetch(self, url: str, headers: Mapping[str, str] | None = None, hops: int = 4) -> Seen:
        """GET that follows redirects, every hop through the guard; raises Refusal."""
        for _ in range(hops + 1):
            seen = await self.call("GET", url, headers=dict(headers or {}))
            if not isinstance(seen, Answer) or seen.status not in (301, 302, 303, 307, 308):
                return seen
            url = urljoin(url, seen.headers.get("location", ""))
        return Silence(sent=True, kind="TooManyRedirects")

    async def close(self) -> None:
        """Close the shared connections."""
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
        )

    def _shared_client(self) -> httpx.AsyncClient:
        if self._shared is None:
            self._shared = self._client(AiohttpTransport(client=self._session))
        return self._shared

    def _session(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(resolver=_GuardedResolver(self.guard), limit=64, use_dns_cache=False)
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)

    async def _send(
        self, client: httpx.AsyncClient, method: str, url: str, request: dict[str, Any], visible: VisibleTransport | None
    ) -> Seen:
        self._check_literal(url)
        try:
            async with asyncio.timeout(self.timeout * 2), client.stream(method, url, **request) as response:
                body = await self._body(response)
                return Answer(response.status_code, dict(response.headers), body, str(response.url))
        except (httpx.HTTPError, httpx.StreamError, TimeoutError, OSError) as error:
            return Silence(sent=_was_sent(error, visible), kind=type(error).__name__)

    async def _body(self, response: httpx.Response) -> bytes:
        body = b""
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > self.max_bytes:
                raise httpx.ReadError("answer too large")
        return body

    def _check_literal(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Refusal("địa chỉ phải bắt đầu bằng http:// hoặc https://")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        try:
            address = str(ipaddress.ip_address(parts.hostname))
        except ValueError:
            return
        self.guard.check(parts.hostname, port, [address])


def _was_sent(error: BaseException, visible: VisibleTransport | None) -> bool:
    if visible is not None:
        return visible.sent
    return not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)


def as_json(value: Any) -> str:
    """Compact JSON that keeps Vietnamese letters as they are, for APIs that take JSON inside a parameter."""
    return jsonlib.dumps(value, ensure_ascii=False, separators=(",", ":"))

"""The one client: whom it may call, what it proves, and that it leaves nothing behind."""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import BaseModel

from channels.contract import Deferred, Reason, Refused, Unknown
from channels.seen import after_answer, after_silence, invisible, retry_after
from channels.wire import REFUSED, Answer, Guard, Refusal, Silence, Wire

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


class Listener:
    """A server on loopback that answers as told and counts who came."""

    def __init__(self, answer: bytes | None = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok") -> None:
        self.answer = answer
        self.accepted = 0
        self.heard = b""
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        try:
            self.heard += await reader.readuntil(b"\r\n\r\n")
            if self.answer is not None:
                writer.write(self.answer)
                await writer.drain()
            else:
                await reader.read()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"


@asynccontextmanager
async def listening(listener: Listener, host: str = "127.0.0.1") -> AsyncIterator[Listener]:
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await listener.serve(reader, writer)

    server = await asyncio.start_server(serve, host, 0)
    listener.port = server.sockets[0].getsockname()[1]
    try:
        yield listener
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await asyncio.sleep(0.06)


@asynccontextmanager
async def opened(*allowed: str, **options: float) -> AsyncIterator[Wire]:
    wire = Wire(guard=Guard(frozenset(allowed)), **options)  # type: ignore[arg-type]
    try:
        yield wire
    finally:
        await wire.close()


def closed_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


BAD = [
    "http://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST.:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.1:{port}/",
    "http://017700000001:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://127.1:{port}/",
    "http://127。0。0。1:{port}/",
    "http://１２７.0.0.1:{port}/",
    "http://[::1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[64:ff9b:1::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[2001:0:7f00:1::80ff:fffe]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://0.0.0.0:{port}/",
    "http://0:{port}/",
    "http://user@127.0.0.1:{port}/",
    "http://example.com@127.0.0.1:{port}/",
    "http://127.0.0.1\\@example.com:{port}/",
    "http://10.0.0.1/",
    "http://192.168.1.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://100.64.0.1/",
    "http://224.0.0.1/",
    "http://[fe80::1%25lo]/",
    "http://[fd00::1]/",
    "http://8.8.8.8:25/",
    "http://8.8.8.8:{port}/",
    "ftp://127.0.0.1:{port}/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/",
    "http://",
    "//127.0.0.1:{port}/",
    "http://127.0.0.1:99999/",
    "http://[::1/",
    "",
]


@pytest.mark.parametrize("visible", [True, False])
@pytest.mark.parametrize("address", BAD)
async def test_a_bad_address_is_refused_before_anything_leaves(address: str, visible: bool) -> None:
    async with listening(Listener()) as ear, opened() as wire:
        seen = await wire.call("GET", address.format(port=ear.port), visible=visible)
        assert seen == Silence(sent=False, kind=REFUSED)
        assert ear.accepted == 0


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:{port}/", "http://2130706433:{port}/", "http://[::ffff:127.0.0.1]:{port}/"]
)
async def test_fetch_raises_a_refusal(address: str) -> None:
    async with listening(Listener()) as ear, opened() as wire:
        with pytest.raises(Refusal):
            await wire.fetch(address.format(port=ear.port))
        assert ear.accepted == 0


@pytest.mark.parametrize("visible", [True, False])
async def test_the_same_listener_hears_when_it_is_named(visible: bool) -> None:
    async with listening(Listener()) as ear, opened(f"127.0.0.1:{ear.port}") as wire:
        seen = await wire.call("GET", ear.url, visible=visible)
        assert isinstance(seen, Answer) and seen.text == "ok"
        assert ear.accepted == 1


@pytest.mark.parametrize("visible", [True, False])
async def test_a_name_is_named_by_its_own_words_only(visible: bool) -> None:
    async with listening(Listener()) as ear, opened(f"127.0.0.1:{ear.port}") as wire:
        seen = await wire.call("GET", f"http://localhost:{ear.port}/", visible=visible)
        assert seen == Silence(sent=False, kind=REFUSED)
        assert ear.accepted == 0


@pytest.mark.parametrize("visible", [True, False])
@pytest.mark.parametrize(
    "records", [["127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["93.184.216.34", "::ffff:10.0.0.1"], []]
)
async def test_a_name_with_one_private_record_is_refused(
    records: list[str], visible: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def resolved(self: object, host: str, port: int, **options: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (record, port)) for record in records]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", resolved)
    async with opened() as wire:
        assert await wire.call("GET", "http://doi-ten.example/", visible=visible) == Silence(sent=False, kind=REFUSED)


async def test_the_address_that_was_checked_is_the_one_dialled(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([["127.0.0.1"], ["127.0.0.1"]])
    asked = []

    async def resolved(self: object, host: str, port: int, **options: object) -> list[object]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (record, port)) for record in next(answers)]

    async with listening(Listener()) as ear, opened(f"nen-tang.example:{ear.port}") as wire:
        monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", resolved)
        for visible in (True, False):
            seen = await wire.call("GET", f"http://nen-tang.example:{ear.port}/", visible=visible)
            assert isinstance(seen, Answer)
    assert asked == ["nen-tang.example", "nen-tang.example"]


async def test_a_redirect_to_a_private_address_is_refused() -> None:
    async with listening(Listener()) as secret:
        moved = f"HTTP/1.1 302 Found\r\nlocation: {secret.url}\r\ncontent-length: 0\r\n\r\n".encode()
        async with listening(Listener(moved)) as ear, opened(f"127.0.0.1:{ear.port}") as wire:
            with pytest.raises(Refusal):
                await wire.fetch(ear.url)
            assert (ear.accepted, secret.accepted) == (1, 0)


async def test_a_redirect_is_followed_only_by_fetch_and_not_for_ever() -> None:
    moved = Listener(b"HTTP/1.1 302 Found\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n")
    async with listening(moved) as ear, opened(f"127.0.0.1:{ear.port}") as wire:
        seen = await wire.call("GET", ear.url)
        assert isinstance(seen, Answer) and seen.status == 302
        assert await wire.fetch(ear.url) == Silence(sent=True, kind="TooManyRedirects")


@pytest.mark.parametrize("visible", [True, False])
async def test_a_refused_connection_proves_that_nothing_left(visible: bool) -> None:
    port = closed_port()
    async with opened(f"127.0.0.1:{port}") as wire:
        seen = await wire.call("POST", f"http://127.0.0.1:{port}/", visible=visible, json={})
        assert isinstance(seen, Silence) and not seen.sent


@pytest.mark.parametrize("visible", [True, False])
async def test_an_unknown_name_proves_that_nothing_left(visible: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(self: object, host: str, port: int, **options: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", unknown)
    async with opened() as wire:
        seen = await wire.call("POST", "https://khong-co.example/", visible=visible, json={})
        assert isinstance(seen, Silence) and not seen.sent


@pytest.mark.parametrize("visible", [True, False])
async def test_a_failed_tls_handshake_proves_that_nothing_left(visible: bool) -> None:
    class Plain(Listener):
        async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.accepted += 1
            writer.write(b"this is no TLS\r\n\r\n")
            writer.close()

    async with listening(Plain()) as ear, opened(f"127.0.0.1:{ear.port}") as wire:
        seen = await wire.call("POST", f"https://127.0.0.1:{ear.port}/", visible=visible, json={})
        assert isinstance(seen, Silence) and not seen.sent
        assert ear.accepted == 1


@pytest.mark.parametrize("visible", [True, False])
async def test_a_certificate_of_nobody_proves_that_nothing_left(visible: bool, self_signed: ssl.SSLContext) -> None:
    ear = Listener()
    server = await asyncio.start_server(ear.serve, "127.0.0.1", 0, ssl=self_signed)
    port = server.sockets[0].getsockname()[1]
    async with opened(f"localhost:{port}") as wire:
        seen = await wire.call("POST", f"https://localhost:{port}/", visible=visible, json={"mat": "khau"})
    server.close()
    assert isinstance(seen, Silence) and not seen.sent
    assert ear.heard == b""


@pytest.mark.parametrize("visible", [True, False])
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhalf", b"nonsense\r\n\r\n"])
async def test_a_broken_answer_may_have_been_heard(answer: bytes, visible: bool) -> None:
    async with listening(Listener(answer)) as ear, opened(f"127.0.0.1:{ear.port}") as wire:
        seen = await wire.call("POST", ear.url, visible=visible, json={})
        assert isinstance(seen, Silence) and seen.sent
        assert ear.heard.startswith(b"POST")


@pytest.mark.parametrize("visible", [True, False])
async def test_an_answer_that_never_comes_may_have_been_heard(visible: bool) -> None:
    async with listening(Listener(None)) as ear, opened(f"127.0.0.1:{ear.port}", timeout=0.3) as wire:
        seen = await wire.call("POST", ear.url, visible=visible, json={})
        assert isinstance(seen, Silence) and seen.sent


@pytest.mark.parametrize("visible", [True, False])
async def test_a_body_without_end_is_cut(visible: bool) -> None:
    huge = b"HTTP/1.1 200 OK\r\ncontent-length: 300000\r\n\r\n" + b"x" * 300_000
    async with listening(Listener(huge)) as ear, opened(f"127.0.0.1:{ear.port}", max_bytes=100_000) as wire:
        seen = await wire.call("GET", ear.url, visible=visible)
        assert isinstance(seen, Silence) and seen.sent


async def test_a_trickling_body_ends_by_the_clock() -> None:
    class Trickle(Listener):
        async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
            try:
                while not writer.is_closing():
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(0.05)
            except ConnectionError:
                pass
            writer.close()

    async with listening(Trickle()) as ear, opened(f"127.0.0.1:{ear.port}", timeout=0.3) as wire:
        seen = await wire.call("GET", ear.url)
        assert seen == Silence(sent=True, kind="TimeoutError")


async def test_visible_calls_never_share_a_connection_and_others_do() -> None:
    class Patient(Listener):
        async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.accepted += 1
            try:
                while True:
                    await reader.readuntil(b"\r\n\r\n")
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                    await writer.drain()
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()

    async with listening(Patient()) as ear, opened(f"127.0.0.1:{ear.port}") as wire:
        for _ in range(3):
            await wire.call("GET", ear.url, visible=True)
        assert ear.accepted == 3
        for _ in range(3):
            await wire.call("GET", ear.url)
        assert ear.accepted == 4


async def test_cookies_and_proxies_of_the_machine_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    cookie = b"HTTP/1.1 200 OK\r\nset-cookie: a=b; Path=/\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"
    async with listening(Listener(cookie)) as ear, opened(f"127.0.0.1:{ear.port}") as wire:
        for visible in (True, False, False):
            assert isinstance(await wire.call("GET", ear.url, visible=visible), Answer)
        assert b"cookie:" not in ear.heard.lower()


async def test_tokens_in_addresses_are_neither_logged_nor_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with listening(Listener()) as ear, opened(f"127.0.0.1:{ear.port}") as wire:
        for visible in (True, False):
            seen = await wire.call(
                "GET",
                ear.url,
                visible=visible,
                params={"access_token": "bi-mat"},
                headers={"secret_key": "bi-mat"},
            )
            assert isinstance(seen, Answer) and "bi-mat" in seen.url
            assert "bi-mat" not in repr(seen)
    assert "bi-mat" not in caplog.text


class _Said(BaseModel):
    error: int


def test_an_answer_is_read_by_a_model_or_not_at_all() -> None:
    assert Answer(200, {}, b'{"error": 3}').read(_Said) == _Said(error=3)
    assert Answer(200, {}, b"<html>").read(_Said) is None
    assert Answer(200, {}, b'{"error": "x"}').read(_Said) is None


def test_what_was_seen_becomes_an_outcome() -> None:
    assert after_silence(Silence(sent=True, kind="ReadTimeout")) == Unknown(
        detail="Đã gửi nhưng không nhận được trả lời (ReadTimeout)."
    )
    away = after_silence(Silence(sent=False, kind="ConnectError"))
    assert isinstance(away, Deferred) and away.reason is Reason.UNREACHABLE
    barred = after_silence(Silence(sent=False, kind=REFUSED))
    assert isinstance(barred, Refused) and barred.reason is Reason.MISCONFIGURED
    assert isinstance(invisible(Unknown(detail="x")), Deferred)
    assert invisible(barred) is barred


def test_only_429_and_503_with_a_time_say_not_done() -> None:
    slow = after_answer(Answer(429, {"retry-after": "30"}, b""), NOW)
    assert isinstance(slow, Deferred) and (slow.reason, slow.retry_at) == (
        Reason.RATE_LIMITED,
        NOW + timedelta(seconds=30),
    )
    busy = after_answer(Answer(503, {"retry-after": "Mon, 23 Nov 2026 01:05:00 GMT"}, b""), NOW)
    assert isinstance(busy, Deferred) and (busy.reason, busy.retry_at) == (
        Reason.BUSY,
        NOW + timedelta(minutes=5),
    )
    for status in (200, 302, 400, 500, 502, 503, 504):
        assert isinstance(after_answer(Answer(status, {}, b""), NOW), Unknown)


@pytest.mark.parametrize("text", ["", "soon", "-5", "Mon, 99 Nov"])
def test_a_retry_after_that_says_nothing(text: str) -> None:
    assert retry_after(Answer(429, {"retry-after": text}, b""), NOW) is None


def test_a_retry_after_is_a_day_at_most_and_never_past() -> None:
    assert retry_after(Answer(429, {"retry-after": "9" * 30}, b""), NOW) == NOW + timedelta(days=1)
    assert retry_after(Answer(429, {"retry-after": "Mon, 23 Nov 2020 01:05:00 GMT"}, b""), NOW) == NOW


class Counter:
    """A server on loopback that keeps its connections open, counts them, and answers as told."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nRetry-After: 7\r\n\r\nok") -> None:
        self.answer, self.connections, self.requests, self.port = answer, 0, 0, 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while head := await reader.readuntil(b"\r\n\r\n"):
            self.requests += 1
            size = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(size)
            if not self.answer:
                break
            writer.write(self.answer)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def counting(counter: Counter) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await counter.serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.close()
        await asyncio.sleep(0.06)


async def test_many_posts_share_few_connections() -> None:
    counter = Counter()
    async with counting(counter) as place, opened(place) as wire:

        async def lane() -> None:
            for _ in range(20):
                seen = await wire.post(f"http://{place}/", b"{}", {"content-type": "application/json"})
                assert isinstance(seen, Answer)
                assert (seen.status, seen.text, seen.headers.get("retry-after")) == (200, "ok", "7")

        await asyncio.gather(*(lane() for _ in range(5)))
        assert (counter.requests, counter.connections) == (100, 5)


async def test_a_post_is_not_made_twice_when_its_answer_is_lost() -> None:
    counter = Counter()
    async with counting(counter) as place, opened(place) as wire:
        assert isinstance(await wire.post(f"http://{place}/", b"{}", {}), Answer)
        counter.answer = b""
        seen = await wire.post(f"http://{place}/", b"{}", {})
        assert isinstance(seen, Silence)
        assert seen.sent, "on a kept connection nobody can say that no byte left"
        assert counter.requests == 2


async def test_a_post_that_found_nobody_left_nothing() -> None:
    port = closed_port()
    async with opened(f"127.0.0.1:{port}") as wire:
        seen = await wire.post(f"http://127.0.0.1:{port}/", b"{}", {})
    assert isinstance(seen, Silence)
    assert not seen.sent


@pytest.mark.parametrize("bad", ["http://127.0.0.1:{port}/", "http://2130706433:{port}/", "http://localhost:{port}/", "http://10.0.0.1/"])  # fmt: skip
async def test_a_post_goes_to_nobody_whom_the_guard_refuses(bad: str) -> None:
    counter = Counter()
    async with counting(counter) as place, opened() as wire:
        for _ in range(2):
            seen = await wire.post(bad.format(port=place.split(":")[1]), b"{}", {})
            assert seen == Silence(sent=False, kind=REFUSED)
    assert counter.connections == 0


async def test_a_post_follows_no_redirect_and_takes_no_endless_answer() -> None:
    counter = Counter(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n")
    async with counting(counter) as place, opened(place, max_bytes=1000) as wire:
        seen = await wire.post(f"http://{place}/", b"{}", {})
        assert isinstance(seen, Answer)
        assert seen.status == 302
        counter.answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n" + b"x" * 5000
        seen = await wire.post(f"http://{place}/", b"{}", {})
        assert isinstance(seen, Silence)
        assert seen.sent

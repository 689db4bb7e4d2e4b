"""A bare asyncio protocol that posts: 64 connections, one request each at a time, nothing parsed but the end of an answer."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

FILLING = "Bà con nộp hồ sơ trực tuyến, không phải đến trụ sở. " * 16
AT_ONCE = 64


class Client(asyncio.Protocol):
    """One connection that posts until nothing is left."""

    def __init__(self, requests: Iterator[bytes], over: asyncio.Future[None]) -> None:
        self.requests, self.over = requests, over

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Post the first."""
        self.transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        """The sink's answers come in one piece."""
        if not data.endswith(b"}"):
            raise RuntimeError("half an answer")
        self._next()

    def _next(self) -> None:
        request = next(self.requests, None)
        if request is None:
            self.transport.close()
            self.over.set_result(None)
        else:
            self.transport.write(request)  # type: ignore[attr-defined]


def _requests(host: str, number: int) -> Iterator[bytes]:
    text = FILLING.encode()
    for n in range(number):
        body = b'{"key": "raw%d", "text": "%s"}' % (n, text)
        yield b"POST /take HTTP/1.1\r\nhost: %s\r\ncontent-length: %d\r\n\r\n%s" % (host.encode(), len(body), body)


async def _run(sink: str, number: int) -> float:
    place = urlsplit(sink)
    loop = asyncio.get_running_loop()
    every = _requests(place.netloc, number)
    ends = [loop.create_future() for _ in range(AT_ONCE)]
    started = time.perf_counter()
    for end in ends:
        await loop.create_connection(lambda end=end: Client(every, end), place.hostname, place.port)  # type: ignore[misc]
    await asyncio.gather(*ends)
    return number / (time.perf_counter() - started)


if __name__ == "__main__":
    with contextlib.suppress(ImportError):
        import uvloop

        uvloop.install()
    print(asyncio.run(_run(sys.argv[1], int(sys.argv[2]))))

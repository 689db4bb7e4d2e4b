"""A loopback sink: an HTTP server in a process of its own that counts what it was sent, and how often twice.

Raw asyncio protocol on uvloop where it is there, so that the sink is not what is measured; its own limit is told by
``wrk`` beside the other rows. POST /take takes a JSON body with a ``key``; ``/slow`` answers after
100 ms; GET /stats, POST /forget.
"""

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

SLOW_SECONDS = 0.1
ROOT = Path(__file__).resolve().parents[1]
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "
seen: dict[bytes, int] = {}


def _answer(body: bytes) -> bytes:
    return b"%s%d\r\n\r\n%s" % (_HEAD, len(body), body)


def _key(body: bytes) -> bytes:
    """The value of ``"key"``, found without parsing the rest."""
    return body.split(b'"key":', 1)[1].split(b'"', 2)[1]


class Sink(asyncio.Protocol):
    """One connection; requests may come in pieces or several at once."""

    def __init__(self) -> None:
        self.heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, and answer without waiting for more."""
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # uvloop's is none of asyncio's classes
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self.heard = self.heard + data if self.heard else data
        while (end := self.heard.find(b"\r\n\r\n")) >= 0:
            head = self.heard[:end].lower()
            at = head.find(b"content-length:")
            size = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.heard) < end + 4 + size:
                return
            body, self.heard = self.heard[end + 4 : end + 4 + size], self.heard[end + 4 + size :]
            self._serve(head.split(b" ", 2)[1], body)

    def _serve(self, path: bytes, body: bytes) -> None:
        if path in (b"/take", b"/slow"):
            key = _key(body)
            seen[key] = seen.get(key, 0) + 1
            answer = _answer(b'{"id": "%s"}' % key)
            if path == b"/slow":
                asyncio.get_running_loop().call_later(SLOW_SECONDS, self.transport.write, answer)
                return
        elif path == b"/stats":
            answer = _answer(json.dumps({"distinct": len(seen), "requests": sum(seen.values())}).encode())
        else:
            seen.clear()
            answer = _answer(b"{}")
        self.transport.write(answer)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


def main() -> None:
    """Serve until killed."""
    with contextlib.suppress(ImportError):
        import uvloop

        uvloop.install()
    asyncio.run(_serve(int(sys.argv[1])))


@contextlib.contextmanager
def sink(python: str = sys.executable) -> Iterator[str]:
    """The address of a running sink; ``python`` is an interpreter that may have uvloop."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([python, "-m", "benchmarks.sink", str(port)], cwd=ROOT)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), urlopen(f"{address}/stats", timeout=1):
                break
            time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait(10)


def forget(address: str) -> None:
    """Let the sink start counting anew."""
    with urlopen(f"{address}/forget", data=b"", timeout=5):
        pass


def prove(address: str, wanted: int) -> None:
    """Raise unless the sink got exactly ``wanted`` different deliveries, each once; then let it forget them."""
    with urlopen(f"{address}/stats", timeout=5) as answer:
        stats = json.load(answer)
    if stats != {"distinct": wanted, "requests": wanted}:
        raise RuntimeError(f"the sink got {stats}, wanted {wanted} once each: the row does not count")
    forget(address)


if __name__ == "__main__":
    main()

"""The fault platform on a port: a small HTTP server, as fast as Python allows, that can break a connection at any point.

Run: ``python -m tests.chaos.serving FOLDER --seed 7``; it says ``ready PORT`` and serves until its standard input ends.
"""

import argparse
import asyncio
import contextlib
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.chaos.platform import Platform, Reply, Ways

if TYPE_CHECKING:
    from tests.chaos.checker import Truth


class Talk(asyncio.Protocol):
    """One connection: requests one after another."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (asked := self._next()) is not None:
            self._answer(self.platform.handle(*asked))

    def _next(self) -> tuple[str, str, bytes] | None:
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return None
        self.buffer = rest[length:]
        method, target, _ = first.split(" ", 2)
        return method, target, rest[:length]

    def _answer(self, reply: Reply) -> None:
        if reply.after:
            asyncio.get_running_loop().call_later(reply.after, self.transport.abort)
        elif reply.status is None:
            self.transport.abort()
        elif not self.transport.is_closing():
            self.transport.write(_bytes(reply))


def _bytes(reply: Reply) -> bytes:
    body = reply.body.encode() if isinstance(reply.body, str) else json.dumps(reply.body).encode()
    extra = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
    head = f"HTTP/1.1 {reply.status} X\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n{extra}\r\n"
    return head.encode() + body


async def serve(platform: Platform, port: int) -> None:
    """Serve until standard input ends: the platform never outlives the test that started it."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Talk(platform), "127.0.0.1", port, backlog=1024)
    sys.stdout.write(f"ready {server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    async with server:
        await asyncio.to_thread(sys.stdin.read)


@dataclass
class Served:
    """A platform that runs: its port, and what may be asked of it."""

    port: int

    def truth(self) -> "Truth":
        """Every visible copy, and how many visible requests came, per key."""
        from tests.chaos.checker import Copy, Truth  # not for the platform's own process: it starts in no time

        told = self.ask("truth")
        copies = {key: [Copy(part, id) for part, id in found] for key, found in told["copies"].items()}
        return Truth(copies, told["requests"])

    def faults(self) -> dict[str, int]:
        """How many visible requests met which fault (``ok`` among them)."""
        told: dict[str, int] = self.ask("truth")["faults"]
        return told

    def script(self, answers: dict[str, list[str]]) -> None:
        """What the next visible requests of these keys meet, in order (``key/draft``: the next drafts); then as drawn."""
        self.ask("script", answers)

    def ways(self, **ways: float) -> None:
        """Change how it behaves (see ``Ways``)."""
        self.ask("ways", ways)

    def ask(self, what: str, body: Any = None) -> Any:
        """One control request."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            line.request("POST", f"/{what}", json.dumps(body))
            return json.loads(line.getresponse().read())
        finally:
            line.close()


@contextlib.contextmanager
def served(folder: Path, seed: int, port: int = 0, **ways: float) -> Iterator[Served]:
    """The platform as a process of its own, with its truth in the folder (an earlier truth there is taken up again)."""
    command = [sys.executable, "-m", "tests.chaos.serving", str(folder), "--seed", str(seed), "--port", str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdin
        word, _, found = process.stdout.readline().partition(" ")
        if word != "ready":
            raise RuntimeError("the fault platform did not start")
        made = Served(int(found))
        made.ways(**ways)
        try:
            yield made
        finally:
            process.stdin.close()
            process.wait(30)


def main() -> None:
    """Serve one platform."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(Platform(given.folder, given.seed, Ways()), given.port))


if __name__ == "__main__":
    main()

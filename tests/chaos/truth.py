"""A platform that answers after a while, or never, and remembers every copy; and the channel that speaks to it over real HTTP."""

import json
import threading
import time
from collections import Counter
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from pydantic import BaseModel

from channels.contract import (
    Capability,
    Certainty,
    Channel,
    ChannelSettings,
    Found,
    Handle,
    Limits,
    Message,
    Outcome,
    Part,
    Picture,
    Problem,
    Published,
    Unknown,
)
from channels.wire import Answer
from content.document import Document, plain


class Platform:
    """The truth, in the test's own process. ``delay`` in seconds before each answer; ``silent`` answers never come."""

    def __init__(self) -> None:
        self.copies: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.delay, self.silent = 0.0, False
        self.in_flight = 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Door)
        self._server.platform = self
        self.port = self._server.server_address[1]
        self.address = f"127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def publish(self, key: str) -> None:
        with self._lock:
            self.asked[key] += 1
            self.in_flight += 1
        end = time.monotonic() + self.delay
        while time.monotonic() < end or self.silent:
            time.sleep(0.02)
        with self._lock:
            self.copies[key] += 1
            self.in_flight -= 1

    def close(self) -> None:
        self.silent, self.delay = False, 0.0
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024
    platform: Platform


class _Door(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        key = json.loads(self.rfile.read(int(self.headers["content-length"])))["key"]
        self.server.platform.publish(key)
        self._answer({"id": key})

    def do_GET(self) -> None:
        key = self.path.rsplit("/", 1)[-1]
        self._answer({"out": self.server.platform.copies[key] > 0})

    def _answer(self, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        try:
            self.send_response(200)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)
        except OSError:
            pass  # whoever asked was killed meanwhile

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Made(BaseModel):
    id: str


class Listed(BaseModel):
    out: bool


class Truth(Channel):
    """The channel of that platform: a lost answer is looked up (class C)."""

    kind: ClassVar[str] = "truth"
    name: ClassVar[str] = "Nền tảng thật"
    capabilities = frozenset({Capability.TEXT, Capability.FIND})
    certainty: ClassVar[Certainty] = Certainty.LOOKUP
    limits: ClassVar[Limits] = Limits(source="https://example.org/limits")
    settle_seconds: ClassVar[int] = 1
    spacing_seconds: ClassVar[int] = 0

    class Settings(ChannelSettings):
        url: str = ""

    def render(self, document: Document, key: str, pictures: tuple[Picture, ...] = ()) -> Message:
        body = plain(document.blocks)
        part = Part(title=document.title, body=body, link=document.link, marker=document.link or key)
        return Message(kind=self.kind, key=key, parts=(part,))

    def validate(self, message: Message) -> list[Problem]:
        return []

    async def publish(self, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]) -> Outcome:
        given = {"key": message.key}
        seen = await self.tools.wire.call("POST", f"{self.settings.url}/publish", json=given, visible=True)
        made = seen.read(Made) if isinstance(seen, Answer) else None
        return Published(remote_id=made.id) if made else Unknown(detail="Mất câu trả lời.")

    async def find(self, message: Message, part: int, handle: Handle, since: datetime) -> Found:
        seen = await self.tools.wire.call("GET", f"{self.settings.url}/posts/{message.key}")
        listed = seen.read(Listed) if isinstance(seen, Answer) else None
        if listed is None:
            return Found(verdict="unclear")
        return Found(verdict="out", remote_id=message.key) if listed.out else Found(verdict="absent")

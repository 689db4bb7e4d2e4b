"""Channels of the four classes that speak to the fault platform, written as the product's own adapters are.

A answers to a key, B is made hidden and published by its id, C is found in a list of recent posts, D is blind.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ClassVar

import httpx
from pydantic import BaseModel

from channels import registry
from channels.contract import (
    EMPTY,
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
)
from channels.seen import after_answer, after_silence, invisible
from channels.wire import Answer, Guard, Seen, Silence, VisibleTransport, Wire
from content.document import Document, plain
from store.points import passing


class ChaosSettings(ChannelSettings):
    """Where the fault platform is, and which of its accounts the outlet speaks for."""

    port: int
    account: str


class _Made(BaseModel):
    id: str
    out: bool = True


class _Listing(BaseModel):
    posts: list[tuple[str, str, int]]


class Keyed(Channel):
    """Class A: the same key twice makes one post."""

    kind: ClassVar[str] = "chaos-a"
    name: ClassVar[str] = "Kênh thử A"
    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.TEXT, Capability.FIND})
    certainty: ClassVar[Certainty] = Certainty.KEYED
    limits: ClassVar[Limits] = Limits(source="https://example.org/limits")
    Settings: ClassVar[type[ChannelSettings]] = ChaosSettings
    settle_seconds: ClassVar[int] = 20
    spacing_seconds: ClassVar[int] = 0
    letter: ClassVar[str] = "a"

    settings: ChaosSettings

    def render(self, document: Document, key: str, pictures: tuple[Picture, ...] = ()) -> Message:
        part = Part(title=document.title, body=plain(document.blocks), link=document.link, marker=document.link or key)
        return Message(kind=self.kind, key=key, parts=(part,))

    def validate(self, message: Message) -> list[Problem]:
        return []

    async def publish(self, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]) -> Outcome:
        return self._visible(await self._speak("PUT", self._url(message, part), message, part))

    async def find(self, message: Message, part: int, handle: Handle, since: datetime) -> Found:
        return _found(await self.tools.wire.call("GET", self._url(message, part)))

    async def _speak(self, method: str, url: str, message: Message, part: int) -> Seen:
        return await self.tools.wire.call(method, url, visible=True, json={"text": message.parts[part].body})

    def _visible(self, seen: Seen) -> Outcome:
        if isinstance(seen, Silence):
            return after_silence(seen)
        made = seen.read(_Made) if seen.status == 200 else None
        return Published(remote_id=made.id) if made else after_answer(seen, self.tools.now())

    def _url(self, message: Message, part: int, verb: str = "") -> str:
        return f"{self._base()}/{message.key}/{part}{verb}"

    def _base(self) -> str:
        return f"http://127.0.0.1:{self.settings.port}/{self.letter}/{self.settings.account}"


class Staged(Keyed):
    """Class B: a hidden draft first; only its id is published, as often as need be."""

    kind: ClassVar[str] = "chaos-b"
    name: ClassVar[str] = "Kênh thử B"
    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.TEXT, Capability.STAGE, Capability.FIND})
    certainty: ClassVar[Certainty] = Certainty.STAGED
    letter: ClassVar[str] = "b"

    async def stage(self, message: Message, part: int, handle: Handle = EMPTY) -> Handle | Outcome:
        if handle.data.get("id"):
            return handle
        seen = await self.tools.wire.call("POST", self._url(message, part, "/draft"), json={})
        if isinstance(seen, Silence):
            return invisible(after_silence(seen))
        made = seen.read(_Made) if seen.status == 200 else None
        return Handle(data={"id": made.id}) if made else invisible(after_answer(seen, self.tools.now()))

    async def publish(self, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]) -> Outcome:
        url = self._url(message, part, f"/publish?id={handle.data['id']}")
        return self._visible(await self._speak("POST", url, message, part))

    async def find(self, message: Message, part: int, handle: Handle, since: datetime) -> Found:
        return _found(await self.tools.wire.call("GET", self._url(message, part, f"?id={handle.data.get('id', '')}")))


class LookedUp(Keyed):
    """Class C: each request makes a post; what was made stands in a list of recent posts, a little later."""

    kind: ClassVar[str] = "chaos-c"
    name: ClassVar[str] = "Kênh thử C"
    certainty: ClassVar[Certainty] = Certainty.LOOKUP
    letter: ClassVar[str] = "c"

    async def publish(self, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]) -> Outcome:
        return self._visible(await self._speak("POST", self._url(message, part), message, part))

    async def find(self, message: Message, part: int, handle: Handle, since: datetime) -> Found:
        seen = await self.tools.wire.call("GET", self._base())
        listing = seen.read(_Listing) if isinstance(seen, Answer) and seen.status == 200 else None
        if listing is None:
            return Found(verdict="unclear", detail="Danh sách bài không đọc được.")
        ids = [id for id, key, number in listing.posts if (key, number) == (message.key, part)]
        return Found(verdict="out", remote_id=ids[0]) if ids else Found(verdict="absent")


class Blind(Keyed):
    """Class D: each request makes a post, and nobody can look."""

    kind: ClassVar[str] = "chaos-d"
    name: ClassVar[str] = "Kênh thử D"
    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.TEXT})
    certainty: ClassVar[Certainty] = Certainty.BLIND
    letter: ClassVar[str] = "d"

    async def publish(self, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]) -> Outcome:
        return self._visible(await self._speak("POST", self._url(message, part), message, part))

    async def find(self, message: Message, part: int, handle: Handle, since: datetime) -> Found:
        return Found(verdict="unclear", detail="Kênh này không cho tra cứu lại.")


KINDS: dict[str, type[Channel]] = {channel.kind: channel for channel in (Keyed, Staged, LookedUp, Blind)}


def install() -> None:
    """Make these the only channels of this process."""
    registry.installed = lambda: KINDS  # type: ignore[assignment]


@contextmanager
def installed() -> Iterator[None]:
    """Make these the only channels within the block."""
    before = registry.installed
    install()
    try:
        yield
    finally:
        registry.installed = before


def _found(seen: Seen) -> Found:
    """A look-up by key or id: the platform knows for certain, when it answers."""
    if not isinstance(seen, Answer):
        return Found(verdict="unclear", detail=seen.kind)
    made = seen.read(_Made) if seen.status == 200 else None
    if made:
        return Found(verdict="out", remote_id=made.id) if made.out else Found(verdict="absent")
    return Found(verdict="absent" if seen.status == 404 else "unclear", detail=f"HTTP {seen.status}")


class PassingTransport(VisibleTransport):
    """Tells of the moments on the wire as ``store.points`` tells of those at the database."""

    async def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        await super()._trace(event, info)
        if (name := MOMENTS.get(event.partition(".")[2])) is not None:
            passing(name)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        passing("wire.leaving")
        return await super().handle_async_request(request)


MOMENTS = {
    "send_request_headers.started": "wire.first_byte",
    "send_request_body.complete": "wire.last_byte",
    "receive_response_headers.complete": "wire.answered",
}
"""The moments of a visible request (https://www.encode.io/httpcore/extensions/#trace) at which a process may die."""


class PassingWire(Wire):
    """The product's client, whose visible requests pass named moments."""

    def visible_transport(self) -> VisibleTransport:
        return PassingTransport(self.guard)


def wire(port: int, timeout: float) -> Wire:
    """A client that may dial the fault platform on this port of this machine; ``timeout`` in real seconds."""
    return PassingWire(Guard(frozenset({f"127.0.0.1:{port}"})), timeout=timeout)

"""A scene of the conformance suite whose platform is the real one: real time, real addresses, no fault to order."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from channels.contract import Channel
from channels.rehearsing import MemoryShelf, Scene
from channels.twin import Place
from channels.twins import TwinClock
from channels.wire import Guard, Wire
from tests.live import keys
from tests.live.keys import Given


class Wanting(Exception):
    """A step needs something that nobody gave; the words say what."""


@dataclass
class Shelf(MemoryShelf):
    """Pictures in memory; the platforms that fetch theirs are led to the one public picture that was given."""

    def url(self, sha256: str) -> str:
        """The public picture; raises Wanting where none was given."""
        if not self.base_url:
            raise Wanting(f"nền tảng này tự tải ảnh về: hãy đặt {keys.PICTURE} là địa chỉ công khai của một ảnh JPEG")
        return self.base_url


@dataclass
class LiveScene(Scene):
    """Where one channel is tried with its given keys."""

    given: Given
    allow: frozenset[str] = frozenset()
    longest_wait: float | None = None

    def forward(self, seconds: float) -> None:
        """Wait: here time goes by itself."""
        time.sleep(seconds if self.longest_wait is None else min(seconds, self.longest_wait))

    def wire(self, timeout: float = 30) -> Wire:
        """A client for public addresses and those that were named."""
        return Wire(guard=Guard(self.allow), timeout=max(timeout, 30))

    def channel(self, kind: str, wire: Wire) -> Channel:
        """The channel with the given keys."""
        return self.made(wire)

    def made(self, wire: Wire, **changes: str) -> Channel:
        """The channel with some of its settings changed."""
        kind = self.given.kind
        return kind(kind.Settings.model_validate({**self.given.settings, **changes}), self.tools(wire))


def live(given: Given, environment: Mapping[str, str], folder: Path) -> LiveScene:
    """The scene of one channel; files lie in ``folder``."""
    place = Place(account="", twins_url="", site_url="", site_token="", folder=folder)
    wait = environment.get(keys.WAIT)
    shelf = Shelf(environment.get(keys.PICTURE, ""))
    allow = keys.listed(environment, keys.ALLOW)
    return LiveScene(
        place, shelf, TwinClock(), {given.kind.kind: given.kind}, given, allow, float(wait) if wait else None
    )


def today() -> str:
    """The day of a run, in UTC."""
    return datetime.now(UTC).date().isoformat()

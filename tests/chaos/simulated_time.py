"""Virtual time: an event loop that never waits but leaps to its next timer, and a wall clock that can be set wrong."""

import asyncio
import selectors
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


class Stuck(AssertionError):
    """Everybody waits, and nobody will ever wake."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time is virtual: seconds since the beginning, spent only by waiting."""

    def __init__(self) -> None:
        self.virtual = 0.0
        super().__init__(_Leaping(self))

    def time(self) -> float:
        """The virtual now, in seconds; it never goes back."""
        return self.virtual


class _Leaping(selectors.BaseSelector):
    """Polls what is really there, and instead of blocking moves the loop's time on."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._real = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._real.select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise Stuck("no timer is left, and the story is not over")
        self._loop.virtual += timeout
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def close(self) -> None:
        self._real.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()


class WallClock:
    """The machine's idea of the time: the true time plus what somebody set it wrong by."""

    def __init__(self, loop: VirtualLoop, start: datetime = START) -> None:
        self.loop = loop
        self.start = start
        self.wrong_by = timedelta(0)
        self.creep = 0.0

    def __call__(self) -> datetime:
        """What the machine believes."""
        return self.true + self.wrong_by

    @property
    def true(self) -> datetime:
        """What time it really is."""
        return self.start + timedelta(seconds=self.loop.virtual)

    def jump(self, **by: float) -> None:
        """Set the machine's clock wrong by so much more."""
        self.wrong_by += timedelta(**by)

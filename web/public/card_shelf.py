"""Drawn cards on disk: each drawn once however many ask at the same moment, one at a time, in bounded room.

What lies here can be drawn again at any time, so it belongs to no backup and the oldest used give way.
"""

import asyncio
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from starlette.concurrency import run_in_threadpool

from content.cards import Card, draw

MOST_BYTES = 64_000_000
MOST_WAITING = 32
SUFFIX = ".jpg"


class TooMany(RuntimeError):
    """More different cards are asked for at once than can be drawn soon; asking again in a moment helps."""


@dataclass
class CardShelf:
    """The cards of one folder. ``most_bytes`` is the room for all of them, ``most_waiting`` how many may wait to be drawn."""

    folder: Path
    most_bytes: int = MOST_BYTES
    most_waiting: int = MOST_WAITING
    paint: Callable[[Card], bytes] = partial(draw, shape="wide")
    _drawing: dict[str, "asyncio.Task[bytes]"] = field(default_factory=dict)
    _pen: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def give(self, mark: str, card: Card) -> bytes:
        """The card of this mark as JPEG, drawn if it does not lie here yet; raises TooMany, CardMistake."""
        if (drawing := self._drawing.get(mark)) is None:
            if kept := await run_in_threadpool(self._kept, mark):
                return kept
            drawing = self._drawing.get(mark) or self._begin(mark, card)
        # Who leaves must not take the drawing away from those who still wait for it.
        return await asyncio.shield(drawing)

    def _begin(self, mark: str, card: Card) -> "asyncio.Task[bytes]":
        if len(self._drawing) >= self.most_waiting:
            raise TooMany
        drawing = self._drawing[mark] = asyncio.ensure_future(self._drawn(mark, card))
        drawing.add_done_callback(lambda _: self._drawing.pop(mark, None))
        return drawing

    async def _drawn(self, mark: str, card: Card) -> bytes:
        async with self._pen:
            if kept := await run_in_threadpool(self._kept, mark):
                return kept
            return await run_in_threadpool(self._draw, mark, card)

    def _kept(self, mark: str) -> bytes | None:
        path = self.folder / f"{mark}{SUFFIX}"
        try:
            data = path.read_bytes()
            os.utime(path)
        except OSError:
            return None  # not there, or not to be read: drawn again
        return data

    def _draw(self, mark: str, card: Card) -> bytes:
        data = self.paint(card)
        with suppress(OSError):  # a full disk costs a second drawing, not the picture
            self._put(mark, data)
            self._make_room()
        return data

    def _put(self, mark: str, data: bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=self.folder, suffix=SUFFIX)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            Path(temporary).replace(self.folder / f"{mark}{SUFFIX}")
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise

    def _make_room(self) -> None:
        lying = sorted((path.stat().st_mtime_ns, path.stat().st_size, path) for path in self.folder.glob(f"*{SUFFIX}"))
        over = sum(size for _, size, _ in lying) - self.most_bytes
        for _, size, path in lying:
            if over <= 0:
                return
            path.unlink(missing_ok=True)
            over -= size

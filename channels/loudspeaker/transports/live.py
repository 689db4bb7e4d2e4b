"""What this program itself plays: each line in a thread of its own, so that nothing else it does tears the sound.

``publish`` returns as soon as it is known which lines have begun; the record on the disk tells the rest. When the
process dies the lines fall silent, the record has no end and its lock is free: it is never begun again by itself.
"""

import asyncio
import math
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from channels.contract import Deferred, Handle, Outcome, Pending, Reason, Refused
from channels.loudspeaker.transports.airings import Heard, State, Writer, record_id
from channels.loudspeaker.transports.lines import Line, NotBegun

AFTERWARDS = timedelta(seconds=1)
WORTH_WAITING = frozenset({Reason.UNREACHABLE, Reason.BUSY, Reason.RATE_LIMITED})
_PROGRESS_SECONDS = 5.0
_OVER: set["asyncio.Task[None]"] = set()


@dataclass
class Stream:
    """A line with the clusters that hear it, and what became of it so far."""

    clusters: tuple[str, ...]
    line: Line
    trouble: NotBegun | None = None


async def air(
    streams: list[Stream],
    writer: Writer,
    leave: Callable[[], bool],
    now: Callable[[], datetime],
    seconds: float,
    afterwards: Callable[[], Awaitable[object]] | None = None,
) -> Outcome:
    """Begin every stream and say what was begun; they go on without us. ``afterwards`` is done when all are silent."""
    loop = asyncio.get_running_loop()
    silent, opened = asyncio.Event(), [loop.create_future() for _ in streams]
    left = _Count(len(streams), lambda: _finish(writer, now, loop, silent, streams))
    for stream, future in zip(streams, opened, strict=True):
        carry = _Carry(stream, writer, leave, now, _teller(loop, future), left.one_less)
        threading.Thread(target=carry, name="phat-thanh", daemon=True).start()
    if afterwards is not None:
        _keep(loop.create_task(_then(silent, afterwards)))
    await asyncio.gather(*opened)
    if any(stream.trouble is None for stream in streams):
        ends = now() + timedelta(seconds=math.ceil(seconds)) + AFTERWARDS
        id = record_id(writer.path)
        return Pending(handle=Handle(data={"airing": id}, remote_id=id), retry_at=ends)
    return not_begun([(stream.clusters, stream.trouble) for stream in streams if stream.trouble])


def not_begun(troubles: list[tuple[tuple[str, ...], NotBegun]]) -> Deferred | Refused:
    """Nothing was heard anywhere: worth another try where one of the lines is, else a person must act."""
    detail = "; ".join(f"{', '.join(clusters)}: {trouble.detail}" for clusters, trouble in troubles)
    waiting = next((trouble.reason for _, trouble in troubles if trouble.reason in WORTH_WAITING), None)
    if waiting is not None:
        return Deferred(reason=waiting, detail=f"Chưa phát được ở cụm loa nào. {detail}.")
    return Refused(reason=troubles[0][1].reason, detail=f"Không phát được ở cụm loa nào. {detail}.")


@dataclass
class _Carry:
    """One thread's work: open, run, write down."""

    stream: Stream
    writer: Writer
    leave: Callable[[], bool]
    now: Callable[[], datetime]
    tell: Callable[[], None]
    done: Callable[[], None]
    told: float = 0.0

    def __call__(self) -> None:
        try:
            self._carry()
        except Exception as error:  # a line's own bug must not look like silence
            self._note("unknown", self.told, f"lỗi chương trình khi phát ({type(error).__name__})")
        finally:
            self.done()  # first: a record that is taken back is gone before anybody tries again
            self.tell()

    def _carry(self) -> None:
        try:
            self.stream.line.open(self.leave)
        except NotBegun as trouble:
            self.stream.trouble = trouble
            self._note("failed", 0, trouble.detail)
            return
        self._note("playing", 0)
        self.tell()
        ending = self.stream.line.run(self.writer.stopped, self._progress)
        self._note(ending.state, ending.seconds, ending.detail)

    def _progress(self, seconds: float) -> None:
        if seconds - self.told >= _PROGRESS_SECONDS:
            self.told = seconds
            self._note("playing", seconds, lasting=False)

    def _note(self, state: State, seconds: float, detail: str = "", lasting: bool = True) -> None:
        for cluster in self.stream.clusters:
            heard = Heard(at=self.now(), cluster=cluster, state=state, seconds=round(seconds), detail=detail)
            self.writer.note(heard, lasting)


class _Count:
    """Calls ``then`` when the last of ``left`` is done."""

    def __init__(self, left: int, then: Callable[[], None]) -> None:
        self._left, self._then, self._lock = left, then, threading.Lock()

    def one_less(self) -> None:
        with self._lock:
            self._left -= 1
            last = self._left == 0
        if last:
            self._then()


def _finish(
    writer: Writer,
    now: Callable[[], datetime],
    loop: asyncio.AbstractEventLoop,
    silent: asyncio.Event,
    streams: list[Stream],
) -> None:
    if all(stream.trouble for stream in streams):
        writer.forget()
    else:
        writer.end(now())
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(silent.set)


def _teller(loop: asyncio.AbstractEventLoop, future: "asyncio.Future[None]") -> Callable[[], None]:
    def tell() -> None:
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(lambda: None if future.done() else future.set_result(None))

    return tell


async def _then(silent: asyncio.Event, afterwards: Callable[[], Awaitable[object]]) -> None:
    await silent.wait()
    await afterwards()


def _keep(task: "asyncio.Task[None]") -> None:
    _OVER.add(task)
    task.add_done_callback(_OVER.discard)

"""One life of the daemon in the simulation, and how it ends: at a chosen step, dead at once or frozen for a while.

The step is drawn, not the hour: a commit (``store.points``) or a moment on the network. A dead life commits and sends
nothing any more. A frozen one goes on after the next life has begun, with the answers and fences it had.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from random import Random
from typing import Any
from weakref import WeakSet

LIFE: ContextVar["Life | None"] = ContextVar("life", default=None)

LAG = 0.012


class Died(BaseException):
    """This life is over; nothing of it may go on."""


@dataclass
class Doom:
    """At the ``turn``-th passing of ``point`` the life ends: for ever, or frozen for ``seconds``."""

    point: str
    turn: int
    seconds: float = 0.0


@dataclass(eq=False)
class Life:
    """What one start of the daemon has under way."""

    epoch: str
    chance: Random
    counts: Counter[str]
    loop: asyncio.AbstractEventLoop
    doom: Doom | None = None
    dead: bool = False
    frozen: asyncio.Event | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: WeakSet["asyncio.Task[Any]"] = field(default_factory=WeakSet)

    @property
    def retired(self) -> bool:
        """Whether another life has taken over, or soon will."""
        return self.over.is_set()

    def step(self, point: str) -> None:
        """This moment is reached; raises Died when it is the last one."""
        if self.dead:
            raise Died(point)
        self.counts[f"at {point}"] += 1
        if self.doom is None or self.doom.point != point or self.retired:
            return
        self.doom.turn -= 1
        if self.doom.turn <= 0:
            self._fall(self.doom)

    def _fall(self, doom: Doom) -> None:
        if doom.seconds:
            self.counts[f"froze {doom.point}"] += 1
            self._freeze(doom.seconds)
            return
        self.counts[f"died {doom.point}"] += 1
        self.die()
        raise Died(doom.point)

    def die(self) -> None:
        """No commit, no byte any more; whatever waits is abandoned."""
        self.dead = True
        self.over.set()
        self.loop.call_soon(self._abandon)

    def _abandon(self) -> None:
        if self.frozen is not None:
            self.frozen.set()
        for task in list(self.tasks):
            task.cancel()

    def _freeze(self, seconds: float) -> None:
        self.frozen = asyncio.Event()
        self.over.set()
        self.loop.call_later(seconds, self._thaw)

    def _thaw(self) -> None:
        if self.frozen is not None and not self.dead:
            self.counts["thawed"] += 1
            self.frozen.set()
            self.frozen = None
            self.loop.call_later(900.0, self.die)

    async def gate(self) -> None:
        """Wait while frozen; raises Died when nothing may go on."""
        while self.frozen is not None and not self.dead:
            await self.frozen.wait()
        if self.dead:
            raise Died("gate")


async def aside(work: Callable[..., Any], /, *given: Any, **named: Any) -> Any:
    """Blocking work done on the spot, as late as a thread would begin it; in place of ``asyncio.to_thread``."""
    life = LIFE.get()
    if life is None:
        return work(*given, **named)
    await asyncio.sleep(life.chance.random() * LAG)
    await life.gate()
    done = work(*given, **named)
    await life.gate()
    return done


def owned_task(loop: asyncio.AbstractEventLoop, coro: Any, **named: Any) -> "asyncio.Task[Any]":
    """A task factory: every task belongs to the life that made it, and dies with it."""
    task: asyncio.Task[Any] = asyncio.Task(coro, loop=loop, **named)
    life = LIFE.get()
    if life is not None:
        life.tasks.add(task)
        if life.dead:
            loop.call_soon(task.cancel)
    return task

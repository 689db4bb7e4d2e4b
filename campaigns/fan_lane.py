"""A lane of its own for sending to many: a thread with its own event loop and its own client.

Ten thousand letters keep one event loop busy for minutes, and a single post beside them would wait its turn at every
step. In its own thread a fan-out shares the processor with the posts, but never their loop. The thread starts with the
first fan-out. See docs/decisions/0014.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from random import Random
from typing import Any, TypeVar

from campaigns import fanning
from campaigns.outlets import Desk
from channels.contract import Channel, Message, Outcome
from channels.wire import Wire
from store.engine import Store

CLOSE_SECONDS = 5.0

Made = TypeVar("Made")


@dataclass(frozen=True)
class _Sender:
    """What a fan-out needs of a courier, with the lane's own client."""

    store: Store
    desk: Desk
    epoch: str
    chance: Random
    alive: Callable[[], bool]

    def own(self, speaker: Channel) -> Channel:
        """The channel once more, speaking through the lane's own client."""
        return type(speaker)(speaker.settings, speaker.tools.model_copy(update={"wire": self.desk.wire}))


class FanLane:
    """Runs what ``campaigns.fanning`` does in a thread of its own; give its ``drain`` to a courier. Close it in the end."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wire: Wire | None = None
        self._thread: threading.Thread | None = None

    async def drain(
        self, courier: fanning.Worker, delivery_id: int, fence: int, speaker: Channel, message: Message,
        *, stopping: asyncio.Event | None = None,
    ) -> Outcome:  # fmt: skip
        """As ``fanning.drain``; ``stopping`` is only read there, which is safe from another thread."""
        sender = self._sender(courier)
        own = sender.own(speaker)
        return await self._run(fanning.drain(sender, delivery_id, fence, own, message, stopping=stopping))

    async def lend_a_hand(self, courier: fanning.Worker, *, stopping: asyncio.Event | None = None) -> int:
        """As ``fanning.lend_a_hand``."""
        return await self._run(fanning.lend_a_hand(self._sender(courier), stopping=stopping))

    async def close(self) -> None:
        """End what is still going on, after it has written down what it knows, and the thread with it."""
        if self._loop is None or self._thread is None:
            return
        await self._run(_end_all())
        if self._wire is not None:
            await self._run(self._wire.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join, CLOSE_SECONDS)
        self._loop = self._wire = self._thread = None

    def _sender(self, courier: fanning.Worker) -> _Sender:
        if self._wire is None:
            self._wire = courier.desk.wire.another()
        desk = replace(courier.desk, wire=self._wire)
        alive = getattr(courier, "alive", lambda: True)
        return _Sender(courier.store, desk, courier.epoch, courier.chance, alive)

    async def _run(self, work: Coroutine[Any, Any, Made]) -> Made:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._started()))

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=_turn, args=(self._loop,), name="fan-out", daemon=True)
            self._thread.start()
        return self._loop


def _turn(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


async def _end_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    late = (await asyncio.wait(others, timeout=CLOSE_SECONDS))[1] if others else set()
    for task in late:
        task.cancel()
    if late:
        await asyncio.wait(late, timeout=1.0)

"""Group commit: writes that arrive together share one transaction, one commit, one fsync.

Under load this is what makes durable deliveries cheap; alone, a write waits for nobody. When a group cannot be
written, each of its jobs is tried by itself, so that one bad row keeps no other from being recorded.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from store.engine import Store

Job = TypeVar("Job")
Done = TypeVar("Done")
Aside = Callable[..., Awaitable[Any]]

MOST = 256

log = logging.getLogger("lantoa.store")


class Together(Generic[Job, Done]):
    """``await together(job)`` writes the job and gives what ``act`` gave for it; raises what its transaction raised.

    ``act(session, jobs)`` does all jobs in one transaction and gives one result for each. ``aside`` runs blocking work
    (a thread). ``again_after`` are the seconds after which a busy or full database is asked again.
    """

    def __init__(
        self,
        store: Store,
        what: str,
        act: Callable[[Session, list[Job]], list[Done]],
        aside: Aside,
        again_after: Sequence[float] = (),
    ) -> None:
        self.store, self.what, self.act, self.aside, self.again_after = store, what, act, aside, again_after
        self._waiting: list[tuple[Job, asyncio.Future[Done]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def __call__(self, job: Job) -> Done:
        """Write this job with whatever else waits to be written."""
        written: asyncio.Future[Done] = asyncio.get_running_loop().create_future()
        self._waiting.append((job, written))
        if self._writer is None:
            self._writer = asyncio.ensure_future(self._write_until_none_waits())
        return await written

    async def _write_until_none_waits(self) -> None:
        await asyncio.sleep(0)
        try:
            while self._waiting:
                group, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                await self._write(group)
        finally:
            self._writer = None

    async def _write(self, group: list[tuple[Job, asyncio.Future[Done]]]) -> None:
        try:
            results = await self._patiently([job for job, _ in group])
        except Exception as error:
            if len(group) > 1:
                for one in group:
                    await self._write([one])
            elif not group[0][1].done():
                group[0][1].set_exception(error)
            return
        for (_, written), result in zip(group, results, strict=True):
            if not written.done():
                written.set_result(result)

    async def _patiently(self, jobs: list[Job]) -> list[Done]:
        for wait in self.again_after:
            try:
                return await self._in_one_transaction(jobs)
            except OperationalError:
                log.warning("%s could not be written; trying again", self.what, exc_info=True)
                await asyncio.sleep(wait)
        return await self._in_one_transaction(jobs)

    async def _in_one_transaction(self, jobs: list[Job]) -> list[Done]:
        def write() -> list[Done]:
            with self.store.write(self.what) as session:
                return self.act(session, jobs)

        results: list[Done] = await self.aside(write)
        return results

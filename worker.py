"""``lantoa worker``: one more process that sends, on any machine that shares the PostgreSQL database and the files.

Procrastinate wakes and distributes, the rows decide: a job says «this outlet has something due», and what may leave is
claimed under the same fences as the daemon's. Timers of its own renew the lease, wake what is due and has no job, and
settle what dead workers left; so no job keeps another job alive.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from random import Random

from campaigns import delivering, measuring, moves, planning, renewing, sources, waking
from campaigns.delivering import Courier
from campaigns.outlets import Desk
from scheduler import FINISH_SECONDS, WRITTEN_AHEAD, desk, own_addresses
from settings import Settings
from store.engine import Store
from store.tables import Worker
from store.wakes import Beat, Due

SWEEP_SECONDS = 1.0
SHORTEST_SECONDS = 0.05
SLOT_WORTH_WAITING = timedelta(seconds=1.5)
LONGEST_JOB_SECONDS = 30.0
CONCURRENCY = 16
RENEWED_AT, BELIEVED = 2 / 9, 2 / 3

log = logging.getLogger("lantoa.worker")


class CannotWork(RuntimeError):
    """No worker can run here; the message says why and what to do."""


def uptime() -> float:
    """Seconds since this machine started, those in which it slept included (CLOCK_BOOTTIME, clock_gettime(2))."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Lease:
    """How long this process may believe that nobody has given it up: two thirds of what the others wait."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._until = float("-inf")

    def renewed(self, asked_at: float) -> None:
        """The others were told at ``asked_at`` (of ``uptime``) or later."""
        self._until = asked_at + self.seconds * BELIEVED

    def holds(self) -> bool:
        """Whether this process may still speak."""
        return uptime() < self._until


class Hand:
    """One life of a worker. Its lease is over when it has been silent for ``delivering.LEASE``."""

    def __init__(self, store: Store, desk: Desk, settings: Settings) -> None:
        self.store, self.desk, self.settings = store, desk, settings
        self.courier = Courier(store, desk, secrets.token_hex(8), Random())  # noqa: S311 - jitter only
        self.lease = Lease(delivering.LEASE.total_seconds())
        self.courier.alive = self.lease.holds
        from store.wakeups import Wakeups  # an extra: only who works beyond one machine has Procrastinate installed

        self.wakeups = Wakeups(store.url, self.drain, self._beats(), self.lease.seconds)
        self._stop = asyncio.Event()

    async def run(self, concurrency: int = CONCURRENCY) -> None:
        """Work until ``stop``; then finish what is under way."""
        await asyncio.to_thread(self.begin)
        timers = [asyncio.create_task(timer) for timer in (self._keep_lease(), self._work_again_and_again(concurrency))]
        await self._stop.wait()
        lease, work = timers
        work.cancel()
        await asyncio.wait([work])
        lease.cancel()
        await asyncio.wait([lease])
        with contextlib.suppress(Exception):
            await asyncio.to_thread(self._mark, "stopped_at")
        await self.desk.wire.close()

    def stop(self) -> None:
        """Ask the worker to finish; it takes nothing new."""
        self._stop.set()

    def begin(self) -> None:
        """Announce this life."""
        asked_at, now = uptime(), self.desk.now()
        with self.store.write("lease") as session:
            session.add(
                Worker(
                    epoch=self.courier.epoch, role="worker", host=socket.gethostname(), pid=os.getpid(), started_at=now,
                    seen_at=now,
                )
            )  # fmt: skip
        self.lease.renewed(asked_at)

    async def drain(self, outlet_id: int) -> int:
        """Send what an outlet may send now, waiting for slots that are near; gives how many deliveries were claimed."""
        loop = asyncio.get_running_loop()
        until, carried = loop.time() + LONGEST_JOB_SECONDS, 0
        while not self._stop.is_set() and self.lease.holds() and loop.time() < until:
            done = await self.courier.deliver(self.settings.daemon.wave, outlet_id=outlet_id)
            carried += done
            if not done and not await self._slot_is_near(outlet_id):
                break
        return carried

    async def _slot_is_near(self, outlet_id: int) -> bool:
        wait = await asyncio.to_thread(self._until_slot, outlet_id)
        if wait is None or not timedelta(0) < wait <= SLOT_WORTH_WAITING:
            return False
        await self._pause(wait.total_seconds())
        return True

    def _until_slot(self, outlet_id: int) -> timedelta | None:
        with self.store.read() as session:
            return waking.until_slot(session, outlet_id, self.desk.now())

    async def _work_again_and_again(self, concurrency: int) -> None:
        """Whatever breaks the wakes (a lost connection, dropped tables), they are begun again and nothing is lost."""
        while not self._stop.is_set():
            try:
                async with self.wakeups.opened():
                    await _first_to_end(self.wakeups.lanes(concurrency, FINISH_SECONDS), self._sweep_again_and_again())
            except Exception:
                log.exception("the wakes broke off; they begin again")
            await self._pause(SWEEP_SECONDS)

    async def _sweep_again_and_again(self) -> None:
        while not self._stop.is_set():
            await self.sweep()
            await self._pause(await asyncio.to_thread(self._until_next))

    async def sweep(self) -> int:
        """Settle what dead workers left and wake what is due; gives how many outlets were woken."""
        left = await asyncio.to_thread(self.courier.recover)
        if left:
            log.warning("%s deliveries were left in the middle; they will be looked up, not sent again", left)
        woken = await self.wakeups.sweep(await asyncio.to_thread(self._due))
        await asyncio.to_thread(self._mark, "passed_at")
        return woken

    def _due(self) -> list[Due]:
        with self.store.read() as session:
            return waking.due(session, self.desk.now())

    def _until_next(self) -> float:
        now = self.desk.now()
        with self.store.read() as session:
            ahead = waking.next_moment(session, now)
        wait = (ahead - now).total_seconds() if ahead else SWEEP_SECONDS
        return min(max(wait, SHORTEST_SECONDS), SWEEP_SECONDS)

    async def _keep_lease(self) -> None:
        while True:
            asked_at = uptime()
            try:
                await asyncio.to_thread(self._mark, "seen_at")
                self.lease.renewed(asked_at)
            except Exception:
                log.exception("the lease could not be renewed; nothing is sent when it is over")
            await asyncio.sleep(self.lease.seconds * RENEWED_AT)

    def _mark(self, column: str) -> None:
        with self.store.write("lease") as session:
            row = session.get_one(Worker, self.courier.epoch)
            setattr(row, column, self.desk.now())
            session.add(row)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    def _beats(self) -> list[Beat]:
        wave = self.settings.daemon.wave
        return [
            Beat("plan", 15, lambda: asyncio.to_thread(self._plan)),
            Beat("tidy", 5, lambda: asyncio.to_thread(self._tidy)),
            Beat("prepare", 20, lambda: _done(self.courier.freeze_ahead(self.desk.now() + WRITTEN_AHEAD, wave))),
            Beat("look", 2, lambda: _done(self.courier.look(wave))),
            Beat("measure", 20, lambda: _done(measuring.measure(self.courier, wave))),
            Beat("sources", 60, lambda: _done(sources.refresh(self.courier))),
            Beat("renew", 60, lambda: _done(renewing.renew(self.courier))),
        ]

    def _plan(self) -> None:
        with self.store.write("plan") as session:
            planning.plan(session, self.desk.now(), timedelta(days=self.settings.daemon.horizon_days))

    def _tidy(self) -> None:
        with self.store.write("miss") as session:
            moves.miss(session, self.desk.now())


async def _done(work: Awaitable[object]) -> None:
    await work


async def _first_to_end(*works: Awaitable[object]) -> None:
    """Run these together until one ends or breaks, then end the others and wait for them."""
    running = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            one.result()
    finally:
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def work(
    settings: Settings, store: Store, concurrency: int, on_signal: Callable[[Callable[[], None]], None]
) -> None:
    """A worker until SIGTERM or SIGINT, on a store that ``opened`` gave."""
    hand = Hand(store, desk(settings, allow=own_addresses(settings)), settings)
    on_signal(hand.stop)
    await hand.run(concurrency)


def opened(settings: Settings) -> Store:
    """The store of these settings, fit for several processes; raises CannotWork or OldSchema, naming the command."""
    store = Store(settings.database_url)
    if store.dialect != "postgresql":
        raise CannotWork(
            "Tiến trình gửi (lantoa worker) cần PostgreSQL; dữ liệu đang ở SQLite, nơi chỉ một tiến trình được làm việc. "
            "Hãy chuyển dữ liệu bằng: lantoa move --to postgresql://…"
        )
    try:
        from store import wakeups
    except ImportError as error:
        raise CannotWork(
            "Máy này chưa cài phần mở rộng cho PostgreSQL (Procrastinate). Hãy cài: pip install '.[postgresql]'"
        ) from error
    store.check()
    wakeups.check(store)
    return store


def migrate_wakes(store: Store) -> bool:
    """Build the wakes' tables where Procrastinate is installed and the store is PostgreSQL; gives whether it was needed."""
    if store.dialect != "postgresql":
        return False
    try:
        from store import wakeups
    except ImportError:
        return False
    return wakeups.migrate(store)

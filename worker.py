"""``lantoa worker``: one more process that sends, on any machine that shares the PostgreSQL database and the files.

Procrastinate wakes and distributes, the rows decide: a job says «this outlet has something due», and what may leave is
claimed under the same fences as the daemon's, whose beats these are. Timers of its own renew the lease, wake what is
due and has no job, and settle what dead workers left; so no job keeps another job alive.
"""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

from sqlmodel import select

from campaigns import (
    amending,
    confirming,
    delivering,
    listening,
    measuring,
    renewing,
    returning,
    sources,
    sweeping,
    telling,
    waking,
    withdrawing,
)
from campaigns.outlets import Desk
from notifying import Notifier
from scheduler import FINISH_SECONDS, MARK_SECONDS, WRITTEN_AHEAD, Daemon, desk, own_addresses
from settings import Settings
from store.engine import Store
from store.lease import Lease, uptime
from store.tables import Outlet
from store.vault import SealBroken
from store.wakes import Beat, Due

SWEEP_SECONDS = 1.0
SHORTEST_SECONDS = 0.05
SLOT_WORTH_WAITING = timedelta(seconds=1.5)
LONGEST_JOB_SECONDS = 30.0
CONCURRENCY = 16
RENEWED_AT = 2 / 9

log = logging.getLogger("lantoa.worker")


class CannotWork(RuntimeError):
    """No worker can run here; the message says why and what to do."""


class Hand(Daemon):
    """One life of a worker: a daemon that is woken. Its lease is over when it has been silent for ``delivering.LEASE``."""

    def __init__(self, store: Store, desk: Desk, settings: Settings, passed: Callable[[], None] = lambda: None) -> None:
        super().__init__(store, desk, settings, passed=passed)
        from store.wakeups import Wakeups  # an extra: only who works beyond one machine has Procrastinate installed

        self.lease = Lease(delivering.LEASE.total_seconds())
        self.wakeups = Wakeups(store.url, self.drain, self._beats(), self.lease.seconds)

    async def run(self, concurrency: int = CONCURRENCY) -> None:
        """Work until ``stop``; then finish what is under way."""
        asked_at = uptime()
        await asyncio.to_thread(self.begin, "worker")
        self.lease.renewed(asked_at)
        self.courier.alive = self.lease.holds
        leasing = asyncio.create_task(self._keep_lease())
        working = asyncio.create_task(self._work_again_and_again(concurrency))
        await self._stop.wait()
        working.cancel()
        await asyncio.wait([working])
        await self._finish()
        leasing.cancel()
        await asyncio.wait([leasing])
        await self.courier.desk.wire.close()

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
        with self.courier.store.read() as session:
            return waking.until_slot(session, outlet_id, self.courier.desk.now())

    async def _work_again_and_again(self, concurrency: int) -> None:
        """Whatever breaks the wakes (a lost connection, dropped tables), they are begun again and nothing is lost."""
        while not self._stop.is_set():
            try:
                async with self.wakeups.opened():
                    lanes = self.wakeups.lanes(concurrency, FINISH_SECONDS)
                    await _first_to_end(lanes, self._sweep_again_and_again(), self._lend_a_hand_again_and_again())
            except Exception:
                log.exception("the wakes broke off; they begin again")
            await self._pause(SWEEP_SECONDS)

    async def _sweep_again_and_again(self) -> None:
        while not self._stop.is_set():
            await self.sweep()
            await self._pause(await asyncio.to_thread(self._until_next_sweep))

    async def _lend_a_hand_again_and_again(self) -> None:
        """A long list of recipients is shared by every worker that is awake."""
        while not self._stop.is_set():
            sent = (
                await self.lane.lend_a_hand(self.courier, stopping=self.courier.stopping) if self.lease.holds() else 0
            )
            await self._pause(SHORTEST_SECONDS if sent else SWEEP_SECONDS)

    async def sweep(self) -> int:
        """Settle what dead workers left and wake what is due; gives how many outlets were woken."""
        left = await asyncio.to_thread(self.courier.recover)
        if left:
            log.warning("%s deliveries were left in the middle; they will be looked up, not sent again", left)
        woken = await self.wakeups.sweep(await asyncio.to_thread(self._due))
        if time.monotonic() - self._marked_at > MARK_SECONDS:
            await asyncio.to_thread(self._mark, "passed_at")
            self._marked_at = time.monotonic()
            self._passed()
        return woken

    def _due(self) -> list[Due]:
        with self.courier.store.read() as session:
            return waking.due(session, self.courier.desk.now())

    def _until_next_sweep(self) -> float:
        now = self.courier.desk.now()
        with self.courier.store.read() as session:
            ahead = waking.next_moment(session, now)
        wait = (ahead - now).total_seconds() if ahead else SWEEP_SECONDS
        return min(max(wait, SHORTEST_SECONDS), SWEEP_SECONDS)

    async def _keep_lease(self) -> None:
        while True:
            asked_at = uptime()
            try:
                await self._after_sleep()  # first: without the lease nothing leaves, so nothing late leaves unseen
                await asyncio.to_thread(self._mark, "seen_at")
                self.lease.renewed(asked_at)
            except Exception:
                log.exception("the lease could not be renewed; nothing is sent when it is over")
            await asyncio.sleep(self.lease.seconds * RENEWED_AT)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    def _beats(self) -> list[Beat]:
        courier, wave = self.courier, self.settings.daemon.wave
        return [
            Beat("plan", 15, lambda: asyncio.to_thread(self.plan)),
            Beat("prepare", 20, lambda: self.prepare(courier.desk.now() + WRITTEN_AHEAD)),
            Beat("look", 2, lambda: courier.look(wave)),
            Beat("withdraw", 2, lambda: withdrawing.withdraw(courier, wave)),
            Beat("amend", 5, lambda: amending.amend(courier, wave)),
            Beat("pin", 5, courier.pins.catch_up),
            Beat("measure", 20, lambda: measuring.measure(courier, wave)),
            Beat("sources", 60, lambda: sources.refresh(courier)),
            Beat("renew", 60, lambda: renewing.renew(courier)),
            Beat("confirm", 15, lambda: confirming.confirm(courier, wave)),
            Beat("returns", 120, lambda: returning.collect(courier)),
            Beat("tell", 5, lambda: telling.tell(courier)),
            Beat("listen", 5, lambda: listening.listen(courier)),
            Beat("tidy", 5, lambda: asyncio.to_thread(self.tidy)),
            Beat("sweep", 6 * 3600, lambda: sweeping.sweep(courier)),
        ]


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
    supervisor = Notifier(os.environ.pop("NOTIFY_SOCKET", ""))  # taken away, so that no child speaks for us
    hand = Hand(store, desk(settings, allow=own_addresses(settings)), settings, passed=supervisor.pulse)

    def stop() -> None:
        supervisor.stopping()
        hand.stop()

    on_signal(stop)
    await hand.run(concurrency)


def opened(settings: Settings) -> Store:
    """The store of these settings, fit for several processes; raises CannotWork or OldSchema, naming the command."""
    if not settings.database_url.startswith("postgresql"):
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
    store = Store(settings.database_url)
    try:
        store.check()
        wakeups.check(store)
        _check_key(settings, store)
    except BaseException:
        store.close()
        raise
    return store


def _check_key(settings: Settings, store: Store) -> None:
    """A worker with another key could open no outlet's secrets, and would fail what others could send."""
    if not settings.key_file.is_file():
        raise CannotWork(
            f"Máy này chưa có tệp khóa «{settings.key_file}». Hãy chép tệp khoa-bi-mat từ máy chạy lantoa up sang, quyền 600."
        )
    with store.read() as session:
        sealed = session.exec(select(Outlet).where(Outlet.secrets != "").limit(1)).first()
    try:
        if sealed is not None:
            desk(settings).values(sealed)
    except SealBroken as error:
        raise CannotWork(
            f"Tệp khóa «{settings.key_file}» không mở được mã truy cập của các kênh. "
            "Hãy chép đúng tệp khoa-bi-mat của máy chạy lantoa up sang."
        ) from error


def migrate_wakes(store: Store) -> bool:
    """Build the wakes' tables where Procrastinate is installed and the store is PostgreSQL; gives whether it was needed."""
    if store.dialect != "postgresql":
        return False
    try:
        from store import wakeups
    except ImportError:
        return False
    return wakeups.migrate(store)

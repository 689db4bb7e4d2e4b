"""The daemon: it wakes, and the rows decide. Run it by itself with ``python scheduler.py`` or ``lantoa up``.

The beats: plan, prepare, deliver, look, withdraw, amend, measure, sources, renew, confirm, returns, tell, listen, tidy, sweep, archive. APScheduler keeps the recurring ones (memory only,
rebuilt at every start; a late beat is never skipped); delivery has a loop of its own that sleeps until the next row
is due. Nothing is remembered here: killing it at any moment loses nothing.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import IO
from urllib.parse import urlsplit

from apscheduler.schedulers.asyncio import AsyncIOScheduler

import journaling
from campaigns import (
    amending,
    broadcasts,
    catching_up,
    clocks,
    confirming,
    holding,
    listening,
    measuring,
    moves,
    programme,
    renewing,
    returning,
    sources,
    sweeping,
    telling,
    waking,
    withdrawing,
)
from campaigns.beside import Beside
from campaigns.clocks import ClockWatch
from campaigns.delivering import LEASE, Courier
from campaigns.fan_lane import FanLane
from campaigns.outlets import Desk
from channels.twin import SIDE
from channels.wire import Guard, Wire
from journaling import Redactor
from notifying import Notifier
from settings import BadSettings, Settings, load
from store.engine import OldSchema, Store
from store.files import Files
from store.lease import Lease, uptime
from store.sole import SecondDaemon as SecondDaemon
from store.sole import sole
from store.tables import Worker
from store.vault import SealBroken, Vault

WRITTEN_AHEAD = timedelta(minutes=3)
BLOCKED_SECONDS = 0.25
FINISH_SECONDS = 12.0
MARK_SECONDS = 5.0

log = logging.getLogger("lantoa")


def utc_now() -> datetime:
    """The real time: the only clock of a running daemon."""
    return datetime.now(UTC)


def desk(settings: Settings, now: Callable[[], datetime] = utc_now, allow: tuple[str, ...] = ()) -> Desk:
    """The desk of these settings; ``allow`` adds ``host:port`` pairs that may be dialled."""
    wire = Wire(Guard(frozenset({*settings.network.allow, *allow})), timeout=settings.network.timeout_seconds)
    files = Files(settings.folder / "tep", settings.web.public_url)
    return Desk(wire, files, Vault.open(settings.key_file), now)


def own_addresses(settings: Settings) -> tuple[str, ...]:
    """The program's own ``host:port`` pairs, which it may always dial: its site, and the twins in a rehearsal."""
    public = urlsplit(settings.web.public_url)
    port = public.port or (443 if public.scheme == "https" else 80)
    own = (f"127.0.0.1:{settings.web.port}", f"{public.hostname}:{port}")
    twins = (f"127.0.0.1:{settings.twins.port}", f"{SIDE}:{settings.twins.port}")
    return (*own, *twins) if settings.mode == "rehearsal" else own


class Daemon:
    """One life of the scheduler."""

    def __init__(
        self,
        store: Store,
        desk: Desk,
        settings: Settings,
        chance: Random | None = None,
        passed: Callable[[], None] = lambda: None,
        may_work: Callable[[], bool] = lambda: True,
    ) -> None:
        self.settings = settings
        self.courier = Courier(store, desk, secrets.token_hex(8), chance or Random())  # noqa: S311 - jitter only
        self.lane = FanLane()
        self.courier.drain = self.lane.drain
        self._passed, self._may_work = passed, may_work
        self._clocks = ClockWatch(desk.now, time.monotonic)
        self._stop = asyncio.Event()
        self._under_way: set[asyncio.Future[None]] = set()
        self._beside = Beside(self._under_way)
        self.lease = Lease(LEASE.total_seconds())
        self._marked_at, self._awake_at = float("-inf"), desk.now()

    async def run(self) -> None:
        """Work until ``stop``; then finish what is under way."""
        await asyncio.to_thread(self.begin)
        if self.courier.store.dialect != "sqlite":
            self.courier.alive = self.lease.holds
        scheduler = self._recurring()
        scheduler.start()
        try:
            await self._deliver_until_stopped()
        finally:
            scheduler.shutdown(wait=False)
            await self._finish()
            await self.courier.desk.wire.close()

    def stop(self) -> None:
        """Ask the daemon to finish; it takes nothing new. Asked a second time, it waits for no answer any more."""
        if self._stop.is_set():
            self.courier.give_up()
        self._stop.set()
        self.courier.stopping.set()
        self.courier.freed.set()

    def begin(self, role: str = "daemon") -> None:
        """Settle what an earlier life left in the middle, hold what a long silence made late, announce this life."""
        left = self.courier.recover()
        if left:
            log.warning("%s deliveries were left in the middle; they will be looked up, not sent again", left)
        late = catching_up.at_start(self.courier.store, self.courier.desk.now())
        if late:
            log.warning("%s deliveries fell due while nobody was awake; they wait for a person's plan", late)
        now, asked_at = self.courier.desk.now(), uptime()
        with self.courier.store.write("lease") as session:
            session.add(
                Worker(
                    epoch=self.courier.epoch, role=role, host=socket.gethostname(), pid=os.getpid(), started_at=now,
                    seen_at=now,
                )
            )  # fmt: skip
        self.lease.renewed(asked_at)
        self._awake_at = now

    async def work(self) -> int:
        """The beats that move deliveries, once, with credentials renewed before they are needed."""
        await renewing.renew(self.courier)
        sent = await self.courier.deliver(self.settings.daemon.wave)
        looked = await self.courier.look(self.settings.daemon.wave)
        measured = await measuring.measure(self.courier, self.settings.daemon.wave)
        return sent + looked + measured

    async def prepare(self, until: datetime) -> int:
        """Write ahead the messages that fall due until then, and make them ready on the platforms; gives how many."""
        written = await self.courier.freeze_ahead(until, self.settings.daemon.wave)
        return written + await self.courier.stage_ahead(until, self.settings.daemon.wave)

    def tidy(self) -> None:
        """Miss what is too late, settle what dead workers left, and say so when the machine's clock has jumped."""
        store, now = self.courier.store, self.courier.desk.now()
        with store.write("miss") as session:
            moves.miss(session, now)
            holding.give_up(session, now)
        self.courier.find_forgotten()
        if store.dialect != "sqlite":
            self.courier.recover()
        if (jump := self._clocks.check()) is not None:
            clocks.tell(store, jump, now)

    def plan(self) -> int:
        """Make the deliveries of the horizon, and put those of the loudspeakers' slots into their running order."""
        with self.courier.store.write() as session:
            now = self.courier.desk.now()
            return programme.plan(session, now, timedelta(days=self.settings.daemon.horizon_days))

    def next_due(self) -> datetime | None:
        """The moment at which the next delivery, look-up or measurement falls due; None when nothing waits."""
        with self.courier.store.read() as session:
            found = (waking.next_look_or_measure(session), waking.next_claim(session))
        return min((moment for moment in found if moment is not None), default=None)

    def next_delivery(self) -> datetime | None:
        """The moment at which the next delivery may be claimed; None when nothing waits at an open outlet."""
        with self.courier.store.read() as session:
            return waking.next_claim(session)

    def _recurring(self) -> AsyncIOScheduler:
        scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )
        beats: list[tuple[Callable[[], Awaitable[object]], int]] = [
            (self._plan, 15),
            (self._prepare, 20),
            (self._look, 2),
            (self._withdraw, 2),
            (self._amend, 5),
            (self.courier.pins.catch_up, 5),
            (self._measure, 20),
            (self._sources, 60),
            (self._renew, 60),
            (self._confirm, 5),
            (self._returns, 120),
            (self._tell, 5),
            (self._listen, 5),
            (self._tidy, 5),
            (self._seen, 10),
            (self._sweep, 6 * 3600),
            (self._archive, 60),
        ]
        for beat, seconds in beats:
            scheduler.add_job(
                self._whole, "interval", [beat], seconds=seconds, next_run_time=utc_now(), id=beat.__name__
            )
        return scheduler

    async def _whole(self, beat: Callable[[], Awaitable[object]]) -> None:
        """A beat that has begun is finished even when the daemon stops: a renewed credential must not be lost between."""
        running = asyncio.ensure_future(beat())
        self._under_way.add(running)
        running.add_done_callback(self._under_way.discard)
        with contextlib.suppress(asyncio.CancelledError):  # the timer stops waiting for it; ``_finish`` does not
            await asyncio.shield(running)

    async def _finish(self) -> None:
        """What is on the wire is waited for; what does not end in time is settled by the next life, as a crash would be."""
        beats = [asyncio.ensure_future(self.courier.idle()), *self._under_way]
        _, late = await asyncio.wait(beats, timeout=FINISH_SECONDS)
        for one in late:
            one.cancel()
        if late:
            self.courier.give_up()
            await asyncio.wait(late, timeout=1.0)
        await self.lane.close()
        try:
            await asyncio.to_thread(self._mark, "stopped_at")
        except Exception:
            log.exception("the end of this life could not be written down")

    async def _deliver_until_stopped(self) -> None:
        while not self._stop.is_set():
            self.courier.freed.clear()
            try:
                wait = await self._pass()
            except Exception:
                log.exception("deliver")
                wait = self.settings.daemon.idle_seconds
            if wait:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.courier.freed.wait(), wait)

    async def _pass(self) -> float:
        """One pass of the loop, marked in the database and told to the supervisor; gives the seconds until the next."""
        await self._after_sleep()
        begun = await self.courier.begin(self.settings.daemon.wave) if await asyncio.to_thread(self._may_work) else 0
        wait = 0.0 if begun else await asyncio.to_thread(self._until_next)
        if time.monotonic() - self._marked_at > MARK_SECONDS:
            await asyncio.to_thread(self._mark, "passed_at")
            self._marked_at = time.monotonic()
            self._passed()
        return wait

    async def _after_sleep(self) -> None:
        """A machine that slept (a laptop's lid) without being stopped: what is late waits for a plan, as after a stop."""
        since, now = self._awake_at, self.courier.desk.now()
        if now - since > catching_up.DOWNTIME:
            late = await asyncio.to_thread(catching_up.after_silence, self.courier.store, since, now)
            log.warning("the machine slept; %s deliveries fell due meanwhile and wait for a person's plan", late)
        self._awake_at = now  # last, so that a silence which could not be written down is found by the next pass

    def _until_next(self) -> float:
        """Seconds until a delivery may be claimed; what is due but blocked by its outlet is not asked for in a hurry."""
        due, idle = self.next_delivery(), self.settings.daemon.idle_seconds
        wait = (due - self.courier.desk.now()).total_seconds() if due else idle
        return min(wait if wait > 0 else BLOCKED_SECONDS, idle)

    async def _plan(self) -> None:
        await asyncio.to_thread(self.plan)

    async def _prepare(self) -> None:
        await self.prepare(self.courier.desk.now() + WRITTEN_AHEAD)

    async def _look(self) -> None:
        await self.courier.begin_looks(self.settings.daemon.wave)

    async def _withdraw(self) -> None:
        await withdrawing.withdraw(self.courier, self.settings.daemon.wave)

    async def _amend(self) -> None:
        await amending.amend(self.courier, self.settings.daemon.wave)

    async def _sweep(self) -> None:
        await sweeping.sweep(self.courier)

    async def _archive(self) -> None:
        await broadcasts.archive(self.courier)

    async def _tidy(self) -> None:
        await asyncio.to_thread(self.tidy)

    async def _measure(self) -> None:
        await measuring.measure(self.courier, self.settings.daemon.wave)

    async def _sources(self) -> None:
        await sources.refresh(self.courier)

    async def _renew(self) -> None:
        await renewing.renew(self.courier)

    async def _confirm(self) -> None:
        await confirming.confirm(self.courier, self.settings.daemon.wave)

    async def _returns(self) -> None:
        await returning.collect(self.courier)

    async def _tell(self) -> None:
        self._beside("tell", telling.tell(self.courier))

    async def _listen(self) -> None:
        self._beside("listen", listening.listen(self.courier))

    async def _seen(self) -> None:
        asked_at = uptime()
        await asyncio.to_thread(self._mark, "seen_at")
        self.lease.renewed(asked_at)

    def _mark(self, column: str) -> None:
        with self.courier.store.write("mark") as session:
            worker = session.get_one(Worker, self.courier.epoch)
            setattr(worker, column, self.courier.desk.now())
            session.add(worker)


def lock(folder: Path) -> IO[str]:
    """The data folder's lock, held as long as the file is open; raises SecondDaemon."""
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / "daemon.lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise SecondDaemon(
            f"Một tiến trình Lan Tỏa khác đang làm việc trên thư mục «{folder}». Hãy dừng nó trước khi chạy thêm."
        ) from error
    return file


def supervised() -> Notifier:
    """The supervisor of this process; its address is taken away, so that no child speaks for us."""
    return Notifier(os.environ.pop("NOTIFY_SOCKET", ""))


async def serve(settings: Settings) -> None:
    """The daemon alone, until SIGTERM or SIGINT."""
    with lock(settings.folder):
        store = Store(settings.database_url)
        store.check()
        with sole(store) as right:
            speaking = desk(settings, allow=own_addresses(settings))
            supervisor = supervised()
            daemon = Daemon(store, speaking, settings, passed=supervisor.pulse, may_work=right.held)

            def stop() -> None:
                supervisor.stopping()
                daemon.stop()

            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, stop)
            await daemon.run()
        store.close()


def main() -> int:
    """Run the daemon by itself."""
    try:
        settings = load()
        journaling.begin(settings.ops.log, Redactor(settings.ops.metrics_token))
        asyncio.run(serve(settings))
    except (BadSettings, OldSchema, SecondDaemon, SealBroken, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

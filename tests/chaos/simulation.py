"""The whole daemon in one thread, with virtual time and seeded faults: one seed tells one story, the same every time.

Real: the courier with claim, freeze, wire, record, look and recover, planning of posts and standing rules, approving,
settling, SQLite. Simulated: time, threads, the platforms, the people, and every way to fail.
"""

import asyncio
import logging
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from unittest.mock import patch

from sqlalchemy.exc import OperationalError

from campaigns import catching_up, holding, moves, planning
from campaigns.delivering import Courier
from campaigns.sweeping import sweep
from channels.contract import Message
from store import points
from store.engine import Store
from store.tables import Worker
from tests.chaos.invariants import Watch
from tests.chaos.simulated_channels import KINDS
from tests.chaos.simulated_life import LIFE, Died, Doom, Life, aside, owned_task
from tests.chaos.simulated_people import People
from tests.chaos.simulated_platform import HERE, Platforms
from tests.chaos.simulated_plot import BUSY, CLOCKS, FENCED, HOUR, MOMENTS, PLAN_EVERY, QUIET, Plot, Told
from tests.chaos.simulated_time import VirtualLoop, WallClock


def migrated(folder: Path) -> Path:
    """A migrated, empty database in the folder, made once and copied for every seed."""
    path = folder / "empty.db"
    if not path.exists():
        store = Store(f"sqlite:///{path}")
        store.migrate()
        with store.engine.connect() as connection:
            connection.exec_driver_sql("pragma wal_checkpoint(truncate)")
        store.close()
    return path


def in_memory() -> str | None:
    """A folder that lies in memory, where there is one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108


def simulate(seed: int, empty: Path, hasty: bool = False, plot: Plot | None = None) -> Told:
    """Tell the story of one seed; ``hasty`` ends it at the first violation."""
    logging.disable(logging.CRITICAL)
    folder = Path(tempfile.mkdtemp(prefix=f"lantoa-{seed}-", dir=in_memory()))
    try:
        shutil.copyfile(empty, folder / "lantoa.db")
        with patch("channels.registry.installed", lambda: KINDS), patch("asyncio.to_thread", aside):
            return _Story(seed, folder, hasty, plot or Plot()).tell()
    finally:
        logging.disable(logging.NOTSET)
        points.listen = None
        shutil.rmtree(folder, ignore_errors=True)


class _Story:
    def __init__(self, seed: int, folder: Path, hasty: bool, plot: Plot) -> None:
        self.seed, self.hasty, self.plot = seed, hasty, plot
        self.clock = CLOCKS[seed % len(CLOCKS)] if plot.clock is None else plot.clock
        self.chance = Random(seed)  # noqa: S311
        self.counts: Counter[str] = Counter()
        self.loop = VirtualLoop()
        self.loop.set_task_factory(owned_task)
        self.loop.set_exception_handler(lambda _loop, _context: None)
        self.wall = WallClock(self.loop, plot.start)
        self.store = Store(f"sqlite:///{folder}/lantoa.db")
        self.people = People(self.store, folder, self.wall, Random(seed + 1), self.counts)  # noqa: S311
        self.platforms = Platforms(
            Random(seed + 2), self.loop.time, lambda: self.wall.true, self._on_request, self._on_stage, self._on_copy, self.counts  # noqa: S311
        )  # fmt: skip
        self.people.platforms = self.platforms
        self.watch = Watch(
            self.store, self.people, self.platforms, self.wall, lambda: self.wall.true, self.loop.time, self.counts
        )
        self.platforms.lagging = plot.lagging
        # A clock that leaps ahead ends the settle time early; a list that forgets on top of it is beyond every promise.
        self.platforms.forgetful = self.clock in ("", "creeping")
        self.calm = False
        self.lives = 0
        self.planned_at: float | None = None

    def tell(self) -> Told:
        HERE[0] = self.platforms
        points.listen = self._passing
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(self._all())
            if not self.watch.found:
                self.watch.at_the_end()
        finally:
            points.listen = None
            asyncio.set_event_loop(None)
            _drain(self.loop)
            told = self._told()
            self.watch.rows.close()
            self.store.close()
        return told

    def _told(self) -> Told:
        rows = self.watch.rows.execute("select state, count(*) from delivery group by state").fetchall()
        for state, number in rows:
            self.counts[f"ended {state}"] += number
        self.counts["adopted"] += self.watch.rows.execute("select count(*) from delivery where adopted").fetchone()[0]
        history = self.watch.history(self.watch.found[0].key) if self.watch.found else []
        told = [str(one) for one in self.watch.found]
        return Told(self.seed, self.counts, told, history, sum(row[1] for row in rows), self.loop.virtual / HOUR)

    async def _all(self) -> None:
        self._begin()
        people = asyncio.ensure_future(self._people())
        lives = asyncio.ensure_future(self._lives())
        while self.loop.virtual < self.plot.length and not self._seen_enough():
            await asyncio.sleep(60.0)
            for done in (people, lives):
                if done.done() and done.exception():
                    done.result()
        people.cancel()
        self._calm_down()
        while self.loop.virtual < self.plot.length + QUIET and not self._quiet() and not self._seen_enough():
            await asyncio.sleep(300.0)
            self.people.put_right()
            if lives.done():
                lives.result()
        lives.cancel()
        sweeper = Courier(self.store, self.people.house.desk, "sweeper", Random(1), aside)  # noqa: S311
        self.counts["doubled and told"] += await sweep(sweeper)

    def _begin(self) -> None:
        self.people.stand_a_rule("20 */2 * * *", ["keyed", "listed"], 30)
        self.people.stand_a_rule("15 */4 * * *", ["staged", "blind", "rationed"], 120)
        self.people.stand_a_rule("5 */5 * * *", ["twoparts", "worked"], 5)
        for account in self.people.outlets:
            for _ in range(self.chance.choice((0, 0, 1))):
                start = self.chance.random() * self.plot.length
                self.platforms.outages.setdefault(account, []).append(
                    (start, start + self.chance.choice((300.0, 1800.0, 7200.0, 6 * HOUR)))
                )
                self.counts["outages"] += 1

    def _seen_enough(self) -> bool:
        return self.hasty and bool(self.watch.found)

    async def _people(self) -> None:
        length, chance = self.plot.length, self.chance
        plan: list[tuple[float, Callable[[], None]]] = []
        plan += [(chance.random() * (length - 7 * HOUR), self.people.write_a_post) for _ in range(self.plot.posts)]
        plan += [(chance.random() * length, self._somebody_decides) for _ in range(10)]
        plan += [(number * 900.0, self.people.put_right) for number in range(1, int(length // 900))]
        plan += self._clock_troubles()
        if self.seed % 3 == 0:
            plan.append((chance.random() * max(0.0, length - 10 * HOUR), self.people.write_many))
        for at, act in sorted(plan, key=lambda one: one[0]):
            await asyncio.sleep(max(0.0, at - self.loop.virtual))
            act()

    def _somebody_decides(self) -> None:
        found = self.watch.rows.execute(
            "select key from delivery where state = 'due' order by next_at limit 5"
        ).fetchall()
        if found:
            self.people.interfere(self.chance.choice(found)[0])

    def _clock_troubles(self) -> list[tuple[float, Callable[[], None]]]:
        at = self.chance.random() * (self.plot.length - 8 * HOUR) + HOUR
        if self.clock == "back":
            return [(at, lambda: self._jump(-3 * HOUR)), (at + 2 * HOUR, lambda: self._jump(3 * HOUR))]
        if self.clock == "ahead":
            return [(at, lambda: self._jump(26 * HOUR)), (at + 600.0, lambda: self._jump(-26 * HOUR))]
        if self.clock == "creeping":
            return [(at + 10.0 * number, lambda: self._jump(-1.0)) for number in range(180)]
        return []

    def _jump(self, seconds: float) -> None:
        self.wall.jump(seconds=seconds)
        self.watch.was_wrong = True
        self.watch.was_ahead |= self.wall.wrong_by > timedelta(0)
        self.counts[f"clock {'+' if seconds > 0 else '−'}{abs(seconds):.0f} s"] += 1

    def _step_at_the_wire(self) -> None:
        """NTP sets the clock right while a delivery is on the wire: an hour ahead, or back again."""
        if not self.calm and self.chance.random() < 0.05:
            self.counts["clock stepped at the wire"] += 1
            self._jump(-HOUR if self.wall.wrong_by else HOUR)

    def _calm_down(self) -> None:
        """No fault any more: from here everything must come to its end by itself."""
        self.calm = True
        self.platforms.faulty = False
        self.wall.wrong_by = timedelta(0)
        self.platforms.outages.clear()
        self.people.stop_the_rules()
        self.people.put_right()

    def _quiet(self) -> bool:
        left = self.watch.rows.execute(
            "select 1 from delivery where state in ('due', 'held', 'prepared', 'wire', 'unknown', 'needs_human') "
            "and due_at <= ? limit 1", (self.wall().replace(tzinfo=None).isoformat(" "),)
        ).fetchone()  # fmt: skip
        return left is None and self.loop.virtual > self.plot.length + HOUR

    async def _lives(self) -> None:
        while True:
            life = self._next_life()
            token = LIFE.set(life)
            running = asyncio.ensure_future(self._live(life))
            LIFE.reset(token)
            await life.over.wait()
            del running
            await asyncio.sleep(self.chance.choices((2.0, 20.0, 90.0, 1500.0, 5000.0), (6, 6, 3, 1, 0.5))[0])

    def _next_life(self) -> Life:
        self.lives += 1
        self.counts["lives"] += 1
        life = Life(f"life-{self.lives}", Random(self.chance.random()), self.counts, self.loop)  # noqa: S311
        life.doom = self._doom()
        return life

    def _doom(self) -> Doom | None:
        if self.calm:
            return None
        seconds = self.chance.choice((60.0, 200.0, 1500.0)) if self.chance.random() < 0.25 else 0.0
        # To sleep between the intent and the first byte is the worst that a life can do: it is tried more often.
        point = "wire:after" if seconds and self.chance.random() < 0.3 else self.chance.choice(MOMENTS)
        return Doom(point, self.chance.choice((1, 1, 2, 3, 5)), seconds)

    async def _live(self, life: Life) -> None:
        try:
            courier = Courier(self.store, self.people.house.desk, life.epoch, life.chance, aside)
            await aside(self._recover, life, courier)
            await aside(catching_up.at_start, self.store, self.wall())
            await aside(self._announce, life)
            beats = (self._deliver(life, courier), self._look(life, courier), self._plan(life, courier))
            await asyncio.gather(*beats)
        except (Died, asyncio.CancelledError):
            life.over.set()
        except OperationalError:
            life.die()

    def _announce(self, life: Life) -> None:
        now = self.wall()
        with self.store.write("announce") as session:
            session.add(Worker(epoch=life.epoch, host="simulated", pid=1, started_at=now, seen_at=now))

    async def _deliver(self, life: Life, courier: Courier) -> None:
        patience = 1.0
        while not life.retired:
            try:
                claimed = await courier.begin(20) if self._something_waits() else 0
            except OperationalError:
                claimed = 0
            patience = 1.0 if claimed else min(patience * 2, 120.0)
            await asyncio.sleep(0.2 if claimed else self._until_next("due", patience))

    async def _look(self, life: Life, courier: Courier) -> None:
        patience = 1.0
        while not life.retired:
            try:
                looked = await courier.begin_looks(20)
            except OperationalError:
                looked = 0
            patience = 1.0 if looked else min(patience * 2, 60.0)
            await asyncio.sleep(self._until_next("unknown", patience))

    async def _plan(self, life: Life, courier: Courier) -> None:
        while not life.retired:
            try:
                await aside(self._plan_once)
                await aside(self._tidy)
                await courier.freeze_ahead(self.wall() + timedelta(minutes=3), 20)
                await courier.stage_ahead(self.wall() + timedelta(minutes=2), 20)
                await aside(self._recover, life, courier)
            except OperationalError:
                self.counts["a beat failed"] += 1
            await asyncio.sleep(PLAN_EVERY)

    def _something_waits(self) -> bool:
        """Whether a claim would find anything to take, miss or hold: asking costs less than claiming."""
        kept = self.wall().replace(tzinfo=None).isoformat(" ")
        query = "select 1 from delivery where state = 'due' and next_at <= ? limit 1"
        return self.watch.rows.execute(query, (kept,)).fetchone() is not None

    def _recover(self, life: Life, courier: Courier) -> None:
        if not life.retired:  # the folder's lock, or the lease: who is given up does not judge the others
            courier.recover()

    def _plan_once(self) -> None:
        if self.planned_at is not None and self.loop.virtual < self.planned_at + PLAN_EVERY / 2:
            return
        with self.store.write("plan") as session:
            planning.plan(session, self.wall(), timedelta(hours=1))
        self.planned_at = self.loop.virtual

    def _tidy(self) -> None:
        now = self.wall()
        with self.store.write("miss") as session:
            moves.miss(session, now)
            holding.give_up(session, now)

    def _until_next(self, state: str, patience: float) -> float:
        query = f"select min(next_at) from delivery where state = '{state}'"  # noqa: S608 - one of two words
        found = self.watch.rows.execute(query).fetchone()[0]
        if found is None:
            return 60.0
        wait = (_moment(found) - self.wall().replace(tzinfo=None)).total_seconds()
        return min(wait + 0.01, 120.0) if wait > 0 else patience

    def _passing(self, name: str) -> None:
        what, _, when = name.rpartition(":")
        life = LIFE.get()
        if life is None:
            return
        if life.dead:
            raise Died(name)
        if when == "before":
            self.watch.before_commit(what)
            self._before = self.watch.snapshot() if life.retired else None
            if not self.calm and self.chance.random() < BUSY:
                self.counts[f"database busy {what}"] += 1
                raise OperationalError(what, None, sqlite3.OperationalError("database is locked"))
        elif when == "after":
            self.watch.after_commit(what)
            if what == "wire" and self.clock == "at the wire":
                self._step_at_the_wire()
            if life.retired and self._before is not None:
                self.counts[f"written by a life that was over: {what}"] += 1
                if what in FENCED:
                    self.watch.old_fence(life.epoch, self._before)
        life.step(name)

    def _on_request(self, account: str, message: Message, part: int) -> None:
        self.watch.on_request(account, message, part)

    def _on_copy(self, key: str, part: int) -> None:
        if not self.plot.lagging and len(self.platforms.of(key, part)) > 1:
            self.watch.wrong("I3", key, f"part {part} is out twice")

    def _on_stage(self, message: Message) -> None:
        if not self.calm and self.chance.random() < 0.03:
            self.people.interfere(message.key)


def _moment(kept: str) -> datetime:
    return datetime.fromisoformat(kept)


def _drain(loop: VirtualLoop) -> None:
    """End what is left of every life, and close the loop."""
    for _ in range(5):
        left = asyncio.all_tasks(loop)
        if not left:
            break
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.wait(left, timeout=1.0))
    loop.close()

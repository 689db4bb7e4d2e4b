"""R14: posts went out for six hours after the backup, then the backup is brought back: none of them is sent again blind."""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from sqlalchemy import insert
from sqlmodel import col, func, select

from campaigns.bringing_back import Brought, bring_back
from campaigns.delivering import Courier
from campaigns.outlets import Desk
from store import backups
from store.backups import Place
from store.engine import Store
from store.files import Files
from store.tables import Delivery, Source, SourceItem, Ward
from store.vault import Vault
from tests.chaos import checker, evidence, outlets, serving, world
from tests.chaos.clock import MORNING
from tests.chaos.world import World

HOURS = timedelta(hours=6)
BEFORE = 60
SETTLED_AFTER = timedelta(minutes=30)
STEP = timedelta(minutes=4)
RTO_SECONDS = 60.0
ROW_BYTES = 2000
ROWS_AT_A_TIME = 2000


class Steps:
    """A clock that goes only when told to."""

    def __init__(self) -> None:
        self.at = MORNING

    def __call__(self) -> datetime:
        return self.at


@dataclass
class Restored:
    """What a run came to; ``again`` are the visible requests that reached the platforms after the restore for what was out."""

    sent: int = 0
    again: int = 0
    doubled: int = 0
    adopted: dict[str, int] = field(default_factory=dict)
    of: dict[str, int] = field(default_factory=dict)
    flagged: int = 0
    seconds: float = 0.0
    megabytes: float = 0.0
    violations: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> list[str]:
        """Everything that must not be; empty when it is green."""
        found = list(self.violations)
        found += [f"{self.again} sent again blind"] if self.again else []
        found += [f"{self.doubled} doubled"] if self.doubled else []
        for letter in "ABC":
            if self.adopted.get(letter, 0) < 0.99 * self.of.get(letter, 0):
                found.append(f"class {letter}: {self.adopted.get(letter, 0)} of {self.of.get(letter, 0)} adopted")
        if self.flagged != self.of.get("D", 0):
            found.append(f"class D: {self.flagged} of {self.of.get('D', 0)} before a person")
        found += [f"brought back in {self.seconds:.1f} s"] if self.seconds > RTO_SECONDS else []
        return found


def restore(store: Store, folder: Path, deliveries: int, megabytes: int, seed: int) -> Restored:
    """Send ``deliveries`` after a backup of a database of about ``megabytes``, bring it back six hours later, go on."""
    clock, made = Steps(), Restored()
    with outlets.installed(), serving.served(folder, seed, share=0.0) as platform:
        place = World(store.url, str(folder), platform.port, time.time(), 1.0)
        houses = world.furnish(store, place, 3)
        keys = world.deliveries(store, place, houses, BEFORE + deliveries, seed, HOURS)
        late = keys[BEFORE:]
        _set_hours(store, keys)
        _fill(store, megabytes, seed)
        desk = _desk(folder, platform.port, clock)
        asyncio.run(_until(store, desk, clock, MORNING + timedelta(minutes=50), "trước"))
        home = Place(folder, folder / "khoa")
        backup = backups.make(store, home, folder / "sao-luu", clock(), "0")
        asyncio.run(_until(store, _desk(folder, platform.port, clock), clock, MORNING + HOURS, "giữa"))
        before = platform.truth()
        made.sent = sum(1 for key in late if before.copies.get(key))
        clock.at = MORNING + HOURS + timedelta(minutes=50)
        brought = _timed(store, home, backup, clock, made)
        made.violations += (
            [] if brought.settled.looked_up + brought.settled.for_people >= len(late) else ["not doubted"]
        )
        asyncio.run(_until(store, _desk(folder, platform.port, clock), clock, clock() + SETTLED_AFTER, "sau"))
        after = platform.truth()
    _judge(store, made, late, before, after)
    # The tries that were on record after the backup are gone with it: what is out is compared, not what was asked.
    truth = checker.Truth(after.copies)
    made.violations += [str(one) for one in checker.check(store, truth, world.classes(store), keys, finished=False)]
    return made


def run_piece(name: str, store: Store, size: int | None, seed: int, folder: Path) -> bool:
    """The whole test with ``size`` deliveries and a database of 250 MB; whether it is green."""
    done = restore(store, folder.absolute(), size or 500, 250, seed)
    say(name, store, seed, done)
    return not done.wrong


def say(name: str, store: Store, seed: int, done: Restored) -> None:
    """Tell the counts and the verdict."""
    counts: dict[str, int | float | str] = {
        "database": store.dialect, "sent_after_the_backup": done.sent, "sent_again_blind": done.again, "doubled": done.doubled,
        **{f"adopted_{letter}": f"{done.adopted.get(letter, 0)}/{done.of.get(letter, 0)}" for letter in "ABC"},
        "before_a_person_D": f"{done.flagged}/{done.of.get('D', 0)}", "megabytes": round(done.megabytes, 1),
        "seconds_to_bring_back": round(done.seconds, 2),
    }  # fmt: skip
    verdict = "nothing sent blind after the restore" if not done.wrong else f"RED: {done.wrong[0]}"
    evidence.say(name, seed, counts, verdict)


def _timed(store: Store, home: Place, backup: Path, clock: Steps, made: Restored) -> Brought:
    made.megabytes = _size(store)
    store.close()
    began = time.monotonic()
    brought = bring_back(store.url, home, backup, (), clock(), replace=True)
    made.seconds = time.monotonic() - began
    return brought


def _judge(store: Store, made: Restored, late: list[str], before: checker.Truth, after: checker.Truth) -> None:
    letters = world.classes(store)
    assert before.requests is not None and after.requests is not None
    with store.read() as session:
        rows = {row.key: row for row in session.exec(select(Delivery).where(col(Delivery.key).in_(late))).all()}
    for key in late:
        if not before.copies.get(key):
            continue
        letter = letters[rows[key].outlet_id]
        made.of[letter] = made.of.get(letter, 0) + 1
        made.again += after.requests.get(key, 0) - before.requests.get(key, 0)
        made.doubled += len(after.copies[key]) > 1
        made.adopted[letter] = made.adopted.get(letter, 0) + (rows[key].state == "sent" and rows[key].adopted)
        made.flagged += rows[key].state == "needs_human" and letter == "D"


async def _until(store: Store, desk: Desk, clock: Steps, end: datetime, epoch: str) -> None:
    courier = Courier(store, desk, epoch, Random(1))
    courier.recover()
    while clock() < end:
        while await courier.deliver(64):
            pass
        await courier.look(500)
        clock.at += STEP
    await desk.wire.close()


def _desk(folder: Path, port: int, clock: Steps) -> Desk:
    return Desk(outlets.wire(port, 5.0), Files(folder / "tep", "http://site.test"), Vault.open(folder / "khoa"), clock)


def _set_hours(store: Store, keys: list[str]) -> None:
    """The first BEFORE fall due within the first half hour, before the backup; the others evenly in the hours after it."""
    pace = (HOURS - timedelta(minutes=70)) / max(len(keys) - BEFORE, 1)
    with store.write() as session:
        rows = {row.key: row for row in session.exec(select(Delivery).where(col(Delivery.key).in_(keys))).all()}
        for number, key in enumerate(keys):
            early = number < BEFORE
            when = timedelta(seconds=25 * number) if early else timedelta(hours=1) + pace * (number - BEFORE)
            rows[key].due_at = rows[key].next_at = MORNING + when
            session.add(rows[key])


def _fill(store: Store, megabytes: int, seed: int) -> None:
    """A long history of news in the database: text that packs about as news does."""
    chance = Random(seed)
    words = [f"{chance.getrandbits(40):x}" for _ in range(4000)]
    with store.write() as session:
        ward_id = session.exec(select(func.min(Ward.id))).one()
        source = Source(ward_id=ward_id, name="Nguồn", url="https://x.vn/rss", active=False)
        session.add(source)
        session.flush()
        source_id = source.id
    for start in range(0, megabytes * 1_000_000 // ROW_BYTES, ROWS_AT_A_TIME):
        with store.write() as session:
            session.execute(insert(SourceItem), [
                {"ward_id": ward_id, "source_id": source_id, "guid": str(start + each), "url": "u", "title": "t", "fingerprint": "f",
                 "summary": " ".join(chance.choices(words, k=ROW_BYTES // 11)), "seen_at": MORNING}
                for each in range(ROWS_AT_A_TIME)
            ])  # fmt: skip


def _size(store: Store) -> float:
    with store.engine.connect() as connection:
        if store.dialect == "postgresql":
            return float(connection.exec_driver_sql("select pg_database_size(current_database())").scalar_one()) / 1e6
        pages = connection.exec_driver_sql("pragma page_count").scalar_one()
        return float(pages * connection.exec_driver_sql("pragma page_size").scalar_one()) / 1e6

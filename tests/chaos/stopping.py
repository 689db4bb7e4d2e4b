"""R5 on PostgreSQL: the server is stopped at once (``pg_ctl -m immediate``), again and again, while workers deliver.

The workers live on through it. After each start the database must know every approval that was acknowledged and every
visible request that the platform saw; at the end nothing is lost, doubled or told wrongly.
"""

import shutil
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random

from sqlalchemy.exc import OperationalError
from sqlmodel import col, select

from channels.wire import Wire
from store.engine import Store
from store.tables import Attempt, Delivery, Post
from tests.chaos import checker, databases, evidence, outlets, serving, world, zygote
from tests.chaos.checker import Violation
from tests.chaos.storms import SCALE
from tests.chaos.world import Place, World

SECONDS_A_STOP = 3.0
WARDS, WORKERS, EACH = 4, 2, 12


@dataclass
class Stops:
    """What the stops showed."""

    stops: int = 0
    approvals: int = 0
    lost_approvals: int = 0
    lost_marks: int = 0
    violations: list[Violation] = field(default_factory=list)

    def counts(self, seconds: float) -> dict[str, int | float | str]:
        """The figures."""
        each = [violation.invariant for violation in self.violations]
        return {
            "immediate_stops": self.stops,
            "acknowledged_approvals": self.approvals,
            "refused_approvals": each.count("person"),
            "lost_approvals": self.lost_approvals,
            "lost_wire_marks": self.lost_marks,
            "lost": each.count("I1"),
            "told_wrongly": each.count("I2"),
            "doubled": each.count("I3"),
            "seconds": round(seconds, 1),
        }

    @property
    def green(self) -> bool:
        """Whether nothing was lost."""
        return not (self.violations or self.lost_approvals or self.lost_marks)


def stops(folder: Path, number: int, seed: int) -> Stops:
    """``number`` stops while two workers carry twelve deliveries for each stop."""
    with (
        databases.postgresql(folder) as store,
        outlets.installed(),
        serving.served(folder, seed) as platform,
        zygote.zygote() as mother,
    ):
        place = World(store.url, str(folder.absolute()), platform.port, time.time(), SCALE)
        wards = world.furnish(store, place, WARDS)
        spread = timedelta(seconds=number * SECONDS_A_STOP * SCALE)
        keys = world.deliveries(store, place, wards, number * EACH, seed, spread)
        found = Stops()
        stopping = threading.Thread(target=_stop, args=(store, folder, number, seed, platform, place, wards[0], found))
        stopping.start()
        done = mother.storm(place, 0, WORKERS, seed, number * SECONDS_A_STOP * 2 + 240)
        stopping.join()
        truth, classes = platform.truth(), world.classes(store)
        found.violations += checker.check(store, truth, classes, keys, finished=done.finished)
        found.violations += checker.unflagged(store, classes)
        if not done.finished:
            found.violations.append(Violation("I8", "", "the workers did not finish"))
    return found


def _stop(
    store: Store, folder: Path, number: int, seed: int, platform: serving.Served, place: World, ward: Place, found: Stops
) -> None:  # fmt: skip
    chance, desk = Random(seed), place.desk(Wire())
    for each in range(number):
        time.sleep(chance.uniform(0.5, 1.5))
        try:
            with store.write() as session:
                post = world.approved(session, desk, ward, 1000 + each).id
        except OperationalError as error:
            found.violations.append(Violation("person", "", f"an approval was refused: {error.orig}"))
            continue
        found.approvals += 1
        seen = platform.truth().requests or {}
        databases.stop_at_once(folder)
        found.stops += 1
        store.close()
        approved, marks = _on_record(store)
        found.lost_approvals += post not in approved
        found.lost_marks += sum(marks[key] < times for key, times in seen.items())


def _on_record(store: Store) -> tuple[set[int | None], Counter[str]]:
    with store.read() as session:
        approved = set(session.exec(select(Post.id).where(Post.state == "approved")).all())
        wanted = select(Delivery.key).join(Attempt, col(Attempt.delivery_id) == col(Delivery.id))
        return approved, Counter(session.exec(wanted.where(Attempt.verb == "publish")).all())


def run_piece(name: str, number: int, seed: int, folder: Path) -> bool:
    """The long run."""
    began = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    found = stops(folder, number, seed)
    verdict = "no immediate stop takes anything that was acknowledged" if found.green else "RED: something was lost"
    evidence.say(name, seed, found.counts(time.monotonic() - began), verdict)
    for violation in found.violations[:50]:
        sys.stdout.write(f"{violation}\n")
    return found.green

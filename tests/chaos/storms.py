"""R1: real workers on a real database are killed at random moments while a faulty platform answers; then all is counted."""

import json
import sys
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlmodel import func, select

from store.engine import Store
from store.tables import Attempt, Delivery, Worker
from tests.chaos import checker, evidence, outlets, serving, world, zygote
from tests.chaos.checker import Violation
from tests.chaos.pieces import ToBeContinued
from tests.chaos.world import World

SCALE = 20.0
WARDS = 1
STRETCH_SECONDS = 500
SECONDS_A_KILL = 0.3
"""A kill comes after 0.07 to 0.42 s, and starting the next life takes a moment."""


@dataclass(frozen=True)
class Size:
    """How large a storm is. ``wards`` have six outlets each; ``seconds`` is when it is broken off, to be taken up again."""

    deliveries: int
    kills: int
    wards: int
    workers: int
    seconds: float


@dataclass(frozen=True)
class Result:
    """What a storm showed; not ``finished``: its folder takes it up again."""

    finished: bool
    violations: list[Violation]
    counts: dict[str, int | float | str]

    def verdict(self) -> str:
        """One line."""
        if not self.finished:
            return "to be continued"
        found = sorted({violation.invariant for violation in self.violations})
        return "RED: " + ", ".join(found) if found else "nothing lost, nothing doubled, nothing told wrongly"


def storm(store: Store, folder: Path, size: Size, seed: int) -> Result:
    """Build the world (or take up the one in the folder), kill until enough, let the last life finish, check."""
    kept = folder / "storm.json"
    before: dict[str, Any] = (
        json.loads(kept.read_text()) if kept.exists() else {"kills": 0, "seconds": 0.0, "ended": 0.0}
    )
    port = World.loads(before["world"]).port if "world" in before else 0
    with outlets.installed(), serving.served(folder, seed, port) as platform, zygote.zygote() as mother:
        place = _taken_up(before) if port else _made(store, folder, platform.port, size, seed)
        left = size.kills - before["kills"]
        done = mother.storm(place, left, size.workers, seed + before["kills"], size.seconds)
        now = {"kills": before["kills"] + done.kills, "seconds": before["seconds"] + done.seconds}
        kept.write_text(json.dumps({**now, "ended": time.time(), "world": place.dumps()}))
        truth, faults = platform.truth(), platform.faults()
    classes = world.classes(store)
    expected = json.loads((folder / "keys.json").read_text())
    found = checker.check(store, truth, classes, expected, finished=done.finished)
    found += checker.integrity(store)
    found += checker.unflagged(store, classes) if done.finished else []  # broken off, some are still on their way there
    return Result(done.finished, found, _counts(store, classes, found, faults, now))


def _made(store: Store, folder: Path, port: int, size: Size, seed: int) -> World:
    made = World(store.url, str(folder), port, time.time(), scale=0.0)  # its clock stands still while it is built
    places = world.furnish(store, made, size.wards)
    spread = timedelta(seconds=size.kills * SECONDS_A_KILL * SCALE)
    keys = world.deliveries(store, made, places, size.deliveries, seed, spread)
    (folder / "keys.json").write_text(json.dumps(keys))
    return replace(made, began=time.time(), scale=SCALE)


def _taken_up(before: dict[str, Any]) -> World:
    """The world goes on where its clock stood."""
    kept = World.loads(before["world"])
    return replace(kept, began=kept.began + time.time() - before["ended"])


def _counts(
    store: Store,
    classes: dict[int, str],
    found: list[Violation],
    faults: dict[str, int],
    now: dict[str, float],
) -> dict[str, int | float | str]:
    visible = {name: number for name, number in faults.items() if "_" not in name or name.split("_")[0] in VISIBLE}
    asked = sum(visible.values())
    each = [violation.invariant for violation in found]
    flagged = checker.flagged(store, classes)
    return {
        "database": store.dialect,
        "deliveries": sum(checker.states(store).values()),
        "kills": int(now["kills"]),
        "lives": _count(store, select(func.count()).select_from(Worker)) - 1,
        "deaths_on_the_wire": _count(store, select(func.count()).where(Attempt.outcome == "crash")),
        "adopted": _count(store, select(func.count()).where(Delivery.adopted)),
        "seconds": round(now["seconds"], 1),
        "visible_requests": asked,
        "faulty_percent": round(100 * (1 - visible.get("ok", 0) / max(asked, 1)), 1),
        "lost": each.count("I1"),
        "told_wrongly": each.count("I2"),
        "doubled": each.count("I3"),
        "without_intent": each.count("I4"),
        "left_over": each.count("I8"),
        "broken_chains": each.count("I12"),
        **{f"flagged_{letter}": flagged.get(letter, 0) for letter in "ABCD"},
        **{f"state_{state}": number for state, number in sorted(checker.states(store).items())},
    }


def _count(store: Store, query: Any) -> int:
    with store.read() as session:
        return int(session.exec(query).one())


VISIBLE = frozenset({"drop", "error", "slow"})


def workers_of(store: Store) -> int:
    """How many workers such a database has at once: one daemon on SQLite, several on PostgreSQL."""
    return 1 if store.dialect == "sqlite" else 3


def run_piece(name: str, store: Store, kills: int, seed: int, folder: Path) -> bool:
    """The long storm, a stretch of it in each call; raises ToBeContinued until the last life has finished all work."""
    size = Size(10 * kills, kills, WARDS, workers_of(store), STRETCH_SECONDS)
    result = storm(store, folder, size, seed)
    if not result.finished and not result.violations:
        raise ToBeContinued(f"{result.counts['kills']} of {kills} kills, {result.counts.get('state_sent', 0)} sent")
    evidence.say(name, seed, result.counts, result.verdict())
    for violation in result.violations[:50]:
        sys.stdout.write(f"{violation}\n")
    return not result.violations

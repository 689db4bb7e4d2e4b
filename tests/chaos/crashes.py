"""R2: a worker dies at every named moment, for every class of channel and every answer; the next lives make it good.

Which moments there are is not written down but seen: a first life without a crash tells every point that it passes,
and each of these passings is then a case of its own. So are the passings of a second life, which finds what a first
one left on the wire.
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from sqlalchemy import insert

from channels.wire import Wire
from store.engine import Store
from store.tables import Delivery, Post
from tests.chaos import checker, evidence, outlets, serving, world, zygote
from tests.chaos.checker import Violation
from tests.chaos.living import Order
from tests.chaos.pieces import ToBeContinued
from tests.chaos.world import World

SCALE = 100.0
RESTART = 60.0
"""Virtual seconds between two lives: as long as a restart takes, and longer than a lease."""
LETTERS = "ABCD"
OUTCOMES = ("ok", "drop_after", "error_before", "error_after", "busy", "garbage", "no_draft")
MUST = frozenset(
    [f"{name}:{side}" for name in ("claim", "freeze", "wire", "published", "looked", "recover", "staged")
     for side in ("before", "after")] + ["wire.leaving", "wire.first_byte", "wire.last_byte", "wire.answered"]
)  # fmt: skip
"""The moments that must be among those seen: a point that vanishes from the product would else be tested by nobody."""
BY_THE_CLOCK = ("mark:", "write:")
"""The moments of beats that come by the clock: how often a short life passes them depends on the machine."""
PASSINGS = 3
"""Of a point that is passed again and again while nothing happens, so many passings are cases."""
STRETCH_SECONDS = 500
KEPT = "crashes.json"


class Case(NamedTuple):
    """One crash: the class, the answer, the life that dies (1 or 2), where it dies and at which passing."""

    letter: str
    outcome: str
    life: int
    point: str
    nth: int

    def __str__(self) -> str:
        return f"class {self.letter}, {self.outcome}, life {self.life} dies at {self.point} #{self.nth}"


@dataclass
class Tally:
    """What was done so far; kept in the folder so that a long run can be taken up again."""

    cases: list[list[Any]]
    done: int
    skip: float
    keys: dict[str, str]
    hits: dict[str, int]
    unfinished: list[str]


class Stage:
    """One store with one outlet of each class, a platform that answers as told, and lives that die as told."""

    def __init__(self, store: Store, folder: Path, mother: zygote.Zygote, platform: serving.Served, seed: int) -> None:
        self.store, self.mother, self.platform = store, mother, platform
        self.chance = Random(seed)
        self.path = folder / KEPT
        self.tally = Tally([], 0, 0.0, {}, {}, [])
        if self.path.exists():
            self._take_up(json.loads(self.path.read_text()))
        else:
            self._build(World(store.url, str(folder), platform.port, time.time(), SCALE))
        self.outlets = {letter: id for id, letter in world.classes(store).items()}

    def _build(self, made: World) -> None:
        self.world = made
        place = world.furnish(self.store, made, 1, LETTERS.lower())[0]
        with self.store.write() as session:
            self.post = world.approved(session, made.desk(Wire()), place, 1).id or 0

    def _take_up(self, kept: dict[str, Any]) -> None:
        was = World.loads(kept.pop("world"))
        self.world = replace(was, began=was.began + time.time() - kept.pop("ended"))
        self.post = kept.pop("post")
        self.tally = Tally(**kept)
        self.chance.seed(f"{self.chance.random()} {self.tally.done}")

    def discover(self, every: bool) -> None:
        """Every case there is: the passings of a first life, and of a second one after a death on the wire.

        Without ``every``, second lives are seen only after an answer that would have been good.
        """
        for letter, outcome in product(LETTERS, OUTCOMES):
            if outcome == "no_draft" and letter != "B":
                continue
            first = self._run(letter, outcome, [Order()])
            self._add(letter, outcome, 1, first)
            if not every and outcome != "ok":
                continue
            second = self._run(letter, outcome, [Order(point="wire.last_byte"), Order()])
            self._add(letter, outcome, 2, second)

    def _add(self, letter: str, outcome: str, life: int, passed: Iterable[str]) -> None:
        for point, times in Counter(passed).items():
            self.tally.cases += [list(Case(letter, outcome, life, point, n + 1)) for n in range(min(times, PASSINGS))]

    def crash(self, case: Case) -> None:
        """Play one case to its end."""
        orders = [Order(point="wire.last_byte")] if case.life == 2 else []
        self._run(case.letter, case.outcome, [*orders, Order(point=case.point, nth=case.nth), Order()], case)

    def _run(self, letter: str, outcome: str, orders: Sequence[Order], case: Case | None = None) -> list[str]:
        """Lives one after another on one new delivery, until it is done; gives what the last of them passed."""
        key = self._new(letter, outcome)
        self.tally.keys[key] = str(case or f"class {letter}, {outcome}, life {len(orders)} seen")
        for position, order in enumerate(orders):
            life = self._live(order)
            if life.killed and case and position == case.life - 1:
                self.tally.hits[case.point] = self.tally.hits.get(case.point, 0) + 1
            if life.finished:
                return life.passed
        if not life.finished:
            life = self._live(Order())
        if not life.finished:
            self.tally.unfinished.append(self.tally.keys[key])
        return life.passed

    def _live(self, order: Order) -> zygote.Life:
        self.tally.skip += RESTART
        given = Order(self.chance.randrange(10**9), order.point, order.nth, self.tally.skip, 30.0, 0.02)
        return self.mother.life(self.world, given)

    def _new(self, letter: str, outcome: str) -> str:
        key = world.new_key(self.chance)
        self.platform.script({f"{key}/draft": ["error_before"]} if outcome == "no_draft" else {key: [outcome]})
        now = self.world.clock(self.tally.skip)()
        with self.store.write() as session:
            post = session.get_one(Post, self.post)
            session.execute(insert(Delivery), [world.row(post, self.outlets[letter], key, now, now)])
        return key

    def keep(self) -> None:
        """Write down how far it is."""
        kept = {"world": self.world.dumps(), "post": self.post, "ended": time.time(), **asdict(self.tally)}
        self.path.write_text(json.dumps(kept))

    def check(self) -> list[Violation]:
        """What does not hold, with the case in which it came about."""
        classes = world.classes(self.store)
        found = checker.check(self.store, self.platform.truth(), classes, self.tally.keys)
        found += checker.unflagged(self.store, classes) + checker.integrity(self.store)
        told = [Violation(one.invariant, one.key, f"{one.said} [{self.tally.keys.get(one.key, '')}]") for one in found]
        return told + [Violation("I8", "", f"never finished: {case}") for case in self.tally.unfinished]


@dataclass(frozen=True)
class Result:
    """What the crashes showed; ``thin`` are the points that were hit too seldom, ``gone`` those that nobody saw."""

    finished: bool
    violations: list[Violation]
    thin: dict[str, int]
    gone: list[str]
    counts: dict[str, int | float | str]

    @property
    def green(self) -> bool:
        """Whether nothing is wrong, and every point was hit often enough for that to mean something."""
        return not (self.violations or self.thin or self.gone)

    def verdict(self) -> str:
        """One line."""
        found = sorted({violation.invariant for violation in self.violations})
        if found or self.gone:
            return f"RED: {', '.join(found)} {', '.join(f'no point {name}' for name in self.gone)}".strip()
        return f"RED: too few hits of {self.thin}" if self.thin else "dying at any moment loses and doubles nothing"


def crashes(store: Store, folder: Path, wanted: int, every: bool, seed: int, seconds: float) -> Result:
    """Every point is hit ``wanted`` times; with ``every``, each case is also played at least once.

    Broken off after ``seconds`` and taken up again from the folder.
    """
    kept = json.loads((folder / KEPT).read_text()) if (folder / KEPT).exists() else {}
    port = World.loads(kept["world"]).port if kept else 0
    began, end = time.monotonic(), time.monotonic() + seconds
    with (
        outlets.installed(),
        serving.served(folder, seed, port, share=0.0, lag=0.0) as platform,
        zygote.zygote() as mother,
    ):
        stage = Stage(store, folder, mother, platform, seed)
        if not stage.tally.cases:
            stage.discover(every)
        plan = _plan([Case(*case) for case in stage.tally.cases], wanted, every, seed)
        while stage.tally.done < len(plan) and time.monotonic() < end:
            stage.crash(plan[stage.tally.done])
            stage.tally.done += 1
        stage.keep()
        finished = stage.tally.done >= len(plan)
        found = stage.check() if finished else []
    return _result(stage.tally, found, finished, wanted, store.dialect, time.monotonic() - began)


def _plan(cases: list[Case], wanted: int, every: bool, seed: int) -> list[Case]:
    """The cases to play, in a seeded order, with one more of each point than wanted: not every passing comes again."""
    by_point: dict[str, list[Case]] = {}
    for case in Random(seed).sample(cases, len(cases)):
        by_point.setdefault(case.point, []).append(case)
    chosen = [case for found in by_point.values() for case in (found if every else found[: wanted + 1])]
    for found in by_point.values():
        lacking = wanted + max(1, wanted // 4) - len(found)
        chosen += [found[number % len(found)] for number in range(max(lacking, 0))]
    return Random(seed).sample(chosen, len(chosen))


def _result(
    tally: Tally, found: list[Violation], finished: bool, wanted: int, dialect: str, seconds: float
) -> Result:  # fmt: skip
    points = {case[3] for case in tally.cases}
    hits = {point: tally.hits.get(point, 0) for point in sorted(points) if not point.startswith(BY_THE_CLOCK)}
    thin = {point: number for point, number in hits.items() if number < wanted} if finished else {}
    each = [violation.invariant for violation in found]
    counts: dict[str, int | float | str] = {
        "database": dialect,
        "points": len(points),
        "cases_seen": len(tally.cases),
        "cases_played": tally.done,
        "deaths": sum(hits.values()),
        "fewest_hits_of_a_point": min(hits.values(), default=0),
        "lost": each.count("I1"),
        "told_wrongly": each.count("I2"),
        "doubled": each.count("I3"),
        "without_intent": each.count("I4"),
        "left_over": each.count("I8"),
        "broken_chains": each.count("I12"),
        "seconds_of_this_stretch": round(seconds, 1),
    }
    return Result(finished, found, thin, sorted(MUST - points), counts)


def run_piece(name: str, store: Store, wanted: int, seed: int, folder: Path) -> bool:
    """Every case, each point at least ``wanted`` times; a stretch in each call."""
    result = crashes(store, folder, wanted, True, seed, STRETCH_SECONDS)
    if not result.finished:
        raise ToBeContinued(f"{result.counts['cases_played']} crashes played")
    evidence.say(name, seed, result.counts, result.verdict())
    for violation in result.violations[:50]:
        sys.stdout.write(f"{violation}\n")
    return result.green

"""R3 by many seeds: stories told two at a time, added up, with proof that every kind of trouble really came."""

import json
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from tests.chaos.simulated_platform import LOOK, PUBLISH, STAGE
from tests.chaos.simulated_plot import MOMENTS, Plot, Told
from tests.chaos.simulation import migrated, simulate

AT_ONCE = 2

ALWAYS_SOMETIMES = (
    *(f"died {moment}" for moment in MOMENTS),
    *(f"publish {fault}" for fault in (*PUBLISH, "down")),
    *(f"stage {fault}" for fault in (*STAGE, "down")),
    *(f"look {fault}" for fault in LOOK),
    "froze wire:after", "froze net:remote", "froze net:answer", "froze published:before", "thawed", "adopted", "settled",
    "publish too late to leave", "written by a life that was over: published", "withdrawn", "edited unseen", "paused", "held",
    "interfered withdraw", "interfered edit_unseen", "interfered pause", "interfered hold", "database busy published",
    "database busy wire", "clock −10800 s", "clock +93600 s", "clock −1 s", "ended sent", "ended missed",
    "ended failed", "ended cancelled", "outages",
)  # fmt: skip
"""What must have come at least once over enough seeds: else a green run proves nothing."""


@dataclass
class Tally:
    """What many stories add up to."""

    seeds: int = 0
    deliveries: int = 0
    hours: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def add(self, told: Told) -> None:
        """One more story."""
        self.seeds += 1
        self.deliveries += told.deliveries
        self.hours += told.hours
        self.counts += told.counts
        if told.violations:
            shown = "\n".join([f"seed {told.seed}:", *told.violations[:6], *told.history])
            self.failures.append(shown)

    @property
    def crashes(self) -> int:
        """How often a life ended in the middle of something."""
        return sum(number for name, number in self.counts.items() if name.startswith(("died ", "froze ")))

    def never(self) -> list[str]:
        """The troubles that never came."""
        return [name for name in ALWAYS_SOMETIMES if not self.counts[name]]

    def figures(self) -> dict[str, int | float | str]:
        """For the evidence."""
        publishes = {name: number for name, number in self.counts.items() if name.startswith("publish ")}
        wrong = sum(publishes.values()) - publishes.get("publish ok", 0) - publishes.get("publish slow", 0)
        return {
            "seeds": self.seeds, "virtual_days": round(self.hours / 24, 1), "deliveries": self.deliveries,
            "crashes": self.crashes, "frozen_and_woken": self.counts["thawed"], "visible_steps": sum(publishes.values()),
            "faulty_share": round(wrong / max(1, sum(publishes.values())), 3), "adopted": self.counts["adopted"],
            "settled_by_a_person": self.counts["settled"], "violations": len(self.failures),
            "crash_points": len(MOMENTS), "never_came": ", ".join(self.never()),
        }  # fmt: skip

    def keep(self, path: Path) -> None:
        """Write it down, to go on later."""
        kept = {**self.__dict__, "counts": dict(self.counts)}
        path.write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def kept(cls, path: Path) -> "Tally":
        """What was written down, or an empty one."""
        if not path.exists():
            return cls()
        found = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**found, "counts": Counter(found["counts"])})


def tell_all(
    seeds: Iterable[int], folder: Path, until: float | None = None, plot: Plot | None = None
) -> Iterator[Told]:
    """The stories of these seeds in their order, two at a time; none is begun after ``until`` (monotonic seconds)."""
    empty = migrated(folder)
    waiting = iter(seeds)
    with ProcessPoolExecutor(AT_ONCE, mp_context=multiprocessing.get_context("spawn")) as pool:
        under_way = [pool.submit(simulate, seed, empty, False, plot) for seed in islice(waiting, AT_ONCE)]
        while under_way:
            told = under_way.pop(0).result()
            if (until is None or time.monotonic() < until) and (seed := next(waiting, None)) is not None:
                under_way.append(pool.submit(simulate, seed, empty, False, plot))
            yield told

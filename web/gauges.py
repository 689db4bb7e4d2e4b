"""The figures of ``/metrics``, taken from the database when they are asked for (https://prometheus.io/docs/practices/naming/).

What is open is counted each time; the last 24 hours are counted at most every 30 seconds. History is never read.
"""

import math
import platform
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from prometheus_client import Metric
from prometheus_client.core import GaugeHistogramMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector

from campaigns import vitals
from campaigns.states import State
from campaigns.vitals import Day, Lateness, Now
from web.session import House

DAY_CACHED_SECONDS = 30.0


class Gauges(Collector):
    """Everything that is measured of one installation; ``tick`` is a clock that never goes back, in seconds."""

    def __init__(self, house: House, version: str, tick: Callable[[], float]) -> None:
        self._house, self._version, self._tick = house, version, tick
        self._lock = threading.Lock()
        self._day: tuple[float, Day] | None = None

    def collect(self) -> Iterator[Metric]:
        """The families, one read of the database for all of them."""
        now = self._house.desk.now()
        with self._house.store.read() as session:
            seen, size = vitals.at_this_moment(session, now), vitals.size(session)
        day = self._last_day(now)
        yield from _of_now(seen, now)
        yield from _of_day(day)
        yield from self._of_machine(size)

    def _last_day(self, now: datetime) -> Day:
        with self._lock:
            if self._day is None or self._tick() - self._day[0] >= DAY_CACHED_SECONDS:
                with self._house.store.read() as session:
                    self._day = (self._tick(), vitals.lately(session, now))
            return self._day[1]

    def _of_machine(self, size: int) -> Iterator[Metric]:
        yield _one("lantoa_database_bytes", "Size of the database.", size)
        folder = self._house.desk.files.folder
        there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        yield _one("lantoa_disk_free_bytes", "Free space where the data folder is.", shutil.disk_usage(there).free)
        told = {"version": self._version, "database": self._house.store.dialect, "python": platform.python_version()}
        yield InfoMetricFamily("lantoa_build", "What runs.", value=told)


def _of_now(seen: Now, now: datetime) -> Iterator[Metric]:
    passed, overdue = seen.pulse.passed_at, seen.pulse.overdue_since
    yield _one(
        "lantoa_loop_last_pass_age_seconds", "Age of the delivery loop's last full pass; +Inf before the first.",
        (now - passed).total_seconds() if passed else math.inf,
    )  # fmt: skip
    yield _one(
        "lantoa_oldest_overdue_age_seconds", "How long the oldest delivery that could go has been waiting; 0 when none.",
        (now - overdue).total_seconds() if overdue else 0.0,
    )  # fmt: skip
    yield _many("lantoa_deliveries_open", "Deliveries that are not finished.", ("state", "kind"), seen.deliveries)
    waiting = sum(count for (state, _), count in seen.deliveries.items() if state == State.NEEDS_HUMAN)
    yield _one("lantoa_needs_human_open", "Deliveries that wait for a person.", waiting)
    yield _many("lantoa_outlets", "Outlets: open, paused, or resting after failures.", ("state", "kind"), seen.outlets)
    yield _many("lantoa_holds_open", "Holds of everything, of a ward or the city.", ("kind", "scope"), seen.holds)
    yield _one("lantoa_safe_mode", "1 while nothing is sent until a person confirms.", float(seen.pulse.safe_mode))
    alive = {(role,): count for role, count in seen.workers.items()}
    yield _many("lantoa_workers", "Daemons and workers seen in the last day that did not stop.", ("role",), alive)


def _of_day(day: Day) -> Iterator[Metric]:
    yield _many(
        "lantoa_deliveries_24h", "Deliveries that fell due in the last 24 hours.", ("state", "kind"), day.deliveries
    )
    labels = ("verb", "outcome", "reason", "kind")
    tries = {key: count for key, count in day.attempts.items() if key[0] != "look"}
    yield _many("lantoa_attempts_24h", "Tries of the last 24 hours.", labels, tries)
    looks = {(key[1], key[3]): count for key, count in day.attempts.items() if key[0] == "look"}
    yield _many("lantoa_lookups_24h", "Look-ups of the last 24 hours.", ("outcome", "kind"), looks)
    yield _histogram("lantoa_sent_lateness_24h_seconds", "From due to out, of what fell due lately.", day.sent_late)
    yield _histogram("lantoa_wire_lateness_24h_seconds", "From due to the first byte.", day.wire_late)


def _one(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(name, words, value=value)


def _many(name: str, words: str, labels: tuple[str, ...], values: Mapping[Any, int]) -> Metric:
    made = GaugeMetricFamily(name, words, labels=labels)
    for key in sorted(values):
        made.add_metric(key, values[key])
    return made


def _histogram(name: str, words: str, by_kind: Mapping[str, Lateness]) -> Metric:
    made = GaugeHistogramMetricFamily(name, words, labels=("kind",))
    bounds = [*(f"{bound:g}" for bound in vitals.BUCKETS), "+Inf"]
    for kind in sorted(by_kind):
        late = by_kind[kind]
        made.add_metric((kind,), list(zip(bounds, map(float, late.counts), strict=True)), late.seconds)
    return made

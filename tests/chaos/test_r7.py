"""R7: the machine's clock is wrong in every way; nothing leaves early or twice, and nothing before its hour by true time."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.chaos.evidence import say
from tests.chaos.simulated_plot import Plot
from tests.chaos.simulation import migrated, simulate

AFTER_32_BITS = datetime(2038, 1, 18, 20, 0, tzinfo=UTC)
PLOTS = {
    "three hours back": Plot(hours=14, posts=12, clock="back"),
    "26 hours ahead": Plot(hours=14, posts=12, clock="ahead"),
    "a second in ten": Plot(hours=14, posts=12, clock="creeping"),
    "stepped at the wire": Plot(hours=14, posts=12, clock="at the wire"),
    "over the year 2038": Plot(hours=14, posts=12, clock="back", start=AFTER_32_BITS),
}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return migrated(tmp_path_factory.mktemp("r7"))


def test_no_clock_makes_it_early_or_double(empty: Path) -> None:
    deliveries = jumps = 0
    for seed, (name, plot) in enumerate(PLOTS.items(), 500):
        told = simulate(seed, empty, plot=plot)
        assert told.violations == [], "\n".join([name, *told.violations[:6], *told.history])
        deliveries += told.deliveries
        jumped = sum(number for what, number in told.counts.items() if what.startswith("clock "))
        assert jumped, name
        jumps += jumped
    counts: dict[str, int | float | str] = {"plots": len(PLOTS), "jumps": jumps, "deliveries": deliveries}
    say("R7", 500, counts, "nothing early, nothing double, whatever the machine's clock said")

"""R1, short: workers are killed at random moments while a faulty platform answers; nothing is lost, doubled or told wrongly."""

from pathlib import Path

from store.engine import Store
from tests.chaos import evidence
from tests.chaos.storms import Size, storm, workers_of

SEED = 7
PATIENCE = 900
"""Seconds: only a brake; on a calm machine it takes a twentieth of that."""
KILLS = 25


def test_killed_at_random_moments(any_store: Store, tmp_path: Path) -> None:
    size = Size(deliveries=150, kills=KILLS, wards=2, workers=workers_of(any_store), seconds=PATIENCE)
    result = storm(any_store, tmp_path, size, SEED)
    evidence.say(f"R1-short-{any_store.dialect}", SEED, result.counts, result.verdict())
    assert result.finished
    assert not result.violations, "\n".join(map(str, result.violations[:20]))
    assert int(result.counts["kills"]) >= KILLS // 2, "the work was over before it was disturbed"
    assert float(result.counts["faulty_percent"]) >= 10
    assert int(result.counts["deaths_on_the_wire"]) >= 3, "the kills fell on idle moments: this run proves nothing"

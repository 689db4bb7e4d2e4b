"""R2, short: a worker dies at every named moment of a delivery's life at least twice; the next lives make it good."""

from pathlib import Path

from store.engine import Store
from tests.chaos import evidence
from tests.chaos.crashes import crashes

SEED = 7
PATIENCE = 900
"""Seconds: only a brake; on a calm machine it takes a twentieth of that."""


def test_dying_at_every_moment(any_store: Store, tmp_path: Path) -> None:
    result = crashes(any_store, tmp_path, wanted=2, every=False, seed=SEED, seconds=PATIENCE)
    evidence.say(f"R2-short-{any_store.dialect}", SEED, result.counts, result.verdict())
    assert result.finished
    assert not result.violations, "\n".join(map(str, result.violations[:20]))
    assert not result.gone, f"these moments are gone from the product: {result.gone}"
    assert not result.thin, f"hit too seldom: {result.thin}"

"""R3: twenty seeds of the whole daemon in virtual time; no invariant breaks, and every kind of trouble came."""

from pathlib import Path

from tests.chaos.evidence import say
from tests.chaos.simulation import migrated, simulate
from tests.chaos.storytelling import Tally, tell_all

SEEDS = 20


def test_twenty_stories_keep_every_promise(tmp_path: Path) -> None:
    tally = Tally()
    for told in tell_all(range(SEEDS), tmp_path):
        tally.add(told)
    assert not tally.failures, "\n\n".join(tally.failures)
    assert not tally.never(), f"these troubles never came: {tally.never()}"
    say("R3", 0, tally.figures(), f"no violation in {tally.crashes} crashes over {tally.deliveries} deliveries")


def test_a_seed_tells_the_same_story_again(tmp_path: Path) -> None:
    empty = migrated(tmp_path)
    once, again = simulate(7, empty), simulate(7, empty)
    assert (once.counts, once.deliveries, once.hours) == (again.counts, again.deliveries, again.hours)

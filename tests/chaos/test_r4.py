"""R4: the planted bugs still fit the product, the short scenarios hold, and two bugs are killed; all by ``make chaos ONLY=R4``."""

import pytest

from tests.chaos import scenarios
from tests.chaos.mutants import MUTANTS, hunt, rotten

TRIED_HERE = ("the first byte leaves before its intent is written", "commits that a power cut loses")


def test_every_planted_bug_still_fits_the_product() -> None:
    assert rotten() == []
    assert len(MUTANTS) >= 20
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("scenario", scenarios.SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_the_product_holds_in_every_short_scenario(scenario) -> None:
    scenario()


def test_every_bug_is_hunted_by_something_that_exists() -> None:
    known = {"R3", *(scenario.__name__ for scenario in scenarios.SCENARIOS)}
    assert {mutant.by for mutant in MUTANTS} <= known


@pytest.mark.parametrize("name", TRIED_HERE)
def test_a_planted_bug_is_killed(name: str) -> None:
    mutant = next(one for one in MUTANTS if one.name == name)
    death = hunt(mutant, seeds=10)
    assert death.killed, death.said

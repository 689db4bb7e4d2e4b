"""R15, short: the upgrade from each released schema is killed at some of its moments, on both databases."""

from pathlib import Path

import pytest

from tests.chaos import evidence
from tests.chaos.released import FILL
from tests.chaos.upgrades import upgrades

SEED = 7
KILLS = {"sqlite": 2, "postgresql": 1}


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_an_upgrade_that_is_killed_leaves_the_old_or_the_new(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    server = "sqlite://" if database == "sqlite" else request.getfixturevalue("postgresql")
    done = upgrades(server, tmp_path, KILLS[database], SEED)
    counts = {"database": database, "kills": done.kills, "moments": done.moments, "wrong": len(done.wrong)}
    evidence.say(f"R15-short-{database}", SEED, counts, "old or new, never between" if not done.wrong else "RED")
    assert not done.wrong, "\n".join(done.wrong[:20])
    assert done.kills == KILLS[database] * len(FILL)

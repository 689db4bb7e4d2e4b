"""R15 on PostgreSQL: the upgrade from each released schema, killed at every one of its moments."""

from pathlib import Path

from tests.chaos import databases
from tests.chaos.upgrades import run_piece

NAME = "R15-postgresql"


def run(size: int | None, seed: int, folder: Path) -> bool:
    """``size`` kills of each upgrade, at moments drawn by the seed; all moments without."""
    with databases.postgresql(folder) as store:
        return run_piece(NAME, store.url, size, seed, folder)

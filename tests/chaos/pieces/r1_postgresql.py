"""R1 on PostgreSQL, with several workers at once: 1,000 kills over 10,000 deliveries."""

from pathlib import Path

from tests.chaos import databases
from tests.chaos.storms import run_piece

NAME = "R1-postgresql"


def run(size: int | None, seed: int, folder: Path) -> bool:
    """``size`` kills over ten times as many deliveries."""
    with databases.postgresql(folder) as store:
        return run_piece(NAME, store, size or 1000, seed, folder)

"""R2 on sqlite: every crash case, each point hit at least twenty times."""

from pathlib import Path

from tests.chaos import databases
from tests.chaos.crashes import run_piece

NAME = "R2-sqlite"


def run(size: int | None, seed: int, folder: Path) -> bool:
    """``size`` is the least number of hits of each point."""
    with databases.sqlite(folder) as store:
        return run_piece(NAME, store, size or 20, seed, folder)

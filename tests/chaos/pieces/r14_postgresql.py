"""R14 on PostgreSQL: 500 posts went out after the backup of a 250 MB database; none is sent again when it is brought back."""

from pathlib import Path

from tests.chaos import databases
from tests.chaos.restores import run_piece

NAME = "R14-postgresql"


def run(size: int | None, seed: int, folder: Path) -> bool:
    """``size`` deliveries after the backup; 500 without."""
    with databases.postgresql(folder) as store:
        return run_piece(NAME, store, size, seed, folder)

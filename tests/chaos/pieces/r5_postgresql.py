"""R5 on PostgreSQL: the server stopped at once, a hundred times."""

from pathlib import Path

from tests.chaos.stopping import run_piece

NAME = "R5-postgresql"


def run(size: int | None, seed: int, folder: Path) -> bool:
    """``size`` stops."""
    return run_piece(NAME, size or 100, seed, folder)

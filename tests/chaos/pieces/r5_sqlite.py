"""R5 on SQLite: 5,000 images of the disk after a power cut."""

from pathlib import Path

from tests.chaos.power import run_piece

NAME = "R5-sqlite"


def run(size: int | None, seed: int, folder: Path) -> bool:
    """``size`` images."""
    return run_piece(NAME, size or 5000, seed, folder)

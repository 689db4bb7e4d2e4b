"""R15 on SQLite: the upgrade from each released schema, killed at every one of its moments."""

from pathlib import Path

from tests.chaos.upgrades import run_piece

NAME = "R15-sqlite"


def run(size: int | None, seed: int, folder: Path) -> bool:
    """``size`` kills of each upgrade, at moments drawn by the seed; all moments without."""
    return run_piece(NAME, "sqlite://", size, seed, folder)

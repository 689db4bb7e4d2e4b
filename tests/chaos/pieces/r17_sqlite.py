"""R17 on SQLite: a million deliveries of history."""

from pathlib import Path

from tests.chaos import databases, growing

NAME = "R17-sqlite"


def run(size: int | None, seed: int, folder: Path) -> bool:
    """Compare a history of ``size`` deliveries (a million) with a short one; gives whether the goals are met."""
    with databases.sqlite(folder / "small") as small, databases.sqlite(folder / "large") as large:
        return growing.compare(NAME, small, large, (growing.SMALL, size or growing.LARGE), seed, folder)

"""R17 on PostgreSQL: a million deliveries of history."""

from pathlib import Path

from tests.chaos import databases, growing

NAME = "R17-postgresql"


def run(size: int | None, seed: int, folder: Path) -> bool:
    """Compare a history of ``size`` deliveries (a million) with a short one; gives whether the goals are met."""
    with databases.postgresql(folder / "small") as small, databases.postgresql(folder / "large") as large:
        return growing.compare(NAME, small, large, (growing.SMALL, size or growing.LARGE), seed, folder)

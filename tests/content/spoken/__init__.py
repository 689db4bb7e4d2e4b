"""Written lines with the readings that are right: ``ward.tsv`` to build by, ``held_out.tsv`` to judge by."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from content.speech import Region

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Line:
    """A written line, what it is about, and its right readings in the north and in the south."""

    about: str
    written: str
    north: tuple[str, ...]
    south: tuple[str, ...]

    def right(self, region: Region) -> tuple[str, ...]:
        """The right readings of a region."""
        return self.north if region == "north" else self.south


def lines(name: str) -> Iterator[Line]:
    """The lines of one file, in its order."""
    about = ""
    for row in (HERE / f"{name}.tsv").read_text("utf-8").splitlines():
        if row.startswith("# "):
            about = row[2:]
        elif row:
            written, north, south = (row.split("\t") + [""])[:3]
            readings = tuple(north.split(" | "))
            yield Line(about, written, readings, tuple(south.split(" | ")) if south else readings)


def words(reading: str) -> list[str]:
    """What is compared: the words in small letters, and any digit that was left; signs are pauses."""
    return re.findall(r"[^\W\d_]+|\d+", reading.casefold())


def is_right(line: Line, reading: str, region: Region) -> bool:
    """Whether a reading has the very words of a right one."""
    return words(reading) in [words(one) for one in line.right(region)]

"""The record of an airing on disk: written before the first byte, added to while it lasts, read by whoever asks later.

``<folder>/nhat-ky-phat/<day>/<key>-<try>.jsonl``, one JSON document a line. Whoever airs holds a lock on the file: a
record without an end whose lock is free was cut short, because its process is gone.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

RECORDS, STOP = "nhat-ky-phat", ".dung"
RECORD_ID = r"\d{4}-\d{2}-\d{2}/[A-Za-z0-9]{4,32}-\d{1,4}"

State = Literal["playing", "played", "stopped", "failed", "unknown"]


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    at: datetime


class Begun(_Line):
    """The first line: what is to be heard where, and for how long."""

    event: Literal["begun"] = "begun"
    key: str
    title: str
    transport: str
    seconds: int
    clusters: tuple[str, ...]
    where: dict[str, str] = {}


class Heard(_Line):
    """How one cluster stands; ``seconds`` is how much of the programme was sent to it."""

    event: Literal["cluster"] = "cluster"
    cluster: str
    state: State
    seconds: int = 0
    detail: str = ""


class Ended(_Line):
    """The last line: nothing more is sent."""

    event: Literal["ended"] = "ended"


_LINE: TypeAdapter[Begun | Heard | Ended] = TypeAdapter(Annotated[Begun | Heard | Ended, Field(discriminator="event")])


@dataclass(frozen=True)
class Airing:
    """What a record tells: ``ended`` when it was finished, ``playing`` while its process holds it."""

    id: str
    begun: Begun
    clusters: dict[str, Heard]
    ended: bool
    playing: bool
    began: datetime
    until: datetime

    def of(self, *states: State) -> list[str]:
        """The clusters in one of these states, in the order of the settings."""
        return [name for name in self.begun.clusters if self.state(name) in states]

    def heard(self, name: str) -> int:
        """How many seconds of the programme were sent to a cluster, as far as the record knows."""
        return self.clusters[name].seconds if name in self.clusters else 0

    def reasons(self) -> list[str]:
        """«tên cụm: lý do» of every cluster that has one to tell."""
        told = [self.clusters[name] for name in self.begun.clusters if name in self.clusters]
        return [f"{one.cluster}: {one.detail}" for one in told if one.detail]

    def state(self, name: str) -> State:
        """How a cluster stands, as far as the record knows."""
        return self.clusters[name].state if name in self.clusters else "unknown"


@dataclass
class Writer:
    """Holds the record of an airing that goes on; safe to be written from several threads, a line at a time."""

    path: Path
    _file: IO[bytes] = field(repr=False)

    def note(self, heard: Heard, lasting: bool = True) -> None:
        """Add how a cluster stands; ``lasting`` puts it on the disk at once. A full disk does not end an airing."""
        with contextlib.suppress(OSError, ValueError):
            self._add(heard, lasting)

    def end(self, at: datetime) -> None:
        """Finish the record and let go of it."""
        with contextlib.suppress(OSError, ValueError):
            self._add(Ended(at=at), True)
        self._file.close()

    def forget(self) -> None:
        """Take the record back: surely nothing went out."""
        with contextlib.suppress(OSError):
            self.path.unlink()
        self._file.close()

    def stopped(self) -> bool:
        """Whether somebody asked to stop, in this process or another."""
        return self.path.with_suffix(STOP).exists()

    def _add(self, line: BaseModel, lasting: bool) -> None:
        # One write of one line to a file that only grows: two threads never mix theirs.
        os.write(self._file.fileno(), line.model_dump_json().encode() + b"\n")
        if lasting:
            os.fsync(self._file.fileno())


def begin(folder: Path, ending: str, day: str, begun: Begun) -> Writer | None:
    """A new record, on the disk before anything is sent; None while an earlier airing of this delivery goes on.

    Raises OSError. Call it ``days.locked``.
    """
    earlier = records(folder, ending)
    if any(is_held(path) for path in earlier):
        return None
    path = folder / RECORDS / day / f"{ending}-{_next(earlier)}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("xb", buffering=0)
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    writer = Writer(path, file)
    writer._add(begun, True)
    _flush(path.parent)
    return writer


def record_id(path: Path) -> str:
    """The id under which a record is known outside: its day, the delivery's key, the number of the try."""
    return f"{path.parent.name}/{path.stem}"


def records(folder: Path, ending: str) -> list[Path]:
    """Every record of a delivery, the oldest first."""
    found = (folder / RECORDS).glob(f"????-??-??/{ending}-*.jsonl")
    return sorted(found, key=lambda path: _number(path))


def read(folder: Path, id: str) -> Airing | None:
    """What a record tells, or None where there is none or its first line is lost; raises OSError where that is not known."""
    path = folder / RECORDS / f"{id}.jsonl"
    held = is_held(path)
    try:
        lines = list(_lines(path.read_bytes()))
    except FileNotFoundError:
        return None
    begun = next((line for line in lines if isinstance(line, Begun)), None)
    if begun is None:
        return None
    told = [line for line in lines if isinstance(line, Heard)]
    clusters = {line.cluster: line for line in told}
    ended = any(isinstance(line, Ended) for line in lines)
    return Airing(id, begun, clusters, ended, held and not ended, *_span(begun, told))


def _span(begun: Begun, told: list[Heard]) -> tuple[datetime, datetime]:
    """From the first sound to the last of which something is known."""
    began = next((line.at for line in told if line.state == "playing"), begun.at)
    sent = [line for line in told if line.seconds]
    ends = [line.at for line in sent] + [began + timedelta(seconds=line.seconds) for line in sent]
    return began, max(ends, default=began)


def add(folder: Path, id: str, heard: Heard) -> None:
    """Add to a record that is finished: what was done to devices afterwards; raises OSError."""
    with (folder / RECORDS / f"{id}.jsonl").open("ab") as file:
        file.write(heard.model_dump_json().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def ask_to_stop(folder: Path, id: str) -> None:
    """Leave word for whoever airs this; raises OSError."""
    (folder / RECORDS / id).with_suffix(STOP).touch()


def is_held(path: Path) -> bool:
    """Whether a process still airs what this record tells of."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _lines(content: bytes) -> Iterator[Begun | Heard | Ended]:
    for line in content.splitlines():
        with contextlib.suppress(ValidationError):
            yield _LINE.validate_json(line)


def _next(earlier: list[Path]) -> int:
    return max((_number(path) for path in earlier), default=0) + 1


def _number(path: Path) -> int:
    last = path.stem.rpartition("-")[2]
    return int(last) if last.isdecimal() else 0


def _flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

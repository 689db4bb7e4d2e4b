"""Backups of an installation: database, media and (encrypted only) the key, in one file that is whole or not there.

Taken while everything goes on. The newest of so many hours, days and months are kept; the others are deleted.
"""

import errno
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from store import archives, copies
from store.archives import DATABASE, KEY, MEMBER, Manifest
from store.engine import Store

NAME = re.compile(r"lantoa-(?P<instance>[0-9a-z]+)-(?P<at>\d{8}T\d{6}Z)\.tar\.gz(\.age)?")
AT = "%Y%m%dT%H%M%SZ"
WORKING = ".dang-sao-luu-"
HALF = ".dang-ghi-"


class CannotBackUp(RuntimeError):
    """No backup could be written; the message says why and what to do. Nothing half-written is left."""


@dataclass(frozen=True)
class Place:
    """Where an installation keeps what is not in the database."""

    folder: Path
    key_file: Path

    @property
    def media(self) -> Path:
        """The files of the media library."""
        return self.folder / "tep"


@dataclass(frozen=True)
class Made:
    """A backup that was found: its file, the installation's short name, its moment."""

    path: Path
    instance: str
    at: datetime


@dataclass(frozen=True)
class Keep:
    """How many backups stay: the newest of so many hours, days and months."""

    hours: int = 24
    days: int = 14
    months: int = 12


def make(store: Store, place: Place, out: Path, now: datetime, program: str, key: str = "") -> Path:
    """Write one backup into ``out``, encrypted for this age public key if given; raises CannotBackUp, CannotCopy."""
    recipient = archives.recipient(key) if key else None
    out.mkdir(parents=True, exist_ok=True)
    place.folder.mkdir(parents=True, exist_ok=True)
    with _alone(place.folder), _said_when_full():
        _sweep(place.folder, WORKING)
        with tempfile.TemporaryDirectory(prefix=WORKING, dir=place.folder) as work:
            copy = copies.take(store, Path(work))
            files = {DATABASE: copy.path, **_media(place)}
            if recipient is not None and place.key_file.exists():
                files[KEY] = place.key_file
            manifest = _manifest(copy, files, now, program)
            short = copy.instance[:8] or f"v{copy.schema}"
            _sweep(out, f"{HALF}lantoa-{short}-")
            name = f"lantoa-{short}-{now.astimezone(UTC):{AT}}.tar.gz{'.age' if recipient else ''}"
            return write_whole(out / name, lambda file: archives.pack(file, manifest, files, recipient))


def found(out: Path) -> list[Made]:
    """The backups of this folder, the newest first."""
    seen = [(path, NAME.fullmatch(path.name)) for path in out.iterdir()] if out.is_dir() else []
    made = [
        Made(path, name["instance"], datetime.strptime(name["at"], AT).replace(tzinfo=UTC))
        for path, name in seen
        if name
    ]
    return sorted(made, key=lambda one: (one.at, one.path.name), reverse=True)


def rotate(out: Path, written: Path, keep: Keep) -> list[Path]:
    """Delete this installation's backups but those to be kept and the one just written; gives what was deleted."""
    everything = found(out)
    instance = next(one.instance for one in everything if one.path == written)
    mine = [one for one in everything if one.instance == instance]
    stays = {written}
    for count, form in ((keep.hours, "%Y%m%d%H"), (keep.days, "%Y%m%d"), (keep.months, "%Y%m")):
        newest: dict[str, Path] = {}
        for one in mine:
            newest.setdefault(one.at.strftime(form), one.path)
        stays |= set(list(newest.values())[:count])
    gone = [one.path for one in mine if one.path not in stays]
    for path in gone:
        path.unlink(missing_ok=True)
    return gone


def write_whole(path: Path, write: Callable[[IO[bytes]], object]) -> Path:
    """A file readable by its owner only, which has its name when all of it is on disk, and else is not there."""
    half = path.with_name(f"{HALF}{path.name}")
    try:
        with open(half, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:  # noqa: PTH123
            write(file)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
        put_on_disk(path.parent)
    except BaseException:
        half.unlink(missing_ok=True)
        raise
    return path


def put_on_disk(folder: Path) -> None:
    """Make a folder's names durable: a rename survives a power cut only then."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _manifest(copy: copies.Copy, files: dict[str, Path], now: datetime, program: str) -> Manifest:
    return Manifest(
        program=program,
        database=copy.database,
        revision=copy.schema,
        instance=copy.instance,
        epoch=copy.epoch,
        created_at=now,
        counts=copy.counts,
        members=tuple(archives.member(name, path) for name, path in files.items()),
    )


def _media(place: Place) -> dict[str, Path]:
    shelf = sorted(place.media.glob("??/*")) if place.media.is_dir() else []
    named = {f"tep/{path.parent.name}/{path.name}": path for path in shelf}
    return {name: path for name, path in named.items() if MEMBER.fullmatch(name)}


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / "sao-luu.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CannotBackUp("Một lần sao lưu khác đang chạy; hãy đợi nó xong rồi chạy lại.") from error
        yield


@contextmanager
def _said_when_full() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise CannotBackUp(
            "Đĩa đã đầy (hoặc không nhận tệp lớn như vậy) nên việc sao lưu dừng lại; không để lại tệp ghi dở. "
            "Hãy dọn bớt đĩa, hoặc chọn nơi khác bằng --out."
        ) from error


def _sweep(folder: Path, prefix: str) -> None:
    """What a killed backup left behind; nobody else is writing, because the lock is ours."""
    for left in folder.glob(f"{prefix}*"):
        with suppress(OSError):
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink()

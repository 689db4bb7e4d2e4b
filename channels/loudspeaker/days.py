"""The folder of programmes: one folder a day, one folder a programme, a play-list made from what is there.

::

    2026-11-25/
      06h30-nop-ho-so-truc-tuyen-k3f9x2/   kich-ban.txt  ban-tin.mp3  thong-tin.json
      da-go/                                 programmes taken down
      danh-sach-phat.m3u8                    the day's play-list, by hour
    .chuan-bi/                               what is being prepared; never part of a day

A programme appears whole or not at all: it is written aside, flushed to the disk, then moved into its day by one
rename. Its name ends in the delivery's key, so that the same delivery cannot appear twice.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from content.text import slug

SCRIPT, SOUND, CARD = "kich-ban.txt", "ban-tin.mp3", "thong-tin.json"
PROGRAMME_ID = re.compile(r"\d{4}-\d{2}-\d{2}/\d{2}h\d{2}-[A-Za-z0-9-]+")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9]{4,32}")
PLAYLIST, TAKEN_DOWN, ASIDE = "danh-sach-phat.m3u8", "da-go", ".chuan-bi"


class Card(BaseModel):
    """``thong-tin.json``: what a play-out system or a person must know about a programme."""

    model_config = ConfigDict(populate_by_name=True)

    key: str = Field(alias="khoa")
    title: str = Field(alias="tieu_de")
    due: datetime = Field(alias="gio_phat")
    written: datetime = Field(alias="ghi_luc")
    seconds: int = Field(alias="thoi_luong_giay")
    sound: str = Field(alias="am_thanh")
    synthetic: bool = Field(default=False, alias="ban_nghe_thu")
    loudness: float | None = Field(default=None, alias="do_lon_lufs")
    sha256: str | None = Field(default=None, alias="sha256_am_thanh")
    clusters: tuple[str, ...] = Field(default=(), alias="cum_loa")
    level: str = Field(default="thông thường", alias="loai_ban_tin")


def ending(key: str) -> str:
    """The end of a programme's name: the delivery's key, or ten digits of its digest where it is no plain word."""
    return key if _PLAIN_KEY.fullmatch(key) else hashlib.sha256(key.encode()).hexdigest()[:10]


def remote_id(due: datetime, title: str, key: str) -> str:
    """Where a programme belongs, relative to the folder: day / hour, title and key. ``due`` in local time."""
    return f"{due:%Y-%m-%d}/{due:%Hh%M}-{slug(title, 40) or 'ban-tin'}-{ending(key)}"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One writer at a time in the whole folder, over threads and processes."""
    (folder / ASIDE).mkdir(parents=True, exist_ok=True)
    with (folder / ASIDE / "khoa").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def put(folder: Path, id: str, files: dict[str, bytes], sound: Path | None) -> None:
    """Write a programme and list it; raises OSError with nothing visible left behind. Call it ``locked``."""
    final = folder / id
    fresh = not (final / CARD).exists()
    if fresh:
        _discard(final)
        _move_in(_written_aside(folder, id, files, sound), final)
    try:
        list_day(final.parent)
    except OSError:
        if fresh:
            final.rename(_free(folder / ASIDE / final.name))
        raise


def take_down(folder: Path, id: str) -> None:
    """Move a programme out of its day's play-list into ``da-go``; raises FileNotFoundError. Call it ``locked``."""
    final = folder / id
    away = final.parent / TAKEN_DOWN
    if not (final / CARD).exists():
        raise FileNotFoundError(final)
    away.mkdir(exist_ok=True)
    final.rename(away / final.name)
    list_day(final.parent)


def taken_down(folder: Path, id: str) -> Path:
    """Where a programme is kept after it was taken down."""
    return folder / Path(id).parent / TAKEN_DOWN / Path(id).name


def listed(folder: Path, id: str) -> bool:
    """Whether a programme stands whole in its day and in the play-list; raises OSError where that cannot be seen."""
    if not folder.is_dir():
        raise NotADirectoryError(folder)
    final = folder / id
    try:
        lines = (final.parent / PLAYLIST).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return False
    return (final / CARD).exists() and any(f"{final.name}/" in line for line in lines)


def known(folder: Path, key: str) -> str | None:
    """The id under which a key already stands in any day, or stood before it was taken down; or None."""
    found = sorted(folder.glob(f"????-??-??/*-{ending(key)}"))
    if found:
        return found[0].relative_to(folder).as_posix()
    away = sorted(folder.glob(f"????-??-??/{TAKEN_DOWN}/*-{ending(key)}"))
    return f"{away[0].parent.parent.name}/{away[0].name}" if away else None


def read_card(programme: Path) -> Card | None:
    """A programme's card, or None where it is missing or damaged."""
    try:
        return Card.model_validate_json((programme / CARD).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


def programmes(day: Path) -> list[tuple[Path, Card | None]]:
    """The programmes of a day in the order of their hour; a damaged one has no card."""
    found = [(path, read_card(path)) for path in day.iterdir() if path.is_dir() and path.name != TAKEN_DOWN]
    return sorted(found, key=lambda pair: (f"{pair[1].due:%H:%M:%S}" if pair[1] else "~", pair[0].name))


def list_day(day: Path) -> None:
    """Write the play-list of a day anew, by one rename (https://www.rfc-editor.org/rfc/rfc8216 for the format)."""
    title = f"#PLAYLIST:Chương trình phát thanh ngày {date.fromisoformat(day.name):%d/%m/%Y}"
    entries = [line for path, card in programmes(day) for line in _entry(path, card)]
    fresh = day / f".{PLAYLIST}.moi"
    _write(fresh, "\n".join(["#EXTM3U", "#EXTENC:UTF-8", title, *entries, ""]).encode())
    fresh.replace(day / PLAYLIST)
    _flush(day)


def _entry(path: Path, card: Card | None) -> list[str]:
    if card is None:
        return [f"# Không đọc được {path.name}/{CARD}; hãy xem lại thư mục này."]
    title = " ".join(card.title.split())
    if not (path / SOUND).exists():
        return [f"# {card.due:%H:%M} – {title}: đọc trực tiếp theo {path.name}/{SCRIPT}"]
    mark = " (bản nghe thử, giọng tổng hợp)" if card.synthetic else ""
    return [f"#EXTINF:{card.seconds},{card.due:%H:%M} – {title}{mark}", f"{path.name}/{SOUND}"]


def _written_aside(folder: Path, id: str, files: dict[str, bytes], sound: Path | None) -> Path:
    aside = folder / ASIDE / f"{Path(id).name}.moi"
    _discard(aside)
    aside.mkdir(parents=True)
    try:
        for name, content in files.items():
            _write(aside / name, content)
        if sound is not None:
            _write(aside / SOUND, sound.read_bytes())
        _flush(aside)
    except OSError:
        _discard(aside)
        raise
    return aside


def _move_in(aside: Path, final: Path) -> None:
    try:
        final.parent.mkdir(exist_ok=True)
        aside.rename(final)
        _flush(final.parent)
        _flush(final.parent.parent)
    except OSError:
        _discard(aside)
        _discard(final)
        raise


def _free(path: Path) -> Path:
    _discard(path)
    return path


def _discard(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path)


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

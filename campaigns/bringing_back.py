"""A backup is brought back: proved, made ready beside what is in use, and only then put in its place.

The order is what keeps it safe: the new epoch, in which nothing is sent blind, is written before the database has its
place. Killed at any moment, the old one is still there, or a database that refuses to start.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from alembic.util import CommandError
from sqlalchemy import inspect
from sqlmodel import col, select

from campaigns import instance, leavers, restoring
from campaigns.audit import verify
from campaigns.restoring import Settled
from store import archives, copies, returning
from store.archives import DATABASE, KEY, Manifest
from store.backups import Place, put_on_disk, write_whole
from store.engine import Store
from store.tables import Worker

WORKING = ".dang-khoi-phuc-"
LEASE = timedelta(seconds=45)


class CannotBringBack(RuntimeError):
    """The backup cannot be brought back here; the message says why and what to do. Nothing was changed."""


@dataclass(frozen=True)
class Brought:
    """What was brought back, and where what was in use before was set aside (empty: there was nothing).

    ``kept_away`` readers had left since the backup; ``lists_paused`` are outlets of which nobody can tell who left.
    """

    manifest: Manifest
    settled: Settled
    kept_away: int
    lists_paused: tuple[str, ...]
    database_aside: str
    key_aside: str
    has_key: bool


def bring_back(
    url: str, place: Place, file: Path, identities: tuple[Any, ...], now: datetime, replace: bool = False
) -> Brought:
    """Put a backup in place of this database and its files; raises CannotBringBack, BadArchive, CannotCopy.

    The caller holds the folder's lock. What is in use is set aside only with ``replace``, and never deleted.
    """
    if not file.is_file():
        raise CannotBringBack(f"Không có tệp sao lưu «{file}»; hãy kiểm tra đường dẫn.")
    _refuse_to_overwrite(url, now, replace)
    with _laid_out(place.folder, file, identities) as (work, manifest):
        kind = "sqlite" if url.startswith("sqlite") else "postgresql"
        if manifest.database != kind:
            raise CannotBringBack(
                f"Bản sao lưu này của {_name(manifest.database)}, còn chương trình đang dùng {_name(kind)}. "
                f"Hãy khôi phục vào {_name(manifest.database)} trước, rồi chuyển sang bằng: lantoa move"
            )
        left = leavers.codes_of(url) if returning.occupied(url) else None
        with returning.beside(url, work / DATABASE, manifest.revision) as scratch:
            settled = _make_ready(scratch.store, manifest, now)
            away, paused = _heed_leavers(scratch.store, left, now)
            _put_media(work, place)
            key_aside = _put_key(work / KEY, place.key_file, now)
            aside = scratch.install(now)
    return Brought(manifest, settled, away, paused, aside, key_aside, place.key_file.exists())


def refuse_if_alive(store: Store, now: datetime) -> None:
    """Raise CannotBringBack while a daemon or worker, on this machine or another, still works on this database."""
    with store.read() as session:
        if not inspect(session.connection()).has_table("worker"):
            return
        alive = select(Worker.host).where(col(Worker.stopped_at).is_(None), col(Worker.seen_at) > now - LEASE)
        host = session.exec(alive).first()
    # On SQLite the folder's lock, which the caller holds, proves every other process of this database dead.
    if host is not None and store.dialect != "sqlite":
        raise CannotBringBack(
            f"Một tiến trình Lan Tỏa trên máy «{host}» còn đang làm việc với cơ sở dữ liệu này. "
            "Hãy dừng nó, đợi một phút rồi chạy lại."
        )


def _refuse_to_overwrite(url: str, now: datetime, replace: bool) -> None:
    if not returning.occupied(url):
        return
    if not replace:
        raise CannotBringBack(
            "Ở đây đang có dữ liệu. Nếu chắc chắn muốn thay bằng bản sao lưu, hãy thêm --replace; "
            "dữ liệu đang có được cất riêng, không bị xóa."
        )
    if not url.startswith("sqlite"):
        store = Store(url)
        try:
            refuse_if_alive(store, now)
        finally:
            store.close()


@contextmanager
def _laid_out(folder: Path, file: Path, identities: tuple[Any, ...]) -> Iterator[tuple[Path, Manifest]]:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=WORKING, dir=folder) as work:
        yield Path(work), archives.unpack(file, Path(work), identities)


def _make_ready(store: Store, manifest: Manifest, now: datetime) -> Settled:
    with store.engine.connect() as connection:
        held = copies.counts(connection)
    if held != manifest.counts:
        wrong = sorted(name for name in {*held, *manifest.counts} if held.get(name) != manifest.counts.get(name))
        raise CannotBringBack(f"Bản sao lưu thiếu dữ liệu ở bảng: {', '.join(wrong)}. Hãy dùng bản khác.")
    try:
        store.migrate()
    except CommandError as error:
        raise CannotBringBack(
            f"Bản sao lưu ở phiên bản {manifest.revision}, mới hơn chương trình này. Hãy cài bản chương trình mới nhất."
        ) from error
    with store.write("restore") as session:
        for ward_id in instance.wards(session):
            verify(session, ward_id)
        return restoring.settle(session, now)


def _heed_leavers(store: Store, left: frozenset[str] | None, now: datetime) -> tuple[int, tuple[str, ...]]:
    with store.write("restore") as session:
        return (0, leavers.ask(session, now)) if left is None else (leavers.keep_away(session, left, now), ())


def _put_media(work: Path, place: Place) -> None:
    """Files are named by their own bytes: what is there already is the same, and stays."""
    for path in sorted((work / "tep").glob("??/*")):
        target = place.media / path.parent.name / path.name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
            put_on_disk(target.parent)


def _put_key(key: Path, key_file: Path, now: datetime) -> str:
    if not key.exists() or (key_file.exists() and key_file.read_bytes() == key.read_bytes()):
        return ""
    aside = ""
    if key_file.exists():
        aside = f"{key_file.name}.truoc-khoi-phuc-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        key_file.with_name(aside).hardlink_to(key_file)
    secret = key.read_bytes()
    write_whole(key_file, lambda file: file.write(secret))
    return aside


def _name(kind: str) -> str:
    return {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[kind]

"""The restore drill: a backup that was never brought back is a hope. The newest one is, into a place of its own."""

import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any

from campaigns import instance
from campaigns.audit import MACHINE, record, verify
from campaigns.bringing_back import WORKING, CannotBringBack, bring_back
from store import backups, copies, returning
from store.backups import Place
from store.engine import Store
from store.files import Files


@dataclass(frozen=True)
class Proof:
    """What was brought back and proved: the backup, its moment, how long it took, its rows, its media files."""

    backup: Path
    taken_at: datetime
    seconds: float
    rows: int
    media: int


def drill(store: Store, place: Place, out: Path, identities: tuple[Any, ...], now: datetime) -> Proof:
    """Bring the newest backup back beside everything and prove it; writes when it was proved.

    Raises CannotBringBack, BadArchive, CannotCopy, BrokenChain: then the backup is worth nothing and people must know.
    """
    newest = next(iter(backups.found(out)), None)
    if newest is None:
        raise CannotBringBack(f"Chưa có bản sao lưu nào ở «{out}». Hãy chạy: lantoa backup")
    began = monotonic()
    place.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=WORKING, dir=place.folder) as work:
        there = Place(Path(work) / "data", Path(work) / "data" / place.key_file.name)
        there.folder.mkdir()
        with returning.spare(store.url, there.folder) as url:
            brought = bring_back(url, there, newest.path, identities, now)
            rows = _proved(url)
        media = _whole(there)
    with store.write("drill") as session:
        me = instance.locked(session)
        me.proved_restore_at = now
        session.add(me)
        for ward_id in instance.wards(session):
            record(session, ward_id, MACHINE, "instance.restore_proved", "instance", 1, now, backup=newest.path.name)
    return Proof(newest.path, brought.manifest.created_at, monotonic() - began, rows, media)


def _proved(url: str) -> int:
    if url.startswith("sqlite"):
        copies.sound(Path(url.removeprefix("sqlite:///")))
    store = Store(url)
    try:
        store.check()
        with store.read() as session:
            for ward_id in instance.wards(session):
                verify(session, ward_id)
            return sum(copies.counts(session.connection()).values())
    finally:
        store.close()


def _whole(place: Place) -> int:
    broken = Files(place.media).broken()
    if broken:
        raise CannotBringBack(f"Bản sao lưu có {len(broken)} tệp tư liệu hỏng, ví dụ {broken[0][:12]}.")
    return sum(1 for _ in place.media.glob("??/*"))

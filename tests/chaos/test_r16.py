"""R16: eight writers at once, with a backup and a VACUUM beside them: nobody is told that the database is locked."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import col, select

from campaigns import audit
from campaigns.audit import MACHINE, record
from store.engine import Store
from store.tables import AuditEvent, Ward
from tests.chaos.evidence import say

SEED = 16
WRITERS = 8
PAUSE_SECONDS = 0.02
EACH = int(os.environ.get("N", "40"))
PATIENCE_SECONDS = 10.0
"""Asserted generously, because tests share their machine; the figure itself goes into the evidence."""


def test_r16_eight_writers_beside_a_backup_and_a_vacuum(any_store: Store, tmp_path: Path, clock) -> None:
    wards = _wards(any_store, clock())
    took: list[float] = []
    failures: list[BaseException] = []
    ended = threading.Event()

    def write(place: int) -> None:
        # On SQLite one process works and a command may come beside it; on PostgreSQL every writer is another process.
        mine = any_store if any_store.dialect == "sqlite" and place else Store(any_store.url)
        try:
            for number in range(EACH):
                began = time.monotonic()
                with mine.write() as session:
                    record(session, wards[number % 2], MACHINE, "test", "outlet", place, clock(), number=number)
                took.append(time.monotonic() - began)
                time.sleep(PAUSE_SECONDS)
        except BaseException as failure:
            failures.append(failure)
        finally:
            if mine is not any_store:
                mine.close()

    beside = threading.Thread(target=_again_and_again, args=(_neighbours(any_store, tmp_path), ended, failures))
    writers = [threading.Thread(target=write, args=(place,)) for place in range(WRITERS)]
    began = time.monotonic()
    for thread in (beside, *writers):
        thread.start()
    for thread in writers:
        thread.join(120)
    ended.set()
    beside.join(120)
    seconds, p99 = time.monotonic() - began, sorted(took)[int(len(took) * 0.99) - 1]
    locked = [failure for failure in failures if isinstance(failure, DBAPIError | sqlite3.Error)]
    assert (locked, failures) == ([], [])
    assert _kept(any_store, wards) == WRITERS * EACH == len(took)
    assert p99 <= PATIENCE_SECONDS, f"a write waited {p99:.2f} s"
    counts: dict[str, int | float | str] = {
        "writers": WRITERS, "writes": len(took), "locked": len(locked), "p50_ms": sorted(took)[len(took) // 2] * 1000,
        "p99_ms": p99 * 1000, "seconds": seconds,
    }  # fmt: skip
    say(f"R16-{any_store.dialect}", SEED, counts, "no writer was told that the database is locked; none was lost")


def _wards(store: Store, now: datetime) -> list[int]:
    with store.write() as session:
        made = [Ward(slug=slug, name=slug, centre="", created_at=now) for slug in ("mot", "hai")]
        session.add_all(made)
        session.flush()
        return [ward.id or 0 for ward in made]


def _neighbours(store: Store, folder: Path) -> list[Callable[[], None]]:
    """What an operator does while people work: a whole copy, and tidying up."""
    if store.dialect == "postgresql":
        return [lambda: _copy(store), lambda: _outside(store, "vacuum (analyze) audit_event")]
    return [lambda: _back_up(store, folder), lambda: _outside(store, "vacuum")]


def _again_and_again(works: list[Callable[[], None]], ended: threading.Event, failures: list[BaseException]) -> None:
    try:
        while not ended.is_set():
            for work in works:
                work()
            ended.wait(0.2)
    except BaseException as failure:
        failures.append(failure)


def _back_up(store: Store, folder: Path) -> None:
    """SQLite's own backup API (https://www.sqlite.org/backup.html)."""
    path = store.url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, timeout=30)) as live, closing(sqlite3.connect(folder / "sao.db")) as copy:
        live.backup(copy, pages=64)


def _copy(store: Store) -> None:
    """What pg_dump does: one long reading transaction over everything."""
    with store.read() as session:
        session.exec(select(AuditEvent)).all()


def _outside(store: Store, words: str) -> None:
    with store.engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        if store.dialect == "sqlite":
            raw.execute(words)  # the program's connections are in autocommit until they begin
            return
    with store.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(words))


def _kept(store: Store, wards: list[int]) -> int:
    with store.read() as session:
        for ward in wards:
            audit.verify(session, ward)
        return len(session.exec(select(AuditEvent.id).where(col(AuditEvent.ward_id).in_(wards))).all())

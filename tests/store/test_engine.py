"""Transactions: whole or not at all, one writer at a time, readers that see one moment."""

import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import func, select

from store.engine import OldSchema, Store
from store.tables import Ward

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


def _ward(slug: str) -> Ward:
    return Ward(slug=slug, name=slug, centre="Trung tâm", created_at=NOW)


def _count(store: Store) -> int:
    with store.read() as session:
        return session.exec(select(func.count()).select_from(Ward)).one()


def test_what_raises_leaves_nothing(any_store: Store) -> None:
    with pytest.raises(ZeroDivisionError), any_store.write() as session:
        session.add(_ward("a"))
        session.flush()
        raise ZeroDivisionError
    assert _count(any_store) == 0


def test_a_reader_sees_one_moment_while_others_write(any_store: Store) -> None:
    with any_store.read() as session:
        before = session.exec(select(func.count()).select_from(Ward)).one()
        with any_store.write() as other:
            other.add(_ward("a"))
        assert session.exec(select(func.count()).select_from(Ward)).one() == before
    assert _count(any_store) == before + 1


def test_writers_wait_for_each_other_instead_of_failing(any_store: Store) -> None:
    def write(name: str) -> None:
        for number in range(5):
            with any_store.write() as session:
                session.exec(select(func.count()).select_from(Ward)).one()
                session.add(_ward(f"{name}-{number}"))

    threads = [threading.Thread(target=write, args=(f"w{n}",)) for n in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert _count(any_store) == 30


def test_sqlite_is_on_disk_before_it_says_so(store: Store) -> None:
    with store.read() as session:
        pragmas = {
            name: session.connection().execute(text(f"pragma {name}")).scalar()
            for name in ("synchronous", "journal_mode", "foreign_keys")
        }
    assert pragmas == {"synchronous": 2, "journal_mode": "wal", "foreign_keys": 1}


def test_a_database_newer_than_the_program_is_refused_with_other_advice(any_store: Store) -> None:
    with any_store.write() as session:
        session.connection().execute(text("update alembic_version set version_num = '9999'"))
    with pytest.raises(OldSchema, match="mới hơn chương trình"):
        any_store.check()


def test_a_reading_transaction_on_postgresql_cannot_write(any_store: Store) -> None:
    if any_store.dialect == "sqlite":
        pytest.skip("SQLite has no reading transaction of this kind")
    with pytest.raises(DBAPIError, match="read-only"), any_store.read() as session:
        session.add(_ward("a"))
        session.flush()

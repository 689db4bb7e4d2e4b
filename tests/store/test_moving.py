"""Everything is carried over, row by row and value by value, or nothing is."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select as choose
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, select

from campaigns.audit import MACHINE, record, verify
from store import moving
from store.engine import Store
from store.moving import CannotMove
from store.tables import Attempt, Delivery, Instance, Recipient, ShortLink, SourceItem, Subscriber, Ward, Worker
from store.tables import Source as Feed
from tests.campaigns.ward_week import START, busy_week
from tests.conftest import _database

EVERY_STATE = {
    "due", "held", "missed", "cancelled", "prepared", "wire", "unknown", "needs_human", "closed", "sent", "failed", "withdrawn",
}  # fmt: skip


@pytest.fixture
def empty_postgresql(postgresql: str, tmp_path: Path) -> Iterator[Store]:
    made = Store(_database(postgresql, f"{tmp_path.name}dich"))
    yield made
    made.close()


@pytest.fixture
def furnished(store: Store) -> Store:
    with store.write() as session:
        _furnish(session)
    return store


def _furnish(session: Session) -> None:
    week = busy_week(session)
    ward_id, one = week.ward.id or 0, session.exec(select(Delivery)).first()
    assert one is not None
    week.ward.quiet = [["21:00", "06:00"]]
    session.add(week.ward)
    for number in range(5):
        record(
            session,
            ward_id,
            MACHINE,
            "thử",
            "ward",
            1,
            START + timedelta(microseconds=number),
            lời="«ố ẫ ự» 🌸",
            n=number,
        )
    session.add(
        ShortLink(code="abc", ward_id=ward_id, delivery_id=one.id or 0, target="https://x.vn", created_at=START)
    )
    session.add(Attempt(ward_id=ward_id, delivery_id=one.id or 0, fence=3, part=0, verb="publish", started_at=START))
    session.add(Worker(epoch="e", host="h", pid=7, started_at=START, seen_at=START + timedelta(microseconds=1)))
    outlet_id = week.outlets["square"].id or 0
    session.add(Subscriber(ward_id=ward_id, outlet_id=outlet_id, address="a@x.vn", created_at=START))
    person = Recipient(ward_id=ward_id, delivery_id=one.id or 0, address="a@x.vn", next_at=START)
    session.add(person)
    session.flush()
    for step in ("wire", "sent"):
        person.state = step
        session.add(person)
        session.flush()
    feed = Feed(ward_id=ward_id, name="Nguồn", url="https://x.vn/rss")
    session.add(feed)
    session.flush()
    items = [
        SourceItem(ward_id=ward_id, source_id=feed.id, guid=str(n), url="u", title="t", fingerprint="f", seen_at=START)
        for n in range(3)
    ]
    session.add_all(items)
    session.flush()
    items[0].duplicate_of = items[2].id  # refers forward: it cannot be set before the other is there
    session.add(items[0])


def _every_row(store: Store) -> dict[str, list[dict[str, object]]]:
    with store.engine.connect() as connection:
        found = {}
        for table in moving.tables():
            rows = [dict(row) for row in connection.execute(choose(table)).mappings()]
            found[table.name] = sorted(rows, key=lambda row: [str(row[column.name]) for column in table.primary_key])
        return found


def test_a_ward_moves_to_postgresql_row_by_row(furnished: Store, empty_postgresql: Store) -> None:
    was = _every_row(furnished)
    assert {row["state"] for row in was["delivery"]} == EVERY_STATE
    held = moving.move(furnished, empty_postgresql)
    assert _every_row(empty_postgresql) == was == _every_row(furnished)
    assert {name: content.rows for name, content in held.items()} == {name: len(rows) for name, rows in was.items()}
    with empty_postgresql.write() as session:
        for ward in session.exec(select(Ward)).all():
            assert verify(session, ward.id or 0) >= 5
        highest = max(row["id"] for row in was["ward"])  # type: ignore[type-var]
        new = Ward(slug="moi", name="mới", centre="c", created_at=START)
        session.add(new)
        session.flush()
        assert (new.id or 0) > highest, "what is added afterwards must not take a number that is taken"


def test_the_database_guards_itself_again_after_the_move(furnished: Store, empty_postgresql: Store) -> None:
    moving.move(furnished, empty_postgresql)
    for bad in (
        "update delivery set state = 'due' where state = 'sent'",
        "update audit_event set actor = 'x'",
        "delete from audit_event",
        "update recipient set state = 'waiting' where state = 'sent'",
    ):
        with pytest.raises(DBAPIError), empty_postgresql.engine.begin() as connection:
            connection.exec_driver_sql(bad)


def test_and_back_to_sqlite(furnished: Store, empty_postgresql: Store, tmp_path: Path) -> None:
    moving.move(furnished, empty_postgresql)
    back = Store(f"sqlite:///{tmp_path / 've.db'}")
    moving.move(empty_postgresql, back)
    assert _every_row(back) == _every_row(furnished)
    with pytest.raises(DBAPIError), back.write() as session:
        session.connection().exec_driver_sql("update delivery set state = 'due' where state = 'sent'")
    back.close()


def test_a_target_that_holds_something_is_refused(furnished: Store, empty_postgresql: Store) -> None:
    empty_postgresql.migrate()
    with empty_postgresql.write() as session:
        session.add(Ward(slug="khac", name="khác", centre="c", created_at=START))
    with pytest.raises(CannotMove, match="đã có dữ liệu"):
        moving.move(furnished, empty_postgresql)
    with empty_postgresql.read() as session:
        assert session.exec(select(Ward.slug)).all() == ["khac"]


def _without_the_last_figure(real: Any) -> Any:
    return lambda table, here: (batch[:-1] if table.name == "metric" else batch for batch in real(table, here))


@pytest.mark.parametrize("moment", ["copying", "comparing"])
def test_what_fails_in_the_middle_leaves_the_target_empty(
    furnished: Store, empty_postgresql: Store, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    if moment == "copying":
        with furnished.write() as session:
            session.add(Ward(slug="nul", name="có\0trong tên", centre="c", created_at=START))  # PostgreSQL takes no NUL
    else:
        monkeypatch.setattr(moving, "_batches", _without_the_last_figure(moving._batches))
    with pytest.raises(CannotMove, match="đích"):
        moving.move(furnished, empty_postgresql)
    with empty_postgresql.read() as session:
        assert session.exec(select(Ward)).all() == []
        mine = session.get_one(Instance, 1).name
    with furnished.read() as session:
        assert session.get_one(Instance, 1).name != mine, "the target is as the migration left it"


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("postgresql://a:b@h/d", "postgresql+psycopg://a:b@h/d"),
        ("postgres://h/d", "postgresql+psycopg://h/d"),
        ("postgresql+psycopg://h/d", "postgresql+psycopg://h/d"),
        ("sqlite:///x.db", "sqlite:///x.db"),
    ],
)
def test_addresses_are_taken_as_people_write_them(given: str, taken: str) -> None:
    assert moving.address(given) == taken


@pytest.mark.parametrize("bad", ["mysql://h/d", "sqlite://", "phường", ""])
def test_other_addresses_are_refused(bad: str) -> None:
    with pytest.raises(CannotMove):
        moving.address(bad)


def test_the_digest_of_a_table_sees_every_change(furnished: Store) -> None:
    table = next(table for table in moving.tables() if table.name == "metric")
    with furnished.engine.connect() as connection:
        before = moving.content(table, connection)
    with furnished.write() as session:
        session.connection().exec_driver_sql(
            "update metric set value = value + 1 where id = (select max(id) from metric)"
        )
    with furnished.engine.connect() as connection:
        after = moving.content(table, connection)
    assert (before.rows, before.digest == after.digest) == (after.rows, False)

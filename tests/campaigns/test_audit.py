"""The log only grows, and whoever changes it behind the program's back is found."""

import threading

import pytest
from sqlalchemy import text
from sqlmodel import select

from campaigns.audit import MACHINE, BrokenChain, record, verify
from store.engine import Store
from store.tables import AuditEvent
from tests.campaigns.conftest import House


def _events(house: House, count: int) -> None:
    with house.store.write() as session:
        for number in range(count):
            record(
                session, house.ward.id or 0, MACHINE, "thu", "post", number, house.desk.now(), so=number, chu="Đổi mới"
            )


def _behind_its_back(store: Store, *statements: str) -> None:
    triggers = {
        "sqlite": ("drop trigger audit_event_only_grows", "drop trigger audit_event_stays"),
        "postgresql": ("drop trigger audit_event_only_grows on audit_event",),
    }
    with store.write() as session:
        for statement in (*triggers[store.dialect], *statements):
            session.connection().execute(text(statement))


def test_writers_at_once_make_one_unbroken_chain(house: House) -> None:
    before = _count(house)
    threads = [threading.Thread(target=_events, args=(house, 10)) for _ in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert _count(house) == before + 60


def _count(house: House) -> int:
    with house.store.read() as session:
        return verify(session, house.ward.id or 0)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ("update audit_event set actor = 'ai đó' where number = 4 and ward_id = 1", 4),
        ("update audit_event set particulars = '{\"so\": 99}' where number = 4 and ward_id = 1", 4),
        ("update audit_event set at = '2020-01-01 00:00:00' where number = 3 and ward_id = 1", 3),
        ("delete from audit_event where number = 4 and ward_id = 1", 5),
        (
            "insert into audit_event (ward_id, number, at, actor, action, subject, subject_id, particulars, previous, hash) "
            "select ward_id, 1000, at, actor, action, subject, subject_id, particulars, previous, hash from audit_event "
            "where number = 5 and ward_id = 1",
            1000,
        ),
    ],
)
def test_what_is_changed_removed_or_slipped_in_is_found(house: House, wrong: str, named: int) -> None:
    _events(house, 6)
    assert _count(house) >= 6
    _behind_its_back(house.store, wrong)
    with pytest.raises(BrokenChain, match=f"số {named}"):
        _count(house)


def test_two_events_that_changed_places_are_found(house: House) -> None:
    _events(house, 6)
    swap = "update audit_event set number = {} where number = {} and ward_id = 1"
    _behind_its_back(house.store, swap.format(-1, 4), swap.format(4, 5), swap.format(5, -1))
    with pytest.raises(BrokenChain, match="số 4"):
        _count(house)


def test_each_ward_has_a_chain_of_its_own(house: House) -> None:
    with house.store.write() as session:
        record(session, house.neighbour_ward.id or 0, MACHINE, "thu", "post", 1, house.desk.now())
    with house.store.read() as session:
        first = session.exec(select(AuditEvent.number).where(AuditEvent.ward_id == house.neighbour_ward.id)).all()
        assert list(first) == [1]
        numbers = session.exec(select(AuditEvent.number).where(AuditEvent.ward_id == house.ward.id)).all()
    assert sorted(numbers) == list(range(1, len(numbers) + 1))


def test_what_is_rolled_back_leaves_no_event_and_no_gap(house: House) -> None:
    before = _count(house)
    with pytest.raises(ZeroDivisionError), house.store.write() as session:
        record(session, house.ward.id or 0, MACHINE, "thu", "post", 1, house.desk.now())
        raise ZeroDivisionError
    _events(house, 1)
    assert _count(house) == before + 1

"""The machine's clock jumps: people are told how far; small corrections are nobody's business until they add up."""

from datetime import timedelta

import pytest
from sqlmodel import select

from campaigns import catching_up, releasing
from campaigns.audit import verify
from campaigns.clocks import ClockWatch, tell
from store.tables import AuditEvent, Hold
from tests.campaigns.conftest import House


class Steady:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.parametrize("jump", [-3 * 3600.0, 26 * 3600.0, 31.0, -31.0])
def test_a_jump_is_told_once(clock, jump: float) -> None:
    steady = Steady()
    watch = ClockWatch(clock, steady)
    clock.forward(seconds=10)
    steady.seconds += 10
    assert watch.check() is None
    clock.forward(seconds=10 + jump)
    steady.seconds += 10
    assert watch.check() == pytest.approx(jump)
    assert watch.check() is None


def test_a_clock_that_creeps_is_told_when_it_adds_up(clock) -> None:
    steady = Steady()
    watch = ClockWatch(clock, steady)
    told = []
    for _ in range(40):
        clock.at += timedelta(seconds=9)
        steady.seconds += 10
        told.append(watch.check())
    assert told[:30] == [None] * 30
    assert told[30] == pytest.approx(-31.0)


def test_time_that_merely_passes_is_no_jump(clock) -> None:
    steady = Steady()
    watch = ClockWatch(clock, steady)
    clock.forward(days=2)
    steady.seconds += 2 * 86400
    assert watch.check() is None


def test_a_jump_stands_in_the_log_of_every_ward(house: House, clock) -> None:
    assert tell(house.store, -3 * 3600.0 - 65, clock()) == "Đồng hồ máy vừa nhảy lùi 3 giờ 1 phút 5 giây."
    assert tell(house.store, 93_600.0, clock()) == "Đồng hồ máy vừa nhảy tới 26 giờ."
    with house.store.read() as session:
        events = session.exec(select(AuditEvent).where(AuditEvent.action == "clock.jumped")).all()
        assert {event.ward_id for event in events} == {house.ward.id, house.neighbour_ward.id}
        assert sorted({event.particulars["seconds"] for event in events}) == [-10865, 93600]
        for ward in (house.ward, house.neighbour_ward):
            verify(session, ward.id or 0)


def test_what_was_held_while_the_clock_was_ahead_still_waits_for_its_hour(house: House, clock) -> None:
    due = clock() + timedelta(hours=25)
    delivery = house.planned(due)
    right = clock()
    clock.forward(hours=26)
    assert catching_up.at_start(house.store, clock()) == 1
    clock.at = right
    with house.store.write() as session:
        hold = session.exec(select(Hold)).one()
        (offer,) = releasing.offers(session, hold, clock())
        releasing.release(session, house.approver, hold, {}, clock())
    assert offer.at == due
    assert house.see(delivery).next_at == due

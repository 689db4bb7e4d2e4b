"""What a post reached is asked for at its hours, again soon when nobody answers, and not for ever."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import col, select, update

from campaigns import outlets
from campaigns.measuring import AFTER, AGAIN, measure, next_measure, next_try
from channels.contract import Measure, Reason
from store.tables import Delivery, Metric, Outlet
from tests.campaigns.conftest import House
from tests.campaigns.scripted import Scripted

SENT = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


@given(st.timedeltas(timedelta(0), timedelta(days=40)))
def test_the_next_time_lies_ahead_and_on_the_schedule(since: timedelta) -> None:
    found = next_measure(SENT, SENT + since)
    assert (found is None) == (since >= AFTER[-1])
    assert found is None or (found > SENT + since and found - SENT in AFTER)


def test_a_platform_that_never_answers_is_asked_a_bounded_number_of_times() -> None:
    asked, at = 0, next_measure(SENT, SENT)
    while at is not None:
        asked, at = asked + 1, next_try(SENT, at)
        assert asked <= len(AFTER) * 10
    assert asked > len(AFTER)


async def _sent(house: House, clock) -> Delivery:
    delivery = house.planned(clock() + timedelta(hours=1))
    clock.forward(hours=1)
    await house.courier().deliver(10)
    return house.see(delivery)


@pytest.mark.anyio
async def test_it_is_measured_an_hour_after_and_then_later(house: House, clock) -> None:
    delivery = await _sent(house, clock)
    assert await measure(house.courier(), 10) == 0
    clock.forward(hours=1)
    assert await measure(house.courier(), 10) == 1
    assert house.see(delivery).measure_at == (delivery.sent_at or clock()) + timedelta(hours=6)
    with house.store.read() as session:
        assert session.exec(select(Metric.value)).all() == [7]


@pytest.mark.anyio
@pytest.mark.parametrize("trouble", ["answers", "raises"])
async def test_no_answer_is_asked_for_again_soon(
    house: House, clock, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    async def nothing(*_: object) -> Measure:
        if trouble == "raises":
            raise ZeroDivisionError
        return Measure(reason=Reason.UNREACHABLE)

    delivery = await _sent(house, clock)
    clock.forward(hours=1)
    monkeypatch.setattr(Scripted, "measure", nothing)
    await measure(house.courier(), 10)
    assert (house.see(delivery).measure_at, house.see(delivery).measured_at) == (clock() + AGAIN, None)


@pytest.mark.anyio
async def test_an_outlet_that_cannot_be_used_keeps_no_other_from_being_measured(house: House, clock) -> None:
    with house.store.write() as session:
        broken = outlets.connect(
            session, house.admin, house.ward.id or 0, "scripted", "Kênh hai", {}, house.desk.vault, clock()
        )
    house.approved(clock() + timedelta(hours=1), outlet_ids=[broken.id])
    good = await _sent(house, clock)
    clock.forward(seconds=5)
    await house.courier().deliver(10)
    with house.store.write() as session:
        session.exec(update(Outlet).where(col(Outlet.id) == broken.id).values(secrets="v1.AAAA"))
    clock.forward(hours=1)
    await measure(house.courier(), 10)
    assert house.see(good).measured_at == clock()


@pytest.mark.anyio
async def test_what_a_person_saw_but_has_no_id_is_not_asked_for(
    house: House, clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = await _sent(house, clock)
    with house.store.write() as session:
        session.exec(update(Delivery).where(col(Delivery.id) == delivery.id).values(remote_ids=[]))
    clock.forward(hours=1)
    assert await measure(house.courier(), 10) == 1
    with house.store.read() as session:
        assert session.exec(select(Metric)).all() == []


@pytest.mark.anyio
async def test_what_was_withdrawn_is_not_measured(house: House, clock) -> None:
    delivery = await _sent(house, clock)
    with house.store.write() as session:
        for state in ("withdrawing", "withdrawn"):
            session.exec(update(Delivery).where(col(Delivery.id) == delivery.id).values(state=state))
    clock.forward(hours=1)
    assert await measure(house.courier(), 10) == 0

"""The pin of a post outlives a crash between «published» and «pinned»: done once, or told as not done."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.event import listen, remove

from campaigns import outlets, pinning
from campaigns.states import State
from store import points
from store.engine import Store
from store.tables import Delivery, Instance, Outlet
from tests.campaigns.conftest import House, build_house
from tests.campaigns.scripted import PLATFORM
from tests.campaigns.test_clips import PINNED, attempts, channels  # noqa: F401 - fixtures

pytestmark = pytest.mark.anyio
HOUR = timedelta(hours=1)


@pytest.fixture
def house(any_store: Store, tmp_path: Path, clock: Callable[[], datetime]) -> House:
    return build_house(any_store, tmp_path, clock, "filming")


class Dead(BaseException):
    """The program ends here, as by kill -9."""


async def dies_at(house: House, moment: str) -> None:
    """One life that ends at this moment between two durable steps; nobody is left to wait for an answer."""
    died = threading.Event()

    def end(name: str) -> None:
        if name == moment:
            died.set()
        if died.is_set():
            raise Dead

    points.listen = end
    life = asyncio.ensure_future(house.courier("one").deliver(10))
    try:
        async with asyncio.timeout(10):
            while not died.is_set():
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
    finally:
        life.cancel()
        points.listen = None
        with contextlib.suppress(asyncio.CancelledError, Dead):
            await life


def approved_with_a_pin(house: House, clock) -> Any:
    delivery = house.planned(clock() + HOUR, pin=True)
    clock.forward(hours=1)
    return delivery


@pytest.mark.parametrize("moment", ["published:after", "pin_begun:before"])
async def test_a_crash_between_published_and_pinned_loses_no_pin(house: House, clock, moment: str) -> None:
    delivery = approved_with_a_pin(house, clock)
    await dies_at(house, moment)
    assert house.see(delivery).state == State.SENT and PINNED == []
    clock.forward(minutes=5)
    second = house.courier("two")
    second.recover()
    assert await second.pins.catch_up() == 1
    assert [f"{delivery.key}/0"] == PINNED
    clock.forward(minutes=5)
    assert (await second.pins.catch_up(), await house.courier("three").pins.catch_up()) == (0, 0)
    assert await attempts(house, delivery) == [("publish", "published", ""), ("pin", "published", "")]
    assert [f"{delivery.key}/0"] == PINNED and PLATFORM.copies(delivery.key) == 1


@pytest.mark.parametrize("moment", ["pin_begun:after", "pin:before"])
async def test_a_crash_in_the_middle_of_pinning_is_told_and_never_tried_again(house: House, clock, moment: str) -> None:
    delivery = approved_with_a_pin(house, clock)
    await dies_at(house, moment)
    before = list(PINNED)
    clock.forward(minutes=5)
    assert await house.courier("two").pins.catch_up() == 0
    assert before == PINNED
    (_, pin) = await attempts(house, delivery)
    assert pin == ("pin", "crash", pinning.CRASHED)


async def test_a_crash_before_the_answer_was_kept_pins_what_is_found(house: House, clock) -> None:
    delivery = approved_with_a_pin(house, clock)
    await dies_at(house, "published:before")
    second = house.courier("two")
    second.recover()
    clock.forward(minutes=1)
    await second.look(10)
    assert house.see(delivery).state == State.SENT and [f"{delivery.key}/0"] == PINNED


async def test_two_lives_that_find_the_same_pin_pin_once(house: House, clock) -> None:
    delivery = approved_with_a_pin(house, clock)
    await dies_at(house, "published:after")
    lives = [house.courier(name).pins for name in ("two", "three", "four")]
    assert sum(await asyncio.gather(*(pins.catch_up() for pins in lives))) == 1
    assert [f"{delivery.key}/0"] == PINNED


async def test_what_was_taken_down_meanwhile_is_not_pinned_and_that_is_told(house: House, clock) -> None:
    delivery = approved_with_a_pin(house, clock)
    await dies_at(house, "published:after")
    with house.store.write() as session:
        session.get_one(Delivery, delivery.id).state = State.WITHDRAWING.value
    assert (await house.courier("two").pins.catch_up(), PINNED) == (0, [])
    assert (await attempts(house, delivery))[1] == ("pin", "refused", pinning.NOT_OUT)


async def test_a_pin_waits_for_a_paused_channel_and_is_told_after_a_day(house: House, clock) -> None:
    delivery = approved_with_a_pin(house, clock)
    await dies_at(house, "published:after")
    with house.store.write() as session:
        outlets.pause(session, house.admin, session.get_one(Outlet, house.outlet.id), "Tạm dừng kênh", clock())
    second = house.courier("two")
    assert await second.pins.catch_up() == 0
    clock.forward(hours=25)
    assert (await second.pins.catch_up(), PINNED) == (0, [])
    assert (await attempts(house, delivery))[1] == ("pin", "crash", pinning.TOO_LATE)


async def test_however_long_the_program_stood_still_an_owed_pin_is_told(house: House, clock) -> None:
    delivery = approved_with_a_pin(house, clock)
    await dies_at(house, "published:after")
    clock.forward(days=30)
    assert await house.courier("two").pins.catch_up() == 0
    assert (await attempts(house, delivery))[1] == ("pin", "crash", pinning.TOO_LATE)


async def test_a_copy_that_may_not_speak_pins_nothing(house: House, clock) -> None:
    delivery = approved_with_a_pin(house, clock)
    await dies_at(house, "published:after")
    with house.store.write() as session:
        session.get_one(Instance, 1).safe_mode = True
    assert (await house.courier("two").pins.catch_up(), PINNED) == (0, [])
    assert (await attempts(house, delivery))[1] == ("pin", "", "")


async def test_looking_for_owed_pins_asks_an_index(house: House, clock) -> None:
    pins = house.courier().pins
    await pins.catch_up()
    asked = []

    def keep(connection: Any, cursor: Any, statement: str, values: Any, *rest: Any) -> None:
        asked.append((statement, values))

    listen(house.store.engine, "before_cursor_execute", keep)
    await pins.catch_up()
    remove(house.store.engine, "before_cursor_execute", keep)
    (query,) = [one for one in asked if "attempt" in one[0]]
    if house.store.dialect == "sqlite":
        with house.store.engine.connect() as connection:
            plan = str(connection.exec_driver_sql(f"explain query plan {query[0]}", query[1]).all())
        assert "ix_delivery_outlet_wire" in plan and "ix_attempt_delivery_id" in plan and "SCAN attempt" not in plan

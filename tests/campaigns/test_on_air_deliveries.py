"""A bulletin through the whole engine: on the air at its second, one at a time, and never begun again by itself."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import col, select

from campaigns import claiming
from campaigns.measuring import measure
from campaigns.states import State
from channels.contract import AIR_SECONDS
from channels.loudspeaker import days, studio
from channels.loudspeaker.adapter import Loudspeaker
from channels.loudspeaker.transports import airings
from channels.loudspeaker.transports.airings import Begun
from channels.wire import Guard
from store.engine import Store
from store.tables import Attempt, Metric
from tests.campaigns.conftest import House, build_house, freeze, to_wire
from tests.channels.air import Receiver, short
from tests.conftest import FakeClock

pytestmark = pytest.mark.anyio
MINUTE = timedelta(minutes=1)


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def house(
    any_store: Store, tmp_path: Path, clock: FakeClock, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> House:
    monkeypatch.setattr("channels.registry.installed", lambda: {"loudspeaker": Loudspeaker})
    monkeypatch.setattr(studio, "speak", lambda *_: b"")
    monkeypatch.setattr(studio, "programme", lambda *_, **__: short())
    clock.at = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
    settings = {
        "folder": str(tmp_path / "loa"), "transport": "rtp", "clusters": [f"Tổ 1 = {receiver.address}"],
        "preview_on_air": True,
    }  # fmt: skip
    made = build_house(any_store, tmp_path, clock, "loudspeaker", settings)
    made.desk.wire.guard = Guard(frozenset({receiver.address}))
    return made


async def test_a_bulletin_is_on_the_air_at_its_second_and_told_when_it_is_over(
    house: House, clock: FakeClock, receiver: Receiver
) -> None:
    courier = house.courier()
    first, second = house.planned(clock() + 5 * MINUTE), house.planned(clock() + 5 * MINUTE, body="Bà con chú ý nghe.")
    clock.forward(minutes=3)
    await courier.freeze_ahead(clock() + 3 * MINUTE, 10)
    assert await courier.stage_ahead(clock() + 3 * MINUTE, 10) == 2
    clock.forward(minutes=2)
    due = time.monotonic()
    assert await courier.deliver(10) == 1, "one bulletin at a time"
    assert receiver.packets and receiver.packets[0].at - due < 1, "on air within a second"
    waiting = house.see(first)
    assert waiting.state == State.UNKNOWN and waiting.next_at > clock() + timedelta(seconds=short().seconds)
    with house.store.write() as session:
        assert claiming.claim(session, "two", clock(), 10) == [], "the next one waits for the end of this one"
    clock.at = waiting.next_at
    assert await courier.look(10) == 1, "the machine was slow: it is still on the air, and nobody is bothered"
    slow = house.see(first)
    assert (slow.state, slow.looks) == (State.UNKNOWN, 0) and "Đang phát dở" in slow.detail
    with house.store.write() as session:
        assert claiming.claim(session, "two", clock(), 10) == [], "and still the next one waits"
    await asyncio.sleep(short().seconds + 0.5)
    clock.at = slow.next_at
    assert await courier.look(10) == 1
    told = house.see(first)
    assert (told.state, told.adopted) == (State.SENT, True) and told.remote_ids[0].startswith("2026-11-23/")
    with house.store.read() as session:
        looked = session.exec(select(Attempt).where(Attempt.verb == "look").order_by(col(Attempt.id))).all()
    assert looked[-1].detail == "Đã phát ở 1/1 cụm loa."
    clock.forward(minutes=61)
    assert await measure(courier, 10) == 1
    with house.store.read() as session:
        figures = {one.name: one.value for one in session.exec(select(Metric)).all()}
    assert figures[AIR_SECONDS] == round(short().seconds) and figures["Cụm loa đã phát"] == 1
    assert len(receiver.stop()) * 0.02 == pytest.approx(short().seconds, abs=0.05)
    assert house.see(second).state == State.DUE


async def test_after_a_crash_on_the_air_a_person_decides(house: House, clock: FakeClock, receiver: Receiver) -> None:
    delivery = house.planned(clock() + 5 * MINUTE)
    clock.forward(minutes=5)
    with house.store.write() as session:
        [(id, fence)] = claiming.claim(session, "one", clock(), 10)
    freeze(house.courier(), id, fence)
    to_wire(house.courier(), id, fence)
    folder = Path(house.outlet.settings["folder"])
    begun = Begun(at=clock(), key=delivery.key, title="", transport="rtp", seconds=90, clusters=("Tổ 1",))
    with days.locked(folder):
        left = airings.begin(folder, days.ending(delivery.key), "2026-11-23", begun)
    assert left is not None
    left._file.close()  # the process is gone, and its lock with it
    again = house.courier("two")
    assert again.recover() == 1
    clock.forward(seconds=5)
    await again.look(10)
    told = house.see(delivery)
    assert told.state == State.NEEDS_HUMAN and told.detail.startswith("Bị ngắt giữa chừng")
    clock.forward(minutes=10)
    assert await again.deliver(10) == 0 and await again.look(10) == 0
    assert receiver.stop() == []

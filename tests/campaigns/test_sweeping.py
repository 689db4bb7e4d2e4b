"""The daily sweep: a second copy that a look-up could not see is found, told where people look, and told no more when it is gone."""

from datetime import timedelta

import pytest
from sqlmodel import select

from campaigns import views
from campaigns.sweeping import sweep
from channels.contract import Found, Unknown
from store.tables import AuditEvent, Delivery
from tests.campaigns import scripted
from tests.campaigns.conftest import House

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def listing(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, ...] | None]:
    """What the platform's list shows of each delivery; what is not named is there once."""
    shown: dict[str, tuple[str, ...] | None] = {}

    async def copies(_self, message, part, since):
        assert since <= message.due_at
        return shown.get(message.key, (f"{message.key}/{part}",))

    monkeypatch.setattr(scripted.Scripted, "copies", copies)
    return shown


async def _sent(house: House, clock) -> Delivery:
    delivery = house.planned(clock().replace(minute=30))
    clock.forward(hours=1)
    assert await house.courier().deliver(5) == 1
    assert house.see(delivery).state == "sent"
    return delivery


def _told(house: House, delivery: Delivery) -> list[str]:
    with house.store.read() as session:
        wanted = select(AuditEvent.action).where(AuditEvent.subject == "delivery")
        events = session.exec(wanted.where(AuditEvent.subject_id == str(delivery.id)).order_by(AuditEvent.id)).all()
    return [action for action in events if action in ("delivery.doubled", "delivery.single_again")]


async def test_a_second_copy_is_told_once_and_until_it_is_gone(house: House, clock, listing) -> None:
    delivery = await _sent(house, clock)
    assert await sweep(house.courier()) == 0
    listing[delivery.key] = ("1", "2", "2")
    assert [await sweep(house.courier()) for _ in range(2)] == [1, 1]
    seen = house.see(delivery)
    assert (seen.state, seen.reason) == ("sent", "doubled")
    assert seen.detail == "Trên kênh đang có nhiều hơn một bản: 2 bản (1, 2). Hãy mở kênh và gỡ bản thừa."
    with house.store.read() as session:
        assert [line.delivery.id for line in views.today(session, house.ward, clock()).attention] == [delivery.id]
    clock.forward(days=3)
    del listing[delivery.key]
    assert await sweep(house.courier()) == 0
    assert house.see(delivery).reason == ""
    assert _told(house, delivery) == ["delivery.doubled", "delivery.single_again"]
    with house.store.read() as session:
        assert views.today(session, house.ward, clock()).attention == []


async def test_a_list_that_cannot_be_read_changes_nothing(house: House, clock, listing, monkeypatch) -> None:
    delivery = await _sent(house, clock)
    listing[delivery.key] = ("1", "2")
    await sweep(house.courier())
    listing[delivery.key] = None
    assert await sweep(house.courier()) == 0
    assert house.see(delivery).reason == "doubled"

    async def broken(*_given):
        raise RuntimeError("no list today")

    monkeypatch.setattr(scripted.Scripted, "copies", broken)
    assert await sweep(house.courier()) == 0
    assert house.see(delivery).reason == "doubled"


async def test_what_is_older_than_two_days_is_not_asked_for(house: House, clock, listing) -> None:
    delivery = await _sent(house, clock)
    clock.forward(days=3)
    listing[delivery.key] = ("1", "2")
    assert await sweep(house.courier()) == 0
    assert house.see(delivery).reason == ""


async def test_a_kept_message_that_cannot_be_read_keeps_no_other_from_being_counted(
    house: House, clock, listing
) -> None:
    unreadable, delivery = await _sent(house, clock), await _sent(house, clock)
    with house.store.write() as session:
        session.get_one(Delivery, unreadable.id).message = {"from": "an older program"}
    listing[delivery.key] = ("1", "2")
    assert await sweep(house.courier()) == 1


async def test_what_was_given_up_but_is_out_after_all_is_told_until_it_is_gone(house: House, clock, listing) -> None:
    delivery = house.planned(clock().replace(minute=30))
    scripted.PLATFORM.answers = [Unknown(detail="Mất câu trả lời.")]
    scripted.PLATFORM.finds = [Found(verdict="absent")] * 9
    clock.forward(hours=1)
    courier = house.courier()
    await courier.deliver(5)
    with house.store.write() as session:
        row = session.get_one(Delivery, delivery.id)
        row.expires_at = clock() + timedelta(minutes=1)
        session.add(row)
    for _ in range(12):
        clock.forward(minutes=2)
        await courier.look(5)
        await courier.deliver(5)
    seen = house.see(delivery)
    assert (seen.state, seen.reason) == ("missed", "late")
    listing[delivery.key] = ()
    assert await sweep(courier) == 0 and house.see(delivery).reason == "late"
    listing[delivery.key] = ("9",)
    assert [await sweep(courier) for _ in range(2)] == [1, 1]
    seen = house.see(delivery)
    assert (seen.state, seen.reason) == ("missed", "out_after_all")
    assert seen.detail.startswith("Lượt đăng đã dừng nhưng trên kênh đang có bài: 1 bản (9).")
    with house.store.read() as session:
        assert [line.delivery.id for line in views.today(session, house.ward, clock()).attention] == [delivery.id]
    listing[delivery.key] = ()
    assert await sweep(courier) == 0 and house.see(delivery).reason == ""

"""A delivery goes out once, at its hour, or it is known why not. On SQLite and on PostgreSQL."""

from datetime import timedelta

import pytest
from sqlalchemy.exc import DBAPIError
from sqlmodel import col, select, update

from campaigns import approving, drafting, outlets
from campaigns.audit import verify
from campaigns.planning import plan
from campaigns.states import State
from channels.contract import Deferred, Found, Handle, Pending, Reason, Refused, Unknown
from store.tables import Attempt, AuditEvent, Delivery, Outlet, Post
from tests.campaigns.conftest import House, build_house, freeze, to_wire
from tests.campaigns.scripted import Lost, Platform

pytestmark = pytest.mark.anyio
HOUR = timedelta(hours=1)


async def test_it_goes_out_at_its_hour_and_not_before(house: House, platform: Platform, clock) -> None:
    delivery = house.planned(clock() + HOUR)
    assert await house.courier().deliver(10) == 0
    clock.forward(minutes=60)
    assert await house.courier().deliver(10) == 1
    found = house.see(delivery)
    assert (found.state, found.sent_at, found.remote_ids) == (State.SENT, clock(), [f"{delivery.key}/0"])
    assert platform.posts == [(delivery.key, 0)]


async def test_every_change_is_in_the_chain_and_every_attempt_on_record(house: House, clock) -> None:
    delivery = house.planned(clock() + HOUR)
    clock.forward(hours=1)
    await house.courier().deliver(10)
    with house.store.read() as session:
        assert verify(session, house.ward.id or 0) > 0
        moves = session.exec(
            select(AuditEvent.action).where(AuditEvent.subject == "delivery", AuditEvent.subject_id == str(delivery.id))
        ).all()
        attempts = session.exec(select(Attempt).where(Attempt.delivery_id == delivery.id)).all()
    assert sorted(moves) == ["delivery.planned", "delivery.prepared", "delivery.sent", "delivery.wire"]
    assert [(a.verb, a.outcome, a.part) for a in attempts] == [("publish", "published", 0)]


async def test_planning_twice_changes_nothing(house: House, clock) -> None:
    house.planned(clock() + HOUR)
    with house.store.write() as session:
        assert plan(session, clock(), timedelta(days=8)) == 0
        assert len(session.exec(select(Delivery)).all()) == 1


async def test_a_lost_answer_is_looked_up_and_never_sent_again(house: House, platform: Platform, clock) -> None:
    delivery = house.planned(clock() + HOUR)
    clock.forward(hours=1)
    platform.answers = [Lost(Unknown(detail="mất câu trả lời"))]
    courier = house.courier()
    await courier.deliver(10)
    assert house.see(delivery).state == State.UNKNOWN
    clock.forward(seconds=25)
    await courier.look(10)
    found = house.see(delivery)
    assert (found.state, found.adopted, platform.copies(delivery.key)) == (State.SENT, True, 1)


async def test_what_is_proved_absent_twice_is_sent_once_more(house: House, platform: Platform, clock) -> None:
    delivery = house.planned(clock() + HOUR)
    clock.forward(hours=1)
    platform.answers = [Unknown(detail="đứt kết nối")]
    courier = house.courier()
    await courier.deliver(10)
    for _ in range(2):
        clock.forward(seconds=60)
        await courier.look(10)
    assert house.see(delivery).state == State.DUE
    await courier.deliver(10)
    assert house.see(delivery).state == State.SENT
    assert platform.copies(delivery.key) == 1


async def test_a_second_doubt_is_put_before_a_person(house: House, platform: Platform, clock) -> None:
    delivery = house.planned(clock() + HOUR)
    clock.forward(hours=1)
    platform.answers = [Unknown(detail="đứt"), Unknown(detail="đứt")]
    courier = house.courier()
    for _ in range(2):
        await courier.deliver(10)
        for _ in range(2):
            clock.forward(seconds=60)
            await courier.look(10)
    assert house.see(delivery).state == State.NEEDS_HUMAN


async def test_a_platform_that_cannot_be_asked_gets_one_attempt(any_store, tmp_path, clock, platform: Platform) -> None:
    house = build_house(any_store, tmp_path, clock, kind="blind")
    delivery = house.planned(clock() + HOUR)
    clock.forward(hours=1)
    platform.answers = [Lost(Unknown(detail="mất"))]
    courier = house.courier()
    await courier.deliver(10)
    clock.forward(minutes=5)
    await courier.look(10)
    assert house.see(delivery).state == State.NEEDS_HUMAN
    assert platform.copies(delivery.key) == 1


async def test_an_unreachable_platform_is_tried_again_later(house: House, platform: Platform, clock) -> None:
    delivery = house.planned(clock() + HOUR)
    clock.forward(hours=1)
    platform.answers = [Deferred(reason=Reason.UNREACHABLE)]
    courier = house.courier()
    await courier.deliver(10)
    waiting = house.see(delivery)
    assert (waiting.state, waiting.tries) == (State.DUE, 0)
    assert waiting.next_at > clock()
    clock.forward(minutes=2)
    await courier.deliver(10)
    assert house.see(delivery).state == State.SENT


async def test_a_refusal_fails_with_its_reason(house: House, platform: Platform, clock) -> None:
    delivery = house.planned(clock() + HOUR)
    clock.forward(hours=1)
    platform.answers = [Refused(reason=Reason.REJECTED, detail="Trái quy định của nền tảng.")]
    await house.courier().deliver(10)
    found = house.see(delivery)
    assert (found.state, found.reason, found.detail) == (State.FAILED, "rejected", "Trái quy định của nền tảng.")


async def test_lost_rights_pause_the_outlet_and_burn_nothing(house: House, platform: Platform, clock) -> None:
    delivery = house.planned(clock() + HOUR)
    clock.forward(hours=1)
    platform.answers = [Refused(reason=Reason.UNAUTHORIZED, detail="Hết quyền truy cập.")]
    courier = house.courier()
    await courier.deliver(10)
    clock.forward(minutes=5)
    assert await courier.deliver(10) == 0
    assert (house.see(delivery).state, house.see(delivery).tries) == (State.DUE, 0)
    with house.store.write() as session:
        outlet = session.get_one(Outlet, house.outlet.id)
        assert (outlet.state, outlet.paused_reason) == ("paused", "Hết quyền truy cập.")
        outlets.resume(session, house.approver, outlet, clock())
    await courier.deliver(10)
    assert house.see(delivery).state == State.SENT


async def test_staging_that_is_pending_is_asked_again_with_its_handle(house: House, platform: Platform, clock) -> None:
    delivery = house.planned(clock() + HOUR)
    clock.forward(hours=1)
    platform.staged = [Pending(handle=Handle(data={"token": "t"}), retry_at=clock() + timedelta(seconds=4))]
    courier = house.courier()
    await courier.deliver(10)
    waiting = house.see(delivery)
    assert (waiting.state, waiting.tries) == (State.DUE, 0)
    assert Handle.model_validate(waiting.handle) == Handle(data={"token": "t"})
    clock.forward(seconds=5)
    await courier.deliver(10)
    assert house.see(delivery).state == State.SENT


@pytest.mark.parametrize("left_in", [State.PREPARED, State.WIRE])
async def test_a_killed_daemon_doubles_nothing(house: House, platform: Platform, clock, left_in: State) -> None:
    delivery = house.planned(clock() + HOUR)
    clock.forward(hours=1)
    killed = house.courier("killed")
    [(id, fence)] = killed._claim(10)
    if left_in == State.WIRE:
        freeze(killed, id, fence)
        assert to_wire(killed, id, fence) is not None
        platform.posts.append((delivery.key, 0))
    assert house.see(delivery).state == left_in
    again = house.courier("again")
    assert again.recover() == 1
    for _ in range(3):
        clock.forward(seconds=30)
        await again.look(10)
        await again.deliver(10)
    assert house.see(delivery).state == State.SENT
    assert platform.copies(delivery.key) == 1


async def test_an_answer_with_an_old_fence_changes_nothing(house: House, clock) -> None:
    delivery = house.planned(clock() + HOUR)
    clock.forward(hours=1)
    zombie = house.courier("zombie")
    [(id, fence)] = zombie._claim(10)
    house.courier("again").recover()
    assert to_wire(zombie, id, fence) is None
    assert house.see(delivery).state == State.DUE


async def test_what_is_edited_after_approval_does_not_go_out(house: House, platform: Platform, clock) -> None:
    delivery = house.planned(clock() + HOUR)
    with house.store.write() as session:
        post = session.get_one(Post, delivery.post_id)
        drafting.save(session, house.editor, house.ward, house.draft(clock() + HOUR, body="Sửa lại."), clock(), post)
    clock.forward(hours=2)
    await house.courier().deliver(10)
    assert house.see(delivery).state == State.CANCELLED
    assert platform.posts == []


async def test_what_is_changed_behind_the_approval_does_not_go_out(house: House, platform: Platform, clock) -> None:
    delivery = house.planned(clock() + HOUR)
    with house.store.write() as session:
        session.exec(update(Post).where(col(Post.id) == delivery.post_id).values(digest="khác"))
    clock.forward(hours=1)
    await house.courier().deliver(10)
    assert house.see(delivery).state == State.CANCELLED
    assert platform.posts == []


async def test_a_withdrawal_just_before_the_wire_wins(house: House, platform: Platform, clock) -> None:
    delivery = house.planned(clock() + HOUR)
    with house.store.write() as session:
        post = session.get_one(Post, delivery.post_id)
        assert approving.withdraw_approval(session, house.approver, post, "Sai ngày.", clock()) == 1
    clock.forward(hours=1)
    await house.courier().deliver(10)
    assert platform.posts == []


async def test_past_its_grace_it_is_missed_and_said_so(house: House, platform: Platform, clock) -> None:
    delivery = house.planned(clock() + HOUR)
    clock.forward(hours=8)
    await house.courier().deliver(10)
    found = house.see(delivery)
    assert (found.state, found.detail) == (State.MISSED, "Trễ 420 phút, quá hạn cho phép.")
    assert platform.posts == []


async def test_both_parts_go_out_in_order(any_store, tmp_path, clock, platform: Platform) -> None:
    house = build_house(any_store, tmp_path, clock, kind="twoparts")
    delivery = house.planned(clock() + HOUR)
    clock.forward(hours=1)
    courier = house.courier()
    await courier.deliver(10)
    assert (house.see(delivery).state, house.see(delivery).part) == (State.DUE, 1)
    clock.forward(seconds=2)
    await courier.deliver(10)
    assert house.see(delivery).state == State.SENT
    assert platform.posts == [(delivery.key, 0), (delivery.key, 1)]


async def test_a_text_that_breaks_the_limits_never_leaves(house: House, platform: Platform, clock) -> None:
    with house.store.write() as session:
        post = drafting.save(session, house.editor, house.ward, house.draft(clock() + HOUR, body="a" * 201), clock())
        [error] = drafting.submit(session, house.editor, post, house.ward, house.desk, clock())
        assert error.text == "Nền tảng thử: Nội dung dài quá 200 ký tự."
        assert post.state == "draft"


async def test_an_illegal_move_is_refused_by_the_database(house: House, clock) -> None:
    delivery = house.planned(clock() + HOUR)
    with pytest.raises(DBAPIError, match="illegal move"), house.store.write() as session:
        session.exec(update(Delivery).where(col(Delivery.id) == delivery.id).values(state="sent"))


async def test_the_audit_log_cannot_be_changed(house: House) -> None:
    with pytest.raises(DBAPIError, match="only grows"), house.store.write() as session:
        session.exec(update(AuditEvent).values(actor="ai đó"))


async def test_a_broken_platform_reading_goes_to_a_person_in_the_end(house: House, platform: Platform, clock) -> None:
    delivery = house.planned(clock() + HOUR)
    clock.forward(hours=1)
    platform.answers = [Lost(Unknown(detail="mất"))]
    platform.finds = [Found(verdict="unclear", detail="Trang không đọc được.")] * 20
    courier = house.courier()
    await courier.deliver(10)
    for _ in range(12):
        clock.forward(minutes=4)
        await courier.look(10)
    found = house.see(delivery)
    assert (found.state, found.detail) == (State.NEEDS_HUMAN, "Trang không đọc được.")

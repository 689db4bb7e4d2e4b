"""Couriers under trouble: two at once, a database that fails in the middle, plug-ins that are gone, silent platforms."""

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlmodel import Session, col, select, text, update

from campaigns import approving, delivering, drafting, freezing, outlets, settling, wiring
from campaigns.delivering import Courier
from campaigns.freezing import UNREADABLE, Frozen, Letter
from campaigns.planning import plan
from campaigns.recording import Clerk
from campaigns.states import MAX_LOOKS, State
from campaigns.wiring import Ready
from channels.contract import Deferred, Found, Handle, Published, Reason, Unknown
from store import points
from store.tables import Delivery, Outlet, Post, ShortLink
from tests.campaigns.conftest import House, build_house, freeze, to_wire
from tests.campaigns.scripted import Lost, Platform

pytestmark = pytest.mark.anyio
HOUR = timedelta(hours=1)


def _outlets(house: House, count: int) -> list[int]:
    with house.store.write() as session:
        made = [
            outlets.connect(
                session,
                house.admin,
                house.ward.id or 0,
                "scripted",
                f"Kênh {n}",
                {},
                house.desk.vault,
                house.desk.now(),
            )
            for n in range(count)
        ]
        return [outlet.id or 0 for outlet in made]


def _plan(house: House, due, outlet_ids: list[int], posts: int) -> None:
    for number in range(posts):
        house.approved(due, outlet_ids=outlet_ids, title=f"Tin {number}")
    with house.store.write() as session:
        plan(session, house.desk.now(), timedelta(days=8))


async def test_two_couriers_at_once_never_share_a_delivery_nor_an_outlet(house: House, clock) -> None:
    _plan(house, clock() + HOUR, _outlets(house, 4), posts=3)
    clock.forward(hours=1)
    claimed: list[list[tuple[int, int]]] = []
    together = threading.Barrier(4)

    def claim(courier: Courier) -> None:
        together.wait()
        claimed.append(courier._claim(10))

    threads = [threading.Thread(target=claim, args=(house.courier(f"epoch {n}"),)) for n in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    ids = [id for wave in claimed for id, _ in wave]
    with house.store.read() as session:
        rows = session.exec(select(Delivery).where(Delivery.state == State.PREPARED)).all()
    assert len(ids) == len(set(ids)) == len(rows) == 4
    assert len({row.outlet_id for row in rows}) == 4


async def test_an_answer_that_cannot_be_written_down_ends_as_unknown_and_is_looked_up(
    house: House, platform: Platform, clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = house.planned(clock() + HOUR)
    clock.forward(hours=1)
    monkeypatch.setattr(delivering, "RECORD_AGAIN_AFTER", (0.0,))
    with monkeypatch.context() as broken:
        broken.setattr(Clerk, "published", _disk_full)
        courier = house.courier()
        await courier.deliver(10)
    lost, courier = courier, house.courier(courier.epoch)
    courier.dropped |= lost.dropped
    assert (house.see(delivery).state, courier.dropped) == (State.WIRE, {delivery.id})
    clock.forward(seconds=1)
    await courier.deliver(10)
    assert house.see(delivery).state == State.UNKNOWN
    clock.forward(seconds=25)
    await courier.look(10)
    assert (house.see(delivery).state, platform.copies(delivery.key)) == (State.SENT, 1)


def _disk_full(*_: object) -> None:
    raise OperationalError("update delivery", {}, OSError("database or disk is full"))


async def test_a_database_that_is_busy_for_a_moment_loses_no_answer(
    house: House, platform: Platform, clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = house.planned(clock() + HOUR)
    clock.forward(hours=1)
    monkeypatch.setattr(delivering, "RECORD_AGAIN_AFTER", (0.0, 0.0))
    real, refusals = Clerk.published, [1]

    def once_busy(self: Clerk, *what: object) -> object:
        if refusals:
            refusals.pop()
            _disk_full()
        return real(self, *what)  # type: ignore[arg-type]

    monkeypatch.setattr(Clerk, "published", once_busy)
    await house.courier().deliver(10)
    assert house.see(delivery).state == State.SENT


async def test_one_job_that_fails_does_not_lose_the_others(
    house: House, platform: Platform, clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = _outlets(house, 3)
    _plan(house, clock() + HOUR, ids, posts=1)
    clock.forward(hours=1)
    real = wiring.to_wire

    def broken_at_one(session: Session, ready: list[Ready], now: datetime) -> object:
        if any(session.get_one(Delivery, one.id).outlet_id == ids[0] for one in ready):
            _disk_full()
        return real(session, ready, now)

    with monkeypatch.context() as broken:
        broken.setattr(wiring, "to_wire", broken_at_one)
        courier = house.courier()
        assert await courier.deliver(10) == 3
    with house.store.read() as session:
        states = dict(session.exec(select(Delivery.outlet_id, Delivery.state)).all())
    assert [states[id] for id in ids] == [State.PREPARED, State.SENT, State.SENT]
    clock.forward(seconds=2)
    mended = house.courier(courier.epoch)
    mended.dropped |= courier.dropped
    await mended.deliver(10)
    assert len(platform.posts) == 3


def _claimed_by(house: House, courier: Courier, count: int) -> list[int]:
    """Deliveries that this courier has claimed and is not busy with."""
    _plan(house, house.desk.now() + HOUR, _outlets(house, count), posts=1)
    house.desk.now.forward(hours=1)
    return sorted(id for id, _ in courier._claim(10))


async def test_what_is_dropped_while_another_is_picked_up_is_not_forgotten(house: House, platform: Platform) -> None:
    courier = house.courier()
    first, second = _claimed_by(house, courier, 2)
    courier.dropped.add(first)
    points.listen = lambda point: courier.dropped.add(second) if point == "recover:before" else None
    try:
        await courier.deliver(10)
    finally:
        points.listen = None
    assert courier.dropped == {second}
    for _ in range(2):
        house.desk.now.forward(seconds=2)
        await courier.deliver(10)
    assert len(platform.posts) == 2


async def test_what_nobody_is_busy_with_does_not_stay_under_way_for_ever(house: House, platform: Platform) -> None:
    courier = house.courier()
    _claimed_by(house, courier, 1)
    assert courier.find_forgotten() == 0, "it may have been claimed a moment ago"
    assert courier.find_forgotten() == 1
    for _ in range(2):
        await courier.deliver(10)
        house.desk.now.forward(seconds=2)
    assert len(platform.posts) == 1
    assert courier.find_forgotten() == courier.find_forgotten() == 0


async def test_a_message_that_was_damaged_on_disk_keeps_nobody_else_waiting(
    house: House, platform: Platform, clock
) -> None:
    ids = _outlets(house, 2)
    _plan(house, clock() + HOUR, ids, posts=1)
    damage = text('update delivery set message = \'{"kind": "scri\' where outlet_id = :id').bindparams(id=ids[0])
    if house.store.dialect == "postgresql":
        with pytest.raises(DBAPIError), house.store.write() as session:
            session.execute(damage)  # this database does not take it
        return
    with house.store.write() as session:
        session.execute(damage)
    clock.forward(hours=1)
    await house.courier().deliver(10)
    with house.store.read() as session:
        found = {row.outlet_id: (row.state, row.detail) for row in session.exec(select(Delivery)).all()}
    assert found[ids[0]] == (State.FAILED, UNREADABLE)
    assert found[ids[1]][0] == State.SENT


async def test_a_carry_that_was_given_up_ends_without_its_successor_being_forgotten(
    house: House, clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = house.planned(clock() + HOUR)
    clock.forward(hours=1)
    answers = [asyncio.Event(), asyncio.Event()]
    silent = iter(answers)

    async def slow(*_: object) -> Published:
        await next(silent).wait()
        return Published(remote_id="1")

    monkeypatch.setattr("tests.campaigns.scripted.Scripted.publish", slow)
    courier = house.courier()
    await courier.begin(10)
    await _until(lambda: house.see(delivery).state == State.WIRE)
    house.courier("another").recover()
    with house.store.write() as session:
        settling.settle_again(session, house.approver, session.get_one(Delivery, delivery.id), clock())
    clock.forward(minutes=1)
    await courier.begin(10)
    await _until(lambda: house.see(delivery).state == State.WIRE)
    courier.freed.clear()
    answers[0].set()
    await asyncio.wait_for(courier.freed.wait(), 5)
    assert courier.find_forgotten() == courier.find_forgotten() == 0, "somebody waits for the second answer"
    answers[1].set()
    await courier.idle()
    assert house.see(delivery).state == State.SENT


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("any_store", ["postgresql"], indirect=True)
async def test_a_program_frozen_while_it_wrote_a_message_fails_no_post(
    house: House, clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = house.planned(clock() + HOUR)
    clock.forward(hours=1)
    real, frozen = freezing.keep, [0.5]

    def keep(session: Session, jobs: list[Frozen]) -> list[Letter]:
        if frozen:
            session.connection().exec_driver_sql("set local idle_in_transaction_session_timeout = 100")
            time.sleep(frozen.pop())
        return real(session, jobs)

    monkeypatch.setattr(freezing, "keep", keep)
    courier = house.courier()
    await courier.deliver(10)
    assert house.see(delivery).state == State.PREPARED
    for _ in range(2):
        clock.forward(seconds=2)
        await courier.deliver(10)
    assert house.see(delivery).state == State.SENT


async def test_one_look_counts_once_even_when_its_commit_was_in_doubt(
    house: House, platform: Platform, clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = house.planned(clock() + HOUR)
    clock.forward(hours=1)
    monkeypatch.setattr(delivering, "RECORD_AGAIN_AFTER", (0.0,))
    platform.answers = [Lost(Unknown(detail="mất"))]
    platform.finds = [Found(verdict="absent")]
    courier = house.courier()
    await courier.deliver(10)
    clock.forward(seconds=25)
    broken = iter([_disk_full])
    points.listen = lambda point: next(broken, str)() if point == "looked:after" else None
    try:
        await courier.look(10)
    finally:
        points.listen = None
    found = house.see(delivery)
    assert (found.state, found.looks) == (State.UNKNOWN, 1), "an absence is proved by two looks"
    clock.forward(minutes=3)
    await courier.look(10)
    assert (house.see(delivery).state, platform.copies(delivery.key)) == (State.SENT, 1)


async def test_what_a_platform_says_never_keeps_its_answer_from_being_written(
    house: House, platform: Platform, clock
) -> None:
    delivery = house.planned(clock() + HOUR)
    clock.forward(hours=1)
    platform.answers = [Unknown(detail="hỏng \ud83d giữa chừng \0")]
    platform.finds = [Found(verdict="unclear", detail="\ud83d không rõ \0")] * MAX_LOOKS
    courier = house.courier()
    await courier.deliver(10)
    assert house.see(delivery).state == State.UNKNOWN
    for _ in range(MAX_LOOKS):
        clock.forward(minutes=5)
        await courier.look(10)
    assert (house.see(delivery).state, house.see(delivery).detail) == (State.NEEDS_HUMAN, "? không rõ ")


async def test_a_plug_in_that_is_gone_keeps_nobody_else_waiting(house: House, platform: Platform, clock) -> None:
    ids = _outlets(house, 2)
    _plan(house, clock() + HOUR, ids, posts=1)
    with house.store.write() as session:
        session.exec(update(Outlet).where(col(Outlet.id) == ids[0]).values(kind="gone"))
    clock.forward(hours=1)
    await house.courier().deliver(10)
    with house.store.read() as session:
        rows = {row.outlet_id: row for row in session.exec(select(Delivery)).all()}
    assert (rows[ids[0]].state, rows[ids[1]].state) == (State.FAILED, State.SENT)
    assert "Không có nền tảng «gone»" in rows[ids[0]].detail


async def test_a_life_left_in_the_wire_of_a_plug_in_that_is_gone_can_still_be_recovered(house: House, clock) -> None:
    delivery = house.planned(clock() + HOUR)
    clock.forward(hours=1)
    killed = house.courier("killed")
    [(id, fence)] = killed._claim(10)
    freeze(killed, id, fence)
    to_wire(killed, id, fence)
    with house.store.write() as session:
        session.exec(update(Outlet).values(kind="gone"))
    again = house.courier("again")
    assert again.recover() == 1
    clock.forward(minutes=2)
    await again.look(10)
    assert house.see(delivery).state == State.NEEDS_HUMAN


async def test_a_platform_that_never_answers_is_not_waited_for_for_ever(
    house: House, platform: Platform, clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silence(*_: object) -> None:
        await asyncio.sleep(60)

    delivery = house.planned(clock() + HOUR)
    clock.forward(hours=1)
    monkeypatch.setattr(delivering, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr("tests.campaigns.scripted.Scripted.publish", silence)
    await house.courier().deliver(10)
    assert (house.see(delivery).state, house.see(delivery).detail) == (
        State.UNKNOWN, "Nền tảng không trả lời trong thời gian chờ.",
    )  # fmt: skip


async def test_writing_ahead_and_claiming_at_once_leave_one_message_and_one_link(house: House, clock) -> None:
    delivery = house.planned(clock() + HOUR)
    clock.forward(hours=1)
    courier = house.courier()
    [(id, fence)] = courier._claim(10)
    ahead = threading.Thread(target=lambda: freeze(courier, id, 0))
    ahead.start()
    freeze(courier, id, fence)
    ahead.join()
    with house.store.read() as session:
        assert session.exec(select(ShortLink.code)).all() == [delivery.key]


async def test_a_late_writer_ahead_writes_nothing_over_a_claim(house: House, clock) -> None:
    delivery = house.planned(clock() + HOUR)
    clock.forward(hours=1)
    courier = house.courier()
    courier._claim(10)
    freeze(courier, delivery.id or 0, 0)
    assert house.see(delivery).message is None


async def test_text_changed_behind_the_digest_does_not_go_out(house: House, platform: Platform, clock) -> None:
    delivery = house.planned(clock() + HOUR)
    with house.store.write() as session:
        session.exec(update(Post).where(col(Post.id) == delivery.post_id).values(body="Nội dung chưa ai duyệt."))
    clock.forward(hours=1)
    await house.courier().deliver(10)
    assert (house.see(delivery).state, platform.posts) == (State.CANCELLED, [])


def _between_freeze_and_wire(house: House, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    real = Courier._leave

    async def interrupted(self: Courier, letter: Letter, handle: Handle) -> None:
        act()
        await real(self, letter, handle)

    monkeypatch.setattr(Courier, "_leave", interrupted)


async def test_an_outlet_paused_at_the_last_moment_stays_silent(
    house: House, platform: Platform, clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = house.planned(clock() + HOUR)
    clock.forward(hours=1)

    def pause() -> None:
        with house.store.write() as session:
            outlets.pause(session, house.admin, session.get_one(Outlet, house.outlet.id), "Bảo trì.", clock())

    _between_freeze_and_wire(house, monkeypatch, pause)
    await house.courier().deliver(10)
    assert (house.see(delivery).state, house.see(delivery).tries, platform.posts) == (State.DUE, 0, [])


async def test_a_withdrawal_between_two_parts_stops_the_second_and_says_so(
    any_store, tmp_path, clock, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = build_house(any_store, tmp_path, clock, kind="twoparts")
    delivery = house.planned(clock() + HOUR)
    clock.forward(hours=1)
    courier = house.courier()
    await courier.deliver(10)
    clock.forward(seconds=2)

    def withdraw() -> None:
        with house.store.write() as session:
            post = session.get_one(Post, delivery.post_id)
            approving.withdraw_approval(session, house.approver, post, "Sai số liệu.", clock())

    _between_freeze_and_wire(house, monkeypatch, withdraw)
    await courier.deliver(10)
    found = house.see(delivery)
    assert (found.state, len(platform.posts)) == (State.CANCELLED, 1)
    assert found.detail.startswith("Đã đăng 1/2 phần.")


async def test_a_post_of_which_a_part_is_out_cannot_be_edited(any_store, tmp_path, clock) -> None:
    house = build_house(any_store, tmp_path, clock, kind="twoparts")
    delivery = house.planned(clock() + HOUR)
    clock.forward(hours=1)
    await house.courier().deliver(10)
    assert house.see(delivery).state == State.DUE
    with pytest.raises(drafting.Mistake, match="đã bắt đầu được đăng"), house.store.write() as session:
        post = session.get_one(Post, delivery.post_id)
        drafting.save(session, house.editor, house.ward, house.draft(clock() + HOUR, body="Khác."), clock(), post)


async def test_a_second_part_that_waits_for_its_window_ends_in_words(
    any_store, tmp_path, clock, platform: Platform
) -> None:
    house = build_house(any_store, tmp_path, clock, kind="twoparts")
    delivery = house.planned(clock() + HOUR)
    clock.forward(hours=1)
    courier = house.courier()
    await courier.deliver(10)
    platform.answers = [Deferred(reason=Reason.RATE_LIMITED)] * 30
    for _ in range(14):
        clock.forward(hours=1)
        await courier.deliver(10)
    found = house.see(delivery)
    assert (found.state, found.part) == (State.FAILED, 1)
    assert found.detail.startswith("Mới đăng được 1/2 phần.")


async def test_an_unclear_look_does_not_count_as_a_proof(house: House, platform: Platform, clock) -> None:
    delivery = house.planned(clock() + HOUR)
    clock.forward(hours=1)
    platform.answers = [Lost(Unknown(detail="mất"))]
    unclear, absent = Found(verdict="unclear"), Found(verdict="absent")
    platform.finds = [unclear, absent, unclear]
    courier = house.courier()
    await courier.deliver(10)
    for _ in range(3):
        clock.forward(minutes=3)
        await courier.look(10)
    assert house.see(delivery).state == State.UNKNOWN
    platform.finds = []
    clock.forward(minutes=3)
    await courier.look(10)
    assert (house.see(delivery).state, platform.copies(delivery.key)) == (State.SENT, 1)

"""A published post is taken down by the daemon or by hand; what cannot be known of it comes before a person."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import cast

import pytest
from sqlmodel import select, update

from campaigns import settling, withdrawing
from campaigns.audit import verify
from campaigns.delivering import Courier
from campaigns.people import Forbidden, Mistake
from campaigns.removals import MAX_DOUBTS, Next, after, can
from campaigns.states import State
from channels.contract import (
    Capability,
    Deferred,
    Found,
    Handle,
    Outcome,
    Pending,
    Published,
    Reason,
    Refused,
    Unknown,
)
from scheduler import Daemon
from settings import Settings
from store.tables import Attempt, AuditEvent, Delivery, Instance
from tests.campaigns import scripted
from tests.campaigns.conftest import House
from tests.campaigns.scripted import PLATFORM, Scripted, TwoParts
from worker import Hand

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
SETTLE = timedelta(seconds=20)


class Killed(BaseException):
    """The end of a life in the middle of a step."""


class Removable:
    """What the platform answers to «take it down»: each answer once, then yes."""

    def __init__(self) -> None:
        self.answers: list[Outcome | BaseException] = []
        self.asked: list[str] = []
        self.before: Callable[[], None] | None = None

    async def withdraw(self, remote_id: str) -> Outcome:
        self.asked.append(remote_id)
        if self.before:
            self.before()
        answer = self.answers.pop(0) if self.answers else Published(remote_id=remote_id)
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, Published):
            key, _, part = remote_id.rpartition("/")
            PLATFORM.posts[:] = [post for post in PLATFORM.posts if post != (key, int(part))]
        return answer


@pytest.fixture
def removable(monkeypatch: pytest.MonkeyPatch) -> Removable:
    made = Removable()
    for kind in (Scripted, TwoParts):
        monkeypatch.setattr(kind, "capabilities", Scripted.capabilities | {Capability.WITHDRAW})
        monkeypatch.setattr(kind, "withdraw", lambda self, remote_id: made.withdraw(remote_id))
    return made


def _decide(outcome: Outcome, doubted: bool = False, doubts: int = 0) -> Next | None:
    return after(outcome, doubted, 0, doubts, SETTLE, NOW, Random(1))


def test_what_follows_from_each_answer() -> None:
    assert _decide(Published(remote_id="1")) is None
    later = _decide(Deferred(reason=Reason.BUSY, retry_at=NOW + timedelta(hours=1)))
    assert later is not None and (later.state, later.at) == (State.WITHDRAWING, NOW + timedelta(hours=1))
    soon = _decide(Deferred(reason=Reason.UNREACHABLE))
    assert soon is not None and soon.at > NOW and not soon.doubt
    refused = _decide(Refused(reason=Reason.FORBIDDEN, detail="Không có quyền."))
    assert refused is not None and (refused.state, refused.detail) == (State.SENT, "Không có quyền.")
    gone = Refused(reason=Reason.NOT_FOUND)
    assert _decide(gone, doubted=True) is None, "asked for without an answer, and now there is no such post"
    first = _decide(gone)
    assert first is not None and first.state is State.SENT
    doubt = _decide(Unknown(), doubts=MAX_DOUBTS - 2)
    assert doubt is not None and doubt.doubt and doubt.state is State.WITHDRAWING and doubt.at >= NOW + SETTLE
    last = _decide(Unknown(), doubts=MAX_DOUBTS - 1)
    assert last is not None and last.state is State.NEEDS_HUMAN


async def _sent(house: House, courier: Courier, clock) -> Delivery:
    delivery = house.planned(clock() + timedelta(minutes=5))
    clock.forward(minutes=5)
    for _ in range(3):
        await courier.deliver(10)
        clock.forward(seconds=5)
    found = house.see(delivery)
    assert found.state == State.SENT
    return found


def _ask(house: House, delivery: Delivery, reason: str = "Sai số điện thoại") -> None:
    with house.store.write() as session:
        row = session.get_one(Delivery, delivery.id)
        settling.take_down(session, house.approver, row, reason, house.desk.now())


def _actions(house: House, delivery: Delivery) -> list[str]:
    with house.store.read() as session:
        about = (AuditEvent.subject == "delivery", AuditEvent.subject_id == str(delivery.id))
        rows = session.exec(select(AuditEvent).where(*about).order_by(AuditEvent.number)).all()  # type: ignore[arg-type]
        verify(session, house.ward.id or 0)
        return [row.action for row in rows][-3:]


def _tries(house: House, delivery: Delivery) -> list[tuple[str, str]]:
    with house.store.read() as session:
        rows = session.exec(select(Attempt).where(Attempt.delivery_id == delivery.id).order_by(Attempt.id)).all()  # type: ignore[arg-type]
        return [(row.verb, row.outcome) for row in rows if row.verb.startswith("withdraw")]


@pytest.mark.anyio
async def test_it_is_asked_for_then_carried_out(house: House, clock, removable: Removable) -> None:
    courier = house.courier()
    delivery = await _sent(house, courier, clock)
    _ask(house, delivery)
    asked = house.see(delivery)
    assert (asked.state, asked.measure_at) == (State.WITHDRAWING, None) and removable.asked == []
    assert await withdrawing.withdraw(courier, 10) == 1
    found = house.see(delivery)
    assert (found.state, removable.asked, PLATFORM.posts) == (State.WITHDRAWN, delivery.remote_ids, [])
    assert _actions(house, delivery)[-2:] == ["delivery.withdrawing", "delivery.withdrawn"]
    assert _tries(house, delivery) == [("withdraw", "published")]
    assert await withdrawing.withdraw(courier, 10) == 0


@pytest.mark.anyio
async def test_what_is_on_the_air_is_stopped_before_it_is_over(house: House, clock, removable: Removable) -> None:
    courier = house.courier()
    delivery = house.planned(clock() + timedelta(minutes=5))
    clock.forward(minutes=5)
    PLATFORM.answers = [Pending(handle=Handle(remote_id="tin/0"), retry_at=clock() + timedelta(minutes=15))]
    await courier.deliver(10)
    assert house.see(delivery).state == State.UNKNOWN
    _ask(house, delivery, "Nhầm bản tin")
    assert await withdrawing.withdraw(courier, 10) == 1
    found = house.see(delivery)
    assert (found.state, removable.asked, found.remote_ids) == (State.WITHDRAWN, ["tin/0"], ["tin/0"])
    assert _actions(house, delivery)[-2:] == ["delivery.withdrawing", "delivery.withdrawn"]


@pytest.mark.anyio
async def test_what_may_only_be_out_is_settled_before_it_is_taken_down(
    house: House, clock, removable: Removable
) -> None:
    courier = house.courier()
    delivery = house.planned(clock() + timedelta(minutes=5))
    clock.forward(minutes=5)
    PLATFORM.answers = [Unknown(detail="Mất câu trả lời.")]
    await courier.deliver(10)
    with pytest.raises(settling.MovedOn):
        _ask(house, delivery)
    assert house.see(delivery).state == State.UNKNOWN and removable.asked == []


@pytest.mark.anyio
async def test_a_kept_message_that_cannot_be_read_keeps_nothing_from_being_taken_down(
    house: House, clock, removable: Removable
) -> None:
    courier = house.courier()
    delivery = await _sent(house, courier, clock)
    with house.store.write() as session:
        session.exec(update(Delivery).values(message={"from": "an older program"}))
    _ask(house, delivery)
    assert await withdrawing.withdraw(courier, 10) == 1
    assert (house.see(delivery).state, PLATFORM.posts) == (State.WITHDRAWN, [])


@pytest.mark.anyio
async def test_put_off_it_is_tried_again_later(house: House, clock, removable: Removable) -> None:
    courier = house.courier()
    delivery = await _sent(house, courier, clock)
    removable.answers = [Deferred(reason=Reason.UNREACHABLE, detail="Mất mạng."), Deferred(reason=Reason.BUSY)]
    _ask(house, delivery)
    await withdrawing.withdraw(courier, 10)
    waiting = house.see(delivery)
    assert (waiting.state, waiting.reason, waiting.detail) == (State.WITHDRAWING, "unreachable", "Mất mạng.")
    assert waiting.next_at > clock() and await withdrawing.withdraw(courier, 10) == 0
    waits = []
    while house.see(delivery).state == State.WITHDRAWING:
        waits.append(house.see(delivery).next_at - clock())
        clock.at = house.see(delivery).next_at
        await withdrawing.withdraw(courier, 10)
    assert house.see(delivery).state == State.WITHDRAWN and waits == sorted(waits), "each wait is the longer one"


@pytest.mark.anyio
async def test_refused_it_is_still_out_and_says_why(house: House, clock, removable: Removable) -> None:
    courier = house.courier()
    delivery = await _sent(house, courier, clock)
    removable.answers = [Refused(reason=Reason.FORBIDDEN, detail="Bài quá 48 giờ.")]
    _ask(house, delivery)
    await withdrawing.withdraw(courier, 10)
    found = house.see(delivery)
    assert (found.state, found.reason, found.detail) == (State.SENT, "forbidden", "Bài quá 48 giờ.")
    assert found.measure_at is not None, "it is out, so it is measured on"
    assert _actions(house, delivery)[-1] == "delivery.not_withdrawn"


@pytest.mark.anyio
@pytest.mark.parametrize("answer", [Unknown(), RuntimeError("our bug")])
async def test_without_an_answer_it_is_looked_up_first(
    house: House, clock, removable: Removable, answer: Outcome | BaseException
) -> None:
    courier = house.courier()
    delivery = await _sent(house, courier, clock)
    removable.answers = [answer]
    _ask(house, delivery)
    await withdrawing.withdraw(courier, 10)
    assert house.see(delivery).state == State.WITHDRAWING
    PLATFORM.posts.clear()  # it had been taken down; only the answer was lost
    clock.at = house.see(delivery).next_at
    await withdrawing.withdraw(courier, 10)
    assert house.see(delivery).state == State.WITHDRAWN and len(removable.asked) == 1
    assert _tries(house, delivery) == [("withdraw", "unknown"), ("withdraw_look", "absent")]


@pytest.mark.anyio
async def test_seen_there_still_it_is_asked_for_again(house: House, clock, removable: Removable) -> None:
    courier = house.courier()
    delivery = await _sent(house, courier, clock)
    removable.answers = [Unknown()]
    _ask(house, delivery)
    await withdrawing.withdraw(courier, 10)
    clock.at = house.see(delivery).next_at
    await withdrawing.withdraw(courier, 10)
    assert house.see(delivery).state == State.WITHDRAWN
    assert [verb for verb, _ in _tries(house, delivery)] == ["withdraw", "withdraw_look", "withdraw"]


@pytest.mark.anyio
async def test_never_sure_it_comes_before_a_person(house: House, clock, removable: Removable) -> None:
    courier = house.courier()
    delivery = await _sent(house, courier, clock)
    removable.answers = [Unknown()] * MAX_DOUBTS
    PLATFORM.finds = [Found(verdict="unclear")] * MAX_DOUBTS
    _ask(house, delivery)
    while house.see(delivery).state == State.WITHDRAWING:
        clock.at = max(house.see(delivery).next_at, clock())
        await withdrawing.withdraw(courier, 10)
    found = house.see(delivery)
    assert (found.state, len(removable.asked)) == (State.NEEDS_HUMAN, MAX_DOUBTS)
    assert settling.withdrawal_in_doubt(found) and "không biết chắc" in found.detail
    with house.store.write() as session, pytest.raises(Mistake):
        settling.settle_again(session, house.approver, session.get_one(Delivery, delivery.id), clock())
    with house.store.write() as session, pytest.raises(Mistake, match="Tôi đã gỡ"):
        settling.settle_closed(session, house.approver, session.get_one(Delivery, delivery.id), "", clock())


@pytest.mark.anyio
@pytest.mark.parametrize("way", ["by_hand", "leave", "again"])
async def test_a_person_settles_what_is_in_doubt(house: House, clock, removable: Removable, way: str) -> None:
    courier = house.courier()
    delivery = await _sent(house, courier, clock)
    with house.store.write() as session:
        row = session.get_one(Delivery, delivery.id)
        for state in ("withdrawing", "needs_human"):
            row.state = state
            session.add(row)
            session.flush()
    with house.store.write() as session:
        row = session.get_one(Delivery, delivery.id)
        match way:
            case "by_hand":
                settling.taken_down_by_hand(session, house.approver, row, "Sai số", clock())
            case "leave":
                settling.leave_up(session, house.approver, row, clock())
            case _:
                settling.take_down(session, house.approver, row, "Sai số", clock())
    wanted = {"by_hand": State.WITHDRAWN, "leave": State.SENT, "again": State.WITHDRAWING}[way]
    assert house.see(delivery).state == wanted
    assert await withdrawing.withdraw(courier, 10) == (1 if way == "again" else 0)


@pytest.mark.anyio
async def test_every_part_goes_and_one_that_is_gone_is_not_asked_for_again(
    any_store, tmp_path, clock, removable: Removable
) -> None:
    from tests.campaigns.conftest import build_house

    house = build_house(any_store, tmp_path, clock, "twoparts")
    courier = house.courier()
    delivery = await _sent(house, courier, clock)
    assert len(delivery.remote_ids) == 2
    removable.answers = [Published(remote_id=delivery.remote_ids[1]), Deferred(reason=Reason.BUSY)]
    _ask(house, delivery)
    await withdrawing.withdraw(courier, 10)
    assert house.see(delivery).state == State.WITHDRAWING
    with house.store.write() as session, pytest.raises(Mistake, match="Một phần"):
        settling.leave_up(session, house.approver, session.get_one(Delivery, delivery.id), clock())
    clock.at = house.see(delivery).next_at
    await withdrawing.withdraw(courier, 10)
    assert house.see(delivery).state == State.WITHDRAWN
    assert removable.asked == [delivery.remote_ids[1], delivery.remote_ids[0], delivery.remote_ids[0]]


@pytest.mark.anyio
async def test_refused_after_a_part_is_gone_says_how_far_it_went(
    any_store, tmp_path, clock, removable: Removable
) -> None:
    from tests.campaigns.conftest import build_house

    house = build_house(any_store, tmp_path, clock, "twoparts")
    courier = house.courier()
    delivery = await _sent(house, courier, clock)
    removable.answers = [
        Published(remote_id=delivery.remote_ids[1]),
        Refused(reason=Reason.FORBIDDEN, detail="Quá 48 giờ."),
    ]
    _ask(house, delivery)
    await withdrawing.withdraw(courier, 10)
    found = house.see(delivery)
    assert (found.state, found.detail) == (State.SENT, "Đã gỡ 1/2 tin. Quá 48 giờ.")


@pytest.mark.anyio
async def test_a_life_that_ends_in_the_middle_leaves_a_try_without_an_answer(
    house: House, clock, removable: Removable
) -> None:
    courier = house.courier()
    delivery = await _sent(house, courier, clock)
    _ask(house, delivery)

    def die() -> None:
        raise Killed

    removable.before = die
    await withdrawing.withdraw(courier, 10)
    removable.before = None
    assert _tries(house, delivery) == [("withdraw", "")], "on record before its first byte"
    other = house.courier("two")
    assert await withdrawing.withdraw(other, 10) == 0, "the first life may still be speaking"
    clock.forward(minutes=5)
    assert await withdrawing.withdraw(other, 10) == 1
    assert house.see(delivery).state == State.WITHDRAWN
    assert _tries(house, delivery)[0] == ("withdraw", "crash")


@pytest.mark.anyio
async def test_a_late_answer_of_a_life_that_was_passed_changes_nothing(
    house: House, clock, removable: Removable
) -> None:
    courier = house.courier()
    delivery = await _sent(house, courier, clock)
    _ask(house, delivery)

    def somebody_else() -> None:
        removable.before = None
        with house.store.write() as session:
            row = session.get_one(Delivery, delivery.id)
            settling.taken_down_by_hand(session, house.approver, row, "Gỡ tay", clock())

    removable.before = somebody_else
    removable.answers = [Refused(reason=Reason.FORBIDDEN)]
    await withdrawing.withdraw(courier, 10)
    found = house.see(delivery)
    assert found.state == State.WITHDRAWN and "Gỡ tay" in found.detail


@pytest.mark.anyio
async def test_who_may_ask_and_for_what(house: House, clock, removable: Removable) -> None:
    courier = house.courier()
    delivery = await _sent(house, courier, clock)
    waiting = house.planned(clock() + timedelta(hours=2))
    for actor in (house.editor, house.neighbour):
        with house.store.write() as session, pytest.raises(Forbidden):
            settling.take_down(session, actor, session.get_one(Delivery, delivery.id), "Sai", clock())
    with house.store.write() as session, pytest.raises(settling.MovedOn):
        settling.take_down(session, house.approver, session.get_one(Delivery, waiting.id), "Sai", clock())
    with house.store.write() as session, pytest.raises(Mistake, match="lý do"):
        settling.take_down(session, house.approver, session.get_one(Delivery, delivery.id), "  ", clock())
    assert house.see(delivery).state == State.SENT


@pytest.mark.anyio
async def test_what_the_machine_cannot_take_down_is_done_by_hand(house: House, clock) -> None:
    courier = house.courier()
    delivery = await _sent(house, courier, clock)
    with house.store.write() as session, pytest.raises(Mistake, match="Tôi đã gỡ"):
        settling.take_down(session, house.approver, session.get_one(Delivery, delivery.id), "Sai", clock())
    with house.store.write() as session:
        settling.taken_down_by_hand(session, house.approver, session.get_one(Delivery, delivery.id), "Sai số", clock())
    found = house.see(delivery)
    assert (found.state, found.measure_at) == (State.WITHDRAWN, None) and "Sai số" in found.detail
    assert _actions(house, delivery)[-1] == "delivery.withdrawn_by_hand"
    assert not can(scripted.Blind, delivery) and not can(None, delivery)


@pytest.mark.anyio
async def test_a_copy_of_the_installation_takes_nothing_down(house: House, clock, removable: Removable) -> None:
    courier = house.courier()
    delivery = await _sent(house, courier, clock)
    _ask(house, delivery)
    with house.store.write() as session:
        session.get_one(Instance, 1).safe_mode = "clone"
    assert await withdrawing.withdraw(courier, 10) == 0 and removable.asked == []


@pytest.mark.anyio
async def test_while_the_platform_is_being_asked_nobody_says_that_it_stays(
    house: House, clock, removable: Removable
) -> None:
    courier = house.courier()
    delivery = await _sent(house, courier, clock)
    _ask(house, delivery)

    def call_off() -> None:
        with pytest.raises(Mistake, match="đang yêu cầu nền tảng gỡ"), house.store.write() as session:
            settling.leave_up(session, house.approver, session.get_one(Delivery, delivery.id), clock())

    removable.before = call_off
    assert await withdrawing.withdraw(courier, 10) == 1
    assert (house.see(delivery).state, PLATFORM.posts) == (State.WITHDRAWN, [])


@pytest.mark.anyio
async def test_called_off_in_time_it_stays(house: House, clock, removable: Removable) -> None:
    courier = house.courier()
    delivery = await _sent(house, courier, clock)
    removable.answers = [Deferred(reason=Reason.BUSY)]
    _ask(house, delivery)
    await withdrawing.withdraw(courier, 10)
    with house.store.write() as session:
        settling.leave_up(session, house.approver, session.get_one(Delivery, delivery.id), clock())
    clock.forward(hours=2)
    assert await withdrawing.withdraw(courier, 10) == 0
    assert house.see(delivery).state == State.SENT and len(PLATFORM.posts) == 1


@pytest.mark.anyio
async def test_several_posts_of_one_channel_are_gone_after_one_beat(house: House, clock, removable: Removable) -> None:
    courier = house.courier()
    posts = [await _sent(house, courier, clock) for _ in range(3)]
    for delivery in posts:
        _ask(house, delivery)
    assert await withdrawing.withdraw(courier, 10) == 3
    assert {house.see(delivery).state for delivery in posts} == {State.WITHDRAWN} and PLATFORM.posts == []


def test_what_is_asked_to_be_taken_down_waits_two_seconds_at_most(house: House) -> None:
    """Citizens still read a wrong post while it waits for the beat."""
    daemon = Daemon(house.store, house.desk, Settings())
    (beat,) = [job for job in daemon._recurring().get_jobs() if job.id == "_withdraw"]
    assert beat.trigger.interval <= timedelta(seconds=2)
    (beat,) = [one for one in Hand._beats(cast(Hand, daemon)) if one.name == "withdraw"]
    assert beat.seconds <= 2

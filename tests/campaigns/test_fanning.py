"""Sending one message to many: each recipient once or said to be unclear, whatever breaks, in few transactions."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import pytest
from aiohttp import web
from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError
from sqlmodel import col, select, text, update

from campaigns import approving, fanning, outlets, recipients, settling
from campaigns.audit import verify
from campaigns.fanning import Pace
from campaigns.fates import after_send
from campaigns.holding import CATCH_UP
from campaigns.states import FINISH_WITHIN, MAX_TRIES, State
from channels.contract import (
    Capability,
    Certainty,
    Channel,
    ChannelSettings,
    Deferred,
    Limits,
    Message,
    Outcome,
    Part,
    Picture,
    Problem,
    Published,
    Quota,
    Reason,
    Refused,
    Unknown,
)
from channels.wire import Answer, Guard, Silence, Wire
from content.document import Document, plain
from store import points
from store.engine import Store
from store.tables import AuditEvent, Delivery, Hold, Metric, Outlet, Recipient, Subscriber
from tests.campaigns.conftest import House, build_house
from tests.conftest import FakeClock

pytestmark = pytest.mark.anyio


class Place(ChannelSettings):
    url: str = ""


class Taken(BaseModel):
    id: str


class Letters(Channel):
    """Tells each by name what the test wants; remembers who got how many copies."""

    kind: ClassVar[str] = "letters"
    name: ClassVar[str] = "Thư thử"
    capabilities = frozenset({Capability.TEXT, Capability.FAN_OUT})
    certainty: ClassVar[Certainty] = Certainty.BLIND
    limits: ClassVar[Limits] = Limits(source="https://example.org/limits")
    Settings = Place
    spacing_seconds: ClassVar[int] = 0
    got: ClassVar[Counter[str]] = Counter()
    told: ClassVar[dict[str, list[Outcome]]] = {}
    hook: ClassVar[Callable[[str], Any] | None] = None
    in_flight: ClassVar[int] = 0
    most: ClassVar[int] = 0

    def render(self, document: Document, key: str, pictures: tuple[Picture, ...] = ()) -> Message:
        return Message(kind=self.kind, key=key, parts=(Part(title=document.title, body=plain(document.blocks)),))

    def validate(self, message: Message) -> list[Problem]:
        return []

    async def send(self, message: Message, address: str, key: str) -> Outcome:
        cls = type(self)
        Letters.in_flight += 1
        Letters.most = max(Letters.most, Letters.in_flight)
        try:
            if Letters.hook is not None:
                await Letters.hook(address)
            await asyncio.sleep(0)
            if cls.told.get(address):
                return cls.told[address].pop(0)
            cls.got[key if cls.certainty is Certainty.KEYED else address] += 1
            return Published(remote_id=f"{address}!")
        finally:
            Letters.in_flight -= 1


class Keyed(Letters):
    kind = "keyed"
    name = "Thư có khóa"
    certainty = Certainty.KEYED


class OverHttp(Letters):
    """One POST per recipient on kept connections."""

    kind = "overhttp"
    name = "Thư qua HTTP"

    async def send(self, message: Message, address: str, key: str) -> Outcome:
        seen = await self.tools.wire.post(f"{self.settings.url}/take", f"{key} {address}".encode(), {})
        if isinstance(seen, Silence):
            return Unknown(detail=seen.kind) if seen.sent else Deferred(reason=Reason.UNREACHABLE, detail=seen.kind)
        return _read(seen)


class OverHttpKeyed(OverHttp):
    kind = "overhttpkeyed"
    name = "Thư có khóa qua HTTP"
    certainty = Certainty.KEYED


def _read(seen: Answer) -> Outcome:
    if seen.status == 429:
        return Deferred(reason=Reason.BUSY, detail="429")
    if seen.status == 404:
        return Refused(reason=Reason.NOT_FOUND, detail="404")
    taken = seen.read(Taken)
    return Published(remote_id=taken.id) if taken else Unknown(detail=str(seen.status))


KINDS = {one.kind: one for one in (Letters, Keyed, OverHttp, OverHttpKeyed)}


@pytest.fixture(autouse=True)
def letters(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("channels.registry.installed", lambda: KINDS)
    Letters.got.clear()
    Letters.told.clear()
    Letters.hook, Letters.in_flight, Letters.most = None, 0, 0
    yield
    points.listen = None


class Office:
    """A ward with one outlet that writes to many, and what a courier would do around ``drain``."""

    def __init__(self, store: Store, folder: Path, clock: FakeClock, kind: str, wire: Wire | None = None) -> None:
        self.house: House = build_house(store, folder, clock, kind)
        self.store, self.clock = store, clock
        if wire:
            self.house.desk = outlets.Desk(wire, self.house.desk.files, self.house.desk.vault, clock)
        self.delivery = self.house.planned(clock() + timedelta(hours=1))
        clock.forward(hours=1)

    def place(self, url: str) -> None:
        with self.store.write() as session:
            outlet = session.get_one(Outlet, self.delivery.outlet_id)
            outlet.settings = {"url": url}
            session.add(outlet)

    def subscribe(self, number: int) -> None:
        with self.store.write() as session:
            for n in range(number):
                session.add(
                    Subscriber(
                        ward_id=self.delivery.ward_id, outlet_id=self.delivery.outlet_id,
                        address=f"nguoi-{n}@example.org", created_at=self.clock(),
                    )
                )  # fmt: skip
        with self.store.write() as session:
            assert fanning.enlist(session, session.get_one(Delivery, self.delivery.id), self.clock()) == number

    def speaker(self) -> Channel:
        with self.store.read() as session:
            return self.house.desk.channel(session.get_one(Outlet, self.delivery.outlet_id))

    def claim(self, epoch: str = "one") -> int:
        """due -> prepared -> wire, as the courier does it."""
        with self.store.write() as session:
            delivery = session.get_one(Delivery, self.delivery.id)
            delivery.fence += 1
            delivery.epoch = epoch
            delivery.parts = 1
            delivery.message = self.message().model_dump(mode="json")
            for state in (State.PREPARED, State.WIRE):
                delivery.state = state.value
                session.add(delivery)
                session.flush()
            return delivery.fence

    def message(self) -> Message:
        return Message(kind="letters", key=self.delivery.key, parts=(Part(body="Kính gửi bà con."),))

    async def drain(self, epoch: str = "one", **options: Any) -> Outcome:
        fence = self.claim(epoch)
        courier = self.house.courier(epoch)
        outcome = await fanning.drain(courier, self.delivery.id or 0, fence, self.speaker(), self.message(), **options)
        if isinstance(outcome, Deferred) or (isinstance(outcome, Refused) and outcome.reason is Reason.UNAUTHORIZED):
            self.put_back()
        return outcome

    def put_back(self) -> None:
        with self.store.write() as session:
            delivery = session.get_one(Delivery, self.delivery.id)
            delivery.state = State.DUE.value
            session.add(delivery)

    def recover(self, epoch: str) -> int:
        """What a new life does with the one before it."""
        with self.store.write() as session:
            number = fanning.recover(session, col(Recipient.epoch) != epoch, self.clock())
        self.put_back()
        return number

    def tally(self) -> recipients.Tally:
        with self.store.read() as session:
            return fanning.tally(session, self.delivery.id or 0)

    def rows(self) -> list[Recipient]:
        with self.store.read() as session:
            return list(session.exec(select(Recipient).order_by(col(Recipient.id))).all())


@pytest.fixture
def office(any_store: Store, tmp_path: Path, clock: FakeClock) -> Callable[..., Office]:
    return lambda kind="letters", number=0, wire=None: _office(any_store, tmp_path, clock, kind, number, wire)


def _office(store: Store, folder: Path, clock: FakeClock, kind: str, number: int, wire: Wire | None) -> Office:
    made = Office(store, folder, clock, kind, wire)
    made.subscribe(number)
    return made


async def test_each_gets_one_copy_in_few_transactions(office: Callable[..., Office]) -> None:
    place = office(number=700)
    commits: list[str] = []
    points.listen = commits.append
    outcome = await place.drain(pace=Pace(64, 64, 128))
    points.listen = None
    assert outcome == Published(remote_id=place.delivery.key)
    assert len(Letters.got) == 700
    assert set(Letters.got.values()) == {1}
    assert place.tally() == recipients.Tally(sent=700)
    assert all(row.remote_id == f"{row.address}!" and row.done_at for row in place.rows())
    made = commits.count("fan:after")
    assert made < 50, f"{made} transactions for 700 recipients"
    with place.store.read() as session:
        figures = {metric.name: metric.value for metric in session.exec(select(Metric)).all()}
        events = session.exec(select(AuditEvent).where(AuditEvent.action == recipients.EVENT)).all()
        assert verify(session, place.delivery.ward_id) > 0
    assert figures == {"Đã gửi": 700, "Không gửi được": 0, "Chưa rõ": 0}
    assert sum(event.particulars.get("sent", 0) for event in events) == 700
    assert sum(event.particulars.get("taken", 0) for event in events) == 700
    assert len(events) < 50


async def test_the_list_is_made_once(office: Callable[..., Office]) -> None:
    place = office(number=3)
    with place.store.write() as session:
        delivery = session.get_one(Delivery, place.delivery.id)
        assert fanning.enlist(session, delivery, place.clock()) == 0
        session.add(
            Subscriber(ward_id=delivery.ward_id, outlet_id=delivery.outlet_id, address="moi@example.org", created_at=place.clock())
        )  # fmt: skip
        session.flush()
        assert fanning.enlist(session, delivery, place.clock()) == 1
    assert place.tally() == recipients.Tally(waiting=4)


async def test_who_unsubscribes_after_the_list_was_made_gets_nothing(office: Callable[..., Office]) -> None:
    place = office(number=5)
    with place.store.write() as session:
        session.exec(update(Subscriber).where(col(Subscriber.address) == "nguoi-3@example.org").values(active=False))
    assert isinstance(await place.drain(), Published)
    assert "nguoi-3@example.org" not in Letters.got
    assert place.tally() == recipients.Tally(sent=4, cancelled=1)


async def test_nobody_on_the_list_is_said(office: Callable[..., Office]) -> None:
    outcome = await office().drain()
    assert isinstance(outcome, Refused)
    assert "chưa có người đăng ký" in outcome.detail


async def test_no_more_is_on_the_wire_than_is_in_flight_where_a_crash_leaves_doubt(
    office: Callable[..., Office],
) -> None:
    place = office(number=300)
    most = [0]

    async def count(_: str) -> None:
        await asyncio.sleep(0.001)
        if Letters.in_flight > 1:
            most[0] = max(most[0], place.tally().wire)

    Letters.hook = count
    assert isinstance(await place.drain(), Published)
    assert 32 <= most[0] <= 64


async def test_a_kill_in_the_middle_loses_nobody_and_doubles_nobody_where_the_receiver_knows_the_key(
    office: Callable[..., Office],
) -> None:
    place = office("keyed", 400)
    await _killed(place, after=150)
    left = place.tally()
    assert left.wire > 0
    assert place.recover("two") == left.wire
    assert isinstance(await place.drain("two"), Published)
    assert len(Letters.got) == 400, "every key reached its receiver"
    assert max(Letters.got.values()) <= 2, "sent again under the same key, which the receiver knows"
    assert place.tally() == recipients.Tally(sent=400)


async def test_a_kill_in_the_middle_never_sends_twice_where_nobody_can_look(office: Callable[..., Office]) -> None:
    place = office("letters", 400)
    await _killed(place, after=150)
    left = place.tally()
    assert 0 < left.wire <= 64
    assert place.recover("two") == left.wire
    outcome = await place.drain("two")
    assert isinstance(outcome, Unknown)
    assert str(left.wire) in outcome.detail
    assert max(Letters.got.values()) == 1
    counts = place.tally()
    assert counts.unknown == left.wire
    assert counts.sent == 400 - left.wire
    silent = {row.address for row in place.rows() if row.state == "unknown"}
    assert {row.address for row in place.rows() if row.address not in Letters.got} <= silent


async def _killed(place: Office, after: int) -> None:
    """Run until that many were sent to, then stop dead: the loop is left as a kill -9 leaves it, nothing is tidied."""

    class Dead(BaseException):
        pass

    calls = [0]

    async def hook(_: str) -> None:
        calls[0] += 1
        if calls[0] > after:
            await asyncio.sleep(3600)

    def die(name: str) -> None:
        if calls[0] > after and name == "fan:before":
            raise Dead

    Letters.hook, points.listen = hook, die
    task = asyncio.create_task(place.drain())
    while calls[0] <= after:
        await asyncio.sleep(0.001)
    task.cancel()
    fanning.STOP_SECONDS, was = 0.01, fanning.STOP_SECONDS
    try:
        with pytest.raises((Dead, asyncio.CancelledError)):
            await task
    finally:
        fanning.STOP_SECONDS = was
        Letters.hook, points.listen = None, None


async def test_a_hold_stops_between_groups_and_what_was_not_begun_waits(office: Callable[..., Office]) -> None:
    place = office(number=400)

    async def hold(address: str) -> None:
        if address == "nguoi-100@example.org":
            with place.store.write() as session:
                session.add(Hold(ward_id=place.delivery.ward_id, created_at=place.clock()))

    Letters.hook = hold
    outcome = await place.drain()
    assert isinstance(outcome, Deferred)
    assert outcome.reason is Reason.RATE_LIMITED
    assert "Đang tạm dừng toàn bộ." in outcome.detail
    counts = place.tally()
    assert counts.wire == 0
    assert 100 <= counts.sent < 250
    assert counts.waiting == 400 - counts.sent
    with place.store.write() as session:
        session.exec(update(Hold).values(released_at=place.clock()))
    assert isinstance(await place.drain(), Published)
    assert set(Letters.got.values()) == {1}
    assert place.tally() == recipients.Tally(sent=400)


async def test_a_plan_for_what_is_late_stops_no_list_that_is_on_time(office: Callable[..., Office]) -> None:
    place = office(number=20)
    with place.store.write() as session:
        session.add(Hold(ward_id=place.delivery.ward_id, kind=CATCH_UP, created_at=place.clock()))
    assert isinstance(await place.drain(), Published)
    assert place.tally() == recipients.Tally(sent=20)


async def test_a_withdrawal_in_the_middle_calls_off_the_rest(office: Callable[..., Office]) -> None:
    place = office(number=300)

    async def withdraw(address: str) -> None:
        if address == "nguoi-60@example.org":
            with place.store.write() as session:
                post = session.get_one(approving.Post, place.delivery.post_id)
                approving.withdraw_approval(session, place.house.approver, post, "sai tên", place.clock())

    Letters.hook = withdraw
    assert isinstance(await place.drain(), Published), "some have it: it is out, and the counts say to how many"
    counts = place.tally()
    assert counts.waiting == counts.wire == 0
    assert counts.cancelled == 300 - counts.sent
    assert counts.cancelled > 100


@pytest.mark.parametrize("way", ["cancel", "withdraw"])
async def test_called_off_between_two_days_it_says_how_many_have_it(
    office: Callable[..., Office], monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(
        Letters, "limits", Limits(source="https://example.org/limits", quotas=(Quota(count=40, seconds=86400),))
    )
    place = office(number=100)
    assert isinstance(await place.drain(), Deferred)
    with place.store.write() as session:
        delivery = session.get_one(Delivery, place.delivery.id)
        if way == "cancel":
            settling.cancel(session, place.house.approver, delivery, "Sai số điện thoại.", place.clock())
        else:
            post = session.get_one(approving.Post, delivery.post_id)
            approving.withdraw_approval(session, place.house.approver, post, "Sai số điện thoại.", place.clock())
    found = place.house.see(place.delivery)
    assert (found.state, place.tally()) == (State.CANCELLED, recipients.Tally(sent=40, cancelled=60))
    assert found.detail.startswith("Đã gửi 40/100 người.")
    with place.store.read() as session:
        figures = {metric.name: metric.value for metric in session.exec(select(Metric)).all()}
    assert figures == {"Đã gửi": 40, "Không gửi được": 60, "Chưa rõ": 0}


async def test_a_graceful_stop_gives_back_what_was_not_begun(office: Callable[..., Office]) -> None:
    place = office("keyed", 600)
    stopping = asyncio.Event()

    async def stop(address: str) -> None:
        if address == "nguoi-100@example.org":
            stopping.set()

    Letters.hook = stop
    outcome = await place.drain(stopping=stopping)
    assert isinstance(outcome, Deferred)
    assert "đang dừng" in outcome.detail
    counts = place.tally()
    assert counts.wire == counts.unknown == 0
    assert counts.sent + counts.waiting == 600
    assert counts.sent < 250


async def test_a_cancelled_lane_writes_down_what_it_knows(office: Callable[..., Office]) -> None:
    place = office("keyed", 600)

    async def slow(_: str) -> None:
        await asyncio.sleep(0.01)

    Letters.hook = slow
    task = asyncio.create_task(place.drain())
    while not Letters.got:
        await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    counts = place.tally()
    assert counts.wire == counts.unknown == 0
    assert counts.sent == len(Letters.got)


async def test_a_limit_of_the_platform_ends_the_wave_and_rests_the_outlet(office: Callable[..., Office]) -> None:
    place = office(number=200)
    until = place.clock() + timedelta(seconds=40)
    Letters.told["nguoi-20@example.org"] = [Deferred(reason=Reason.RATE_LIMITED, retry_at=until)]
    outcome = await place.drain()
    assert isinstance(outcome, Deferred)
    assert (outcome.reason, outcome.retry_at) == (Reason.RATE_LIMITED, until)
    assert place.tally().wire == 0
    assert all(row.tries == 0 for row in place.rows())
    with place.store.read() as session:
        assert session.get_one(Outlet, place.delivery.outlet_id).next_slot_at == until
    early = await place.drain()
    assert isinstance(early, Deferred), "nobody speaks before the platform listens"
    assert place.tally().sent < 100
    place.clock.forward(seconds=41)
    assert isinstance(await place.drain(), Published)
    assert place.tally() == recipients.Tally(sent=200)


async def test_a_shut_account_ends_the_wave_and_burns_nobodys_try(office: Callable[..., Office]) -> None:
    place = office(number=100)
    Letters.told["nguoi-5@example.org"] = [Refused(reason=Reason.UNAUTHORIZED, detail="khóa")]
    outcome = await place.drain()
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.UNAUTHORIZED
    counts = place.tally()
    assert counts.failed == counts.wire == counts.unknown == 0
    assert all(row.tries == 0 for row in place.rows())


async def test_a_platform_that_nobody_reaches_costs_no_try(office: Callable[..., Office]) -> None:
    place = office(number=100)
    for n in range(100):
        Letters.told[f"nguoi-{n}@example.org"] = [Deferred(reason=Reason.UNREACHABLE, detail="mất mạng")]
    outcome = await place.drain()
    assert isinstance(outcome, Deferred)
    assert outcome.reason is Reason.UNREACHABLE
    assert place.tally() == recipients.Tally(waiting=100)
    assert all(row.tries == 0 for row in place.rows())


async def test_one_bad_recipient_is_tried_again_later_and_in_the_end_given_up(office: Callable[..., Office]) -> None:
    place = office(number=20)
    Letters.told["nguoi-7@example.org"] = [Deferred(reason=Reason.BUSY, detail="bận")] * MAX_TRIES
    Letters.told["nguoi-8@example.org"] = [Refused(reason=Reason.NOT_FOUND, detail="không có hộp thư")]
    for expected in range(1, MAX_TRIES):
        outcome = await place.drain()
        assert isinstance(outcome, Deferred)
        assert outcome.retry_at is not None
        assert outcome.retry_at > place.clock()
        assert [row.tries for row in place.rows() if row.state == "waiting"] == [expected]
        place.clock.at = outcome.retry_at
    assert isinstance(await place.drain(), Published)
    assert place.tally() == recipients.Tally(sent=18, failed=2)


async def test_a_lost_answer_is_unclear_and_a_person_settles_it(office: Callable[..., Office]) -> None:
    place = office(number=30)
    for n in (3, 4):
        Letters.told[f"nguoi-{n}@example.org"] = [Unknown(detail="mất kết nối")]
    assert isinstance(await place.drain(), Unknown)
    assert place.tally() == recipients.Tally(sent=28, unknown=2)
    with place.store.write() as session:
        assert fanning.again(session, session.get_one(Delivery, place.delivery.id), place.clock()) == 2
    Letters.told["nguoi-4@example.org"] = [Unknown(detail="mất kết nối")]
    with place.store.write() as session:
        delivery = session.get_one(Delivery, place.delivery.id)
        session.add(delivery)
        for state in (State.UNKNOWN, State.DUE):
            delivery.state = state.value
            session.flush()
    assert isinstance(await place.drain(), Unknown)
    with place.store.write() as session:
        assert fanning.accept(session, session.get_one(Delivery, place.delivery.id), place.clock()) == 1
    assert place.tally() == recipients.Tally(sent=29, closed=1)
    with place.store.read() as session:
        latest = select(Metric).where(Metric.name == "Chưa rõ").order_by(col(Metric.id).desc())
        assert session.exec(latest).first().value == 1  # type: ignore[union-attr]


async def test_a_list_that_was_begun_too_long_ago_ends_with_its_counts(office: Callable[..., Office]) -> None:
    place = office(number=10)
    place.clock.at = place.delivery.expires_at + FINISH_WITHIN + timedelta(minutes=1)
    assert isinstance(await place.drain(), Refused)
    assert place.tally() == recipients.Tally(cancelled=10)
    assert not Letters.got


async def test_a_daily_quota_is_counted_over_everything_the_outlet_sent(
    office: Callable[..., Office], monkeypatch: pytest.MonkeyPatch
) -> None:
    quota = Quota(count=50, seconds=86_400)
    monkeypatch.setattr(Letters, "limits", Limits(quotas=(quota,), source="https://example.org"))
    place = office(number=120)
    began = place.clock()
    outcome = await place.drain()
    assert isinstance(outcome, Deferred)
    assert outcome.reason is Reason.QUOTA
    assert place.tally().sent == 50
    assert outcome.retry_at == began + timedelta(days=1)


async def test_a_rate_is_kept_in_the_outlets_row(
    any_store: Store, office: Callable[..., Office], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Letters, "limits", Limits(quotas=(Quota(count=100, seconds=1),), source="https://example.org"))
    place = office(number=130)
    sent: list[float] = []

    async def note(_: str) -> None:
        sent.append(asyncio.get_running_loop().time())

    Letters.hook = note
    loop = asyncio.get_running_loop()
    begun, at = loop.time(), place.clock()
    place.house.desk = outlets.Desk(
        place.house.desk.wire, place.house.desk.files, place.house.desk.vault,
        lambda: at + timedelta(seconds=loop.time() - begun),
    )  # fmt: skip
    assert isinstance(await place.drain(), Published)
    sent.sort()
    for n, first in enumerate(sent):
        assert len([at for at in sent[n:] if at < first + 0.95]) <= 115, "a busy machine wakes some lanes late"
    assert sent[-1] - sent[0] > 1.1


async def test_two_workers_share_one_list(office: Callable[..., Office]) -> None:
    place = office("letters", 600)

    async def slow(_: str) -> None:
        await asyncio.sleep(0.005)

    Letters.hook = slow
    owner = asyncio.create_task(place.drain())
    while not Letters.got:
        await asyncio.sleep(0.005)
    helped = await fanning.lend_a_hand(place.house.courier("helper"))
    outcome = await owner
    if isinstance(outcome, Deferred):  # the helper still had some in hand when the owner came to its end
        place.clock.forward(seconds=5)
        outcome = await place.drain()
    assert isinstance(outcome, Published)
    assert helped > 0
    assert set(Letters.got.values()) == {1}
    assert place.tally() == recipients.Tally(sent=600)
    assert {row.epoch for row in place.rows()} == {"one", "helper"}


async def test_a_list_that_a_helper_cannot_speak_for_is_left_to_its_owner(
    office: Callable[..., Office], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = office("letters", 3)
    place.claim("owner")
    monkeypatch.setattr("channels.registry.installed", dict)
    assert await fanning.lend_a_hand(place.house.courier("helper")) == 0


async def test_who_lost_the_fence_takes_nobody_more(office: Callable[..., Office]) -> None:
    place = office(number=300)

    async def other_hand(address: str) -> None:
        if address == "nguoi-10@example.org":
            place.put_back()
            place.claim("other")

    Letters.hook = other_hand
    fence = place.claim("one")
    courier = place.house.courier("one")
    outcome = await fanning.drain(courier, place.delivery.id or 0, fence, place.speaker(), place.message())
    assert isinstance(outcome, Deferred)
    assert place.tally().wire == 0
    assert place.tally().sent < 150


async def test_the_database_refuses_an_illegal_move(office: Callable[..., Office]) -> None:
    place = office(number=1)
    with pytest.raises(DBAPIError), place.store.write() as session:
        session.exec(text("update recipient set state = 'sent'"))  # type: ignore[call-overload]
    assert isinstance(await place.drain(), Published)
    for state in ("waiting", "unknown", "wire", "failed"):
        with pytest.raises(DBAPIError), place.store.write() as session:
            session.exec(text(f"update recipient set state = '{state}'"))  # type: ignore[call-overload]


async def test_what_a_platform_says_never_keeps_a_group_from_being_written(office: Callable[..., Office]) -> None:
    place = office(number=10)
    Letters.told["nguoi-1@example.org"] = [Published(remote_id="a\x00b" * 400)]
    Letters.told["nguoi-2@example.org"] = [Refused(reason=Reason.REJECTED, detail="\ud800 «'\"\\ từ chối \x00")]
    assert isinstance(await place.drain(), Published)
    assert place.tally() == recipients.Tally(sent=9, failed=1)


class Receiver:
    """A receiver over HTTP with faults: refuses, answers busy, loses answers, breaks off; it knows a key again."""

    def __init__(self, faults: float, seed: int) -> None:
        self.copies: Counter[str] = Counter()
        self.distinct: set[str] = set()
        self.requests = self.connections = 0
        self.faults, self.chance = faults, Random(seed)

    async def take(self, request: web.Request) -> web.StreamResponse:
        key, address = (await request.text()).split()
        self.requests += 1
        if address.endswith("9@example.org"):
            return web.Response(status=404)
        luck = self.chance.random() / self.faults
        if luck < 0.4:
            return web.Response(status=429)
        self.distinct.add(key)
        self.copies[address] += 1
        if luck < 0.7:
            return web.Response(text="broken")
        if luck < 1.0:
            assert request.transport is not None
            request.transport.close()
        return web.json_response({"id": key})

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_post("/take", self.take)
        runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


@pytest.mark.parametrize("kind", ["overhttp", "overhttpkeyed"])
async def test_two_thousand_over_http_with_a_fifth_of_the_answers_faulty(
    any_store: Store, tmp_path: Path, clock: FakeClock, kind: str
) -> None:
    receiver = Receiver(0.2, 7)
    async with receiver.open() as url:
        wire = Wire(Guard(frozenset({url.removeprefix("http://")})))
        place = _office(any_store, tmp_path, clock, kind, 2000, wire)
        place.place(url)
        outcome: Outcome = Deferred(reason=Reason.BUSY)
        while isinstance(outcome, Deferred):
            outcome = await place.drain()
            if isinstance(outcome, Deferred):
                assert outcome.retry_at is not None
                clock.at = max(clock.at + timedelta(seconds=1), outcome.retry_at)
        await wire.close()
    counts = place.tally()
    assert counts.wire == counts.waiting == 0
    assert counts.failed >= 200, "every tenth has no letter box"
    got = {row.address for row in place.rows() if row.state == "sent"}
    if kind == "overhttpkeyed":
        assert counts.unknown == 0
        assert counts.sent == len(receiver.distinct) == 1800
    else:
        assert isinstance(outcome, Unknown)
        assert max(receiver.copies.values()) == 1, "nobody got two copies"
        assert got <= set(receiver.copies)
        assert counts.unknown > 50
        assert set(receiver.copies) - got <= {row.address for row in place.rows() if row.state == "unknown"}
        assert counts.sent + counts.unknown + counts.failed == 2000


@pytest.mark.parametrize(
    ("outcome", "keyed", "tries", "state"),
    [
        (Published(remote_id="x"), False, 0, "sent"),
        (Unknown(), False, 0, "unknown"),
        (Unknown(), True, 0, "waiting"),
        (Unknown(), True, MAX_TRIES - 1, "unknown"),
        (Deferred(reason=Reason.BUSY), False, MAX_TRIES - 1, "failed"),
        (Deferred(reason=Reason.RATE_LIMITED), False, MAX_TRIES + 5, "waiting"),
        (Deferred(reason=Reason.UNREACHABLE), False, MAX_TRIES + 5, "waiting"),
        (Refused(reason=Reason.REJECTED), True, 0, "failed"),
        (Refused(reason=Reason.UNAUTHORIZED), True, 0, "waiting"),
    ],
)
def test_what_becomes_of_one_recipient(
    outcome: Outcome, keyed: bool, tries: int, state: str, clock: FakeClock
) -> None:  # fmt: skip
    fate = after_send(outcome, tries, keyed, clock(), Random(1))
    assert fate.state == state
    assert fate.state != "waiting" or fate.next_at is not None

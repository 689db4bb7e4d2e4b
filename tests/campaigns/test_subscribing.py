"""The life of a subscriber: asks, is asked back once, confirms, leaves and is forgotten; letters that come back, complaints."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from sqlmodel import select

from campaigns import codes, confirming, fanning, recipients, returning, subscribing
from campaigns.audit import verify
from campaigns.confirming import confirm
from campaigns.subscribing import ACTIVE, GONE_AFTER, LEFT, PENDING, SUSPENDED, Place
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
    Reason,
    Refused,
    Return,
    Unknown,
)  # fmt: skip
from content.document import Document, plain
from store.engine import Store
from store.tables import AuditEvent, Delivery, Hold, Metric, Outlet, Recipient, Subscriber
from tests.campaigns.conftest import House, build_house
from tests.conftest import FakeClock

pytestmark = pytest.mark.anyio


class Post(Channel):
    """Hears what was sent to whom, and gives back what the test wants."""

    kind: ClassVar[str] = "post"
    name: ClassVar[str] = "Thư thử"
    capabilities = frozenset({Capability.TEXT, Capability.FAN_OUT, Capability.RETURNS})
    certainty: ClassVar[Certainty] = Certainty.BLIND
    limits: ClassVar[Limits] = Limits(source="https://example.org/limits")
    Settings = ChannelSettings
    spacing_seconds: ClassVar[int] = 0
    got: ClassVar[list[tuple[str, str, Message]]] = []
    told: ClassVar[list[Outcome]] = []
    back: ClassVar[list[Return]] = []
    away: ClassVar[list[str]] = []
    leaves: ClassVar[list[str]] = []

    @classmethod
    def reachable(cls, address: str) -> str | None:
        return address if "@" in address else None

    def render(self, document: Document, key: str, pictures: tuple[Picture, ...] = ()) -> Message:
        body = f"{plain(document.blocks)} {document.link}"
        return Message(kind=self.kind, key=key, parts=(Part(title=document.title, body=body, link=document.link),))

    def validate(self, message: Message) -> list[Problem]:
        return []

    async def send(self, message: Message, address: str, key: str) -> Outcome:
        self.got.append((address, key, message))
        self.leaves.append(self.tools.leave(address))
        return self.told.pop(0) if self.told else Published(remote_id=f"<{key}>")

    async def returns(self, limit: int) -> tuple[Return, ...] | Reason:
        return tuple(one for one in self.back if one.id not in self.away)[:limit]

    async def put_away(self, returns: tuple[Return, ...]) -> None:
        self.away.extend(one.id for one in returns)


@pytest.fixture(autouse=True)
def post(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("channels.registry.installed", lambda: {"post": Post})
    for kept in (Post.got, Post.told, Post.back, Post.away, Post.leaves):
        kept.clear()  # type: ignore[attr-defined]
    yield


@pytest.fixture
def house(any_store: Store, tmp_path: Path, clock: FakeClock) -> House:
    return build_house(any_store, tmp_path, clock, "post")


@pytest.fixture
def place(house: House) -> Place:
    return Place(house.outlet, house.desk.vault)


def ask(house: House, place: Place, address: str = "co.hoa@example.org") -> bool:
    with house.store.write() as session:
        return subscribing.ask(session, place, address, house.desk.now()) is not None


def only(house: House) -> Subscriber:
    with house.store.read() as session:
        return session.exec(select(Subscriber)).one()


def all_of(house: House, table: type[Any]) -> list[Any]:
    with house.store.read() as session:
        return list(session.exec(select(table)).all())


def token_in(message: Message) -> str:
    return str(message.parts[0].link).rpartition("/")[2]


def say_yes(house: House, token: str) -> bool:
    with house.store.write() as session:
        row = subscribing.asker(session, house.desk.vault, token, house.desk.now(), locking=True)
        if row is not None:
            subscribing.confirm(session, row, house.desk.now())
        return row is not None


def say_no_more(house: House, code: str) -> bool:
    with house.store.write() as session:
        row = subscribing.by_code(session, code, locking=True)
        assert row is not None
        return subscribing.leave(session, row, subscribing.CITIZEN, "trang", house.desk.now())


async def joined(house: House, place: Place, address: str = "co.hoa@example.org") -> None:
    ask(house, place, address)
    await confirm(house.courier(), 10)
    assert say_yes(house, token_in(Post.got[-1][2]))


async def test_nobody_is_on_the_list_before_the_letter_was_answered(
    house: House, place: Place, clock: FakeClock
) -> None:
    assert ask(house, place)
    assert (only(house).state, only(house).active) == (PENDING, False)
    assert await confirm(house.courier(), 10) == 1
    [(address, _, message)] = Post.got
    assert address == "co.hoa@example.org"
    assert message.extra["service"] is True
    assert str(message.parts[0].link).startswith("http://site.test/le-thanh-nghi/nhan-ban-tin/xac-nhan/")
    assert not only(house).active
    assert say_yes(house, token_in(message))
    row = only(house)
    assert (row.state, row.active, row.confirmed_at) == (ACTIVE, True, clock())
    assert row.consent == "Đăng ký trên trang công khai và xác nhận qua thư, 08:00 23/11/2026"
    assert say_yes(house, token_in(message)), "a second press changes nothing"
    actions = [event.action for event in all_of(house, AuditEvent) if event.subject == "subscriber"]
    assert actions == ["subscriber.asked", "subscriber.letter", "subscriber.confirmed"]
    assert "co.hoa" not in repr(all_of(house, AuditEvent)), "the log tells no addresses"


async def test_a_token_is_good_for_two_days_and_for_its_own_reader(
    house: House, place: Place, clock: FakeClock
) -> None:
    ask(house, place)
    await confirm(house.courier(), 10)
    token = token_in(Post.got[0][2])
    forged = [
        token[:-1] + ("0" if token[-1] != "0" else "1"),
        token.replace("-", "-9", 1),
        "",
        "1",
        "1-2-3",
        f"9{token}",
    ]
    assert not any(say_yes(house, one) for one in forged)
    clock.forward(hours=48, seconds=1)
    assert not say_yes(house, token)
    assert not only(house).active


async def test_the_form_cannot_flood_a_mailbox(house: House, place: Place, clock: FakeClock, monkeypatch: Any) -> None:
    assert ask(house, place)
    assert not ask(house, place), "one letter in ten minutes"
    await confirm(house.courier(), 10)
    clock.forward(minutes=11)
    assert ask(house, place)
    await confirm(house.courier(), 10)
    assert len(Post.got) == 2
    assert len({key for _, key, _ in Post.got}) == 2, "a second asking is another letter"
    monkeypatch.setattr(subscribing, "LETTERS_PER_HOUR", 2)
    assert ask(house, place, "bac.nam@example.org")
    assert not ask(house, place, "anh.minh@example.org"), "no more than so many in an hour"


@pytest.mark.parametrize(
    ("outcome", "letter"),
    [
        (Unknown(detail="mất kết nối"), "unknown"),
        (Refused(reason=Reason.NOT_FOUND, detail="không có"), "failed"),
        (Refused(reason=Reason.UNAUTHORIZED, detail="khóa"), "due"),
        (Deferred(reason=Reason.BUSY, detail="bận"), "due"),
    ],
)
async def test_a_confirmation_that_failed(
    house: House, place: Place, clock: FakeClock, outcome: Outcome, letter: str
) -> None:
    ask(house, place)
    Post.told.append(outcome)
    await confirm(house.courier(), 10)
    assert only(house).letter == letter
    clock.forward(hours=1)
    await confirm(house.courier(), 10)
    assert len(Post.got) == (2 if letter == "due" else 1), "only what surely did not go out is sent again"


async def test_a_crash_in_the_middle_sends_no_second_letter(house: House, place: Place, clock: FakeClock) -> None:
    ask(house, place)
    confirming._claim(house.courier(), 10)
    clock.forward(minutes=11)
    await confirm(house.courier("two"), 10)
    assert only(house).letter == "unknown"
    assert not Post.got
    assert ask(house, place), "the person may ask again"


async def test_holds_and_pauses_hold_confirmations_too(house: House, place: Place, clock: FakeClock) -> None:
    ask(house, place)
    with house.store.write() as session:
        hold = Hold(ward_id=house.ward.id, created_at=clock())
        session.add(hold)
    assert await confirm(house.courier(), 10) == 0
    with house.store.write() as session:
        session.get_one(Hold, hold.id).released_at = clock()
        session.get_one(Outlet, house.outlet.id).state = "paused"
    assert await confirm(house.courier(), 10) == 0
    with house.store.write() as session:
        session.get_one(Outlet, house.outlet.id).state = "open"
    assert await confirm(house.courier(), 10) == 1


async def test_who_never_confirms_is_forgotten_in_a_week(house: House, place: Place, clock: FakeClock) -> None:
    ask(house, place)
    await confirm(house.courier(), 10)
    clock.forward(days=6)
    await confirm(house.courier(), 10)
    assert only(house).state == PENDING
    clock.forward(days=1, seconds=1)
    await confirm(house.courier(), 10)
    assert all_of(house, Subscriber) == []


def sent_to(house: House, address: str, clock: FakeClock, key_lost: bool = False) -> tuple[Delivery, str]:
    """A bulletin that this reader got."""
    delivery = house.planned(clock() + timedelta(hours=1))
    with house.store.write() as session:
        assert fanning.enlist(session, session.get_one(Delivery, delivery.id), clock()) >= 1
        key = fanning.key_of(Message(kind="post", key=delivery.key, parts=(Part(body=""),)), address)
        row = session.exec(
            select(Recipient).where(Recipient.delivery_id == delivery.id, Recipient.address == address)
        ).one()
        row.state = "wire"
        session.flush()
        row.state, row.remote_id = ("unknown", "") if key_lost else ("sent", f"<{key}>")
    return delivery, key


async def test_who_leaves_is_erased_everywhere_and_not_written_to_again(
    house: House, place: Place, clock: FakeClock
) -> None:
    await joined(house, place)
    sent_to(house, "co.hoa@example.org", clock)
    waiting = house.planned(clock() + timedelta(hours=3))
    with house.store.write() as session:
        fanning.enlist(session, session.get_one(Delivery, waiting.id), clock())
    code = only(house).code
    assert Post.leaves[-1] == f"http://site.test/huy-nhan-tin/{code}"
    assert say_no_more(house, code)
    assert not say_no_more(house, code), "pressed twice"
    row = only(house)
    assert (row.state, row.active, row.address, row.consent) == (LEFT, False, f"#{code}", "")
    everything = repr([all_of(house, table) for table in (Subscriber, Recipient, AuditEvent)])
    assert "co.hoa" not in everything
    with house.store.read() as session:
        assert recipients.tally(session, waiting.id or 0) == recipients.Tally(cancelled=1)
        verify(session, house.ward.id or 0)
    other = codes.code(house.desk.vault, (house.outlet.id or 0) + 1, "co.hoa@example.org")
    assert other != code, "another outlet's code is another"


async def test_who_left_may_come_back_by_their_own_wish(house: House, place: Place, clock: FakeClock) -> None:
    await joined(house, place)
    say_no_more(house, only(house).code)
    await joined(house, place, "Co.Hoa@example.org")
    assert (only(house).state, only(house).address) == (ACTIVE, "Co.Hoa@example.org")


@pytest.mark.parametrize("key_lost", [False, True])
async def test_a_mailbox_that_is_gone_is_suspended_at_the_second_return(
    house: House, place: Place, clock: FakeClock, key_lost: bool
) -> None:
    await joined(house, place)
    assert GONE_AFTER == 2
    for number in (1, 2):
        delivery, key = sent_to(house, "co.hoa@example.org", clock, key_lost)
        Post.back.append(Return(id=f"thu-{number}", key=key, remote_id=f"<{key}>", kind="gone", detail="5.1.1"))
        Post.back.append(Return(id=f"lai-{number}", key=key, remote_id=f"<{key}>", kind="gone", detail="5.1.1"))
        assert await returning.collect(house.courier()) == 1, "the same return twice counts once"
        assert only(house).bounces == number
        assert only(house).active == (number == 1)
        figures = [
            one.value for one in all_of(house, Metric) if one.delivery_id == delivery.id and one.name == "Bị trả lại"
        ]
        assert figures == [1]
    assert only(house).state == SUSPENDED
    assert len(Post.away) == 4
    later = house.planned(clock() + timedelta(hours=5))
    with house.store.write() as session:
        assert fanning.enlist(session, later, clock()) == 0


async def test_a_complaint_ends_it_at_once_and_a_late_letter_changes_nothing(
    house: House, place: Place, clock: FakeClock
) -> None:
    await joined(house, place)
    _, key = sent_to(house, "co.hoa@example.org", clock)
    Post.back.append(Return(id="1", key=key, remote_id=f"<{key}>", kind="delayed", detail="4.4.7"))
    Post.back.append(Return(id="2", key="f" * 32, remote_id="<f>", kind="complaint"))
    Post.back.append(Return(id="3"))
    assert await returning.collect(house.courier()) == 0
    assert only(house).state == ACTIVE
    Post.back.append(Return(id="4", key=key, remote_id=f"<{key}>", kind="complaint"))
    assert await returning.collect(house.courier()) == 1
    assert only(house).state == LEFT
    assert Post.away == ["1", "2", "3", "4"]


async def test_a_complaint_about_the_question_itself_is_heard(house: House, place: Place) -> None:
    ask(house, place)
    await confirm(house.courier(), 10)
    Post.back.append(Return(id="1", key=Post.got[0][1], kind="complaint"))
    assert await returning.collect(house.courier()) == 1
    assert only(house).state == LEFT


async def test_rows_from_before_codes_get_theirs(house: House, place: Place, clock: FakeClock) -> None:
    with house.store.write() as session:
        session.add(
            Subscriber(
                ward_id=house.ward.id or 0, outlet_id=house.outlet.id or 0, address="cu@example.org", created_at=clock()
            )
        )
    await confirm(house.courier(), 10)
    assert only(house).code == place.code("cu@example.org")
    assert say_no_more(house, only(house).code)


def test_the_open_list_is_the_ward_s_own(house: House) -> None:
    with house.store.read() as session:
        found = subscribing.open_list(session, house.ward.id or 0)
        assert found is not None
        assert found.id == house.outlet.id
        assert subscribing.open_list(session, house.neighbour_ward.id or 0) is None

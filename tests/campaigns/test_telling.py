"""Staff are told: a notice stands or falls with its cause, each person is told once, and nobody who may not know."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select, update

from campaigns import (
    approving,
    bots,
    drafting,
    holding,
    linking,
    listening,
    outlets,
    restoring,
    spreading,
    staffing,
    telling,
)  # fmt: skip
from campaigns.audit import MACHINE, Actor
from campaigns.people import Forbidden, Mistake, actor_of
from channels.contract import Deferred, Outcome, Published, Reason, Refused, Unknown
from channels.staff_bots import Bot, BotSettings, News, Said
from store.engine import Store
from store.notices import ChatLink, Notice, NoticeChoice, NoticeLetter, StaffBot
from store.tables import AuditEvent, Instance, Outlet, Post, User
from tests.campaigns import scripted
from tests.campaigns.conftest import House, build_house
from tests.conftest import FakeClock

pytestmark = pytest.mark.anyio


@dataclass
class Phone:
    """What the scripted bot's platform does and holds."""

    outcomes: list[Outcome] = field(default_factory=list)
    told: list[tuple[str, str, str]] = field(default_factory=list)
    typed: list[Said] = field(default_factory=list)
    before: Callable[[], None] = lambda: None


PHONE = Phone()


@pytest.fixture
def house(store: Store, tmp_path: Path, clock: FakeClock) -> House:
    """Most of this is decided in Python: SQLite is enough."""
    return build_house(store, tmp_path, clock)


@pytest.fixture
def any_house(any_store: Store, tmp_path: Path, clock: FakeClock) -> House:
    """Where the rows decide: on both databases."""
    return build_house(any_store, tmp_path, clock)


class ScriptedSettings(BotSettings):
    token: str


class ScriptedBot(Bot):
    name = "Bot thử"
    limit = 600
    Settings = ScriptedSettings

    async def me(self) -> str | Reason:
        return "bot_thu"

    async def tell(self, chat: str, text: str) -> Outcome:
        PHONE.before()
        PHONE.told.append((self.settings.token, chat, text))
        await asyncio.sleep(0)
        return PHONE.outcomes.pop(0) if PHONE.outcomes else Published(remote_id="1")

    async def listen(self, place: str, seconds: int) -> News | Reason:
        said, PHONE.typed = tuple(PHONE.typed), []
        return News(said=said, place=str(int(place or 0) + len(said)))


class OtherBot(ScriptedBot):
    name = "Bot khác"


@pytest.fixture(autouse=True)
def phone(platform: scripted.Platform, monkeypatch: pytest.MonkeyPatch) -> Iterator[Phone]:
    PHONE.__init__()  # type: ignore[misc]
    monkeypatch.setattr(scripted.Scripted, "staff_bot", classmethod(lambda cls: ScriptedBot), raising=False)
    monkeypatch.setattr(scripted.Blind, "staff_bot", classmethod(lambda cls: OtherBot), raising=False)
    monkeypatch.setattr(scripted.TwoParts, "staff_bot", classmethod(lambda cls: None), raising=False)
    yield PHONE


def bot(house: House, kind: str = "scripted", token: str = "mot-token-dai") -> StaffBot:
    with house.store.write() as session:
        return bots.connect(
            session, house.admin, house.ward.id or 0, kind, {"token": token}, house.desk, house.desk.now()
        )


def link(house: House, who: Actor, chat: str, of: StaffBot) -> None:
    """The person takes a code and types it to the bot."""
    with house.store.write() as session:
        code = linking.ask(session, who, session.get_one(StaffBot, of.id), house.desk.now())
    with house.store.write() as session:
        assert (
            linking.answer(session, session.get_one(StaffBot, of.id), chat, code.lower(), True, house.desk.now())
            == linking.LINKED
        )


def submitted(house: House, **values: object) -> Post:
    now = house.desk.now()
    with house.store.write() as session:
        post = drafting.save(session, house.editor, house.ward, house.draft(now + timedelta(hours=5), **values), now)
        assert drafting.submit(session, house.editor, post, house.ward, house.desk, now) == []
        return post


def rows(house: House, table: type[Any]) -> list[Any]:
    with house.store.read() as session:
        return list(session.exec(select(table).order_by(table.id)).all())


def states(house: House) -> list[str]:
    return [row.state for row in rows(house, NoticeLetter)]


async def told(house: House, clock: FakeClock, seconds: float = 6) -> list[str]:
    """What reached phones after so long."""
    courier, already = house.courier(), len(PHONE.told)
    await telling.tell(courier)
    clock.forward(seconds=seconds)
    await telling.tell(courier)
    return [text for _, _, text in PHONE.told[already:]]


# ------------------------------------------------------------------ the cause


def test_a_notice_stands_or_falls_with_its_cause(any_house: House) -> None:
    house = any_house
    with pytest.raises(RuntimeError), house.store.write() as session:
        outlets.pause(session, MACHINE, session.get_one(Outlet, house.outlet.id), "hỏng", house.desk.now())
        assert session.exec(select(Notice)).one().topic == "broken"
        raise RuntimeError("the change is not made")
    assert rows(house, Notice) == []
    with house.store.write() as session:
        outlets.pause(session, MACHINE, session.get_one(Outlet, house.outlet.id), "hỏng", house.desk.now())
    assert [row.action for row in rows(house, Notice)] == ["outlet.paused"]


async def test_the_approver_is_told_of_a_post_with_its_hour_channels_and_beginning(
    any_house: House, clock: FakeClock
) -> None:
    house = any_house
    mine = bot(house)
    for who, chat in ((house.approver, "7001"), (house.editor, "7002"), (house.admin, "7003")):
        link(house, who, chat, mine)
    post = submitted(house)
    (first, second) = await told(house, clock)
    assert {chat for _, chat, _ in PHONE.told} == {"7001", "7003"}, "not the author, who cannot approve it"
    notice = next(row for row in rows(house, Notice) if row.action == "post.submitted")
    assert first == second
    assert first.splitlines() == [
        "Phường Lê Thanh Nghị: bài chờ duyệt",
        "«Nhắc nộp hồ sơ»",
        "Đăng lúc 13h00 ngày 23/11/2026",
        f"Kênh: {scripted.Scripted.name}",
        "Bà con nhớ nộp hồ sơ trực tuyến.",
        f"Xem và duyệt: http://site.test/quan-tri/viec/{notice.id}",
    ]
    assert states(house) == ["sent", "sent"]
    assert await told(house, clock, 120) == [], "nobody is told twice"
    assert post.author_id == house.editor.user_id


async def test_what_was_approved_meanwhile_is_not_told(house: House, clock: FakeClock) -> None:
    link(house, house.approver, "7001", bot(house))
    post = submitted(house)
    await telling.tell(house.courier())
    with house.store.write() as session:
        row = session.get_one(Post, post.id)
        approving.approve(session, house.admin, row, approving.digest_of(session, row), house.desk.now())
    assert await told(house, clock) == [] and states(house) == ["dropped"]


async def test_the_neighbour_and_the_wrong_role_are_told_nothing(house: House, clock: FakeClock) -> None:
    mine = bot(house)
    link(house, house.editor, "7002", mine)
    with pytest.raises(Forbidden), house.store.write() as session:
        linking.ask(session, house.neighbour, session.get_one(StaffBot, mine.id), house.desk.now())
    submitted(house)
    with house.store.write() as session:
        outlets.pause(session, MACHINE, session.get_one(Outlet, house.outlet.id), "hỏng", house.desk.now())
    assert await told(house, clock) == [] and states(house) == []
    with house.store.write() as session:
        holding.hold(session, house.approver, house.ward.id, "Tin sai", house.desk.now())
    (text,) = await told(house, clock)
    assert "TẠM DỪNG TOÀN BỘ" in text and "Tin sai" not in text, "reasons stay behind the link"


async def test_who_lost_the_right_or_left_is_told_nothing_any_more(house: House, clock: FakeClock) -> None:
    mine = bot(house)
    link(house, house.approver, "7001", mine)
    submitted(house)
    await telling.tell(house.courier())
    with house.store.write() as session:
        session.exec(update(User).where(col(User.id) == house.approver.user_id).values(role="reader"))
    assert await told(house, clock) == [] and states(house) == ["dropped"]
    with house.store.write() as session:
        user = session.get_one(User, house.approver.user_id)
        user.role = "approver"
        session.add(user)
        session.flush()
        staffing.deactivate(session, house.admin, user, house.desk.now())
    assert rows(house, ChatLink) == []
    assert "chat.unlinked" in [row.action for row in rows(house, AuditEvent)]


async def test_nobody_is_told_of_their_own_work(house: House, clock: FakeClock) -> None:
    mine = bot(house)
    for who, chat in ((house.approver, "7001"), (house.admin, "7003")):
        link(house, who, chat, mine)
    now = house.desk.now()
    with house.store.write() as session:
        post = drafting.save(session, house.approver, house.ward, house.draft(now + timedelta(hours=5)), now)
        assert drafting.submit(session, house.admin, post, house.ward, house.desk, now) == []
    assert await told(house, clock) == [], "neither who wrote it nor who handed it in"
    with house.store.write() as session:
        holding.hold(session, house.admin, house.ward.id, "x", now)
    await told(house, clock, 0)
    assert [chat for _, chat, _ in PHONE.told] == ["7001"]


# ------------------------------------------------------------------ when and how often


async def test_quiet_hours_keep_everything_but_emergencies(house: House, clock: FakeClock) -> None:
    link(house, house.approver, "7001", bot(house))
    clock.forward(hours=14)  # 22:00
    submitted(house)
    assert await told(house, clock) == []
    submitted(house, urgency="urgent", body="Bão số 9 đang vào, bà con ở trong nhà.")
    with house.store.write() as session:
        holding.hold(session, house.admin, house.ward.id, "x", house.desk.now())
    (text,) = await told(house, clock, 0)
    assert text.startswith("2 việc cần xem:") and "KHẨN CẤP" in text and "TẠM DỪNG" in text
    clock.at = clock.at.replace(hour=23, minute=0)  # 06:00 the next morning
    (morning,) = await told(house, clock)
    assert "Nhắc nộp hồ sơ" in morning and sorted(states(house)) == ["sent"] * 3


async def test_many_are_told_in_one_message_and_a_minute_lies_between_two(house: House, clock: FakeClock) -> None:
    link(house, house.approver, "7001", bot(house))
    for number in range(9):
        submitted(house, body=f"Tin số {number} của phường hôm nay.")
    (text,) = await told(house, clock)
    assert (
        text.startswith("9 việc cần xem:")
        and len(text) <= ScriptedBot.limit
        and text.endswith("http://site.test/quan-tri")
    )
    submitted(house, body="Một tin nữa, ngay sau đó.")
    assert await told(house, clock) == [], "within the minute"
    assert len(await told(house, clock, 61)) == 1


async def test_each_chooses_what_to_be_told(house: House, clock: FakeClock) -> None:
    link(house, house.approver, "7001", bot(house))
    with house.store.write() as session:
        session.add(NoticeChoice(user_id=house.approver.user_id or 0, topics=["hold"], updated_at=clock()))
    submitted(house)
    assert await told(house, clock) == [] and states(house) == []


async def test_a_hold_of_the_whole_city_is_told_once_to_the_city_s_account(any_house: House, clock: FakeClock) -> None:
    house = any_house
    now = house.desk.now()
    with house.store.write() as session:
        session.add(
            User(ward_id=None, username="tp", name="Thành phố", role="admin", password_hash="x", created_at=now)
        )
        session.add(
            User(ward_id=None, username="tp2", name="Thành phố hai", role="admin", password_hash="x", created_at=now)
        )
    with house.store.read() as session:
        first, second = (
            actor_of(session.exec(select(User).where(User.username == name)).one()) for name in ("tp", "tp2")
        )
    mine = bot(house)
    link(house, second, "7009", mine)
    link(house, house.approver, "7001", mine)
    with house.store.write() as session:
        holding.hold(session, first, None, "Tin sai", now)
    assert len(rows(house, Notice)) == 2, "one in each ward's own log"
    await told(house, clock, 0)
    assert sorted(chat for _, chat, _ in PHONE.told) == ["7001", "7009"]


async def test_access_that_wears_out_is_told_weekly_to_the_administrator(
    house: House, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        scripted.Scripted, "wearing", classmethod(lambda cls, settings, now: "Sắp hết hạn"), raising=False
    )
    mine = bot(house)
    link(house, house.admin, "7003", mine)
    link(house, house.approver, "7001", mine)
    (text,) = await told(house, clock)
    assert "quyền truy cập của kênh sắp hết hạn" in text and PHONE.told[-1][1] == "7003"
    assert await told(house, clock, 3 * 86400) == []
    clock.forward(days=5)
    assert len(await told(house, clock)) == 1, "another week"


# ------------------------------------------------------------------ what the platform says


@pytest.mark.parametrize(
    ("outcome", "state", "sends"),
    [
        (Published(remote_id="5"), "sent", 1),
        (Unknown(detail="x"), "unknown", 1),
        (Refused(reason=Reason.REJECTED, detail="x"), "failed", 1),
        (Refused(reason=Reason.FORBIDDEN, detail="Đã chặn bot."), "failed", 1),
        (Deferred(reason=Reason.UNREACHABLE, detail="x"), "failed", telling.TRIES),
        (Refused(reason=Reason.UNAUTHORIZED, detail="x"), "failed", telling.TRIES),
    ],
)  # fmt: skip
async def test_every_answer_ends_in_an_honest_state(
    house: House, clock: FakeClock, outcome: Outcome, state: str, sends: int
) -> None:
    link(house, house.approver, "7001", bot(house))
    PHONE.outcomes = [outcome] * 20
    submitted(house)
    for _ in range(12):
        await telling.tell(house.courier())
        clock.forward(minutes=35 if isinstance(outcome, Deferred) else 11)
    assert states(house) == [state] and len(PHONE.told) == sends
    (letter,) = rows(house, NoticeLetter)
    assert (letter.detail != "") is (state != "sent") and letter.done_at is not None
    if getattr(outcome, "reason", None) is Reason.FORBIDDEN:
        assert rows(house, ChatLink)[0].state == "blocked"


async def test_who_blocked_one_bot_is_told_by_the_other(house: House, clock: FakeClock) -> None:
    first, second = bot(house, "blind", "token-bot-khac"), bot(house)
    link(house, house.approver, "8001", first)
    clock.forward(seconds=1)
    link(house, house.approver, "7001", second)
    PHONE.outcomes = [Refused(reason=Reason.FORBIDDEN, detail="Đã chặn bot.")]
    submitted(house)
    await told(house, clock)
    await told(house, clock)
    assert [(token, chat) for token, chat, _ in PHONE.told] == [("mot-token-dai", "7001"), ("token-bot-khac", "8001")]
    assert states(house) == ["sent"]


async def test_a_crash_between_wire_and_answer_leaves_it_unknown_and_not_sent_again(
    any_house: House, clock: FakeClock
) -> None:
    house = any_house
    link(house, house.approver, "7001", bot(house))
    submitted(house)

    class Killed(BaseException):
        pass

    def die() -> None:
        assert states(house) == ["wire"], "written before the first byte"
        raise Killed

    PHONE.before = die
    await telling.tell(house.courier())
    clock.forward(seconds=6)
    with pytest.raises(Killed):
        await telling.tell(house.courier())
    PHONE.before = lambda: None
    assert await told(house, clock, 60) == []
    clock.forward(minutes=11)
    assert await told(house, clock) == [] and states(house) == ["unknown"]


async def test_a_copy_on_another_machine_tells_nobody_and_hears_nobody(house: House, clock: FakeClock) -> None:
    link(house, house.approver, "7001", bot(house))
    submitted(house)
    with house.store.write() as session:
        session.exec(update(Instance).values(safe_mode="bản sao"))
    PHONE.typed = [Said(chat="1", text="HỦY", private=True)]
    assert await told(house, clock) == [] and await listening.listen(house.courier()) == 0
    assert len(PHONE.typed) == 1


async def test_after_a_restore_nobody_is_told_a_second_time(any_house: House, clock: FakeClock) -> None:
    house = any_house
    link(house, house.approver, "7001", bot(house))
    submitted(house)
    await telling.tell(house.courier())
    submitted(house, body="Một tin khác, chưa được phân phát.")
    with house.store.write() as session:
        restoring.settle(session, house.desk.now())
    assert await told(house, clock) == []
    assert states(house) == ["unknown"]


async def test_a_bot_that_hangs_keeps_no_delivery_waiting(house: House, clock: FakeClock) -> None:
    link(house, house.approver, "7001", bot(house))
    delivery = house.planned(clock() + timedelta(seconds=30))
    with house.store.write() as session:
        holding_post = session.get_one(Outlet, house.outlet.id)
        assert holding_post.state == "open"
    submitted(house, body="Tin để báo cho người duyệt.")
    await telling.tell(house.courier())
    clock.forward(seconds=31)
    hangs = asyncio.Event()

    async def never(self: Bot, chat: str, text: str) -> Outcome:
        hangs.set()
        await asyncio.sleep(60)
        return Published(remote_id="1")

    ScriptedBot.tell, kept = never, ScriptedBot.tell  # type: ignore[method-assign]
    try:
        telling_ = asyncio.create_task(telling.tell(house.courier()))
        await asyncio.wait_for(hangs.wait(), 5)
        assert await asyncio.wait_for(house.courier("two").deliver(10), 5) == 1
        assert house.see(delivery).state == "sent"
    finally:
        ScriptedBot.tell = kept  # type: ignore[method-assign]
        telling_.cancel()
        await asyncio.gather(telling_, return_exceptions=True)


# ------------------------------------------------------------------ linking


async def test_a_code_is_typed_once_within_ten_minutes(any_store: Store, tmp_path: Path, clock: FakeClock) -> None:
    house = build_house(any_store, tmp_path, clock)
    mine = bot(house)

    def say(chat: str, text: str, private: bool = True) -> str | None:
        with house.store.write() as session:
            return linking.answer(session, session.get_one(StaffBot, mine.id), chat, text, private, clock())

    def ask(who: Actor) -> str:
        with house.store.write() as session:
            return linking.ask(session, who, session.get_one(StaffBot, mine.id), clock())

    old, code = ask(house.approver), ask(house.approver)
    assert say("1", old) == linking.UNKNOWN_CODE, "a newer code takes the place of the older"
    assert say("-100", code, private=False) == linking.IN_A_GROUP and say("-100", "chào cả nhà", private=False) is None
    clock.forward(minutes=10)
    assert say("1", code) == linking.UNKNOWN_CODE
    code = ask(house.approver)
    assert code not in str([row.model_dump() for row in rows(house, ChatLink)]).upper(), "only its hash is kept"
    assert say("1", f"/start {code.replace('-', '').lower()}") == linking.LINKED
    assert say("2", code) == linking.UNKNOWN_CODE, "good for one use"
    other = ask(house.admin)
    assert say("1", other) == linking.TAKEN and say("3", other) == linking.LINKED
    assert say("1", "xin chào") is None and say("9", "xin chào") == linking.NOT_LINKED
    assert say("1", " Hủy ") == linking.ENDED and say("1", "HỦY") == linking.NOT_LINKED
    assert [row.user_id for row in rows(house, ChatLink)] == [house.admin.user_id]
    with pytest.raises(Mistake), house.store.write() as session:
        linking.unlink(session, house.approver, rows(house, ChatLink)[0].id, clock())
    with house.store.write() as session:
        linking.unlink(session, house.admin, rows(house, ChatLink)[0].id, clock())
    assert rows(house, ChatLink) == []
    assert [row.action for row in rows(house, AuditEvent)].count("chat.unlinked") == 2


async def test_what_is_typed_is_heard_answered_and_its_place_kept(
    any_store: Store, tmp_path: Path, clock: FakeClock
) -> None:
    house = build_house(any_store, tmp_path, clock)
    mine = bot(house)
    with house.store.write() as session:
        code = linking.ask(session, house.approver, session.get_one(StaffBot, mine.id), clock())
    PHONE.typed = [Said(chat="7001", text=code, private=True), Said(chat="7002", text="bot ơi", private=True)]
    assert await listening.listen(house.courier()) == 2
    assert [(chat, text) for _, chat, text in PHONE.told] == [("7001", linking.LINKED), ("7002", linking.NOT_LINKED)]
    (row,) = rows(house, StaffBot)
    assert row.place == "2" and row.health == "ok" and row.listen_at == clock() + listening.IDLE
    PHONE.typed = [Said(chat="7001", text="hủy", private=True)]
    assert await listening.listen(house.courier()) == 0, "a minute between two glances while nobody is awaited"
    clock.forward(seconds=60)
    assert await listening.listen(house.courier()) == 1 and rows(house, ChatLink) == []


async def test_two_processes_never_listen_to_one_bot_at_once(any_house: House, clock: FakeClock) -> None:
    house = any_house
    bot(house)
    under_way: list[int] = []
    most: list[int] = []

    async def slow(self: Bot, place: str, seconds: int) -> News | Reason:
        under_way.append(1)
        most.append(len(under_way))
        await asyncio.sleep(0.05)
        under_way.pop()
        return News()

    ScriptedBot.listen, kept = slow, ScriptedBot.listen  # type: ignore[method-assign]
    try:
        await asyncio.gather(*(listening.listen(house.courier(name)) for name in ("one", "two", "three")))
    finally:
        ScriptedBot.listen = kept  # type: ignore[method-assign]
    assert max(most) == 1


async def test_a_stopping_program_does_not_wait_for_somebody_to_type(house: House, clock: FakeClock) -> None:
    mine = bot(house)
    with house.store.write() as session:
        linking.ask(session, house.approver, session.get_one(StaffBot, mine.id), clock())
    courier = house.courier()

    async def long(self: Bot, place: str, seconds: int) -> News | Reason:
        assert seconds == listening.WAIT_SECONDS, "somebody holds a code"
        courier.stopping.set()
        await asyncio.sleep(30)
        return News()

    ScriptedBot.listen, kept = long, ScriptedBot.listen  # type: ignore[method-assign]
    try:
        assert await asyncio.wait_for(listening.listen(courier), 3) == 0
    finally:
        ScriptedBot.listen = kept  # type: ignore[method-assign]


def test_a_bot_s_token_is_sealed_and_another_bot_knows_no_old_chats(house: House) -> None:
    mine = bot(house)
    link(house, house.approver, "7001", mine)
    assert "mot-token-dai" not in str(rows(house, StaffBot)[0].model_dump()) and "mot-token-dai" not in str(
        [row.particulars for row in rows(house, AuditEvent)]
    )
    with house.store.write() as session:
        bots.connect(session, house.admin, house.ward.id or 0, "scripted", {"token": ""}, house.desk, house.desk.now())
    assert len(rows(house, ChatLink)) == 1, "a blank token keeps the old one, and its chats"
    bot(house, token="mot-token-khac")
    assert rows(house, ChatLink) == []
    with pytest.raises(Forbidden), house.store.write() as session:
        bots.connect(
            session, house.approver, house.ward.id or 0, "scripted", {"token": "x" * 9}, house.desk, house.desk.now()
        )


def test_readers_are_those_who_linked_a_chat(house: House) -> None:
    link(house, house.approver, "7001", bot(house))
    with house.store.read() as session:
        assert [one.user.id for one in spreading.readers(session)] == [house.approver.user_id]

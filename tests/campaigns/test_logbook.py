"""The log book: every airing one line, in the transaction of its delivery, growing only, told by record or by a person."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import col, select

from campaigns import airtime, claiming, logbook, report_tables, settling, telling_airings
from campaigns.audit import verify
from campaigns.figures import figures
from campaigns.people import Forbidden, Mistake
from campaigns.states import State
from campaigns.tallies import Figures, LoggedAirRow
from campaigns.telling_airings import Correction
from campaigns.withdrawing import withdraw
from channels.loudspeaker import days, studio
from channels.loudspeaker.adapter import Loudspeaker
from channels.loudspeaker.transports import airings
from channels.loudspeaker.transports.airings import Begun, Heard
from channels.wire import Guard
from store.airings import LogEntry
from store.engine import Store
from store.tables import AuditEvent, Delivery
from tests.campaigns.conftest import House, build_house, freeze, to_wire
from tests.channels.air import Receiver, short
from tests.conftest import FakeClock

pytestmark = pytest.mark.anyio
MINUTE = timedelta(minutes=1)
START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> None:
    monkeypatch.setattr("channels.registry.installed", lambda: {"loudspeaker": Loudspeaker})
    monkeypatch.setattr(studio, "speak", lambda *_: b"")
    monkeypatch.setattr(studio, "programme", lambda *_, **__: short())
    clock.at = START


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def live(any_store: Store, tmp_path: Path, clock: FakeClock, receiver: Receiver) -> House:
    settings = {
        "folder": str(tmp_path / "loa"), "transport": "rtp", "clusters": [f"Tổ 1 = {receiver.address}"],
        "preview_on_air": True,
    }  # fmt: skip
    made = build_house(any_store, tmp_path, clock, "loudspeaker", settings)
    made.desk.wire.guard = Guard(frozenset({receiver.address}))
    return made


@pytest.fixture
def by_hand(any_store: Store, tmp_path: Path, clock: FakeClock) -> House:
    settings = {"folder": str(tmp_path / "loa"), "clusters": ["Tổ 1", "Tổ 2"]}
    return build_house(any_store, tmp_path, clock, "loudspeaker", settings)


def lines(house: House) -> list[LogEntry]:
    with house.store.read() as session:
        return list(session.exec(select(LogEntry).order_by(col(LogEntry.number))).all())


async def listed(house: House, clock: FakeClock) -> Delivery:
    """A programme that lies in the folder at its hour."""
    delivery = house.planned(clock() + 5 * MINUTE)
    clock.forward(minutes=5)
    assert await house.courier().deliver(10) == 1
    assert house.see(delivery).state == State.SENT
    return house.see(delivery)


async def on_air(house: House, clock: FakeClock) -> Delivery:
    delivery = house.planned(clock() + 5 * MINUTE, urgency="urgent")
    clock.forward(minutes=5)
    assert await house.courier().deliver(10) == 1
    assert house.see(delivery).state == State.UNKNOWN
    return delivery


async def test_an_airing_writes_its_line_when_it_is_over(live: House, clock: FakeClock, receiver: Receiver) -> None:
    delivery = await on_air(live, clock)
    assert lines(live) == [], "it is not over"
    await asyncio.sleep(short().seconds + 0.6)
    clock.at = live.see(delivery).next_at
    assert await live.courier().look(10) == 1
    [line] = lines(live)
    assert (line.verdict, line.number, line.delivery_id) == ("played", 1, delivery.id)
    assert (line.title, line.urgency, line.way) == ("Nhắc nộp hồ sơ", "urgent", "RTP (G.711) qua mạng nội bộ")
    assert line.approver == live.approver.name and line.author == live.editor.name
    assert line.began_at == START + 5 * MINUTE and line.ended_at is not None
    assert [(one["name"], one["state"]) for one in line.clusters] == [("Tổ 1", "played")]
    assert line.seconds == round(short().seconds) and line.evidence.startswith("2026-11-23/")
    receiver.stop()


async def test_what_a_power_cut_left_says_what_was_heard(live: House, clock: FakeClock, receiver: Receiver) -> None:
    delivery = live.planned(clock() + 5 * MINUTE)
    clock.forward(minutes=5)
    with live.store.write() as session:
        [(id, fence)] = claiming.claim(session, "one", clock(), 10)
    freeze(live.courier(), id, fence)
    to_wire(live.courier(), id, fence)
    folder = Path(live.outlet.settings["folder"])
    begun = Begun(at=clock(), key=delivery.key, title="", transport="rtp", seconds=90, clusters=("Tổ 1", "Tổ 2"))
    with days.locked(folder):
        left = airings.begin(folder, days.ending(delivery.key), "2026-11-23", begun)
    assert left is not None
    left.note(Heard(at=clock(), cluster="Tổ 1", state="playing", seconds=0))
    left.note(Heard(at=clock() + timedelta(seconds=40), cluster="Tổ 1", state="playing", seconds=40))
    left._file.close()  # the process is gone, and its lock with it
    again = live.courier("two")
    assert again.recover() == 1 and lines(live) == []
    clock.forward(seconds=50)
    await again.look(10)
    [line] = lines(live)
    assert live.see(delivery).state == State.NEEDS_HUMAN and line.verdict == "partly"
    assert line.seconds == 40 and "sau giây 40/90" in line.remark
    assert line.ended_at == START + 5 * MINUTE + timedelta(seconds=40)
    assert [(one["name"], one["state"], one["seconds"]) for one in line.clusters] == [
        ("Tổ 1", "unknown", 40), ("Tổ 2", "unknown", 0),
    ]  # fmt: skip
    with live.store.write() as session:
        settling.settle_closed(session, live.approver, session.get_one(Delivery, delivery.id), "Mất điện", clock())
    first, second = lines(live)
    assert second.corrects == first.id and second.by == live.approver.name and second.verdict == "partly"
    with live.store.read() as session:
        book = airtime.book(session, live.ward, START, START + timedelta(days=1))
    assert (book.totals.airings, book.totals.seconds) == (1, 40), "a line that was replaced is not counted"
    assert receiver.stop() == []


async def test_stopped_on_the_air_is_told_with_its_second(live: House, clock: FakeClock, receiver: Receiver) -> None:
    delivery = await on_air(live, clock)
    with live.store.write() as session:
        settling.take_down(session, live.approver, session.get_one(Delivery, delivery.id), "Đọc nhầm", clock())
    assert lines(live) == []
    assert await withdraw(live.courier(), 10) == 1
    [line] = lines(live)
    assert live.see(delivery).state == State.WITHDRAWN
    assert line.verdict in ("partly", "unknown") and line.remark == "Đọc nhầm"
    assert [one["state"] for one in line.clusters] == ["stopped"]
    receiver.stop()


async def test_what_did_not_go_out_says_why(live: House, clock: FakeClock) -> None:
    live.planned(clock() + 5 * MINUTE, grace_minutes=10)
    clock.forward(hours=12)
    await live.courier().deliver(10)
    [line] = lines(live)
    assert (line.verdict, line.seconds, line.began_at) == ("silent", 0, None)
    assert line.remark.startswith("Trễ ") and line.at == START + 5 * MINUTE


async def test_what_a_person_plays_is_told_by_a_person_once(by_hand: House, clock: FakeClock) -> None:
    delivery = await listed(by_hand, clock)
    assert lines(by_hand) == [], "that it lies in the folder is not that it was heard"
    with by_hand.store.read() as session:
        assert [one.id for one in telling_airings.waiting(session, by_hand.ward.id or 0, clock())] == [delivery.id]
    began = clock()
    clock.forward(minutes=20)
    with by_hand.store.write() as session:
        row = session.get_one(Delivery, delivery.id)
        telling_airings.played(session, by_hand.editor, row, began, began + MINUTE, {"Tổ 2"}, "Mưa to", clock())
    [line] = lines(by_hand)
    assert (line.verdict, line.seconds, line.by, line.remark) == ("played", 60, by_hand.editor.name, "Mưa to")
    assert [(one["name"], one["state"]) for one in line.clusters] == [("Tổ 1", "played"), ("Tổ 2", "failed")]
    for tell in (
        lambda session, row: telling_airings.played(session, by_hand.editor, row, began, None, (), "", clock()),
        lambda session, row: telling_airings.not_played(session, by_hand.editor, row, "Mất điện", clock()),
    ):
        with pytest.raises(Mistake, match="đã được ghi vào sổ"), by_hand.store.write() as session:
            tell(session, session.get_one(Delivery, delivery.id))
    with by_hand.store.read() as session:
        assert telling_airings.waiting(session, by_hand.ward.id or 0, clock()) == []
        [event] = session.exec(select(AuditEvent).where(AuditEvent.action == "delivery.said_aired")).all()
        assert event.subject_id == str(delivery.id) and verify(session, by_hand.ward.id or 0) > 0


async def test_why_it_was_not_played_and_a_wrong_line_put_right(by_hand: House, clock: FakeClock) -> None:
    delivery = await listed(by_hand, clock)
    with by_hand.store.write() as session:
        row = session.get_one(Delivery, delivery.id)
        with pytest.raises(Mistake, match="vì sao"):
            telling_airings.not_played(session, by_hand.editor, row, "  ", clock())
        telling_airings.not_played(session, by_hand.editor, row, "Mất điện cả phường", clock())
    [wrong] = lines(by_hand)
    assert (wrong.verdict, wrong.remark, wrong.began_at) == ("silent", "Mất điện cả phường", None)
    clock.forward(hours=1)
    right = Correction("played", START + 6 * MINUTE, START + 8 * MINUTE, "Ghi nhầm dòng")
    with pytest.raises(Forbidden), by_hand.store.write() as session:
        telling_airings.correct(session, by_hand.editor, session.get_one(LogEntry, wrong.id), right, clock())
    with by_hand.store.write() as session:
        telling_airings.correct(session, by_hand.approver, session.get_one(LogEntry, wrong.id), right, clock())
    first, second = lines(by_hand)
    assert [(one["name"], one["state"]) for one in second.clusters] == [("Tổ 1", "played"), ("Tổ 2", "played")]
    assert second.corrects == first.id and second.remark == "Sửa dòng 1: Ghi nhầm dòng" and second.seconds == 120
    with pytest.raises(Mistake, match="dòng khác thay"), by_hand.store.write() as session:
        telling_airings.correct(session, by_hand.approver, session.get_one(LogEntry, wrong.id), right, clock())
    with by_hand.store.read() as session:
        book = airtime.book(session, by_hand.ward, START, START + timedelta(days=1))
    assert [row.replaced_by for row in book.rows] == [2, 0] and book.rows[1].corrects == 1
    assert (book.totals.bulletins, book.totals.airings, book.totals.seconds) == (1, 1, 120)


async def test_hours_that_cannot_be_are_refused(by_hand: House, clock: FakeClock) -> None:
    delivery = await listed(by_hand, clock)
    early, late = clock() - timedelta(days=2), clock() + MINUTE
    for began, ended, said in (
        (late, None, "ở sau thời điểm này"),
        (early, None, "sớm hơn giờ hẹn"),
        (clock(), clock() - MINUTE, "sau giờ bắt đầu"),
        (clock(), clock() + timedelta(hours=4), "không quá 3 giờ"),
    ):
        with pytest.raises(Mistake, match=said), by_hand.store.write() as session:
            row = session.get_one(Delivery, delivery.id)
            telling_airings.played(session, by_hand.editor, row, began, ended, (), "", clock())
    with pytest.raises(Forbidden), by_hand.store.write() as session:
        row = session.get_one(Delivery, delivery.id)
        telling_airings.not_played(session, by_hand.neighbour, row, "…", clock())
    assert lines(by_hand) == []


async def test_taken_out_before_its_hour_was_not_played(by_hand: House, clock: FakeClock) -> None:
    delivery = await listed(by_hand, clock)
    with by_hand.store.write() as session:
        session.get_one(Delivery, delivery.id).due_at = clock() + timedelta(hours=1)
    with by_hand.store.write() as session:
        row = session.get_one(Delivery, delivery.id)
        settling.take_down(session, by_hand.approver, row, "Đổi lịch", clock())
    assert await withdraw(by_hand.courier(), 10) == 1
    [line] = lines(by_hand)
    assert (line.verdict, line.delivery_id) == ("silent", delivery.id)
    assert line.remark == "Đã rút khỏi danh sách phát trước giờ: Đổi lịch"


async def test_the_book_only_grows(by_hand: House, clock: FakeClock) -> None:
    delivery = await listed(by_hand, clock)
    with by_hand.store.write() as session:
        telling_airings.not_played(session, by_hand.editor, session.get_one(Delivery, delivery.id), "Mất điện", clock())
    for change in ("update log_entry set remark = 'khác'", "delete from log_entry"):
        with pytest.raises(DBAPIError, match="only grows"), by_hand.store.write() as session:
            session.connection().execute(text(change))
    assert [line.remark for line in lines(by_hand)] == ["Mất điện"]


async def test_a_line_and_its_move_stand_or_fall_together(
    by_hand: House, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = by_hand.planned(clock() + 5 * MINUTE, grace_minutes=10)
    clock.forward(hours=12)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(logbook, "append", broken)
        with pytest.raises(RuntimeError):
            await by_hand.courier().deliver(10)
    assert by_hand.see(delivery).state == State.DUE and lines(by_hand) == []
    await by_hand.courier().deliver(10)
    assert by_hand.see(delivery).state == State.MISSED and len(lines(by_hand)) == 1


async def test_the_report_and_the_book_never_differ(by_hand: House, clock: FakeClock) -> None:
    day = (START - timedelta(hours=1), START + timedelta(days=1))
    for minutes, silent in ((2, ()), (3, ("Tổ 2",))):
        delivery = await listed(by_hand, clock)
        began = clock()
        clock.forward(minutes=10)
        with by_hand.store.write() as session:
            row = session.get_one(Delivery, delivery.id)
            ended = began + minutes * MINUTE
            telling_airings.played(session, by_hand.editor, row, began, ended, silent, "", clock())
    missed = await listed(by_hand, clock)
    with by_hand.store.read() as session:
        assert figures(session, by_hand.ward.id, *day).air[0].airings == 2, "what nobody told of was not heard"
    with by_hand.store.write() as session:
        telling_airings.not_played(session, by_hand.editor, session.get_one(Delivery, missed.id), "Mất điện", clock())
        telling_airings.correct(
            session, by_hand.approver, session.get_one(LogEntry, 1),
            Correction("played", START + 5 * MINUTE, START + 9 * MINUTE, "Ghi nhầm giờ"), clock(),
        )  # fmt: skip
    with by_hand.store.read() as session:
        counted = figures(session, by_hand.ward.id, *day)
        sums = airtime.book(session, by_hand.ward, *day).totals
    [row] = counted.air
    assert isinstance(row, LoggedAirRow)
    assert (row.posts, row.airings, row.seconds) == (sums.bulletins, sums.airings, sums.seconds) == (2, 2, 420)
    assert (row.clusters, row.reached, row.tried) == (sums.clusters, sums.reached, sums.tried) == (2, 3, 4)
    [said] = report_tables.on_air(counted)
    assert said.endswith(
        "02 tin, 02 lượt phát, tổng thời lượng 7 phút, 02 cụm loa; 3/4 lượt cụm loa phát trọn (theo Sổ phát thanh)."
    )
    assert Figures.model_validate(counted.model_dump(mode="json")).digest() == counted.digest()

"""A published post is corrected: approved word for word, put in the place of the old, and what cannot be known comes before a person."""

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from campaigns import amend_settling, amending, amendments, correcting, restoring, settling, versions, withdrawing
from campaigns.amend_steps import GONE, MAX_DOUBTS, Line, Next, after
from campaigns.approving import Changed
from campaigns.audit import verify
from campaigns.correcting import Sight, Words
from campaigns.delivering import Courier
from campaigns.holding import hold
from campaigns.people import Forbidden, Mistake
from campaigns.states import State
from channels.contract import (
    Capability,
    Deferred,
    Found,
    Message,
    Outcome,
    Pending,
    Published,
    Reason,
    Refused,
    Unknown,
)
from store.amendments import Amendment, AmendmentLine
from store.tables import Attempt, AuditEvent, Delivery, Instance, Outlet, Post
from tests.campaigns.conftest import House
from tests.campaigns.scripted import PLATFORM, Scripted, TwoParts

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
SETTLE = timedelta(seconds=20)
RIGHT = "Bà con nhớ nộp hồ sơ trước ngày 30/11."


ON_SQLITE = pytest.mark.parametrize("any_store", ["sqlite"], indirect=True)
"""For what does not touch how a database locks and refuses: the other one has its own run of the rest."""


class Killed(BaseException):
    """The end of a life in the middle of a step."""


class Amendable:
    """What the platform shows after «change it», and what it answers: each answer once, then yes."""

    def __init__(self) -> None:
        self.answers: list[Outcome | BaseException] = []
        self.shown: list[tuple[str, str, str]] = []
        self.before: Callable[[], None] | None = None

    async def amend(self, message: Message, part: int, remote_id: str) -> Outcome:
        if self.before:
            self.before()
        answer = self.answers.pop(0) if self.answers else Published(remote_id=remote_id)
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, Published | Unknown):
            note = message.correction.note if message.correction else ""
            self.shown.append((remote_id, message.parts[part].body, note))
        return answer


@pytest.fixture
def amendable(monkeypatch: pytest.MonkeyPatch) -> Amendable:
    made = Amendable()
    for kind in (Scripted, TwoParts):
        monkeypatch.setattr(kind, "capabilities", Scripted.capabilities | {Capability.AMEND, Capability.WITHDRAW})
        monkeypatch.setattr(kind, "amend", lambda self, *asked: made.amend(*asked))
    return made


def _decide(outcome: Outcome, doubts: int = 0) -> Next | None:
    return after(outcome, 0, doubts, SETTLE, NOW, Random(1))


def test_what_follows_from_each_answer() -> None:
    assert _decide(Published(remote_id="1")) is None
    later = _decide(Deferred(reason=Reason.BUSY, retry_at=NOW + timedelta(hours=1)))
    assert later is not None and (later.state, later.at, later.doubt) == (Line.DUE, NOW + timedelta(hours=1), False)
    refused = _decide(Refused(reason=Reason.FORBIDDEN, detail="Không có quyền."))
    assert refused is not None and (refused.state, refused.detail) == (Line.REFUSED, "Không có quyền.")
    doubt = _decide(Unknown(), doubts=MAX_DOUBTS - 2)
    assert doubt is not None and doubt.doubt and doubt.state is Line.DUE and doubt.at >= NOW + SETTLE
    last = _decide(Unknown(), doubts=MAX_DOUBTS - 1)
    assert last is not None and last.state is Line.NEEDS_HUMAN


async def _sent(house: House, courier: Courier, clock, **values: object) -> Delivery:
    delivery = house.planned(clock() + timedelta(minutes=5), **values)
    clock.forward(minutes=5)
    for _ in range(3):
        await courier.deliver(10)
        clock.forward(seconds=5)
    found = house.see(delivery)
    assert found.state == State.SENT
    return found


def _sights(house: House, delivery: Delivery, words: Words) -> list[Sight]:
    with house.store.read() as session:
        post = session.get_one(Post, delivery.post_id)
        return correcting.sights(session, house.desk, house.ward, post, words)


def _words(house: House, delivery: Delivery, body: str = RIGHT, note: str = "Sai hạn nộp") -> Words:
    with house.store.read() as session:
        standing = correcting.words_of(session, session.get_one(Post, delivery.post_id))
    return standing.model_copy(update={"body": body, "note": note})


def _submitted(house: House, delivery: Delivery, body: str = RIGHT, note: str = "Sai hạn nộp") -> Amendment:
    words = _words(house, delivery, body, note)
    sights = _sights(house, delivery, words)
    with house.store.write() as session:
        post = session.get_one(Post, delivery.post_id)
        return amendments.submit(session, house.editor, post, words, sights, house.desk.now())


def _approve(house: House, amendment: Amendment, seen: str = "", by=None) -> None:
    with house.store.write() as session:
        row = session.get_one(Amendment, amendment.id)
        seen = seen or amendments.digest_of(session, row)
        amendments.approve(session, by or house.approver, row, seen, house.desk.now())


def _approved(house: House, delivery: Delivery, body: str = RIGHT) -> Amendment:
    amendment = _submitted(house, delivery, body)
    _approve(house, amendment)
    return amendment


def _line(house: House, amendment: Amendment) -> AmendmentLine:
    with house.store.read() as session:
        return session.exec(select(AmendmentLine).where(AmendmentLine.amendment_id == amendment.id)).one()


def _actions(house: House) -> list[str]:
    with house.store.read() as session:
        rows = session.exec(select(AuditEvent).order_by(AuditEvent.number)).all()  # type: ignore[arg-type]
        verify(session, house.ward.id or 0)
        return [row.action for row in rows if "amend" in row.action]


def _tries(house: House, delivery: Delivery) -> list[tuple[str, str]]:
    with house.store.read() as session:
        rows = session.exec(select(Attempt).where(Attempt.delivery_id == delivery.id).order_by(Attempt.id)).all()  # type: ignore[arg-type]
        return [(row.verb, row.outcome) for row in rows if row.verb.startswith("amend")]


@pytest.mark.anyio
async def test_it_is_written_approved_by_another_and_carried_out(house: House, clock, amendable: Amendable) -> None:
    courier = house.courier()
    delivery = await _sent(house, courier, clock)
    amendment = _submitted(house, delivery)
    assert await amending.amend(courier, 10) == 0, "nothing leaves before it is approved"
    with pytest.raises(Mistake, match="không được tự duyệt"):
        _approve(house, amendment, by=house.editor.__class__(house.editor.user_id, "x", "approver", house.ward.id))
    with pytest.raises(Forbidden):
        _approve(house, amendment, by=house.neighbour)
    _approve(house, amendment)
    assert await amending.amend(courier, 10) == 1
    assert amendable.shown == [(delivery.remote_ids[0], RIGHT, "Sai hạn nộp")]
    line = _line(house, amendment)
    assert (line.state, line.part, line.done_at) == ("done", 1, clock())
    assert house.see(delivery).state == State.SENT, "it was out all the while"
    assert _actions(house) == ["amendment.submitted", "amendment.approved", "delivery.amending", "delivery.amended"]
    assert _tries(house, delivery) == [("amend", "published")]
    assert await amending.amend(courier, 10) == 0
    with house.store.read() as session:
        row = session.get_one(Delivery, delivery.id)
        standing = versions.standing(session, row)
        assert standing and standing.parts[0].body == RIGHT
        assert [message.parts[0].body for message in versions.every(session, row)][0] == RIGHT
        assert len(versions.every(session, row)) == 2
        assert correcting.words_of(session, session.get_one(Post, delivery.post_id)).body == RIGHT


@pytest.mark.anyio
async def test_the_approval_is_bound_to_what_was_seen(house: House, clock, amendable: Amendable) -> None:
    courier = house.courier()
    delivery = await _sent(house, courier, clock)
    amendment = _submitted(house, delivery)
    with house.store.read() as session:
        seen = amendments.digest_of(session, session.get_one(Amendment, amendment.id))
    with house.store.write() as session:
        line = session.get_one(AmendmentLine, _line(house, amendment).id)
        line.message = {**line.message, "parts": [{**line.message["parts"][0], "body": "Chữ khác."}]}
        session.add(line)
    with pytest.raises(Changed):
        _approve(house, amendment, seen)
    _approve(house, amendment)
    with house.store.write() as session:
        line = session.get_one(AmendmentLine, _line(house, amendment).id)
        line.message = {**line.message, "parts": [{**line.message["parts"][0], "body": "Không ai duyệt."}]}
        session.add(line)
    await amending.amend(courier, 10)
    assert (_line(house, amendment).state, amendable.shown) == ("void", []), "not word for word what was approved"


@ON_SQLITE
@pytest.mark.anyio
async def test_what_is_wrong_with_it_is_said_at_once(house: House, clock, amendable: Amendable) -> None:
    delivery = await _sent(house, house.courier(), clock)
    same = _words(house, delivery, "Bà con nhớ nộp hồ sơ trực tuyến.", note="")
    fields = {problem.field for problem in amendments.wrong(same, _sights(house, delivery, same))}
    assert fields == {"note", "body"}, "no reason, and not a word differs"
    long = _words(house, delivery, "ở" * 201)
    assert "dài quá 200" in amendments.wrong(long, _sights(house, delivery, long))[0].text
    assert amendments.wrong(_words(house, delivery), [])[0].field == "deliveries"
    _submitted(house, delivery)
    with pytest.raises(Mistake, match="đang có một đính chính"):
        _submitted(house, delivery, "Chữ khác nữa.")


@ON_SQLITE
@pytest.mark.anyio
async def test_a_returned_correction_is_taken_up_again_or_recalled(house: House, clock, amendable: Amendable) -> None:
    delivery = await _sent(house, house.courier(), clock)
    amendment = _submitted(house, delivery, "Chưa đúng.")
    with house.store.write() as session:
        row = session.get_one(Amendment, amendment.id)
        with pytest.raises(Mistake, match="lý do trả lại"):
            amendments.send_back(session, house.approver, row, " ", clock())
        amendments.send_back(session, house.approver, row, "Còn sai giờ", clock())
    again = _submitted(house, delivery)
    assert (again.id, again.state, again.answer) == (amendment.id, "submitted", "")
    assert _line(house, again).message["parts"][0]["body"] == RIGHT
    with house.store.write() as session:
        amendments.recall(session, house.editor, session.get_one(Amendment, amendment.id), clock())
    assert _line(house, amendment).state == "void"
    with pytest.raises(Mistake, match="không còn ở trạng thái chờ duyệt"):
        _approve(house, amendment)
    assert _submitted(house, delivery).id != amendment.id


@pytest.mark.anyio
async def test_a_lost_answer_is_looked_after_and_asked_again(house: House, clock, amendable: Amendable) -> None:
    courier = house.courier()
    delivery = await _sent(house, courier, clock)
    amendable.answers = [Unknown(detail="Mất câu trả lời."), Pending(handle={}), Deferred(reason=Reason.BUSY)]  # type: ignore[arg-type]
    amendment = _approved(house, delivery)
    while _line(house, amendment).state in ("due", "wire"):
        clock.at = max(_line(house, amendment).next_at, clock())
        await amending.amend(courier, 10)
    assert _line(house, amendment).state == "done"
    assert _tries(house, delivery) == [
        ("amend", "unknown"), ("amend_look", "out"), ("amend", "pending"), ("amend_look", "out"), ("amend", "deferred"),
        ("amend_look", "out"), ("amend", "published"),
    ]  # fmt: skip
    assert PLATFORM.copies(delivery.key) == 1


@ON_SQLITE
@pytest.mark.anyio
async def test_what_is_gone_meanwhile_is_not_brought_back(house: House, clock, amendable: Amendable) -> None:
    courier = house.courier()
    delivery = await _sent(house, courier, clock)
    amendable.answers = [Unknown()]
    amendment = _approved(house, delivery)
    await amending.amend(courier, 10)
    PLATFORM.posts.clear()
    clock.at = _line(house, amendment).next_at
    await amending.amend(courier, 10)
    line = _line(house, amendment)
    assert (line.state, line.reason, line.detail) == ("refused", "not_found", GONE)
    assert len(amendable.shown) == 1, "it was not asked again"


@pytest.mark.anyio
async def test_a_crash_on_the_wire_is_a_try_without_an_answer(house: House, clock, amendable: Amendable) -> None:
    delivery = await _sent(house, house.courier(), clock)
    amendable.answers = [Killed()]
    amendment = _approved(house, delivery)
    with contextlib.suppress(Killed):
        await amending.amend(house.courier("first"), 10)
    line = _line(house, amendment)
    assert line.state == "wire" and _tries(house, delivery) == [("amend", "")], "on disk before the first byte"
    clock.at = line.next_at
    assert await amending.amend(house.courier("second"), 10) == 1
    assert _tries(house, delivery) == [("amend", "crash"), ("amend_look", "out"), ("amend", "published")]
    assert _line(house, amendment).state == "done"


@ON_SQLITE
@pytest.mark.anyio
async def test_nothing_sure_after_many_tries_comes_before_a_person(house: House, clock, amendable: Amendable) -> None:
    courier = house.courier()
    delivery = await _sent(house, courier, clock)
    amendable.answers = [Unknown() for _ in range(MAX_DOUBTS)]
    amendment = _approved(house, delivery)
    for _ in range(MAX_DOUBTS):
        clock.at = max(_line(house, amendment).next_at, clock())
        await amending.amend(courier, 10)
    line = _line(house, amendment)
    assert line.state == "needs_human"
    with house.store.write() as session:
        row = session.get_one(AmendmentLine, line.id)
        with pytest.raises(Forbidden):
            amend_settling.again(session, house.editor, row, clock())
        amend_settling.again(session, house.approver, row, clock())
    await amending.amend(courier, 10)
    assert _line(house, amendment).state == "done"
    with house.store.write() as session, pytest.raises(Mistake):
        amend_settling.give_up(session, house.approver, session.get_one(AmendmentLine, line.id), clock())


@ON_SQLITE
@pytest.mark.anyio
async def test_a_refusal_is_told_and_a_person_may_do_it_by_hand(house: House, clock, amendable: Amendable) -> None:
    courier = house.courier()
    delivery = await _sent(house, courier, clock)
    amendable.answers = [Refused(reason=Reason.FORBIDDEN, detail="Không có quyền sửa.")]
    amendment = _approved(house, delivery)
    await amending.amend(courier, 10)
    line = _line(house, amendment)
    assert (line.state, line.detail) == ("refused", "Không có quyền sửa.")
    with house.store.write() as session:
        amend_settling.done_by_hand(session, house.approver, session.get_one(AmendmentLine, line.id), clock())
    assert _line(house, amendment).state == "done"
    assert _actions(house)[-2:] == ["delivery.not_amended", "delivery.amended_by_hand"]


@pytest.mark.anyio
async def test_a_hold_a_pause_and_safe_mode_keep_it_back(house: House, clock, amendable: Amendable) -> None:
    courier = house.courier()
    delivery = await _sent(house, courier, clock)
    amendment = _approved(house, delivery)
    with house.store.write() as session:
        held = hold(session, house.approver, house.ward.id, "Chờ xem lại", clock())
    await amending.amend(courier, 10)
    assert (_line(house, amendment).reason, amendable.shown) == ("hold", [])
    with house.store.write() as session:
        held = session.merge(held)
        held.released_at = clock()
        session.add(held)
        outlet = session.get_one(Outlet, delivery.outlet_id)
        outlet.state = "paused"
        session.add(outlet)
    clock.forward(minutes=2)
    assert await amending.amend(courier, 10) == 0
    with house.store.write() as session:
        outlet = session.get_one(Outlet, delivery.outlet_id)
        outlet.state = "open"
        session.add(outlet)
        instance = session.exec(select(Instance)).one()
        instance.safe_mode = "restored"
        session.add(instance)
    assert await amending.amend(courier, 10) == 0
    with house.store.write() as session:
        instance = session.exec(select(Instance)).one()
        instance.safe_mode = ""
        session.add(instance)
    assert await amending.amend(courier, 10) == 1 and _line(house, amendment).state == "done"


@ON_SQLITE
@pytest.mark.anyio
async def test_a_post_that_is_being_taken_down_is_not_corrected(house: House, clock, amendable: Amendable) -> None:
    courier = house.courier()
    delivery = await _sent(house, courier, clock)
    amendment = _approved(house, delivery)
    with house.store.write() as session:
        settling.take_down(session, house.approver, session.get_one(Delivery, delivery.id), "Sai", clock())
    await amending.amend(courier, 10)
    assert (_line(house, amendment).state, amendable.shown) == ("void", [])


@ON_SQLITE
@pytest.mark.anyio
async def test_every_part_reads_anew_and_a_stop_goes_on_where_it_was(house: House, clock, amendable: Amendable) -> None:
    with house.store.write() as session:
        outlet = session.get_one(Outlet, house.outlet.id)
        outlet.kind = "twoparts"
        session.add(outlet)
    courier = house.courier()
    delivery = await _sent(house, courier, clock)
    assert len(delivery.remote_ids) == 2
    amendable.answers = [Published(remote_id="x"), Deferred(reason=Reason.BUSY)]
    amendment = _approved(house, delivery)
    await amending.amend(courier, 10)
    assert (_line(house, amendment).part, _line(house, amendment).state) == (1, "due")
    clock.at = _line(house, amendment).next_at
    await amending.amend(courier, 10)
    assert [shown[0] for shown in amendable.shown] == delivery.remote_ids, "each part once"
    assert _line(house, amendment).state == "done"


@ON_SQLITE
@pytest.mark.anyio
async def test_another_number_of_parts_is_refused_with_advice(
    house: House, clock, amendable: Amendable, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = await _sent(house, house.courier(), clock)
    monkeypatch.setattr(Scripted, "parts_of", 2)
    words = _words(house, delivery)
    [problem] = amendments.wrong(words, _sights(house, delivery, words))
    assert "Bài đã ra thành 1 tin, bản sửa cần 2 tin" in problem.text


@ON_SQLITE
@pytest.mark.anyio
async def test_who_cannot_be_changed_says_what_to_do(house: House, clock) -> None:
    delivery = await _sent(house, house.courier(), clock)
    words = _words(house, delivery)
    [sight] = _sights(house, delivery, words)
    assert "không cho sửa bài đã đăng" in sight.fixed and sight.after is None


@pytest.mark.anyio
async def test_a_newer_correction_takes_the_place_of_one_that_waits(house: House, clock, amendable: Amendable) -> None:
    courier = house.courier()
    delivery = await _sent(house, courier, clock)
    amendable.answers = [Refused(reason=Reason.FORBIDDEN)]
    first = _approved(house, delivery, "Sửa lần một.")
    await amending.amend(courier, 10)
    second = _approved(house, delivery, "Sửa lần hai.")
    assert (_line(house, first).state, _line(house, second).state) == ("void", "due")
    await amending.amend(courier, 10)
    assert [shown[1] for shown in amendable.shown] == ["Sửa lần hai."]


@pytest.mark.anyio
async def test_after_a_restore_a_person_looks(house: House, clock, amendable: Amendable) -> None:
    courier = house.courier()
    delivery = await _sent(house, courier, clock)
    amendment = _approved(house, delivery)
    with house.store.write() as session:
        restoring.settle(session, clock())
    assert _line(house, amendment).state == "needs_human"
    assert await amending.amend(courier, 10) == 0 and amendable.shown == []


@ON_SQLITE
@pytest.mark.anyio
async def test_a_withdrawal_looks_for_every_text_that_may_stand_there(
    house: House, clock, amendable: Amendable, monkeypatch: pytest.MonkeyPatch
) -> None:
    courier = house.courier()
    delivery = await _sent(house, courier, clock)
    _approved(house, delivery)
    await amending.amend(courier, 10)
    asked: list[str] = []

    async def by_words(self, message: Message, part: int, handle, since: datetime) -> Found:
        asked.append(message.parts[0].body)
        return Found(verdict="absent" if message.parts[0].body == RIGHT else "out", remote_id=delivery.remote_ids[0])

    async def lost(self, remote_id: str) -> Outcome:
        return Unknown()

    monkeypatch.setattr(Scripted, "find", by_words)
    monkeypatch.setattr(Scripted, "withdraw", lost)
    with house.store.write() as session:
        settling.take_down(session, house.approver, session.get_one(Delivery, delivery.id), "Sai", clock())
    await withdrawing.withdraw(courier, 10)
    clock.at = house.see(delivery).next_at
    await withdrawing.withdraw(courier, 10)
    assert asked == [RIGHT, "Bà con nhớ nộp hồ sơ trực tuyến."]
    assert house.see(delivery).state == State.WITHDRAWING, "one text is still there"


@pytest.mark.anyio
async def test_the_database_refuses_a_move_that_is_not_legal(house: House, clock, amendable: Amendable) -> None:
    delivery = await _sent(house, house.courier(), clock)
    amendment = _submitted(house, delivery)
    with pytest.raises(DBAPIError), house.store.write() as session:
        line = session.get_one(AmendmentLine, _line(house, amendment).id)
        line.state = "done"
        session.add(line)

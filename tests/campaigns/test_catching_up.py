"""After a long silence: a plan for an approver, never a burst; after a short one the usual rules; after a month nothing."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlmodel import Session, select

from campaigns import catching_up, holding, releasing
from campaigns.approving import rule_digest
from campaigns.audit import verify
from campaigns.catching_up import LATE
from campaigns.releasing import PACE, Released
from campaigns.states import State
from store.tables import AuditEvent, Delivery, Hold, Rule, Worker
from tests.campaigns.conftest import House
from tests.conftest import FakeClock

MINUTE = timedelta(minutes=1)


def _seen(house: House, at: datetime, epoch: str = "before") -> None:
    with house.store.write() as session:
        session.add(Worker(epoch=epoch, host="may", pid=1, started_at=at - timedelta(days=1), seen_at=at))


def _start(house: House) -> int:
    return catching_up.at_start(house.store, house.desk.now())


def _plans(house: House) -> list[Hold]:
    with house.store.read() as session:
        return [one for one in holding.open_holds(session, house.ward.id) if one.kind == holding.CATCH_UP]


def _release(house: House, hold: Hold, choices: dict[int, releasing.Choice] | None = None) -> Released:
    with house.store.write() as session:
        found = session.get_one(Hold, hold.id)
        return releasing.release(session, house.approver, found, choices or {}, house.desk.now())


def _three(house: House) -> list[Delivery]:
    now = house.desk.now()
    return [house.planned(now + place * MINUTE, body=f"Tin số {place}, mời bà con đọc.") for place in (10, 20, 30)]


def test_back_within_the_hour_nothing_is_held(house: House, clock: FakeClock) -> None:
    rows = _three(house)
    _seen(house, clock() + 5 * MINUTE)
    clock.forward(minutes=60)
    assert _start(house) == 0 and _plans(house) == []
    assert {house.see(one).state for one in rows} == {State.DUE}


def test_after_longer_all_that_is_late_waits_as_a_plan(house: House, clock: FakeClock) -> None:
    rows = _three(house)
    _seen(house, clock())
    fresh = house.planned(clock() + timedelta(hours=2) - LATE + MINUTE, body="Tin chỉ vừa mới đến giờ.")
    ahead = house.planned(clock() + timedelta(hours=3), body="Tin của giờ sau, chưa đến lượt.")
    clock.forward(hours=2)
    assert _start(house) == 3
    [plan] = _plans(house)
    assert plan.reason == "Chương trình không chạy từ 8h00 ngày 23/11/2026 đến 10h00 ngày 23/11/2026."
    assert {(house.see(one).state, house.see(one).hold_id) for one in rows} == {(State.HELD, plan.id)}
    assert [house.see(one).state for one in (fresh, ahead)] == [State.DUE, State.DUE]
    with house.store.write() as session:
        assert holding.keep_back(session, clock()) == 0, "a plan stops nothing new"
        assert not holding.is_held(session, house.ward.id or 0)
        verify(session, house.ward.id or 0)
    assert _start(house) == 0, "a second start finds nothing to add"
    assert _release(house, plan) == Released(now=3)
    assert [house.see(one).next_at - clock() for one in rows] == [0 * PACE, PACE, 2 * PACE]


def test_a_second_silence_adds_to_the_open_plan(house: House, clock: FakeClock) -> None:
    rows = _three(house)
    _seen(house, clock())
    later = house.planned(clock() + timedelta(hours=5), body="Tin của buổi chiều cùng ngày.")
    clock.forward(hours=2)
    _start(house)
    _seen(house, clock(), "second")
    clock.forward(hours=6)
    assert _start(house) == 1
    [plan] = _plans(house)
    assert {house.see(one).hold_id for one in [*rows, later]} == {plan.id}


def test_a_first_start_holds_what_waited_for_it(house: House, clock: FakeClock) -> None:
    _three(house)
    clock.forward(hours=2)
    assert _start(house) == 3
    [plan] = _plans(house)
    assert plan.reason == "Chương trình không chạy đến 10h00 ngày 23/11/2026."


def test_a_live_colleague_is_no_silence(house: House, clock: FakeClock) -> None:
    _three(house)
    _seen(house, clock())
    clock.forward(hours=3)
    _seen(house, clock() - MINUTE, "colleague")
    assert _start(house) == 0


def test_after_a_month_everything_is_missed(house: House, clock: FakeClock) -> None:
    rows = _three(house)
    _seen(house, clock())
    clock.forward(days=31)
    assert _start(house) == 3 and _plans(house) == []
    assert {(house.see(one).state, house.see(one).reason) for one in rows} == {(State.MISSED, "late")}


def test_what_is_partly_out_and_what_was_put_off_are_left_alone(house: House, clock: FakeClock) -> None:
    begun, put_off, late = _three(house)
    _seen(house, clock())
    with house.store.write() as session:
        session.get_one(Delivery, begun.id).part = 1
        session.get_one(Delivery, put_off.id).next_at = clock() + timedelta(hours=9)
    clock.forward(hours=4)
    assert _start(house) == 1
    assert [house.see(one).state for one in (begun, put_off, late)] == [State.DUE, State.DUE, State.HELD]


def test_what_a_rule_should_have_said_is_in_the_plan_once(house: House, clock: FakeClock) -> None:
    _rule(house, clock())
    _seen(house, clock())
    clock.forward(days=9)  # 08:00; the rule speaks at 07:00
    assert _start(house) == 1
    [plan] = _plans(house)
    with house.store.read() as session:
        [offer] = releasing.offers(session, plan, clock())
        skipped = session.exec(select(AuditEvent).where(AuditEvent.action == "rule.skipped")).all()
    assert (offer.line.delivery.due_at, offer.choice) == (clock() - timedelta(hours=1), "now")
    assert [one.particulars["count"] for one in skipped] == [8]


def _rule(house: House, now: datetime) -> None:
    with house.store.write() as session:
        rule = Rule(
            ward_id=house.ward.id or 0, campaign_id=house.campaign.id or 0, name="Bản tin sáng", cron="0 7 * * *",
            outlet_ids=[house.outlet.id or 0], items=[{"template_id": _template(session, house, now)}],
            starts_on=now.date(), author_id=house.editor.user_id or 0, created_at=now,
        )  # fmt: skip
        session.add(rule)
        session.flush()
        rule.digest = rule_digest(session, rule)
        rule.state, rule.approver_id, rule.approved_at = "approved", house.approver.user_id, now


def _template(session: Session, house: House, now: datetime) -> int:
    from campaigns import library
    from store.tables import Template

    source = "---\nname: Bản tin\ntopic: Dịch vụ công\naudience: Người dân\nsummary: Tin\nchannels: [scripted]\n---\n# Bản tin sáng\n\nMời bà con đọc.\n"
    library.add_shipped(session, house.admin, house.ward.id or 0, {"ban-tin": source}, now)
    session.flush()
    return session.exec(select(Template.id).where(Template.ward_id == house.ward.id)).one() or 0


def test_a_long_list_is_held_in_pieces(house: House, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catching_up, "AT_ONCE", 2)
    _three(house)
    clock.forward(hours=2)
    assert _start(house) == 3 and len(_plans(house)) == 1


def test_workers_that_start_together_make_one_plan(house: House, clock: FakeClock) -> None:
    rows = _three(house)
    clock.forward(hours=2)
    with ThreadPoolExecutor(4) as together:
        held = list(together.map(lambda _: _start(house), range(4)))
    [plan] = _plans(house)
    assert sum(held) == 3 and {house.see(one).hold_id for one in rows} == {plan.id}
    with house.store.read() as session:
        actions = [one.action for one in session.exec(select(AuditEvent)).all()]
        verify(session, house.ward.id or 0)
    assert actions.count("delivery.held") == 3 and actions.count("hold.catch_up") == 1

"""The durable breaker: five failures in a row open it, one try a minute goes through, the first success closes it."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session, select

from campaigns import outlets, resting
from campaigns.audit import verify
from campaigns.people import Forbidden, Mistake
from campaigns.resting import OPENS_AT, REST, Sign, after, note, sign
from channels.contract import EMPTY, Deferred, Pending, Published, Reason, Refused, Unknown
from store.tables import AuditEvent, Delivery, Outlet
from tests.campaigns.conftest import House

FAILED, WORKS, NOTHING = Sign(True, "unreachable"), Sign(False), Sign(None)


@pytest.mark.parametrize(
    ("outcome", "failed"),
    [
        (Published(remote_id="1"), False),
        (Deferred(reason=Reason.UNREACHABLE), True),
        (Deferred(reason=Reason.BUSY), True),
        (Unknown(), True),
        (Deferred(reason=Reason.RATE_LIMITED), None),
        (Deferred(reason=Reason.QUOTA), None),
        (Deferred(reason=Reason.OUTSIDE_HOURS), None),
        (Pending(handle=EMPTY), None),
        *[(Refused(reason=reason), None) for reason in Reason],
    ],
)
def test_only_what_is_said_of_the_platform_counts(outcome: object, failed: bool | None) -> None:
    assert sign(outcome).failed is failed  # type: ignore[arg-type]


@given(st.lists(st.sampled_from([True, False, None])))
def test_it_is_open_exactly_after_five_failures_without_a_success(seen: list[bool | None]) -> None:
    now = resting.datetime(2026, 11, 23)
    failures, rest_until, run = 0, None, 0
    for one in seen:
        failures, rest_until = after(failures, one, now)
        run = 0 if one is False else run + (one is True)
        assert failures == run
        assert rest_until == (now + REST if run >= OPENS_AT else None)


def _outlet(house: House, session: Session) -> Outlet:
    return session.get_one(Outlet, house.outlet.id)


def _told(house: House) -> list[str]:
    with house.store.read() as session:
        about = (AuditEvent.subject == "outlet", AuditEvent.subject_id == str(house.outlet.id))
        events = session.exec(select(AuditEvent).where(*about).order_by(AuditEvent.number)).all()  # type: ignore[arg-type]
        return [event.action for event in events if event.action != "outlet.connected"]


def _see(house: House, seen: Sign, times: int = 1) -> Outlet:
    for _ in range(times):
        with house.store.write() as session:
            note(session, _outlet(house, session), seen, house.desk.now())
    with house.store.read() as session:
        return _outlet(house, session)


def test_opening_and_closing_are_told_once_each(house: House, clock) -> None:
    assert (_see(house, FAILED, 4).rest_until, _told(house)) == (None, [])
    opened = _see(house, FAILED)
    assert opened.rest_until == clock() + REST and resting.resting(opened, clock())
    clock.forward(minutes=1)
    assert not resting.resting(opened, clock()), "the probe may go"
    assert _see(house, FAILED).rest_until == clock() + REST
    assert _told(house) == ["outlet.rested"]
    clock.forward(minutes=1)
    closed = _see(house, WORKS)
    assert (closed.failures, closed.rest_until) == (0, None)
    assert _told(house) == ["outlet.rested", "outlet.recovered"]
    with house.store.read() as session:
        verify(session, house.ward.id or 0)


def test_a_refusal_of_one_post_neither_opens_nor_closes(house: House, clock) -> None:
    assert _see(house, NOTHING, 20).failures == 0
    _see(house, FAILED, 5)
    clock.forward(minutes=1)
    found = _see(house, NOTHING)
    assert (found.failures, found.rest_until) == (5, clock() + REST), "still one try a minute"


def _waiting(house: House, count: int, reason: str) -> list[int]:
    """Deliveries that are due one after the other, of which every one was put off until later."""
    now = house.desk.now()
    rows = [house.planned(now + timedelta(minutes=3 + place), title=f"Tin {place}") for place in range(count)]
    with house.store.write() as session:
        for place, row in enumerate(rows):
            kept = session.get_one(Delivery, row.id)
            kept.reason, kept.next_at = reason, now + timedelta(hours=2, minutes=-place)
            session.add(kept)
    return [row.id or 0 for row in rows]


def _order(house: House) -> list[int]:
    with house.store.read() as session:
        rows = session.exec(select(Delivery).order_by(Delivery.next_at, Delivery.id)).all()  # type: ignore[arg-type]
        return [row.id or 0 for row in rows]


def test_when_it_works_again_what_waited_for_it_is_in_line_by_its_due_time(house: House, clock) -> None:
    ids = _waiting(house, 4, "unreachable")
    assert _order(house) == ids[::-1], "their own waits ended the other way round"
    _see(house, FAILED, 5)
    _see(house, WORKS)
    assert _order(house) == ids


def test_who_waits_for_another_reason_goes_on_waiting(house: House, clock) -> None:
    ids = _waiting(house, 3, "outside_hours")
    _see(house, FAILED, 5)
    _see(house, WORKS)
    assert _order(house) == ids[::-1]


def test_a_person_has_it_tried_at_once(house: House, clock) -> None:
    ids = _waiting(house, 2, "busy")
    _see(house, FAILED, 5)
    with house.store.write() as session:
        resting.lift(session, house.approver, _outlet(house, session), clock())
    with house.store.read() as session:
        found = _outlet(house, session)
        assert (found.rest_until, found.failures) == (None, 5), "one more failure and it rests again"
    assert _order(house) == ids and _told(house)[-1] == "outlet.tried_at_once"
    assert _see(house, FAILED).rest_until is not None


def test_who_may_not_and_what_does_not_rest(house: House, clock) -> None:
    _see(house, FAILED, 5)
    for actor in (house.editor, house.neighbour):
        with house.store.write() as session, pytest.raises(Forbidden):
            resting.lift(session, actor, _outlet(house, session), clock())
    with house.store.write() as session:
        outlets.pause(session, house.approver, _outlet(house, session), "Bảo trì", clock())
    with house.store.write() as session, pytest.raises(Mistake, match="mở lại"):
        resting.lift(session, house.approver, _outlet(house, session), clock())
    with house.store.write() as session:
        outlets.resume(session, house.approver, _outlet(house, session), clock())
        assert _outlet(house, session).rest_until is None, "opened by hand, it is tried at once"
    with house.store.write() as session, pytest.raises(Mistake, match="không còn tạm nghỉ"):
        resting.lift(session, house.approver, _outlet(house, session), clock())

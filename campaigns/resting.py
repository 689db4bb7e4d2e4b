"""The durable breaker: an outlet that fails again and again rests, and is then tried once a minute until it works.

It stands in the outlet's own row (``failures``, ``rest_until``), so it survives restarts, holds for every worker, is
seen on its pages and can be lifted by a person. While it is open, claiming leaves the outlet alone until ``rest_until``
and then takes one delivery, as always: that is the probe. What counts is what is said of the platform, not of one
post: a refusal of one post's content neither opens nor closes it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select, text, update

from campaigns.audit import MACHINE, Actor, record
from campaigns.people import Action, Mistake, require
from channels.contract import Deferred, Outcome, Published, Reason, Unknown
from store.tables import Delivery, Outlet

OPENS_AT = 5
REST = timedelta(minutes=1)
TROUBLE = frozenset({Reason.UNREACHABLE, Reason.BUSY})
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Sign:
    """What an outcome says of its outlet: it works (``failed`` False), it does not (True), or nothing (None)."""

    failed: bool | None
    reason: str = ""


def sign(outcome: Outcome) -> Sign:
    """What an outcome of staging or publishing says of the outlet."""
    match outcome:
        case Published():
            return Sign(False)
        case Deferred() if outcome.reason in TROUBLE:
            return Sign(True, outcome.reason.value)
        case Unknown():
            return Sign(True, UNKNOWN)
        case _:
            return Sign(None)


def after(failures: int, failed: bool | None, now: datetime) -> tuple[int, datetime | None]:
    """Failures in a row and the moment before which nothing is tried, after one more sign; pure.

    A sign that says nothing changes nothing, except that an open breaker goes on letting one try a minute through.
    """
    if failed is False:
        return 0, None
    counted = failures + 1 if failed else failures
    return counted, now + REST if counted >= OPENS_AT else None


def resting(outlet: Outlet, now: datetime) -> bool:
    """Whether nothing is tried at this outlet just now because it kept failing."""
    return outlet.rest_until is not None and outlet.rest_until > now


def note(session: Session, outlet: Outlet, seen: Sign, now: datetime) -> None:
    """Write what was seen into the outlet's row, in the transaction that records the outcome itself.

    Opening and closing are audit events. When it closes, what waited for the outlet waits no longer than for its turn:
    in the order of urgency and due time, at the outlet's own pace.
    """
    was_open = outlet.failures >= OPENS_AT
    failures, rest_until = after(outlet.failures, seen.failed, now)
    if (failures, rest_until) == (outlet.failures, outlet.rest_until):
        return
    if rest_until is not None and not was_open:
        _tell(session, outlet, "outlet.rested", now, reason=seen.reason, failures=failures)
    if was_open and seen.failed is False:
        _tell(session, outlet, "outlet.recovered", now, failures=outlet.failures)
        line_up(session, outlet)
    outlet.failures, outlet.rest_until = failures, rest_until
    session.add(outlet)


def lift(session: Session, by: Actor, outlet: Outlet, now: datetime) -> None:
    """A person has a resting outlet tried at once («Thử lại ngay»); raises Forbidden or Mistake."""
    require(by, Action.SETTLE, outlet.ward_id)
    session.refresh(outlet, with_for_update={"key_share": True})
    if outlet.state != "open":
        raise Mistake("Kênh đang tạm dừng. Hãy mở lại kênh trước.")
    if outlet.rest_until is None:
        raise Mistake("Kênh không còn tạm nghỉ. Hãy tải lại trang để xem tình trạng mới.")
    outlet.rest_until = None
    session.add(outlet)
    line_up(session, outlet)
    record(session, outlet.ward_id, by, "outlet.tried_at_once", "outlet", outlet.id, now, name=outlet.name)


def line_up(session: Session, outlet: Outlet) -> None:
    """Put what waited for the outlet back in the order of its due times; what another worker holds stays as it is."""
    waited = (
        text("delivery.state = 'due'"),
        col(Delivery.outlet_id) == outlet.id,
        col(Delivery.reason).in_([reason.value for reason in TROUBLE]),
        col(Delivery.next_at) > col(Delivery.due_at),
    )
    free: Any = select(Delivery.id).where(*waited).with_for_update(skip_locked=True, key_share=True)
    ids = list(session.exec(free).all())
    for start in range(0, len(ids), 500):
        chosen = col(Delivery.id).in_(ids[start : start + 500])
        session.exec(update(Delivery).where(chosen, text("state = 'due'")).values(next_at=col(Delivery.due_at)))


def _tell(session: Session, outlet: Outlet, action: str, now: datetime, **said: Any) -> None:
    record(session, outlet.ward_id, MACHINE, action, "outlet", outlet.id, now, name=outlet.name, **said)

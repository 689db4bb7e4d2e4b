"""Releasing a hold, or approving the plan of a catch-up: for each held delivery now, later or not at all.

Offered is what the policy says: what is still within its grace goes out now, paced and the most urgent first; what is
not, or may not be heard in time, is left out. The person decides, within limits: loudspeakers keep the quiet hours.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from sqlmodel import Session, col, func, select

from campaigns import holding, recipients, views
from campaigns.audit import Actor, Entry, record_all
from campaigns.hours import allowed_from, heard
from campaigns.people import Mistake
from campaigns.states import State
from campaigns.timetable import local, passed
from store.tables import Delivery, Hold, Outlet, Ward

Choice = Literal["now", "skip"] | datetime

PACE = timedelta(seconds=120)
ROOM = timedelta(hours=1)
"""What a person lets go may still go this long after the moment that was given to it, whatever its first time limit."""
FARTHEST = timedelta(days=30)


class ChoiceMistakes(Mistake):
    """Some choices cannot be carried out; ``by_delivery`` says why, in Vietnamese."""

    def __init__(self, by_delivery: dict[int, str]) -> None:
        super().__init__("Có lượt đăng chưa chọn được như vậy. Hãy xem lại những dòng được đánh dấu.")
        self.by_delivery = by_delivery


@dataclass(frozen=True)
class Offer:
    """A held delivery and what is offered for it: ``at`` is when it would go, ``why`` (expired, quiet) why it would not."""

    line: views.Line
    ward: Ward
    choice: Literal["now", "skip"]
    at: datetime | None
    why: str = ""


@dataclass
class Released:
    """What became of the held deliveries: how many go now, go later, were left out, or wait under another hold."""

    now: int = 0
    later: int = 0
    skipped: int = 0
    staying: int = 0


@dataclass
class Pace:
    """When the next delivery of each outlet may go, if they go ``step`` apart."""

    start: datetime
    step: timedelta = PACE
    free: dict[int, datetime] = field(default_factory=dict)

    def slot(self, outlet: Outlet, ward: Ward) -> datetime:
        """The next free moment of the outlet at which it may speak; not taken yet."""
        return allowed_from(ward, outlet.kind, self.free.get(outlet.id or 0, self.start))

    def take(self, outlet: Outlet, ward: Ward) -> datetime:
        """Take that moment."""
        at = self.slot(outlet, ward)
        self.free[outlet.id or 0] = at + self.step
        return at


def waiting(session: Session, hold: Hold) -> int:
    """How many deliveries wait under the hold."""
    return session.exec(select(func.count()).select_from(holding.under(hold.id).subquery())).one()


def offers(session: Session, hold: Hold, now: datetime, step: timedelta = PACE) -> list[Offer]:
    """Everything that waits under the hold, the most urgent first, with what is offered for it; every ward for the city."""
    held = list(session.exec(holding.under(hold.id)).all())
    wards, outlets, pace = *_places(session, held), Pace(now, step)
    lines = _lines(session, wards.values(), hold)
    return [_offer(lines[one.id or 0], outlets[one.outlet_id], wards[one.ward_id], pace, now) for one in held]


def _offer(line: views.Line, outlet: Outlet, ward: Ward, pace: Pace, now: datetime) -> Offer:
    choice, why = _policy(line.delivery, outlet, ward, pace, now)
    at = max(pace.take(outlet, ward), line.delivery.due_at) if choice == "now" else None
    return Offer(line, ward, choice, at, why)


def _policy(
    delivery: Delivery, outlet: Outlet, ward: Ward, pace: Pace, now: datetime
) -> tuple[Literal["now", "skip"], str]:
    if now > delivery.expires_at:
        return "skip", "expired"
    if heard(outlet.kind) and pace.slot(outlet, ward) > delivery.expires_at:
        return "skip", "quiet"
    return "now", ""


def _places(session: Session, held: Iterable[Delivery]) -> tuple[dict[int, Ward], dict[int, Outlet]]:
    ward_ids, outlet_ids = {one.ward_id for one in held}, {one.outlet_id for one in held}
    wards = session.exec(select(Ward).where(col(Ward.id).in_(ward_ids))).all()
    outlets = session.exec(select(Outlet).where(col(Outlet.id).in_(outlet_ids))).all()
    return {one.id or 0: one for one in wards}, {one.id or 0: one for one in outlets}


def _lines(session: Session, wards: Iterable[Ward], hold: Hold) -> dict[int, views.Line]:
    found = {}
    for ward in wards:
        of_ward = holding.under(hold.id).where(Delivery.ward_id == ward.id)
        found.update({line.delivery.id or 0: line for line in views.lines(session, ward, of_ward)})
    return found


def release(
    session: Session, by: Actor, hold: Hold, choices: Mapping[int, Choice], now: datetime, step: timedelta = PACE
) -> Released:
    """End the hold: each delivery that waits under it as chosen, or as offered where nothing was chosen.

    What another open hold concerns too goes on waiting under that one. Raises Forbidden, Mistake or ChoiceMistakes.
    """
    holding.require_over(by, hold.ward_id)
    session.refresh(hold, with_for_update={"key_share": True})
    if hold.released_at is not None:
        raise Mistake("Người khác đã mở lại trước. Hãy tải lại trang để xem kết quả mới.")
    holding.keep_back(session, now)
    hold.released_at, hold.released_by = now, by.user_id
    session.add(hold)
    session.flush()
    held = _held_and_locked(session, hold)
    work = _Release(by, hold, now, *_places(session, held), Pace(now, step))
    _check(held, choices, work)
    entries = [entry for one in held for entry in work.settle(session, one, choices.get(one.id or 0))]
    session.flush()
    record_all(session, by, [*entries, *_told(session, hold, work.done)], now)
    return work.done


def _held_and_locked(session: Session, hold: Hold) -> list[Delivery]:
    """What waits, locked in the order of ids as everywhere, then put into the order in which it goes out."""
    locked = holding.under(hold.id).order_by(None).order_by(col(Delivery.ward_id), col(Delivery.id))
    held = list(session.exec(locked.with_for_update(key_share=True)).all())
    return sorted(held, key=lambda one: (-one.rank, one.due_at, one.id))


def _check(held: list[Delivery], choices: Mapping[int, Choice], work: "_Release") -> None:
    found = {}
    for one in held:
        choice = choices.get(one.id or 0)
        if isinstance(choice, datetime) and (wrong := work.why_not(one, choice)):
            found[one.id or 0] = wrong
    if found:
        raise ChoiceMistakes(found)


def _told(session: Session, hold: Hold, done: Released) -> list[Entry]:
    wards = [hold.ward_id] if hold.ward_id else session.exec(select(Ward.id).order_by(col(Ward.id))).all()
    counts = {"now": done.now, "later": done.later, "skipped": done.skipped, "staying": done.staying}
    return [Entry(ward, "hold.released", "hold", hold.id, {"kind": hold.kind, **counts}) for ward in wards if ward]


@dataclass
class _Release:
    """One release under way."""

    by: Actor
    hold: Hold
    now: datetime
    wards: dict[int, Ward]
    outlets: dict[int, Outlet]
    pace: Pace
    done: Released = field(default_factory=Released)
    others: dict[int, Hold | None] = field(default_factory=dict)

    def why_not(self, delivery: Delivery, at: datetime) -> str:
        """Why a delivery cannot be put off until then; empty when it can."""
        ward, outlet = self.wards[delivery.ward_id], self.outlets[delivery.outlet_id]
        if passed(at, self.now):
            return "Giờ mới đã qua. Hãy chọn giờ trong tương lai, hoặc chọn đăng ngay."
        if at > self.now + FARTHEST:
            return f"Chỉ dời được trong vòng {FARTHEST.days} ngày. Xa hơn, hãy soạn bài với giờ mới và gửi duyệt."
        if (free := allowed_from(ward, outlet.kind, at)) > at:
            clock = local(free, ward.zone)
            return f"Giờ này loa phải yên tĩnh; sớm nhất là {clock.hour}h{clock:%M} ngày {clock:%d/%m/%Y}."
        return ""

    def settle(self, session: Session, delivery: Delivery, choice: Choice | None) -> list[Entry]:
        """Carry out one choice; gives what is to be recorded."""
        ward, outlet = self.wards[delivery.ward_id], self.outlets[delivery.outlet_id]
        wanted = choice or _policy(delivery, outlet, ward, self.pace, self.now)[0]
        session.add(delivery)
        delivery.updated_at = self.now
        if wanted == "skip":
            return [self._skip(session, delivery)]
        if (other := self._still_over(session, delivery)) is not None:
            delivery.hold_id, delivery.detail = other.id, other.reason
            self.done.staying += 1
            return []
        if isinstance(wanted, datetime):
            self.done.later += 1
            return [self._let_go(delivery, wanted)]
        self.done.now += 1
        # Never before its hour: it may have been held while the machine's clock was ahead.
        return [self._let_go(delivery, max(self.pace.take(outlet, ward), delivery.due_at))]

    def _skip(self, session: Session, delivery: Delivery) -> Entry:
        so_far = recipients.stop(session, delivery, self.now)
        delivery.state, delivery.hold_id, delivery.next_at = State.CANCELLED.value, None, self.now
        delivery.reason, delivery.detail = "", f"{so_far}{self.by.name} bỏ lượt này khi mở lại sau tạm dừng."
        self.done.skipped += 1
        told = {"from": "held", "hold": self.hold.id, "note": delivery.detail}
        return Entry(delivery.ward_id, "delivery.cancelled", "delivery", delivery.id, told)

    def _let_go(self, delivery: Delivery, at: datetime) -> Entry:
        delivery.state, delivery.hold_id, delivery.next_at = State.DUE.value, None, at
        delivery.expires_at = max(delivery.expires_at, at + ROOM)
        delivery.reason, delivery.detail = "", f"{self.by.name} cho đăng sau tạm dừng."
        told = {"from": "held", "hold": self.hold.id, "at": at.isoformat(), "until": delivery.expires_at.isoformat()}
        return Entry(delivery.ward_id, "delivery.released", "delivery", delivery.id, told)

    def _still_over(self, session: Session, delivery: Delivery) -> Hold | None:
        if delivery.ward_id not in self.others:
            found = holding.open_holds(session, delivery.ward_id)
            stopping = [one for one in found if one.kind == holding.PERSON and one.id != self.hold.id]
            self.others[delivery.ward_id] = stopping[0] if stopping else None
        return self.others[delivery.ward_id]

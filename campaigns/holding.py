"""«Tạm dừng toàn bộ»: a person stops a ward, or the city account the whole city, at once and until it is released.

A hold is a row. What falls due under it goes from ``due`` to ``held``; a claimed delivery is stopped at the wire, in
the transaction that would have let it go; only a post of which a part is out goes on, and a list of recipients stops
between two groups. A held delivery waits for the person who
releases the hold even when its time runs out meanwhile: nothing is dropped behind anybody's back for GIVE_UP.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, exists, or_
from sqlmodel import Session, col, select, text

from campaigns.audit import MACHINE, Actor, Entry, record_all
from campaigns.people import Action, Forbidden, Mistake, may, require
from campaigns.recipients import begun
from campaigns.states import State
from content.text import squeeze
from store.tables import Delivery, Hold, Ward

PERSON, CATCH_UP = "person", "catch_up"
GIVE_UP = timedelta(days=30)
LONGEST_REASON = 300
AT_ONCE = 2_000

ONLY_THE_CITY = "Chỉ tài khoản quản trị của thành phố được tạm dừng hoặc mở lại toàn thành phố."


def hold(session: Session, by: Actor, ward_id: int | None, reason: str, now: datetime) -> Hold:
    """Stop a ward, or with None the whole city; what is already due is held at once. Raises Forbidden or Mistake."""
    require_over(by, ward_id)
    concerned = _locked(session, ward_id)
    reason = squeeze(reason)[:LONGEST_REASON]
    if not reason:
        raise Mistake("Hãy ghi lý do tạm dừng để mọi người cùng biết.")
    if any(one.kind == PERSON and one.ward_id == ward_id for one in open_holds(session, ward_id)):
        raise Mistake("Đã tạm dừng từ trước, không cần bấm lại. Hãy tải lại trang để xem ai đã tạm dừng và vì sao.")
    made = Hold(ward_id=ward_id, kind=PERSON, reason=reason, author_id=by.user_id, created_at=now)
    session.add(made)
    session.flush()
    told = {"reason": reason, "scope": "ward" if ward_id else "city"}
    record_all(session, by, [Entry(ward, "hold.opened", "hold", made.id, told) for ward in concerned], now)
    keep_back(session, now)
    return made


def require_over(by: Actor, ward_id: int | None) -> None:
    """Raise Forbidden unless the actor may hold and release this ward, or with None the city."""
    if ward_id is not None:
        require(by, Action.APPROVE, ward_id)
    elif by.ward_id is not None or not may(by, Action.MANAGE):
        raise Forbidden(ONLY_THE_CITY)


def _locked(session: Session, ward_id: int | None) -> list[int]:
    """The wards concerned, locked: whoever is about to let something go there waits for this transaction, or is waited for."""
    wanted = select(Ward.id).order_by(col(Ward.id)).with_for_update(key_share=True)
    return [id for id in session.exec(wanted.where(Ward.id == ward_id) if ward_id else wanted).all() if id]


def open_holds(session: Session, ward_id: int | None) -> list[Hold]:
    """The open holds that concern a ward (its own, its catch-up, the city's), or with None the city's; oldest first."""
    mine = col(Hold.ward_id).is_(None) if ward_id is None else _concerning(ward_id)
    wanted = select(Hold).where(col(Hold.released_at).is_(None), col(Hold.kind).in_([PERSON, CATCH_UP]), mine)
    return list(session.exec(wanted.order_by(col(Hold.id))).all())


def is_held(session: Session, ward_id: int, *, locking: bool = False) -> bool:
    """Whether a person's hold is open over the ward.

    With ``locking`` the ward's row is locked first, so that a hold which somebody was told of is never overtaken:
    for the transaction that writes ``wire``, never for a page.
    """
    if locking:
        session.exec(select(Ward.id).where(Ward.id == ward_id).with_for_update(key_share=True)).one()
    found = select(Hold.id).where(*_by_person(), _concerning(ward_id)).limit(1)
    return session.exec(found).first() is not None


def may_leave() -> ColumnElement[bool]:
    """Of a query of deliveries: what no open hold of a person stops. What is partly out goes on."""
    over = or_(col(Hold.ward_id).is_(None), col(Hold.ward_id) == col(Delivery.ward_id))
    return or_(col(Delivery.part) > 0, ~exists(select(Hold.id).where(*_by_person(), over)))


def keep_back(session: Session, now: datetime) -> int:
    """What has fallen due under an open hold is held; gives how many. Made for every claim: one small query when there is none."""
    over = _held_wards(session)
    if not over:
        return 0
    fallen = select(Delivery).where(text("delivery.state = 'due'"), Delivery.next_at <= now, Delivery.part == 0)
    if None not in over:
        fallen = fallen.where(col(Delivery.ward_id).in_(over))
    fallen = fallen.order_by(col(Delivery.ward_id), col(Delivery.id))
    found = session.exec(fallen.with_for_update(skip_locked=True, key_share=True)).all()
    for delivery in found:
        put_under(session, delivery, over.get(delivery.ward_id) or over[None], now)
    session.flush()
    record_all(session, MACHINE, [held_entry(delivery) for delivery in found], now)
    return len(found)


def _held_wards(session: Session) -> dict[int | None, Hold]:
    """The oldest open hold of a person by ward; None stands for the whole city."""
    found: dict[int | None, Hold] = {}
    for one in session.exec(select(Hold).where(*_by_person()).order_by(col(Hold.id))).all():
        found.setdefault(one.ward_id, one)
    return found


def put_under(session: Session, delivery: Delivery, over: Hold, now: datetime) -> None:
    """Hold a due delivery; its audit event is the caller's (``held_entry``)."""
    delivery.state, delivery.hold_id, delivery.reason = State.HELD.value, over.id, "hold"
    delivery.detail, delivery.updated_at = over.reason, now
    session.add(delivery)


def held_entry(delivery: Delivery) -> Entry:
    """That a delivery was held."""
    return Entry(delivery.ward_id, "delivery.held", "delivery", delivery.id, {"from": "due", "hold": delivery.hold_id})


def under(hold_id: int | None) -> Any:
    """The deliveries that wait under this hold, the most urgent and then the earliest first."""
    waiting = select(Delivery).where(text("delivery.state in ('due', 'held')"), Delivery.state == State.HELD)
    order = (col(Delivery.rank).desc(), col(Delivery.due_at), col(Delivery.id))
    return waiting.where(Delivery.hold_id == hold_id).order_by(*order)


def give_up(session: Session, now: datetime) -> int:
    """What nobody decided about for GIVE_UP after its hour, and whose time is over, is missed; gives how many."""
    late = select(Delivery).where(text("delivery.state in ('due', 'held')"), Delivery.expires_at < now)
    late = late.where(Delivery.due_at < now - GIVE_UP, Delivery.part == 0, ~begun())
    order = (col(Delivery.ward_id), col(Delivery.id))
    found = session.exec(late.order_by(*order).limit(AT_ONCE).with_for_update(skip_locked=True, key_share=True)).all()
    entries = []
    for delivery in found:
        told = {"from": delivery.state, "reason": "late"}
        entries.append(Entry(delivery.ward_id, "delivery.missed", "delivery", delivery.id, told))
        delivery.state, delivery.hold_id, delivery.next_at = State.MISSED.value, None, now
        delivery.reason, delivery.updated_at = "late", now
        delivery.detail = f"Trễ {(now - delivery.due_at).days} ngày; quá {GIVE_UP.days} ngày không ai quyết định."
        session.add(delivery)
    session.flush()
    record_all(session, MACHINE, entries, now)
    return len(found)


def _by_person() -> tuple[ColumnElement[bool], ...]:
    return col(Hold.released_at).is_(None), col(Hold.kind) == PERSON


def _concerning(ward_id: int) -> ColumnElement[bool]:
    return or_(col(Hold.ward_id).is_(None), col(Hold.ward_id) == ward_id)

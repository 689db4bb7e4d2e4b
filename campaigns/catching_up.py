"""Catching up («Kế hoạch đăng bù»): after a long silence nothing late goes out by itself; it is shown as a plan first.

Back within DOWNTIME, what is late goes out by the normal rules, within its grace. After more, all that is late is held
under a hold of its ward (kind ``catch_up``) until an approver has gone through it (``releasing``); what falls due from
then on goes out as usual. What is later than GIVE_UP is missed.
"""

from datetime import datetime, timedelta

from sqlmodel import Session, col, func, select, text

from campaigns import planning
from campaigns.audit import MACHINE, record, record_all
from campaigns.holding import AT_ONCE, CATCH_UP, give_up, held_entry, put_under
from campaigns.recipients import begun
from campaigns.timetable import local
from store.engine import Store
from store.tables import Delivery, Hold, Ward, Worker

DOWNTIME = timedelta(hours=1)
LATE = timedelta(minutes=5)


def at_start(store: Store, now: datetime) -> int:
    """Before a life's first claim, and before it announces itself: hold what a long silence has made late.

    Gives how many deliveries were held or missed. Ends early harmlessly: what is left is found by the next call.
    """
    with store.read() as session:
        since = asleep_since(session, now)
    return 0 if since == now else after_silence(store, since, now)


def after_silence(store: Store, since: datetime | None, now: datetime) -> int:
    """Hold what fell due since then while nobody was awake (None: nobody ever was); gives how many were held or missed."""
    with store.write("catch_up") as session:
        planning.plan(session, now, timedelta(0))
    done = 0
    while moved := _step(store, since, now):
        done += moved
    return done


def asleep_since(session: Session, now: datetime) -> datetime | None:
    """When a daemon or worker was last seen, if that is longer ago than DOWNTIME; ``now`` when it is not; None for never."""
    seen = session.exec(select(func.max(col(Worker.seen_at)))).one()
    return now if seen is not None and seen >= now - DOWNTIME else seen


def _step(store: Store, since: datetime | None, now: datetime) -> int:
    """One transaction's worth: whole wards never stand still behind a long list."""
    with store.write("catch_up") as session:
        return give_up(session, now) or _hold_some(session, since, now)


def _hold_some(session: Session, since: datetime | None, now: datetime) -> int:
    late = select(Delivery).where(text("delivery.state = 'due'"), Delivery.next_at <= now)
    late = late.where(Delivery.due_at <= now - LATE, Delivery.part == 0, ~begun())
    found = session.exec(
        late.order_by(col(Delivery.ward_id), col(Delivery.id)).limit(AT_ONCE).with_for_update(key_share=True)
    ).all()
    holds = {ward_id: _plan_of(session, ward_id, since, now) for ward_id in sorted({one.ward_id for one in found})}
    for delivery in found:
        put_under(session, delivery, holds[delivery.ward_id], now)
    session.flush()
    record_all(session, MACHINE, [held_entry(delivery) for delivery in found], now)
    return len(found)


def _plan_of(session: Session, ward_id: int, since: datetime | None, now: datetime) -> Hold:
    """The ward's open plan: a second silence adds to the first one's, and two workers that start together share it."""
    ward = session.exec(select(Ward).where(Ward.id == ward_id).with_for_update(key_share=True)).one()
    opened = (Hold.ward_id == ward_id, Hold.kind == CATCH_UP, col(Hold.released_at).is_(None))
    found = session.exec(select(Hold).where(*opened).order_by(col(Hold.id)).limit(1)).first()
    if found is not None:
        return found
    made = Hold(ward_id=ward_id, kind=CATCH_UP, reason=_silence(ward, since, now), created_at=now)
    session.add(made)
    session.flush()
    record(session, ward_id, MACHINE, "hold.catch_up", "hold", made.id, now, reason=made.reason)
    return made


def _silence(ward: Ward, since: datetime | None, now: datetime) -> str:
    until = _clock(now, ward.zone)
    return f"Chương trình không chạy {f'từ {_clock(since, ward.zone)} ' if since else ''}đến {until}."


def _clock(at: datetime, zone: str) -> str:
    clock = local(at, zone)
    return f"{clock.hour}h{clock:%M} ngày {clock:%d/%m/%Y}"

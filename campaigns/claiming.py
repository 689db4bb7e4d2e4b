"""The claim: of every free outlet its first due delivery, and no two visible steps of one outlet at once."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam
from sqlmodel import Session, SQLModel, col, select, text, update

from campaigns import holding, moves
from campaigns.moves import Due
from channels.contract import Channel
from store.tables import Attempt, Delivery, Instance, Outlet, Utc

# Partial indexes serve a query only where their predicate stands in it word for word, hence text instead of columns.
_FIRST = """(select x.id from delivery x where x.outlet_id = o.id and x.state = 'due' and x.rank = {rank}
    and x.next_at <= :now order by x.next_at, x.id limit 1)"""

FREE = f"""delivery.id in (select coalesce({", ".join(_FIRST.format(rank=rank) for rank in (2, 1, 0))})
  from outlet o
  where o.id in (select y.outlet_id from delivery y where y.state = 'due' and y.next_at <= :now) and o.state = 'open'
    and (o.next_slot_at is null or o.next_slot_at <= :now) and (o.rest_until is null or o.rest_until <= :now)
    and not exists (select 1 from delivery b where b.outlet_id = o.id and b.state in ('prepared', 'wire', 'unknown')
      and (b.state <> 'unknown' or b.looks = 0)))"""  # noqa: S608 - constants only

_OUTLET = SQLModel.metadata.tables["outlet"]
_SLOT = _OUTLET.update().where(_OUTLET.c.id == bindparam("outlet")).values(next_slot_at=bindparam("until"))


def claim(
    session: Session, epoch: str, now: datetime, limit: int, outlet_id: int | None = None
) -> list[tuple[int, int]]:
    """Take up to ``limit`` due deliveries for this boot epoch, of one outlet or of all; gives their (id, fence).

    The session's own copies of the deliveries and outlets stay as they were read.
    """
    if session.exec(select(Instance.safe_mode)).one():
        return []
    holding.keep_back(session, now)
    moves.miss(session, now)
    found = [Due(*row) for row in session.exec(waiting(now, limit, outlet_id))]
    moves.read_outlets(session, found)
    kinds = {outlet_id: moves.spoken_at(session, outlet_id) for outlet_id in {one.outlet_id for one in found}}
    chosen = [one for one in found if _within_quota(session, one, kinds[one.outlet_id], now)]
    _take_slots(session, {one.outlet_id: kinds[one.outlet_id] for one in chosen}, now)
    moves.take_up(session, chosen, epoch, now)
    return [(one.id, one.fence + 1) for one in chosen]


def waiting(now: datetime, limit: int, outlet_id: int | None = None) -> Any:
    """What may be claimed now (``Due``), most urgent and earliest first, locked together with its outlets."""
    # The outlet's row is locked too: two workers on PostgreSQL never take two deliveries of one outlet.
    query = (
        select(Delivery.id, Delivery.ward_id, Delivery.outlet_id, Delivery.fence)
        .join(Outlet, col(Outlet.id) == col(Delivery.outlet_id))
        .where(text(FREE).bindparams(bindparam("now", now, type_=Utc())))
        .where(text("delivery.state = 'due'"), Delivery.next_at <= now, Outlet.state == "open")
        .order_by(col(Delivery.rank).desc(), col(Delivery.next_at), col(Delivery.id))
        .limit(limit)
        .with_for_update(of=[Delivery, Outlet], skip_locked=True, key_share=True)
    )
    return query.where(Delivery.outlet_id == outlet_id) if outlet_id else query


def _take_slots(session: Session, kinds: dict[int, type[Channel]], now: datetime) -> None:
    """None of these outlets speaks again before its spacing has passed."""
    taken = [
        {"outlet": outlet_id, "until": now + timedelta(seconds=kind.spacing_seconds)}
        for outlet_id, kind in sorted(kinds.items())
    ]
    if taken:
        session.connection().execute(_SLOT, taken)


def _within_quota(session: Session, delivery: Due, kind: type[Channel], now: datetime) -> bool:
    """Whether one more visible step keeps every quota of the outlet; else it waits until the window has room."""
    limits = getattr(kind, "limits", None)
    for quota in limits.quotas if limits else ():
        window = timedelta(seconds=quota.seconds)
        oldest = session.exec(_nth_newest(delivery.outlet_id, now - window, quota.count)).first()
        if oldest is not None:
            free = update(Outlet).where(col(Outlet.id) == delivery.outlet_id).values(next_slot_at=oldest + window)
            session.exec(free)
            return False
    return True


def _nth_newest(outlet_id: int, since: datetime, count: int) -> Any:
    """The moment of the ``count``-th newest visible step of an outlet after ``since``."""
    return (
        select(Attempt.started_at)
        .join(Delivery, col(Delivery.id) == col(Attempt.delivery_id))
        .where(Delivery.outlet_id == outlet_id, col(Delivery.wire_at) > since)
        .where(Attempt.verb == "publish", Attempt.started_at > since)
        .order_by(col(Attempt.started_at).desc())
        .offset(count - 1)
        .limit(1)
    )

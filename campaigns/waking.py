"""Whom to wake: the outlets that may send now, each with the lane in which it sends, and the moment to ask again."""

from datetime import datetime, timedelta

from sqlalchemy import bindparam
from sqlmodel import Session, col, select, text

from campaigns import claiming, outlets
from channels.contract import Capability
from store.tables import Delivery, Instance, Outlet, Utc
from store.wakes import Due, Lane


def due(session: Session, now: datetime) -> list[Due]:
    """The outlets of which a delivery may be claimed now, the most urgent and earliest first."""
    if session.exec(select(Instance.safe_mode)).one():
        return []
    free = text(claiming.FREE).bindparams(bindparam("now", now, type_=Utc()))
    query = (
        select(Outlet)
        .join(Delivery, col(Delivery.outlet_id) == col(Outlet.id))
        .where(free, text("delivery.state = 'due'"))
        .order_by(col(Delivery.rank).desc(), col(Delivery.next_at), col(Delivery.id))
    )
    return [Due(outlet.id or 0, lane_of(outlet)) for outlet in session.exec(query).all()]


def lane_of(outlet: Outlet) -> Lane:
    """A fan-out has a lane of its own, so that a single post never waits behind ten thousand letters."""
    try:
        return Lane.FANOUT if Capability.FAN_OUT in outlets.kind_of(outlet).capabilities else Lane.POSTS
    except KeyError:
        return Lane.POSTS


def next_moment(session: Session, now: datetime) -> datetime | None:
    """When the next delivery after now falls due; None when nothing waits."""
    ahead = select(Delivery.next_at).where(text("delivery.state = 'due'"), Delivery.next_at > now)
    return session.exec(ahead.order_by(col(Delivery.next_at)).limit(1)).first()


def until_slot(session: Session, outlet_id: int, now: datetime) -> timedelta | None:
    """How long an outlet that has something due must still wait for its slot; None when nothing is due there now."""
    waits = select(Delivery.id).where(text("delivery.state = 'due'"), Delivery.outlet_id == outlet_id)
    if session.exec(waits.where(Delivery.next_at <= now).limit(1)).first() is None:
        return None
    slot = session.get_one(Outlet, outlet_id).next_slot_at
    return max(slot - now, timedelta(0)) if slot else timedelta(0)

"""Whom to wake: the outlets that may send now, each with the lane in which it sends, and the moment to ask again."""

from datetime import datetime, timedelta

from sqlalchemy import bindparam
from sqlmodel import Session, col, select, text

from campaigns import claiming, outlets
from campaigns.states import State
from channels.contract import Capability
from store.tables import Delivery, Instance, Outlet, Utc
from store.wakes import Due, Lane

FORESEEN = 200


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


def next_claim(session: Session) -> datetime | None:
    """The moment at which the next delivery may be claimed: due, and its outlet open and free; None when nothing waits.

    Told from the first FORESEEN that fall due, so that a long list of what is planned costs nothing.
    """
    first = (
        select(Delivery.next_at, Delivery.outlet_id)
        .where(text("delivery.state = 'due'"))
        .order_by(col(Delivery.next_at), col(Delivery.id))
        .limit(FORESEEN)
        .subquery()
    )
    places = select(first.c.next_at, Outlet.next_slot_at, Outlet.rest_until)
    found = session.exec(places.join(Outlet, col(Outlet.id) == first.c.outlet_id).where(Outlet.state == "open")).all()
    return min((max(moment for moment in row if moment is not None) for row in found), default=None)


def next_look_or_measure(session: Session) -> datetime | None:
    """The moment at which the next look-up or measurement falls due; None when none does."""
    unknown = text("delivery.state in ('prepared', 'wire', 'unknown') and delivery.state = 'unknown'")
    look = select(Delivery.next_at).where(unknown).order_by(col(Delivery.next_at)).limit(1)
    reach = select(Delivery.measure_at).where(col(Delivery.measure_at).is_not(None), Delivery.state == State.SENT)
    measure = reach.order_by(col(Delivery.measure_at)).limit(1)
    found = [session.exec(query).first() for query in (look, measure)]
    return min((moment for moment in found if moment is not None), default=None)


def until_slot(session: Session, outlet_id: int, now: datetime) -> timedelta | None:
    """How long an outlet that has something due must still wait for its slot; None when nothing is due there now."""
    waits = select(Delivery.id).where(text("delivery.state = 'due'"), Delivery.outlet_id == outlet_id)
    if session.exec(waits.where(Delivery.next_at <= now).limit(1)).first() is None:
        return None
    slot = session.get_one(Outlet, outlet_id).next_slot_at
    return max(slot - now, timedelta(0)) if slot else timedelta(0)

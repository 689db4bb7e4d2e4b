"""When a channel that is heard may speak: what is late is never made good in the ward's quiet hours."""

from datetime import datetime, timedelta

from sqlmodel import Session

from campaigns.states import State
from campaigns.timetable import after_quiet, quiet
from channels.contract import Grassroots
from channels.registry import channel
from store.tables import Delivery, Outlet, Ward

ON_TIME = timedelta(minutes=15)
"""How long after its hour something still counts as said at the hour for which it was approved."""


def heard(kind: str) -> bool:
    """Whether a kind of channel is heard by everybody around (loudspeakers), asked for or not."""
    try:
        return channel(kind).grassroots_kind == Grassroots.STATION
    except KeyError:
        return False


def on_air(delivery: Delivery, kind: str) -> bool:
    """Whether a delivery is being heard now: taken, and under a name with which it can be stopped; its end is told later."""
    return delivery.state == State.UNKNOWN and heard(kind) and bool((delivery.handle or {}).get("remote_id"))


def allowed_from(ward: Ward, kind: str, at: datetime) -> datetime:
    """The first moment from then on at which this kind of channel may make something good in this ward."""
    return after_quiet(at, ward.zone, ward.quiet) if heard(kind) else at


def wait_until(session: Session, delivery: Delivery, now: datetime) -> datetime | None:
    """Until when this delivery has to be silent; None when it may go now.

    What was approved for an hour inside the quiet hours keeps that hour (ON_TIME), but is not made good later in them.
    """
    if not heard(session.get_one(Outlet, delivery.outlet_id).kind):
        return None
    ward = session.get_one(Ward, delivery.ward_id)
    if not quiet(now, ward.zone, ward.quiet):
        return None
    meant = quiet(delivery.due_at, ward.zone, ward.quiet) and now <= delivery.due_at + ON_TIME
    return None if meant else after_quiet(now, ward.zone, ward.quiet)

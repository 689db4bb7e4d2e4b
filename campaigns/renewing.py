"""The beat «renew»: credentials that wear out are renewed early; the new ones are committed before they are used.

A renewal that is refused does not stop an outlet: the access it still has goes on, and its health says why a person
should connect it again. Only a refused publication pauses it.
"""

import asyncio
import logging
from datetime import datetime, timedelta

from sqlmodel import select

from campaigns import outlets
from campaigns.audit import MACHINE, record
from campaigns.delivering import Courier, written
from channels.contract import Capability, Reason
from store.tables import Outlet

ASK_AGAIN_AFTER = timedelta(minutes=15)

log = logging.getLogger("lantoa.renew")


async def renew(courier: Courier) -> int:
    """Renew what is due, one outlet after the other; gives how many were renewed."""
    renewed = 0
    for outlet in await asyncio.to_thread(_renewable, courier):
        try:
            fresh = await courier.desk.channel(outlet).renew()
        except Exception:
            log.exception("renew outlet %s", outlet.id)
            continue
        if isinstance(fresh, Reason):
            await asyncio.to_thread(_cannot, courier, outlet.id or 0, fresh)
        elif fresh is not None:
            renewed += await _keep(courier, outlet, fresh)
    return renewed


async def _keep(courier: Courier, outlet: Outlet, fresh: dict[str, object]) -> bool:
    """The old credentials are spent: what is not written down now is lost, so a busy database is asked again."""
    try:
        return await written(_commit, courier, outlet, fresh)
    except Exception:
        log.critical("outlet %s was renewed, but its new credentials could not be kept", outlet.id, exc_info=True)
        return False


def _renewable(courier: Courier) -> list[Outlet]:
    now = courier.desk.now()
    with courier.store.read() as session:
        found = session.exec(select(Outlet).where(Outlet.state == "open")).all()
    return [outlet for outlet in found if _can_renew(outlet) and not _refused_lately(outlet, now)]


def _can_renew(outlet: Outlet) -> bool:
    try:
        return Capability.RENEW in outlets.kind_of(outlet).capabilities
    except KeyError:
        return False


def _refused_lately(outlet: Outlet, now: datetime) -> bool:
    asked_at = outlet.health_at if outlet.health == Reason.UNAUTHORIZED else None
    return asked_at is not None and now < asked_at + ASK_AGAIN_AFTER


def _commit(courier: Courier, outlet: Outlet, fresh: dict[str, object]) -> bool:
    values = {**courier.desk.values(outlet), **fresh}
    with courier.store.write() as session:
        return outlets.renew(session, outlet.id or 0, outlet.secrets, values, courier.desk.vault, courier.desk.now())


def _cannot(courier: Courier, outlet_id: int, reason: Reason) -> None:
    if reason is not Reason.UNAUTHORIZED:
        return
    now = courier.desk.now()
    with courier.store.write() as session:
        outlet = session.get_one(Outlet, outlet_id, with_for_update=True)
        if outlet.health != reason:
            record(
                session, outlet.ward_id, MACHINE, "outlet.not_renewed", "outlet", outlet.id, now, reason=reason.value
            )
        outlet.health, outlet.health_at = reason.value, now
        session.add(outlet)

"""The beat «renew»: credentials that wear out are renewed early; the new ones are committed before they are used."""

import asyncio
import logging

from sqlmodel import select

from campaigns import outlets
from campaigns.audit import MACHINE
from campaigns.delivering import Courier
from channels.contract import Capability, Reason
from store.tables import Outlet

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
            renewed += await asyncio.to_thread(_commit, courier, outlet, fresh)
    return renewed


def _renewable(courier: Courier) -> list[Outlet]:
    with courier.store.read() as session:
        found = session.exec(select(Outlet).where(Outlet.state == "open")).all()
    return [outlet for outlet in found if Capability.RENEW in outlets.kind_of(outlet).capabilities]


def _commit(courier: Courier, outlet: Outlet, fresh: dict[str, object]) -> bool:
    values = {**courier.desk.values(outlet), **fresh}
    with courier.store.write() as session:
        return outlets.renew(session, outlet.id or 0, outlet.secrets, values, courier.desk.vault, courier.desk.now())


def _cannot(courier: Courier, outlet_id: int, reason: Reason) -> None:
    now = courier.desk.now()
    with courier.store.write() as session:
        outlet = session.get_one(Outlet, outlet_id)
        if reason is Reason.UNAUTHORIZED:
            outlets.pause(session, MACHINE, outlet, "Kênh cần được kết nối lại: không gia hạn được quyền truy cập.", now)

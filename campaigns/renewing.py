"""The beat «renew»: credentials that wear out are renewed early, by one process alone, and kept before they are used.

A refresh token is good for one exchange, so the exchange is a visible step of its own kind: whoever does it writes so in
the outlet's row first (``renewing``), and nobody else asks until the answer is kept or that claim is old. When the
answer is lost, the old pair is tried once more; when that is refused, a person must connect again and is told at once,
while sending goes on with the access that is still valid. Only a refused publication pauses an outlet.
"""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select, update

from campaigns import outlets
from campaigns.audit import MACHINE, record
from campaigns.delivering import RECORD_AGAIN_AFTER, Courier
from channels.contract import Capability, Reason, Unknown
from store.points import passing
from store.tables import Outlet
from store.together import Together

ASK_AGAIN_AFTER = timedelta(minutes=15)
PATIENCE_SECONDS = 30.0
CLAIM_IS_OLD_AFTER = timedelta(seconds=90)

log = logging.getLogger("lantoa.renew")

Answer = dict[str, Any] | Reason | Unknown | None


@dataclass(frozen=True)
class _Renewed:
    """What is to be written down: the outlet as it was asked for, and the platform's answer."""

    outlet: Outlet
    answer: Answer


async def renew(courier: Courier) -> int:
    """Renew what is due, one outlet after the other; gives how many were renewed."""
    keep = Together[_Renewed, bool](courier.store, "renew", _Writer(courier).act, courier.aside, RECORD_AGAIN_AFTER)
    renewed = 0
    for outlet in await courier.aside(_renewable, courier):
        try:
            if not _due(courier, outlet) or not await courier.aside(_claim, courier, outlet):
                continue
            renewed += await keep(_Renewed(outlet, await _ask(courier, outlet)))
        except Exception:
            log.critical("outlet %s: what became of its renewal could not be kept", outlet.id, exc_info=True)
    return renewed


async def _ask(courier: Courier, outlet: Outlet) -> Answer:
    """Ask for the new pair; when the answer is lost, ask once more with the old one."""
    for _ in range(2):
        passing("renew:asked")
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                answer: Answer = await courier.desk.channel(outlet).renew()
        except TimeoutError:
            answer = Unknown(detail="Nền tảng không trả lời khi gia hạn quyền.")
        except Exception:
            log.exception("renew outlet %s", outlet.id)
            return None
        passing("renew:answered")
        if not isinstance(answer, Unknown):
            return answer
    return answer


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


def _due(courier: Courier, outlet: Outlet) -> bool:
    return courier.desk.channel(outlet).renewal_due()


def _claim(courier: Courier, outlet: Outlet) -> bool:
    """Compare and swap: this process renews, unless another does or has done so since the outlet was read."""
    now = courier.desk.now()
    free = (col(Outlet.renewing) == "") | (col(Outlet.renewing_at) < now - CLAIM_IS_OLD_AFTER)
    mine = update(Outlet).where(col(Outlet.id) == outlet.id, col(Outlet.secrets) == outlet.secrets, free)
    with courier.store.write("renewing") as session:
        return session.exec(mine.values(renewing=courier.epoch, renewing_at=now)).rowcount == 1


@dataclass(frozen=True)
class _Writer:
    courier: Courier

    def act(self, session: Session, renewed: list[_Renewed]) -> list[bool]:
        """Keep each answer and give the claim back, in one transaction."""
        return [self._keep(session, one) for one in renewed]

    def _keep(self, session: Session, one: _Renewed) -> bool:
        now, was = self.courier.desk.now(), one.outlet
        row = session.exec(select(Outlet).where(Outlet.id == was.id).with_for_update(key_share=True)).one()
        kept = False
        if isinstance(one.answer, dict):
            # Whoever was given up meanwhile and yet got the new pair holds the only one that works: only who wrote
            # other secrets since (a person, another process) keeps it from being written.
            values = {**self.courier.desk.values(was), **one.answer}
            kept = outlets.renew(session, was.id or 0, was.secrets, values, self.courier.desk.vault, now)
        elif one.answer is Reason.UNAUTHORIZED and row.secrets == was.secrets:
            _must_connect_again(session, row, now)
        if row.renewing == self.courier.epoch:
            row.renewing, row.renewing_at = "", None
            session.add(row)
        return kept


def _must_connect_again(session: Session, row: Outlet, now: datetime) -> None:
    reason = Reason.UNAUTHORIZED.value
    if row.health != reason:
        record(session, row.ward_id, MACHINE, "outlet.not_renewed", "outlet", row.id, now, reason=reason)
    row.health, row.health_at = reason, now
    session.add(row)

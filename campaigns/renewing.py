"""The beat «renew»: credentials that wear out are renewed early, by one process alone, and kept before they are used.

A refresh token is good for one exchange, so the exchange is a visible step of its own kind: whoever does it writes so in
the outlet's row first (``renewing``), and nobody else asks until the answer is kept or that claim is old. When the
answer is lost, the old pair is tried once more; when that is refused, a person must connect again and is told at once,
while sending goes on with the access that is still valid. Only a refused publication pauses an outlet.

An answer that no database would take stays in hand and is written at the next beat: the platform has spent the old pair,
so the new one exists nowhere else. A paused outlet's pair is kept alive too; it would end while nobody looks.
"""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

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


_IN_HAND: WeakKeyDictionary[Courier, dict[int, _Renewed]] = WeakKeyDictionary()
"""Answers that could not be written down yet, by outlet."""


async def renew(courier: Courier) -> int:
    """Renew what is due, one outlet after the other; gives how many were renewed."""
    keep = Together[_Renewed, bool](courier.store, "renew", _Writer(courier).act, courier.aside, RECORD_AGAIN_AFTER)
    in_hand = _IN_HAND.setdefault(courier, {})
    renewed = sum([await _kept(keep, in_hand, one) for one in list(in_hand.values())])
    for outlet in await courier.aside(_renewable, courier):
        if (outlet.id or 0) in in_hand or not await _is_mine(courier, outlet):
            continue
        in_hand[outlet.id or 0] = answered = _Renewed(outlet, await _ask(courier, outlet))
        renewed += await _kept(keep, in_hand, answered)
    return renewed


async def _is_mine(courier: Courier, outlet: Outlet) -> bool:
    """Whether this outlet is to be renewed now, by this process; a broken one keeps no other from being renewed."""
    try:
        return _due(courier, outlet) and bool(await courier.aside(_claim, courier, outlet))
    except Exception:
        log.exception("renew outlet %s", outlet.id)
        return False


async def _kept(keep: Together[_Renewed, bool], in_hand: dict[int, _Renewed], answered: _Renewed) -> bool:
    """Write an answer down; one that cannot be written stays in hand."""
    outlet_id = answered.outlet.id or 0
    try:
        renewed = await keep(answered)
    except Exception:
        log.critical(
            "outlet %s: what became of its renewal is not written yet; again at the next beat", outlet_id, exc_info=True
        )
        return False
    in_hand.pop(outlet_id, None)
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
        found = session.exec(select(Outlet).order_by(col(Outlet.id))).all()
    return [outlet for outlet in found if _can_renew(outlet) and not _refused(outlet, now)]


def _can_renew(outlet: Outlet) -> bool:
    try:
        return Capability.RENEW in outlets.kind_of(outlet).capabilities
    except KeyError:
        return False


def _refused(outlet: Outlet, now: datetime) -> bool:
    """Whether the platform said no: lately, or to an outlet that is paused, which waits for a person."""
    asked_at = outlet.health_at if outlet.health == Reason.UNAUTHORIZED else None
    return asked_at is not None and (outlet.state != "open" or now < asked_at + ASK_AGAIN_AFTER)


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

"""The life of an outlet («Kênh») in people's hands: how it stands, whether it can be reached, pausing, new settings."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, func, select

from campaigns import outlets, views
from campaigns.audit import Actor, record
from campaigns.outlets import Desk
from campaigns.people import Action, Mistake, require
from campaigns.states import State
from channels.contract import Reason
from content.text import squeeze
from store.engine import Store
from store.tables import AuditEvent, Delivery, Outlet
from store.vault import SealBroken, Vault

log = logging.getLogger("lantoa.connect")

REACHED = "ok"
BROKEN = "broken"


@dataclass(frozen=True)
class Standing:
    """One outlet with what it did last and does next; ``waiting`` counts what is due, ``person`` what a person must see."""

    outlet: Outlet
    next_at: datetime | None
    waiting: int
    last_sent_at: datetime | None
    person: int


def standings(session: Session, ward_id: int) -> list[Standing]:
    """Every outlet of the ward, by kind and name."""
    counted = _counted(session, ward_id)
    return [
        Standing(
            outlet=outlet,
            next_at=_first(counted, outlet, State.DUE),
            waiting=_count(counted, outlet, State.DUE) + _count(counted, outlet, State.HELD),
            last_sent_at=_last_sent(counted, outlet),
            person=_count(counted, outlet, State.NEEDS_HUMAN) + _count(counted, outlet, State.UNKNOWN),
        )
        for outlet in views.outlets(session, ward_id)
    ]


def standing(session: Session, ward_id: int, outlet_id: int) -> Standing:
    """One outlet of the ward; raises NotInWard."""
    outlet = views.mine(session, Outlet, outlet_id, ward_id)
    return next(one for one in standings(session, ward_id) if one.outlet.id == outlet.id)


def pause(session: Session, by: Actor, outlet: Outlet, reason: str, now: datetime) -> None:
    """A person stops an outlet and says why; raises Forbidden or Mistake."""
    require(by, Action.SETTLE, outlet.ward_id)
    reason = squeeze(reason)[:300]
    if not reason:
        raise Mistake("Hãy ghi lý do tạm dừng để mọi người cùng biết.")
    if outlet.state == "paused":
        raise Mistake("Kênh này đang tạm dừng rồi.")
    outlets.pause(session, by, outlet, reason, now)


def change(
    session: Session, by: Actor, outlet: Outlet, name: str, values: dict[str, Any], vault: Vault, now: datetime
) -> None:
    """New settings of an outlet: secrets that are not given stay as they are. Raises Forbidden, Mistake or SealBroken."""
    require(by, Action.MANAGE, outlet.ward_id)
    session.refresh(outlet, with_for_update={"key_share": True})
    name = squeeze(name)
    _free(session, outlet, name)
    kind = outlets.kind_of(outlet)
    kept = kept_secrets(outlet, vault, given=values)
    outlets.read_settings(kind, {**values, **kept})
    outlet.name = name
    outlets.put_settings(outlet, kind, {**values, **kept}, vault)
    outlet.health, outlet.health_at = "", None
    session.add(outlet)
    record(session, outlet.ward_id, by, "outlet.changed", "outlet", outlet.id, now, name=name, settings=sorted(values))


def kept_secrets(outlet: Outlet, vault: Vault, given: dict[str, Any]) -> dict[str, Any]:
    """The outlet's secrets that nobody typed anew; what does not open any more is as if it had never been given."""
    try:
        sealed = vault.unseal(outlet.secrets, outlets.seal_place(outlet)) if outlet.secrets else {}
    except SealBroken:
        return {}
    return {key: value for key, value in sealed.items() if key not in given}


async def check(store: Store, desk: Desk, by: Actor, ward_id: int, outlet_id: int) -> str:
    """Ask the platform whether the outlet can be used: REACHED, BROKEN, or a Reason. Raises Forbidden or NotInWard."""
    require(by, Action.SETTLE, ward_id)
    outlet = await asyncio.to_thread(_read, store, ward_id, outlet_id)
    found, words = await examine(desk, outlet)
    await asyncio.to_thread(_note, store, by, ward_id, outlet_id, found, words, desk.now())
    return found


async def health(desk: Desk, outlet: Outlet) -> str:
    """How an outlet answers now: REACHED, BROKEN, or a Reason; writes nothing down."""
    return (await examine(desk, outlet))[0]


async def examine(desk: Desk, outlet: Outlet) -> tuple[str, str]:
    """The same, and the channel's own words for what exactly is wrong; empty where it has none."""
    try:
        ailment = await desk.channel(outlet).examine()
    except (Mistake, SealBroken, KeyError):
        return Reason.MISCONFIGURED.value, ""
    except Exception:
        log.exception("health %s", outlet.id)
        return BROKEN, ""
    return (ailment.reason.value, ailment.words) if ailment else (REACHED, "")


def told(session: Session, outlet: Outlet) -> str:
    """The words of the last check, where what it found still stands."""
    mine = (
        AuditEvent.ward_id == outlet.ward_id,
        AuditEvent.subject == "outlet",
        AuditEvent.subject_id == str(outlet.id),
    )
    checked = (
        select(AuditEvent).where(*mine, AuditEvent.action == "outlet.checked").order_by(col(AuditEvent.number).desc())
    )
    last = session.exec(checked.limit(1)).first()
    same = last is not None and last.at == outlet.health_at and last.particulars.get("result") == outlet.health
    return str(last.particulars.get("words", "")) if last is not None and same else ""


def advice(desk: Desk, outlet: Outlet, found: str) -> str:
    """What the channel itself says to do about what a check found; empty where it has no words of its own."""
    try:
        return desk.channel(outlet).advice(Reason(found))
    except (Mistake, SealBroken, KeyError, ValueError):
        return ""


def _read(store: Store, ward_id: int, outlet_id: int) -> Outlet:
    with store.read() as session:
        return views.mine(session, Outlet, outlet_id, ward_id)


def _note(store: Store, by: Actor, ward_id: int, outlet_id: int, found: str, words: str, now: datetime) -> None:
    with store.write() as session:
        outlet = views.mine(session, Outlet, outlet_id, ward_id)
        outlet.health, outlet.health_at = found, now
        session.add(outlet)
        said = {"words": words} if words else {}
        record(session, ward_id, by, "outlet.checked", "outlet", outlet_id, now, name=outlet.name, result=found, **said)


def _free(session: Session, outlet: Outlet, name: str) -> None:
    if not name:
        raise Mistake("Hãy đặt tên cho kênh.")
    same = (Outlet.ward_id == outlet.ward_id, Outlet.kind == outlet.kind, Outlet.name == name, Outlet.id != outlet.id)
    if session.exec(select(Outlet.id).where(*same)).first():
        raise Mistake(f"Kênh «{name}» đã có; hãy đặt tên khác.")


def _counted(session: Session, ward_id: int) -> dict[tuple[int, str], Any]:
    figures = (func.count(), func.min(Delivery.next_at), func.max(Delivery.sent_at))
    query = select(Delivery.outlet_id, Delivery.state, *figures).where(Delivery.ward_id == ward_id)  # type: ignore[call-overload]
    rows = session.exec(query.group_by(col(Delivery.outlet_id), col(Delivery.state))).all()
    return {(outlet_id, state): (count, first, last) for outlet_id, state, count, first, last in rows}


def _count(counted: dict[tuple[int, str], Any], outlet: Outlet, state: State) -> int:
    return int(counted.get((outlet.id or 0, state.value), (0, None, None))[0])


def _first(counted: dict[tuple[int, str], Any], outlet: Outlet, state: State) -> datetime | None:
    found: datetime | None = counted.get((outlet.id or 0, state.value), (0, None, None))[1]
    return found


def _last_sent(counted: dict[tuple[int, str], Any], outlet: Outlet) -> datetime | None:
    found: datetime | None = counted.get((outlet.id or 0, State.SENT.value), (0, None, None))[2]
    return found

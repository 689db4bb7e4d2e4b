"""What platforms tell of an outlet: one address for each that nobody guesses, each event kept once, what is forged counted.

Only the kind, the platform's name for it and the moment are kept: no text and no person. Followers won and lost stay for
the reports; the rest is forgotten after KEPT, long after the platform has ceased to tell it again.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, delete, func, select

from campaigns.outlets import Desk
from channels.contract import Capability, Forged, Heard
from channels.registry import kinds
from store.notices import OutletEvent, OutletHook
from store.tables import Outlet
from store.vault import Vault

PATH = "_tin"
KEPT = timedelta(days=90)
FIGURES = ("followed", "unfollowed")
SHOWN = 8
PURPOSE = "outlet events"

#: why a request was not believed -> words
WHY = {
    "unset": "kênh chưa có khóa bí mật để kiểm tra chữ ký",
    "signature": "chữ ký sai",
    "stale": "sự kiện quá cũ hoặc sai giờ",
    "unreadable": "nội dung không đọc được",
}


@dataclass(frozen=True)
class Told:
    """What one request said of an outlet."""

    outlet_id: int
    ward_id: int
    said: Heard | Forged
    at: datetime


@dataclass(frozen=True)
class Standing:
    """How an outlet's event address fares: the address, the counts, the newest events, followers won and lost in 30 days."""

    address: str
    hook: OutletHook | None
    events: list[OutletEvent]
    won: int
    lost: int


def address(vault: Vault, site: str, outlet_id: int) -> str:
    """Where the platform tells of this outlet."""
    return f"{site}/{PATH}/{outlet_id}-{_mac(vault, outlet_id)}"


def outlet_of(session: Session, vault: Vault, token: str) -> Outlet | None:
    """The outlet that an address names; None for one that we never gave."""
    number, _, proof = token.partition("-")
    if not (number.isascii() and number.isdigit() and len(number) < 16):
        return None
    if not hmac.compare_digest(proof.encode(), _mac(vault, int(number)).encode()):
        return None
    return session.get(Outlet, int(number))


def hears(outlet: Outlet) -> bool:
    """Whether the outlet's platform can tell us of events."""
    kind = kinds().get(outlet.kind)
    return kind is not None and Capability.EVENTS in kind.capabilities


def keep(session: Session, told: list[Told]) -> list[int]:
    """Write down what several requests said; gives for each how many of its events were new. Told again, nothing changes."""
    fresh = [0] * len(told)
    # In the order of outlets, so that two processes never wait for each other's rows.
    for outlet_id in sorted({one.outlet_id for one in told}):
        mine = [(place, one) for place, one in enumerate(told) if one.outlet_id == outlet_id]
        unseen = _events(session, [one for _, one in mine])
        for place, one in mine:
            for event in one.said.events if isinstance(one.said, Heard) else ():
                if event.key in unseen:
                    unseen.discard(event.key)
                    fresh[place] += 1
        _count(session, [one for _, one in mine], sum(fresh[place] for place, _ in mine))
    return fresh


def standing(session: Session, desk: Desk, outlet: Outlet, now: datetime) -> Standing:
    """How the outlet's address fares."""
    id = outlet.id or 0
    newest = select(OutletEvent).where(OutletEvent.outlet_id == id).order_by(col(OutletEvent.at).desc())
    events = list(session.exec(newest.limit(SHOWN)).all())
    counted = followed(session, [id], now - timedelta(days=30), now + timedelta(days=1))
    won, lost = (counted.get((id, kind), (0, None))[0] for kind in FIGURES)
    return Standing(address(desk.vault, desk.files.public_url, id), session.get(OutletHook, id), events, won, lost)


def followed(
    session: Session, outlet_ids: list[int] | None, start: datetime, end: datetime
) -> dict[tuple[int, str], tuple[int, datetime | None]]:
    """(outlet, followed or unfollowed) -> (events in the period, the last one's moment); ``outlet_ids`` None: every outlet."""
    of = (col(OutletEvent.outlet_id), col(OutletEvent.kind))
    wanted = select(*of, func.count(), func.max(OutletEvent.at))
    wanted = wanted.where(col(OutletEvent.kind).in_(FIGURES), OutletEvent.at >= start, OutletEvent.at < end)
    if outlet_ids is not None:
        wanted = wanted.where(col(OutletEvent.outlet_id).in_(outlet_ids))
    rows = session.exec(wanted.group_by(*of)).all()
    return {(outlet_id, kind): (count, last) for outlet_id, kind, count, last in rows}


def forget(session: Session, now: datetime) -> int:
    """Old events that no report counts; gives how many."""
    old = delete(OutletEvent).where(col(OutletEvent.heard_at) < now - KEPT, col(OutletEvent.kind).not_in(FIGURES))
    return session.exec(old).rowcount


def _mac(vault: Vault, outlet_id: int) -> str:
    key = vault.derive(PURPOSE).encode()
    return hmac.new(key, str(outlet_id).encode(), hashlib.sha256).hexdigest()[:40]


def _events(session: Session, told: list[Told]) -> set[str]:
    """Keep one outlet's events; gives the keys of those that were new. The rows decide, whoever else writes them meanwhile."""
    rows: dict[str, dict[str, Any]] = {}
    for one in told:
        for event in one.said.events if isinstance(one.said, Heard) else ():
            known = {"ward_id": one.ward_id, "outlet_id": one.outlet_id, **event.model_dump(), "heard_at": one.at}
            rows.setdefault(event.key, {**known, "times": 0})["times"] += 1
    if not rows:
        return set()
    made = _insert(session, OutletEvent).values([rows[key] for key in sorted(rows)])
    again = {"times": col(OutletEvent.times) + made.excluded.times}
    put = made.on_conflict_do_update(index_elements=["outlet_id", "key"], set_=again)
    kept = session.connection().execute(put.returning(col(OutletEvent.key), col(OutletEvent.times))).all()
    return {key for key, times in kept if times == rows[key]["times"]}


def _count(session: Session, told: list[Told], fresh: int) -> None:
    """How one outlet's address fares after these requests."""
    heard = [one for one in told if isinstance(one.said, Heard) and one.said.events]
    forged = [one for one in told if isinstance(one.said, Forged)]
    events = sum(len(one.said.events) for one in heard if isinstance(one.said, Heard))
    said: dict[str, Any] = {}
    for one in told:
        if isinstance(one.said, Forged):
            said |= {"refused_at": one.at, "refused_why": one.said.why}
        elif one.said.events:
            said |= {"heard_at": one.at, "heard": one.said.events[-1].name, "matched": one.said.matched}
    counts = {"taken": fresh, "repeated": events - fresh, "refused": len(forged)}
    row = {"outlet_id": told[0].outlet_id, "ward_id": told[0].ward_id, "heard": "", "matched": "", "refused_why": ""}
    more = {name: getattr(OutletHook, name) + number for name, number in counts.items()}
    made = _insert(session, OutletHook).values(**row | counts | said)
    session.connection().execute(made.on_conflict_do_update(index_elements=["outlet_id"], set_=more | said))


def _insert(session: Session, table: type[Any]) -> Any:
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    return dialect.insert(table)

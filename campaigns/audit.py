"""The audit log («Nhật ký»): one event for every change, in the change's own transaction, in a chain that only grows."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, insert, text
from sqlmodel import Session, col, select

from campaigns import causes
from store.notices import Notice
from store.tables import AuditEvent, Ward

FIRST = "0" * 64

# One walk down the index for each ward: max() with group by would read every event of a long history.
_ENDS = text("""select e.ward_id, e.number, e.hash from ward w join audit_event e on e.ward_id = w.id and e.number =
    (select max(x.number) from audit_event x where x.ward_id = w.id) where w.id in :wards""")
_ENDS = _ENDS.bindparams(bindparam("wards", expanding=True))
_LOCKED = select(Ward.id).where(col(Ward.id).in_(bindparam("wards", expanding=True))).order_by(col(Ward.id))
_LOCKED = _LOCKED.with_for_update(key_share=True)


@dataclass(frozen=True)
class Actor:
    """Who acts: a member of staff, or the program itself (``user_id`` None)."""

    user_id: int | None
    name: str
    role: str = "machine"
    ward_id: int | None = None


MACHINE = Actor(None, "Lan Tỏa")


@dataclass(frozen=True)
class Entry:
    """One event that is about to be recorded."""

    ward_id: int
    action: str
    subject: str
    subject_id: object
    particulars: dict[str, Any] = field(default_factory=dict)


class BrokenChain(RuntimeError):
    """The audit log was changed outside the program: the first event that does not fit is named."""


def record(
    session: Session, ward_id: int, actor: Actor, action: str, subject: str, subject_id: object, now: datetime,
    **particulars: Any,
) -> None:  # fmt: skip
    """Add an event to the ward's chain; the caller's transaction carries both the change and this."""
    record_all(session, actor, [Entry(ward_id, action, subject, subject_id, particulars)], now)


def record_all(session: Session, actor: Actor, entries: Sequence[Entry], now: datetime) -> None:
    """Add several events, in their order, each to the chain of its ward; the wards' chains are locked meanwhile."""
    if not entries:
        return
    session.flush()
    ends = _ends(session, sorted({entry.ward_id for entry in entries}))
    rows = []
    for entry in entries:
        number, previous = ends[entry.ward_id]
        row: dict[str, Any] = {
            "ward_id": entry.ward_id,
            "number": number + 1,
            "at": now,
            "actor_id": actor.user_id,
            "actor": actor.name,
            "action": entry.action,
            "subject": entry.subject,
            "subject_id": str(entry.subject_id),
            "particulars": entry.particulars,
            "previous": previous,
        }
        hash = _digest(row)
        ends[entry.ward_id] = (number + 1, hash)
        rows.append({**row, "hash": hash})
    session.connection().execute(insert(AuditEvent), rows)
    if notices := [made for row in rows if (made := causes.notice(row, now)) is not None]:
        session.connection().execute(insert(Notice), notices)


def _ends(session: Session, ward_ids: list[int]) -> dict[int, tuple[int, str]]:
    """The number and hash at the end of each ward's chain; the ward's row is locked in the order of ids."""
    session.connection().execute(_LOCKED, {"wards": ward_ids}).all()
    found = session.connection().execute(_ENDS, {"wards": ward_ids})
    return dict.fromkeys(ward_ids, (0, FIRST)) | {ward_id: (number, hash) for ward_id, number, hash in found}


def digest(event: AuditEvent) -> str:
    """The hash of an event: SHA-256 over its canonical JSON and the hash of the one before."""
    return _digest(event.model_dump())


def _digest(event: dict[str, Any]) -> str:
    text = json.dumps(
        [
            event["ward_id"], event["number"], event["at"].astimezone(UTC).isoformat(), event["actor_id"], event["actor"],
            event["action"], event["subject"], event["subject_id"], event["particulars"], event["previous"],
        ],
        ensure_ascii=False, sort_keys=True, separators=(",", ":"),
    )  # fmt: skip
    return hashlib.sha256(text.encode()).hexdigest()


def verify(session: Session, ward_id: int) -> int:
    """The number of events of an unbroken chain; raises BrokenChain."""
    previous, expected = FIRST, 1
    rows = session.exec(select(AuditEvent).where(AuditEvent.ward_id == ward_id).order_by(col(AuditEvent.number)))
    for event in rows.yield_per(1000):
        if event.number != expected or event.previous != previous or event.hash != digest(event):
            raise BrokenChain(f"Nhật ký bị thay đổi ở sự kiện số {event.number}.")
        previous, expected = event.hash, expected + 1
    return expected - 1

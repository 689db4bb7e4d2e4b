"""The audit log («Nhật ký»): one event for every change, in the change's own transaction, in a chain that only grows."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlmodel import Session, col, select

from store.tables import AuditEvent, Ward

FIRST = "0" * 64


@dataclass(frozen=True)
class Actor:
    """Who acts: a member of staff, or the program itself (``user_id`` None)."""

    user_id: int | None
    name: str
    role: str = "machine"
    ward_id: int | None = None


MACHINE = Actor(None, "Lan Tỏa")


class BrokenChain(RuntimeError):
    """The audit log was changed outside the program: the first event that does not fit is named."""


def record(
    session: Session, ward_id: int, actor: Actor, action: str, subject: str, subject_id: object, now: datetime,
    **particulars: Any,
) -> AuditEvent:  # fmt: skip
    """Add an event to the ward's chain; the caller's transaction carries both the change and this."""
    session.exec(select(Ward.id).where(Ward.id == ward_id).with_for_update()).one()
    newest = (AuditEvent.number, AuditEvent.hash)
    last = session.exec(
        select(*newest).where(AuditEvent.ward_id == ward_id).order_by(col(AuditEvent.number).desc()).limit(1)
    ).first()
    number, previous = (last[0] + 1, last[1]) if last else (1, FIRST)
    event = AuditEvent(
        ward_id=ward_id,
        number=number,
        at=now,
        actor_id=actor.user_id,
        actor=actor.name,
        action=action,
        subject=subject,
        subject_id=str(subject_id),
        particulars=particulars,
        previous=previous,
        hash="",
    )
    event.hash = digest(event)
    session.add(event)
    session.flush()
    return event


def digest(event: AuditEvent) -> str:
    """The hash of an event: SHA-256 over its canonical JSON and the hash of the one before."""
    text = json.dumps(
        [
            event.ward_id, event.number, event.at.astimezone(UTC).isoformat(), event.actor_id, event.actor, event.action,
            event.subject, event.subject_id, event.particulars, event.previous,
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

"""Reading the audit log («Nhật ký»): pages of events by who, what and when, and whether the chain is whole."""

from dataclasses import dataclass
from datetime import date

from sqlmodel import Session, col, func, select

from campaigns import views
from campaigns.audit import BrokenChain, verify
from campaigns.timetable import day_bounds
from store.tables import AuditEvent, Ward

PER_PAGE = 50


@dataclass(frozen=True)
class Wanted:
    """What to show. ``actor_id`` 0 is the program itself; ``last`` is counted in."""

    subject: str = ""
    actor_id: int | None = None
    first: date | None = None
    last: date | None = None
    page: int = 1


@dataclass(frozen=True)
class Found:
    """One page of events, newest first."""

    events: list[AuditEvent]
    total: int
    page: int
    pages: int


@dataclass(frozen=True)
class Chain:
    """Whether the ward's chain is whole, over how many events; ``broken`` says where it is not."""

    events: int
    broken: str = ""


def find(session: Session, ward: Ward, wanted: Wanted) -> Found:
    """The ward's events that fit."""
    query = views.of_ward(AuditEvent, ward.id or 0)
    if wanted.subject:
        query = query.where(AuditEvent.subject == wanted.subject)
    if wanted.actor_id is not None:
        query = query.where(
            AuditEvent.actor_id == wanted.actor_id if wanted.actor_id else col(AuditEvent.actor_id).is_(None)
        )
    if wanted.first:
        query = query.where(AuditEvent.at >= day_bounds(wanted.first, ward.zone)[0])
    if wanted.last:
        query = query.where(AuditEvent.at < day_bounds(wanted.last, ward.zone)[1])
    total = session.exec(select(func.count()).select_from(query.subquery())).one()
    pages = max(1, -(-total // PER_PAGE))
    page = min(max(wanted.page, 1), pages)
    rows = session.exec(
        query.order_by(col(AuditEvent.number).desc()).limit(PER_PAGE).offset((page - 1) * PER_PAGE)
    ).all()
    return Found(list(rows), total, page, pages)


def actors(session: Session, ward_id: int) -> list[tuple[int, str]]:
    """The people in the ward's log, by name."""
    query = select(AuditEvent.actor_id, func.max(AuditEvent.actor)).where(
        AuditEvent.ward_id == ward_id, col(AuditEvent.actor_id).is_not(None)
    )
    rows = session.exec(query.group_by(col(AuditEvent.actor_id))).all()
    return sorted(((id or 0, name) for id, name in rows), key=lambda row: row[1])


def chain(session: Session, ward_id: int) -> Chain:
    """The state of the ward's chain, every event recomputed."""
    try:
        return Chain(verify(session, ward_id))
    except BrokenChain as broken:
        return Chain(0, str(broken))

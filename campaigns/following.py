"""Following deliveries («Lượt đăng»): the filtered list, and the life of one with every attempt and figure."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlmodel import Session, col, func, select

from campaigns import views
from campaigns.histories import Story, stories
from campaigns.recipients import EVENT as GROUP
from campaigns.states import State
from campaigns.timetable import day_bounds
from campaigns.views import Line
from channels.contract import Message
from store.tables import AuditEvent, Delivery, Post, Ward

PER_PAGE = 40
FOR_A_PERSON = (State.UNKNOWN, State.NEEDS_HUMAN, State.FAILED, State.MISSED)


@dataclass(frozen=True)
class Wanted:
    """What to show: each filter narrows, None shows all. ``person`` keeps what somebody must look at."""

    outlet_id: int | None = None
    state: str | None = None
    day: date | None = None
    person: bool = False
    page: int = 1


@dataclass(frozen=True)
class Found:
    """One page of deliveries; ``total`` counts all pages together."""

    lines: list[Line]
    total: int
    page: int
    pages: int


@dataclass(frozen=True)
class Step:
    """One moment in the life of a delivery: what happened, by whom (empty: the program), and what was said."""

    at: datetime
    action: str
    actor: str
    detail: str


@dataclass(frozen=True)
class Life:
    """One delivery with everything that is known of it."""

    story: Story
    post: Post
    title: str
    message: Message | None
    steps: list[Step]


def find(session: Session, ward: Ward, wanted: Wanted) -> Found:
    """The ward's deliveries, newest time first; what waits for a person oldest first."""
    query = _narrowed(views.of_ward(Delivery, ward.id or 0), ward, wanted)
    total = session.exec(select(func.count()).select_from(query.subquery())).one()
    pages = max(1, -(-total // PER_PAGE))
    page = min(max(wanted.page, 1), pages)
    order = col(Delivery.due_at).asc() if wanted.person else col(Delivery.due_at).desc()
    rows = views.lines(
        session, ward, query.order_by(order, Delivery.outlet_id).limit(PER_PAGE).offset((page - 1) * PER_PAGE)
    )
    return Found(rows, total, page, pages)


def life(session: Session, ward: Ward, delivery_id: int) -> Life:
    """One delivery of this ward; raises NotInWard."""
    delivery = views.mine(session, Delivery, delivery_id, ward.id or 0)
    post = views.mine(session, Post, delivery.post_id, ward.id or 0)
    story = next(one for one in stories(session, ward, post) if one.delivery.id == delivery_id)
    message = Message.model_validate(delivery.message) if delivery.message else None
    return Life(
        story, post, views.titles(session, ward, [post])[post.id or 0], message, _steps(session, ward.id or 0, delivery)
    )


def _narrowed(query: Any, ward: Ward, wanted: Wanted) -> Any:
    if wanted.outlet_id is not None:
        query = query.where(Delivery.outlet_id == wanted.outlet_id)
    if wanted.state:
        query = query.where(Delivery.state == wanted.state)
    if wanted.day:
        start, end = day_bounds(wanted.day, ward.zone)
        query = query.where(Delivery.due_at >= start, Delivery.due_at < end)
    return query.where(col(Delivery.state).in_(FOR_A_PERSON)) if wanted.person else query


def _steps(session: Session, ward_id: int, delivery: Delivery) -> list[Step]:
    """Its life step by step; the groups of a fan-out, hundreds of them, are told as figures instead."""
    about = (AuditEvent.subject == "delivery", AuditEvent.subject_id == str(delivery.id), AuditEvent.action != GROUP)
    events = session.exec(views.of_ward(AuditEvent, ward_id).where(*about).order_by(AuditEvent.number).limit(500)).all()
    return [_step(event) for event in events]


def _step(event: AuditEvent) -> Step:
    said = event.particulars
    detail = str(said.get("note") or said.get("url") or said.get("remote_id") or "")
    reason = str(said.get("reason") or "")
    return Step(event.at, event.action, event.actor if event.actor_id else "", detail or reason)

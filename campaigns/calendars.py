"""The calendar: what stands in each outlet's days, whether it is planned, drafted, approved or only expected by a rule."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlmodel import Session, col

from campaigns import views
from campaigns.states import State
from campaigns.timetable import day_bounds, holiday, local, occurrences
from store.tables import Delivery, Outlet, Post, Rule, Ward

MAX_SLOTS = 3000


@dataclass(frozen=True)
class Slot:
    """One thing in the calendar. ``state`` is how a delivery stands, or ``post:…``, or ``rule`` for what is only expected."""

    at: datetime
    day: date
    outlet: Outlet
    title: str
    state: str
    href: str


@dataclass(frozen=True)
class Day:
    """One day of the calendar."""

    date: date
    holiday: str | None
    today: bool
    past: bool


@dataclass(frozen=True)
class Calendar:
    """Days from first to last with what stands in them."""

    days: list[Day]
    outlets: list[Outlet]
    slots: list[Slot]

    def cell(self, outlet: Outlet, day: Day) -> list[Slot]:
        """What one outlet does on one day."""
        return [slot for slot in self.slots if slot.day == day.date and slot.outlet.id == outlet.id]

    def of(self, day: Day) -> list[tuple[datetime, str, str, str, list[Slot]]]:
        """What happens on one day: (moment, title, worst state, address, its slots), one for each post and moment."""
        groups: dict[tuple[datetime, str], list[Slot]] = {}
        for slot in self.slots:
            if slot.day == day.date:
                groups.setdefault((slot.at, slot.href), []).append(slot)
        return [(at, found[0].title, _worst(found), href, found) for (at, href), found in sorted(groups.items())]


def calendar(session: Session, ward: Ward, first: date, days: int, now: datetime) -> Calendar:
    """The ward's calendar of ``days`` days from ``first``, on its wall clock."""
    since, until = day_bounds(first, ward.zone)[0], day_bounds(first + timedelta(days=days - 1), ward.zone)[1]
    places = views.outlets(session, ward.id or 0)
    slots = _planned(session, ward, since, until)
    slots += _not_yet_planned(session, ward, since, until)
    slots += _expected(session, ward, {outlet.id or 0: outlet for outlet in places}, max(since, now), until)
    today = local(now, ward.zone).date()
    made = [first + timedelta(days=number) for number in range(days)]
    return Calendar(
        days=[Day(day, holiday(day), day == today, day < today) for day in made],
        outlets=places,
        slots=sorted(slots, key=lambda slot: (slot.at, slot.outlet.kind)),
    )


def _planned(session: Session, ward: Ward, since: datetime, until: datetime) -> list[Slot]:
    inside = views.of_ward(Delivery, ward.id or 0).where(Delivery.due_at >= since, Delivery.due_at < until)
    query = inside.where(Delivery.state != State.CANCELLED).order_by(Delivery.due_at).limit(MAX_SLOTS)
    return [
        _slot(
            ward,
            line.delivery.due_at,
            line.outlet,
            line.title,
            line.standing,
            f"/quan-tri/bai/{line.delivery.post_id}",
        )
        for line in views.lines(session, ward, query)
    ]


def _not_yet_planned(session: Session, ward: Ward, since: datetime, until: datetime) -> list[Slot]:
    planned = views.of_ward(Delivery, ward.id or 0).where(Delivery.state != State.CANCELLED)
    ids = planned.with_only_columns(col(Delivery.post_id))
    query = views.of_ward(Post, ward.id or 0).where(
        col(Post.due_at) >= since, col(Post.due_at) < until, Post.state != "withdrawn", col(Post.id).not_in(ids)
    )
    return [
        _slot(ward, row.post.due_at, outlet, row.title, f"post:{row.post.state}", f"/quan-tri/bai/{row.post.id}")
        for row in views.posts(session, ward, query.limit(MAX_SLOTS))
        if row.post.due_at is not None
        for outlet in row.outlets
    ]


def _expected(session: Session, ward: Ward, places: dict[int, Outlet], since: datetime, until: datetime) -> list[Slot]:
    rules = session.exec(views.of_ward(Rule, ward.id or 0).where(Rule.state == "approved")).all()
    return [
        _slot(ward, at, places[outlet_id], rule.name, "rule", "/quan-tri/thuong-ky")
        for rule in rules
        for at in occurrences(rule.cron, ward.zone, max(since, rule.planned_to or since), until - timedelta(seconds=1))
        if _in_force(rule, local(at, ward.zone).date())
        for outlet_id in rule.outlet_ids
        if outlet_id in places
    ]


def _in_force(rule: Rule, day: date) -> bool:
    ended = rule.ends_on is not None and day > rule.ends_on
    return rule.starts_on <= day and not ended and (rule.on_holidays or holiday(day) is None)


def _slot(ward: Ward, at: datetime, outlet: Outlet, title: str, state: str, href: str) -> Slot:
    return Slot(at, local(at, ward.zone).date(), outlet, title, state, href)


_SEVERITY = (
    State.NEEDS_HUMAN, State.FAILED, State.MISSED, State.UNKNOWN, State.HELD, "post:returned", "post:draft", "post:submitted",
    views.ON_AIR, State.WIRE, State.PREPARED, State.DUE, "post:approved", "rule", State.WITHDRAWING, State.SENT,
)  # fmt: skip


def _worst(slots: list[Slot]) -> str:
    order = {str(state): place for place, state in enumerate(_SEVERITY)}
    return min((slot.state for slot in slots), key=lambda state: order.get(state, len(order)))

"""How the delivery itself is doing: the loop's last pass, the oldest delivery that should have gone, and what happened lately.

Nothing here reads history: open states come from partial indexes, the last day from (ward, due time) and the newest try numbers.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, func, or_, select, text

from campaigns.states import State
from store.tables import Attempt, Delivery, Hold, Instance, Outlet, Ward, Worker

OVERDUE_AFTER = timedelta(seconds=60)
LATELY = timedelta(hours=24)
OPEN = (
    State.DUE, State.HELD, State.PREPARED, State.WIRE, State.UNKNOWN, State.NEEDS_HUMAN, State.WITHDRAWING,
)  # fmt: skip
BUCKETS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21600.0)
"""Upper bounds of lateness, in seconds."""


@dataclass(frozen=True)
class Pulse:
    """What health is judged by; ``overdue_since`` is when the oldest delivery that could have gone could first go."""

    passed_at: datetime | None
    overdue_since: datetime | None
    safe_mode: bool


@dataclass
class Lateness:
    """How late what was sent was: counts by bucket (the last one is everything), and the sum in seconds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    seconds: float = 0.0

    def add(self, late: float) -> None:
        """Count one; what was early by the clock's grain counts as not late."""
        late = max(late, 0.0)
        for place, bound in enumerate(BUCKETS):
            self.counts[place] += late <= bound
        self.counts[-1] += 1
        self.seconds += late


@dataclass(frozen=True)
class Now:
    """What is open at this moment. ``deliveries`` by (state, kind), ``outlets`` by (state, kind), ``holds`` by (kind, scope)."""

    pulse: Pulse
    deliveries: Counter[tuple[str, str]]
    outlets: Counter[tuple[str, str]]
    holds: Counter[tuple[str, str]]
    workers: Counter[str]


@dataclass(frozen=True)
class Day:
    """The last 24 hours. ``deliveries`` by (state, kind) of what fell due, ``attempts`` by (verb, outcome, reason, kind)."""

    deliveries: Counter[tuple[str, str]]
    attempts: Counter[tuple[str, str, str, str]]
    sent_late: dict[str, Lateness]
    wire_late: dict[str, Lateness]


def pulse(session: Session, now: datetime) -> Pulse:
    """The loop's last full pass and the oldest overdue delivery."""
    alive = select(func.max(Worker.passed_at)).where(col(Worker.stopped_at).is_(None))
    safe = bool(session.exec(select(Instance.safe_mode)).first())
    return Pulse(session.exec(alive).one(), None if safe else _overdue_since(session, now), safe)


def _overdue_since(session: Session, now: datetime) -> datetime | None:
    """Each open outlet's first waiting delivery counts from the moment at which the outlet was free to take it."""
    waiting = (
        select(col(Delivery.outlet_id).label("outlet_id"), func.min(Delivery.next_at).label("next_at"))
        .where(text("delivery.state = 'due'"), col(Delivery.next_at) < now - OVERDUE_AFTER)
        .group_by(col(Delivery.outlet_id))
        .subquery()
    )
    held = select(Hold.id).where(
        col(Hold.released_at).is_(None),
        Hold.kind == "person",
        or_(col(Hold.ward_id).is_(None), col(Hold.ward_id) == col(Outlet.ward_id)),
    )
    query: Any = (
        select(waiting.c.next_at, Outlet.next_slot_at, Outlet.rest_until)
        .join(Outlet, col(Outlet.id) == waiting.c.outlet_id)
        .where(Outlet.state == "open", ~held.exists())
    )
    free = [max(moment for moment in row if moment is not None) for row in session.exec(query).all()]
    return min((moment for moment in free if moment < now - OVERDUE_AFTER), default=None)


def at_this_moment(session: Session, now: datetime) -> Now:
    """Everything open, counted."""
    scope = select(Hold.kind, col(Hold.ward_id).is_(None)).where(col(Hold.released_at).is_(None))
    alive = select(Worker.role, func.count()).where(col(Worker.stopped_at).is_(None), Worker.seen_at > now - LATELY)
    return Now(
        pulse=pulse(session, now),
        deliveries=_open_deliveries(session),
        outlets=_outlets(session, now),
        holds=Counter((kind, "city" if city else "ward") for kind, city in session.exec(scope).all()),
        workers=_counted(session.exec(alive.group_by(Worker.role)).all()),
    )


def _open_deliveries(session: Session) -> Counter[tuple[str, str]]:
    # One seek into the index (outlet, state) for each outlet and open state: the rows of history are never walked.
    each: Any = [_how_many(state) for state in OPEN]
    found: Counter[tuple[str, str]] = Counter()
    for kind, *counts in session.exec(select(Outlet.kind, *each)).all():
        found.update({(state.value, kind): count for state, count in zip(OPEN, counts, strict=True) if count})
    return found


def _how_many(state: State) -> Any:
    mine = (Delivery.outlet_id == Outlet.id, Delivery.state == state)
    return select(func.count(col(Delivery.id))).where(*mine).correlate(Outlet).scalar_subquery()


def _outlets(session: Session, now: datetime) -> Counter[tuple[str, str]]:
    rows = session.exec(select(Outlet.kind, Outlet.state, Outlet.rest_until)).all()
    return Counter(
        ("resting" if state == "open" and rest and rest > now else state, kind) for kind, state, rest in rows
    )


def lately(session: Session, now: datetime) -> Day:
    """The last 24 hours: what fell due, how late it went, and every try."""
    since = now - LATELY
    kinds: dict[int | None, str] = dict(session.exec(select(Outlet.id, Outlet.kind)).all())
    day = Day(Counter(), Counter(), {}, {})
    wards = session.exec(select(Ward.id)).all()
    due = (col(Delivery.ward_id).in_(wards), Delivery.due_at >= since, Delivery.due_at <= now)
    wanted = (Delivery.state, Delivery.outlet_id, Delivery.due_at, Delivery.sent_at, Delivery.wire_at)
    for state, outlet_id, due_at, sent_at, wire_at in session.exec(select(*wanted).where(*due)).all():  # type: ignore[call-overload]
        kind = kinds.get(outlet_id, "")
        day.deliveries[state, kind] += 1
        if sent_at is not None:
            day.sent_late.setdefault(kind, Lateness()).add((sent_at - due_at).total_seconds())
            day.wire_late.setdefault(kind, Lateness()).add(((wire_at or sent_at) - due_at).total_seconds())
    day.attempts.update(_attempts(session, since, kinds))
    return day


def _attempts(session: Session, since: datetime, kinds: dict[int | None, str]) -> Counter[tuple[str, str, str, str]]:
    what = (Attempt.verb, Attempt.outcome, Attempt.reason, Delivery.outlet_id)
    query: Any = (
        select(*what, func.count())  # type: ignore[call-overload]
        .join(Delivery, col(Delivery.id) == col(Attempt.delivery_id))
        .where(col(Attempt.id) >= _first_since(session, since), Attempt.started_at >= since)
        .group_by(*what)
    )
    counted: Counter[tuple[str, str, str, str]] = Counter()
    for verb, outcome, reason, outlet_id, count in session.exec(query).all():
        counted[verb, outcome or "under_way", reason, kinds.get(outlet_id, "")] += count
    return counted


def _first_since(session: Session, since: datetime) -> int:
    """The number of about the first try since then, found by halving: tries are numbered as they begin."""
    low, high = 0, (session.exec(select(func.max(Attempt.id))).one() or 0) + 1
    while low < high:
        middle = (low + high) // 2
        began = session.exec(
            select(Attempt.started_at).where(col(Attempt.id) >= middle).order_by(col(Attempt.id)).limit(1)
        ).first()
        if began is not None and began < since:
            low = middle + 1
        else:
            high = middle
    return low


def size(session: Session) -> int:
    """How many bytes the database takes."""
    if session.get_bind().dialect.name == "postgresql":
        return int(session.connection().exec_driver_sql("select pg_database_size(current_database())").scalar_one())
    pages, bytes_each = (
        session.connection().exec_driver_sql(f"pragma {name}").scalar_one() for name in ("page_count", "page_size")
    )
    return int(pages) * int(bytes_each)


def _counted(rows: Sequence[Any]) -> Counter[str]:
    return Counter(dict(rows))

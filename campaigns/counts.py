"""The questions that figures ask of the database: aggregates over the deliveries that fell due in a period.

The same words for SQLite and PostgreSQL; only «seconds between two moments» differs and is spelled once.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Float,
    Select,
    and_,
    case,
    distinct,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import aliased
from sqlalchemy.sql.functions import GenericFunction
from sqlmodel import Session, col

from campaigns.states import State
from store.tables import Campaign, Delivery, Metric, Outlet, Post, Task, User

EVIDENT = (State.SENT, State.WITHDRAWING, State.WITHDRAWN)
TROUBLED = (State.FAILED, State.MISSED, State.UNKNOWN, State.NEEDS_HUMAN, State.CLOSED)
BATCH = 500
SHARES = (0.50, 0.95, 1.0)


class seconds_between(GenericFunction[float]):  # noqa: N801
    """The seconds from the first moment to the second."""

    type = Float()
    inherit_cache = True


@compiles(seconds_between, "sqlite")
def _seconds_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    start, end = (compiler.process(clause, **options) for clause in element.clauses)
    return f"((julianday({end}) - julianday({start})) * 86400.0)"


@compiles(seconds_between, "postgresql")
def _seconds_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    start, end = (compiler.process(clause, **options) for clause in element.clauses)
    return f"cast(extract(epoch from ({end} - {start})) as double precision)"


@dataclass(frozen=True)
class Scope:
    """Whose deliveries, and which: those due from ``start`` up to (not at) ``end``; ``ward_id`` None is every ward."""

    ward_id: int | None
    start: datetime
    end: datetime

    def due(self) -> list[ColumnElement[bool]]:
        """The deliveries that fell due in the period."""
        return [*self.of(Delivery), col(Delivery.due_at) >= self.start, col(Delivery.due_at) < self.end]

    def of(self, table: Any) -> list[ColumnElement[bool]]:
        """The ward's rows of a table."""
        return [] if self.ward_id is None else [col(table.ward_id) == self.ward_id]


def by_outlet(session: Session, scope: Scope) -> list[Any]:
    """(outlet_id, kind, name, state, count)."""
    wanted = (Outlet.id, Outlet.kind, Outlet.name, Delivery.state)
    query = select(*wanted, func.count()).join(Outlet, col(Outlet.id) == col(Delivery.outlet_id))  # type: ignore[call-overload]
    return _rows(session, query.where(*scope.due()).group_by(*wanted).order_by(Outlet.kind, Outlet.name))


def posts_out_by_kind(session: Session, scope: Scope) -> dict[str, int]:
    """How many different posts went out on each kind of channel."""
    query = select(col(Outlet.kind), func.count(distinct(col(Delivery.post_id))))
    query = query.join(Outlet, col(Outlet.id) == col(Delivery.outlet_id))
    query = query.where(*scope.due(), col(Delivery.state).in_(EVIDENT)).group_by(col(Outlet.kind))
    return dict(tuple(row) for row in _rows(session, query))


def by_task(session: Session, scope: Scope) -> list[Any]:
    """(task_id or None, kind, state, count)."""
    wanted = (col(Post.task_id), col(Outlet.kind), col(Delivery.state))
    query = select(*wanted, func.count()).select_from(Delivery).join(Post, col(Post.id) == col(Delivery.post_id))
    query = query.join(Outlet, col(Outlet.id) == col(Delivery.outlet_id))
    return _rows(session, query.where(*scope.due()).group_by(*wanted))


def posts_by_task(session: Session, scope: Scope) -> list[Any]:
    """(task_id or None, posts planned, posts that went out somewhere)."""
    went_out = case((col(Delivery.state).in_(EVIDENT), col(Delivery.post_id)))
    wanted = (col(Post.task_id), func.count(distinct(col(Delivery.post_id))), func.count(distinct(went_out)))
    query = select(*wanted).select_from(Delivery).join(Post, col(Post.id) == col(Delivery.post_id))
    return _rows(session, query.where(*scope.due()).group_by(col(Post.task_id)))


def tasks(session: Session, scope: Scope) -> list[Task]:
    """Every task of the ward, in the order of the plan."""
    return list(
        session.execute(select(Task).where(*scope.of(Task)).order_by(col(Task.ward_id), col(Task.id))).scalars()
    )


def decisions(session: Session, scope: Scope) -> list[str]:
    """The decision that each campaign of the ward carries out."""
    return list(
        session.execute(select(col(Campaign.decision)).where(*scope.of(Campaign)).order_by(col(Campaign.id))).scalars()
    )


def by_due_time(session: Session, scope: Scope) -> list[Any]:
    """(due_at, state, count): as many rows as there are different moments, which callers fold into local days."""
    wanted = (col(Delivery.due_at), col(Delivery.state))
    return _rows(session, select(*wanted, func.count()).where(*scope.due()).group_by(*wanted).order_by(wanted[0]))


def lateness(session: Session, scope: Scope) -> list[Any]:
    """(kind, count, p50, p95, max) in seconds over what went out; nearest rank."""
    return _rows(session, _ranked(scope, col(Outlet.kind)))


def lateness_of_all(session: Session, scope: Scope) -> list[Any]:
    """The same over every kind together; the kind is empty. No row when nothing went out."""
    return _rows(session, _ranked(scope, None))


def newest_metrics(session: Session, scope: Scope, audience: dict[str, frozenset[str]]) -> list[Any]:
    """(kind, name, label, formula, sum, deliveries, first taken, last taken) of each delivery's newest value.

    ``audience`` names, by kind, the figures that tell the size of an outlet and are not added up.
    """
    newest = _newest(scope, [col(Metric.delivery_id), col(Metric.name)], not_(_is_audience(audience)))
    keys = (newest.c.kind, newest.c.name, newest.c.label, newest.c.formula)
    totals = (func.sum(newest.c.value), func.count(), func.min(newest.c.taken_at), func.max(newest.c.taken_at))
    return _rows(session, select(*keys, *totals).where(newest.c.place == 1).group_by(*keys).order_by(*keys))


def newest_audience(session: Session, scope: Scope, audience: dict[str, frozenset[str]]) -> list[Any]:
    """(kind, outlet, name, label, formula, value, taken_at): the newest value per outlet."""
    if not any(audience.values()):
        return []
    newest = _newest(scope, [col(Delivery.outlet_id), col(Metric.name)], _is_audience(audience))
    wanted = (
        newest.c.kind,
        newest.c.outlet,
        newest.c.name,
        newest.c.label,
        newest.c.formula,
        newest.c.value,
        newest.c.taken_at,
    )
    return _rows(session, select(*wanted).where(newest.c.place == 1).order_by(*wanted[:3]))


def evidence(session: Session, scope: Scope) -> list[Any]:
    """Each delivery that went out, in the order of time, with its outlet, post, author and approver."""
    author, approver = aliased(User), aliased(User)
    wanted: tuple[Any, ...] = (
        col(Delivery.key), col(Delivery.post_id), col(Delivery.state), col(Delivery.due_at), col(Delivery.sent_at),
        col(Delivery.url), col(Delivery.remote_ids), col(Delivery.approved_digest), col(Delivery.adopted), col(Delivery.parts),
        col(Outlet.kind), col(Outlet.name).label("outlet"), col(Post.title), col(author.name).label("author"),
        col(approver.name).label("approver"),
    )  # fmt: skip
    query = _with_post(select(*wanted)).join(author, col(author.id) == col(Post.author_id))
    query = query.outerjoin(approver, col(approver.id) == col(Post.approver_id))
    query = query.where(*scope.due(), col(Delivery.state).in_(EVIDENT))
    return _rows(session, query.order_by(col(Delivery.sent_at), col(Delivery.id)))


def troubles(session: Session, scope: Scope) -> list[Any]:
    """Each delivery that did not go out, or of which nobody knows, with its reason."""
    wanted: tuple[Any, ...] = (
        col(Delivery.key), col(Delivery.post_id), col(Delivery.state), col(Delivery.due_at), col(Delivery.reason),
        col(Delivery.detail), col(Delivery.tries), col(Outlet.kind), col(Outlet.name).label("outlet"), col(Post.title),
    )  # fmt: skip
    query = _with_post(select(*wanted)).where(*scope.due(), col(Delivery.state).in_(TROUBLED))
    return _rows(session, query.order_by(col(Delivery.due_at), col(Delivery.id)))


def titles_in_messages(session: Session, post_ids: set[int], scope: Scope) -> dict[int, str]:
    """The title that posts without one of their own (made by a standing rule) got when their template was filled in."""
    found: dict[int, str] = {}
    for ids in _batches(sorted(post_ids)):
        query = select(col(Delivery.post_id), col(Delivery.message)).where(*scope.due(), col(Delivery.post_id).in_(ids))
        for post_id, message in _rows(session, query):
            _first_title(found, post_id, message or {})
    return found


def _batches(ids: list[int]) -> list[list[int]]:
    return [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]


def _first_title(found: dict[int, str], post_id: int, message: dict[str, Any]) -> None:
    title = next((part["title"] for part in message.get("parts", []) if part.get("title")), "")
    if title:
        found.setdefault(post_id, title)


def staff(session: Session, scope: Scope) -> tuple[int, int, int, int]:
    """(posts of the period, those that a second person approved, authors, approvers)."""
    authors, approvers = func.count(distinct(col(Post.author_id))), func.count(distinct(col(Post.approver_id)))
    approved = func.count(distinct(case((col(Post.approver_id).is_not(None), col(Post.id)))))
    query = select(func.count(distinct(col(Post.id))), approved, authors, approvers)
    row = _rows(
        session, query.select_from(Delivery).join(Post, col(Post.id) == col(Delivery.post_id)).where(*scope.due())
    )[0]
    return row[0], row[1], row[2], row[3]


def upcoming(session: Session, scope: Scope) -> list[Any]:
    """(task_id or None, posts, first due, last due) of the approved posts that fall due at or after the period's end."""
    query = select(col(Post.task_id), func.count(), func.min(col(Post.due_at)), func.max(col(Post.due_at)))
    query = query.where(*scope.of(Post), col(Post.state) == "approved", col(Post.due_at) >= scope.end)
    return _rows(session, query.group_by(col(Post.task_id)).order_by(func.min(col(Post.due_at))))


def _rows(session: Session, query: Any) -> list[Any]:
    return list(session.execute(query).all())


def _with_post(query: Select[Any]) -> Select[Any]:
    query = query.select_from(Delivery).join(Post, col(Post.id) == col(Delivery.post_id))
    return query.join(Outlet, col(Outlet.id) == col(Delivery.outlet_id))


def _ranked(scope: Scope, key: Any | None) -> Select[Any]:
    late = seconds_between(col(Delivery.due_at), col(Delivery.sent_at))
    place = func.row_number().over(partition_by=key, order_by=late).label("place")
    total = func.count().over(partition_by=key).label("total")
    kind = literal_column("''") if key is None else key
    query = select(kind.label("kind"), late.label("late"), place, total).select_from(Delivery)
    query = query.join(Outlet, col(Outlet.id) == col(Delivery.outlet_id))
    row = query.where(*scope.due(), col(Delivery.state).in_(EVIDENT), col(Delivery.sent_at).is_not(None)).subquery()
    picked = [func.min(case((row.c.place >= row.c.total * share, row.c.late))) for share in SHARES]
    return select(row.c.kind, func.max(row.c.total), *picked).group_by(row.c.kind).order_by(row.c.kind)


def _newest(scope: Scope, of: list[Any], which: ColumnElement[bool]) -> Any:
    order = (col(Metric.taken_at).desc(), col(Metric.id).desc())
    place = func.row_number().over(partition_by=of, order_by=order).label("place")
    values = (col(Metric.name), col(Metric.label), col(Metric.formula), col(Metric.value), col(Metric.taken_at))
    query = select(col(Outlet.kind), col(Outlet.name).label("outlet"), *values, place).select_from(Metric)
    query = query.join(Delivery, col(Delivery.id) == col(Metric.delivery_id))
    query = query.join(Outlet, col(Outlet.id) == col(Delivery.outlet_id))
    return query.where(*scope.due(), col(Metric.taken_at) <= scope.end, which).subquery()


def _is_audience(audience: dict[str, frozenset[str]]) -> ColumnElement[bool]:
    pairs = [
        and_(col(Outlet.kind) == kind, col(Metric.name).in_(sorted(names))) for kind, names in audience.items() if names
    ]
    return or_(*pairs) if pairs else false()

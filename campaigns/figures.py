"""The figures of a period: what was planned and what came of it, how late, how far it reached, and the evidence.

Deliveries belong to the period in which they fell due. Reach is counted in «lượt», never in people; figures of
different names are never added up. What each figure means stands in docs/report.md.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from sqlmodel import Session

from campaigns import airtime, counts, followers, wording
from campaigns.states import State
from campaigns.tallies import (
    AirRow,
    AudienceRow,
    Evidence,
    Figures,
    LatenessRow,
    LoggedAirRow,
    OutletRow,
    ReachRow,
    Share,
    SpanRow,
    Tally,
    TaskRow,
    Trouble,
    Upcoming,
)
from campaigns.timetable import local
from channels.contract import AIR_SECONDS, Channel, Grassroots
from channels.registry import kinds
from store.tables import Ward

DEFAULT_ZONE = "Asia/Ho_Chi_Minh"


def figures(
    session: Session, ward_id: int | None, start: datetime, end: datetime, with_evidence: bool = True
) -> Figures:
    """The figures of the deliveries due from ``start`` up to ``end``; ``ward_id`` None counts every ward together.

    Reach is the newest value taken up to ``end``. The current states are counted: say with the figures when they were
    read. ``with_evidence`` False leaves the list of evidence empty, for pages that show numbers only.
    """
    scope = counts.Scope(ward_id, start, end)
    ward = session.get(Ward, ward_id) if ward_id is not None else None
    zone = ward.zone if ward else DEFAULT_ZONE
    outlets = _outlets(counts.by_outlet(session, scope))
    tasks = _tasks(session, scope)
    reach = [_reach(row) for row in counts.newest_metrics(session, scope, _audience_names())]
    days = _days(counts.by_due_time(session, scope), zone)
    posts, approved, authors, approvers = counts.staff(session, scope)
    return Figures(
        ward_id=ward_id,
        zone=zone,
        start=start,
        end=end,
        total=sum((row.tally for row in outlets), Tally()),
        posts=posts,
        posts_approved=approved,
        posts_sent=sum(row.posts_sent for row in tasks),
        authors=authors,
        approvers=approvers,
        documents=_documents(session, scope, tasks),
        outlets=outlets,
        tasks=tasks,
        days=days,
        weeks=_weeks(days),
        lateness=_lateness(session, scope),
        reach=reach,
        audience=[
            *(_audience(row) for row in counts.newest_audience(session, scope, _audience_names())),
            *followers.rows(session, scope),
        ],
        air=_air(session, scope, outlets, reach),
        evidence=_evidence(session, scope) if with_evidence else [],
        troubles=_troubles(session, scope),
        upcoming=_upcoming(session, scope, tasks),
    )


def kind_class(kind: str) -> type[Channel]:
    """The channel class of a kind; the bare contract for one that is no longer installed."""
    return kinds().get(kind, Channel)


def kind_name(kind: str) -> str:
    """The kind's name on screen; the kind itself for one that is no longer installed."""
    return getattr(kind_class(kind), "name", kind)


def _outlets(rows: Iterable[Any]) -> list[OutletRow]:
    counted: dict[tuple[int, str, str], list[tuple[str, int]]] = defaultdict(list)
    for outlet_id, kind, name, state, count in rows:
        counted[outlet_id, kind, name].append((state, count))
    made = [_outlet(*key, Tally.of(pairs)) for key, pairs in counted.items()]
    order = [str(one) for one in Grassroots]
    return sorted(made, key=lambda row: (_place(order, row.grassroots), row.kind_name, row.outlet))


def _outlet(outlet_id: int, kind: str, name: str, tally: Tally) -> OutletRow:
    maker = kind_class(kind)
    return OutletRow(
        outlet_id=outlet_id, kind=kind, kind_name=kind_name(kind), grassroots=str(maker.grassroots_kind), unit=maker.unit,
        outlet=name, tally=tally,
    )  # fmt: skip


def _place(order: list[str], name: str) -> int:
    return order.index(name) if name in order else len(order)


def _tasks(session: Session, scope: counts.Scope) -> list[TaskRow]:
    by_state: dict[int | None, list[tuple[str, int]]] = defaultdict(list)
    by_class: dict[int | None, dict[str, list[tuple[str, int]]]] = defaultdict(lambda: defaultdict(list))
    for task_id, kind, state, count in counts.by_task(session, scope):
        by_state[task_id].append((state, count))
        by_class[task_id][str(kind_class(kind).grassroots_kind)].append((state, count))
    posts = {task_id: (planned, sent) for task_id, planned, sent in counts.posts_by_task(session, scope)}

    def numbers(task_id: int | None) -> dict[str, Any]:
        planned, sent = posts.get(task_id, (0, 0))
        shares = {name: _share(Tally.of(pairs)) for name, pairs in sorted(by_class[task_id].items())}
        return {
            "posts_planned": planned,
            "posts_sent": sent,
            "tally": Tally.of(by_state[task_id]),
            "by_grassroots": shares,
        }

    named = [
        TaskRow(
            task_id=task.id, code=task.code, document=task.document, clause=task.clause, summary=task.summary,
            lead=task.lead, **numbers(task.id),
        )
        for task in counts.tasks(session, scope)
    ]  # fmt: skip
    loose = [TaskRow(task_id=None, summary=wording.NO_TASK, **numbers(None))] if None in posts else []
    return named + loose


def _share(tally: Tally) -> Share:
    return Share(planned=tally.planned, sent=tally.sent + tally.withdrawn)


def _days(rows: Iterable[Any], zone: str) -> list[SpanRow]:
    counted: dict[date, list[tuple[str, int]]] = defaultdict(list)
    for due_at, state, count in rows:
        counted[local(due_at, zone).date()].append((state, count))
    return [SpanRow(first=day, tally=Tally.of(pairs)) for day, pairs in sorted(counted.items())]


def _weeks(days: list[SpanRow]) -> list[SpanRow]:
    weeks: dict[date, Tally] = defaultdict(Tally)
    for row in days:
        weeks[row.first - timedelta(days=row.first.weekday())] += row.tally
    return [SpanRow(first=monday, tally=tally) for monday, tally in weeks.items()]


def _lateness(session: Session, scope: counts.Scope) -> list[LatenessRow]:
    rows = [*counts.lateness_of_all(session, scope), *counts.lateness(session, scope)]
    return [
        LatenessRow(
            kind=kind, kind_name=kind_name(kind) if kind else "Tất cả các kênh", count=count,
            p50=_late(p50), p95=_late(p95), max=_late(most),
        )
        for kind, count, p50, p95, most in rows
    ]  # fmt: skip


def _late(seconds: float) -> float:
    return max(round(seconds, 3), 0.0)


def _audience_names() -> dict[str, frozenset[str]]:
    return {kind: maker.audience_figures for kind, maker in kinds().items() if maker.audience_figures}


def _reach(row: Any) -> ReachRow:
    kind, name, label, formula, value, deliveries, first, last = row
    return ReachRow(
        kind=kind, kind_name=kind_name(kind), grassroots=str(kind_class(kind).grassroots_kind), name=name, label=label,
        formula=formula, value=int(value), deliveries=deliveries, first_taken_at=first, last_taken_at=last,
    )  # fmt: skip


def _audience(row: Any) -> AudienceRow:
    return AudienceRow(kind_name=kind_name(row.kind), **row._mapping)


def _air(
    session: Session, scope: counts.Scope, outlets: list[OutletRow], reach: list[ReachRow]
) -> list[LoggedAirRow | AirRow]:
    """By the log book where it has lines of the period, so that the report and the book never differ."""
    posts = counts.posts_out_by_kind(session, scope)
    logged = airtime.by_kind(session, scope.ward_id, scope.start, scope.end)
    heard = {row.kind for row in outlets if row.grassroots == Grassroots.STATION} | set(logged)
    return [
        _logged(kind, logged[kind]) if kind in logged else _aired(kind, posts.get(kind, 0), outlets, reach)
        for kind in sorted(heard)
    ]


def _logged(kind: str, sums: airtime.Totals) -> LoggedAirRow:
    return LoggedAirRow(
        kind=kind, kind_name=kind_name(kind), posts=sums.bulletins, airings=sums.airings, seconds=sums.seconds,
        clusters=sums.clusters, reached=sums.reached, tried=sums.tried,
    )  # fmt: skip


def _aired(kind: str, posts: int, outlets: list[OutletRow], reach: list[ReachRow]) -> AirRow:
    airings = sum(_share(row.tally).sent for row in outlets if row.kind == kind)
    told = [row.value for row in reach if row.kind == kind and row.name == AIR_SECONDS]
    return AirRow(
        kind=kind, kind_name=kind_name(kind), posts=posts, airings=airings, seconds=sum(told) if told else None
    )


def _documents(session: Session, scope: counts.Scope, tasks: list[TaskRow]) -> list[str]:
    named = [*counts.decisions(session, scope), *(row.document for row in tasks)]
    return list(dict.fromkeys(name for name in named if name))


def _evidence(session: Session, scope: counts.Scope) -> list[Evidence]:
    rows = counts.evidence(session, scope)
    titles = counts.titles_in_messages(session, {row.post_id for row in rows if not row.title}, scope)
    return [_proof(row, row.title or titles.get(row.post_id, "")) for row in rows]


def _proof(row: Any, title: str) -> Evidence:
    return Evidence(
        key=row.key,
        kind=row.kind,
        kind_name=kind_name(row.kind),
        outlet=row.outlet,
        title=title,
        due_at=row.due_at,
        sent_at=row.sent_at,
        url=row.url,
        remote_id=", ".join(filter(None, row.remote_ids)),
        author=row.author,
        approver=row.approver or "",
        digest=row.approved_digest[:12],
        label="measured" if len(row.remote_ids) >= max(row.parts, 1) else "declared",
        note=_note(row),
    )


def _note(row: Any) -> str:
    if row.state == State.WITHDRAWN:
        return "Đã gỡ"
    return "Tra cứu thấy trên kênh" if row.adopted and row.remote_ids else ""


def _troubles(session: Session, scope: counts.Scope) -> list[Trouble]:
    rows = counts.troubles(session, scope)
    titles = counts.titles_in_messages(session, {row.post_id for row in rows if not row.title}, scope)
    return [
        Trouble(
            key=row.key, kind=row.kind, kind_name=kind_name(row.kind), outlet=row.outlet,
            title=row.title or titles.get(row.post_id, ""), state=row.state, due_at=row.due_at,
            reason=_reason(row), detail=row.detail, tries=row.tries,
        )
        for row in rows
    ]  # fmt: skip


def _reason(row: Any) -> str:
    return wording.REASONS.get(row.reason) or wording.WHY_STATE[row.state]


def _upcoming(session: Session, scope: counts.Scope, tasks: list[TaskRow]) -> list[Upcoming]:
    summaries = {row.task_id: row.summary for row in tasks} | {None: wording.NO_TASK}
    return [
        Upcoming(task_id=task_id, summary=summaries[task_id], posts=posts, first_due_at=first, last_due_at=last)
        for task_id, posts, first, last in counts.upcoming(session, scope)
    ]

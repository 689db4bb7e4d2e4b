"""The end of a rehearsal: counted from what the platforms hold, exported for people to read, reported."""

import html
import re
import shutil
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel
from sqlmodel import Session, col, func, select

from campaigns import reports
from campaigns.audit import Actor, verify
from campaigns.outlets import Desk
from campaigns.people import Role
from campaigns.states import FINAL, State
from campaigns.timetable import local
from channels.contract import Message
from channels.registry import kinds
from channels.twin import Place, Trace
from content.text import slug, squeeze
from store.engine import Store
from store.tables import Delivery, Metric, Outlet, Post, Template, Ward

COUNTED = (
    State.SENT, State.FAILED, State.MISSED, State.UNKNOWN, State.NEEDS_HUMAN, State.HELD, State.CANCELLED,
)  # fmt: skip


class Lateness(BaseModel):
    """Seconds from the approved moment to the moment it was out."""

    p50: float = 0
    p95: float = 0
    max: float = 0


class Line(BaseModel):
    """One ward and channel. ``duplicates``, ``losses`` and ``strays`` come from what the platform holds."""

    ward: str
    channel: str
    planned: int = 0
    sent: int = 0
    failed: int = 0
    missed: int = 0
    unknown: int = 0
    needs_human: int = 0
    held: int = 0
    cancelled: int = 0
    unfinished: int = 0
    duplicates: int = 0
    losses: int = 0
    strays: int = 0
    lateness_seconds: Lateness = Lateness()
    reach: dict[str, dict[str, int]] = {}


class Summary(BaseModel):
    """What a rehearsal came to; ``clean`` is what its exit code says."""

    start: datetime
    end: datetime
    lines: list[Line]
    templates_used: int
    audit_events: int
    clean: bool
    complaints: list[str]


@dataclass(frozen=True)
class Kept:
    """A delivery and what the platform holds of it."""

    delivery: Delivery
    traces: list[list[Trace]]


async def conclude(
    store: Store, desk: Desk, places: dict[str, Place], out: Path, start: datetime, end: datetime
) -> Summary:
    """Compare, export, report; writes summary.json, bao-cao.docx, bao-cao.xlsx and a folder per channel."""
    with store.read() as session:
        wards = list(session.exec(select(Ward).order_by(col(Ward.id))).all())
    lines: list[Line] = []
    for kind, channel in kinds().items():
        shutil.rmtree(out / kind, ignore_errors=True)
        for ward in wards:
            traces = await channel.rehearsal().traces(places[ward.slug], desk.wire)
            with store.read() as session:
                lines.append(_line(session, ward, kind, traces))
            _export(out / kind / ward.slug, traces, ward)
    with store.read() as session:
        summary = _summary(session, lines, wards, start, end)
    (out / "summary.json").write_text(summary.model_dump_json(indent=2), encoding="utf-8")
    _report(store, desk, wards, out, start, end)
    return summary


def _line(session: Session, ward: Ward, kind: str, traces: list[Trace]) -> Line:
    mine = select(Delivery).join(Outlet, col(Outlet.id) == col(Delivery.outlet_id))
    deliveries = session.exec(mine.where(Delivery.ward_id == ward.id, Outlet.kind == kind)).all()
    states = Counter(delivery.state for delivery in deliveries)
    kept = [Kept(delivery, _held(delivery, traces)) for delivery in deliveries]
    claimed = {trace.remote_id for one in kept for found in one.traces for trace in found}
    return Line(
        ward=ward.slug,
        channel=kind,
        planned=len(deliveries),
        unfinished=sum(delivery.state not in FINAL for delivery in deliveries),
        duplicates=sum(max(len(found) - 1, 0) for one in kept for found in one.traces),
        losses=sum(not found for one in kept if one.delivery.state == State.SENT for found in one.traces),
        strays=len([t for t in traces if t.remote_id not in claimed]) + sum(_false_no(one) for one in kept),
        lateness_seconds=_lateness(list(deliveries)),
        reach=_reach(session, ward, kind),
        **{state.value: states[state] for state in COUNTED},
    )


def _held(delivery: Delivery, traces: list[Trace]) -> list[list[Trace]]:
    if not delivery.message:
        return [[trace for trace in traces if _carries(trace, delivery.key)]]
    message = Message.model_validate(delivery.message)
    return [[t for t in traces if _carries(t, part.marker or delivery.key)] for part in message.parts]


def _carries(trace: Trace, marker: str) -> bool:
    wanted = re.compile(re.escape(squeeze(marker)) + r"(?![\w-])")
    return any(wanted.search(squeeze(text)) for text in (trace.remote_id, trace.text, trace.html))


def _false_no(one: Kept) -> bool:
    said_no = one.delivery.state in (State.FAILED, State.MISSED, State.CANCELLED, State.DUE)
    return said_no and any(one.traces) and one.delivery.part == 0


def _lateness(deliveries: list[Delivery]) -> Lateness:
    late = sorted(
        max((d.sent_at - d.due_at).total_seconds(), 0) for d in deliveries if d.sent_at and d.state == State.SENT
    )
    if not late:
        return Lateness()

    def at(share: float) -> float:
        return round(late[min(int(share * len(late)), len(late) - 1)], 3)

    return Lateness(p50=at(0.5), p95=at(0.95), max=round(late[-1], 3))


def _reach(session: Session, ward: Ward, kind: str) -> dict[str, dict[str, int]]:
    newest = (
        select(col(Metric.delivery_id), col(Metric.name), func.max(Metric.id).label("id"))
        .join(Delivery, col(Delivery.id) == col(Metric.delivery_id))
        .join(Outlet, col(Outlet.id) == col(Delivery.outlet_id))
        .where(Metric.ward_id == ward.id, Outlet.kind == kind)
        .group_by(col(Metric.delivery_id), col(Metric.name))
        .subquery()
    )
    found: dict[str, dict[str, int]] = defaultdict(dict)
    rows = session.exec(
        select(Metric.label, Metric.name, func.sum(Metric.value), func.max(Metric.value))
        .join(newest, newest.c.id == Metric.id)
        .group_by(Metric.label, Metric.name)
    )
    of_the_account = kinds()[kind].audience_figures
    for label, name, total, highest in rows:
        found[label][name] = int(highest if name in of_the_account else total)
    return dict(found)


def _summary(session: Session, lines: list[Line], wards: list[Ward], start: datetime, end: datetime) -> Summary:
    used = session.exec(
        select(func.count(func.distinct(Template.slug)))
        .join(Post, col(Post.template_id) == col(Template.id))
        .join(Delivery, col(Delivery.post_id) == col(Post.id))
        .where(Delivery.state == State.SENT)
    ).one()
    complaints = [complaint for line in lines for complaint in _complaints(line)]
    return Summary(
        start=start,
        end=end,
        lines=lines,
        templates_used=used,
        audit_events=sum(verify(session, ward.id or 0) for ward in wards),
        clean=not complaints,
        complaints=complaints,
    )


def _complaints(line: Line) -> list[str]:
    place = f"{line.ward}, {line.channel}"
    said = {
        "chưa tới trạng thái cuối": line.unfinished,
        "bị mất": line.losses,
        "bị đăng lặp": line.duplicates,
        "có trên nền tảng mà sổ không ghi": line.strays,
    }
    none = [f"{place}: không có lượt nào được đăng."] if not line.sent else []
    return none + [f"{place}: {count} lượt {words}." for words, count in said.items() if count]


def _export(folder: Path, traces: list[Trace], ward: Ward) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, trace in enumerate(traces, 1):
        at = local(trace.at, ward.zone)
        name = f"{at:%Y-%m-%d-%Hh%M}-{number:03d}-{slug(trace.title or trace.text, 40) or 'tin'}"
        page = _page(trace, f"{at:%d/%m/%Y %Hh%M}")
        shown = [file for file in trace.files if file.suffix not in (".txt", ".json")]
        for place, file in enumerate(shown, 1):
            copy = f"{name}{'' if place == 1 else f'-{place}'}{file.suffix}"
            shutil.copyfile(file, folder / copy)
            page = page.replace(file.name, copy)
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
        (folder / f"{name}.txt").write_text(f"{trace.title}\n\n{trace.text}".strip() + "\n", encoding="utf-8")


def _page(trace: Trace, at: str) -> str:
    title = html.escape(trace.title or squeeze(trace.text)[:80])
    body = trace.html or f"<pre>{html.escape(trace.text)}</pre>"
    look = "body{font:17px/1.6 'Be Vietnam Pro',sans-serif;max-width:42rem;margin:2rem auto;padding:0 1rem}pre{white-space:pre-wrap;font:inherit}"
    return (
        f'<!doctype html><html lang="vi"><meta charset="utf-8"><title>{title}</title><style>{look}</style>'
        f"<p><small>{html.escape(at)} · {html.escape(trace.remote_id)}</small></p><h1>{title}</h1>{body}</html>"
    )


def _report(store: Store, desk: Desk, wards: list[Ward], out: Path, start: datetime, end: datetime) -> None:
    with store.write() as session:
        rehearsal = Actor(None, "Diễn tập", Role.ADMIN)
        reports.write(session, rehearsal, wards, start, end, out, desk.now(), rehearsal=True)

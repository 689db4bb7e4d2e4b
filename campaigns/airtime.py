"""Reading the log book («Sổ phát thanh»): the lines of a month or a period as people read them, and their sums."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from campaigns import urgency
from campaigns.logbook import PARTLY, PLAYED, SILENT, UNKNOWN
from campaigns.timetable import day_bounds, local
from content.templates import format_date
from store.airings import LogEntry
from store.tables import Outlet, Ward

VERDICTS = {PLAYED: "Đã phát", PARTLY: "Phát không trọn", UNKNOWN: "Chưa rõ", SILENT: "Chưa phát"}
_HEARD = frozenset({PLAYED, PARTLY})
MACHINE = "Chương trình"


@dataclass(frozen=True)
class Totals:
    """Sums of the lines in force: bulletins, airings, seconds heard, clusters, and their airings played of all tried."""

    bulletins: int = 0
    airings: int = 0
    seconds: int = 0
    clusters: int = 0
    reached: int = 0
    tried: int = 0


@dataclass(frozen=True)
class Row:
    """One line as it stands in the book, in Vietnamese; ``replaced_by`` is the number of the line in its place, or 0."""

    id: int
    number: int
    delivery_id: int
    day: str
    isoday: str
    began: str
    ended: str
    title: str
    level: str
    length: str
    way: str
    clusters: str
    silent: str
    verdict: str
    said: str
    author: str
    approver: str
    source: str
    by: str
    remark: str
    corrects: int
    replaced_by: int


@dataclass(frozen=True)
class Book:
    """The lines of a period in the order of their hours, and the sums of those in force."""

    rows: tuple[Row, ...]
    totals: Totals


def month(day: date) -> tuple[date, date]:
    """The first and the last day of the month of a day."""
    first = day.replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)


def bounds(first: date, last: date, zone: str) -> tuple[datetime, datetime]:
    """From the first moment of the first day to the first moment after the last."""
    return day_bounds(first, zone)[0], day_bounds(last, zone)[1]


def book(session: Session, ward: Ward, start: datetime, end: datetime, outlet_id: int | None = None) -> Book:
    """The ward's book from ``start`` to before ``end``, of one outlet or of all."""
    found = lines(session, ward.id, start, end, outlet_id)
    numbers, later = _links(session, found)
    rows = tuple(_row(one, ward.zone, numbers, later) for one in found)
    return Book(rows, totals(one for one in found if one.id not in later))


def lines(
    session: Session, ward_id: int | None, start: datetime, end: datetime, outlet_id: int | None = None
) -> Sequence[LogEntry]:
    """The lines of a ward (None: of all), those that others replace included."""
    wanted = select(LogEntry).where(LogEntry.at >= start, LogEntry.at < end)
    if ward_id is not None:
        wanted = wanted.where(LogEntry.ward_id == ward_id)
    if outlet_id is not None:
        wanted = wanted.where(LogEntry.outlet_id == outlet_id)
    return session.exec(wanted.order_by(col(LogEntry.at), col(LogEntry.number))).all()


def in_force(session: Session, found: Sequence[LogEntry]) -> list[LogEntry]:
    """Of these lines those in whose place no other stands."""
    _, later = _links(session, found)
    return [one for one in found if one.id not in later]


def totals(found: Iterable[LogEntry]) -> Totals:
    """The sums of these lines; what was not heard counts only among the clusters that were tried."""
    rows = list(found)
    heard = [one for one in rows if one.verdict in _HEARD]
    every = [(one.outlet_id, cluster) for one in rows for cluster in one.clusters]
    played = [(outlet_id, cluster["name"]) for outlet_id, cluster in every if cluster["state"] == "played"]
    return Totals(
        len({one.post_id for one in heard}),
        len(heard),
        sum(one.seconds for one in heard),
        len(set(played)),
        len(played),
        len(every),
    )


def by_kind(session: Session, ward_id: int | None, start: datetime, end: datetime) -> dict[str, Totals]:
    """The sums of a period by the kind of channel, for the report; kinds without a line in force are left out."""
    standing = in_force(session, lines(session, ward_id, start, end))
    asked = select(Outlet.id, Outlet.kind).where(col(Outlet.id).in_({one.outlet_id for one in standing}))
    kinds = {row[0]: row[1] for row in session.exec(asked)} if standing else {}
    return {kind: totals(one for one in standing if kinds[one.outlet_id] == kind) for kind in set(kinds.values())}


def of_delivery(session: Session, ward: Ward, delivery_id: int) -> list[Row]:
    """Every line of one delivery, in the order in which they were written."""
    mine = select(LogEntry).where(LogEntry.ward_id == ward.id, LogEntry.delivery_id == delivery_id)
    found = session.exec(mine.order_by(col(LogEntry.number))).all()
    numbers, later = _links(session, found)
    return [_row(one, ward.zone, numbers, later) for one in found]


def lasted(seconds: int) -> str:
    """Minutes and seconds: 12:05."""
    return f"{seconds // 60}:{seconds % 60:02d}"


def _links(session: Session, found: Sequence[LogEntry]) -> tuple[dict[int, int], dict[int, int]]:
    """The numbers of the lines that these replace, and of those that replace these; both by id."""
    ids = [one.id for one in found]
    wanted = [one.corrects for one in found if one.corrects]
    asked = select(LogEntry.id, LogEntry.number).where(col(LogEntry.id).in_(wanted))
    later = select(LogEntry.corrects, LogEntry.number).where(col(LogEntry.corrects).in_(ids))
    named: list[Any] = list(session.exec(asked).all()) if wanted else []
    after: list[Any] = list(session.exec(later).all()) if ids else []
    return dict(tuple(one) for one in named), dict(tuple(one) for one in after)


def _row(line: LogEntry, zone: str, numbers: dict[int, int], later: dict[int, int]) -> Row:
    return Row(
        id=line.id or 0,
        number=line.number,
        delivery_id=line.delivery_id,
        day=format_date(local(line.at, zone).date()),
        isoday=local(line.at, zone).date().isoformat(),
        began=_clock(line.began_at, zone),
        ended=_clock(line.ended_at, zone),
        title=line.title,
        level=urgency.CLASSES.get(line.urgency, urgency.CLASSES[urgency.NORMAL]).words,
        length=lasted(line.seconds) if line.verdict in _HEARD else "",
        way=line.way,
        clusters="; ".join(one["name"] for one in line.clusters if one["state"] == "played"),
        silent="; ".join(_cut(one) for one in line.clusters if one["state"] != "played"),
        verdict=line.verdict,
        said=VERDICTS[line.verdict],
        author=line.author,
        approver=line.approver,
        source=line.source,
        by=line.by or MACHINE,
        remark=line.remark,
        corrects=numbers.get(line.corrects or 0, 0),
        replaced_by=later.get(line.id or 0, 0),
    )


def _clock(at: datetime | None, zone: str) -> str:
    return f"{local(at, zone):%H:%M:%S}" if at else ""


def _cut(cluster: dict[str, Any]) -> str:
    how = {"unknown": "chưa rõ", "stopped": "bị dừng", "failed": "không phát được"}[cluster["state"]]
    if cluster["seconds"] and cluster["state"] == "failed":
        how = "bị ngắt"
    upto = f" sau {lasted(cluster['seconds'])}" if cluster["seconds"] else ""
    why = f": {cluster['detail']}" if cluster["detail"] else ""
    return f"{cluster['name']} ({how}{upto}{why})"

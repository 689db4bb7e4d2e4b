"""What a person tells the log book («Sổ phát thanh»): it was played, it was not and why, an earlier line was wrong.

Each is written once, with its audit event in the same transaction.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from campaigns import hours, logbook, outlets
from campaigns.audit import Actor, record
from campaigns.logbook import PARTLY, PLAYED, SILENT, UNKNOWN, Told
from campaigns.people import Action, Mistake, require
from campaigns.states import State
from channels.contract import Airs
from content.text import squeeze
from store.airings import LogEntry
from store.tables import Delivery, Outlet

BACK = timedelta(days=31)
LONGEST = timedelta(hours=3)
EARLIEST = timedelta(days=1)
VERDICTS = frozenset({PLAYED, PARTLY, UNKNOWN, SILENT})

ALREADY = "Lượt phát này đã được ghi vào sổ. Hãy tải lại trang; nếu dòng đã ghi sai, hãy ghi dòng sửa."
NOT_HERE = "Lượt này không do người phát, nên chương trình tự ghi sổ. Nếu dòng đã ghi sai, hãy ghi dòng sửa."
NOT_YET = "Chưa tới giờ phát của lượt này. Hãy xác nhận sau khi đã phát."
WHY = "Hãy ghi vì sao chưa phát, để sổ có lý do."
WHY_WRONG = "Hãy ghi vì sao sửa dòng này, để người xem sổ hiểu."
FUTURE = "Giờ phát ở sau thời điểm này. Hãy nhập đúng giờ đã phát."
LONG_BEFORE = "Giờ phát sớm hơn giờ hẹn quá một ngày. Hãy kiểm tra lại ngày và giờ."
BACKWARDS = "Giờ kết thúc phải sau giờ bắt đầu, và không quá 3 giờ. Hãy kiểm tra lại."
REPLACED = "Dòng này đã có dòng khác thay. Hãy tải lại trang và sửa dòng đang có hiệu lực."
NO_HOUR = "Hãy nhập giờ bắt đầu phát."


@dataclass(frozen=True)
class Correction:
    """What is to stand in the place of a line, and why."""

    verdict: str
    began_at: datetime | None
    ended_at: datetime | None
    reason: str


def played(
    session: Session, by: Actor, delivery: Delivery, began: datetime, ended: datetime | None,
    silent: Collection[str], remark: str, now: datetime,
) -> LogEntry:  # fmt: skip
    """«Đã phát»: it was heard from ``began`` on, at every declared cluster but the ``silent`` ones. Raises Mistake."""
    airs = _open(session, by, delivery, now)
    _right_hours(delivery, began, ended, now)
    length = logbook.length(delivery)
    ended = ended or began + timedelta(seconds=length)
    seconds = round((ended - began).total_seconds())
    clusters = logbook.declared(airs, "played", frozenset(silent), seconds)
    if clusters and all(one["state"] == "failed" for one in clusters):
        raise Mistake("Không cụm loa nào phát được thì hãy chọn «Chưa phát» và ghi lý do.")
    told = Told(PLAYED, began, ended, clusters, seconds, remark=remark, by=by.name, by_id=by.user_id)
    record(session, delivery.ward_id, by, "delivery.said_aired", "delivery", delivery.id, now, began=began.isoformat())
    return logbook.append(session, delivery, told, now)


def not_played(session: Session, by: Actor, delivery: Delivery, reason: str, now: datetime) -> LogEntry:
    """«Chưa phát vì …». Raises Mistake."""
    _open(session, by, delivery, now)
    if not squeeze(reason):
        raise Mistake(WHY)
    told = Told(SILENT, remark=squeeze(reason)[:300], by=by.name, by_id=by.user_id)
    record(session, delivery.ward_id, by, "delivery.said_silent", "delivery", delivery.id, now, note=told.remark)
    return logbook.append(session, delivery, told, now)


def correct(session: Session, by: Actor, line: LogEntry, wanted: Correction, now: datetime) -> LogEntry:
    """A further line that stands in the place of a wrong one. Raises Mistake."""
    require(by, Action.SETTLE, line.ward_id)
    delivery = session.get_one(Delivery, line.delivery_id)
    session.refresh(delivery, with_for_update={"key_share": True})
    if session.exec(select(LogEntry.id).where(LogEntry.corrects == line.id)).first() is not None:
        raise Mistake(REPLACED)
    if not squeeze(wanted.reason):
        raise Mistake(WHY_WRONG)
    silent = wanted.verdict == SILENT
    if not silent and wanted.began_at is None and wanted.verdict != UNKNOWN:
        raise Mistake(NO_HOUR)
    if wanted.began_at is not None and not silent:
        _right_hours(delivery, wanted.began_at, wanted.ended_at, now)
    told = Told(
        wanted.verdict if wanted.verdict in VERDICTS else line.verdict,
        None if silent else wanted.began_at,
        None if silent else wanted.ended_at,
        () if silent else _clusters(session, delivery, wanted, line),
        _lasted(wanted, line),
        "" if silent else line.evidence,
        f"Sửa dòng {line.number}: {squeeze(wanted.reason)[:300]}",
        by.name,
        by.user_id,
    )
    record(
        session, line.ward_id, by, "delivery.airing_corrected", "delivery", line.delivery_id, now,
        line=line.number, note=squeeze(wanted.reason)[:300],
    )  # fmt: skip
    return logbook.append(session, delivery, told, now, corrects=line)


def waiting(session: Session, ward_id: int, now: datetime) -> list[Delivery]:
    """What a person played, or did not, and has not told of yet; the oldest first."""
    places = [one.id for one in session.exec(select(Outlet).where(Outlet.ward_id == ward_id)).all() if by_person(one)]
    told = select(LogEntry.id).where(LogEntry.delivery_id == Delivery.id).exists()
    mine = (col(Delivery.outlet_id).in_(places), col(Delivery.state).in_([State.SENT, State.WITHDRAWN]))
    wanted = select(Delivery).where(*mine, col(Delivery.due_at) <= now, col(Delivery.due_at) > now - BACK, ~told)
    return list(session.exec(wanted.order_by(col(Delivery.due_at), col(Delivery.id))).all()) if places else []


def can_tell(session: Session, delivery: Delivery, now: datetime) -> bool:
    """Whether a person has yet to tell of this delivery."""
    mine = delivery.state in (State.SENT, State.WITHDRAWN) and delivery.due_at <= now
    return mine and by_person(session.get_one(Outlet, delivery.outlet_id)) and not _told(session, delivery)


def by_person(outlet: Outlet) -> bool:
    """Whether a person plays what goes to this outlet, so that only a person can tell of it."""
    airs = outlets.kind_of(outlet).airs(outlet.settings) if hours.heard(outlet.kind) else None
    return airs is not None and airs.by_person


def _open(session: Session, by: Actor, delivery: Delivery, now: datetime) -> Airs:
    require(by, Action.WRITE, delivery.ward_id)
    session.refresh(delivery, with_for_update={"key_share": True})
    airs = logbook.how(session, delivery)
    if airs is None or not airs.by_person:
        raise Mistake(NOT_HERE)
    if now < delivery.due_at:
        raise Mistake(NOT_YET)
    if _told(session, delivery) or delivery.state not in (State.SENT, State.WITHDRAWN):
        raise Mistake(ALREADY)
    return airs


def _told(session: Session, delivery: Delivery) -> bool:
    return session.exec(select(LogEntry.id).where(LogEntry.delivery_id == delivery.id)).first() is not None


def _right_hours(delivery: Delivery, began: datetime, ended: datetime | None, now: datetime) -> None:
    if began > now:
        raise Mistake(FUTURE)
    if began < delivery.due_at - EARLIEST:
        raise Mistake(LONG_BEFORE)
    if ended is not None and not began < ended <= began + LONGEST:
        raise Mistake(BACKWARDS)


def _clusters(session: Session, delivery: Delivery, wanted: Correction, line: LogEntry) -> tuple[dict[str, Any], ...]:
    """Those of the wrong line; where it had none, because nothing was heard, those that are declared."""
    airs = logbook.how(session, delivery)
    if line.clusters or airs is None:
        return tuple(line.clusters)
    state = "played" if wanted.verdict == PLAYED else "unknown"
    return logbook.declared(airs, state, seconds=_lasted(wanted, line))


def _lasted(wanted: Correction, line: LogEntry) -> int:
    if wanted.verdict == SILENT:
        return 0
    if wanted.began_at and wanted.ended_at:
        return round((wanted.ended_at - wanted.began_at).total_seconds())
    return line.seconds

"""The log book of the loudspeakers («Sổ phát thanh»): every airing is one line, written with the change that it tells of.

The program writes what its own record of an airing tells; of what a person plays (a folder, a memory stick) the person
tells («Đã phát», «Chưa phát vì …»), once. The book only grows, which the database enforces: a line that was wrong, or
that a later line knows better, is named by the line that stands in its place (``corrects``).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, select

from campaigns import hours, outlets, views
from campaigns.states import Move, State
from channels.contract import Aired, Airs
from content.text import squeeze
from store.airings import LogEntry
from store.tables import Delivery, Outlet, Post, User, Ward

PLAYED, PARTLY, UNKNOWN, SILENT = "played", "partly", "unknown", "silent"
NO_RECORD = "Không có nhật ký phát; không rõ đã phát tới đâu."
TAKEN_OUT = "Đã rút khỏi danh sách phát trước giờ"
_TELLING = frozenset({State.SENT, State.FAILED, State.MISSED, State.NEEDS_HUMAN})
_MOST_WORDS = 500


@dataclass(frozen=True)
class Told:
    """What a new line says of an airing; ``seconds`` None: what its clusters were sent at most."""

    verdict: str
    began_at: datetime | None = None
    ended_at: datetime | None = None
    clusters: tuple[dict[str, Any], ...] = ()
    seconds: int | None = None
    evidence: str = ""
    remark: str = ""
    by: str = ""
    by_id: int | None = None


def note_moves(session: Session, moved: Sequence[tuple[Delivery, Move]], now: datetime) -> None:
    """Write the lines of the moves that end an airing; call it in their transaction, after their audit events."""
    for delivery, move in moved:
        if move.state in _TELLING and (airs := how(session, delivery)):
            _note_move(session, delivery, move, airs, now)


def _note_move(session: Session, delivery: Delivery, move: Move, airs: Airs, now: datetime) -> None:
    if move.state in (State.FAILED, State.MISSED):
        append(session, delivery, Told(SILENT, remark=move.detail), now)
    elif not airs.by_person:
        append(session, delivery, _account(delivery, move.state, move.aired, airs, move.detail), now)


def note_withdrawal(session: Session, delivery: Delivery, aired: Aired | None, reason: str, now: datetime) -> None:
    """Write what became of an airing that somebody had stopped, or of a programme taken out before its hour."""
    airs = how(session, delivery)
    if airs is None or _same_try(delivery, in_force(session, delivery.id or 0)):
        return
    if not airs.by_person:
        append(session, delivery, _account(delivery, State(delivery.state), aired, airs, reason), now)
    elif delivery.state == State.WITHDRAWN and now < delivery.due_at:
        append(session, delivery, Told(SILENT, remark=f"{TAKEN_OUT}: {reason}" if reason else f"{TAKEN_OUT}."), now)


def note_decision(session: Session, delivery: Delivery, now: datetime, name: str, id: int | None) -> None:
    """Write what a person decided of an airing that the program could not tell the end of."""
    airs = how(session, delivery)
    if airs is None or airs.by_person:
        return
    earlier = in_force(session, delivery.id or 0)
    mine = earlier if _same_try(delivery, earlier) else None
    clusters = tuple(mine.clusters) if mine else declared(airs, "unknown")
    told = Told(
        PLAYED if delivery.state == State.SENT else mine.verdict if mine else UNKNOWN,
        began_at=mine.began_at if mine else delivery.wire_at,
        ended_at=mine.ended_at if mine else None,
        clusters=clusters,
        evidence=mine.evidence if mine else "",
        remark=delivery.detail,
        by=name,
        by_id=id,
    )
    append(session, delivery, told, now)


def append(
    session: Session, delivery: Delivery, told: Told, now: datetime, corrects: LogEntry | None = None
) -> LogEntry:
    """Add a line; it takes the place of ``corrects``, or of an earlier line about the same try."""
    post = session.get_one(Post, delivery.post_id)
    outlet = session.get_one(Outlet, delivery.outlet_id)
    earlier = corrects or _replaced(delivery, in_force(session, delivery.id or 0))
    line = LogEntry(
        ward_id=delivery.ward_id,
        number=_next(session, delivery.ward_id),
        delivery_id=delivery.id or 0,
        post_id=delivery.post_id,
        outlet_id=delivery.outlet_id,
        at=told.began_at or delivery.due_at,
        due_at=delivery.due_at,
        began_at=told.began_at,
        ended_at=told.ended_at,
        tried_at=delivery.wire_at,
        verdict=told.verdict,
        title=title(session, delivery),
        urgency=post.urgency,
        length=length(delivery),
        seconds=_seconds(told),
        way=_way(outlet),
        clusters=list(told.clusters),
        author=_name(session, post.author_id),
        approver=_name(session, post.approver_id),
        source=post.source_name,
        evidence=told.evidence,
        remark=squeeze(told.remark)[:_MOST_WORDS],
        by=told.by,
        by_id=told.by_id,
        corrects=earlier.id if earlier else None,
        written_at=now,
    )
    session.add(line)
    session.flush()
    return line


def in_force(session: Session, delivery_id: int) -> LogEntry | None:
    """The newest line of a delivery in whose place no other stands."""
    mine = select(LogEntry).where(LogEntry.delivery_id == delivery_id, ~replaced())
    return session.exec(mine.order_by(col(LogEntry.number).desc()).limit(1)).first()


def replaced() -> Any:
    """Whether another line stands in the place of the line; for queries."""
    later = aliased(LogEntry)
    return select(later.id).where(later.corrects == LogEntry.id).exists()


def how(session: Session, delivery: Delivery) -> Airs | None:
    """How the delivery's outlet is heard; None for what is read, and where the plug-in is gone."""
    outlet = session.get_one(Outlet, delivery.outlet_id)
    if not hours.heard(outlet.kind):
        return None
    kind = outlets.kind_of(outlet)
    return kind.airs(outlet.settings) or Airs(way=kind.name, by_person=False)


def declared(airs: Airs, state: str, but: Collection[str] = (), seconds: int = 0) -> tuple[dict[str, Any], ...]:
    """Every declared cluster in that state for so many seconds, but those that were silent."""
    one = {"state": state, "seconds": seconds, "detail": ""}
    none = {"state": "failed", "seconds": 0, "detail": ""}
    return tuple({"name": name, **(none if name in but else one)} for name in airs.clusters)


def length(delivery: Delivery) -> int:
    """How long it is in seconds: of the sound that was made, else by its syllables."""
    made = ((delivery.handle or {}).get("data") or {}).get("take") or {}
    said = ((delivery.message or {}).get("extra") or {}).get("seconds")
    found = made.get("seconds") if isinstance(made, dict) else None
    return round(found or said or 0)


def title(session: Session, delivery: Delivery) -> str:
    """What it is called: the title that is read aloud, or the post's."""
    parts = (delivery.message or {}).get("parts") or [{}]
    post = session.get_one(Post, delivery.post_id)
    told = str(parts[0].get("title") or post.title)
    return told or views.titles(session, session.get_one(Ward, delivery.ward_id), [post])[post.id or 0]


def _account(delivery: Delivery, state: State, aired: Aired | None, airs: Airs, remark: str) -> Told:
    if aired is None:
        verdict = PLAYED if state is State.SENT else UNKNOWN
        said = remark or (NO_RECORD if verdict == UNKNOWN else "")
        return Told(verdict, began_at=delivery.wire_at, clusters=declared(airs, "unknown"), remark=said)
    return Told(
        _verdict(aired),
        began_at=aired.began_at,
        ended_at=aired.ended_at,
        clusters=tuple(one.model_dump() for one in aired.clusters),
        evidence=aired.record,
        remark=_said(aired, remark),
    )


def _verdict(aired: Aired) -> str:
    if any(one.state == "played" for one in aired.clusters):
        return PLAYED
    return PARTLY if any(one.seconds for one in aired.clusters) else UNKNOWN


def _said(aired: Aired, remark: str) -> str:
    if remark or aired.whole:
        return remark
    return f"Bị ngắt giữa chừng, sau giây {max((one.seconds for one in aired.clusters), default=0)}/{aired.seconds}."


def _same_try(delivery: Delivery, earlier: LogEntry | None) -> bool:
    return earlier is not None and earlier.tried_at is not None and earlier.tried_at == delivery.wire_at


def _replaced(delivery: Delivery, earlier: LogEntry | None) -> LogEntry | None:
    """An airing that came after all takes the place of the line that said why there was none."""
    return earlier if earlier and (earlier.verdict == SILENT or _same_try(delivery, earlier)) else None


def _next(session: Session, ward_id: int) -> int:
    # The audit events of the same transaction hold the ward's row, so that no two lines get one number.
    return (session.exec(select(func.max(LogEntry.number)).where(LogEntry.ward_id == ward_id)).one() or 0) + 1


def _seconds(told: Told) -> int:
    if told.seconds is not None:
        return told.seconds
    furthest = max((int(one["seconds"]) for one in told.clusters), default=0)
    if furthest or told.began_at is None or told.ended_at is None or told.verdict == SILENT:
        return furthest
    return round((told.ended_at - told.began_at) / timedelta(seconds=1))


def _way(outlet: Outlet) -> str:
    airs = outlets.kind_of(outlet).airs(outlet.settings)
    return airs.way if airs else ""


def _name(session: Session, id: int | None) -> str:
    person = session.get(User, id) if id else None
    return person.name if person else ""

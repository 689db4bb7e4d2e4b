"""What is decided of a correction at one delivery, as pure decisions; its words; the moves that the database allows."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random

from sqlmodel import Session

from campaigns.audit import MACHINE, Actor, record
from campaigns.states import back_off
from channels.contract import Deferred, Outcome, Pending, Published, Refused
from store.amendments import AmendmentLine

VERB = "amend"
LOOK = "amend_look"
MAX_DOUBTS = 6
NOT_SURE = "Đã yêu cầu sửa nhiều lần mà không biết chắc bài đã đổi chưa. Hãy mở kênh xem rồi chọn một cách bên dưới."
GONE = "Không còn thấy bài trên kênh, nên không sửa. Hãy mở kênh xem; nếu bài đã mất mà vẫn cần, hãy soạn bài mới."


class Line(StrEnum):
    """Where a correction is at one delivery."""

    WAITING = "waiting"
    DUE = "due"
    WIRE = "wire"
    DONE = "done"
    REFUSED = "refused"
    NEEDS_HUMAN = "needs_human"
    VOID = "void"


UNDER_WAY = frozenset({Line.DUE, Line.WIRE})
FOR_A_PERSON = frozenset({Line.REFUSED, Line.NEEDS_HUMAN})
ACTIONS = {
    Line.DONE: "delivery.amended",
    Line.REFUSED: "delivery.not_amended",
    Line.NEEDS_HUMAN: "delivery.amend_in_doubt",
    Line.VOID: "delivery.amend_void",
}


@dataclass(frozen=True)
class Next:
    """What becomes of a correction; ``doubt`` counts one more answer that said nothing sure."""

    state: Line
    at: datetime
    reason: str = ""
    detail: str = ""
    doubt: bool = False


def after(outcome: Outcome, tries: int, doubts: int, settle: timedelta, now: datetime, chance: Random) -> Next | None:
    """What follows from one part's answer; None when the part reads anew and the next one may be asked. Pure.

    To ask again is harmless: the same words twice are the same post.
    """
    match outcome:
        case Published():
            return None
        case Deferred():
            at = max(outcome.retry_at or now, back_off(tries, now, chance))
            return Next(Line.DUE, at, outcome.reason.value, outcome.detail)
        case Refused():
            return Next(Line.REFUSED, now, outcome.reason.value, outcome.detail)
        case _:
            detail = str(getattr(outcome, "detail", ""))
            if doubts + 1 >= MAX_DOUBTS:
                return Next(Line.NEEDS_HUMAN, now, detail=NOT_SURE, doubt=True)
            soon = outcome.retry_at if isinstance(outcome, Pending) else now + settle
            return Next(Line.DUE, max(soon or now, back_off(doubts, now, chance)), detail=detail, doubt=True)


def move(
    session: Session, line: AmendmentLine, follows: Next, now: datetime, by: Actor = MACHINE, action: str = ""
) -> None:
    """Write what follows, with its audit event; what is only asked again later has none."""
    line.state, line.next_at = follows.state.value, follows.at
    line.reason, line.detail = follows.reason, follows.detail
    line.tries += 1 if by is MACHINE else 0
    line.doubts += follows.doubt
    line.done_at = now if follows.state is Line.DONE else line.done_at
    session.add(line)
    session.flush()
    action = action or ACTIONS.get(follows.state, "")
    if action:
        told = {"amendment": line.amendment_id} | ({"reason": follows.reason} if follows.reason else {})
        record(session, line.ward_id, by, action, "delivery", line.delivery_id, now, **told)

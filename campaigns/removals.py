"""What is decided of a withdrawal («Gỡ bài»), as pure decisions, and what its tries on record tell."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from sqlmodel import Session, col, select

from campaigns.states import State, back_off
from channels.contract import Capability, Channel, Deferred, Outcome, Published, Reason, Refused
from store.tables import Attempt, Delivery

MAX_DOUBTS = 6
VERB = "withdraw"
LOOK = "withdraw_look"
GONE = frozenset({"published", "absent"})
DOUBTFUL = frozenset({"unknown", "crash"})
NOT_SURE = "Đã yêu cầu gỡ nhiều lần mà không biết chắc bài đã mất chưa. Hãy mở kênh xem rồi chọn một cách bên dưới."


@dataclass(frozen=True)
class Next:
    """What becomes of a delivery that is being taken down; ``doubt`` counts one more answer that said nothing."""

    state: State
    at: datetime
    reason: str = ""
    detail: str = ""
    doubt: bool = False


def can(kind: type[Channel] | None, delivery: Delivery) -> bool:
    """Whether the daemon can take this delivery down: the channel knows how, and every part has its id."""
    return kind is not None and Capability.WITHDRAW in kind.capabilities and named(delivery)


def named(delivery: Delivery) -> bool:
    """Whether every part that is out has its id on the platform."""
    ids = delivery.remote_ids
    return bool(ids) and all(ids) and len(ids) >= delivery.parts


def going_on(kind: type[Channel] | None, delivery: Delivery) -> str | None:
    """The id under which a last part that is out and not yet over (a bulletin on the air) can be stopped; or None."""
    able = kind is not None and Capability.WITHDRAW in kind.capabilities and delivery.state == State.UNKNOWN
    last = delivery.part + 1 >= delivery.parts and len(delivery.remote_ids) == delivery.part
    return (delivery.handle or {}).get("remote_id") if able and last else None


def begun(session: Session, delivery: Delivery) -> bool:
    """Whether a part of it is gone already."""
    return any(said in GONE for said in tried(session, delivery).values())


def asking(session: Session, delivery: Delivery) -> bool:
    """Whether the platform was asked to take it down and has not answered yet."""
    still_open = (Attempt.delivery_id == delivery.id, Attempt.verb == VERB, col(Attempt.ended_at).is_(None))
    return session.exec(select(Attempt.id).where(*still_open)).first() is not None


def after(
    outcome: Outcome, doubted: bool, tries: int, doubts: int, settle: timedelta, now: datetime, chance: Random
) -> Next | None:
    """What follows from one part's answer; None when the part is gone and the next one may be asked. Pure.

    ``doubted``: an earlier try of this part had no answer, so «there is no such post» says that it worked.
    """
    match outcome:
        case Published():
            return None
        case Deferred():
            at = max(outcome.retry_at or now, back_off(tries, now, chance))
            return Next(State.WITHDRAWING, at, outcome.reason.value, outcome.detail)
        case Refused() if outcome.reason is Reason.NOT_FOUND and doubted:
            return None
        case Refused():
            return Next(State.SENT, now, outcome.reason.value, outcome.detail)
        case _:
            if doubts + 1 >= MAX_DOUBTS:
                return Next(State.NEEDS_HUMAN, now, detail=NOT_SURE, doubt=True)
            at = max(now + settle, back_off(doubts, now, chance))
            return Next(State.WITHDRAWING, at, detail=getattr(outcome, "detail", ""), doubt=True)


def tried(session: Session, delivery: Delivery) -> dict[int, str]:
    """What was last seen of each part: the outcome of its newest try or look of a withdrawal."""
    asked = select(Attempt).where(Attempt.delivery_id == delivery.id, col(Attempt.verb).in_([VERB, LOOK]))
    found: dict[int, str] = {}
    for one in session.exec(asked.order_by(col(Attempt.id))).all():
        if one.verb == VERB or one.outcome == "absent":
            found[one.part] = one.outcome
    return found

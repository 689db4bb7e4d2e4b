"""The life of a delivery as pure decisions: which moves are legal, and what follows from what was seen.

The picture stands in docs/architecture.md; the database refuses every move that is not in ``LEGAL``.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from typing import assert_never

from channels.contract import (
    Aired,
    Certainty,
    Deferred,
    Found,
    Outcome,
    Pending,
    Published,
    Reason,
    Refused,
    Unknown,
)


class State(StrEnum):
    """Where a delivery is. ``final`` states never change by machine."""

    DUE = "due"
    HELD = "held"
    PREPARED = "prepared"
    WIRE = "wire"
    UNKNOWN = "unknown"
    NEEDS_HUMAN = "needs_human"
    SENT = "sent"
    FAILED = "failed"
    MISSED = "missed"
    CANCELLED = "cancelled"
    CLOSED = "closed"
    WITHDRAWING = "withdrawing"
    WITHDRAWN = "withdrawn"


NOT_FOUND_OUT = "Không tra cứu được kết quả trên kênh."
OUT_AFTER_ALL = "out_after_all"
"""Why a delivery that was given up needs a person all the same: its post was found on the channel."""

FINAL = frozenset(
    {State.SENT, State.FAILED, State.MISSED, State.CANCELLED, State.CLOSED, State.WITHDRAWN, State.NEEDS_HUMAN}
)

LEGAL: frozenset[tuple[State, State]] = frozenset(
    {
        (State.DUE, State.PREPARED),
        (State.DUE, State.HELD),
        (State.DUE, State.MISSED),
        (State.DUE, State.CANCELLED),
        (State.HELD, State.DUE),
        (State.HELD, State.MISSED),
        (State.HELD, State.CANCELLED),
        (State.PREPARED, State.DUE),
        (State.PREPARED, State.FAILED),
        (State.PREPARED, State.CANCELLED),
        (State.PREPARED, State.WIRE),
        (State.WIRE, State.SENT),
        (State.WIRE, State.DUE),
        (State.WIRE, State.FAILED),
        (State.WIRE, State.UNKNOWN),
        (State.UNKNOWN, State.SENT),
        (State.UNKNOWN, State.DUE),
        (State.UNKNOWN, State.NEEDS_HUMAN),
        (State.NEEDS_HUMAN, State.SENT),
        (State.NEEDS_HUMAN, State.DUE),
        (State.NEEDS_HUMAN, State.CLOSED),
        (State.FAILED, State.DUE),
        # A restored backup cannot know what went out after it: what was due is looked up, never sent blind.
        (State.DUE, State.UNKNOWN),
        (State.HELD, State.UNKNOWN),
        (State.PREPARED, State.UNKNOWN),
        (State.SENT, State.WITHDRAWING),
        (State.WITHDRAWING, State.WITHDRAWN),
        (State.WITHDRAWING, State.SENT),
        (State.WITHDRAWING, State.NEEDS_HUMAN),
    }
)

MAX_TRIES = 6
MAX_LOOKS = 6
FIRST_BACK_OFF = timedelta(seconds=30)
LONGEST_BACK_OFF = timedelta(minutes=30)
LOOK_BUDGET = timedelta(minutes=30)
SURELY = 3
PENDING_EVERY = timedelta(seconds=5)
SOONEST = timedelta(seconds=1)
FINISH_WITHIN = timedelta(hours=6)
OUTLETS_OWN = frozenset({Reason.OUTSIDE_HOURS, Reason.RATE_LIMITED, Reason.QUOTA, Reason.UNREACHABLE})
"""What says something of the outlet and nothing of the delivery: it costs no try, and ends when the delivery expires."""


@dataclass(frozen=True)
class Standing:
    """What is known of a delivery when something happens to it.

    ``absents`` counts the look-ups since this try that began after the settle time and found nothing for certain.
    """

    tries: int
    looks: int
    absents: int
    part: int
    parts: int
    certainty: Certainty
    settle: timedelta
    wire_at: datetime | None
    resent: bool
    expires_at: datetime


@dataclass(frozen=True)
class Move:
    """What becomes of a delivery; ``part_done``: one visible step is out and counted; ``aired``: how it was heard."""

    state: State
    next_at: datetime
    reason: str = ""
    detail: str = ""
    remote_id: str | None = None
    url: str | None = None
    part_done: bool = False
    adopted: bool = False
    burns_try: bool = False
    pauses_outlet: bool = False
    aired: Aired | None = None


def back_off(tries: int, now: datetime, chance: Random) -> datetime:
    """When to try again after ``tries`` tries: 30 s doubling to 30 min, with up to a fifth of jitter."""
    wait: timedelta = min(FIRST_BACK_OFF * 2 ** min(tries, MAX_TRIES), LONGEST_BACK_OFF)
    return now + wait * (1 + chance.random() / 5)


def after_publish(outcome: Outcome, standing: Standing, now: datetime, chance: Random) -> Move:
    """What follows a visible step (state ``wire``)."""
    match outcome:
        case Published():
            return _one_more_out(outcome.remote_id, outcome.url, standing, now)
        case Deferred():
            return _again(outcome, standing, now, chance)
        case Refused():
            return _refused(outcome, now)
        case Pending():
            return Move(State.UNKNOWN, outcome.retry_at or now + PENDING_EVERY, detail="Nền tảng đang xử lý.")
        case Unknown():
            return Move(State.UNKNOWN, now + standing.settle, detail=outcome.detail)
        case _:
            assert_never(outcome)


def after_stage(outcome: Outcome, standing: Standing, now: datetime, chance: Random) -> Move:
    """What follows a preparation that gave no handle (state ``prepared``): nothing is visible, so it may be redone."""
    match outcome:
        case Pending():
            return Move(State.DUE, outcome.retry_at or now + PENDING_EVERY, detail="Nền tảng đang xử lý.")
        case Deferred():
            return _again(outcome, standing, now, chance)
        case Refused():
            return _refused(outcome, now)
        case Published() | Unknown():
            return _again(Deferred(reason=Reason.BUSY, detail="Chuẩn bị chưa xong."), standing, now, chance)
        case _:
            assert_never(outcome)


def after_look(found: Found, standing: Standing, started: datetime, now: datetime, chance: Random) -> Move:
    """What follows a look-up that began at ``started`` (state ``unknown``).

    What is proved absent is sent once more, on a channel whose publishing is repeatable up to MAX_TRIES times.
    """
    if found.verdict == "out":
        move = _one_more_out(found.remote_id or "", found.url, standing, now)
        return replace(move, adopted=True, detail=found.detail if found.aired else move.detail, aired=found.aired)
    if found.verdict == "absent" and _proved_absent(standing, started):
        if standing.resent and (standing.certainty is Certainty.LOOKUP or standing.tries + 1 >= MAX_TRIES):
            return Move(
                State.NEEDS_HUMAN, now, detail="Đã tra cứu lại mà không thấy bài; lần gửi lại cũng không rõ kết quả."
            )
        at = back_off(standing.tries, now, chance) if standing.resent else now
        return Move(State.DUE, at, detail="Tra cứu không thấy bài trên kênh; gửi lại.", burns_try=standing.resent)
    if found.verdict == "unclear" and found.again_at is not None:
        return Move(State.UNKNOWN, max(found.again_at, now + SOONEST), detail=found.detail)
    if _look_budget_spent(standing, now):
        return Move(State.NEEDS_HUMAN, now, detail=found.detail or NOT_FOUND_OUT, aired=found.aired)
    return Move(State.UNKNOWN, now + standing.settle * min(2**standing.looks, 8), detail=found.detail)


def settled(standing: Standing, started: datetime) -> bool:
    """Whether a look-up that began then came late enough for its «absent» to count."""
    return standing.wire_at is not None and started >= standing.wire_at + standing.settle


def after_crash(state: State, settle: timedelta, now: datetime) -> Move:
    """What becomes of a delivery that another life of the daemon left: never ``due`` when it may be out."""
    if state == State.PREPARED:
        return Move(State.DUE, now, detail="Chương trình dừng khi đang chuẩn bị; chưa có gì được đăng.")
    return Move(State.UNKNOWN, now + settle, detail="Chương trình dừng khi đang gửi.")


def _one_more_out(remote_id: str, url: str | None, standing: Standing, now: datetime) -> Move:
    done = standing.part + 1 >= standing.parts
    return Move(State.SENT if done else State.DUE, now, remote_id=remote_id, url=url, part_done=True)


def _again(outcome: Deferred, standing: Standing, now: datetime, chance: Random) -> Move:
    burns = outcome.reason not in OUTLETS_OWN
    if burns and standing.tries + 1 >= MAX_TRIES:
        return Move(State.FAILED, now, outcome.reason, outcome.detail or "Đã thử nhiều lần mà không gửi được.")
    at = max(outcome.retry_at or back_off(standing.tries, now, chance), now + SOONEST)
    if standing.part and at > standing.expires_at + FINISH_WITHIN:
        # What is not begun is missed when it expires; what is partly out ends here, in words, instead of waiting for ever.
        return Move(
            State.FAILED,
            now,
            outcome.reason,
            f"Mới đăng được {standing.part}/{standing.parts} phần. {outcome.detail}".strip(),
        )
    return Move(State.DUE, at, outcome.reason, outcome.detail, burns_try=burns)


def _refused(outcome: Refused, now: datetime) -> Move:
    if outcome.reason is Reason.UNAUTHORIZED:
        return Move(State.DUE, now, outcome.reason, outcome.detail, pauses_outlet=True)
    return Move(State.FAILED, now, outcome.reason, outcome.detail)


def _proved_absent(standing: Standing, started: datetime) -> bool:
    needed = 2 if standing.certainty is Certainty.LOOKUP else 1
    proved = settled(standing, started) and standing.absents + 1 >= needed
    return proved and standing.certainty is not Certainty.BLIND


def _look_budget_spent(standing: Standing, now: datetime) -> bool:
    # Who was asleep (a stop, a restored backup) has the time behind it and has not yet looked: it looks SURELY times.
    too_long = standing.wire_at is not None and now >= standing.wire_at + LOOK_BUDGET and standing.looks + 1 >= SURELY
    return too_long or standing.looks + 1 >= MAX_LOOKS or standing.certainty is Certainty.BLIND

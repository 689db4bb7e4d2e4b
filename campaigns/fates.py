"""What becomes of one recipient of a fan-out, as a pure decision; and when it keeps the others from being tried."""

from datetime import datetime
from random import Random
from typing import NamedTuple, assert_never

from campaigns.states import MAX_TRIES, back_off
from channels.contract import Deferred, Outcome, Pending, Published, Reason, Refused, Unknown

WAITS = frozenset({Reason.OUTSIDE_HOURS, Reason.RATE_LIMITED, Reason.QUOTA})
LONGEST = 500
CLOSES = frozenset({Reason.UNAUTHORIZED, Reason.MISCONFIGURED})


class Fate(NamedTuple):
    """What becomes of a recipient: ``sent``, ``failed``, ``unknown``, or ``waiting`` again from ``next_at``."""

    state: str
    next_at: datetime | None = None
    remote_id: str = ""
    reason: str = ""
    detail: str = ""
    burns_try: bool = False


def after_send(outcome: Outcome, tries: int, keyed: bool, now: datetime, chance: Random) -> Fate:
    """What follows one send. ``keyed``: the receiver knows the key again, so that a lost answer may be asked for twice."""
    match outcome:
        case Published():
            return Fate("sent", remote_id=_storable(outcome.remote_id))
        case Deferred():
            return _later(outcome, tries, now, chance)
        case Refused() if outcome.reason in CLOSES:
            return Fate("waiting", now, reason=outcome.reason.value, detail=_storable(outcome.detail))
        case Refused():
            return Fate("failed", reason=outcome.reason.value, detail=_storable(outcome.detail))
        case Pending() | Unknown():
            detail = _storable(outcome.detail) if isinstance(outcome, Unknown) else "Nền tảng đang xử lý."
            if keyed and tries + 1 < MAX_TRIES:
                return Fate("waiting", back_off(tries, now, chance), detail=detail, burns_try=True)
            return Fate("unknown", detail=detail)
        case _:
            assert_never(outcome)


def _later(outcome: Deferred, tries: int, now: datetime, chance: Random) -> Fate:
    reason, unburnt = outcome.reason.value, outcome.reason in WAITS or outcome.reason is Reason.UNREACHABLE
    if not unburnt and tries + 1 >= MAX_TRIES:
        return Fate("failed", reason=reason, detail=_storable(outcome.detail) or "Đã thử nhiều lần mà không gửi được.")
    at = outcome.retry_at or back_off(tries, now, chance)
    return Fate("waiting", max(at, now), reason=reason, detail=_storable(outcome.detail), burns_try=not unburnt)


def stops(outcome: Outcome, fate: Fate) -> Outcome | None:
    """What one recipient's outcome means for all the others: a limit reached or an account shut ends the wave; else None."""
    if isinstance(outcome, Deferred) and outcome.reason in WAITS:
        return outcome.model_copy(update={"retry_at": fate.next_at})
    return outcome if isinstance(outcome, Refused) and outcome.reason in CLOSES else None


def storable(said: str) -> str:
    """What a platform said without what no database keeps (NUL, half a character)."""
    return said.replace("\0", "") if said.isascii() else said.encode("utf-8", "replace").decode().replace("\0", "")


def _storable(text: str) -> str:
    """What a platform said, so that no word of it keeps a whole group from being written down."""
    return storable(text[:LONGEST])

"""The beat «withdraw»: what a person asked to be taken down («Gỡ bài») is taken down, and what cannot be known is said.

Asking is one move (sent -> withdrawing, see ``settling.take_down``) and nothing else. This beat then speaks to the
platform: gone -> withdrawn; surely not done -> again later; refused -> sent again, with the reason; no trustworthy
answer -> look and try again, and after ``MAX_DOUBTS`` of them a person. Each try is on record before its first byte, so
a crash in between is a try whose answer is unknown. A post in parts is gone when every part is.
"""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select, text

from campaigns import logbook, moves, versions
from campaigns.audit import MACHINE, record
from campaigns.delivering import Courier, written
from campaigns.measuring import next_measure
from campaigns.people import Mistake
from campaigns.removals import DOUBTFUL, GONE, LOOK, MAX_DOUBTS, NOT_SURE, VERB, Next, after, tried
from campaigns.states import State
from channels.contract import (
    EMPTY,
    Aired,
    Channel,
    Found,
    Message,
    Outcome,
    Reason,
    Refused,
    Unknown,
)
from store.tables import Attempt, Delivery, Instance, Outlet
from store.vault import SealBroken

LEASE = timedelta(minutes=5)
PATIENCE_SECONDS = 60.0
LOOK_BACK = timedelta(minutes=5)
OUR_BUG = "Lỗi chương trình khi gỡ bài; đã ghi vào nhật ký máy."
NO_ANSWER = "Nền tảng không trả lời trong thời gian chờ."

_ACTIONS = {
    State.WITHDRAWN: "delivery.withdrawn",
    State.SENT: "delivery.not_withdrawn",
    State.NEEDS_HUMAN: "delivery.needs_human",
}

log = logging.getLogger("lantoa.withdraw")


@dataclass(frozen=True)
class Job:
    """One delivery to take down: its fence, its channel (None: it cannot be spoken for), and what is known of each part."""

    id: int
    fence: int
    speaker: Channel | None
    trouble: str
    messages: tuple[Message, ...]
    since: datetime
    remote_ids: tuple[str, ...]
    gone: frozenset[int]
    doubtful: frozenset[int] = field(default=frozenset())


async def withdraw(courier: Courier, limit: int) -> int:
    """Take down what is asked for, one delivery of an outlet at a time, until none waits; gives how many were spoken for.

    Ends after ``limit`` rounds: what is asked for meanwhile, and what is to be tried again later, waits for the next beat.
    """
    done = 0
    for _ in range(limit):
        jobs = await courier.aside(_claim, courier, limit)
        if not jobs:
            break
        await _carry_all(courier, jobs)
        done += len(jobs)
    return done


async def _carry_all(courier: Courier, jobs: list[Job]) -> None:
    done = await asyncio.gather(*(_carry(courier, job) for job in jobs), return_exceptions=True)
    for job, failure in zip(jobs, done, strict=True):
        if isinstance(failure, BaseException):
            log.error("withdrawal of %s could not be written down; it is tried again", job.id, exc_info=failure)


def _asked() -> Iterable[Any]:
    # Read by outlet, because the index over (outlet, state) serves it however long the history is.
    return (text("delivery.state = 'withdrawing'"), col(Delivery.outlet_id).in_(select(Outlet.id)))


def _claim(courier: Courier, limit: int) -> list[Job]:
    now = courier.desk.now()
    with courier.store.write("withdraw") as session:
        if session.exec(select(Instance.safe_mode)).first():
            return []
        due = select(Delivery).where(*_asked(), Delivery.next_at <= now)
        due = due.order_by(col(Delivery.next_at), col(Delivery.id)).limit(limit)
        first: dict[int, Delivery] = {}
        for delivery in session.exec(due.with_for_update(skip_locked=True, key_share=True)).all():
            first.setdefault(delivery.outlet_id, delivery)
        for delivery in first.values():
            delivery.fence += 1
            delivery.epoch, delivery.next_at = courier.epoch, now + LEASE
            _end_left_open(session, delivery, now)
            session.add(delivery)
        return [_job(courier, session, one) for one in first.values() if one.state == State.WITHDRAWING]


def _end_left_open(session: Session, delivery: Delivery, now: datetime) -> None:
    """A try that another life began and nobody ended counts as one without an answer."""
    mine = (Attempt.delivery_id == delivery.id, Attempt.verb == VERB, col(Attempt.ended_at).is_(None))
    left = session.exec(select(Attempt).where(*mine)).all()
    for one in left:
        one.ended_at, one.outcome = now, "crash"
        session.add(one)
    if left and delivery.looks + 1 >= MAX_DOUBTS:
        _move(session, delivery, Next(State.NEEDS_HUMAN, now, detail=NOT_SURE, doubt=True), now)
    elif left:
        delivery.looks += 1


def _job(courier: Courier, session: Session, delivery: Delivery) -> Job:
    speaker, trouble = _speaker(courier, session.get_one(Outlet, delivery.outlet_id))
    seen = tried(session, delivery)
    return Job(
        id=delivery.id or 0,
        fence=delivery.fence,
        speaker=speaker,
        trouble=trouble,
        messages=versions.every(session, delivery),
        since=(delivery.wire_at or delivery.sent_at or delivery.due_at) - LOOK_BACK,
        remote_ids=tuple(delivery.remote_ids),
        gone=frozenset(part for part, said in seen.items() if said in GONE),
        doubtful=frozenset(part for part, said in seen.items() if said in DOUBTFUL),
    )


def _speaker(courier: Courier, outlet: Outlet) -> tuple[Channel | None, str]:
    try:
        return courier.desk.channel(outlet), ""
    except (Mistake, SealBroken, KeyError) as error:
        said = f"Nền tảng «{outlet.kind}» không còn được cài đặt." if isinstance(error, KeyError) else str(error)
        return None, said


async def _carry(courier: Courier, job: Job) -> None:
    for part in reversed(range(len(job.remote_ids))):
        if part in job.gone or await _is_gone(courier, job, part):
            continue
        attempt_id = await courier.aside(_begin, courier, job, part)
        if attempt_id is None:
            return
        outcome = moves.storable(await _ask(job, job.remote_ids[part]))
        aired = await _aired(job, job.remote_ids[part])
        if not await written(_end, courier, job, part, attempt_id, outcome, aired):
            return
    await written(_all_gone, courier, job, await _aired(job, job.remote_ids[0]) if job.remote_ids else None)


async def _is_gone(courier: Courier, job: Job, part: int) -> bool:
    """Whether a part of which a try had no answer is proved to be gone: it is looked up before it is asked for again."""
    if part not in job.doubtful or job.speaker is None or not job.messages:
        return False
    started = courier.desk.now()
    found = moves.storable(await find_any(job.speaker, job.messages, part, job.since))
    await written(_looked, courier, job, part, found, started)
    return found.verdict == "absent"


async def find_any(speaker: Channel, messages: tuple[Message, ...], part: int, since: datetime) -> Found:
    """It is gone where none of the texts under which it may stand is there: a correction may have changed its title."""
    found = Found(verdict="absent")
    for message in messages:
        found = await _find(speaker, message, part, since)
        if found.verdict != "absent":
            break
    return found


async def _find(speaker: Channel, message: Message, part: int, since: datetime) -> Found:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await speaker.find(message, part, EMPTY, since)
    except Exception:
        log.exception("look %s", message.key)
        return Found(verdict="unclear", detail="Không tra cứu được.")


async def _ask(job: Job, remote_id: str) -> Outcome:
    if job.speaker is None:
        return Refused(reason=Reason.MISCONFIGURED, detail=job.trouble)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await job.speaker.withdraw(remote_id)
    except TimeoutError:
        return Unknown(detail=NO_ANSWER)
    except Exception:
        log.exception("withdraw %s", job.id)
        return Unknown(detail=OUR_BUG)


async def _aired(job: Job, remote_id: str) -> Aired | None:
    """What is known of how it was heard, for the log book; its reading must not keep the answer from being written."""
    try:
        return await job.speaker.aired(remote_id) if job.speaker else None
    except Exception:
        log.exception("aired %s", job.id)
        return None


def _begin(courier: Courier, job: Job, part: int) -> int | None:
    """Put the try on record; None when a person decided otherwise meanwhile."""
    with courier.store.write("withdraw_wire") as session:
        delivery = _mine(session, job)
        if delivery is None:
            return None
        row = Attempt(
            ward_id=delivery.ward_id, delivery_id=job.id, fence=job.fence, part=part, verb=VERB,
            started_at=courier.desk.now(),
        )  # fmt: skip
        session.add(row)
        session.flush()
        return row.id


def _end(courier: Courier, job: Job, part: int, attempt_id: int, outcome: Outcome, aired: Aired | None) -> bool:
    """Write down the answer; gives whether the next part may be asked."""
    now = courier.desk.now()
    with courier.store.write("withdrawn") as session:
        row = session.get_one(Attempt, attempt_id)
        delivery = _mine(session, job)
        row.ended_at, row.outcome = now, type(outcome).__name__.lower()
        row.reason, row.detail = moves.why(outcome)
        session.add(row)
        if delivery is None:
            return False
        settle = moves.settle_time(session, delivery)
        follows = after(outcome, part in job.doubtful, delivery.tries, delivery.looks, settle, now, courier.chance)
        if follows is not None:
            _move(session, delivery, follows, now, aired)
        return follows is None


def _looked(courier: Courier, job: Job, part: int, found: Found, started: datetime) -> None:
    now = courier.desk.now()
    with courier.store.write("withdraw_looked") as session:
        delivery = _mine(session, job)
        if delivery is not None:
            session.add(
                Attempt(
                    ward_id=delivery.ward_id, delivery_id=job.id, fence=job.fence, part=part, verb=LOOK,
                    started_at=started, ended_at=now, outcome=found.verdict, detail=found.detail,
                )
            )  # fmt: skip


def _all_gone(courier: Courier, job: Job, aired: Aired | None) -> None:
    now = courier.desk.now()
    with courier.store.write("withdrawn") as session:
        delivery = _mine(session, job)
        if delivery is not None:
            _move(session, delivery, Next(State.WITHDRAWN, now), now, aired)


def _mine(session: Session, job: Job) -> Delivery | None:
    return moves.mine(session, [(job.id, job.fence)], State.WITHDRAWING).get((job.id, job.fence))


def _move(session: Session, delivery: Delivery, follows: Next, now: datetime, aired: Aired | None = None) -> None:
    reason = delivery.detail
    delivery.state, delivery.next_at, delivery.updated_at = follows.state.value, follows.at, now
    delivery.reason, delivery.detail = follows.reason, follows.detail
    delivery.tries += 1
    delivery.looks += follows.doubt
    if follows.state is State.SENT:
        delivery.measure_at = next_measure(delivery.sent_at or now, now)
        delivery.detail = f"{_so_far(session, delivery)}{follows.detail}"
    session.add(delivery)
    session.flush()
    if follows.state is not State.WITHDRAWING:
        told = {"reason": follows.reason} if follows.reason else {}
        record(session, delivery.ward_id, MACHINE, _ACTIONS[follows.state], "delivery", delivery.id, now, **told)
        logbook.note_withdrawal(session, delivery, aired, reason, now)


def _so_far(session: Session, delivery: Delivery) -> str:
    gone = sum(said in GONE for said in tried(session, delivery).values())
    return f"Đã gỡ {gone}/{len(delivery.remote_ids)} tin. " if gone else ""

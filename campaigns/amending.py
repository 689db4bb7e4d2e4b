"""The beat «amend»: an approved correction («Đính chính») is put in the place of what is out, and what cannot be known is said.

Each part is asked for once; before its first byte the try and ``wire`` are on disk, after a last look at the approval,
the hold, the outlet and the delivery itself. The same words twice are the same post, so an answer that was lost is
looked after and then asked again; a post that is not there any more is left alone, because nothing may bring it back.
"""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from campaigns import holding, moves, versions
from campaigns.amend_steps import GONE, LOOK, MAX_DOUBTS, NOT_SURE, UNDER_WAY, VERB, Line, Next, after, move
from campaigns.amendments import digest_of
from campaigns.delivering import LEAVE_WITHIN_SECONDS, Courier, written
from campaigns.people import Mistake
from campaigns.states import State
from campaigns.withdrawing import find_any
from channels.contract import Channel, Correction, Found, Message, Outcome, Reason, Refused, Unknown
from channels.wire import may_leave
from store.amendments import Amendment, AmendmentLine
from store.tables import Attempt, Delivery, Instance, Outlet
from store.vault import SealBroken

LEASE = timedelta(minutes=5)
LATER = timedelta(minutes=1)
PATIENCE_SECONDS = 60.0
LOOK_BACK = timedelta(minutes=5)
OUR_BUG = "Lỗi chương trình khi sửa bài; đã ghi vào nhật ký máy."
NO_ANSWER = "Nền tảng không trả lời trong thời gian chờ."
VOID = "Đính chính không còn được duyệt như khi gửi đi."
NOT_OUT = "Bài không còn trên kênh, nên không sửa."

log = logging.getLogger("lantoa.amend")


@dataclass(frozen=True)
class Job:
    """One delivery to correct: its line and fence, its channel (None: it cannot be spoken for), the words, how far it is."""

    id: int
    fence: int
    delivery_id: int
    speaker: Channel | None
    trouble: str
    message: Message | None
    texts: tuple[Message, ...]
    since: datetime
    remote_ids: tuple[str, ...]
    part: int
    doubtful: bool


async def amend(courier: Courier, limit: int) -> int:
    """Correct what is approved and due, one delivery of an outlet at a time; gives how many were spoken for."""
    jobs = await courier.aside(_claim, courier, limit)
    done = await asyncio.gather(*(_carry(courier, job) for job in jobs), return_exceptions=True)
    for job, failure in zip(jobs, done, strict=True):
        if isinstance(failure, BaseException):
            log.error("correction %s could not be written down; it is tried again", job.id, exc_info=failure)
    return len(jobs)


def _claim(courier: Courier, limit: int) -> list[Job]:
    now = courier.desk.now()
    with courier.store.write("amend") as session:
        if session.exec(select(Instance.safe_mode)).first():
            return []
        due = (
            select(AmendmentLine, Delivery)
            .join(Delivery, col(Delivery.id) == col(AmendmentLine.delivery_id))
            .join(Outlet, col(Outlet.id) == col(Delivery.outlet_id))
            .where(col(AmendmentLine.state).in_(UNDER_WAY), AmendmentLine.next_at <= now, Outlet.state == "open")
            .order_by(col(AmendmentLine.next_at), col(AmendmentLine.id))
            .limit(limit)
            .with_for_update(skip_locked=True, of=AmendmentLine)
        )
        first: dict[int, tuple[AmendmentLine, Delivery]] = {}
        for line, delivery in session.exec(due).all():
            first.setdefault(delivery.outlet_id, (line, delivery))
        for line, delivery in first.values():
            line.fence += 1
            line.epoch, line.next_at = courier.epoch, now + LEASE
            _end_left_open(session, line, delivery, now)
            session.add(line)
        session.flush()
        return [_job(courier, session, *pair) for pair in first.values() if pair[0].state in UNDER_WAY]


def _end_left_open(session: Session, line: AmendmentLine, delivery: Delivery, now: datetime) -> None:
    """A try that another life began and nobody ended counts as one without an answer."""
    mine = (Attempt.delivery_id == delivery.id, Attempt.verb == VERB, col(Attempt.ended_at).is_(None))
    left = session.exec(select(Attempt).where(*mine)).all()
    for one in left:
        one.ended_at, one.outcome = now, "crash"
        session.add(one)
    if left and line.doubts + 1 >= MAX_DOUBTS:
        move(session, line, Next(Line.NEEDS_HUMAN, now, detail=NOT_SURE, doubt=True), now)
    elif left:
        line.doubts += 1


def _job(courier: Courier, session: Session, line: AmendmentLine, delivery: Delivery) -> Job:
    speaker, trouble = _speaker(courier, session.get_one(Outlet, delivery.outlet_id))
    amendment = session.get_one(Amendment, line.amendment_id)
    message = versions.message_of(line)
    if message is not None:
        told = Correction(note=amendment.note, at=amendment.approved_at or amendment.updated_at)
        message = message.model_copy(update={"correction": told})
    return Job(
        id=line.id or 0,
        fence=line.fence,
        delivery_id=delivery.id or 0,
        speaker=speaker,
        trouble=trouble,
        message=message,
        texts=versions.every(session, delivery),
        since=(delivery.wire_at or delivery.sent_at or delivery.due_at) - LOOK_BACK,
        remote_ids=tuple(delivery.remote_ids),
        part=line.part,
        doubtful=line.doubts > 0,
    )


def _speaker(courier: Courier, outlet: Outlet) -> tuple[Channel | None, str]:
    try:
        return courier.desk.channel(outlet), ""
    except (Mistake, SealBroken, KeyError) as error:
        said = f"Nền tảng «{outlet.kind}» không còn được cài đặt." if isinstance(error, KeyError) else str(error)
        return None, said


async def _carry(courier: Courier, job: Job) -> None:
    if await _is_gone(courier, job):
        await written(_stop, courier, job, Next(Line.REFUSED, courier.desk.now(), Reason.NOT_FOUND.value, GONE))
        return
    for part in range(job.part, len(job.remote_ids)):
        attempt_id = await courier.aside(_begin, courier, job, part)
        if attempt_id is None:
            return
        outcome = moves.storable(await _ask(courier, job, part))
        if not await written(_end, courier, job, part, attempt_id, outcome):
            return


async def _is_gone(courier: Courier, job: Job) -> bool:
    """Whether a post of which a try had no answer is surely not there: it is looked up before it is asked for again."""
    if not job.doubtful or job.speaker is None or not job.texts or job.part >= len(job.remote_ids):
        return False
    started = courier.desk.now()
    found = moves.storable(await find_any(job.speaker, job.texts, job.part, job.since))
    await written(_looked, courier, job, found, started)
    return found.verdict == "absent"


async def _ask(courier: Courier, job: Job, part: int) -> Outcome:
    if job.speaker is None or job.message is None or part >= len(job.message.parts):
        return Refused(reason=Reason.MISCONFIGURED, detail=job.trouble or "Nội dung đã chốt không đọc được nữa.")
    # A life that was frozen since it wrote «wire» may have been given up meanwhile: what has not left stays.
    loop = asyncio.get_running_loop()
    until = loop.time() + LEAVE_WITHIN_SECONDS
    may_leave.set(lambda: loop.time() < until and courier.alive())
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await job.speaker.amend(job.message, part, job.remote_ids[part])
    except TimeoutError:
        return Unknown(detail=NO_ANSWER)
    except Exception:
        log.exception("amend %s", job.id)
        return Unknown(detail=OUR_BUG)


def _begin(courier: Courier, job: Job, part: int) -> int | None:
    """Put ``wire`` and the try on record; None for what must not leave now, or not any more."""
    now = courier.desk.now()
    with courier.store.write("amend_wire") as session:
        line = _mine(session, job)
        if line is None:
            return None
        obstacle = _obstacle(session, line, now)
        if obstacle is not None:
            _put_off(session, line, obstacle, now)
            return None
        line.state, line.next_at = Line.WIRE.value, now + LEASE
        row = Attempt(
            ward_id=line.ward_id, delivery_id=job.delivery_id, fence=line.fence, part=part, verb=VERB, started_at=now
        )
        session.add_all([line, row])
        session.flush()
        return row.id


def _obstacle(session: Session, line: AmendmentLine, now: datetime) -> Next | None:
    """What keeps a correction off the wire: approval gone or void, post not out, hold, outlet paused."""
    delivery = session.get_one(Delivery, line.delivery_id, with_for_update={"key_share": True})
    amendment = session.get_one(Amendment, line.amendment_id, with_for_update={"read": True})
    if amendment.state != "approved" or amendment.digest != digest_of(session, amendment):
        return Next(Line.VOID, now, "approval_void", VOID)
    if delivery.state != State.SENT:
        return Next(Line.VOID, now, detail=NOT_OUT)
    outlet = session.get_one(Outlet, delivery.outlet_id)
    if outlet.state != "open":
        return Next(Line.DUE, now + LATER, detail=outlet.paused_reason)
    if holding.is_held(session, line.ward_id, locking=True):
        return Next(Line.DUE, now + LATER, "hold", "Đang tạm dừng toàn bộ.")
    return None


def _put_off(session: Session, line: AmendmentLine, obstacle: Next, now: datetime) -> None:
    if obstacle.state is not Line.DUE:
        move(session, line, obstacle, now)
        return
    line.state, line.next_at = Line.DUE.value, obstacle.at
    line.reason, line.detail = obstacle.reason, obstacle.detail
    session.add(line)


def _end(courier: Courier, job: Job, part: int, attempt_id: int, outcome: Outcome) -> bool:
    """Write down the answer; gives whether the next part may be asked."""
    now = courier.desk.now()
    with courier.store.write("amended") as session:
        row = session.get_one(Attempt, attempt_id)
        row.ended_at, row.outcome = now, type(outcome).__name__.lower()
        row.reason, row.detail = moves.why(outcome)
        session.add(row)
        line = _mine(session, job)
        if line is None:
            return False
        delivery = session.get_one(Delivery, line.delivery_id)
        settle = moves.settle_time(session, delivery)
        follows = after(outcome, line.tries, line.doubts, settle, now, courier.chance)
        if follows is None:
            line.part = part + 1
            last = line.part >= len(job.remote_ids)
            follows = Next(Line.DONE, now) if last else None
        elif follows.state in (Line.REFUSED, Line.NEEDS_HUMAN):
            follows = _with_progress(line, follows, len(job.remote_ids))
        if follows is not None:
            move(session, line, follows, now)
        session.add(line)
        return follows is None


def _with_progress(line: AmendmentLine, follows: Next, parts: int) -> Next:
    so_far = f"Đã sửa {line.part}/{parts} tin. " if line.part else ""
    return Next(follows.state, follows.at, follows.reason, f"{so_far}{follows.detail}", follows.doubt)


def _stop(courier: Courier, job: Job, follows: Next) -> None:
    with courier.store.write("amended") as session:
        line = _mine(session, job)
        if line is not None:
            move(session, line, _with_progress(line, follows, len(job.remote_ids)), follows.at)


def _looked(courier: Courier, job: Job, found: Found, started: datetime) -> None:
    now = courier.desk.now()
    with courier.store.write("amend_looked") as session:
        line = _mine(session, job)
        if line is not None:
            session.add(
                Attempt(
                    ward_id=line.ward_id, delivery_id=job.delivery_id, fence=job.fence, part=job.part, verb=LOOK,
                    started_at=started, ended_at=now, outcome=found.verdict, detail=found.detail,
                )
            )  # fmt: skip


def _mine(session: Session, job: Job) -> AmendmentLine | None:
    """The line, locked, where it is still under way and nobody has claimed it since."""
    mine = (AmendmentLine.id == job.id, AmendmentLine.fence == job.fence, col(AmendmentLine.state).in_(UNDER_WAY))
    return session.exec(select(AmendmentLine).where(*mine).with_for_update()).first()

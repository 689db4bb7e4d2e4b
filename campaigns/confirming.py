"""The beat «confirm»: to everybody who asked for the letters, one that asks whether it was really them.

It goes out through the list's own outlet, under the same holds; what became of it is written down before and after, so a
crash leaves it unknown, and nobody is written to twice: they can ask again on the page.
"""

import asyncio
import hashlib
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from sqlmodel import Session, col, select

from campaigns import codes, holding, subscribing
from campaigns.audit import MACHINE, record
from campaigns.delivering import Courier
from campaigns.outlets import Desk
from campaigns.people import Mistake
from campaigns.states import MAX_TRIES, back_off
from campaigns.subscribing import PENDING, UNCONFIRMED
from channels.contract import Channel, Deferred, Message, Outcome, Published, Reason, Refused, Unknown
from content.document import Document, read
from store.tables import Instance, Outlet, Subscriber, Ward
from store.vault import SealBroken

PATIENCE_SECONDS = 120.0
LEFT_IN_THE_MIDDLE = timedelta(minutes=10)
FOR_THE_OUTLET = timedelta(minutes=10)
CLOSES = frozenset({Reason.UNAUTHORIZED, Reason.MISCONFIGURED})
BATCH = 500

log = logging.getLogger("lantoa.confirm")


@dataclass(frozen=True)
class Question:
    """One letter that is on its way: whom it asks, and the words."""

    id: int
    address: str
    key: str
    speaker: Channel
    message: Message


async def confirm(courier: Courier, limit: int) -> int:
    """Send what is due; gives how many letters were tried."""
    if not await asyncio.to_thread(_something_to_do, courier):
        return 0
    questions = await asyncio.to_thread(_claim, courier, limit)
    outcomes = await asyncio.gather(*(_ask(one) for one in questions))
    if questions:
        heard = list(zip(questions, outcomes, strict=True))
        await asyncio.to_thread(_record, courier, heard)
    return len(questions)


def key_of(row: Subscriber) -> str:
    """The key of the letter that this asking brings: another one for another asking."""
    asked = row.asked_at.isoformat() if row.asked_at else ""
    return hashlib.blake2b(f"confirm|{row.code}|{asked}".encode(), digest_size=16).hexdigest()


def question(ward: Ward, speaker: Channel, url: str, key: str) -> Message:
    """The words of the letter in the outlet's own form."""
    body = (
        f"Có người vừa đăng ký địa chỉ thư này để nhận bản tin của {ward.name}.\n\n"
        "Nếu đúng là bạn, hãy bấm nút dưới đây trong vòng 48 giờ. Nếu không phải bạn, xin bỏ qua thư này."
    )
    _, blocks = read(body)
    said = Document(
        title=f"Xác nhận nhận bản tin {ward.name}",
        blocks=blocks,
        link=url,
        link_label="Xác nhận đăng ký",
        signature=ward.centre,
    )
    message = speaker.render(said, key)
    return message.model_copy(update={"extra": {**message.extra, "service": True}})


def _something_to_do(courier: Courier) -> bool:
    """Whether anything at all waits: a beat that finds nothing asks for no writer's turn."""
    now = courier.desk.now()
    waiting = col(Subscriber.letter).in_(("due", "wire")) & (col(Subscriber.letter_at) <= now)
    stale = (col(Subscriber.state) == PENDING) & (col(Subscriber.asked_at) < now - UNCONFIRMED)
    with courier.store.read() as session:
        found = select(Subscriber.id).where(waiting | stale | (col(Subscriber.code) == "")).limit(1)
        return session.exec(found).first() is not None


def _claim(courier: Courier, limit: int) -> list[Question]:
    """Write ``wire`` for those who may be asked now, on disk, before the first byte."""
    now = courier.desk.now()
    with courier.store.write() as session:
        _tidy(session, courier.desk, now)
        if session.exec(select(Instance.id).where(Instance.safe_mode != "")).first():
            return []
        due = (col(Subscriber.letter) == "due", col(Subscriber.letter_at) <= now, Outlet.state == "open")
        rest = col(Outlet.rest_until).is_(None) | (col(Outlet.rest_until) <= now)
        wanted = select(Subscriber, Outlet).join(Outlet, col(Outlet.id) == col(Subscriber.outlet_id)).where(*due, rest)
        rows = session.exec(
            wanted.order_by(col(Subscriber.letter_at)).limit(limit).with_for_update(of=Subscriber, skip_locked=True)
        ).all()
        held = {id for id in sorted({row.ward_id for row, _ in rows}) if holding.is_held(session, id)}
        found = [_question(session, courier.desk, row, outlet, now) for row, outlet in rows if row.ward_id not in held]
        return [one for one in found if one is not None]


def _question(session: Session, desk: Desk, row: Subscriber, outlet: Outlet, now: datetime) -> Question | None:
    row.letter_at = now
    session.add(row)
    try:
        speaker = desk.channel(outlet)
    except (Mistake, SealBroken, KeyError):
        row.letter_at = now + FOR_THE_OUTLET
        return None
    row.letter = "wire"
    ward = session.get_one(Ward, row.ward_id)
    token = codes.token(desk.vault, row.id or 0, row.code, now)
    url = f"{desk.files.public_url}/{ward.slug}/nhan-ban-tin/xac-nhan/{token}"
    key = key_of(row)
    return Question(row.id or 0, row.address, key, speaker, question(ward, speaker, url, key))


def _tidy(session: Session, desk: Desk, now: datetime) -> None:
    """Letters that an ended life left in the middle; rows from before codes were kept; who never confirmed."""
    lost = select(Subscriber).where(Subscriber.letter == "wire", col(Subscriber.letter_at) < now - LEFT_IN_THE_MIDDLE)
    for row in session.exec(lost.with_for_update(skip_locked=True)).all():
        _move(session, row, "unknown", now, "Chương trình dừng khi đang gửi.")
    old = select(Subscriber).where(Subscriber.code == "").limit(BATCH)
    for row in session.exec(old.with_for_update(skip_locked=True)).all():
        row.code = codes.code(desk.vault, row.outlet_id, row.address)
        session.add(row)
    subscribing.forget_unconfirmed(session, now)


async def _ask(one: Question) -> Outcome:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await one.speaker.send(one.message, one.address, one.key)
    except TimeoutError:
        return Unknown(detail="Nền tảng không trả lời trong thời gian chờ.")
    except Exception:
        log.exception("confirm %s", one.id)
        return Unknown(detail="Lỗi chương trình khi đang gửi; đã ghi vào nhật ký máy.")


def _record(courier: Courier, heard: list[tuple[Question, Outcome]]) -> None:
    now = courier.desk.now()
    with courier.store.write() as session:
        for one, outcome in heard:
            row = session.get(Subscriber, one.id, with_for_update=True)
            if row is not None and row.letter == "wire":
                _after(session, row, outcome, now, courier.chance)


def _after(session: Session, row: Subscriber, outcome: Outcome, now: datetime, chance: Random) -> None:
    match outcome:
        case Published():
            _move(session, row, "sent", now)
        case Refused() if outcome.reason in CLOSES:
            _later(session, row, now + FOR_THE_OUTLET)
        case Refused():
            _move(session, row, "failed", now, outcome.detail)
        case Deferred() if row.letter_tries + 1 < MAX_TRIES:
            row.letter_tries += 1
            _later(session, row, outcome.retry_at or back_off(row.letter_tries, now, chance))
        case Deferred():
            _move(session, row, "failed", now, outcome.detail)
        case _:
            _move(session, row, "unknown", now, getattr(outcome, "detail", ""))


def _later(session: Session, row: Subscriber, at: datetime) -> None:
    row.letter, row.letter_at = "due", at
    session.add(row)


def _move(session: Session, row: Subscriber, letter: str, now: datetime, detail: str = "") -> None:
    row.letter, row.letter_at = letter, now
    session.add(row)
    told = {"outlet": row.outlet_id, "result": letter, "detail": detail}
    record(session, row.ward_id, MACHINE, "subscriber.letter", "subscriber", row.id, now, **told)

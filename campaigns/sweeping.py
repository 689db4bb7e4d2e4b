"""The daily sweep («Bảng kiểm hằng ngày»): on channels whose list proves what is out, count every delivery's copies.

A look-up relies on a list that shows a post within ``settle_seconds``. When a list lagged longer and the answer was lost
as well, a post was sent again although it was out, or was given up as missed, failed or withdrawn although it was out.
That cannot be prevented there; it is found here within a day, said where people look, and said no more once a person
has taken down what is too much.
"""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, or_, select

from campaigns import freezing, outlets
from campaigns.audit import MACHINE, record
from campaigns.delivering import Courier
from campaigns.states import OUT_AFTER_ALL, State
from channels.contract import Certainty, Channel, Message
from store.tables import Delivery, Outlet

BACK = timedelta(hours=48)
DOUBLED = "doubled"
OVER = (State.SENT, State.CLOSED)
GIVEN_UP = (State.MISSED, State.FAILED, State.CANCELLED)
STILL_ASKED = timedelta(days=7)
SKEW = timedelta(minutes=5)
PATIENCE_SECONDS = 120.0

log = logging.getLogger("lantoa.sweep")


@dataclass(frozen=True)
class Swept:
    """A delivery that is out, and who can tell how often."""

    id: int
    key: str
    speaker: Channel
    message: Message
    since: datetime


async def sweep(courier: Courier) -> int:
    """Count the copies of what the last two days sent on channels of class C; gives how many are out too often.

    What was given up after it had been on the wire is counted too. What is known as too much is asked about for a week,
    so that its notice ends when the copy is gone.
    """
    too_many = 0
    for one in await courier.aside(_to_sweep, courier):
        try:
            copies = await _copies(one)
        except Exception:
            log.warning("sweep %s: it is counted tomorrow", one.key, exc_info=True)
            continue
        if copies is not None:
            too_many += await courier.aside(_tell, courier, one, copies)
    return too_many


async def _copies(one: Swept) -> list[tuple[str, ...]] | None:
    """The copies of every part; None where the platform could not tell."""
    found = []
    for part in range(len(one.message.parts)):
        async with asyncio.timeout(PATIENCE_SECONDS):
            ids = await one.speaker.copies(one.message, part, one.since)
        if ids is None:
            return None
        found.append(tuple(dict.fromkeys(ids)))
    return found


def _to_sweep(courier: Courier) -> list[Swept]:
    now = courier.desk.now()
    with courier.store.read() as session:
        places = {outlet.id: outlet for outlet in session.exec(select(Outlet)).all() if _can_tell(outlet)}
        recent = or_(col(Delivery.wire_at) >= now - BACK, col(Delivery.reason).in_((DOUBLED, OUT_AFTER_ALL)))
        wanted = select(Delivery).where(
            col(Delivery.outlet_id).in_(places),
            col(Delivery.wire_at) >= now - STILL_ASKED,
            col(Delivery.state).in_(OVER + GIVEN_UP),
            recent,
        )
        rows = session.exec(wanted.order_by(col(Delivery.id))).all()
    return [one for row in rows if (one := _swept(courier, row, places[row.outlet_id]))]


def _can_tell(outlet: Outlet) -> bool:
    try:
        kind = outlets.kind_of(outlet)
    except KeyError:
        return False
    return kind.certainty_of(outlet.settings) is Certainty.LOOKUP and kind.copies is not Channel.copies


def _swept(courier: Courier, row: Delivery, outlet: Outlet) -> Swept | None:
    message = freezing.kept(row)
    if message is None:
        return None
    try:
        speaker = courier.desk.channel(outlet)
    except Exception:
        log.warning("sweep: outlet %s cannot speak", outlet.id, exc_info=True)
        return None
    return Swept(row.id or 0, row.key, speaker, message, row.due_at - SKEW)


def _tell(courier: Courier, one: Swept, copies: list[tuple[str, ...]]) -> bool:
    """Write down what was counted, where it is news; gives whether more is out than the delivery says."""
    now = courier.desk.now()
    with courier.store.write("swept") as session:
        delivery = session.get_one(Delivery, one.id, with_for_update={"key_share": True})
        if delivery.state not in OVER + GIVEN_UP:
            return False
        extra = {part + 1: ids for part, ids in enumerate(copies) if len(ids) > _expected(delivery, part)}
        reason = DOUBLED if delivery.state in OVER else OUT_AFTER_ALL
        detail = _WORDS[reason].format(_listed(extra, len(copies)))
        if extra and (delivery.reason, delivery.detail) != (reason, detail):
            log.error("delivery %s (%s) is out more often than it should be: %s", one.key, delivery.state, extra)
            _write(session, delivery, reason, detail, now, copies={str(part): ids for part, ids in extra.items()})
        elif not extra and delivery.reason in (DOUBLED, OUT_AFTER_ALL):
            _write(session, delivery, "", "", now)
    return bool(extra)


def _expected(delivery: Delivery, part: int) -> int:
    """How many copies of a part the delivery itself says are out."""
    return 1 if delivery.state in OVER or part < delivery.part else 0


def _write(session: Session, delivery: Delivery, reason: str, detail: str, now: datetime, **told: object) -> None:
    delivery.reason, delivery.detail, delivery.updated_at = reason, detail, now
    session.add(delivery)
    session.flush()
    action = f"delivery.{reason or 'single_again'}"
    record(session, delivery.ward_id, MACHINE, action, "delivery", delivery.id, now, **told)


_WORDS = {
    DOUBLED: "Trên kênh đang có nhiều hơn một bản: {}. Hãy mở kênh và gỡ bản thừa.",
    OUT_AFTER_ALL: "Lượt đăng đã dừng nhưng trên kênh đang có bài: {}. Hãy mở kênh xem; không muốn để bài thì gỡ.",
}


def _listed(extra: dict[int, tuple[str, ...]], parts: int) -> str:
    said = [
        f"{f'phần {part} có ' if parts > 1 else ''}{len(ids)} bản ({', '.join(ids)})" for part, ids in extra.items()
    ]
    return "; ".join(said)

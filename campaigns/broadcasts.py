"""The archive of what the ward's loudspeakers said: its words and, where the channel still has it, its sound.

Everything in it was approved and was heard by everybody around; what was taken down or stopped is not shown.
"""

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from campaigns import freezing, hours
from campaigns.delivering import Courier
from campaigns.states import State
from channels.contract import Channel, Message, Sound
from channels.registry import kinds
from store.tables import Broadcast, Delivery, Outlet

BACK = timedelta(days=7)
AT_ONCE = 20

log = logging.getLogger("lantoa.broadcasts")


@dataclass(frozen=True)
class Said:
    """A delivery that was heard, and the channel that may still have its sound."""

    delivery: Delivery
    speaker: Channel
    message: Message


async def archive(courier: Courier) -> int:
    """Keep what was heard within the last week and is not kept yet; gives how many."""
    found = await asyncio.to_thread(_unkept, courier)
    for one in found:
        sound = await _sound(one)
        await asyncio.to_thread(_keep, courier, one, sound)
    return len(found)


def listing(session: Session, ward_id: int) -> list[Broadcast]:
    """The ward's broadcasts that can be read, the latest first."""
    return list(session.exec(_readable(ward_id).order_by(col(Broadcast.aired_at).desc())).all())


def one(session: Session, ward_id: int, number: int) -> Broadcast | None:
    """One broadcast by its number in addresses."""
    return session.exec(_readable(ward_id).where(Broadcast.delivery_id == number)).first()


def _readable(ward_id: int) -> SelectOfScalar[Broadcast]:
    said = select(Broadcast).join(Delivery, col(Delivery.id) == col(Broadcast.delivery_id))
    return said.where(Broadcast.ward_id == ward_id, Delivery.state == State.SENT)


def _unkept(courier: Courier) -> list[Said]:
    heard = [kind for kind in kinds() if hours.heard(kind)]
    with courier.store.read() as session:
        places = {row.id: row for row in session.exec(select(Outlet).where(col(Outlet.kind).in_(heard))).all()}
        kept = select(Broadcast.delivery_id).where(Broadcast.delivery_id == Delivery.id).exists()
        wanted = select(Delivery).where(
            col(Delivery.outlet_id).in_(places),
            Delivery.state == State.SENT,
            col(Delivery.due_at) > courier.desk.now() - BACK,
            ~kept,
        )
        rows = session.exec(wanted.order_by(col(Delivery.id)).limit(AT_ONCE)).all() if places else []
    return [said for row in rows if (said := _said(courier, row, places[row.outlet_id]))]


def _said(courier: Courier, row: Delivery, outlet: Outlet) -> Said | None:
    message = freezing.kept(row)
    try:
        return Said(row, courier.desk.channel(outlet), message) if message else None
    except Exception:
        log.warning("archive: outlet %s cannot be asked for its sound", outlet.id, exc_info=True)
        return None


async def _sound(said: Said) -> Sound | None:
    try:
        return await said.speaker.sound(said.message, said.delivery.remote_ids[0] if said.delivery.remote_ids else "")
    except Exception:
        log.warning("archive %s: kept without its sound", said.delivery.key, exc_info=True)
        return None


def _keep(courier: Courier, said: Said, sound: Sound | None) -> None:
    part = said.message.parts[0]
    row = Broadcast(
        delivery_id=said.delivery.id or 0,
        ward_id=said.delivery.ward_id,
        title=part.title,
        transcript=part.body,
        sha256=courier.desk.files.put(sound.mp3) if sound else "",
        seconds=sound.seconds if sound else 0,
        synthetic=sound.synthetic if sound else False,
        aired_at=said.delivery.sent_at or said.delivery.due_at,
    )
    with courier.store.write("archive") as session:
        if session.get(Broadcast, row.delivery_id) is None:
            session.add(row)

"""The beat «returns»: what came back from recipients is read, written down once, and only then put away.

Who is told apart by the key of their own copy: a mailbox that is gone twice is suspended, a complaint or a wish to leave
ends the subscription at once.
"""

import asyncio
import logging
from collections.abc import Iterable
from datetime import datetime

from sqlmodel import Session, col, func, select

from campaigns import confirming, subscribing
from campaigns.audit import Actor
from campaigns.delivering import Courier
from campaigns.fanning import key_of
from campaigns.people import Mistake
from channels.contract import Capability, Channel, Message, Part, Reason, Return
from channels.registry import kinds
from store.tables import Delivery, Metric, Outlet, Recipient, Subscriber
from store.vault import SealBroken

LIMIT = 200
PATIENCE_SECONDS = 90.0
BOUNCED = "bounced"
FIGURE = "Bị trả lại"
READER = Actor(None, "Người nhận", role="citizen")
HOW = {"complaint": "báo thư rác", "leave": "gửi thư xin hủy"}

log = logging.getLogger("lantoa.returns")


async def collect(courier: Courier) -> int:
    """Read every outlet's returns; gives how many were understood."""
    number = 0
    for outlet_id, speaker in await asyncio.to_thread(_places, courier):
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                found = await speaker.returns(LIMIT)
        except Exception:
            log.exception("returns of outlet %s", outlet_id)
            continue
        if isinstance(found, Reason):
            log.warning("returns of outlet %s cannot be read: %s", outlet_id, found.value)
        elif found:
            number += await asyncio.to_thread(_note, courier, outlet_id, found)
            await speaker.put_away(found)
    return number


def _places(courier: Courier) -> list[tuple[int, Channel]]:
    telling = [kind for kind, channel in kinds().items() if Capability.RETURNS in channel.capabilities]
    with courier.store.read() as session:
        rows = session.exec(select(Outlet).where(col(Outlet.kind).in_(telling))).all() if telling else []
    found = []
    for outlet in rows:
        try:
            found.append((outlet.id or 0, courier.desk.channel(outlet)))
        except (Mistake, SealBroken):
            log.warning("outlet %s cannot be used", outlet.id, exc_info=True)
    return found


def _note(courier: Courier, outlet_id: int, found: tuple[Return, ...]) -> int:
    with courier.store.write() as session:
        return note(session, session.get_one(Outlet, outlet_id), found, courier.desk.now())


def note(session: Session, outlet: Outlet, found: Iterable[Return], now: datetime) -> int:
    """Write down what came back; the same return again changes nothing. Gives how many concerned a recipient of ours."""
    telling = [one for one in found if one.key and one.kind != "other"]
    if not telling:
        return 0
    recipients, askers = _by_key(session, outlet, telling), _askers(session, outlet)
    number = 0
    for one in telling:
        recipient = recipients.get(one.key)
        row = askers.get(one.key) or (_subscriber(session, outlet, recipient) if recipient else None)
        if row is not None:
            number += _act(session, row, recipient, one, now)
    for delivery_id in sorted({row.delivery_id for row in recipients.values() if row.reason == BOUNCED}):
        _tell(session, outlet, delivery_id, now)
    return number


def _act(session: Session, row: Subscriber, recipient: Recipient | None, one: Return, now: datetime) -> int:
    if one.kind in HOW:
        return int(subscribing.leave(session, row, READER, HOW[one.kind], now))
    if one.kind != "gone" or recipient is None or recipient.reason == BOUNCED:
        return 0
    recipient.reason, recipient.detail = BOUNCED, one.detail
    session.add(recipient)
    subscribing.came_back(session, row, now)
    return 1


def _by_key(session: Session, outlet: Outlet, telling: list[Return]) -> dict[str, Recipient]:
    """The recipients whose copies these are: by what ``send`` gave back, or, where that was lost, by the key itself."""
    mine = select(Recipient, Delivery.key).join(Delivery, col(Delivery.id) == col(Recipient.delivery_id))
    mine = mine.where(Delivery.outlet_id == outlet.id)
    ids = {one.remote_id: one.key for one in telling if one.remote_id}
    sent = session.exec(mine.where(col(Recipient.remote_id).in_(ids))).all()
    found = {ids[recipient.remote_id]: recipient for recipient, _ in sent}
    wanted = {one.key for one in telling} - set(found)
    if wanted:
        for recipient, key in session.exec(mine.where(col(Recipient.state).in_(("unknown", "closed", "wire")))).all():
            made = key_of(Message(kind=outlet.kind, key=key, parts=(Part(body=""),)), recipient.address)
            if made in wanted:
                found[made] = recipient
    return found


def _askers(session: Session, outlet: Outlet) -> dict[str, Subscriber]:
    """Those who were asked to confirm, by the key of that letter."""
    asked = (Subscriber.outlet_id == outlet.id, Subscriber.state == subscribing.PENDING)
    return {confirming.key_of(row): row for row in session.exec(select(Subscriber).where(*asked)).all()}


def _subscriber(session: Session, outlet: Outlet, recipient: Recipient) -> Subscriber | None:
    mine = (Subscriber.outlet_id == outlet.id, Subscriber.address == recipient.address)
    return session.exec(select(Subscriber).where(*mine).with_for_update()).first()


def _tell(session: Session, outlet: Outlet, delivery_id: int, now: datetime) -> None:
    """How many of a bulletin's copies came back, as a figure of the delivery."""
    session.flush()
    counted = select(func.count()).where(Recipient.delivery_id == delivery_id, Recipient.reason == BOUNCED)
    session.add(
        Metric(
            ward_id=outlet.ward_id, delivery_id=delivery_id, name=FIGURE, value=session.exec(counted).one(), label="measured",
            formula="đếm thư báo không gửi được tới từng người nhận", taken_at=now,
        )
    )  # fmt: skip

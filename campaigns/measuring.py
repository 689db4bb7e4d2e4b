"""The beat «measure»: what each delivery reached, asked 1 h, 6 h, 1, 3, 7 and 30 days after it went out."""

import asyncio
import logging
from datetime import datetime, timedelta

from sqlmodel import Session, col, func, select

from campaigns.delivering import Courier
from campaigns.states import State
from channels.contract import Channel, Figure, Measure
from store.tables import DayCount, Delivery, Metric, Outlet

AFTER = tuple(timedelta(hours=hours) for hours in (1, 6, 24, 72, 168, 720))
AGAIN = timedelta(minutes=15)
CLICKS = "Lượt mở liên kết"

log = logging.getLogger("lantoa.measure")


async def measure(courier: Courier, limit: int) -> int:
    """Measure what is due for it; gives how many deliveries were measured."""
    due = await asyncio.to_thread(_due, courier, limit)
    await asyncio.gather(*(_measure(courier, id) for id in due))
    return len(due)


def next_measure(sent_at: datetime, now: datetime) -> datetime | None:
    """When to measure next, None when the last time has passed."""
    return next((sent_at + after for after in AFTER if sent_at + after > now), None)


def _due(courier: Courier, limit: int) -> list[int]:
    now = courier.desk.now()
    with courier.store.read() as session:
        wanted = select(Delivery.id).where(Delivery.state == State.SENT, col(Delivery.measure_at) <= now)
        return [id or 0 for id in session.exec(wanted.order_by(col(Delivery.measure_at)).limit(limit)).all()]


async def _measure(courier: Courier, id: int) -> None:
    speaker, remote_id = await asyncio.to_thread(_speaker, courier, id)
    try:
        found = await speaker.measure(remote_id)
    except Exception:
        log.exception("measure %s", id)
        found = Measure(detail="Lỗi chương trình khi đo; đã ghi vào nhật ký máy.")
    await asyncio.to_thread(_keep, courier, id, found)


def _speaker(courier: Courier, id: int) -> tuple[Channel, str]:
    with courier.store.read() as session:
        delivery = session.get_one(Delivery, id)
        return courier.desk.channel(session.get_one(Outlet, delivery.outlet_id)), delivery.remote_ids[0]


def _keep(courier: Courier, id: int, found: Measure) -> None:
    now = courier.desk.now()
    with courier.store.write() as session:
        delivery = session.get_one(Delivery, id)
        for figure in [*found.figures, *_clicks(session, delivery)]:
            session.add(
                Metric(
                    ward_id=delivery.ward_id, delivery_id=id, name=figure.name, value=figure.value, level=figure.level, label=figure.label,
                    formula=figure.formula, taken_at=now,
                )
            )  # fmt: skip
        delivery.measured_at = now
        missed = found.reason is not None and not found.figures
        delivery.measure_at = now + AGAIN if missed else next_measure(delivery.sent_at or now, now)
        session.add(delivery)


def _clicks(session: Session, delivery: Delivery) -> list[Figure]:
    mine = (DayCount.kind == "link", DayCount.subject == delivery.key)
    people = session.exec(select(func.sum(DayCount.people)).where(*mine)).one()
    if people is None:
        return []
    return [Figure(name=CLICKS, value=int(people), formula="Lượt mở liên kết rút gọn của bài, trừ máy và lượt lặp trong 30 phút.")]

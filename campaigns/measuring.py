"""The beat «measure»: what each delivery reached, asked 1 h, 6 h, 1, 3, 7 and 30 days after it went out."""

import asyncio
import logging
from datetime import datetime, timedelta

from sqlmodel import Session, col, func, select

from campaigns.delivering import Courier
from campaigns.people import Mistake
from campaigns.states import State
from channels.contract import Channel, Figure, Measure, Reason
from store.tables import DayCount, Delivery, Metric, Outlet
from store.vault import SealBroken

AFTER = tuple(timedelta(hours=hours) for hours in (1, 6, 24, 72, 168, 720))
AGAIN = timedelta(minutes=15)
AGAIN_WITHIN = timedelta(hours=2)
PATIENCE_SECONDS = 60.0
CLICKS = "Lượt mở liên kết"

log = logging.getLogger("lantoa.measure")


async def measure(courier: Courier, limit: int) -> int:
    """Measure what is due for it, read and recorded in one transaction each; gives how many deliveries that were."""
    due = await asyncio.to_thread(_due, courier, limit)
    found = await asyncio.gather(*(_ask(speaker, remote_id) for _, speaker, remote_id in due))
    if due:
        await asyncio.to_thread(_keep, courier, [(id, one) for (id, _, _), one in zip(due, found, strict=True)])
    return len(due)


def next_measure(sent_at: datetime, now: datetime) -> datetime | None:
    """When to measure next, None when the last time has passed."""
    return next((sent_at + after for after in AFTER if sent_at + after > now), None)


def next_try(sent_at: datetime, now: datetime) -> datetime | None:
    """When to ask again after no answer: soon, for two hours; after that at the next time of the schedule."""
    was_due = max((sent_at + after for after in AFTER if sent_at + after <= now), default=sent_at)
    return now + AGAIN if now < was_due + AGAIN_WITHIN else next_measure(sent_at, now)


def _due(courier: Courier, limit: int) -> list[tuple[int, Channel | None, str]]:
    now = courier.desk.now()
    with courier.store.read() as session:
        wanted = select(Delivery).where(Delivery.state == State.SENT, col(Delivery.measure_at) <= now)
        rows = session.exec(wanted.order_by(col(Delivery.measure_at)).limit(limit)).all()
        speakers = {id: _speaker(courier, session.get_one(Outlet, id)) for id in {row.outlet_id for row in rows}}
        return [(row.id or 0, speakers[row.outlet_id], next(iter(row.remote_ids), "")) for row in rows]


def _speaker(courier: Courier, outlet: Outlet) -> Channel | None:
    try:
        return courier.desk.channel(outlet)
    except (Mistake, SealBroken, KeyError):
        log.warning("measure: outlet %s cannot be used", outlet.id, exc_info=True)
        return None


async def _ask(speaker: Channel | None, remote_id: str) -> Measure:
    if speaker is None:
        return Measure(reason=Reason.MISCONFIGURED, detail="Kênh chưa dùng được; hãy kiểm tra kết nối.")
    if not remote_id:
        return Measure()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await speaker.measure(remote_id)
    except TimeoutError:
        return Measure(reason=Reason.UNREACHABLE, detail="Nền tảng không trả lời trong thời gian chờ.")
    except Exception:
        log.exception("measure %s", remote_id)
        return Measure(reason=Reason.BUSY, detail="Lỗi chương trình khi đo; đã ghi vào nhật ký máy.")


def _keep(courier: Courier, answers: list[tuple[int, Measure]]) -> None:
    now = courier.desk.now()
    with courier.store.write() as session:
        for id, found in answers:
            delivery = session.get_one(Delivery, id, with_for_update={"key_share": True})
            if delivery.state == State.SENT:
                _keep_one(session, delivery, found, now)


def _keep_one(session: Session, delivery: Delivery, found: Measure, now: datetime) -> None:
    for figure in [*found.figures, *_clicks(session, delivery)]:
        session.add(
            Metric(
                ward_id=delivery.ward_id, delivery_id=delivery.id or 0, name=figure.name, value=figure.value,
                label=figure.label, formula=figure.formula, taken_at=now,
            )
        )  # fmt: skip
    missed = found.reason is not None and not found.figures
    delivery.measured_at = delivery.measured_at if missed else now
    delivery.measure_at = (next_try if missed else next_measure)(delivery.sent_at or now, now)
    session.add(delivery)


def _clicks(session: Session, delivery: Delivery) -> list[Figure]:
    mine = (DayCount.kind == "link", DayCount.subject == delivery.key)
    people = session.exec(select(func.sum(DayCount.people)).where(*mine)).one()
    if people is None:
        return []
    return [
        Figure(
            name=CLICKS,
            value=int(people),
            formula="Lượt mở liên kết rút gọn của bài, trừ máy và lượt lặp trong 30 phút.",
        )
    ]

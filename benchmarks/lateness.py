"""How late single posts are, in the daemon itself: when nothing else goes on, and while a fan-out drains beside them.

Lateness is the moment at which a channel is asked to speak, minus the moment that was due. The machine's own clock.
"""

import asyncio
import statistics
import time
from datetime import datetime, timedelta

from sqlalchemy import bindparam, text
from sqlmodel import col, select

from benchmarks.house import Databases, House, Single, build
from campaigns import fanning
from campaigns.states import State
from channels.contract import Message
from scheduler import Daemon, utc_now
from settings import Settings
from store.engine import Store
from store.tables import Delivery, Utc

OUTLETS = 16
POSTS = 12
SECONDS = 10.0
LEAD = 2.5


def run(databases: Databases, sink: str, dialect: str, recipients: int) -> dict[str, float]:
    """p50 and p99 lateness in ms of 192 single posts over ten seconds, beside a fan-out of that many (0: none)."""
    url, folder = databases.new(dialect)
    store = Store(url)
    kinds = [("single", f"{sink}/take")] * OUTLETS + [("many", f"{sink}/take")] * bool(recipients)
    house = build(store, folder, sink, kinds, utc_now)
    soon = utc_now() + timedelta(minutes=3)
    for number in range(POSTS):
        house.approve(number, house.places[:OUTLETS], soon)
    if recipients:
        house.subscribe(house.places[OUTLETS], recipients)
        house.approve(POSTS, house.places[OUTLETS:], soon)
    house.plan()
    found = asyncio.run(_run(house, recipients))
    store.close()
    return found


async def _run(house: House, recipients: int) -> dict[str, float]:
    daemon = Daemon(house.store, house.desk, Settings())
    await daemon.prepare(utc_now() + timedelta(minutes=5))
    due = _spread(house, utc_now() + timedelta(seconds=LEAD))
    late: dict[str, float] = {}
    Single.heard = lambda message: _note(late, due, message)
    running = asyncio.create_task(daemon.run())
    begun = time.monotonic()
    while len(late) < len(due) and time.monotonic() < begun + LEAD + SECONDS + 60:
        await asyncio.sleep(0.1)
    busy = await asyncio.to_thread(_draining, house) if recipients else True
    daemon.stop()
    await running
    Single.heard = lambda message: None
    if len(late) < len(due):
        raise RuntimeError(f"{len(late)} of {len(due)} went out: the row does not count")
    every = sorted(late.values())
    return {
        "p50": statistics.median(every) * 1000, "p99": every[int(len(every) * 0.99)] * 1000, "worst": every[-1] * 1000,
        "still_draining": float(busy),
    }  # fmt: skip


def _note(late: dict[str, float], due: dict[str, datetime], message: Message) -> None:
    if message.key in due:
        late[message.key] = (utc_now() - due[message.key]).total_seconds()


def _spread(house: House, first: datetime) -> dict[str, datetime]:
    """Every single post gets a moment of its own within the ten seconds; the fan-out begins at once."""
    due = {}
    with house.store.write() as session:
        rows = session.exec(select(Delivery).order_by(col(Delivery.post_id), col(Delivery.outlet_id))).all()
        singles = [row for row in rows if row.outlet_id != (house.places[-1].id if len(house.places) > OUTLETS else 0)]
        for number, row in enumerate(singles):
            due[row.key] = first + timedelta(seconds=SECONDS * number / len(singles))
        move = text("update delivery set due_at = :at, next_at = :at where key = :key")
        move = move.bindparams(bindparam("at", type_=Utc()))
        early = first - timedelta(seconds=LEAD - 0.5)
        session.connection().execute(move, [{"key": row.key, "at": due.get(row.key, early)} for row in rows])
    return due


def _draining(house: House) -> bool:
    """Whether the fan-out was still going on when the last single post went out."""
    with house.store.read() as session:
        many = session.exec(select(Delivery).where(Delivery.outlet_id == house.places[-1].id)).one()
        counts = fanning.tally(session, many.id or 0)
    if many.state not in (State.WIRE, State.SENT):
        raise RuntimeError(f"the fan-out is {many.state} {many.detail}: the row does not count")
    return counts.waiting > 0

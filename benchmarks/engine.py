"""Durable deliveries per second of single posts: each with its own state, try and audit event on disk before the first byte."""

import asyncio
import time
from datetime import timedelta
from random import Random

from sqlalchemy import func
from sqlmodel import select

from benchmarks.house import MORNING, NINE, Databases, House, build
from benchmarks.sink import prove
from campaigns.delivering import Courier
from campaigns.states import State
from store.engine import Store
from store.tables import Delivery

OUTLETS = 64
EACH = 8
POSTS = 64
AT_ONCE = 64


def run(databases: Databases, sink: str, dialect: str, over_http: bool, written_ahead: bool = False) -> float:
    """Deliveries per second from due to sent, through ``Courier.deliver`` over 64 outlets."""
    url, folder = databases.new(dialect)
    store = Store(url)
    clock = [MORNING]
    target = f"{sink}/take" if over_http else ""
    house = build(store, folder, sink, [("single", target)] * OUTLETS, lambda: clock[0])
    for number in range(POSTS):
        start = number * EACH % OUTLETS
        house.approve(number, house.places[start : start + EACH], MORNING + NINE)
    house.plan()
    clock[0] = MORNING + NINE + timedelta(minutes=1)
    rate = asyncio.run(_run(house, written_ahead))
    with store.read() as session:
        sent = session.exec(select(func.count()).select_from(Delivery).where(Delivery.state == State.SENT)).one()
    store.close()
    if sent != EACH * POSTS:
        raise RuntimeError(f"{sent} of {EACH * POSTS} were sent: the row does not count")
    if over_http:
        prove(sink, EACH * POSTS)
    return rate


async def _run(house: House, written_ahead: bool) -> float:
    courier = Courier(house.store, house.desk, "bench", Random(1))
    if written_ahead:
        await courier.freeze_ahead(house.desk.now(), EACH * POSTS)
    started = time.perf_counter()
    while await courier.deliver(AT_ONCE):
        pass
    took = time.perf_counter() - started
    await house.desk.wire.close()
    return EACH * POSTS / took

"""The daemon whose power is cut: the product's own, on SQLite, with somebody approving posts meanwhile.

It says ``approved ID`` after each approval that a person would be shown as done; strace sees that, every write to the
database and every byte to a platform. Run: ``python -m tests.chaos.powered WORLD.json APPROVALS full|normal``.
"""

import asyncio
import logging
import os
import sys
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import event
from sqlmodel import select

from campaigns.planning import plan
from channels.wire import Wire
from scheduler import Daemon
from settings import Settings
from store.engine import Store
from store.tables import Delivery
from tests.chaos import outlets, world
from tests.chaos.living import OPEN
from tests.chaos.world import World

ACKNOWLEDGED = "approved"


async def _work(place: World, store: Store, approvals: int) -> None:
    daemon = Daemon(
        store, place.desk(outlets.wire(place.port, place.timeout)), Settings(folder=Path(place.folder)), Random(1)
    )
    working = asyncio.create_task(daemon.run())
    await asyncio.to_thread(_approve, place, store, approvals)
    while await asyncio.to_thread(_open, store):
        await asyncio.sleep(0.1)
    daemon.stop()
    await working


def _approve(place: World, store: Store, approvals: int) -> None:
    """Posts are written, handed on and approved; each is planned at once, and goes out within its minute."""
    desk = place.desk(Wire())
    houses = world.furnish(store, place, 1)
    for number in range(approvals):
        with store.write() as session:
            post = world.approved(session, desk, houses[0], number, timedelta(minutes=2))
        os.write(1, f"{ACKNOWLEDGED} {post.id}\n".encode())
        with store.write() as session:
            plan(session, desk.now(), timedelta(days=1))


def _open(store: Store) -> int:
    with store.read() as session:
        return len(session.exec(select(Delivery.id).where(Delivery.state.in_(OPEN))).all())  # type: ignore[attr-defined]


def _careless(connection: Any, _record: Any) -> None:
    connection.execute("pragma synchronous=normal")


def main() -> None:
    """One daemon until all that was approved is out."""
    path, approvals, synchronous = sys.argv[1:]
    logging.disable(logging.CRITICAL)
    outlets.install()
    place = World.loads(Path(path).read_text())
    store = Store(place.url)
    if synchronous == "normal":
        event.listen(store.engine, "connect", _careless)
    asyncio.run(_work(place, store, int(approvals)))
    store.close()


if __name__ == "__main__":
    main()

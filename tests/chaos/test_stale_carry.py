"""A carry that was given up and its successor ask in the same group: only the one with the present fence may leave.

Found by R5 on PostgreSQL: two drafts of one delivery were published, both under one try.
"""

import time
from pathlib import Path

import pytest
from sqlalchemy import insert, update
from sqlmodel import col, func, select

from campaigns.wiring import Ready, to_wire
from channels.contract import EMPTY
from channels.wire import Wire
from store.engine import Store
from store.tables import Attempt, Delivery
from tests.chaos import outlets, world
from tests.chaos.world import World


@pytest.mark.parametrize("fences", [(1, 2), (2, 1)])
def test_only_the_present_fence_leaves(any_store: Store, tmp_path: Path, fences: tuple[int, int]) -> None:
    place = World(any_store.url, str(tmp_path), 1, time.time(), 1.0)
    with outlets.installed():
        ward = world.furnish(any_store, place, 1, "b")[0]
        now = place.clock()()
        with any_store.write() as session:
            post = world.approved(session, place.desk(Wire()), ward, 1)
            session.execute(insert(Delivery), [world.row(post, ward.outlets[0][0], "abcdefghjk", now, now)])
            prepared = update(Delivery).values(state="prepared", fence=2, epoch="now", parts=1)
            session.execute(prepared.where(col(Delivery.key) == "abcdefghjk"))
        with any_store.write() as session:
            id = session.exec(select(Delivery.id)).one() or 0
            leaving = to_wire(session, [Ready(id, fence, EMPTY) for fence in fences], now)
        with any_store.read() as session:
            tries = session.exec(select(func.count()).select_from(Attempt)).one()
    assert len([attempt for attempt in leaving if attempt is not None]) == tries == 1
    assert fences[leaving.index(next(attempt for attempt in leaving if attempt is not None))] == 2

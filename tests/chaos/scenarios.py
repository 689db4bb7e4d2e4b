"""Short scenarios for planted bugs that time, threads and platforms have no part in; each raises AssertionError.

Every one of them holds for the product as it is (see test_r4), else killing a mutant would prove nothing.
"""

import shutil
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from unittest.mock import patch

from sqlmodel import select

from campaigns import outlets
from campaigns.delivering import Courier
from campaigns.planning import plan
from store.engine import Store
from store.tables import Delivery, Instance, Outlet, Post, Worker
from tests.campaigns import scripted
from tests.campaigns.conftest import KINDS, House, build_house
from tests.chaos import databases
from tests.chaos.simulated_time import START
from tests.conftest import FakeClock


def two_workers() -> None:
    """What a live worker has under way is nobody else's, on PostgreSQL where several work at once."""
    with _folder() as folder, databases.postgresql(folder) as store, _scripted():
        house = build_house(store, folder, FakeClock(START))
        delivery = house.planned(START + timedelta(minutes=10))
        house.desk.now.forward(minutes=10)  # type: ignore[attr-defined]
        first, second = (Courier(store, house.desk, epoch, Random(1)) for epoch in ("first", "second"))  # noqa: S311
        for courier in (first, second):
            with store.write() as session:
                now = house.desk.now()
                session.add(Worker(epoch=courier.epoch, host="one", pid=1, started_at=now, seen_at=now))
        assert len(first._claim(5)) == 1
        assert second.recover() == 0, "a live worker's delivery was taken"
        assert house.see(delivery).state == "prepared"
        house.desk.now.forward(minutes=2)  # type: ignore[attr-defined]
        assert second.recover() == 1, "a dead worker's delivery was left alone"


def same_keys() -> None:
    """A post planned again from the same backup has the same keys as before."""
    with _folder() as folder, _sqlite(folder) as store, _scripted():
        house = build_house(store, folder, FakeClock(START))
        house.approved(START + timedelta(hours=2))
        with store.engine.connect() as connection:
            connection.exec_driver_sql("pragma wal_checkpoint(truncate)")
        shutil.copyfile(folder / "lantoa.db", folder / "restored.db")
        restored = Store(f"sqlite:///{folder}/restored.db")
        keys = [_planned_keys(one, house) for one in (store, restored)]
        restored.close()
        assert keys[0] == keys[1], f"{keys[0]} became {keys[1]}"
        assert len(keys[0]) == 1


def restored() -> None:
    """What fell due before a backup was restored is looked up, never sent blind."""
    with _folder() as folder, _sqlite(folder) as store, _scripted():
        house = build_house(store, folder, FakeClock(START))
        post = house.approved(START + timedelta(hours=2))
        house.desk.now.forward(hours=3)  # type: ignore[attr-defined]
        with store.write() as session:
            instance = session.get_one(Instance, 1)
            instance.restored_at = house.desk.now()
            session.add(instance)
        with store.write() as session:
            plan(session, house.desk.now(), timedelta(days=1))
            state = session.exec(select(Delivery.state).where(Delivery.post_id == post.id)).one()
        assert state == "unknown", f"restored as «{state}»"


def renewed_twice() -> None:
    """Of two processes that renew the same credentials, the second overwrites nothing."""
    with _folder() as folder, _sqlite(folder) as store, _scripted():
        house = build_house(store, folder, FakeClock(START))
        id, was = house.outlet.id or 0, house.outlet.secrets
        with store.write() as session:
            session.get_one(Outlet, id).secrets = "newer"
        with store.write() as session:
            kept = outlets.renew(session, id, was, {}, house.desk.vault, house.desk.now())
            assert not kept, "the newer credentials were overwritten"
            assert session.get_one(Outlet, id).secrets == "newer"


def durable() -> None:
    """A commit is on disk when it is said to be done."""
    with _folder() as folder, _sqlite(folder) as store, store.engine.connect() as connection:
        mode = connection.exec_driver_sql("pragma synchronous").scalar()
        assert mode == 2, f"synchronous = {mode}"


def composed() -> None:
    """What is typed with separate diacritics is kept and sent in NFC."""
    with _folder() as folder, _sqlite(folder) as store, _scripted():
        house = build_house(store, folder, FakeClock(START))
        typed = unicodedata.normalize("NFD", "Bà con nhớ nộp hồ sơ trực tuyến.")
        post = house.approved(START + timedelta(hours=2), body=typed)
        with store.read() as session:
            kept = session.get_one(Post, post.id).body
        assert unicodedata.is_normalized("NFC", kept), "kept as it was typed"


SCENARIOS = (two_workers, same_keys, restored, renewed_twice, durable, composed)


def _planned_keys(store: Store, house: House) -> list[str]:
    with store.write() as session:
        plan(session, house.desk.now(), timedelta(days=1))
        return sorted(session.exec(select(Delivery.key)).all())


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lantoa-scenario-") as folder:
        yield Path(folder)


@contextmanager
def _sqlite(folder: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{folder}/lantoa.db")
    store.migrate()
    try:
        yield store
    finally:
        store.close()


@contextmanager
def _scripted() -> Iterator[None]:
    scripted.PLATFORM.__init__()  # type: ignore[misc]
    with patch("channels.registry.installed", lambda: KINDS):
        yield

"""Whoever left after the backup does not come back with it."""

from pathlib import Path

import pytest
from sqlmodel import select

from campaigns import subscribing
from campaigns.bringing_back import bring_back
from campaigns.subscribing import ACTIVE, CITIZEN, LEFT
from store import backups
from store.backups import Place
from store.tables import Outlet, Subscriber
from tests.campaigns.conftest import House
from tests.conftest import FakeClock

pytestmark = pytest.mark.anyio


def reader(house: House, name: str) -> int:
    now = house.desk.now()
    with house.store.write() as session:
        row = Subscriber(
            ward_id=house.ward.id or 0, outlet_id=house.outlet.id or 0, address=f"{name}@example.org", code=f"ma-{name}",
            state=ACTIVE, active=True, consent="Đồng ý", created_at=now,
        )  # fmt: skip
        session.add(row)
        session.flush()
        return row.id or 0


def see(house: House) -> dict[str, str]:
    with house.store.read() as session:
        return {row.code: f"{row.state} {row.address}" for row in session.exec(select(Subscriber)).all()}


async def test_who_left_after_the_backup_stays_away(house: House, clock: FakeClock, tmp_path: Path) -> None:
    place = Place(tmp_path / "data", tmp_path / "data" / "khoa-bi-mat")
    leaving = reader(house, "hoa")
    reader(house, "nam")
    made = backups.make(house.store, place, tmp_path / "sao-luu", clock(), "0")
    clock.forward(hours=1)
    with house.store.write() as session:
        subscribing.leave(session, session.get_one(Subscriber, leaving), CITIZEN, "trang hủy đăng ký", clock())
    house.store.close()
    brought = bring_back(house.store.url, place, made, (), clock(), replace=True)
    assert (brought.kept_away, brought.lists_paused) == (1, ())
    assert see(house) == {"ma-hoa": f"{LEFT} #ma-hoa", "ma-nam": f"{ACTIVE} nam@example.org"}
    with house.store.read() as session:
        assert session.get_one(Outlet, house.outlet.id).state == "open"


async def test_where_nobody_can_tell_who_left_a_person_is_asked(house: House, clock: FakeClock, tmp_path: Path) -> None:
    place = Place(tmp_path / "data", tmp_path / "data" / "khoa-bi-mat")
    reader(house, "hoa")
    made = backups.make(house.store, place, tmp_path / "sao-luu", clock(), "0")
    with house.store.write() as session:
        session.connection().exec_driver_sql("alter table subscriber rename to hong")
    house.store.close()
    brought = bring_back(house.store.url, place, made, (), clock(), replace=True)
    assert (brought.kept_away, brought.lists_paused) == (0, (house.outlet.name,))
    with house.store.read() as session:
        outlet = session.get_one(Outlet, house.outlet.id)
        assert outlet.state == "paused" and "Người nhận tin" in outlet.paused_reason

"""The daemon: alone on its folder, not stopped by a beat that breaks, and finished with what it began."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import select

import scheduler
from campaigns import catching_up, renewing
from campaigns.states import State
from scheduler import Daemon, SecondDaemon, lock, own_addresses, utc_now
from settings import Settings, Web
from store.engine import Store
from store.tables import Delivery, Outlet, Worker
from tests.campaigns.conftest import House, build_house
from tests.campaigns.conftest import platform as platform

pytestmark = pytest.mark.anyio
PROGRAM = Path(scheduler.__file__)


@pytest.fixture
def live(any_store: Store, tmp_path: Path) -> House:
    return build_house(any_store, tmp_path, utc_now)


def _daemon(house: House) -> Daemon:
    settings = Settings.model_validate({"daemon": {"idle_seconds": 0.05}})
    return Daemon(house.store, house.desk, settings)


async def _until(true, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.02)


def _make_due(house: House, delivery: Delivery) -> None:
    with house.store.write() as session:
        row = session.get_one(Delivery, delivery.id)
        row.due_at = row.next_at = utc_now()


async def test_it_plans_and_delivers_until_it_is_stopped(live: House, platform) -> None:
    post = live.approved(utc_now() + timedelta(minutes=1))
    daemon = _daemon(live)
    running = asyncio.create_task(daemon.run())

    def planned() -> list[Delivery]:
        with live.store.read() as session:
            return list(session.exec(select(Delivery).where(Delivery.post_id == post.id)).all())

    await _until(planned)
    [delivery] = planned()
    _make_due(live, delivery)
    await _until(lambda: live.see(delivery).state == State.SENT)
    daemon.stop()
    await asyncio.wait_for(running, 10)
    with live.store.read() as session:
        [worker] = session.exec(select(Worker)).all()
    assert worker.stopped_at is not None


async def test_a_beat_that_breaks_stops_neither_itself_nor_the_others(
    live: House, platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = live.planned(utc_now() + timedelta(minutes=1))
    _make_due(live, delivery)
    real, broken = Daemon.next_delivery, [1, 1, 1]

    def breaks_at_first(self: Daemon) -> datetime | None:
        if broken:
            broken.pop()
            raise ZeroDivisionError
        return real(self)

    monkeypatch.setattr(Daemon, "next_delivery", breaks_at_first)
    monkeypatch.setattr(Daemon, "plan", lambda self: 1 / 0)
    daemon = _daemon(live)
    running = asyncio.create_task(daemon.run())
    await _until(lambda: live.see(delivery).state == State.SENT and not broken)
    assert not running.done()
    daemon.stop()
    await asyncio.wait_for(running, 10)


async def test_a_renewal_that_has_begun_is_finished_before_it_ends(
    live: House, platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, finished = asyncio.Event(), []

    async def slow(_: object) -> int:
        begun.set()
        await asyncio.sleep(0.3)
        finished.append(True)
        return 1

    monkeypatch.setattr(renewing, "renew", slow)
    daemon = _daemon(live)
    running = asyncio.create_task(daemon.run())
    await begun.wait()
    daemon.stop()
    await asyncio.wait_for(running, 10)
    assert finished


async def test_a_sleep_that_could_not_be_written_down_at_once_is_not_forgotten(
    house: House, clock, platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = house.planned(clock() + timedelta(minutes=10))
    daemon = _daemon(house)
    daemon.begin()
    clock.forward(hours=2)
    with monkeypatch.context() as waking:
        waking.setattr(catching_up, "after_silence", _no_database)
        with pytest.raises(OperationalError):
            await daemon._pass()
    await daemon._pass()
    await daemon.courier.idle()
    assert (house.see(late).state, platform.posts) == (State.HELD, [])


def _no_database(*_: object) -> None:
    raise OperationalError("begin", {}, OSError("no route to host"))


async def test_what_is_due_but_blocked_is_not_asked_for_in_a_hot_loop(live: House, platform) -> None:
    delivery = live.planned(utc_now() + timedelta(minutes=1))
    _make_due(live, delivery)
    patient = Daemon(live.store, live.desk, Settings())
    assert patient._until_next() == scheduler.BLOCKED_SECONDS
    with live.store.write() as session:
        session.get_one(Outlet, live.outlet.id).state = "paused"
    assert patient._until_next() == patient.settings.daemon.idle_seconds


async def test_the_next_moment_is_the_earliest_of_all_that_waits(house: House, clock, platform) -> None:
    daemon = Daemon(house.store, house.desk, Settings())
    assert daemon.next_due() is None
    delivery = house.planned(clock() + timedelta(hours=1))
    assert daemon.next_due() == delivery.due_at
    with house.store.write() as session:
        session.get_one(Outlet, house.outlet.id).next_slot_at = clock() + timedelta(hours=2)
    assert daemon.next_due() == clock() + timedelta(hours=2)


@pytest.fixture
def house(any_store: Store, tmp_path: Path, clock) -> House:
    return build_house(any_store, tmp_path, clock)


def test_a_second_daemon_on_the_same_folder_is_refused_in_words(tmp_path: Path) -> None:
    with lock(tmp_path), pytest.raises(SecondDaemon, match="Một tiến trình Lan Tỏa khác đang làm việc"):
        lock(tmp_path)
    lock(tmp_path).close()


def test_its_own_addresses_are_its_site_and_in_a_rehearsal_the_twins() -> None:
    web = Web(port=8123, public_url="https://phuong.example/")
    assert own_addresses(Settings(web=web)) == (
        "127.0.0.1:8123",
        "phuong.example:443",
        "127.0.0.1:8010",
        "127.0.0.2:8010",
    )
    assert own_addresses(Settings(web=web, mode="live")) == ("127.0.0.1:8123", "phuong.example:443")


def _run(folder: Path, **environment: str) -> subprocess.Popen[str]:
    given = {**os.environ, "LANTOA_FOLDER": str(folder), "PYTHONPATH": str(PROGRAM.parent), **environment}
    return subprocess.Popen([sys.executable, str(PROGRAM)], cwd=folder, env=given, stderr=subprocess.PIPE, text=True)


def test_alone_it_says_in_a_sentence_that_the_database_is_not_there(tmp_path: Path) -> None:
    running = _run(tmp_path)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 2
    assert "lantoa migrate" in said
    assert "Traceback" not in said


def test_alone_on_a_migrated_folder_it_delivers_and_stops_when_asked(
    tmp_path: Path, migrated: Path, monkeypatch
) -> None:
    import shutil

    from channels import registry

    shutil.copyfile(migrated, tmp_path / "lantoa.db")
    store = Store(f"sqlite:///{tmp_path}/lantoa.db")
    monkeypatch.setattr("channels.registry.installed", registry.installed)
    house = _with_a_loudspeaker(store, tmp_path, monkeypatch)
    delivery = house.planned(utc_now() + timedelta(minutes=1))
    _make_due(house, delivery)
    running = _run(tmp_path)
    end = time.monotonic() + 60
    while house.see(delivery).state not in (State.SENT, State.FAILED) and time.monotonic() < end:
        time.sleep(0.2)
    running.send_signal(signal.SIGTERM)
    _, said = running.communicate(timeout=30)
    assert (house.see(delivery).state, running.returncode) == (State.SENT, 0), said[-2000:]
    store.close()


def _with_a_loudspeaker(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    from importlib.metadata import entry_points

    kinds = {point.name: point.load() for point in entry_points(group="lantoa.channels")}
    monkeypatch.setattr("channels.registry.installed", lambda: kinds)
    from campaigns import outlets
    from tests.campaigns.conftest import KINDS

    monkeypatch.setattr("channels.registry.installed", lambda: {**KINDS, **kinds})
    house = build_house(store, tmp_path, utc_now)
    from store.vault import Vault

    vault = Vault.open(tmp_path / "khoa-bi-mat")
    values = {"folder": str(tmp_path / "loa")}
    with store.write() as session:
        outlet = outlets.connect(
            session, house.admin, house.ward.id or 0, "loudspeaker", "Loa", values, vault, utc_now()
        )
    return replace(house, outlet=outlet, desk=replace(house.desk, vault=vault))

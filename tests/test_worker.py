"""``lantoa worker``: as many as wanted; one killed in the middle loses and doubles nothing; the wakes are worth nothing."""

import ast
import asyncio
import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

import worker
from campaigns import outlets, waking
from channels import registry
from settings import Settings
from store import wakeups
from store.engine import OldSchema, Store
from store.lease import Lease
from store.tables import Outlet, Worker
from store.vault import Vault
from store.wakes import Due, Lane
from tests.campaigns.conftest import KINDS, build_house
from tests.chaos import ledger
from tests.conftest import FakeClock, _database
from tests.hands import ROOT, Yard, yard
from tests.house.tree import imports, name, program

SIX = ["ledgerkeyed", "ledgerkeyed", "ledger", "ledger", "ledger", "ledgerblind"]
EACH = int(os.environ.get("N", "180")) // len(SIX)


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "installed", lambda: {**KINDS, **ledger.KINDS})


@pytest.fixture
def shared(migrated_postgresql: str, tmp_path: Path):
    with yard(migrated_postgresql, tmp_path) as made:
        yield made


def test_three_workers_share_the_work_and_one_killed_in_the_middle_is_not_missed(shared: Yard) -> None:
    shared.furnish(SIX, EACH)
    everything = EACH * len(SIX)
    shared.start(3)
    shared.until(lambda: shared.copies() >= everything // 5, 120)
    shared.hands[0].kill()
    killed_at = time.monotonic()
    left = _under_way(shared)
    resumed = shared.until(lambda: not (_under_way(shared) & left), shared.lease + 3 + 10)
    shared.until(shared.over, 400)
    assert shared.stop()[1:] == [0, 0], shared.said()
    assert shared.violations() == []
    assert sum(shared.states().values()) == everything
    writers = {line["id"].split("/")[2] for line in ledger.lines(shared.folder / ledger.LEDGER)}
    assert len(writers) >= 2, "one worker did everything"
    with shared.store.read() as session:
        lives = session.exec(select(Worker).where(Worker.role == "worker")).all()
    assert sorted(life.stopped_at is not None for life in lives) == [False, True, True]
    sys.stdout.write(
        f"{everything} deliveries, resumed {resumed:.1f} s after a kill, all {time.monotonic() - killed_at:.1f} s\n"
    )


def _under_way(shared: Yard) -> set[tuple[str, int]]:
    with shared.store.engine.connect() as connection:
        rows = connection.exec_driver_sql("select key, fence from delivery where state in ('prepared', 'wire')")
        return {(str(key), int(fence)) for key, fence in rows}


def test_dropping_every_table_of_the_wakes_in_the_middle_loses_nothing(shared: Yard) -> None:
    shared.furnish(SIX, 6)
    shared.start(2)
    shared.until(lambda: shared.copies() >= 6, 120)
    with shared.store.engine.begin() as connection:
        connection.exec_driver_sql(f"drop schema {wakeups.SCHEMA} cascade")
    time.sleep(1)
    assert wakeups.migrate(shared.store)
    shared.until(shared.over, 120)
    assert shared.stop() == [0, 0], shared.said()
    assert shared.violations() == []
    with shared.store.engine.connect() as connection:
        left = connection.exec_driver_sql(
            f"select count(*) from {wakeups.SCHEMA}.procrastinate_jobs where task_name = 'deliver_outlet'"
        ).scalar_one()
    assert left == 0, "finished jobs are deleted"


def test_the_tables_of_the_wakes_are_built_once_and_asked_for_by_name(migrated_postgresql: str, tmp_path: Path) -> None:
    store = Store(_database(migrated_postgresql, tmp_path.name, template="migrated"))
    settings = Settings.model_validate({"database": store.url, "folder": str(tmp_path)})
    with pytest.raises(OldSchema, match="lantoa migrate"):
        worker.opened(settings)
    assert (worker.migrate_wakes(store), worker.migrate_wakes(store)) == (True, False)
    with pytest.raises(worker.CannotWork, match="chưa có tệp khóa"):
        worker.opened(settings)
    Vault.open(settings.key_file)
    worker.opened(settings).close()
    with store.engine.begin() as connection:
        connection.exec_driver_sql(f"comment on schema {wakeups.SCHEMA} is 'procrastinate 2.0'")
    with pytest.raises(OldSchema, match="phiên bản khác"):
        worker.opened(settings)
    assert worker.migrate_wakes(store), "another version's tables are built anew"
    store.close()


def test_a_worker_with_another_key_does_not_begin_to_fail_what_others_can_send(shared: Yard) -> None:
    house = build_house(shared.store, shared.folder, ledger.now)
    with shared.store.write() as session:
        row = session.get_one(Outlet, house.outlet.id)
        row.secrets = house.desk.vault.seal({"token": "x"}, outlets.seal_place(row))
    settings = Settings.model_validate({"database": shared.store.url, "folder": str(shared.folder)})
    Vault.open(settings.key_file)
    with pytest.raises(worker.CannotWork, match="không mở được mã truy cập của các kênh"):
        worker.opened(settings)
    settings.key_file.unlink()
    (shared.folder / "khoa").rename(settings.key_file)
    worker.opened(settings).close()


def test_on_sqlite_it_is_refused_naming_the_way_out(tmp_path: Path) -> None:
    given = {**os.environ, "LANTOA_FOLDER": str(tmp_path)}
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lantoa"), "worker"],
        env=given, cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    said = " ".join(done.stderr.split())
    assert (done.returncode, "lantoa move --to postgresql://" in said, "Traceback" in said) == (2, True, False), said


def test_whom_to_wake_is_who_may_send(shared: Yard) -> None:
    shared.furnish(["ledger", "ledgerblind"], 2)
    places = sorted(shared.classes)
    at = ledger.now()

    def due() -> set[int]:
        with shared.store.read() as session:
            return {one.outlet_id for one in waking.due(session, at)}

    assert due() == set(places)
    with shared.store.write() as session:
        session.get_one(Outlet, places[0]).state = "paused"
        session.get_one(Outlet, places[1]).rest_until = at + timedelta(minutes=1)
    assert due() == set()
    with shared.store.read() as session:
        assert waking.next_moment(session, at) is None
        assert waking.until_slot(session, places[0], at) == timedelta(0)


@pytest.mark.anyio
async def test_an_outlet_is_woken_once_however_often_it_is_swept(shared: Yard) -> None:
    async def drain(_: int) -> None: ...

    wakes = wakeups.Wakeups(shared.store.url, drain, [], 30.0)
    async with wakes.opened():
        due = [Due(1, Lane.POSTS), Due(2, Lane.FANOUT)]
        assert [await wakes.sweep(due), await wakes.sweep(due), await wakes.sweep([Due(3, Lane.POSTS)])] == [2, 0, 1]
    with shared.store.engine.connect() as connection:
        rows = connection.exec_driver_sql(
            f"select queue_name, lock from {wakeups.SCHEMA}.procrastinate_jobs order by 2"
        )
        assert [tuple(row) for row in rows] == [
            ("posts", "outlet:1"), ("fanout", "outlet:2"), ("posts", "outlet:3"),
        ]  # fmt: skip


@pytest.mark.anyio
async def test_who_wakes_too_late_aborts_nothing_but_its_own_step(shared: Yard) -> None:
    """A second job with the same queueing lock is an error of the database: it must stay inside its SAVEPOINT."""

    async def drain(_: int) -> None: ...

    wakes = wakeups.Wakeups(shared.store.url, drain, [], 30.0)
    async with wakes.opened(), wakes._connector.pool.connection() as connection, connection.transaction():
        assert await wakes._wake(connection, Due(1, Lane.POSTS))
        assert not await wakes._wake(connection, Due(1, Lane.POSTS))
        assert await wakes._wake(connection, Due(2, Lane.POSTS))


@pytest.mark.anyio
async def test_after_a_sleep_of_its_machine_it_sends_nothing_late_before_a_person_has_seen_it(
    migrated_postgresql: str, tmp_path: Path, clock: FakeClock
) -> None:
    house = build_house(Store(_database(migrated_postgresql, tmp_path.name, template="migrated")), tmp_path, clock)
    late = house.planned(clock() + timedelta(minutes=10))
    hand = worker.Hand(house.store, house.desk, Settings())
    hand.begin("worker")
    clock.forward(hours=2)
    hand.lease = Lease(45.0)  # over: the machine slept
    leasing = asyncio.create_task(hand._keep_lease())
    async with asyncio.timeout(10):
        while not hand.lease.holds():
            await asyncio.sleep(0.01)
    await hand.drain(house.outlet.id or 0)
    leasing.cancel()
    assert house.see(late).state == "held"
    house.store.close()


def test_one_file_knows_the_library_that_wakes() -> None:
    known = {name(path) for path in program() for module, _ in imports(path) if module.split(".")[0] == "procrastinate"}
    assert known == {"store/wakeups.py"}
    assert ast.get_docstring(ast.parse((ROOT / "store/wakeups.py").read_text()))

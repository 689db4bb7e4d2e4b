"""R13: a second daemon is refused in words; a worker that was frozen past its lease says nothing more when it wakes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from channels import registry
from store.engine import Store
from store.sole import sole
from tests.campaigns.conftest import KINDS
from tests.chaos import ledger
from tests.chaos.evidence import say
from tests.conftest import _database
from tests.hands import ROOT, Yard, yard

SEED = 13
FOUR = ["ledgerkeyed", "ledger", "ledger", "ledgerblind"]
EACH = 6


@pytest.fixture
def shared(migrated_postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(registry, "installed", lambda: {**KINDS, **ledger.KINDS})
    with yard(migrated_postgresql, tmp_path, lease=6.0, seconds=1.0) as made:
        yield made


def test_r13_a_worker_frozen_past_its_lease_doubles_nothing_when_it_wakes(shared: Yard) -> None:
    shared.furnish(FOUR, EACH)
    shared.start(1)
    shared.until(lambda: shared.copies() >= len(FOUR), 120)
    shared.until(lambda: shared.states().get("wire", 0) >= 2, 60)
    frozen = shared.hands[0]
    frozen.send_signal(signal.SIGSTOP)
    in_flight, written = shared.states().get("wire", 0), _written_by(shared, frozen.pid)
    shared.start(1)
    seconds = shared.until(shared.over, 180)
    frozen.send_signal(signal.SIGCONT)
    time.sleep(2)
    assert shared.stop() == [0, 0], shared.said()
    late = _written_by(shared, frozen.pid) - written
    states, broken = shared.states(), shared.violations()
    assert broken == [], shared.said()
    assert (sum(states.values()), late) == (len(FOUR) * EACH, 0), "it spoke after it was given up"
    counts = {
        "deliveries": sum(states.values()), "in_flight_when_frozen": in_flight, "flagged": states.get("needs_human", 0),
        "doubled": 0, "lost": 0, "said_after_waking": late, "seconds": seconds,
    }  # fmt: skip
    say("R13-frozen", SEED, counts, "the fence holds: none doubled, none lost, every unclear one flagged")


def _written_by(shared: Yard, pid: int) -> int:
    return len([1 for line in ledger.lines(shared.folder / ledger.LEDGER) if line["id"].split("/")[2] == str(pid)])


def test_r13_two_daemons_on_one_folder(tmp_path: Path, migrated: Path) -> None:
    shutil.copyfile(migrated, tmp_path / "lantoa.db")
    with _alone(tmp_path) as first:
        _until_it_works(Store(f"sqlite:///{tmp_path}/lantoa.db"))
        with _alone(tmp_path) as second:
            _, said = second.communicate(timeout=60)
        assert (second.returncode, "Một tiến trình Lan Tỏa khác đang làm việc trên thư mục" in said) == (2, True), said
        first.send_signal(signal.SIGTERM)
        assert first.wait(60) == 0
    say("R13-sqlite", SEED, {"daemons": 2, "refused": 1}, "the second daemon on the folder is refused in words")


def test_r13_two_daemons_on_one_postgresql_database(migrated_postgresql: str, tmp_path: Path) -> None:
    store = Store(_database(migrated_postgresql, tmp_path.name, template="migrated"))
    url = store.url
    folders = [tmp_path / "một", tmp_path / "hai"]
    for folder in folders:
        folder.mkdir()
    with _alone(folders[0], LANTOA_DATABASE=url) as first:
        _until_it_works(store)
        with _alone(folders[1], LANTOA_DATABASE=url) as second:
            _, said = second.communicate(timeout=60)
        assert (second.returncode, "đang làm việc trên cơ sở dữ liệu PostgreSQL này" in said) == (2, True), said
        first.send_signal(signal.SIGKILL)
        first.wait(60)
    store = Store(url)
    with sole(store) as freed:
        assert freed.held(), "the lock ends with the connection of the dead"
    store.close()
    say("R13-postgresql", SEED, {"daemons": 2, "refused": 1}, "the second daemon on the database is refused in words")


def _alone(folder: Path, **environment: str) -> subprocess.Popen[str]:
    given = {**os.environ, "LANTOA_FOLDER": str(folder), "PYTHONPATH": str(ROOT), **environment}
    program = [sys.executable, str(ROOT / "scheduler.py")]
    return subprocess.Popen(program, cwd=folder, env=given, stderr=subprocess.PIPE, text=True)


def _until_it_works(store: Store) -> None:
    end = time.monotonic() + 60
    try:
        while True:
            with store.engine.connect() as connection:
                if connection.exec_driver_sql("select count(*) from worker").scalar_one():
                    return
            assert time.monotonic() < end
            time.sleep(0.1)
    finally:
        store.close()

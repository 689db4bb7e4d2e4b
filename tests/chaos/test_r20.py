"""R20: a delivery loop that is blocked feeds no watchdog; the supervisor kills the program, and it comes back without a copy.

The test plays systemd (https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html#WatchdogSec=), seven
times faster: a watchdog of 8 seconds instead of 60, fed every half second instead of every five.
"""

import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from store.engine import Store
from tests.chaos.evidence import say
from tests.chaos.whole import BUSY, Place, furnished, until

OUTLETS = 12
WATCHDOG = 8.0
START_LIMIT = 150.0
BACK_WITHIN = 90.0


class Supervisor:
    """Starts the program, hears its pulse, kills it when the pulse stops, and starts it again whenever it is gone."""

    def __init__(self, place: Place, address: str) -> None:
        self.place, self.address = place, address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(0.1)
        self.pulses: list[float] = []
        self.readies: list[float] = []
        self.killed: list[float] = []
        self.ended = threading.Event()
        self.life: subprocess.Popen[bytes] | None = None
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self) -> None:
        while not self.ended.is_set():
            self.life = self.place.start(NOTIFY_SOCKET=self.address, TEST_MARK_SECONDS="0.5")
            self._until_it_is_gone(self.life, time.monotonic())

    def _until_it_is_gone(self, life: subprocess.Popen[bytes], started: float) -> None:
        fed, ready = started, False
        while life.poll() is None and not self.ended.is_set():
            word = self._heard()
            now = time.monotonic()
            if word == "READY=1":
                ready, fed = True, now
                self.readies.append(now)
            elif word == "WATCHDOG=1":
                fed = now
                self.pulses.append(now)
            if now - fed > (WATCHDOG if ready else START_LIMIT):
                self.killed.append(now)
                life.kill()
                life.wait()
                self.place.folder.joinpath(BUSY).unlink(missing_ok=True)

    def _heard(self) -> str:
        with contextlib.suppress(TimeoutError):
            return self.socket.recv(4096).decode()
        return ""

    def close(self) -> None:
        self.ended.set()
        self.thread.join(30)
        self.socket.close()


@pytest.fixture
def place(any_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with furnished(any_store, tmp_path / "du-lieu", monkeypatch, many=OUTLETS) as made:
        yield made


@pytest.fixture
def supervisor(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    made = Supervisor(place, str(tmp_path_factory.mktemp("n") / "notify"))
    yield made
    made.close()


def _fed(place: Place, supervisor: Supervisor) -> None:
    """Wait until the program is well: ready, and fed several times."""
    until(lambda: supervisor.readies and len(supervisor.pulses) > 3, START_LIMIT, place.said)


def _blocked(supervisor: Supervisor, since: float, place: Place) -> float:
    """Wait for the kill; gives how many seconds after ``since`` the last pulse came."""
    until(lambda: supervisor.killed, WATCHDOG + 10, place.said)
    last = max(moment for moment in supervisor.pulses if moment < supervisor.killed[0])
    return last - since


def _back(supervisor: Supervisor, place: Place, since: float) -> float:
    """Wait until a new life is ready and fed; gives the seconds since the loop was blocked."""
    until(lambda: [moment for moment in supervisor.readies if moment > supervisor.killed[0]], BACK_WITHIN, place.said)
    until(lambda: supervisor.pulses[-1] > supervisor.readies[-1], 20, place.said)
    return time.monotonic() - since


def test_a_blocked_loop_is_not_fed_is_killed_and_comes_back_without_a_copy(
    place: Place, supervisor: Supervisor
) -> None:
    _fed(place, supervisor)
    _left_alone_while_it_is_well(place, supervisor)
    locked = _killed_while_the_database_is_locked(place, supervisor)
    busy = _killed_while_the_loop_is_busy(place, supervisor)
    assert place.states() == {"sent": 3 * OUTLETS}
    assert set(place.platform.copies.values()) == {1} == set(place.platform.asked.values())
    assert place.platform.copies.total() == 3 * OUTLETS
    assert max(locked, busy) <= BACK_WITHIN
    counts = {"kills": len(supervisor.killed), "back_locked": locked, "back_busy": busy, "copies": 3 * OUTLETS}
    say(
        f"R20-{place.store.dialect}",
        0,
        counts,
        "a blocked loop fed nothing, was killed, came back in time, sent nothing twice",
    )


def _left_alone_while_it_is_well(place: Place, supervisor: Supervisor) -> None:
    place.plan()
    place.settled(30)
    until(lambda: supervisor.pulses[-1] - supervisor.pulses[0] > WATCHDOG, 30, place.said)
    assert (supervisor.killed, len(supervisor.readies)) == ([], 1)


def _killed_while_the_database_is_locked(place: Place, supervisor: Supervisor) -> float:
    """The console goes on answering: what feeds the watchdog is a write of the delivery loop, not being alive."""
    with _locked(place.store):
        blocked = time.monotonic()
        time.sleep(1.0)
        answer = place.get("/readyz")
        assert answer is not None and answer.status_code == 200, "the console was expected to answer"
        assert _blocked(supervisor, blocked, place) < 3.0, "the watchdog was fed without a write to the database"
    back = _back(supervisor, place, blocked)
    place.plan()
    place.settled(30)
    return back


def _killed_while_the_loop_is_busy(place: Place, supervisor: Supervisor) -> float:
    """With deliveries on the wire, whose answers nobody hears."""
    supervisor.killed.clear()
    place.platform.delay = 3.0
    place.plan()
    until(lambda: place.platform.in_flight >= OUTLETS, 30, place.said)
    blocked = time.monotonic()
    (place.folder / BUSY).touch()
    assert _blocked(supervisor, blocked, place) < 3.0, "the watchdog was fed by something else than the delivery loop"
    place.platform.delay = 0.0
    back = _back(supervisor, place, blocked)
    place.settled(60)
    return back


@contextlib.contextmanager
def _locked(store: Store) -> Iterator[None]:
    """The database as another program leaves it in the middle of its work: nobody else can write."""
    with store.engine.connect() as connection:
        if store.dialect == "sqlite":
            connection = connection.execution_options(lantoa_write=True)
            connection.exec_driver_sql("select 1")
        else:
            connection.exec_driver_sql("lock table worker, delivery, outlet in exclusive mode")
        yield
        connection.rollback()

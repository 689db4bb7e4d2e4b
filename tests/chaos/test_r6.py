"""R6: a disk that is full, that fails, that can only be read, and a log that cannot be written.

The real program on a real disk. Nothing is sent without an intent that is on disk, the console says why, and all goes on
by itself when there is room again.
"""

import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlmodel import select

from store.engine import Store
from store.tables import Attempt, Delivery
from tests.chaos.evidence import say
from tests.chaos.whole import PASSWORD, Place, furnished, until

BACK_WITHIN = 30.0
OUTLETS = 12
DISK_BYTES = 24_000_000
IN_WORDS = ("Đĩa đã đầy", "Đĩa đang lỗi", "Đĩa chỉ đọc được")


class Disk:
    """A small disk that can be filled to the last byte: a tmpfs where mounting is allowed, else a limit on the size of files."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.ballast = folder, folder / "day"
        size = f"size={DISK_BYTES}"
        self.mounted = (
            subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], capture_output=True).returncode == 0
        )

    def fill(self, life: subprocess.Popen[bytes]) -> None:
        if not self.mounted:
            resource.prlimit(life.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            return
        with contextlib.suppress(OSError), self.ballast.open("wb", buffering=0) as file:
            while True:
                file.write(b"\0" * 4096)

    def free(self, life: subprocess.Popen[bytes]) -> None:
        self.ballast.unlink(missing_ok=True)
        if not self.mounted and life.poll() is None:
            resource.prlimit(life.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def close(self) -> None:
        if self.mounted:
            subprocess.run(["umount", "-l", self.folder], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path / "dia")
    yield made
    made.close()


@pytest.fixture
def place(disk: Disk, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    folder = disk.folder / "du-lieu"
    folder.mkdir()
    shutil.copyfile(migrated, folder / "lantoa.db")
    store = Store(f"sqlite:///{folder}/lantoa.db")
    with furnished(store, folder, monkeypatch, many=OUTLETS) as made:
        made.said_file = disk.folder.with_name("noi.log")
        yield made


def _intended(place: Place) -> set[str]:
    """The keys of which the disk holds an intent: a try that was written before the first byte."""
    with place.store.read() as session:
        tried = select(Delivery.key).join(Attempt, Attempt.delivery_id == Delivery.id).where(Attempt.verb == "publish")  # type: ignore[arg-type]
        return set(session.exec(tried).all())


def _sign_in(place: Place) -> httpx.Response | None:
    """Somebody tries to get in, which must be written down."""
    given = {"username": "nguoi.duyet", "password": PASSWORD}
    try:
        headers = {"sec-fetch-site": "same-origin"}
        return httpx.post(f"{place.site}/quan-tri/dang-nhap", data=given, headers=headers, timeout=40)
    except httpx.HTTPError:
        return None


def _told(place: Place, within: float) -> tuple[bool, list[int]]:
    """Whether the console says in words why it cannot keep anything, and every status that it answered meanwhile."""
    statuses, end = [], time.monotonic() + within
    while time.monotonic() < end:
        answer = _sign_in(place)
        if answer is not None:
            statuses.append(answer.status_code)
            if answer.status_code == 503 and any(words in answer.text for words in IN_WORDS):
                return True, statuses
    return False, statuses


def test_a_full_disk_sends_nothing_without_an_intent_says_why_and_comes_back(place: Place, disk: Disk) -> None:
    life = place.start()
    place.ready()
    told, backs, statuses, killed = 0, [], [], 0
    for turn in range(3):
        place.platform.delay = 0.3
        keys = place.plan()
        until(lambda keys=keys: any(place.platform.asked[key] for key in keys), 60, place.said)  # type: ignore[misc]
        disk.fill(life)
        found, answered = _told(place, 20)
        told, statuses = told + found, statuses + answered
        assert set(place.platform.asked) <= _intended(place), "sent without an intent on disk"
        if turn == 1:
            life.kill()
            life.wait()
            killed += 1
            assert set(place.platform.asked) <= _intended(place), "what was on disk did not survive the kill"
        disk.free(life)
        if life.poll() is not None:
            life = place.start()
        place.settled(BACK_WITHIN + 30 * killed * (turn == 1))
        backs.append(until(lambda: _sign_in(place) is not None, BACK_WITHIN))
    assert 500 not in statuses, "a person saw a bare error"
    assert told == 3, f"the console never said why: {statuses} {place.said()[-2000:]}"
    _nothing_wrong(place, 3 * OUTLETS)
    life.send_signal(signal.SIGTERM)
    assert life.wait(30) == 0
    counts = {
        "full": 3,
        "told": told,
        "killed": killed,
        "copies": place.platform.copies.total(),
        "mounted": str(disk.mounted),
    }
    say("R6-full", 0, counts, "nothing sent without an intent, said why, and went on by itself when there was room")


def _nothing_wrong(place: Place, many: int) -> None:
    """All is out once, every request had its intent, and the database is whole."""
    assert place.states() == {"sent": many}, place.said()[-3000:]
    assert set(place.platform.copies.values()) == {1}
    assert len(place.platform.copies) == many
    assert set(place.platform.asked) <= _intended(place)
    with place.store.engine.connect() as connection:
        assert connection.exec_driver_sql("pragma integrity_check").scalar_one() == "ok"


FAULTS = {
    "now-and-then": (
        ("pwrite64:error=ENOSPC:when=50+50", "fdatasync:error=EIO:when=9+23"),
        "full at every 50th write and a sync that fails now and then, in every thread",
    ),
    "read-only": (("pwrite64:error=EROFS:when=40..44",), "the disk can only be read for a while, in every thread"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_writes_that_the_kernel_refuses_lose_and_double_nothing(place: Place, tmp_path: Path, fault: str) -> None:
    """The system calls themselves fail (``make tools`` installs strace where it is absent)."""
    trace = tmp_path / "strace"
    inject, words = FAULTS[fault]
    rules = [word for rule in inject for word in ("-e", f"inject={rule}")]
    wrapped = ("strace", "-D", "-f", "-qq", "--seccomp-bpf", "-e", "trace=pwrite64,fdatasync", *rules, "-o", str(trace))
    life = place.start(*wrapped)
    place.ready()
    rounds, statuses = 0, []
    end = time.monotonic() + 60
    while (_injected(trace) < 4 or rounds < 2) and time.monotonic() < end:
        place.plan()
        rounds += 1
        place.settled(60)
        answer = _sign_in(place)
        statuses += [answer.status_code] if answer else []
    faults = _injected(trace)
    assert faults >= 4, f"the fault was met {faults} times only"
    assert set(statuses) <= {303, 503}
    _nothing_wrong(place, rounds * OUTLETS)
    life.send_signal(signal.SIGTERM)
    assert life.wait(40) == 0, place.said()[-3000:]
    counts = {"faults": faults, "rounds": rounds, "copies": place.platform.copies.total()}
    say(f"R6-{fault}", 0, counts, f"{words}: nothing lost, nothing doubled, no intent missing")


def _injected(trace: Path) -> int:
    return len(re.findall(r"\(INJECTED\)", trace.read_text("utf-8", "replace"))) if trace.exists() else 0


def test_a_log_on_a_full_disk_stops_nothing(place: Place) -> None:
    place.said_file = Path("/dev/full")
    with pytest.raises(OSError, match="space"), Path("/dev/full").open("w") as file:
        file.write("x")
    life = place.start()
    place.ready()
    place.plan()
    place.settled(BACK_WITHIN)
    _nothing_wrong(place, OUTLETS)
    life.send_signal(signal.SIGTERM)
    life.wait(30)
    say("R6-log", 0, {"copies": place.platform.copies.total()}, "a log that cannot be written keeps nothing back")


def test_the_limit_on_files_that_stands_in_for_a_disk_is_a_full_disk(tmp_path: Path) -> None:
    """Where mounting is not allowed the same trouble comes through a limit: it must be known as one too."""
    from store.troubles import trouble

    path = tmp_path / "x.db"
    program = (
        "import resource, sqlite3, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY));"
        "c = sqlite3.connect(sys.argv[1])\n"
        "try:\n c.execute('create table t (x)'); c.execute('insert into t values (zeroblob(100000))'); c.commit()\n"
        "except sqlite3.Error as e: print(e.sqlite_errorcode & 255)"
    )
    said = subprocess.run(["python3", "-c", program, str(path)], capture_output=True, text=True, env=os.environ).stdout
    import sqlite3

    error = sqlite3.OperationalError()
    error.sqlite_errorcode = int(said)  # type: ignore[attr-defined]
    assert trouble(error) is not None

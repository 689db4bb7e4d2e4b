"""What systemd hears, and the unit files that make it listen."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from cli import app
from notifying import Notifier

STOP_SECONDS = 20
"""How long a graceful stop may take (see test_stopping)."""


class Listener:
    """systemd's end of NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(2)

    def heard(self, lines: int) -> list[str]:
        return [self.socket.recv(4096).decode() for _ in range(lines)]


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    made = Listener(str(tmp_path / "notify"))
    yield made
    made.socket.close()


def test_the_first_pulse_says_ready_and_every_pulse_feeds_the_watchdog(listener: Listener, tmp_path: Path) -> None:
    notifier = Notifier(str(tmp_path / "notify"))
    notifier.pulse()
    notifier.pulse()
    notifier.status("Đang  gửi\n200 lượt")
    notifier.stopping()
    said = ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "STATUS=Đang gửi 200 lượt", "STOPPING=1"]
    assert listener.heard(5) == said


def test_an_abstract_socket_is_reached() -> None:
    there = Listener("\0lantoa-test-notify")
    Notifier("@lantoa-test-notify").ready()
    assert there.heard(1) == ["READY=1"]
    there.socket.close()


def test_without_a_supervisor_nothing_is_said_and_nothing_breaks(tmp_path: Path) -> None:
    Notifier().pulse()
    Notifier(str(tmp_path / "nobody")).pulse()


def test_a_supervisor_that_does_not_read_never_holds_the_program_up(listener: Listener, tmp_path: Path) -> None:
    notifier = Notifier(str(tmp_path / "notify"))
    for _ in range(5000):
        notifier.pulse()
    assert listener.heard(2) == ["READY=1", "WATCHDOG=1"]


UNITS = sorted((Path(__file__).parent.parent / "deploy").glob("lantoa*.service"))
LAXEST = 2.0


def _keys(unit: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in unit.read_text("utf-8").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def _analyze(*words: str) -> str:
    """systemd's own judge, which needs no running systemd; ``make tools`` installs it where it is absent."""
    done = subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout + done.stderr


def test_there_are_units_for_the_program_its_workers_and_its_backup() -> None:
    assert [unit.name for unit in UNITS] == ["lantoa-backup.service", "lantoa-worker@.service", "lantoa.service"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_units_are_hardened(unit: Path) -> None:
    said = _analyze("security", "--offline=true", str(unit))
    level = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", said)[1])  # type: ignore[index]
    sys.stdout.write(f"{unit.name}: exposure {level}\n")
    assert level <= LAXEST


def test_a_unit_without_its_hardening_is_judged_worse(tmp_path: Path) -> None:
    bare = tmp_path / "lantoa.service"
    bare.write_text("[Service]\nExecStart=/bin/true\n")
    said = _analyze("security", "--offline=true", str(bare))
    assert float(re.search(r": ([\d.]+)", said)[1]) > LAXEST  # type: ignore[index]


def test_systemd_understands_every_line(tmp_path: Path) -> None:
    for unit in [*UNITS, *(UNITS[0].parent.glob("lantoa*.timer"))]:
        runnable = re.sub(r"^ExecStart=.*$", "ExecStart=/bin/true", unit.read_text("utf-8"), flags=re.MULTILINE)
        (tmp_path / unit.name.replace("@", "@1")).write_text(runnable)
    for unit in sorted(tmp_path.iterdir()):
        said = _analyze("verify", "--man=no", str(unit))
        assert [line for line in said.splitlines() if "lantoa" in line] == []


@pytest.mark.parametrize("unit", [unit for unit in UNITS if "backup" not in unit.name], ids=lambda unit: unit.name)
def test_the_supervisor_restarts_what_hangs_and_lets_it_finish(unit: Path) -> None:
    keys = _keys(unit)
    assert (keys["Type"], keys["NotifyAccess"], keys["WatchdogSec"]) == (["notify"], ["main"], ["60"])
    assert (keys["Restart"], keys["KillMode"], keys["LimitCORE"]) == (["on-failure"], ["mixed"], ["0"])
    assert int(keys["TimeoutStopSec"][0]) >= STOP_SECONDS + 5
    assert int(keys["RestartSec"][0]) + int(keys["WatchdogSec"][0]) <= 90


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_units_start_commands_that_exist(unit: Path) -> None:
    [program, *words] = _keys(unit)["ExecStart"][0].split()
    assert program.endswith("/lantoa")
    command = typer.main.get_command(app)
    assert words[0] in command.commands, f"there is no «lantoa {words[0]}»"  # type: ignore[attr-defined]

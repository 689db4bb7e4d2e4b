"""What systemd hears, and the unit files that make it listen."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from notifying import Notifier


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

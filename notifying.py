"""Telling systemd how the program is: ready, alive, stopping, and what it does, in words.

The protocol is one datagram a line (https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html). Nothing is
said when nobody listens, and a listener that does not take the word never holds the program up.
"""

import gc
import logging
import socket

log = logging.getLogger("lantoa.notify")


class Notifier:
    """Speaks to the supervisor at ``address`` (the value of NOTIFY_SOCKET; empty: there is none)."""

    def __init__(self, address: str = "") -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._ready = False

    def pulse(self) -> None:
        """The delivery loop made a full pass, a database write included; the first one says that the program is ready."""
        if not self._ready:
            self.ready()
        self._say("WATCHDOG=1")

    def ready(self) -> None:
        """The console answers and the daemon has begun."""
        self._ready = True
        set_aside()
        self._say("READY=1")

    def stopping(self) -> None:
        """The program finishes what it began and takes nothing new."""
        self._say("STOPPING=1")

    def status(self, words: str) -> None:
        """What ``systemctl status`` shows beside the program; one line."""
        self._say(f"STATUS={' '.join(words.split())}")

    def _say(self, line: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.setblocking(False)
                out.connect(self._address)
                out.send(line.encode())
        except OSError as error:
            log.warning("the supervisor did not take %s: %s", line.partition("=")[0], error)


def set_aside() -> None:
    """Tell Python's collector that what the start has made stays: walking all of it again held up a claim by 10 ms and more.

    https://docs.python.org/3/library/gc.html#gc.freeze
    """
    gc.collect()
    gc.freeze()

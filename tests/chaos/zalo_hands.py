"""Two workers that renew one Zalo pair on order and can be killed at any moment, and the twin that spends the tokens.

Each is a process of its own, forked from the test; what a worker has passed stands in memory that outlives its death.
"""

import asyncio
import contextlib
import mmap
import os
import signal
import struct
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any

from campaigns.delivering import Courier
from campaigns.outlets import Desk
from campaigns.renewing import renew
from channels.rehearsing import Scene, stage
from channels.twin import TwinState
from channels.wire import Guard, Wire
from channels.zalo.adapter import Zalo
from channels.zalo.twin_tokens import ACCESS, REFRESH, Tokens, encoded
from store import points
from store.engine import Store
from store.files import Files
from store.vault import Vault
from tests.conftest import FakeClock

POINTS = ("renewing:before", "renewing:after", "renew:asked", "renew:answered", "renew:before", "renew:after")
SPENT_UNKEPT = frozenset({"renew:asked", "renew:answered", "renew:before"})
"""Whoever dies after one of these and before the next may take the only copy of the new pair along."""
_PASSED = struct.Struct("=i6d")


@dataclass(frozen=True)
class Order:
    """Renew at this hour; die when passing ``at`` (empty: live)."""

    now: datetime
    epoch: str
    at: str = ""


class Hand:
    """One worker process; born again when it was killed."""

    def __init__(self, store: Store, folder: Path, address: str) -> None:
        self.store, self.folder, self.address = store, folder, address
        self._memory = mmap.mmap(-1, _PASSED.size)
        self.pid, self._killed = 0, False

    def begin(self, order: Order) -> None:
        """Give an order, to a new process where the last one is dead."""
        if not self.pid:
            self._fork()
        self._memory[:] = _PASSED.pack(-1, *[0.0] * len(POINTS))
        self._line.send(order)

    def end(self) -> bool:
        """Wait until the order is done or its process dead; gives whether it lives."""
        with contextlib.suppress(EOFError, ConnectionResetError):
            answer = self._line.recv()
            if isinstance(answer, str):
                raise AssertionError(answer)
            if not self._killed:
                return True
        self._killed = False
        os.waitpid(self.pid, 0)
        self._line.close()
        self.pid = 0
        return False

    def kill(self) -> None:
        """SIGKILL, at whatever it does just now."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            self._killed = True

    @property
    def passed(self) -> str:
        """The last point that it passed in this order; empty: none."""
        last: int = _PASSED.unpack(self._memory[:])[0]
        return POINTS[last] if last >= 0 else ""

    @property
    def window(self) -> float | None:
        """Seconds between the platform's answer and its safe keeping, where this order came so far."""
        moments = _PASSED.unpack(self._memory[:])[1:]
        return float(moments[5] - moments[3]) if moments[5] and moments[3] else None

    def _fork(self) -> None:
        self.store.engine.dispose()
        self._line, theirs = Pipe()
        self.pid = os.fork()
        if self.pid:
            theirs.close()
            return
        try:
            asyncio.run(_work(theirs, self.store.url, self.folder, self.address, self._memory))
        finally:
            os._exit(9)


async def _work(line: Connection, url: str, folder: Path, address: str, memory: mmap.mmap) -> None:
    store, clock = Store(url), FakeClock(datetime.min)
    wire = Wire(Guard(frozenset({address.partition("//")[2]})), timeout=20)
    desk = Desk(wire, Files(folder / "tep", "http://site.test"), Vault.open(folder / "khoa"), clock)
    while True:
        order: Order = line.recv()
        clock.at, points.listen = order.now, _listener(memory, order.at)
        try:
            line.send(await renew(Courier(store, desk, order.epoch, Random(0))))
        except Exception:
            line.send(traceback.format_exc())


def _listener(memory: mmap.mmap, dies_at: str) -> Callable[[str], None]:
    def passing(name: str) -> None:
        if name not in POINTS:
            return
        _, *moments = _PASSED.unpack(memory[:])
        moments[POINTS.index(name)] = time.monotonic()
        memory[:] = _PASSED.pack(POINTS.index(name), *moments)
        if name == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    return passing


class Platform:
    """The twin in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._line, theirs = Pipe()
        self._pid = os.fork()
        if not self._pid:
            try:
                with stage(folder, {"zalo": Zalo}) as scene:
                    _play(theirs, scene, folder)
            finally:
                os._exit(9)
        theirs.close()
        self.address, self.settings = self._line.recv()

    def ask(self, what: str, value: Any = None) -> Any:
        """``clock`` sets its time, ``live`` gives the unspent refresh tokens, ``asked`` counts exchanges, ``valid`` knows an access token, ``grant`` a new pair."""
        self._line.send((what, value))
        return self._line.recv()

    def close(self) -> None:
        """End the process."""
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        self._line.close()


def _play(line: Connection, scene: Scene, folder: Path) -> None:
    state = TwinState(folder / "twins.db")
    tokens, name = Tokens(state, scene.clock), encoded(scene.place.account)
    line.send((scene.place.twins_url, Zalo.rehearsal().settings(scene.place)))
    while True:
        what, value = line.recv()
        if what == "clock":
            scene.clock.fixed = value
            line.send(None)
        elif what == "live":
            known = dict(state.all("zalo.refresh"))
            first = [] if f"{REFRESH}{name}" in known else [f"{REFRESH}{name}"]
            line.send(first + [token for token, one in known.items() if not one["spent"]])
        elif what == "asked":
            line.send((state.get("counter", "zalo.exchanges") or {"n": 0})["n"])
        elif what == "valid":
            line.send(tokens.account(value) == scene.place.account)
        else:
            for token, _ in state.all("zalo.refresh"):
                state.put(
                    "zalo.refresh",
                    token,
                    {"account": scene.place.account, "spent": True, "until": "2000-01-01T00:00+00:00"},
                )
            fresh = f"{value}"
            state.put(
                "zalo.refresh",
                fresh,
                {"account": scene.place.account, "spent": False, "until": "2100-01-01T00:00+00:00"},
            )
            line.send({"refresh_token": fresh, "access_token": f"{ACCESS}{name}"})

"""One life of a worker: the product's own daemon at work until nothing is left, or until it is killed."""

import asyncio
import contextlib
import json
import logging
import os
import signal
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import timedelta
from random import Random
from typing import Any, NoReturn

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlmodel import col, func, select

import store.points as points
from campaigns import claiming, freezing, wiring
from campaigns.delivering import Courier
from campaigns.recording import Answered, Clerk, Looked
from campaigns.wiring import Ready
from channels.contract import EMPTY, Found, Outcome, Published, Unknown
from scheduler import WRITTEN_AHEAD, Daemon
from settings import Settings
from store.engine import Store
from store.tables import Delivery
from tests.chaos import outlets
from tests.chaos.world import World

OPEN = ("due", "held", "prepared", "wire", "unknown")
NAP = 0.05
HOUSEKEEPING = 0.25


@dataclass(frozen=True)
class Order:
    """What a life is told: its seed, where it dies (the n-th passing of a point), how far its clock is ahead (virtual
    seconds), after how many real seconds it gives up, and how often it asks whether all is done (real seconds),
    and whether it tells every point that it passes, or only that it is born."""

    seed: int = 1
    point: str = ""
    nth: int = 1
    skip: float = 0.0
    patience: float = 120.0
    asking: float = 0.25
    telling: bool = True

    def dumps(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


DONE, TIRED = 0, 3
BORN = "born"


def live(world: World, order: Order, store: Store, tell: int) -> NoReturn:
    """Work in a forked process; every point passed is told to the descriptor ``tell`` before anything else happens.

    ``store`` has no connection yet: nothing that was open in the parent is used here.
    """
    logging.disable(logging.CRITICAL)
    points.listen = _listener(order, tell)
    code = asyncio.run(_work(world, order, store, tell))
    store.close()
    os._exit(code)


def warm(world: World, store: Store) -> None:
    """What a first request and first queries load lazily, loaded before the forks; changes nothing, and closes all."""
    logging.disable(logging.CRITICAL)
    asyncio.run(_warm(world, store))
    store.close()


async def _warm(world: World, store: Store) -> None:
    wire = outlets.wire(world.port, world.timeout)
    desk = world.desk(wire)
    for visible in (False, True):
        await wire.call("GET", f"http://127.0.0.1:{world.port}/c/warm", visible=visible)
    await wire.close()
    courier = Courier(store, desk, "warm", Random(1))
    await asyncio.to_thread(_finished, store)
    await courier.begin_looks(0)
    courier.recover()
    with contextlib.suppress(_Undone):
        _go_through(courier)


class _Undone(Exception):
    """Nothing of a warming up stays."""


def _go_through(courier: Courier) -> None:
    """Claim, freeze, send and record once, all undone: each life would else spend its first second on reading SQL."""
    later, clerk = courier.desk.now() + timedelta(hours=3), Clerk(Random(1))
    with courier.store.write("warm") as session:
        claims = claiming.claim(session, "warm", later, 2)
        letters = freezing.letters(session, courier.desk, claims)
        freezing.keep(session, [freezing.compose(letter, courier.desk) for letter in letters if letter.frozen is None])
        ready = [Ready(id, fence, EMPTY) for id, fence in claims]
        attempts = wiring.to_wire(session, ready, later)
        outcomes: list[Outcome] = [Published(remote_id="warm"), Unknown()]
        answered = [
            Answered(one.id, one.fence, attempt, outcome, "")
            for one, attempt, outcome in zip(ready, attempts, outcomes, strict=False)
            if attempt is not None
        ]
        clerk.published(session, answered, later)
        looked = [Looked(one.id, one.fence, Found(verdict="absent"), later) for one in answered]
        clerk.looked(session, looked, later)
        raise _Undone


def _listener(order: Order, tell: int) -> Any:
    passed: Counter[str] = Counter()

    def passing(name: str) -> None:
        passed[name] += 1
        if order.telling:
            os.write(tell, f"{name}\n".encode())
        if name == order.point and passed[name] == order.nth:
            os.kill(os.getpid(), signal.SIGKILL)

    return passing


async def _work(world: World, order: Order, store: Store, tell: int) -> int:
    desk = world.desk(outlets.wire(world.port, world.timeout), order.skip)
    daemon = Daemon(store, desk, Settings(folder=world.folder), Random(order.seed))
    await _begin(daemon)
    os.write(tell, f"{BORN}\n".encode())
    courier, loop = daemon.courier, asyncio.get_running_loop()
    house, end = loop.time() + HOUSEKEEPING, loop.time() + order.patience
    asks = looks = loop.time()
    while loop.time() < end:
        courier.freed.clear()
        try:
            await courier.begin(world.wave)
            if loop.time() >= looks:
                looks = loop.time() + NAP
                await courier.begin_looks(world.wave)
            if loop.time() >= house:
                house = loop.time() + HOUSEKEEPING
                await asyncio.to_thread(_keep_house, daemon)
                await daemon.prepare(desk.now() + WRITTEN_AHEAD)
            if loop.time() >= asks:
                asks = loop.time() + order.asking
                if await asyncio.to_thread(_finished, store):
                    await courier.idle()
                    return DONE
        except (OperationalError, InterfaceError):
            await asyncio.sleep(NAP)  # as the daemon's beats: the database is asked again
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(courier.freed.wait(), NAP)
    return TIRED


async def _begin(daemon: Daemon) -> None:
    """As systemd does, begin again while the database is not there."""
    while True:
        try:
            return daemon.begin()
        except (OperationalError, InterfaceError):
            await asyncio.sleep(NAP)


def _keep_house(daemon: Daemon) -> None:
    """What the daemon's other beats do now and then: hold the lease, settle what other lives left."""
    daemon._mark("seen_at")
    daemon.courier.recover()


def _finished(store: Store) -> bool:
    with store.read() as session:
        return session.exec(select(func.count()).where(col(Delivery.state).in_(OPEN))).one() == 0


def told(text: str) -> Counter[str]:
    """How often each point was passed, from what a life told."""
    return Counter(text.split())


def as_line(value: Any) -> str:
    """One line of JSON."""
    return json.dumps(value) + "\n"

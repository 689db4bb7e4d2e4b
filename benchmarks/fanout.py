"""One message to many through the whole engine, from due to sent, in processes of their own (python -m benchmarks.fanout).

The first process is the courier that claims the delivery; the others lend it a hand, as workers on PostgreSQL do. A run
counts only when the delivery is ``sent``, every recipient is ``sent``, and the sink got each exactly once.
"""

import asyncio
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from sqlmodel import select

from benchmarks.house import MORNING, NINE, Databases, build, desk, only_these_channels
from benchmarks.sink import prove
from campaigns import fanning
from campaigns.delivering import Courier
from campaigns.fanning import Pace
from campaigns.states import State
from store.engine import Store
from store.tables import Delivery

ROOT = Path(__file__).resolve().parents[1]
LATE = MORNING + NINE


def run(databases: Databases, sink: str, dialect: str, number: int, workers: int = 1, path: str = "take", at_once: int = 64) -> dict[str, float]:  # fmt: skip
    """Deliveries per second, CPU µs per delivery over all processes, MB of the largest process."""
    url, folder = databases.new(dialect)
    _prepare(url, folder, f"{sink}/{path}", number)
    jobs = [_start(url, folder, sink, role, at_once) for role in ("courier", *["helper"] * (workers - 1))]
    for job in jobs:
        assert job.stdout
        job.stdout.readline()
    for job in jobs:
        assert job.stdin
        job.stdin.write("go\n")
        job.stdin.flush()
    found = [json.loads(job.communicate(timeout=600)[0].splitlines()[-1]) for job in jobs]
    _prove(url, number)
    prove(sink, number)
    return {
        "rate": number / found[0]["took"],
        "cpu": sum(one["cpu"] for one in found) / number * 1e6,
        "rss": max(one["rss"] for one in found),
    }


def _prepare(url: str, folder: Path, target: str, number: int) -> None:
    store = Store(url)
    house = build(store, folder, target, [("many", target)], lambda: MORNING)
    house.subscribe(house.places[0], number)
    house.approve(1, house.places, LATE)
    house.plan()
    store.close()


def _start(url: str, folder: Path, sink: str, role: str, at_once: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "benchmarks.fanout", url, str(folder), sink, role, str(at_once)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _prove(url: str, number: int) -> None:
    store = Store(url)
    with store.read() as session:
        [delivery] = session.exec(select(Delivery)).all()
        counts = fanning.tally(session, delivery.id or 0)
    store.close()
    if delivery.state != State.SENT or counts.sent != number or counts.total != number:
        raise RuntimeError(f"{delivery.state}, {counts}: the row does not count")


async def work(courier: Courier, role: str, pace: Pace) -> None:
    """What one process does once it is told to go."""
    if role == "helper":
        while not await asyncio.to_thread(_over, courier):
            if not await fanning.lend_a_hand(courier, pace=pace):
                await asyncio.sleep(0.02)
    else:
        courier.drain = partial(fanning.drain, pace=pace)
        await courier.deliver(1)
    await courier.desk.wire.close()


def _over(courier: Courier) -> bool:
    with courier.store.read() as session:
        return session.exec(select(Delivery.state)).one() == State.SENT


def _clock() -> Callable[[], datetime]:
    """The benchmark's day begins at nine and goes on at the machine's pace."""
    begun = time.monotonic()
    return lambda: LATE + (NINE / 3600) * (time.monotonic() - begun)


def main() -> None:
    """Wait for the word, work, tell what it took."""
    url, folder, sink, role, at_once = sys.argv[1:]
    only_these_channels()
    store = Store(url)
    courier = Courier(store, desk(Path(folder), sink, _clock()), f"{role}-{time.monotonic_ns()}", Random(1))
    with store.read() as session:
        session.exec(select(Delivery.id)).all()
    number = int(at_once)
    pace = Pace() if number == 64 else Pace(number, Pace().group, Pace().room)
    print("ready", flush=True)
    sys.stdin.readline()
    before, started = _used(), time.perf_counter()
    asyncio.run(work(courier, role, pace))
    took = time.perf_counter() - started
    store.close()
    mine: dict[str, Any] = {"took": took, "cpu": _used() - before, "rss": peak()}
    print(json.dumps(mine), flush=True)


def _used() -> float:
    mine = resource.getrusage(resource.RUSAGE_SELF)
    return mine.ru_utime + mine.ru_stime


def peak() -> float:
    """The most memory this process ever held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()

"""What grows with the size: making a list of recipients, memory over a long fan-out, and the time to the first claim."""

import asyncio
import os
import statistics
import subprocess
import sys
import time
from random import Random

from sqlalchemy import bindparam, text
from sqlmodel import col, select

from benchmarks.fanout import LATE
from benchmarks.fanout import run as fan_out
from benchmarks.house import MORNING, Databases, build
from benchmarks.sink import ROOT
from campaigns import fanning
from campaigns.delivering import Courier
from store.engine import Store
from store.tables import Delivery, Utc

LIST = 100_000
SMALL, LARGE = 10_000, int(os.environ.get("LANTOA_BENCH_LARGE", "40000"))

BARE = """insert into recipient (ward_id, delivery_id, address, state, next_at, tries, fence, epoch, remote_id, reason, detail)
    select ward_id, :delivery, address, 'waiting', :now, 0, 0, '', '', '', '' from subscriber where outlet_id = :outlet"""


def list_making(databases: Databases, dialect: str) -> tuple[float, float]:
    """Seconds to make a list of 100,000 recipients, and seconds of the bare INSERT … SELECT of the same rows."""
    url, folder = databases.new(dialect)
    store = Store(url)
    house = build(store, folder, "http://127.0.0.1:1", [("many", "")], lambda: MORNING)
    house.subscribe(house.places[0], LIST)
    for number in (1, 2):
        house.approve(number, house.places, LATE)
    house.plan()
    with store.read() as session:
        first, second = session.exec(select(Delivery).order_by(col(Delivery.id))).all()
    took = []
    for delivery, ours in ((first, False), (second, True)):
        started = time.perf_counter()
        with store.write() as session:
            if ours:
                made = fanning.enlist(session, delivery, MORNING)
            else:
                values = {"delivery": delivery.id, "outlet": delivery.outlet_id, "now": MORNING}
                bare = text(BARE).bindparams(bindparam("now", type_=Utc()))
                made = session.execute(bare, values).rowcount  # type: ignore[attr-defined]
        took.append(time.perf_counter() - started)
        if made != LIST:
            raise RuntimeError(f"{made} of {LIST} were listed: the row does not count")
    store.close()
    return took[1], took[0]


def memory(databases: Databases, sink: str) -> tuple[float, float]:
    """The most memory (MB) of the sending process, for 10,000 recipients and for many more."""
    return fan_out(databases, sink, "sqlite", SMALL)["rss"], fan_out(databases, sink, "sqlite", LARGE)["rss"]


def cold_start(databases: Databases) -> tuple[float, float]:
    """Seconds from the start of a process to its first claim, and seconds to import the same packages alone."""
    url, folder = databases.new("sqlite")
    build(Store(url), folder, "http://127.0.0.1:1", [("single", "")], lambda: MORNING).store.close()
    claim = _timed(["-m", "benchmarks.growth", url, str(folder)])
    # What the daemon's modules import from outside, and nothing of the program itself.
    floor = _timed(["-c", "import aiohttp, apscheduler.schedulers.asyncio, httpx, httpx_aiohttp, jinja2, pydantic_settings, sqlmodel, "
                    "sqlalchemy.dialects.sqlite, cryptography.hazmat.primitives.ciphers.aead, alembic.command, structlog"])  # fmt: skip
    return claim, floor


def _timed(arguments: list[str]) -> float:
    took = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, capture_output=True)
        took.append(time.perf_counter() - started)
    return statistics.median(took)


def main() -> None:
    """One cold start: everything the daemon imports, then one claim."""
    import scheduler  # noqa: F401 - what the daemon imports
    from benchmarks.house import desk, only_these_channels

    only_these_channels()
    url, folder = sys.argv[1:]
    from pathlib import Path

    store = Store(url)
    store.check()
    courier = Courier(store, desk(Path(folder), "http://127.0.0.1:1", lambda: MORNING), "cold", Random(1))
    courier.recover()
    asyncio.run(courier.deliver(64))
    store.close()


if __name__ == "__main__":
    main()

"""What the machine itself can do, measured in the same round: wrk, a bare socket client, aiohttp alone, APScheduler with httpx."""

import asyncio
import contextlib
import json
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import aiohttp
import httpx
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from sqlmodel import Field, Session, SQLModel, create_engine

from benchmarks.house import FILLING, JSON
from benchmarks.sink import ROOT, forget, prove

AT_ONCE = 64
WRK_SECONDS = 2


def wrk(sink: str) -> float:
    """Requests per second of wrk with the same body, 64 connections, one thread: the sink's and the machine's limit."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "post.lua"
        body = json.dumps({"key": "wrk", "text": FILLING}, ensure_ascii=False)
        script.write_text(f"wrk.method = 'POST'\nwrk.body = [==[{body}]==]\n", "utf-8")
        command = ["wrk", "-t1", f"-c{AT_ONCE}", f"-d{WRK_SECONDS}s", "-s", str(script), f"{sink}/take"]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    forget(sink)
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if found is None or "Non-2xx" in said:
        raise RuntimeError(said)
    return float(found[1])


def bodies(number: int, name: str) -> Iterator[bytes]:
    """Bodies of about a kilobyte, each with a key of its own."""
    return (json.dumps({"key": f"{name}{n}", "text": FILLING}, ensure_ascii=False).encode() for n in range(number))


def bare(sink: str, number: int, path: str = "take") -> float:
    """POSTs per second of aiohttp alone, 64 at once, nothing kept; the same body as the program sends."""
    rate = asyncio.run(_bare(f"{sink}/{path}", number))
    prove(sink, number)
    return rate


async def _bare(url: str, number: int) -> float:
    every = bodies(number, "bare")
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE)) as client:

        async def lane() -> None:
            for body in every:
                async with client.post(url, data=body, headers=JSON) as answer:
                    await answer.read()

        started = time.perf_counter()
        await asyncio.gather(*(lane() for _ in range(AT_ONCE)))
        return number / (time.perf_counter() - started)


def raw(sink: str, number: int, python: str) -> float:
    """POSTs per second of a bare asyncio protocol on uvloop, 64 connections: the least a Python client can do."""
    done = subprocess.run(
        [python, "-m", "benchmarks.raw", sink, str(number)], cwd=ROOT, check=True, capture_output=True, text=True
    )
    prove(sink, number)
    return float(done.stdout)


class Row(SQLModel, table=True):
    """What the plain APScheduler program keeps of a delivery."""

    __tablename__ = "plain_row"

    id: int | None = Field(default=None, primary_key=True)
    key: str
    remote_id: str = ""
    state: str = "due"


def apscheduler(sink: str, number: int) -> float:
    """Deliveries per second of the usual program: an APScheduler job per delivery, a shared httpx client, a row each."""
    with tempfile.TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{folder}/plain.db", connect_args={"timeout": 30})
        Row.metadata.create_all(engine, tables=[Row.metadata.tables["plain_row"]])
        done, left = threading.Event(), [number]
        lock = threading.Lock()

        def job(key: str) -> None:
            answer: Any = client.post(f"{sink}/take", json={"key": key, "text": FILLING}).json()
            with lock, Session(engine) as session:
                session.add(Row(key=key, remote_id=answer["id"], state="sent"))
                session.commit()
                left[0] -= 1
                if not left[0]:
                    done.set()

        scheduler = BackgroundScheduler(
            timezone=UTC, executors={"default": ThreadPoolExecutor(16)}, job_defaults={"misfire_grace_time": None}
        )
        with httpx.Client() as client:
            scheduler.start()
            started = time.perf_counter()
            for n in range(number):
                scheduler.add_job(job, "date", args=[f"plain{n}"])
            if not done.wait(180):
                raise RuntimeError("the plain scheduler did not finish")
            took = time.perf_counter() - started
            scheduler.shutdown()
        engine.dispose()
    prove(sink, number)
    return number / took


def peer(python: str, name: str, sink: str, number: int, *where: str) -> float:
    """Deliveries per second of another program's engine (benchmarks/peers), with a durable record of each delivery."""
    command = [python, "-m", f"benchmarks.peers.{name}", sink, str(number), *where]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr[-2000:]}")
    prove(sink, number)
    return _rate(done.stdout)


def bullmq(sink: str, number: int, redis: str) -> float:
    """Deliveries per second of BullMQ on Redis with undici, 64 at once, the state of each written to Redis."""
    command = ["node", "bull.mjs", f"{sink}/take", str(number), redis]
    done = subprocess.run(command, cwd=ROOT / "benchmarks" / "peers", capture_output=True, text=True, timeout=240)
    if done.returncode:
        raise RuntimeError(f"BullMQ: {done.stderr[-2000:]}")
    prove(sink, number)
    return _rate(done.stdout)


def _rate(said: str) -> float:
    found = re.search(r"^rate ([\d.]+)", said, re.MULTILINE)
    if found is None:
        raise RuntimeError(said[-2000:])
    return float(found[1])


@contextlib.contextmanager
def redis_server(port: int) -> Iterator[str]:
    """A Redis of one's own that writes its log to disk every second, as it is usually run."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--appendonly", "yes",
                   "--save", "", "--loglevel", "warning"]  # fmt: skip
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            for _ in range(100):
                ping = subprocess.run(["redis-cli", "-p", str(port), "ping"], capture_output=True, text=True)
                if "PONG" in ping.stdout:
                    break
                time.sleep(0.05)
            yield f"redis://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(10)

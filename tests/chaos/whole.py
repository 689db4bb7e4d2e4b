"""The whole program (console, public site, daemon) as a process of its own, with the one channel that tells the truth.

Run: ``python -m tests.chaos.whole``, settings from the environment. A file named ``ban`` in its folder keeps the event
loop busy from then on, as a beat does that never comes back.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col, func, select

from campaigns import outlets, planning
from campaigns.audit import MACHINE
from campaigns.people import add_user
from channels.registry import kinds
from store.engine import Store
from store.tables import Attempt, Delivery, Outlet
from tests.campaigns.conftest import House, build_house
from tests.chaos.truth import Platform, Truth

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "mat-khau-thu-nghiem"
BUSY = "ban"


def utc_now() -> datetime:
    return datetime.now(UTC)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Place:
    """A data folder with one ward and some outlets, the platform they speak to, and what runs on them."""

    folder: Path
    store: Store
    house: House
    platform: Platform
    outlets: list[int]
    port: int = field(default_factory=free_port)
    lives: list[subprocess.Popen[bytes]] = field(default_factory=list)
    said_file: Path = Path("/dev/null")

    @property
    def site(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self, **more: str) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("LANTOA_")}
        given = {
            "LANTOA_FOLDER": str(self.folder), "LANTOA_MODE": "live", "LANTOA_DATABASE": self.store.url,
            "LANTOA_WEB__PORT": str(self.port), "LANTOA_WEB__PUBLIC_URL": self.site, "LANTOA_DAEMON__WAVE": "400",
            "LANTOA_DAEMON__IDLE_SECONDS": "0.2", "LANTOA_NETWORK__ALLOW": self.platform.address,
        }  # fmt: skip
        return {**clean, **given, **more}

    def start(self, *wrapped: str, **environment: str) -> subprocess.Popen[bytes]:
        """One more life of the program; what it says is kept in ``said_file``."""
        command = [*wrapped, sys.executable, "-m", "tests.chaos.whole"]
        with self.said_file.open("ab") as log:
            life = subprocess.Popen(command, cwd=ROOT, env=self.environment(**environment), stdout=log, stderr=log)
        self.lives.append(life)
        return life

    def said(self) -> str:
        """What its lives wrote to their log."""
        return self.said_file.read_text("utf-8", "replace") if self.said_file.is_file() else ""

    def plan(self, posts: int = 1, within: timedelta = timedelta(minutes=1)) -> list[str]:
        """Approve posts to every outlet and make all of it due now; gives the new deliveries' keys."""
        with self.store.read() as session:
            before = set(session.exec(select(Delivery.key)).all())
        stamp = time.monotonic_ns()
        for number in range(posts):
            body = f"Bà con nhớ nộp hồ sơ trực tuyến, đợt {stamp} {number}."
            self.house.approved(utc_now() + within + timedelta(seconds=number), body=body, outlet_ids=self.outlets)
        now = utc_now()
        with self.store.write() as session:
            planning.plan(session, now, timedelta(days=2))
            fresh = col(Delivery.state) == "due", col(Delivery.key).not_in(before)
            session.exec(update(Delivery).where(*fresh).values(next_at=now, due_at=now))
        with self.store.read() as session:
            return sorted(set(session.exec(select(Delivery.key)).all()) - before)

    def states(self) -> dict[str, int]:
        with self.store.read() as session:
            counted = select(Delivery.state, func.count()).group_by(Delivery.state)
            return dict(session.exec(counted).all())

    def tried(self, outcome: str) -> int:
        with self.store.read() as session:
            return session.exec(select(func.count()).where(Attempt.verb == "publish", Attempt.outcome == outcome)).one()

    def get(self, path: str) -> httpx.Response | None:
        try:
            return httpx.get(f"{self.site}{path}", timeout=20)
        except httpx.HTTPError:
            return None

    def ready(self, within: float = 150) -> None:
        """Wait until the program says that it is ready."""
        until(lambda: (answer := self.get("/readyz")) is not None and answer.status_code == 200, within, self.said)

    def settled(self, within: float, final: set[str] | None = None) -> None:
        """Wait until every delivery is where nothing more happens by itself."""
        wanted = final or {"sent", "needs_human", "failed", "missed"}
        until(lambda: set(self.states()) <= wanted, within, lambda: f"{self.states()} {self.said()[-3000:]}")

    def end(self) -> None:
        for life in self.lives:
            if life.poll() is None:
                life.kill()
            life.wait(30)
        self.platform.close()
        self.store.close()


def until(true: Callable[[], Any], within: float, why: Callable[[], str] = str) -> float:
    """Wait until it is true; gives how many seconds that took."""
    begun = time.monotonic()
    while not true():
        assert time.monotonic() < begun + within, f"it did not happen within {within} s: {why()[-4000:]}"
        time.sleep(0.05)
    return time.monotonic() - begun


@contextmanager
def furnished(store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch, many: int) -> Iterator[Place]:
    """A place with so many outlets, each of which has one step in flight at a time."""
    monkeypatch.setitem(kinds(), Truth.kind, Truth)
    folder.mkdir(parents=True, exist_ok=True)
    platform = Platform()
    house = build_house(store, folder, utc_now, kind=Truth.kind)
    values = {"url": f"http://{platform.address}"}
    with store.write() as session:
        session.exec(update(Outlet).values(settings=values))
        add_user(session, MACHINE, house.ward, "nguoi.duyet", "Người duyệt", "admin", PASSWORD, utc_now())
        for number in range(1, many):
            name = f"Kênh {number}"
            outlets.connect(
                session, house.admin, house.ward.id or 0, Truth.kind, name, values, house.desk.vault, utc_now()
            )
        ids = sorted(id or 0 for id in session.exec(select(Outlet.id)).all())
    place = Place(folder, store, house, platform, ids, said_file=folder.with_name(f"{folder.name}.noi.log"))
    try:
        yield place
    finally:
        place.end()


async def _fall_ill(folder: Path) -> None:
    while True:
        await asyncio.sleep(0.05)
        while (folder / BUSY).exists():
            pass


async def _run() -> None:
    import cli
    import operating
    import scheduler
    from settings import load

    settings = load()
    scheduler.MARK_SECONDS = float(os.environ.get("TEST_MARK_SECONDS", scheduler.MARK_SECONDS))
    ill = asyncio.create_task(_fall_ill(settings.folder))
    try:
        await operating.up(settings, _on_signal, cli.say)
    finally:
        ill.cancel()


def _on_signal(stop: Callable[[], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)


def main() -> int:
    import journaling

    kinds()[Truth.kind] = Truth
    journaling.begin("json")
    asyncio.run(_run())
    return 0


if __name__ == "__main__":
    sys.exit(main())

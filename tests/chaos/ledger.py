"""A platform that is a file: every visible copy is one appended line, so its truth survives every process.

Four kinds, one of each class (keyed, staged, looked up, blind). ``python -m tests.chaos.ledger FOLDER URL`` is a real
worker over it, with a lease as short as the test says; what it says on its output is what the test waits for.
"""

import asyncio
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from sqlmodel import select, update

from campaigns import delivering, outlets
from campaigns.outlets import Desk
from campaigns.planning import plan
from channels import registry, wire
from channels.contract import (
    EMPTY,
    Certainty,
    Channel,
    ChannelSettings,
    Deferred,
    Found,
    Handle,
    Limits,
    Message,
    Outcome,
    Published,
    Reason,
)
from channels.wire import Wire
from settings import Settings
from store.engine import Store
from store.files import Files
from store.tables import Delivery, Outlet, Worker
from store.vault import Vault
from tests.campaigns.conftest import House, build_house
from tests.campaigns.scripted import Scripted
from tests.chaos.checker import Copy, Truth

SECONDS = "LEDGER_SECONDS"
LEDGER = "so-cai.jsonl"


class Written(ChannelSettings):
    """Where the ledger lies."""

    path: str = ""


class Ledger(Scripted):
    """Class C: found again by its marker. A visible step takes ``LEDGER_SECONDS`` before and after its effect."""

    kind = "ledger"
    name = "Sổ cái tra được"
    Settings = Written
    limits: ClassVar[Limits] = Limits(text=20_000, source="https://example.org/limits")
    settle_seconds: ClassVar[int] = 1
    spacing_seconds: ClassVar[int] = 0

    async def stage(self, message: Message, part: int, handle: Handle = EMPTY) -> Handle | Outcome:
        return EMPTY

    async def publish(self, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]) -> Outcome:
        pause = float(os.environ.get(SECONDS, "0"))
        await asyncio.sleep(pause / 2)
        if not wire.may_leave.get()():
            return Deferred(reason=Reason.UNREACHABLE, detail="chưa có gì được gửi đi")
        remote_id = self._write(message.key, part)
        await asyncio.sleep(pause / 2)
        return Published(remote_id=remote_id, url=f"https://example.org/{message.key}")

    def _write(self, key: str, part: int) -> str:
        remote_id = f"{key}/{part}/{os.getpid()}/{time.monotonic_ns()}"
        line = json.dumps({"key": key, "part": part, "id": remote_id, "at": time.time()}) + "\n"
        paper = os.open(self.settings.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(paper, line.encode())
        finally:
            os.close(paper)
        return remote_id

    async def find(self, message: Message, part: int, handle: Handle, since: datetime) -> Found:
        for line in lines(Path(self.settings.path)):
            if (line["key"], line["part"]) == (message.key, part):
                return Found(verdict="out", remote_id=line["id"])
        return Found(verdict="absent")


class Keyed(Ledger):
    """Class A: the receiver knows the key, a second copy cannot be."""

    kind = "ledgerkeyed"
    name = "Sổ cái có khóa"
    certainty = Certainty.KEYED

    def _write(self, key: str, part: int) -> str:
        for line in lines(Path(self.settings.path)):
            if (line["key"], line["part"]) == (key, part):
                return str(line["id"])
        return super()._write(key, part)


class Blind(Ledger):
    """Class D: nothing can be looked up."""

    kind = "ledgerblind"
    name = "Sổ cái không tra được"
    certainty = Certainty.BLIND

    async def find(self, message: Message, part: int, handle: Handle, since: datetime) -> Found:
        return Found(verdict="unclear", detail="Không tra cứu được.")


KINDS: dict[str, type[Channel]] = {kind.kind: kind for kind in (Ledger, Keyed, Blind)}
LETTERS = {"ledger": "C", "ledgerkeyed": "A", "ledgerblind": "D"}


def lines(path: Path) -> list[dict[str, Any]]:
    """What stands in the ledger, in the order in which it was written."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def truth(path: Path) -> Truth:
    """The ledger as the checker reads it."""
    copies: dict[str, list[Copy]] = {}
    for line in lines(path):
        copies.setdefault(line["key"], []).append(Copy(line["part"], line["id"]))
    return Truth(copies)


def now() -> datetime:
    """The real time."""
    return datetime.now(UTC)


def furnish(store: Store, folder: Path, kinds: Collection[str], each: int) -> dict[int, str]:
    """Outlets of these kinds, each with ``each`` deliveries that are due now; gives the class of every outlet."""
    hour_ago = now() - timedelta(hours=1)
    house = build_house(store, folder, lambda: hour_ago)
    places = _outlets(house, folder / LEDGER, list(kinds))
    for number in range(each):
        house.approved(hour_ago + timedelta(minutes=1), outlet_ids=places, body=f"Bà con nhớ nộp hồ sơ số {number}.")
    with store.write() as session:
        plan(session, hour_ago, timedelta(days=1))
        session.exec(update(Delivery).values(next_at=hour_ago))
        session.add(Worker(epoch="trước", host="", pid=0, started_at=hour_ago, seen_at=now(), stopped_at=now()))
        rows = session.exec(select(Outlet).where(Outlet.kind != "scripted")).all()
        return {row.id or 0: LETTERS[row.kind] for row in rows}


def _outlets(house: House, path: Path, kinds: list[str]) -> list[int]:
    with house.store.write() as session:
        made = [
            outlets.connect(
                session, house.admin, house.ward.id or 0, kind, f"Kênh {number}", {"path": str(path)},
                house.desk.vault, house.desk.now(),
            )
            for number, kind in enumerate(kinds)
        ]  # fmt: skip
        return [one.id or 0 for one in made]


def speaking(folder: Path) -> Desk:
    """The desk of a process that works on this folder."""
    return Desk(Wire(), Files(folder / "tep", "http://site.test"), Vault.open(folder / "khoa"), now)


async def _work(url: str, folder: Path, lease: float, concurrency: int) -> None:
    import scheduler
    from store import engine
    from worker import Hand

    delivering.LEASE = scheduler.LEASE = timedelta(seconds=lease)
    engine.FROZEN_AFTER_MS = int(lease * 1000 * 4 / 9)
    store = Store(url)
    hand = Hand(store, speaking(folder), Settings())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, hand.stop)
    sys.stdout.write(f"works {hand.courier.epoch}\n")
    sys.stdout.flush()
    await hand.run(concurrency)
    store.close()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    registry.installed = lambda: KINDS  # type: ignore[assignment]
    asyncio.run(_work(sys.argv[2], Path(sys.argv[1]), float(sys.argv[3]), int(sys.argv[4])))

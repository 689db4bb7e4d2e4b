"""Several real workers over one PostgreSQL database: started, killed, frozen, thawed and asked to stop."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlmodel import func, select

from store import wakeups
from store.engine import Store
from store.tables import Delivery
from tests.chaos import ledger
from tests.chaos.checker import Violation, check
from tests.conftest import _database

ROOT = Path(__file__).resolve().parents[1]
OVER = {"sent", "needs_human"}


@dataclass
class Yard:
    """A database, a folder, a ledger, and the workers that share them."""

    store: Store
    folder: Path
    lease: float
    seconds: float
    classes: dict[int, str] = field(default_factory=dict)
    hands: list[subprocess.Popen[str]] = field(default_factory=list)

    def furnish(self, kinds: Collection[str], each: int) -> None:
        self.classes = ledger.furnish(self.store, self.folder, kinds, each)

    def start(self, number: int, concurrency: int = 8) -> None:
        """Start so many workers, and wait until each says that it works."""
        given = {**os.environ, ledger.SECONDS: str(self.seconds), "PYTHONPATH": str(ROOT)}
        words = [str(self.folder), self.store.url, str(self.lease), str(concurrency)]
        begun = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.ledger", *words],
                cwd=ROOT, env=given, stdout=subprocess.PIPE, text=True, stderr=self._log(place),
            )
            for place in range(len(self.hands), len(self.hands) + number)
        ]  # fmt: skip
        self.hands += begun
        for hand in begun:
            assert hand.stdout is not None
            assert hand.stdout.readline().startswith("works"), self.said()

    def _log(self, place: int) -> int:
        return os.open(self.folder / f"hand{place}.log", os.O_WRONLY | os.O_CREAT, 0o644)

    def said(self) -> str:
        return "\n".join(path.read_text()[-2000:] for path in sorted(self.folder.glob("hand*.log")))

    def copies(self) -> int:
        return len(ledger.lines(self.folder / ledger.LEDGER))

    def states(self) -> dict[str, int]:
        with self.store.read() as session:
            found = select(Delivery.state, func.count()).group_by(Delivery.state)
            return {str(state): number for state, number in session.exec(found).all()}

    def over(self) -> bool:
        return set(self.states()) <= OVER

    def until(self, true: Callable[[], bool], seconds: float) -> float:
        """Wait until it is true; gives how many seconds that took."""
        began = time.monotonic()
        while not true():
            assert time.monotonic() < began + seconds, f"not within {seconds} s: {self.states()}\n{self.said()}"
            time.sleep(0.1)
        return time.monotonic() - began

    def stop(self) -> list[int]:
        """Ask all to stop; gives how each ended."""
        for hand in self.hands:
            if hand.poll() is None:
                hand.send_signal(signal.SIGCONT)
                hand.send_signal(signal.SIGTERM)
        return [hand.wait(60) for hand in self.hands]

    def violations(self) -> list[Violation]:
        return check(self.store, ledger.truth(self.folder / ledger.LEDGER), self.classes)


@contextmanager
def yard(server: str, folder: Path, lease: float = 6.0, seconds: float = 0.02) -> Iterator[Yard]:
    """A migrated PostgreSQL database with the wakes' tables; whatever still runs at the end is killed."""
    store = Store(_database(server, folder.name, template="migrated"))
    wakeups.migrate(store)
    made = Yard(store, folder, lease, seconds)
    try:
        yield made
    finally:
        for hand in made.hands:
            if hand.poll() is None:
                hand.kill()
            hand.wait(10)
            if hand.stdout:
                hand.stdout.close()
        store.close()

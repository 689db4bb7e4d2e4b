"""R5: the power is cut at thousands of moments of a real daemon's life; each time the disk holds what it must.

The daemon runs under strace. An image of the disk at a moment is what was synced, and of what was written since, a
random part: dropped, whole, or torn into sectors of 512 bytes. Every image must open, and must know every approval
that was acknowledged and every visible request that had left.
"""

import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from store.engine import Store
from tests.chaos import evidence, serving, tracing
from tests.chaos.powered import ACKNOWLEDGED
from tests.chaos.tracing import Cut, Event, Left, Synced, Wrote
from tests.chaos.world import World

SECTOR = 512
DATABASE, LOG = "lantoa.db", "lantoa.db-wal"
SCALE = 20.0
SHM = Path("/dev/shm")
VISIBLE = re.compile(rb"^(?:PUT|POST) /[abcd]/[\w-]+/(\w+)/\d+(?:/publish\?\S*)? HTTP")
APPROVED = re.compile(rf"{ACKNOWLEDGED} (\d+)\n".encode())


@dataclass
class Disk:
    """Two files: what is surely on the disk of each, and what was written since its last sync."""

    durable: dict[str, bytearray]
    pending: dict[str, list[tuple[int, Wrote]]] = field(default_factory=lambda: {DATABASE: [], LOG: []})

    def take(self, number: int, event: Event) -> None:
        """The next thing that the program did."""
        if isinstance(event, Wrote):
            self.pending[event.file].append((number, event))
        elif isinstance(event, Synced):
            for at, wrote in self.pending[event.file]:
                if at < event.since:
                    _put(self.durable[event.file], wrote.offset, wrote.data)
            self.pending[event.file] = [(at, one) for at, one in self.pending[event.file] if at >= event.since]
        elif isinstance(event, Cut):
            self._all_written(event.file)
            del self.durable[event.file][event.size :]

    def _all_written(self, file: str) -> None:
        for _, wrote in self.pending[file]:
            _put(self.durable[file], wrote.offset, wrote.data)
        self.pending[file].clear()

    def image(self, chance: Random) -> dict[str, bytes]:
        """What a machine may find after a power cut at this moment."""
        made = {}
        for name, durable in self.durable.items():
            content = bytearray(durable)
            for _, wrote in self.pending[name]:
                _tear(content, wrote, chance)
            made[name] = bytes(content)
        return made


def _tear(content: bytearray, wrote: Wrote, chance: Random) -> None:
    drawn = chance.random()
    if drawn < 0.3:
        return
    if drawn < 0.6:
        _put(content, wrote.offset, wrote.data)
        return
    for start in range(0, len(wrote.data), SECTOR):
        if chance.random() < 0.5:
            _put(content, wrote.offset + start, wrote.data[start : start + SECTOR])


def _put(content: bytearray, offset: int, data: bytes) -> None:
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


@dataclass
class Known:
    """What the outside world has been told so far."""

    approved: set[int] = field(default_factory=set)
    requests: Counter[str] = field(default_factory=Counter)

    def take(self, event: Event) -> None:
        """The next thing that left the program."""
        if isinstance(event, Left):
            self.approved |= {int(found) for found in APPROVED.findall(event.data)}
            if found := VISIBLE.match(event.data):
                self.requests[found[1].decode()] += 1


@dataclass
class Cuts:
    """What the power cuts showed."""

    images: int = 0
    corrupt: int = 0
    lost_approvals: int = 0
    lost_marks: int = 0
    lossy: int = 0
    said: list[str] = field(default_factory=list)

    @property
    def green(self) -> bool:
        """Whether every image was whole."""
        return not (self.corrupt or self.lossy) and self.images > 0


def recorded(folder: Path, approvals: int, synchronous: str, seed: int) -> tuple[bytes, list[Event]]:
    """Run the daemon under strace until all is out; gives the file it began with and everything it did."""
    url = f"sqlite:///{folder.absolute()}/{DATABASE}"
    store = Store(url)
    store.migrate()
    with store.engine.connect() as connection:
        connection.exec_driver_sql("pragma wal_checkpoint(truncate)")
    store.close()
    base = (folder / DATABASE).read_bytes()
    with serving.served(folder, seed, lag=0.0) as platform:
        place = World(url, str(folder.absolute()), platform.port, time.time(), SCALE)
        (folder / "world.json").write_text(place.dumps())
        trace = folder / "trace"
        program = [sys.executable, "-m", "tests.chaos.powered", str(folder / "world.json"), str(approvals), synchronous]
        with (folder / "said").open("wb") as said:
            subprocess.run([*tracing.COMMAND, str(trace), *program], check=True, stdout=said, timeout=500)
    events = tracing.read(trace, frozenset({DATABASE, LOG}))
    trace.unlink()
    return base, events


def cut(base: bytes, events: list[Event], images: int, seed: int, folder: Path) -> Cuts:
    """Cut the power at ``images`` random moments and look at each image."""
    chance, disk, known, found = Random(seed), Disk({DATABASE: bytearray(base), LOG: bytearray()}), Known(), Cuts()
    moments = Counter(chance.randrange(1, len(events)) for _ in range(images))
    for number, event in enumerate(events):
        for _ in range(moments[number]):
            _look(disk.image(chance), known, found, number, folder)
        disk.take(number, event)
        known.take(event)
    return found


def _look(image: dict[str, bytes], known: Known, found: Cuts, number: int, folder: Path) -> None:
    found.images += 1
    for name, content in image.items():
        (folder / name).write_bytes(content)
    (folder / f"{DATABASE}-shm").unlink(missing_ok=True)
    try:
        said, approved, marks = _opened(folder / DATABASE)
    except sqlite3.DatabaseError as error:
        said, approved, marks = str(error), set(), Counter()
    if said != "ok":
        found.corrupt += 1
        found.said.append(f"event {number}: {said}")
        return
    gone = known.approved - approved
    unmarked = {key for key, times in known.requests.items() if marks[key] < times}
    found.lost_approvals += bool(gone)
    found.lost_marks += bool(unmarked)
    if gone or unmarked:
        found.lossy += 1
        found.said.append(f"event {number}: lost approvals {sorted(gone)}, requests without a mark {sorted(unmarked)}")


def _opened(path: Path) -> tuple[str, set[int], Counter[str]]:
    connection = sqlite3.connect(path)
    try:
        said = connection.execute("pragma integrity_check").fetchone()[0]
        approved = {id for (id,) in connection.execute("select id from post where state = 'approved'")}
        wanted = "select delivery.key from attempt join delivery on delivery.id = delivery_id where verb = 'publish'"
        return said, approved, Counter(key for (key,) in connection.execute(wanted))
    finally:
        connection.close()


def counted(cuts: Cuts, careless: Cuts, events: int) -> dict[str, int | float | str]:
    """The figures of both runs: as the product is, and with ``synchronous=NORMAL`` as the control."""
    return {
        "events": events,
        "images": cuts.images,
        "corrupt": cuts.corrupt,
        "lost_approvals": cuts.lost_approvals,
        "lost_wire_marks": cuts.lost_marks,
        "control_images": careless.images,
        "control_corrupt": careless.corrupt,
        "control_lossy_images": careless.lossy,
    }


def power_cuts(folder: Path, approvals: int, images: int, seed: int) -> tuple[Cuts, Cuts, dict[str, int | float | str]]:
    """The product as it is, and the control, with a tenth of the images (at least 50)."""
    found = []
    with tempfile.TemporaryDirectory(prefix="lantoa-image-", dir=SHM if SHM.is_dir() else None) as place:
        for synchronous, number in (("full", images), ("normal", max(50, images // 10))):
            run = folder / synchronous
            shutil.rmtree(run, ignore_errors=True)
            run.mkdir(parents=True)
            base, events = recorded(run, approvals if synchronous == "full" else min(approvals, 6), synchronous, seed)
            found.append((cut(base, events, number, seed, Path(place)), len(events)))
    (cuts, events_seen), (careless, _) = found
    return cuts, careless, counted(cuts, careless, events_seen)


def verdict(cuts: Cuts, careless: Cuts) -> str:
    """One line."""
    if not cuts.green:
        return "RED: a power cut takes what was acknowledged"
    if not careless.lossy:
        return "RED: the control lost nothing, so this test sees nothing"
    return "no power cut takes anything that was acknowledged; with synchronous=NORMAL it would"


def run_piece(name: str, images: int, seed: int, folder: Path) -> bool:
    """The long run."""
    cuts, careless, counts = power_cuts(folder, 25, images, seed)
    evidence.say(name, seed, counts, verdict(cuts, careless))
    for said in cuts.said[:20]:
        sys.stdout.write(f"{said}\n")
    return cuts.green and careless.lossy > 0

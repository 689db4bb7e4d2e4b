"""R4: planted bugs, as data. A chaos test that kills none of them proves nothing.

Each is text of the product replaced by other text, applied while the module is imported, in a process of its own. The
old text must stand in the file exactly once, so that the list cannot rot. ``by`` names what has to kill it: the
simulation (R3), or a scenario of ``scenarios.py`` where time, threads and platforms play no part.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parent.parent.parent
SEEDS = 60
TIMEOUT_SECONDS = 570.0

Edit = tuple[str, str, str]


@dataclass(frozen=True)
class Mutant:
    """One planted bug: its edits are (file, old text, new text)."""

    name: str
    edits: tuple[Edit, ...]
    by: str = "R3"


CLAIMING, WIRING, MOVES = "campaigns/claiming.py", "campaigns/wiring.py", "campaigns/moves.py"
STATES, COURIER, PLANNING = "campaigns/states.py", "campaigns/delivering.py", "campaigns/planning.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant("the first byte leaves before its intent is written", ((
        COURIER,
        """        attempt = await self._to_wire(Ready(letter.id, letter.fence, handle))
        if attempt is not None:
            outcome =""",
        """        early = await self._speak(letter, handle, ready_at + LEAVE_WITHIN_SECONDS)
        attempt = await self._to_wire(Ready(letter.id, letter.fence, handle))
        if attempt is not None:
            outcome = early if early else""",
    ),)),
    Mutant("an unknown result is tried again like an error", ((
        STATES,
        "return Move(State.UNKNOWN, now + standing.settle, detail=outcome.detail)",
        "return _again(Deferred(reason=Reason.BUSY, detail=outcome.detail), standing, now, chance)",
    ),)),
    Mutant("what a crash left on the wire is due again", ((
        STATES,
        'return Move(State.UNKNOWN, now + settle, detail="Chương trình dừng khi đang gửi.")',
        'return Move(State.DUE, now + settle, detail="Chương trình dừng khi đang gửi.")',
    ),)),
    Mutant("an answer with an old fence counts", ((
        MOVES,
        "return {pair: delivery for delivery in found if (pair := (delivery.id or 0, delivery.fence)) in pairs}",
        "return {pair: delivery for delivery in found for pair in pairs if pair[0] == delivery.id}",
    ),)),
    Mutant("one look is enough on a channel of class C", ((
        STATES, "needed = 2 if standing.certainty is Certainty.LOOKUP else 1", "needed = 1",
    ),)),
    Mutant("a look-up that failed counts as absent", ((
        COURIER, "found = outlets.unclear(OUR_BUG_LOOKING)", 'found = outlets.Found(verdict="absent")',
    ),)),
    Mutant("nobody waits until a list can show the post", (
        (STATES, "return Move(State.UNKNOWN, now + standing.settle, detail=outcome.detail)",
         "return Move(State.UNKNOWN, now, detail=outcome.detail)"),
        (STATES, 'return Move(State.UNKNOWN, now + settle, detail="Chương trình dừng khi đang gửi.")',
         'return Move(State.UNKNOWN, now, detail="Chương trình dừng khi đang gửi.")'),
        (STATES, "return standing.wire_at is not None and started >= standing.wire_at + standing.settle", "return True"),
        (STATES, "return Move(State.UNKNOWN, now + standing.settle * min(2**standing.looks, 8), detail=found.detail)",
         "return Move(State.UNKNOWN, now + SOONEST, detail=found.detail)"),
        (MOVES, "settled = delivery.wire_at + settle_time(session, delivery)", "settled = delivery.wire_at"),
    )),
    Mutant("a hold does not stop what is already claimed", ((WIRING, "if held and not delivery.part:", "if held and not held:"),)),
    Mutant("what expires while it is made ready goes out", ((
        WIRING, "return Move(State.DUE, now) if now > delivery.expires_at and not out else None", "return None",
    ),)),
    Mutant("a pause does not stop what is already claimed", ((
        WIRING, """    if outlet.state != "open":
        return Move""", """    if outlet.state == "gone":
        return Move""",
    ),)),
    Mutant("what was changed after its approval goes out", ((
        WIRING, "out or post.digest == delivery.approved_digest == digests[delivery.post_id]", "out or post.digest",
    ),)),
    Mutant("a withdrawn post goes out", ((WIRING, 'if post.state != "approved" or not (', "if not ("),)),
    Mutant("class D is sent again when nobody can tell", ((
        STATES,
        'return Move(State.NEEDS_HUMAN, now, detail=found.detail or NOT_FOUND_OUT, aired=found.aired)',
        'return Move(State.DUE, now, detail=found.detail or NOT_FOUND_OUT, aired=found.aired)',
    ),)),
    Mutant("two steps under way at one outlet", ((
        CLAIMING, "b.state in ('prepared', 'wire', 'unknown')\n", "b.state in ('gone')\n",
    ),)),
    Mutant("a part counts twice", ((MOVES, "delivery.part += 1", "delivery.part += 2"),)),
    Mutant("adopted without knowing what", ((
        STATES, 'move = _one_more_out(found.remote_id or "", found.url, standing, now)',
        'move = _one_more_out("", found.url, standing, now)',
    ),)),
    Mutant("missed the moment it is late, whatever the grace", ((
        MOVES, """text("delivery.state in ('due', 'held')"), Delivery.expires_at < now)""",
        """text("delivery.state in ('due', 'held')"), Delivery.due_at < now)""",
    ),)),
    Mutant("no back-off", ((STATES, "return now + wait * (1 + chance.random() / 5)", "return now"),)),
    Mutant("the breaker never opens", ((
        "campaigns/resting.py", "return counted, now + REST if counted >= OPENS_AT else None", "return counted, None",
    ),)),
    Mutant("the platform's own waiting time is ignored", ((
        STATES, "at = max(outcome.retry_at or back_off(standing.tries, now, chance), now + SOONEST)",
        "at = max(back_off(standing.tries, now, chance), now + SOONEST)",
    ),)),
    Mutant("the platform's quota is ignored", ((CLAIMING, "if oldest is not None:", "if oldest is not None and count_all:"),
                                               (CLAIMING, "def _within_quota(", "count_all = False\n\n\ndef _within_quota("))),
    Mutant("planned again in every round", (
        (PLANNING, 'col(Post.due_at) <= until, ~_planned()', "col(Post.due_at) <= until"),
        (PLANNING, "if session.exec(select(Delivery.id).where(*same, Delivery.created_at >= approved_at)).first():",
         "if due_at > now and due_at.microsecond:"),
        (PLANNING, "        due_at=due_at,\n        expires_at", "        due_at=due_at + (now - now.replace(second=0)),\n        expires_at"),
    )),
    Mutant("a rule forgets how far it was planned", ((
        PLANNING, "rule.planned_to = max(found[-1] if len(found) == MAX_OCCURRENCES else end, start)", "rule.planned_to = start",
    ),)),
    Mutant("a move without its audit event", ((
        MOVES, "    session.flush()\n    record_all(session, MACHINE, entries, now)",
        '    session.flush()\n    record_all(session, MACHINE, [one for one in entries if one.action != "delivery.sent"], now)',
    ),)),
    Mutant("a life that slept sends what it had written long ago", ((
        COURIER, "may_leave.set(lambda: loop.time() < until and self.alive())", "may_leave.set(lambda: True)",
    ),)),
    Mutant("sent before its hour", (
        (CLAIMING, "and x.next_at <= :now order by", "order by"),
        (CLAIMING, """text("delivery.state = 'due'"), Delivery.next_at <= now, Outlet.state""",
         """text("delivery.state = 'due'"), Outlet.state"""),
    )),
    Mutant("the newest first", ((CLAIMING, "order by x.next_at, x.id limit 1", "order by x.next_at desc, x.id desc limit 1"),)),
    Mutant("urgent last", ((CLAIMING, "for rank in (2, 1, 0)", "for rank in (0, 1, 2)"),)),
    Mutant("what is still being worked on counts as out", ((
        STATES, 'return Move(State.UNKNOWN, outcome.retry_at or now + PENDING_EVERY, detail="Nền tảng đang xử lý.")',
        'return _one_more_out("", None, standing, now)',
    ),)),
    Mutant("a worker takes what another live worker has under way", ((
        COURIER, "others &= col(Delivery.epoch).not_in(select(Worker.epoch).where(*awake))", "others &= len(awake) > 0",
    ),), by="two_workers"),
    Mutant("a delivery planned again has another key", ((
        PLANNING, 'words = f"{origin} {outlet_id} {_iso(due_at)} {_iso(post.approved_at)}"',
        'words = f"{origin} {outlet_id} {_iso(due_at)} {id(session)} {_iso(datetime.now().astimezone())}"',
    ),), by="same_keys"),
    Mutant("after a restore what was due is sent blind", ((
        PLANNING, "if instance.restored_at and due_at <= instance.restored_at:", "if instance.restored_at is instance:",
    ),), by="restored"),
    Mutant("a renewal overwrites a newer one", ((
        "campaigns/outlets.py", "    if outlet.secrets != was:\n", "    if outlet.secrets == 'gone':\n",
    ),), by="renewed_twice"),
    Mutant("commits that a power cut loses", ((
        "store/engine.py", '"synchronous=full"', '"synchronous=normal"',
    ),), by="durable"),
    Mutant("Vietnamese text goes out as it was typed", ((
        "content/text.py", 'return unicodedata.normalize("NFC", text.replace("\\r\\n", "\\n").replace("\\r", "\\n"))',
        'return text.replace("\\r\\n", "\\n").replace("\\r", "\\n")',
    ),), by="composed"),
)  # fmt: skip


def rotten(mutants: Sequence[Mutant] = MUTANTS) -> list[str]:
    """The edits whose old text does not stand in its file exactly once, or that change nothing."""
    found = []
    for mutant in mutants:
        for file, old, new in mutant.edits:
            times = (ROOT / file).read_text(encoding="utf-8").count(old)
            if times != 1 or old == new:
                found.append(f"{mutant.name}: {times} times in {file}: {old!r}")
    return found


@dataclass(frozen=True)
class Death:
    """How a mutant was killed: by which seed, and what it broke; or that it lives."""

    name: str
    killed: bool
    seed: int
    said: str


def hunt(mutant: Mutant, seeds: int = SEEDS) -> Death:
    """Run the mutant in a process of its own until something breaks, over at most so many seeds."""
    asked = [sys.executable, "-m", "tests.chaos.mutants", mutant.name, str(seeds)]
    try:
        done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return Death(mutant.name, False, -1, f"nothing broke within {TIMEOUT_SECONDS:.0f} s")
    if done.returncode:
        return Death(mutant.name, False, -1, f"could not be run: {done.stderr[-600:]}")
    return Death(mutant.name, **json.loads(done.stdout.splitlines()[-1]))


class _Planted(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives the mutant's modules with their text replaced, before anything else can import them."""

    def __init__(self, mutant: Mutant) -> None:
        self.edits: dict[str, list[tuple[str, str]]] = {}
        for file, old, new in mutant.edits:
            self.edits.setdefault(file.removesuffix(".py").replace("/", "."), []).append((old, new))

    def find_spec(self, name: str, _path: object, _target: object = None) -> importlib.machinery.ModuleSpec | None:
        if name not in self.edits:
            return None
        return importlib.util.spec_from_file_location(name, self._file(name), loader=self)

    def exec_module(self, module: ModuleType) -> None:
        file = self._file(module.__name__)
        source = file.read_text(encoding="utf-8")
        for old, new in self.edits[module.__name__]:
            assert source.count(old) == 1, old
            source = source.replace(old, new)
        exec(compile(source, str(file), "exec"), module.__dict__)  # noqa: S102

    def _file(self, name: str) -> Path:
        return ROOT / f"{name.replace('.', '/')}.py"


def _try(mutant: Mutant, seeds: int) -> dict[str, object]:
    if mutant.by != "R3":
        from tests.chaos import scenarios

        try:
            getattr(scenarios, mutant.by)()
        except AssertionError as error:
            return {"killed": True, "seed": 0, "said": f"{mutant.by}: {error}".splitlines()[0]}
        return {"killed": False, "seed": 0, "said": f"{mutant.by} holds"}
    from tests.chaos.simulation import migrated, simulate

    with tempfile.TemporaryDirectory() as folder:
        empty = migrated(Path(folder))
        for seed in range(seeds):
            try:
                told = simulate(seed, empty, hasty=True)
            except Exception as error:  # what nobody foresaw is seen too
                return {"killed": True, "seed": seed, "said": f"R3: broke with {type(error).__name__}: {error}"}
            if told.violations:
                return {"killed": True, "seed": seed, "said": f"R3: {told.violations[0]}"}
    return {"killed": False, "seed": -1, "said": f"lives after {seeds} seeds"}


def main() -> None:
    """``python -m tests.chaos.mutants NAME SEEDS``: plant that bug, run, and say how it ended as one line of JSON."""
    mutant = next(one for one in MUTANTS if one.name == sys.argv[1])
    assert not any(name in sys.modules for name in _Planted(mutant).edits), "the product is imported already"
    sys.meta_path.insert(0, _Planted(mutant))
    sys.stdout.write(json.dumps(_try(mutant, int(sys.argv[2])), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()

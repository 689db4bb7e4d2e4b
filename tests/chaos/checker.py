"""What must be true at the end of every chaos run: the rows of the database against what the platforms really hold.

Pure functions over a store and the ground truth; the names I1–I12 are those of docs/reliability.md.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlmodel import col, select

from campaigns import audit
from campaigns.states import LEGAL, State
from store.engine import Store
from store.tables import Attempt, AuditEvent, Delivery, Ward


class Copy(NamedTuple):
    """One thing that a reader sees on a platform: which part of the message, and the platform's id of it."""

    part: int
    remote_id: str


@dataclass(frozen=True)
class Violation:
    """One invariant that does not hold for one delivery (its key), or for a ward's audit chain."""

    invariant: str
    key: str
    said: str

    def __str__(self) -> str:
        return f"{self.invariant} {self.key}: {self.said}"


@dataclass(frozen=True)
class Truth:
    """What the platforms hold and saw. ``requests`` counts the visible requests that reached them, per key, if known."""

    copies: Mapping[str, Sequence[Copy]]
    requests: Mapping[str, int] | None = None


SILENT = frozenset({State.FAILED, State.MISSED, State.CANCELLED})
UNDER_WAY = frozenset({State.PREPARED, State.WIRE, State.UNKNOWN, State.WITHDRAWING})
WAITING = frozenset({State.DUE, State.HELD})
NAMES = frozenset(state.value for state in State)


def check(
    store: Store,
    truth: Truth,
    classes: Mapping[int, str],
    expected: Collection[str] = (),
    finished: bool = True,
    refusals: bool = False,
) -> list[Violation]:
    """Every violation found.

    ``classes`` tells the class (A, B, C, D) of each outlet's id. ``expected`` are the keys of all acknowledged
    deliveries. ``finished`` says that all work should be over: nothing may be waiting or under way. ``refusals`` says
    that platforms refused for good or deliveries expired or were withdrawn on purpose: else such an end is a loss.
    """
    with store.read() as session:
        rows = session.exec(select(Delivery).order_by(col(Delivery.id))).all()
        tries = _publishes(session.exec(select(Attempt.delivery_id).where(Attempt.verb == "publish")).all())
    found = [violation for row in rows for violation in _of_one(row, truth, classes, finished, refusals)]
    if truth.requests is not None:
        found += [violation for row in rows for violation in _intended(row, truth.requests, tries)]
    return found + _missing(rows, truth, expected) + chains(store) + illegal(store)


def _of_one(row: Delivery, truth: Truth, classes: Mapping[int, str], finished: bool, refusals: bool) -> list[Violation]:
    copies = Counter(copy.part for copy in truth.copies.get(row.key, ()))
    parts = max(row.parts, 1)
    letter = classes.get(row.outlet_id, "?")
    found = []
    more = {part: number for part, number in copies.items() if number > 1}
    if more:
        found.append(Violation("I3", row.key, f"class {letter}: visible copies per part {more}, state {row.state}"))
    if row.state == State.SENT and any(not copies[part] for part in range(parts)):
        found.append(
            Violation("I2", row.key, f"class {letter}: «sent», but parts {_absent(copies, parts)} are not out")
        )
    if row.state == State.SENT and not _its_own(row, truth):
        found.append(Violation("I2", row.key, f"class {letter}: «sent» as {row.remote_ids}, which is not its copy"))
    silent = row.state in SILENT or (row.state == State.CLOSED and not row.wire_at)
    if silent and sum(copies.values()) > row.part:
        found.append(Violation("I2", row.key, f"class {letter}: «{row.state}», but {sum(copies.values())} are out"))
    if row.state in SILENT and not refusals:
        found.append(Violation("I1", row.key, f"class {letter}: lost as «{row.state}» ({row.reason}: {row.detail})"))
    if finished and row.state in UNDER_WAY:
        found.append(Violation("I8", row.key, f"class {letter}: still «{row.state}» at the end"))
    if finished and row.state in WAITING:
        found.append(Violation("I1", row.key, f"class {letter}: still «{row.state}» at the end, next {row.next_at}"))
    return found


def _absent(copies: Counter[int], parts: int) -> list[int]:
    return [part for part in range(parts) if not copies[part]]


def _its_own(row: Delivery, truth: Truth) -> bool:
    """Every id that the row names is one that the platform holds for this very key (a person's word has none)."""
    held = {copy.remote_id for copy in truth.copies.get(row.key, ())}
    return set(row.remote_ids) <= held


def _intended(row: Delivery, requests: Mapping[str, int], tries: Counter[int]) -> list[Violation]:
    """I4: no visible request without a try that was on record before it."""
    seen, meant = requests.get(row.key, 0), tries[row.id or 0]
    if seen <= meant:
        return []
    return [Violation("I4", row.key, f"{seen} visible requests, but only {meant} tries on record")]


def _publishes(ids: Sequence[int]) -> Counter[int]:
    return Counter(ids)


def _missing(rows: Sequence[Delivery], truth: Truth, expected: Collection[str]) -> list[Violation]:
    """I1: every acknowledged delivery has its row. I4: nothing is out that no row stands for."""
    keys = {row.key for row in rows}
    lost = [Violation("I1", key, "acknowledged, but its row is gone") for key in expected if key not in keys]
    stray = [Violation("I4", key, "is out, but no row stands for it") for key in truth.copies if key not in keys]
    return lost + stray


def chains(store: Store) -> list[Violation]:
    """I12: the audit chain of every ward verifies."""
    found = []
    with store.read() as session:
        for id, slug in session.exec(select(Ward.id, Ward.slug)).all():
            try:
                audit.verify(session, id or 0)
            except audit.BrokenChain as broken:
                found.append(Violation("I12", slug, str(broken)))
    return found


def illegal(store: Store) -> list[Violation]:
    """Every machine move that the audit log tells of is legal, and each begins where the one before ended."""
    with store.read() as session:
        wanted = select(AuditEvent).where(AuditEvent.subject == "delivery").order_by(col(AuditEvent.id))
        events = session.exec(wanted).all()
    found = []
    for event in events:
        was, now = str(event.particulars.get("from", "")), event.action.removeprefix("delivery.")
        if was in NAMES and now in NAMES and was != now and (State(was), State(now)) not in LEGAL:
            found.append(Violation("I12", event.subject_id, f"illegal move {was} -> {now}"))
    return found


def states(store: Store) -> dict[str, int]:
    """How many deliveries stand in each state."""
    with store.read() as session:
        return dict(Counter(session.exec(select(Delivery.state)).all()))


def flagged(store: Store, classes: Mapping[int, str]) -> dict[str, int]:
    """How many deliveries of each class wait for a person."""
    with store.read() as session:
        wanted = select(Delivery.outlet_id).where(Delivery.state == "needs_human")
        return dict(Counter(classes.get(outlet, "?") for outlet in session.exec(wanted).all()))


def unflagged(store: Store, classes: Mapping[int, str]) -> list[Violation]:
    """Class D: a try without a trustworthy answer that ended anywhere else than in front of a person."""
    with store.read() as session:
        blind = [id for id, letter in classes.items() if letter == "D"]
        lost = col(Attempt.outcome).in_(["unknown", "crash", "pending"])
        wanted = (
            select(Delivery.key, Delivery.state)
            .join(Attempt, col(Attempt.delivery_id) == col(Delivery.id))
            .where(col(Delivery.outlet_id).in_(blind), Attempt.verb == "publish", lost)
        )
        found = session.exec(wanted.distinct()).all()
    return [
        Violation("I2", key, f"class D: its answer was lost, yet it is «{state}»")
        for key, state in found
        if state != State.NEEDS_HUMAN
    ]


def integrity(store: Store) -> list[Violation]:
    """SQLite's own check of its file; nothing to say on PostgreSQL."""
    if store.dialect != "sqlite":
        return []
    with store.engine.connect() as connection:
        said = connection.exec_driver_sql("pragma integrity_check").scalars().all()
    return [] if said == ["ok"] else [Violation("file", "sqlite", "; ".join(map(str, said[:3])))]

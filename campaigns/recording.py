"""What happened to a delivery is written down: after staging, after the visible step, after a look-up."""

from dataclasses import dataclass, replace
from datetime import datetime
from random import Random

from sqlmodel import Session, col, select

from campaigns import moves, outlets, pinning, resting, states
from campaigns.audit import MACHINE
from campaigns.moves import Moved
from campaigns.resting import Sign
from campaigns.states import Move, State
from channels.contract import Found, Outcome, Pending
from store.tables import Attempt, Delivery, Outlet

Seen = tuple[Delivery, Sign]


@dataclass(frozen=True)
class Staged:
    """How staging ended without leading to the wire; ``access`` are the sealed secrets with which was spoken."""

    id: int
    fence: int
    outcome: Outcome
    access: str


@dataclass(frozen=True)
class Answered:
    """How the visible step of an attempt ended; ``access`` are the sealed secrets with which was spoken."""

    id: int
    fence: int
    attempt_id: int
    outcome: Outcome
    access: str


@dataclass(frozen=True)
class Looked:
    """What a look-up that began at ``started`` told."""

    id: int
    fence: int
    found: Found
    started: datetime


@dataclass(frozen=True)
class Clerk:
    """Writes down what happened; its randomness is the jitter of the back-off."""

    chance: Random

    def staged(self, session: Session, staged: list[Staged], now: datetime) -> list[None]:
        """What follows from staging that did not lead to the wire."""
        staged = [replace(one, outcome=moves.storable(one.outcome)) for one in staged]
        mine = moves.mine(session, ((one.id, one.fence) for one in staged), State.PREPARED)
        moved: list[Moved] = []
        signs: list[Seen] = []
        for one in staged:
            if delivery := mine.get((one.id, one.fence)):
                _keep_handle(delivery, one.outcome)
                session.add(moves.attempt(delivery, "stage", one.outcome, now))
                move = states.after_stage(one.outcome, moves.standing(session, delivery), now, self.chance)
                moved.append(moves.settle(delivery, _fairly(session, delivery, move, one.access), now))
                signs.append((delivery, resting.sign(one.outcome)))
        _apply(session, moved, signs, now)
        return [None] * len(staged)

    def published(self, session: Session, answered: list[Answered], now: datetime) -> list[None]:
        """What follows from the visible step; an answer with an old fence only ends its attempt."""
        answered = [replace(one, outcome=moves.storable(one.outcome)) for one in answered]
        _end_attempts(session, answered, now)
        mine = moves.mine(session, ((one.id, one.fence) for one in answered), State.WIRE)
        moved: list[Moved] = []
        signs: list[Seen] = []
        for one in answered:
            if delivery := mine.get((one.id, one.fence)):
                _keep_handle(delivery, one.outcome)
                move = states.after_publish(one.outcome, moves.standing(session, delivery), now, self.chance)
                moved.append(_settled(session, delivery, _fairly(session, delivery, move, one.access), now))
                signs.append((delivery, resting.sign(one.outcome)))
        _apply(session, moved, signs, now)
        return [None] * len(answered)

    def looked(self, session: Session, looked: list[Looked], now: datetime) -> list[None]:
        """What follows from a look-up."""
        looked = [replace(one, found=moves.storable(one.found)) for one in looked]
        mine = moves.mine(session, ((one.id, one.fence) for one in looked), State.UNKNOWN)
        moved: list[Moved] = []
        for one in looked:
            delivery = mine.get((one.id, one.fence))
            if delivery is not None and not _is_recorded(session, one):
                moved.append(self._after_look(session, delivery, one, now))
        found_out = [(delivery, Sign(False)) for delivery, move in moved if move.part_done]
        _apply(session, moved, found_out, now)
        return [None] * len(looked)

    def _after_look(self, session: Session, delivery: Delivery, one: Looked, now: datetime) -> Moved:
        move = states.after_look(one.found, moves.standing(session, delivery), one.started, now, self.chance)
        session.add(
            Attempt(
                ward_id=delivery.ward_id, delivery_id=one.id, fence=one.fence, part=delivery.part, verb="look",
                started_at=one.started, ended_at=now, outcome=one.found.verdict, detail=one.found.detail,
            )
        )  # fmt: skip
        delivery.looks += one.found.again_at is None
        if move.state is State.DUE and not move.part_done:
            delivery.resent, delivery.looks = True, 0
        return _settled(session, delivery, move, now)


def _settled(session: Session, delivery: Delivery, move: Move, now: datetime) -> Moved:
    """Count what is out; a pin that was asked for is owed from this very moment."""
    moved = moves.settle(delivery, move, now)
    if move.part_done:
        pinning.owe(session, delivery, now)
    return moved


def _is_recorded(session: Session, one: Looked) -> bool:
    """Whether this very look was written down: a commit that seemed to fail may have been made."""
    same = (Attempt.delivery_id == one.id, Attempt.verb == "look", Attempt.started_at == one.started)
    return session.exec(select(Attempt.id).where(*same, Attempt.fence == one.fence)).first() is not None


def _fairly(session: Session, delivery: Delivery, move: Move, access: str) -> Move:
    """A refusal of old access pauses nobody: the outlet was renewed or connected anew meanwhile, and is tried with that."""
    stale = move.pauses_outlet and moves.one(session, Outlet, delivery.outlet_id).secrets != access
    return replace(move, pauses_outlet=False) if stale else move


def _keep_handle(delivery: Delivery, outcome: Outcome) -> None:
    if isinstance(outcome, Pending):
        delivery.handle = outcome.handle.model_dump(mode="json")


def _end_attempts(session: Session, answered: list[Answered], now: datetime) -> None:
    ids = [one.attempt_id for one in answered]
    rows = {row.id: row for row in session.exec(select(Attempt).where(col(Attempt.id).in_(ids))).all()}
    for one in answered:
        row = rows[one.attempt_id]
        row.ended_at, row.outcome = now, type(one.outcome).__name__.lower()
        row.reason, row.detail = moves.why(one.outcome)
        session.add(row)


def _apply(session: Session, moved: list[Moved], signs: list[Seen], now: datetime) -> None:
    for delivery, move in moved:
        _pause(session, delivery, move, now)
    moves.apply_all(session, moved, now)
    # After the moves: a breaker that closes lets the next ones go.
    for delivery, sign in sorted(signs, key=lambda seen: seen[0].outlet_id):
        resting.note(session, moves.one(session, Outlet, delivery.outlet_id), sign, now)


def _pause(session: Session, delivery: Delivery, move: Move, now: datetime) -> None:
    outlet = moves.one(session, Outlet, delivery.outlet_id)
    if move.pauses_outlet and outlet.state == "open":
        outlets.pause(session, MACHINE, outlet, move.detail or "Kênh cần được kết nối lại.", now)

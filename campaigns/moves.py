"""What is written of a delivery when it moves: each with its audit event and its try in the same transaction."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel
from sqlalchemy import bindparam
from sqlmodel import Session, SQLModel, col, func, select, text, update

from campaigns import fates, logbook, outlets
from campaigns.audit import MACHINE, Entry, record_all
from campaigns.recipients import begun
from campaigns.states import Move, Standing, State
from channels.contract import Certainty, Channel, Outcome
from store.tables import Attempt, Delivery, Outlet

Moved = tuple[Delivery, Move]


class Due(NamedTuple):
    """What a claim reads of a due delivery."""

    id: int
    ward_id: int
    outlet_id: int
    fence: int


Told = TypeVar("Told", bound=BaseModel)

_DELIVERY = SQLModel.metadata.tables["delivery"]
_TAKEN = (
    _DELIVERY.update()
    .where(_DELIVERY.c.id.in_(bindparam("chosen", expanding=True)))
    .values(
        state=State.PREPARED.value, fence=_DELIVERY.c.fence + 1, epoch=bindparam("boot"), next_at=bindparam("now"),
        updated_at=bindparam("now"), reason="", detail="",
    )
)  # fmt: skip


def miss(session: Session, now: datetime) -> None:
    """What nobody could begin within its time is missed, and said so; what a hold keeps back is left to a person."""
    late = select(Delivery).where(text("delivery.state in ('due', 'held')"), Delivery.expires_at < now)
    late = late.where(Delivery.part == 0, col(Delivery.hold_id).is_(None), ~begun())
    found = session.exec(
        late.order_by(col(Delivery.ward_id), col(Delivery.id)).with_for_update(skip_locked=True, key_share=True)
    ).all()
    apply_all(session, [(delivery, _missed(delivery, now)) for delivery in found], now)


def _missed(delivery: Delivery, now: datetime) -> Move:
    late_by = int((now - delivery.due_at).total_seconds() // 60)
    return Move(State.MISSED, now, "late", f"Trễ {late_by} phút, quá hạn cho phép.")


def settle(delivery: Delivery, move: Move, now: datetime) -> Moved:
    """Count on the delivery what the move says is out; gives what is to be applied."""
    if move.part_done:
        delivery.remote_ids = [*delivery.remote_ids, move.remote_id or ""]
        delivery.part += 1
        delivery.handle, delivery.looks, delivery.resent = None, 0, False
        delivery.adopted = delivery.adopted or move.adopted
        delivery.url = delivery.url or move.url or ""
        delivery.sent_at = delivery.sent_at or (delivery.wire_at if move.adopted else now)
        delivery.tries = 0
    if move.state is State.SENT:
        delivery.measure_at = now + timedelta(hours=1)
    delivery.tries += 1 if move.burns_try else 0
    return delivery, move


def apply_all(session: Session, moved: Sequence[Moved], now: datetime) -> None:
    """Write the moves of several deliveries with their audit events, and the log book's lines of what was heard."""
    entries = []
    for delivery, move in moved:
        entries.append(_entry(delivery, move))
        delivery.state, delivery.next_at, delivery.updated_at = move.state.value, move.next_at, now
        delivery.reason, delivery.detail = str(move.reason), move.detail
        session.add(delivery)
    session.flush()
    record_all(session, MACHINE, entries, now)
    logbook.note_moves(session, moved, now)


def take_up(session: Session, chosen: Sequence[Due], epoch: str, now: datetime) -> None:
    """Write, in one statement, that this boot's epoch prepares them, each under its next fence; with audit events."""
    if not chosen:
        return
    session.connection().execute(_TAKEN, {"chosen": [one.id for one in chosen], "boot": epoch, "now": now})
    action = f"delivery.{State.PREPARED.value}"
    entries = [
        Entry(one.ward_id, action, "delivery", one.id, {"from": "due", "fence": one.fence + 1}) for one in chosen
    ]
    record_all(session, MACHINE, entries, now)


def _entry(delivery: Delivery, move: Move) -> Entry:
    told: dict[str, Any] = {"from": delivery.state, "fence": delivery.fence}
    if move.reason:
        told["reason"] = str(move.reason)
    if move.remote_id:
        told["remote_id"] = move.remote_id
    return Entry(delivery.ward_id, f"delivery.{move.state.value}", "delivery", delivery.id, told)


def close_attempts(session: Session, deliveries: Iterable[Delivery], outcome: str, now: datetime) -> None:
    """End the tries that nobody ended; a pin that is owed stays owed."""
    ids = [delivery.id for delivery in deliveries]
    still_open = (col(Attempt.delivery_id).in_(ids), col(Attempt.ended_at).is_(None), col(Attempt.verb) != "pin")
    session.exec(update(Attempt).where(*still_open).values(ended_at=now, outcome=outcome))


def mine(session: Session, wanted: Iterable[tuple[int, int]], state: State) -> dict[tuple[int, int], Delivery]:
    """Of the deliveries (id, fence) those that still stand in that state where that fence left them; locked.

    A carry that was given up and its successor may ask in one group: each pair answers for itself.
    """
    pairs = set(wanted)
    query = select(Delivery).where(col(Delivery.id).in_({id for id, _ in pairs}), Delivery.state == state)
    query = query.order_by(col(Delivery.ward_id), col(Delivery.id))
    found = session.exec(query.with_for_update(key_share=True)).all()
    read_outlets(session, found)
    return {pair: delivery for delivery in found if (pair := (delivery.id or 0, delivery.fence)) in pairs}


def read_outlets(session: Session, deliveries: Iterable[Delivery | Due]) -> None:
    """Read the deliveries' outlets in one go; the session forgets what nobody holds, so they are kept with it."""
    ids = {delivery.outlet_id for delivery in deliveries}
    if ids:
        session.info["outlets"] = session.exec(select(Outlet).where(col(Outlet.id).in_(ids))).all()


def standing(session: Session, delivery: Delivery) -> Standing:
    """What the decisions need to know of a delivery."""
    speaker = spoken_by(session, delivery)
    return Standing(
        tries=delivery.tries,
        looks=delivery.looks,
        absents=_absents(session, delivery),
        part=delivery.part,
        parts=max(delivery.parts, 1),
        certainty=speaker.certainty_of(one(session, Outlet, delivery.outlet_id).settings),
        settle=timedelta(seconds=speaker.settle_seconds),
        wire_at=delivery.wire_at,
        resent=delivery.resent,
        expires_at=delivery.expires_at,
    )


def _absents(session: Session, delivery: Delivery) -> int:
    if delivery.state != State.UNKNOWN or delivery.wire_at is None:
        return 0
    settled = delivery.wire_at + settle_time(session, delivery)
    mine = (Attempt.delivery_id == delivery.id, Attempt.fence == delivery.fence, Attempt.verb == "look")
    absent = select(func.count()).where(*mine, Attempt.outcome == "absent", Attempt.started_at >= settled)
    return session.exec(absent).one()


def attempt(delivery: Delivery, verb: str, outcome: Outcome, now: datetime) -> Attempt:
    """One finished try, to be added."""
    reason, detail = why(outcome)
    return Attempt(
        ward_id=delivery.ward_id, delivery_id=delivery.id or 0, fence=delivery.fence, part=delivery.part, verb=verb,
        started_at=now, ended_at=now, outcome=type(outcome).__name__.lower(), reason=reason, detail=detail,
    )  # fmt: skip


def storable(said: Told) -> Told:
    """What a platform said, so that no word of it keeps its answer from being written down."""
    return said.model_copy(update={name: fates.storable(text) for name, text in said if type(text) is str})


def why(outcome: Outcome) -> tuple[str, str]:
    """Reason and detail of an outcome, empty where it has none."""
    return str(getattr(outcome, "reason", "") or ""), str(getattr(outcome, "detail", "") or "")


def settle_time(session: Session, delivery: Delivery) -> timedelta:
    """How long its channel may take to show what is out."""
    return timedelta(seconds=spoken_by(session, delivery).settle_seconds)


def spoken_by(session: Session, delivery: Delivery) -> type[Channel]:
    """The delivery's kind of channel; a bare one, of which nothing can be looked up, where its plug-in is gone."""
    return spoken_at(session, delivery.outlet_id)


def spoken_at(session: Session, outlet_id: int) -> type[Channel]:
    """The outlet's kind of channel, as ``spoken_by``."""
    try:
        return outlets.kind_of(one(session, Outlet, outlet_id))
    except KeyError:
        return _Gone


class _Gone(Channel):
    certainty = Certainty.BLIND
    capabilities = frozenset()


def one(session: Session, table: type[Any], id: int) -> Any:
    """The row; raises LookupError."""
    found = session.get(table, id)
    if found is None:
        raise LookupError(f"{table.__name__} {id}")
    return found

"""What is written of a delivery when it moves: each with its audit event and its try in the same transaction."""

from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, func, select, update

from campaigns import outlets
from campaigns.approving import digest_of
from campaigns.audit import MACHINE, record
from campaigns.states import Move, Standing, State
from channels.contract import Certainty, Channel, Outcome
from store.tables import Attempt, Delivery, Outlet, Post


def busy() -> Any:
    """The outlets that have a visible step under way, or one that nobody has looked up yet."""
    return select(Delivery.outlet_id).where(
        col(Delivery.state).in_([State.PREPARED, State.WIRE])
        | ((col(Delivery.state) == State.UNKNOWN) & (col(Delivery.looks) == 0))
    )


def waiting(now: datetime, limit: int) -> Any:
    """The deliveries that may be claimed now, earliest first, locked together with their outlets."""
    # The outlet's row is locked too: two workers on PostgreSQL never take two deliveries of one outlet.
    return (
        select(Delivery)
        .join(Outlet, col(Outlet.id) == col(Delivery.outlet_id))
        .where(
            Delivery.state == State.DUE,
            Delivery.next_at <= now,
            Outlet.state == "open",
            (col(Outlet.next_slot_at).is_(None)) | (col(Outlet.next_slot_at) <= now),
            col(Delivery.outlet_id).not_in(busy()),
        )
        .order_by(col(Delivery.next_at), col(Delivery.id))
        .limit(limit)
        .with_for_update(of=[Delivery, Outlet], skip_locked=True)
    )


def miss(session: Session, now: datetime) -> None:
    """What nobody could begin within its time is missed, and said so."""
    late = select(Delivery).where(
        col(Delivery.state).in_([State.DUE, State.HELD]), Delivery.expires_at < now, Delivery.part == 0
    )
    late = late.order_by(col(Delivery.ward_id), col(Delivery.id))
    for delivery in session.exec(late.with_for_update(skip_locked=True)).all():
        late_by = int((now - delivery.due_at).total_seconds() // 60)
        apply(session, delivery, Move(State.MISSED, now, "late", f"Trễ {late_by} phút, quá hạn cho phép."), now)


def take_slots(session: Session, claimed: list[Delivery], now: datetime) -> None:
    """No outlet of these speaks again before its spacing has passed."""
    for delivery in claimed:
        free = now + timedelta(seconds=_spoken_by(session, delivery).spacing_seconds)
        session.exec(update(Outlet).where(col(Outlet.id) == delivery.outlet_id).values(next_slot_at=free))


def obstacle(session: Session, delivery: Delivery, now: datetime) -> Move | None:
    """What keeps a claimed delivery off the wire: approval gone or void, outlet paused, time over; else None."""
    # A withdrawal that is being written just now is waited for (on SQLite there is one writer at a time anyway).
    post = session.get_one(Post, delivery.post_id, with_for_update={"read": True}, populate_existing=True)
    outlet = session.get_one(Outlet, delivery.outlet_id, populate_existing=True)
    if post.state != "approved" or not _as_approved(session, post, delivery):
        said = f"Đã đăng {delivery.part}/{delivery.parts} phần. " if delivery.part else ""
        return Move(State.CANCELLED, now, "approval_void", f"{said}Bài không còn được duyệt như khi lập lịch.")
    if outlet.state != "open":
        return Move(State.DUE, now, detail=outlet.paused_reason)
    return Move(State.DUE, now) if now > delivery.expires_at and not delivery.part else None


def _as_approved(session: Session, post: Post, delivery: Delivery) -> bool:
    """What is partly out goes on as it was frozen; nothing else leaves unless it is, word for word, what was approved."""
    return bool(delivery.part) or post.digest == delivery.approved_digest == digest_of(session, post)


def settle(session: Session, delivery: Delivery, move: Move, now: datetime) -> None:
    """Count what the move says is out, then write it."""
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
    _count(session, delivery, move, now)
    apply(session, delivery, move, now)


def _count(session: Session, delivery: Delivery, move: Move, now: datetime) -> None:
    outlet = one(session, Outlet, delivery.outlet_id)
    if move.pauses_outlet and outlet.state == "open":
        outlets.pause(session, MACHINE, outlet, move.detail or "Kênh cần được kết nối lại.", now)
    failures = 0 if move.part_done else outlet.failures + (1 if move.burns_try else 0)
    if failures != outlet.failures:
        outlet.failures = failures
        session.add(outlet)


def apply(session: Session, delivery: Delivery, move: Move, now: datetime) -> None:
    """Write one move of a delivery with its audit event."""
    was = delivery.state
    delivery.state, delivery.next_at, delivery.updated_at = move.state.value, move.next_at, now
    delivery.reason, delivery.detail = str(move.reason), move.detail
    session.add(delivery)
    session.flush()
    told: dict[str, Any] = {"from": was, "fence": delivery.fence}
    if move.reason:
        told["reason"] = str(move.reason)
    if move.remote_id:
        told["remote_id"] = move.remote_id
    record(session, delivery.ward_id, MACHINE, f"delivery.{move.state.value}", "delivery", delivery.id, now, **told)


def close_attempts(session: Session, delivery: Delivery, outcome: str, now: datetime) -> None:
    """End the tries that nobody ended."""
    still_open = (col(Attempt.delivery_id) == delivery.id, col(Attempt.ended_at).is_(None))
    session.exec(update(Attempt).where(*still_open).values(ended_at=now, outcome=outcome))


def mine(session: Session, id: int, fence: int, state: State) -> Delivery | None:
    """The delivery if it still stands where this fence left it; locked."""
    wanted = select(Delivery).where(Delivery.id == id, Delivery.fence == fence, Delivery.state == state)
    return session.exec(wanted.with_for_update()).first()


def standing(session: Session, delivery: Delivery) -> Standing:
    """What the decisions need to know of a delivery."""
    speaker = _spoken_by(session, delivery)
    return Standing(
        tries=delivery.tries,
        looks=delivery.looks,
        absents=_absents(session, delivery),
        part=delivery.part,
        parts=max(delivery.parts, 1),
        certainty=speaker.certainty,
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


def why(outcome: Outcome) -> tuple[str, str]:
    """Reason and detail of an outcome, empty where it has none."""
    return str(getattr(outcome, "reason", "") or ""), str(getattr(outcome, "detail", "") or "")


def settle_time(session: Session, delivery: Delivery) -> timedelta:
    """How long its channel may take to show what is out."""
    return timedelta(seconds=_spoken_by(session, delivery).settle_seconds)


def _spoken_by(session: Session, delivery: Delivery) -> type[Channel]:
    """The delivery's kind of channel; a bare one, of which nothing can be looked up, where its plug-in is gone."""
    try:
        return outlets.kind_of(one(session, Outlet, delivery.outlet_id))
    except KeyError:
        return _Gone


class _Gone(Channel):
    certainty = Certainty.BLIND


def one(session: Session, table: type[Any], id: int) -> Any:
    """The row; raises LookupError."""
    found = session.get(table, id)
    if found is None:
        raise LookupError(f"{table.__name__} {id}")
    return found

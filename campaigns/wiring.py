"""The last check before the wire: what may leave is written down as leaving, on disk, before its first byte."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from campaigns import holding, hours, moves, recipients
from campaigns.approving import digest_of
from campaigns.moves import Moved
from campaigns.recipients import begun
from campaigns.states import Move, State
from channels.contract import Handle, Reason
from store.tables import Attempt, Delivery, Outlet, Post

IN_QUIET_HOURS = "Đang trong giờ yên tĩnh; sẽ phát khi hết giờ yên tĩnh."


@dataclass(frozen=True)
class Ready:
    """A delivery that is staged and ready to leave."""

    id: int
    fence: int
    handle: Handle


def to_wire(session: Session, ready: list[Ready], now: datetime) -> list[int | None]:
    """Write ``wire`` for each that may leave; gives the ids of their attempts, None for what must not."""
    found = moves.mine(session, ((one.id, one.fence) for one in ready), State.PREPARED)
    obstacles = _obstacles(session, list(found.values()), now)
    moved: list[Moved] = []
    attempts: dict[tuple[int, int], Attempt] = {}
    for one in ready:
        delivery = found.get((one.id, one.fence))
        if delivery is None:
            continue
        if obstacle := obstacles.get(one.id):
            moved.append((delivery, obstacle))
            continue
        delivery.wire_at, delivery.handle = now, one.handle.model_dump(mode="json")
        moved.append((delivery, Move(State.WIRE, now)))
        attempts[one.id, one.fence] = _attempt(delivery, now)
    session.add_all(attempts.values())
    moves.apply_all(session, moved, now)
    return [attempts[pair].id if (pair := (one.id, one.fence)) in attempts else None for one in ready]


def _attempt(delivery: Delivery, now: datetime) -> Attempt:
    return Attempt(
        ward_id=delivery.ward_id, delivery_id=delivery.id or 0, fence=delivery.fence, part=delivery.part, verb="publish",
        started_at=now,
    )  # fmt: skip


def _obstacles(session: Session, deliveries: list[Delivery], now: datetime) -> dict[int, Move]:
    """What keeps claimed deliveries off the wire: approval gone or void, hold, outlet paused, time over."""
    # A withdrawal that is being written just now is waited for (on SQLite there is one writer at a time anyway).
    ids = sorted({delivery.post_id for delivery in deliveries})
    fresh = {"populate_existing": True}
    locked = select(Post).where(col(Post.id).in_(ids)).order_by(col(Post.id)).with_for_update(read=True)
    posts = {post.id: post for post in session.exec(locked.execution_options(**fresh)).all()} if ids else {}
    digests = {id: digest_of(session, post) for id, post in posts.items()}
    held = {id for id in sorted({one.ward_id for one in deliveries}) if holding.is_held(session, id, locking=True)}
    going = _going(session, deliveries)
    found: dict[int, Move | None] = {}
    for delivery in deliveries:
        post, out = posts[delivery.post_id], delivery.id in going
        if post.state != "approved" or not (
            out or post.digest == delivery.approved_digest == digests[delivery.post_id]
        ):
            found[delivery.id or 0] = _void(session, delivery, now)
        else:
            found[delivery.id or 0] = _not_now(session, delivery, out, delivery.ward_id in held, now)
    return {id: move for id, move in found.items() if move is not None}


def _going(session: Session, deliveries: list[Delivery]) -> set[int | None]:
    """Those of which something is out already: a part, or a first recipient of a fan-out."""
    ids = [delivery.id for delivery in deliveries]
    fanned = session.exec(select(Delivery.id).where(col(Delivery.id).in_(ids), begun())).all()
    return {delivery.id for delivery in deliveries if delivery.part} | set(fanned)


def _not_now(session: Session, delivery: Delivery, out: bool, held: bool, now: datetime) -> Move | None:
    outlet = moves.one(session, Outlet, delivery.outlet_id)
    if outlet.state != "open":
        return Move(State.DUE, now, detail=outlet.paused_reason)
    if held and not delivery.part:
        return Move(State.DUE, now, "hold", "Đang tạm dừng toàn bộ.")
    if silent_until := hours.wait_until(session, delivery, now):
        return Move(State.DUE, silent_until, Reason.OUTSIDE_HOURS, IN_QUIET_HOURS)
    if now < delivery.due_at and not out:
        # Claimed while the machine's clock was ahead; it has been put right since.
        return Move(State.DUE, delivery.due_at)
    return Move(State.DUE, now) if now > delivery.expires_at and not out else None


def _void(session: Session, delivery: Delivery, now: datetime) -> Move:
    """What is partly out goes on as it was frozen; nothing else leaves unless it is, word for word, what was approved."""
    said = recipients.stop(session, delivery, now)
    said = f"Đã đăng {delivery.part}/{delivery.parts} phần. " if delivery.part else said
    return Move(State.CANCELLED, now, "approval_void", f"{said}Bài không còn được duyệt như khi lập lịch.")

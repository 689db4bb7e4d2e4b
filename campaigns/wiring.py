"""The last check before the wire: what may leave is written down as leaving, on disk, before its first byte."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select, text

from campaigns import moves
from campaigns.approving import digest_of
from campaigns.moves import Moved
from campaigns.states import Move, State
from channels.contract import Handle
from store.tables import Attempt, Delivery, Hold, Outlet, Post


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
    attempts: dict[int, Attempt] = {}
    for one in ready:
        delivery = found.get(one.id)
        if delivery is None:
            continue
        if obstacle := obstacles.get(one.id):
            moved.append((delivery, obstacle))
            continue
        delivery.wire_at, delivery.handle = now, one.handle.model_dump(mode="json")
        moved.append((delivery, Move(State.WIRE, now)))
        attempts[one.id] = _attempt(delivery, now)
    session.add_all(attempts.values())
    moves.apply_all(session, moved, now)
    return [attempts[one.id].id if one.id in attempts else None for one in ready]


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
    held = _held(session, deliveries)
    found = {}
    for delivery in deliveries:
        post, outlet = posts[delivery.post_id], moves.one(session, Outlet, delivery.outlet_id)
        approved = bool(delivery.part) or post.digest == delivery.approved_digest == digests[delivery.post_id]
        if post.state != "approved" or not approved:
            found[delivery.id or 0] = _void(delivery, now)
        elif outlet.state != "open":
            found[delivery.id or 0] = Move(State.DUE, now, detail=outlet.paused_reason)
        elif delivery.ward_id in held and not delivery.part:
            found[delivery.id or 0] = Move(State.DUE, now, detail="Đang tạm dừng toàn bộ.")
        elif now > delivery.expires_at and not delivery.part:
            found[delivery.id or 0] = Move(State.DUE, now)
    return found


def _void(delivery: Delivery, now: datetime) -> Move:
    """What is partly out goes on as it was frozen; nothing else leaves unless it is, word for word, what was approved."""
    said = f"Đã đăng {delivery.part}/{delivery.parts} phần. " if delivery.part else ""
    return Move(State.CANCELLED, now, "approval_void", f"{said}Bài không còn được duyệt như khi lập lịch.")


def _held(session: Session, deliveries: list[Delivery]) -> set[int]:
    holds = select(Hold.ward_id).where(text("hold.released_at is null and hold.kind = 'person'"))
    places = set(session.exec(holds).all())
    return {delivery.ward_id for delivery in deliveries if None in places or delivery.ward_id in places}

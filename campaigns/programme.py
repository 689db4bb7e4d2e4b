"""The programme («Chương trình phát thanh») of a ward's loudspeakers: what stands in which slot, and at which second.

What is approved for a loudspeaker and whose hour falls on a slot belongs to it. ``arrange`` puts the running order into
the due hours of the deliveries, so that the engine carries them one after the other as it carries everything; what has
begun, and what belongs to no slot, keeps its hour.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy.exc import OperationalError
from sqlmodel import Session, col, func, or_, select

from campaigns import composing, planning, slots, urgency
from campaigns.audit import MACHINE, record
from campaigns.hours import heard
from campaigns.people import Mistake
from campaigns.running_order import UNPLACED, URGENT, Airtime, Allotment, Bulletin, Turn, allot
from campaigns.states import State
from campaigns.timetable import local
from content.document import plain
from content.speech import lexicon_of, say, seconds
from content.templates import FieldMistakes, TemplateMistake
from store.programmes import ProgrammePlace
from store.tables import Delivery, Outlet, Post, Variant, Ward

AHEAD = timedelta(days=14)
LOCKED = timedelta(minutes=1)
"""So long before its second a slot's order is fixed: the engine takes the first bulletin."""
FRAME_SECONDS = 20
UNKNOWN_SECONDS = 120
MOST = 500

log = logging.getLogger("lantoa.programme")


@dataclass(frozen=True)
class Entry:
    """An approved post at a loudspeaker: what it is in a running order, and its deliveries, the earliest first."""

    post: Post
    variant: Variant
    bulletin: Bulletin
    deliveries: tuple[Delivery, ...]

    @property
    def movable(self) -> bool:
        """Whether its hour is still open: usual, planned, and nothing of it begun or held back."""
        return self.bulletin.rank < URGENT and all(map(untouched, self.deliveries))


def stations(session: Session, ward_id: int) -> list[Outlet]:
    """The ward's outlets that are heard by everybody around."""
    found = session.exec(select(Outlet).where(Outlet.ward_id == ward_id).order_by(col(Outlet.id))).all()
    return [one for one in found if heard(one.kind)]


def untouched(delivery: Delivery) -> bool:
    """Whether nobody has taken the delivery up yet, and nobody holds it back."""
    return delivery.state == State.DUE and not (delivery.fence or delivery.tries or delivery.part)


def wish(post: Post, variant: Variant) -> datetime | None:
    """The hour that a post is to be heard at: the slot that was chosen for the loudspeaker, else the post's own."""
    return variant.slot_at or post.due_at


def entries(session: Session, ward: Ward, outlet: Outlet, now: datetime) -> list[Entry]:
    """What is approved for a loudspeaker and not over yet, with its deliveries."""
    hour = func.coalesce(Variant.slot_at, Post.due_at)
    ahead = select(Delivery.post_id).where(Delivery.outlet_id == outlet.id, Delivery.due_at > now)
    wanted = (
        select(Post, Variant)
        .join(Variant, col(Variant.post_id) == col(Post.id))
        .where(Post.ward_id == ward.id, Post.state == "approved", Variant.outlet_id == outlet.id)
        .where(or_(hour >= now - timedelta(hours=1), col(Post.id).in_(ahead)))
        .order_by(hour, col(Post.id))
        .limit(MOST)
    )
    found = session.exec(wanted).all()
    ids = [post.id for post, _ in found]
    planned = _deliveries(session, outlet, ids)
    places = _places(session, ids)
    made = []
    for post, variant in found:
        since = [one for one in planned.get(post.id or 0, ()) if one.created_at >= (post.approved_at or one.created_at)]
        alive = tuple(one for one in since if one.state != State.CANCELLED)
        if since and not alive:
            continue
        bulletin = Bulletin(
            key=post.id or 0, rank=urgency.rank_of(post), wished=wish(post, variant) or now,
            length=length(session, post, variant), place=places.get(post.id or 0, UNPLACED), since=post.approved_at,
        )  # fmt: skip
        made.append(Entry(post, variant, bulletin, alive))
    return made


def length(session: Session, post: Post, variant: Variant) -> timedelta:
    """How long a post is on air with its chimes and frame: as it was told when it was submitted, else by its syllables."""
    if variant.seconds:
        return timedelta(seconds=variant.seconds)
    around = composing.scene(session, post)
    try:
        made = composing.document(around, around.outlets.get(variant.outlet_id))
    except (FieldMistakes, TemplateMistake, Mistake):
        return timedelta(seconds=UNKNOWN_SECONDS)
    spoken = say(f"{made.title}.\n{plain(made.blocks)}", lexicon_of(made.manner), made.manner.region).text
    return timedelta(seconds=round(seconds(spoken)) + FRAME_SECONDS)


def coming(session: Session, ward: Ward, outlet: Outlet, now: datetime, until: datetime | None = None) -> list[Airtime]:
    """The slots of a loudspeaker whose order is still open, until a moment (14 days ahead where none is given)."""
    first = local(now, ward.zone).date()
    days = (max(until or now, now) + AHEAD - now).days + 2
    return [one for one in airtimes(session, ward, outlet, first, days) if one.start > now + LOCKED]


def airtimes(session: Session, ward: Ward, outlet: Outlet, first: date, days: int) -> list[Airtime]:
    """Every slot of a loudspeaker within ``days`` days from ``first``, the earliest first."""
    known = slots.in_force(session, ward.id or 0, outlet.id)
    return slots.airtimes(known, slots.silent_days(session, ward.id or 0, first), ward, first, days)


def allotted(session: Session, ward: Ward, outlet: Outlet, now: datetime, also: Sequence[Bulletin] = ()) -> Allotment:
    """The running orders of a loudspeaker's coming slots; ``also`` is what is only thought of (its key replaces its like)."""
    keys = {one.key for one in also}
    known = [one for one in entries(session, ward, outlet, now) if one.bulletin.key not in keys]
    last = max([one.bulletin.wished for one in known] + [one.wished for one in also], default=now)
    ahead = coming(session, ward, outlet, now, last)
    return allot(ahead, [*(_standing(one, ahead) for one in known), *also])


def _standing(entry: Entry, ahead: Sequence[Airtime]) -> Bulletin:
    """What went on from a slot that has begun meanwhile stands in the slot to which it went."""
    due = entry.deliveries[0].due_at if entry.deliveries else entry.bulletin.wished
    if any(one.holds(entry.bulletin.wished) for one in ahead) or not any(one.holds(due) for one in ahead):
        return entry.bulletin
    return replace(entry.bulletin, wished=due)


def plan(session: Session, now: datetime, horizon: timedelta) -> int:
    """The beat «plan»: make what falls due within the horizon, and arrange it; gives how many deliveries were made."""
    made = planning.plan(session, now, horizon)
    arrange_everywhere(session, now)
    return made


def arrange(session: Session, ward: Ward, now: datetime) -> int:
    """Put the running orders of the ward's coming slots into the due hours of its deliveries; gives how many changed."""
    return sum(_arrange_at(session, ward, outlet, now) for outlet in stations(session, ward.id or 0))


def arrange_everywhere(session: Session, now: datetime) -> int:
    """``arrange`` for every ward, in the order of their ids."""
    return sum(_apart(session, ward, now) for ward in session.exec(select(Ward).order_by(col(Ward.id))).all())


def _apart(session: Session, ward: Ward, now: datetime) -> int:
    """One ward in a savepoint of its own: what is broken there keeps no other's deliveries from their places."""
    try:
        with session.begin_nested():
            return arrange(session, ward, now)
    except OperationalError:
        raise
    except Exception:
        log.exception("arrange the programme of ward %s", ward.id)
        return 0


def _arrange_at(session: Session, ward: Ward, outlet: Outlet, now: datetime) -> int:
    if not slots.in_force(session, ward.id or 0, outlet.id):
        return 0
    by_key = {one.bulletin.key: one for one in entries(session, ward, outlet, now)}
    turns = [turn for programme in allotted(session, ward, outlet, now).programmes for turn in programme.turns]
    return sum(
        _put(session, by_key[turn.bulletin.key], turn, now)
        for turn in turns
        if turn.bulletin.key in by_key and by_key[turn.bulletin.key].deliveries and by_key[turn.bulletin.key].movable
    )


def _put(session: Session, entry: Entry, turn: Turn, now: datetime) -> int:
    """Each time of a turn is one delivery: those that are there are moved, missing ones made, others called off."""
    # A microsecond of its own for each time: two deliveries of a post never meet on the same moment while they move.
    wanted = [at + timedelta(microseconds=number) for number, at in enumerate((turn.at, *turn.again))]
    kept, over = entry.deliveries[: len(wanted)], entry.deliveries[len(wanted) :]
    changed = sum(
        _move(session, delivery, at, now) for delivery, at in zip(kept, wanted, strict=False) if delivery.due_at != at
    )
    for at in wanted[len(kept) :]:
        changed += planning.deliver_to(session, entry.post, entry.variant.outlet_id, at, now)
    return changed + sum(_call_off(session, delivery, now) for delivery in over)


def _call_off(session: Session, delivery: Delivery, now: datetime) -> int:
    session.refresh(delivery, with_for_update={"key_share": True})
    if not untouched(delivery):
        return 0
    delivery.state, delivery.reason, delivery.updated_at = State.CANCELLED.value, "programme", now
    session.add(delivery)
    record(session, delivery.ward_id, MACHINE, "delivery.cancelled", "delivery", delivery.id, now, reason="programme")
    return 1


def _move(session: Session, delivery: Delivery, at: datetime, now: datetime) -> int:
    session.refresh(delivery, with_for_update={"key_share": True})
    if not untouched(delivery):
        return 0
    told = {"was": delivery.due_at.isoformat(), "due": at.isoformat()}
    delivery.expires_at += at - delivery.due_at
    delivery.due_at, delivery.next_at, delivery.updated_at = at, at, now
    if delivery.message:
        delivery.message = {**delivery.message, "due_at": at.isoformat()}
    session.add(delivery)
    session.flush()
    record(session, delivery.ward_id, MACHINE, "delivery.rescheduled", "delivery", delivery.id, now, **told)
    return 1


def _deliveries(session: Session, outlet: Outlet, ids: Iterable[int | None]) -> dict[int, list[Delivery]]:
    wanted = select(Delivery).where(Delivery.outlet_id == outlet.id, col(Delivery.post_id).in_(list(ids)))
    found: dict[int, list[Delivery]] = {}
    for delivery in session.exec(wanted.order_by(col(Delivery.due_at), col(Delivery.id))).all():
        found.setdefault(delivery.post_id, []).append(delivery)
    return found


def _places(session: Session, ids: Iterable[int | None]) -> dict[int, int]:
    """The place that a person gave each post last."""
    wanted = select(ProgrammePlace).where(col(ProgrammePlace.post_id).in_(list(ids)))
    return {one.post_id: one.place for one in session.exec(wanted.order_by(col(ProgrammePlace.id))).all()}

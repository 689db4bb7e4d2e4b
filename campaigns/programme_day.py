"""One day of the programme as people see it: its slots, their running orders, what waits, and what is wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlmodel import Session, col, func, select

from campaigns import programme, slots, urgency, views
from campaigns.audit import Actor, record
from campaigns.foretelling import Fate, foretell
from campaigns.people import Action, Mistake, require
from campaigns.programme import Entry
from campaigns.running_order import UNPLACED, URGENT, Airtime, Allotment, Bulletin, Programme, Turn, order
from campaigns.states import State
from campaigns.timetable import day_bounds, holiday, local
from store.programmes import ProgrammePlace, ProgrammeSlot, SilentDay
from store.tables import Delivery, Outlet, Post, Variant, Ward

COMING, RUNNING, OVER = "coming", "running", "over"


@dataclass(frozen=True)
class Line:
    """One bulletin of a running order. ``delivery`` is its first, where it is planned; ``up`` and ``down`` whether a person may move it."""

    post_id: int
    title: str
    rank: int
    at: datetime
    seconds: int
    again: tuple[datetime, ...] = ()
    delivery: Delivery | None = None
    from_slot: str = ""
    up: bool = False
    down: bool = False


@dataclass(frozen=True)
class SlotDay:
    """One slot on the day: its lines in order, what went on from it and where to, seconds taken and left, warnings."""

    slot: ProgrammeSlot
    outlet: Outlet
    airtime: Airtime
    tense: str
    lines: tuple[Line, ...]
    onward: tuple[tuple[str, str], ...] = ()
    taken: int = 0
    room: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Waits:
    """A post that waits for approval and where it would be heard."""

    post: Post
    title: str
    outlet: Outlet
    at: datetime
    fate: Fate


@dataclass(frozen=True)
class ProgrammeDay:
    """The whole day: slots by outlet and hour, what is heard outside them, what waits for approval."""

    day: date
    holiday: str | None
    silent: SilentDay | None
    slots: tuple[SlotDay, ...]
    outside: tuple[tuple[Outlet, Line], ...]
    waiting: tuple[Waits, ...]
    any_slots: bool
    stations: tuple[Outlet, ...] = field(default=())


def programme_day(session: Session, ward: Ward, day: date, now: datetime) -> ProgrammeDay:
    """Everything that the page of a day shows."""
    places = programme.stations(session, ward.id or 0)
    shown, outside, waiting = list[SlotDay](), list[tuple[Outlet, Line]](), list[Waits]()
    for outlet in places:
        airtimes = programme.airtimes(session, ward, outlet, day, 1)
        mine = _at_outlet(session, ward, outlet, airtimes, now)
        shown += mine
        outside += [(outlet, line) for line in _outside(session, ward, outlet, day, airtimes, mine)]
        waiting += _waiting(session, ward, outlet, day, now)
    silent = next((one for one in slots.silent_days(session, ward.id or 0, day) if one.day == day), None)
    return ProgrammeDay(
        day=day, holiday=holiday(day), silent=silent, slots=tuple(sorted(shown, key=lambda one: (one.airtime.start, one.outlet.name))),
        outside=tuple(outside), waiting=tuple(waiting), any_slots=bool(slots.in_force(session, ward.id or 0)), stations=tuple(places),
    )  # fmt: skip


def move(session: Session, by: Actor, ward: Ward, slot: ProgrammeSlot, day: date, post_id: int, up: bool, now: datetime) -> None:  # fmt: skip
    """Move a bulletin one place up or down among those of its class. Raises Forbidden or Mistake."""
    require(by, Action.APPROVE, slot.ward_id)
    outlet = session.get_one(Outlet, slot.outlet_id)
    found = programme.allotted(session, ward, outlet, now)
    start = slots.airtime(slot, ward, day).start
    made = next(
        (one for one in found.programmes if one.airtime.slot_id == slot.id and one.airtime.start == start), None
    )
    if made is None:
        raise Mistake("Khung phát này sắp bắt đầu hoặc đã bắt đầu, không đổi thứ tự được nữa.")
    mine = next((turn for turn in made.turns if turn.bulletin.key == post_id and turn.bulletin.rank < URGENT), None)
    if mine is None:
        raise Mistake("Bản tin này không còn trong khung phát. Hãy tải lại trang.")
    alike = sorted((turn.bulletin for turn in made.turns if turn.bulletin.rank == mine.bulletin.rank), key=order)
    keys = [one.key for one in alike]
    here = keys.index(post_id)
    there = here - 1 if up else here + 1
    if not 0 <= there < len(keys):
        raise Mistake("Bản tin đã ở đầu hoặc cuối các bản tin cùng mức; ưu tiên luôn đi trước thường.")
    keys[here], keys[there] = keys[there], keys[here]
    _keep_places(session, slot, day, keys)
    record(
        session,
        slot.ward_id,
        by,
        "programme.moved",
        "post",
        post_id,
        now,
        slot=slot.id,
        day=day.isoformat(),
        order=keys,
    )
    programme.arrange(session, ward, now)


def _keep_places(session: Session, slot: ProgrammeSlot, day: date, keys: Sequence[int]) -> None:
    mine = select(ProgrammePlace).where(ProgrammePlace.slot_id == slot.id, ProgrammePlace.day == day)
    known = {one.post_id: one for one in session.exec(mine).all()}
    for place, key in enumerate(keys, 1):
        row = known.get(key) or ProgrammePlace(
            ward_id=slot.ward_id, slot_id=slot.id or 0, day=day, post_id=key, place=place
        )
        row.place = place
        session.add(row)
    session.flush()


def _at_outlet(
    session: Session, ward: Ward, outlet: Outlet, airtimes: Sequence[Airtime], now: datetime
) -> list[SlotDay]:
    known = {one.id: one for one in slots.in_force(session, ward.id or 0, outlet.id)}
    if not airtimes:
        return []
    found = programme.allotted(session, ward, outlet, now)
    entries = {one.bulletin.key: one for one in programme.entries(session, ward, outlet, now)}
    titles = views.titles(session, ward, [one.post for one in entries.values()])
    made = []
    for airtime in airtimes:
        slot = known[airtime.slot_id]
        same = [
            one
            for one in found.programmes
            if one.airtime.slot_id == airtime.slot_id and one.airtime.start == airtime.start
        ]
        if same:
            made.append(_coming(ward, outlet, slot, same[0], found, entries, titles, known))
        else:
            made.append(_begun(session, ward, outlet, slot, airtime, now))
    return made


def _coming(
    ward: Ward, outlet: Outlet, slot: ProgrammeSlot, made: Programme, found: Allotment,
    entries: dict[int, Entry], titles: dict[int, str], known: dict[int | None, ProgrammeSlot],
) -> SlotDay:  # fmt: skip
    lines = tuple(_line(turn, made.turns, made.airtime, entries, titles) for turn in made.turns)
    onward = tuple((titles.get(one.key, ""), _where(ward, found, one, known)) for one in made.onward)
    return SlotDay(
        slot, outlet, made.airtime, COMING, lines, onward, round(made.length.total_seconds()),
        round(made.room.total_seconds()), _warnings(made, slot),
    )  # fmt: skip


def _line(
    turn: Turn, turns: Sequence[Turn], airtime: Airtime, entries: dict[int, Entry], titles: dict[int, str]
) -> Line:
    one = turn.bulletin
    alike = [other.bulletin.key for other in sorted(turns, key=lambda other: order(other.bulletin)) if other.bulletin.rank == one.rank]  # fmt: skip
    place, usual = alike.index(one.key), one.rank < URGENT
    entry = entries[one.key]
    delivery = entry.deliveries[0] if entry.deliveries else None
    return Line(
        post_id=one.key, title=titles.get(one.key, ""), rank=one.rank, at=turn.at, seconds=round(one.length.total_seconds()),
        again=turn.again, delivery=delivery, from_slot="" if airtime.holds(programme.wish(entry.post, entry.variant) or turn.at) else "carried",
        up=usual and place > 0, down=usual and place < len(alike) - 1,
    )  # fmt: skip


def _where(ward: Ward, found: Allotment, bulletin: Bulletin, known: dict[int | None, ProgrammeSlot]) -> str:
    """Where a bulletin that did not fit is heard, in words."""
    landed = found.of(bulletin.key)
    if landed is None:
        return "chưa khung nào còn chỗ; hãy rút ngắn bản tin hoặc nới khung phát"
    airtime = landed[0].airtime
    at = local(airtime.start, ward.zone)
    return f"khung «{known[airtime.slot_id].name}» {at.hour}h{at.minute:02d} ngày {at:%d/%m/%Y}"


def _warnings(made: Programme, slot: ProgrammeSlot) -> tuple[str, ...]:
    found = []
    if slot.repeats and any(len(turn.again) < slot.repeats for turn in made.turns if turn.bulletin.rank < URGENT):
        found.append("Không đủ thời gian để phát lại đủ số lần đã đặt.")
    if made.onward and made.airtime.silent:
        found.append(f"Khung này không phát ({made.airtime.silent}); bản tin được chuyển sang khung kế tiếp.")
    return tuple(found)


def _begun(
    session: Session, ward: Ward, outlet: Outlet, slot: ProgrammeSlot, airtime: Airtime, now: datetime
) -> SlotDay:
    tense = OVER if airtime.end <= now else RUNNING
    rows = _heard(session, outlet, airtime.start, airtime.end)
    lines = _lines_of(session, ward, rows)
    taken = round(max((line.at + timedelta(seconds=line.seconds) for line in lines), default=airtime.start).timestamp() - airtime.start.timestamp())  # fmt: skip
    return SlotDay(slot, outlet, airtime, tense, tuple(lines), taken=taken)


def _heard(session: Session, outlet: Outlet, since: datetime, until: datetime) -> list[Delivery]:
    inside = (Delivery.due_at >= since, Delivery.due_at < until, Delivery.state != State.CANCELLED)
    wanted = select(Delivery).where(Delivery.outlet_id == outlet.id, *inside)
    return list(session.exec(wanted.order_by(col(Delivery.due_at), col(Delivery.id))).all())


def _lines_of(session: Session, ward: Ward, rows: Sequence[Delivery]) -> list[Line]:
    ids = {row.post_id for row in rows}
    posts = {one.id: one for one in session.exec(select(Post).where(col(Post.id).in_(ids))).all()}
    titles = views.titles(session, ward, list(posts.values()))
    first = {row.post_id: row for row in reversed(rows)}
    found = []
    for row in sorted(first.values(), key=lambda one: one.due_at):
        variant = session.exec(
            select(Variant).where(Variant.post_id == row.post_id, Variant.outlet_id == row.outlet_id)
        ).first()
        again = tuple(one.due_at for one in rows if one.post_id == row.post_id and one.id != row.id)
        length = programme.length(session, posts[row.post_id], variant) if variant else timedelta(0)
        found.append(
            Line(row.post_id, titles[row.post_id], row.rank, row.due_at, round(length.total_seconds()), again, row)
        )
    return found


def _outside(
    session: Session, ward: Ward, outlet: Outlet, day: date, airtimes: Sequence[Airtime], shown: Sequence[SlotDay]
) -> list[Line]:
    since, until = day_bounds(day, ward.zone)
    listed = {line.post_id for one in shown for line in one.lines}
    rows = [
        row for row in _heard(session, outlet, since, until)
        if not any(one.holds(row.due_at) for one in airtimes) or row.post_id not in listed
    ]  # fmt: skip
    return _lines_of(session, ward, [row for row in rows if row.post_id not in listed])


def _waiting(session: Session, ward: Ward, outlet: Outlet, day: date, now: datetime) -> list[Waits]:
    since, until = day_bounds(day, ward.zone)
    hour = func.coalesce(Variant.slot_at, Post.due_at)
    wanted = (
        select(Post, Variant)
        .join(Variant, col(Variant.post_id) == col(Post.id))
        .where(Post.ward_id == ward.id, Post.state == "submitted", Variant.outlet_id == outlet.id)
        .where(hour >= since, hour < until)
        .order_by(hour, col(Post.id))
        .limit(100)
    )
    found = session.exec(wanted).all()
    titles = views.titles(session, ward, [post for post, _ in found])
    made = []
    for post, variant in found:
        at = programme.wish(post, variant) or since
        bulletin = Bulletin(
            post.id or 0, urgency.rank_of(post), at, programme.length(session, post, variant), UNPLACED, now
        )
        made.append(Waits(post, titles[post.id or 0], outlet, at, foretell(session, ward, outlet, bulletin, now)))
    return made

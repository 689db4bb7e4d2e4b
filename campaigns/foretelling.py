"""Before approval: where a bulletin would be heard, told in words; the coming slots that an editor may choose."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlmodel import Session, col, select

from campaigns import composing, programme, slots, urgency
from campaigns.composing import Scene
from campaigns.hours import heard
from campaigns.running_order import UNPLACED, URGENT, Bulletin, Programme
from campaigns.timetable import local
from channels.contract import Message, Problem
from channels.registry import channel
from content.speech import length_in_words
from content.templates import format_date, format_time
from store.programmes import ProgrammeSlot
from store.tables import Outlet, Post, Ward

SHOWN = 12


@dataclass(frozen=True)
class Fate:
    """Where a bulletin would be heard: ``at`` is its second, empty where nowhere; ``words`` say it, ``tone`` how bad it is."""

    words: str
    tone: str = "ok"
    at: datetime | None = None


@dataclass(frozen=True)
class Offer:
    """A coming slot as the composer offers it: ``value`` for the form, ``words`` for people."""

    value: str
    words: str


def offers(session: Session, ward: Ward, outlet: Outlet, now: datetime, rank: int = 0) -> list[Offer]:
    """The next slots of a loudspeaker that are heard, with the room that is left in each for such a class."""
    names = _names(session, ward, outlet)
    found = programme.allotted(session, ward, outlet, now).programmes
    return [
        Offer(one.airtime.start.isoformat(), f"{_when(one.airtime.start, ward)} · {names[one.airtime.slot_id]} · {_room(one.room)}")
        for one in found
        if not one.airtime.silent
    ][:SHOWN]  # fmt: skip


def foretell(session: Session, ward: Ward, outlet: Outlet, bulletin: Bulletin, now: datetime) -> Fate:
    """Where one more bulletin would be heard beside everything that is approved."""
    if bulletin.rank >= URGENT:
        return Fate(
            "Tin khẩn cấp phát ngay vào giờ của nó, kể cả ngoài khung phát và trong giờ yên tĩnh.", at=bulletin.wished
        )
    names = _names(session, ward, outlet)
    found = programme.allotted(session, ward, outlet, now, (bulletin,))
    wished = next((one for one in found.programmes if one.airtime.holds(bulletin.wished)), None)
    if wished is None:
        return _no_slot(found.programmes, names, bulletin, ward)
    name, said = names[wished.airtime.slot_id], _when(wished.airtime.start, ward)
    once = wished.airtime.once
    if bulletin.length > max(one.airtime.once for one in found.programmes):
        longest = length_in_words(round(once.total_seconds()))
        text = f"Bản tin dài {length_in_words(round(bulletin.length.total_seconds()))}, khung «{name}» chỉ phát được {longest} mỗi lần. Hãy rút gọn, chia thành nhiều bản tin, hoặc nới khung phát."  # fmt: skip
        return Fate(text, "error")
    landed = found.of(bulletin.key)
    if landed is None:
        return Fate(f"Khung «{name}» {said} và các khung sau đó đều không còn chỗ. Hãy chọn khung khác.", "error")
    at, there = landed[1].at, landed[0].airtime
    if there is wished.airtime:
        return Fate(f"Dự kiến phát lúc khoảng {_clock(at, ward)} trong khung «{name}» {said}.", at=at)
    why = wished.airtime.silent or "đã kín bởi các bản tin đi trước"
    return Fate(
        f"Khung «{name}» {said} {'không phát: ' if wished.airtime.silent else ''}{why}. Bản tin sẽ phát ở khung "
        f"«{names[there.slot_id]}» {_when(there.start, ward)}, khoảng {_clock(at, ward)}.",
        "warning", at,
    )  # fmt: skip


class Shown(Protocol):
    """A post as it is shown on one outlet."""

    @property
    def outlet(self) -> Outlet:
        """Where."""

    @property
    def message(self) -> Message | None:
        """What is said there."""


def lengths(shown: Iterable[Shown]) -> dict[int, int]:
    """How many seconds a post is heard, by outlet, where it is heard at all."""
    found = {one.outlet.id or 0: one.message.extra.get("seconds") for one in shown if one.message}
    return {id: seconds for id, seconds in found.items() if isinstance(seconds, int)}


def heard_at(session: Session, post: Post, shown: Iterable[Shown], now: datetime) -> list[Problem]:
    """What is wrong with a post's places in the programme; its lengths are kept for who plans it."""
    around, seconds = composing.scene(session, post), lengths(shown)
    for id, length in seconds.items():
        around.variants[id].seconds = length
        session.add(around.variants[id])
    return problems(around, fates(session, around, seconds, now))


def problems(around: Scene, fates: Mapping[int, Fate]) -> list[Problem]:
    """What an editor and an approver must know of a post's places in the programme, out of its ``fates``."""
    found: list[Problem] = []
    for id, fate in fates.items():
        if fate.tone != "ok":
            outlet = around.outlets[id]
            text = f"{channel(outlet.kind).name}: {fate.words}"
            found.append(Problem(level="error" if fate.tone == "error" else "warning", text=text, field=f"slot.{id}"))
    return found


def fates(session: Session, around: Scene, lengths: Mapping[int, int], now: datetime) -> dict[int, Fate]:
    """Where a post would be heard, by loudspeaker; ``lengths`` are seconds by outlet; those without slots, and of which nothing is known, are left out."""
    found: dict[int, Fate] = {}
    for id, outlet in around.outlets.items():
        variant = around.variants.get(id)
        at = programme.wish(around.post, variant) if variant else None
        if variant is None or at is None or not lengths.get(id) or not _names(session, around.ward, outlet):
            continue
        if variant.slot_at and variant.slot_at <= now:
            found[id] = Fate("Khung phát đã chọn đã qua. Hãy chọn khung khác.", "error")
            continue
        bulletin = Bulletin(
            around.post.id or 0, urgency.rank_of(around.post), at, timedelta(seconds=lengths[id]), UNPLACED, now
        )
        found[id] = foretell(session, around.ward, outlet, bulletin, now)
    return found


def _no_slot(found: tuple[Programme, ...], names: dict[int, str], bulletin: Bulletin, ward: Ward) -> Fate:
    near = next((one for one in found if one.airtime.start > bulletin.wished and not one.airtime.silent), None)
    offered = f" Khung gần nhất: «{names[near.airtime.slot_id]}» {_when(near.airtime.start, ward)}." if near else ""
    text = f"{_clock(bulletin.wished, ward)} không nằm trong khung phát nào của loa; bản tin vẫn phát riêng vào giờ này.{offered}"
    return Fate(text, "warning", bulletin.wished)


def _names(session: Session, ward: Ward, outlet: Outlet) -> dict[int, str]:
    if not heard(outlet.kind):
        return {}
    mine = select(ProgrammeSlot).where(ProgrammeSlot.outlet_id == outlet.id, col(ProgrammeSlot.ended_at).is_(None))
    return {one.id or 0: one.name for one in session.exec(mine).all()}


def _room(room: timedelta) -> str:
    left = int(room.total_seconds())
    return f"còn {length_in_words(left - left % 5).removeprefix('khoảng ')}" if left >= 15 else "đã kín"


def _when(at: datetime, ward: Ward) -> str:
    clock = local(at, ward.zone)
    return f"{format_time(clock.time())} {slots.WEEKDAYS[clock.weekday()]} {format_date(clock.date())}"


def _clock(at: datetime, ward: Ward) -> str:
    return format_time(local(at, ward.zone).time())

"""The running order of a slot («Khung phát»): which bulletins go on air in it, in which order, at which second. Pure.

The three classes are those of Thông tư 39/2020/TT-BTTTT (https://thuvienphapluat.vn, in force 18/01/2021):

* khẩn cấp goes on air at its own moment, whatever stands there, in quiet hours and on silent days too;
* ưu tiên goes before everything usual of its slot; among its like the ward decides (``Bulletin.place``);
* thường fills what is left, and what does not fit goes to the next slot that has room.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

URGENT = 2
GAP = timedelta(seconds=2)
"""Between two bulletins: what an outlet needs to let one go and take the next."""
NOTHING = timedelta(0)
UNPLACED = 1000


@dataclass(frozen=True)
class Airtime:
    """One slot on one day. ``longest`` holds every repeat and pause; ``silent`` says why nothing usual is heard then."""

    slot_id: int
    start: datetime
    longest: timedelta
    repeats: int = 0
    pause: timedelta = NOTHING
    silent: str = ""

    @property
    def end(self) -> datetime:
        """When the slot is over."""
        return self.start + self.longest

    @property
    def once(self) -> timedelta:
        """How long the programme may be, so that it can be repeated within the slot."""
        return (self.longest - self.repeats * self.pause) / (1 + self.repeats)

    def holds(self, moment: datetime) -> bool:
        """Whether a moment falls on the slot."""
        return self.start <= moment < self.end


@dataclass(frozen=True)
class Bulletin:
    """What wants to be heard: its class (``rank``), the hour it was approved for, its length with chimes and frame.

    ``place`` is where a person put it among its like (smaller first), ``since`` breaks ties: who came first.
    """

    key: int
    rank: int
    wished: datetime
    length: timedelta
    place: int = UNPLACED
    since: datetime | None = None


@dataclass(frozen=True)
class Turn:
    """A bulletin in a programme: when it is heard, and heard again."""

    bulletin: Bulletin
    at: datetime
    again: tuple[datetime, ...] = ()

    @property
    def end(self) -> datetime:
        """When it is over for the first time."""
        return self.at + self.bulletin.length


@dataclass(frozen=True)
class Programme:
    """What is heard in one slot, in order, and what of it had to go to a later slot."""

    airtime: Airtime
    turns: tuple[Turn, ...]
    onward: tuple[Bulletin, ...] = ()

    @property
    def length(self) -> timedelta:
        """How long the slot's own bulletins take once, from its first second; nothing when it stays silent."""
        usual = [turn for turn in self.turns if turn.bulletin.rank < URGENT]
        return max(turn.end for turn in usual) - self.airtime.start if usual else NOTHING

    @property
    def room(self) -> timedelta:
        """How much more would fit."""
        return NOTHING if self.airtime.silent else max(self.airtime.once - self.length - (GAP if self.turns else NOTHING), NOTHING)  # fmt: skip


@dataclass(frozen=True)
class Allotment:
    """The programmes of coming slots, and what found no place in any of them (too long, or no slot has room)."""

    programmes: tuple[Programme, ...]
    left: tuple[Bulletin, ...] = ()

    def of(self, key: int) -> tuple[Programme, Turn] | None:
        """Where a bulletin is heard."""
        found = ((one, turn) for one in self.programmes for turn in one.turns if turn.bulletin.key == key)
        return next(found, None)


def order(bulletin: Bulletin) -> tuple[object, ...]:
    """What goes first: the class, then the place that a person gave it, then the earlier wish, then who came first."""
    since = bulletin.since or bulletin.wished
    return -bulletin.rank, bulletin.place, bulletin.wished, since, bulletin.key


def allot(airtimes: Iterable[Airtime], bulletins: Iterable[Bulletin]) -> Allotment:
    """The programmes of these slots: every bulletin in the slot on which its hour falls, or in the next with room.

    A bulletin whose hour falls on none of them keeps its own hour and is no part of any programme.
    """
    slots = sorted(airtimes, key=lambda one: one.start)
    everything = list(bulletins)
    urgent = [one for one in everything if one.rank >= URGENT]
    usual = [one for one in everything if one.rank < URGENT]
    made, carried = list[Programme](), list[Bulletin]()
    for airtime in slots:
        wanting = sorted([*carried, *(one for one in usual if airtime.holds(one.wished))], key=order)
        programme = _programme(airtime, wanting, [one for one in urgent if airtime.holds(one.wished)])
        made.append(programme)
        carried = list(programme.onward)
    return Allotment(tuple(made), tuple(carried))


def _programme(airtime: Airtime, wanting: Sequence[Bulletin], urgent: Sequence[Bulletin]) -> Programme:
    fixed = [Turn(one, one.wished) for one in sorted(urgent, key=order)]
    turns, onward, cursor = list[Turn](), list[Bulletin](), airtime.start
    for bulletin in wanting:
        at = _clear(cursor, bulletin.length, fixed)
        if airtime.silent or at + bulletin.length > airtime.start + airtime.once:
            onward.append(bulletin)
            continue
        turns.append(Turn(bulletin, at))
        cursor = at + bulletin.length + GAP
    repeated = _repeated(airtime, turns)
    return Programme(airtime, tuple(sorted([*fixed, *repeated], key=lambda turn: turn.at)), tuple(onward))


def _clear(at: datetime, length: timedelta, fixed: Sequence[Turn]) -> datetime:
    """The first moment from then on at which so much is heard without an urgent bulletin in the middle of it."""
    for turn in sorted(fixed, key=lambda turn: turn.at):
        if at < turn.end + GAP and turn.at < at + length + GAP:
            at = turn.end + GAP
    return at


def _repeated(airtime: Airtime, turns: Sequence[Turn]) -> list[Turn]:
    """The whole programme again after a pause, as often as the slot says and as its time allows."""
    if not turns:
        return []
    step = turns[-1].end - airtime.start + airtime.pause
    shifts = [number * step for number in range(1, airtime.repeats + 1)]
    fitting = [shift for shift in shifts if turns[-1].end + shift <= airtime.end]
    return [replace(turn, again=tuple(turn.at + shift for shift in fitting)) for turn in turns]

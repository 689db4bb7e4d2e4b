"""The three classes of Thông tư 39/2020 in one slot: who goes first, what fits, what goes on, what an urgent one does."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaigns.running_order import GAP, Airtime, Bulletin, Programme, allot

FIVE = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
NORMAL, PRIORITY, URGENT = 0, 1, 2


def slot(minutes: float = 15, at: datetime = FIVE, **more: Any) -> Airtime:
    return Airtime(1, at, timedelta(minutes=minutes), **more)


def bulletin(key: int, rank: int = NORMAL, minutes: float = 4, at: datetime = FIVE, **more: Any) -> Bulletin:
    return Bulletin(key, rank, at, timedelta(minutes=minutes), **more)


def told(programme: Programme) -> list[tuple[int, float]]:
    """Key and seconds from the slot's start, the gaps left out of the reckoning."""
    return [(turn.bulletin.key, (turn.at - programme.airtime.start).total_seconds()) for turn in programme.turns]


G = GAP.total_seconds()


@pytest.mark.parametrize(
    ("wanting", "heard", "onward"),
    [
        pytest.param([], [], [], id="nothing"),
        pytest.param([bulletin(1), bulletin(2)], [(1, 0), (2, 240 + G)], [], id="who came first"),
        pytest.param([bulletin(1), bulletin(2, PRIORITY)], [(2, 0), (1, 240 + G)], [], id="priority before usual"),
        pytest.param(
            [bulletin(1, PRIORITY, place=2), bulletin(2, PRIORITY, place=1)], [(2, 0), (1, 240 + G)], [], id="the ward decides"
        ),
        pytest.param([bulletin(1, place=1), bulletin(2, PRIORITY)], [(2, 0), (1, 240 + G)], [], id="but not over classes"),
        pytest.param(
            [bulletin(1, minutes=8), bulletin(2, minutes=8), bulletin(3, minutes=5)], [(1, 0), (3, 480 + G)], [2],
            id="a usual one fills what a longer one leaves",
        ),
        pytest.param(
            [bulletin(1, minutes=8), bulletin(2, PRIORITY, minutes=10)], [(2, 0)], [1], id="a priority one drives a usual one on"
        ),
        pytest.param([bulletin(1, minutes=15)], [(1, 0)], [], id="exactly as long as the slot"),
        pytest.param([bulletin(1, minutes=15 + 1 / 60)], [], [1], id="one second longer than the slot"),
        pytest.param([bulletin(1, at=FIVE + 15 * MINUTE)], [], [], id="its hour falls behind the slot: no part of it"),
        pytest.param([bulletin(1, at=FIVE + 14 * MINUTE)], [(1, 0)], [], id="its hour falls on the slot"),
        pytest.param(
            [bulletin(1), bulletin(2, URGENT, minutes=2, at=FIVE)], [(2, 0), (1, 120 + G)], [], id="urgent before everything"
        ),
        pytest.param(
            [bulletin(1, minutes=4), bulletin(2, minutes=4), bulletin(3, URGENT, minutes=2, at=FIVE + 5 * MINUTE)],
            [(1, 0), (3, 300), (2, 420 + G)], [], id="urgent at its own second, nobody is planned across it",
        ),
        pytest.param(
            [bulletin(1, minutes=9), bulletin(2, URGENT, minutes=8, at=FIVE)], [(2, 0)], [1], id="urgent takes the room"
        ),
    ],
)  # fmt: skip
def test_one_slot(wanting: list[Bulletin], heard: list[tuple[int, float]], onward: list[int]) -> None:
    [programme] = allot([slot()], wanting).programmes
    assert told(programme) == heard
    assert [one.key for one in programme.onward] == onward


def test_what_does_not_fit_goes_to_the_next_slot_with_room() -> None:
    slots = [slot(), slot(at=FIVE + DAY), slot(at=FIVE + 2 * DAY)]
    full = [bulletin(1, PRIORITY, 14), bulletin(2, PRIORITY, 14, at=FIVE + DAY)]
    allotment = allot(slots, [bulletin(3, minutes=5), *full])
    assert [[key for key, _ in told(one)] for one in allotment.programmes] == [[1], [2], [3]]
    assert allotment.left == ()


def test_what_is_longer_than_every_slot_is_left_and_told() -> None:
    allotment = allot([slot(), slot(at=FIVE + DAY)], [bulletin(1, minutes=20)])
    assert [one.key for one in allotment.left] == [1]
    assert allotment.of(1) is None


def test_a_holiday_silences_all_but_what_is_urgent() -> None:
    silent = slot(silent="Nghỉ lễ: Quốc khánh")
    first, second = allot(
        [silent, slot(at=FIVE + DAY)], [bulletin(1), bulletin(2, PRIORITY), bulletin(3, URGENT)]
    ).programmes
    assert told(first) == [(3, 0)] and first.room == timedelta(0)
    assert [key for key, _ in told(second)] == [2, 1]


def test_the_programme_is_repeated_after_a_pause_and_never_beyond_the_slot() -> None:
    airtime = slot(15, repeats=1, pause=MINUTE)
    assert airtime.once == 7 * MINUTE
    [programme] = allot([airtime], [bulletin(1, minutes=3), bulletin(2, minutes=3), bulletin(3, minutes=3)]).programmes
    length = timedelta(minutes=6) + GAP
    assert programme.length == length
    assert [turn.again for turn in programme.turns] == [
        (FIVE + length + MINUTE,),
        (FIVE + length + MINUTE + 3 * MINUTE + GAP,),
    ]
    assert [one.key for one in programme.onward] == [3]

"""The three classes of Thông tư 39/2020 in one slot: who goes first, what fits, what goes on, what an urgent one does."""

from datetime import UTC, datetime, timedelta

import pytest

from campaigns.running_order import GAP, Airtime, Bulletin, Programme, allot, cut_in, enters

FIVE = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
NORMAL, PRIORITY, URGENT = 0, 1, 2


def slot(minutes: float = 15, at: datetime = FIVE, **more: object) -> Airtime:
    return Airtime(1, at, timedelta(minutes=minutes), **more)  # type: ignore[arg-type]


def bulletin(key: int, rank: int = NORMAL, minutes: float = 4, at: datetime = FIVE, **more: object) -> Bulletin:
    return Bulletin(key, rank, at, timedelta(minutes=minutes), **more)  # type: ignore[arg-type]


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


def test_an_urgent_one_in_the_middle_of_a_priority_one_in_the_middle_of_a_normal_one() -> None:
    [programme] = allot([slot()], [bulletin(1, minutes=4), bulletin(2, minutes=3)]).programmes
    with_priority = enters(programme, bulletin(3, PRIORITY, minutes=4, at=FIVE), FIVE + 2 * MINUTE)
    assert told(with_priority) == [(1, 0), (3, 240 + G), (2, 480 + 2 * G)], (
        "what is on air is not cut by a priority one"
    )
    at = FIVE + 5 * MINUTE
    whole = enters(with_priority, bulletin(4, URGENT, minutes=2, at=at), at)
    assert told(whole) == [(1, 0), (3, 240 + G), (4, 300), (2, 420 + G)]
    cut = whole.turns[1]
    assert cut.cut == MINUTE - GAP, "the priority one was cut off after so long, and is left to a person"
    assert [turn.cut for turn in whole.turns if turn is not cut] == [None] * 3
    late = cut_in(with_priority, bulletin(4, URGENT, minutes=9, at=at), at)
    assert [one.key for one in late.onward] == [2], "what no longer fits goes onward"


def test_two_urgent_ones_do_not_cut_each_other() -> None:
    [programme] = allot([slot()], [bulletin(1, URGENT, minutes=3, at=FIVE)]).programmes
    assert told(enters(programme, bulletin(2, URGENT, minutes=2), FIVE + MINUTE)) == [(1, 0), (2, 180 + G)]


def test_a_usual_one_that_comes_while_the_slot_is_heard_comes_last_or_goes_onward() -> None:
    [programme] = allot([slot()], [bulletin(1, minutes=6), bulletin(2, minutes=6)]).programmes
    assert told(enters(programme, bulletin(3, minutes=2), FIVE + MINUTE))[-1] == (3, 720 + 2 * G)
    assert [one.key for one in enters(programme, bulletin(3, minutes=4), FIVE + MINUTE).onward] == [3]

"""The ward's wall clock: what staff type, what cron lines mean, what quiet hours and holidays are."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.timetable import (
    TimetableMistake,
    after_quiet,
    day_bounds,
    holiday,
    moment,
    next_slot,
    occurrences,
    passed,
    quiet,
)

ZONE = "Asia/Ho_Chi_Minh"
MONDAY = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)
NIGHT = [["21:00", "06:00"], ["11:30", "13:30"]]


@pytest.mark.parametrize(("day", "clock"), [("23/11/2026", "8h30"), (" 23/11/2026 ", "08:30"), ("23-11-2026", "08h30")])
def test_what_staff_type_is_a_moment_of_the_ward(day: str, clock: str) -> None:
    assert moment(day, clock, ZONE) == datetime(2026, 11, 23, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(("day", "clock"), [("31/02/2026", "8h"), ("mai", "8h"), ("23/11/2026", "25h"), ("", "")])
def test_what_is_no_moment_is_refused_in_words(day: str, clock: str) -> None:
    with pytest.raises(TimetableMistake) as told:
        moment(day, clock, ZONE)
    assert str(told.value)[0].isupper()


@pytest.mark.parametrize(
    ("weekdays", "expected"),
    [
        ("*", "mon tue wed thu fri sat sun"),
        ("1-5", "mon tue wed thu fri"),
        ("mon-fri", "mon tue wed thu fri"),
        ("0", "sun"),
        ("7", "sun"),
        ("0-6", "mon tue wed thu fri sat sun"),
        ("6,0", "sat sun"),
        ("5-7", "fri sat sun"),
        ("1-5/2", "mon wed fri"),
        ("*/2", "tue thu sat sun"),
        ("1/3", "mon thu"),
        ("sat,1", "mon sat"),
    ],
)
def test_weekdays_are_counted_as_cron_counts_them(weekdays: str, expected: str) -> None:
    found = occurrences(f"0 8 * * {weekdays}", ZONE, MONDAY, MONDAY + timedelta(days=7))
    assert " ".join(_weekday(at) for at in found) == expected


def _weekday(at: datetime) -> str:
    return ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[(at + timedelta(hours=7)).weekday()]


@pytest.mark.parametrize(
    "cron", ["", "8 giờ", "0 8 * *", "61 8 * * *", "0 8 * * 8", "0 8 * * 5-1", "0 8 * * */0", "0 8 * * thứ"]
)
def test_a_line_that_is_no_cron_line_is_refused_in_words(cron: str) -> None:
    with pytest.raises(TimetableMistake, match="Lịch lặp không đọc được"):
        list(occurrences(cron, ZONE, MONDAY, MONDAY + timedelta(days=1)))


@given(st.lists(st.integers(1, 86_400_000_000), min_size=1, max_size=30))
def test_however_the_time_is_cut_each_occurrence_comes_once(steps: list[int]) -> None:
    whole = list(occurrences("*/30 * * * *", ZONE, MONDAY, MONDAY + timedelta(microseconds=sum(steps))))
    cut, at = [], MONDAY
    for step in steps:
        cut += list(occurrences("*/30 * * * *", ZONE, at, at + timedelta(microseconds=step)))
        at += timedelta(microseconds=step)
    assert cut == whole[: len(cut)]
    assert len(cut) == len(whole) or len(whole) == 2_000


@pytest.mark.parametrize(
    ("clock", "silent"),
    [(20.99, False), (21, True), (23.5, True), (0, True), (5.99, True), (6, False), (11.5, True), (13.5, False)],
)
def test_quiet_hours_go_over_midnight(clock: float, silent: bool) -> None:
    assert quiet(MONDAY + timedelta(hours=clock), ZONE, NIGHT) is silent


@given(st.integers(0, 10_080))
def test_after_the_quiet_hours_it_is_not_quiet_and_not_earlier(minutes: int) -> None:
    at = MONDAY + timedelta(minutes=minutes)
    found = after_quiet(at, ZONE, NIGHT)
    assert found >= at
    assert not quiet(found, ZONE, NIGHT)
    offered = next_slot(at, ZONE, NIGHT)
    assert offered > at
    assert not quiet(offered, ZONE, NIGHT)


def test_a_local_day_has_its_bounds_in_utc() -> None:
    assert day_bounds(date(2026, 11, 23), ZONE) == (MONDAY, MONDAY + timedelta(days=1))


def test_holidays_have_vietnamese_names() -> None:
    assert holiday(date(2026, 9, 2)) == "Quốc khánh"
    assert holiday(date(2026, 11, 23)) is None


def test_the_running_minute_is_not_past() -> None:
    assert not passed(MONDAY, MONDAY + timedelta(seconds=59))
    assert passed(MONDAY, MONDAY + timedelta(seconds=61))

"""The periods of reports: calendar ones, and those of Nghị định 09/2019/NĐ-CP; pure, on the ward's wall clock.

Nghị định 09/2019/NĐ-CP (https://thuvienphapluat.vn, Điều 12) closes the figures on the 14th: a month runs from the
15th of the month before to the 14th, a half-year from 15/12 to 14/6, a year from 15/12 to 14/12.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from campaigns.timetable import day_bounds, local
from content.templates import format_date

DECREE = "theo Nghị định 09/2019/NĐ-CP"
CUT_OFF_DAY = 15


@dataclass(frozen=True)
class Period:
    """Whole local days: from the first up to the last, both counted; ``name`` is how a report says it."""

    name: str
    first: date
    last: date

    def bounds(self, zone: str) -> tuple[datetime, datetime]:
        """The UTC moments at which the period begins and ends (the end is the next day's first moment)."""
        return day_bounds(self.first, zone)[0], day_bounds(self.last, zone)[1]


def week(day: date) -> Period:
    """The week, Monday to Sunday, of a day."""
    first = day - timedelta(days=day.weekday())
    return _named("tuần", first, first + timedelta(days=6))


def month(year: int, number: int) -> Period:
    """A calendar month."""
    return _months(f"tháng {number} năm {year}", year, number, 1)


def quarter(year: int, number: int) -> Period:
    """A calendar quarter, 1 to 4."""
    return _months(f"quý {_ROMAN[number]} năm {year}", year, 3 * number - 2, 3)


def half(year: int, number: int) -> Period:
    """The first or the last six calendar months."""
    return _months(_half_name(year, number), year, 6 * number - 5, 6)


def year(number: int) -> Period:
    """A calendar year."""
    return _months(f"năm {number}", number, 1, 12)


def custom(first: date, last: date) -> Period:
    """Any days; raises ValueError when the last is before the first."""
    if last < first:
        raise ValueError("Ngày cuối kỳ báo cáo trước ngày đầu kỳ. Hãy chọn lại.")
    if first == last:
        return Period(f"ngày {format_date(first)}", first, last)
    return _named("", first, last)


def decree_month(year: int, number: int) -> Period:
    """The month of the decree: from the 15th of the month before to the 14th."""
    return _cut_off(month(year, number))


def decree_quarter(year: int, number: int) -> Period:
    """The quarter of the decree: from the 15th of the month before the quarter to the 14th of its last month."""
    return _cut_off(quarter(year, number))


def decree_half(year: int, number: int) -> Period:
    """The half-year of the decree: 15/12 to 14/6, or 15/6 to 14/12."""
    return _cut_off(half(year, number))


def decree_year(number: int) -> Period:
    """The year of the decree: 15/12 of the year before to 14/12."""
    return _cut_off(year(number))


def choices(today: date) -> list[Period]:
    """What to offer on a day: the running week, month, quarter, half-year and year, then those of the decree."""
    y, m = today.year, today.month
    after = today if today.day < CUT_OFF_DAY else _first_of_next_month(today)
    calendar = [week(today), month(y, m), quarter(y, (m + 2) // 3), half(y, (m + 5) // 6), year(y)]
    ay, am = after.year, after.month
    return [
        *calendar,
        decree_month(ay, am),
        decree_quarter(ay, (am + 2) // 3),
        decree_half(ay, (am + 5) // 6),
        decree_year(ay),
    ]


def describe(start: datetime, end: datetime, zone: str) -> str:
    """How a report names the period from ``start`` up to ``end``: «tháng 11 năm 2026», else «từ ngày … đến ngày …»."""
    first, last = local(start, zone).date(), local(end - timedelta(microseconds=1), zone).date()
    named = custom(first, last)
    if named.bounds(zone) != (start, end):
        return named.name
    return next(
        (period.name for period in _likely(first, last) if (period.first, period.last) == (first, last)), named.name
    )


_ROMAN = {1: "I", 2: "II", 3: "III", 4: "IV"}


def _likely(first: date, last: date) -> list[Period]:
    y, m = last.year, last.month
    q, h = (m + 2) // 3, (m + 5) // 6
    calendar = [week(first), month(y, m), quarter(y, q), half(y, h), year(y)]
    return [*calendar, decree_month(y, m), decree_quarter(y, q), decree_half(y, h), decree_year(y)]


def _months(name: str, year: int, first_month: int, count: int) -> Period:
    first = date(year, first_month, 1)
    end = first
    for _ in range(count):
        end = _first_of_next_month(end)
    return Period(name, first, end - timedelta(days=1))


def _first_of_next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def _half_name(year: int, number: int) -> str:
    return f"6 tháng {'đầu' if number == 1 else 'cuối'} năm {year}"


def _named(kind: str, first: date, last: date) -> Period:
    return Period(f"{kind} từ ngày {format_date(first)} đến ngày {format_date(last)}".strip(), first, last)


def _cut_off(calendar: Period) -> Period:
    first = (calendar.first - timedelta(days=1)).replace(day=CUT_OFF_DAY)
    return Period(f"{calendar.name} ({DECREE})", first, calendar.last.replace(day=CUT_OFF_DAY - 1))

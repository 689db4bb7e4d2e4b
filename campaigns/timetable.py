"""When things happen: the ward's wall clock, cron occurrences, quiet hours and holidays. Pure functions."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import holidays
from apscheduler.triggers.cron import CronTrigger

from content.templates import read_date, read_time

MAX_OCCURRENCES = 2_000
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NUMBERED_DAYS = re.compile(r"(?P<first>\*|[0-7])(?:-(?P<last>[0-7]))?(?:/(?P<step>\d+))?")


class TimetableMistake(ValueError):
    """A time or cron line that cannot be used; the message is Vietnamese and says what to do."""


def moment(day: str, clock: str, zone: str) -> datetime:
    """The UTC moment of a date and a time typed by staff in the ward's zone; raises TimetableMistake."""
    try:
        return datetime.combine(read_date(day.strip()), read_time(clock.strip()), ZoneInfo(zone)).astimezone(UTC)
    except ValueError as error:
        raise TimetableMistake(str(error)[:1].upper() + str(error)[1:]) from error


def passed(at: datetime, now: datetime) -> bool:
    """Whether a moment typed to the minute lies in the past; the running minute still counts as now."""
    return at < now - timedelta(minutes=1)


def local(at: datetime, zone: str) -> datetime:
    """The moment on the ward's wall clock."""
    return at.astimezone(ZoneInfo(zone))


def day_bounds(day: date, zone: str) -> tuple[datetime, datetime]:
    """The UTC moments at which a local day begins and ends."""
    start = datetime.combine(day, time(), ZoneInfo(zone))
    return start.astimezone(UTC), datetime.combine(day + timedelta(days=1), time(), ZoneInfo(zone)).astimezone(UTC)


def trigger(cron: str, zone: str) -> CronTrigger:
    """The cron line («phút giờ ngày tháng thứ») as a trigger in the ward's zone; raises TimetableMistake."""
    try:
        return CronTrigger.from_crontab(_weekdays_by_name(cron), timezone=ZoneInfo(zone))
    except ValueError as error:
        raise TimetableMistake(
            "Lịch lặp không đọc được. Hãy nhập năm phần: phút giờ ngày tháng thứ, ví dụ «0 7 * * mon-fri»."
        ) from error


def _weekdays_by_name(cron: str) -> str:
    # APScheduler counts weekdays from Monday, cron from Sunday: https://apscheduler.readthedocs.io/en/3.x/modules/triggers/cron.html
    parts = cron.split()
    if len(parts) == 5 and parts[4] != "*":
        parts[4] = ",".join(_named(one) for one in parts[4].split(","))
    return " ".join(parts)


def _named(days: str) -> str:
    found = _NUMBERED_DAYS.fullmatch(days)
    if found is None:
        return days
    first = 0 if found["first"] == "*" else int(found["first"])
    to_the_end = found["first"] == "*" or (found["step"] and not found["last"])
    last = 6 if to_the_end else int(found["last"] or first)
    if first > last or found["step"] == "0":
        raise ValueError(days)
    return ",".join(_WEEKDAYS[day] for day in range(first, last + 1, int(found["step"] or 1)))


def occurrences(cron: str, zone: str, after: datetime, until: datetime) -> Iterator[datetime]:
    """The UTC moments of a cron line with ``after`` < moment ≤ ``until``, earliest first."""
    wanted = trigger(cron, zone)
    previous = after
    for _ in range(MAX_OCCURRENCES):
        found = wanted.get_next_fire_time(None, (previous + timedelta(microseconds=1)).astimezone(ZoneInfo(zone)))
        if found is None or found > until:
            return
        previous = found.astimezone(UTC)
        yield previous


def quiet(at: datetime, zone: str, hours: Sequence[Sequence[str]]) -> bool:
    """Whether the moment falls into quiet hours: pairs like ("21:00", "06:00") on the ward's wall clock."""
    clock = local(at, zone).time().replace(tzinfo=None)
    return any(_within(clock, read_time(start), read_time(end)) for start, end in hours)


def after_quiet(at: datetime, zone: str, hours: Sequence[Sequence[str]]) -> datetime:
    """The moment itself, or the end of the quiet hours that it falls into."""
    for _ in range(len(hours) + 1):
        clock = local(at, zone)
        pair = next(
            (p for p in hours if _within(clock.time().replace(tzinfo=None), read_time(p[0]), read_time(p[1]))), None
        )
        if pair is None:
            return at
        end = read_time(pair[1])
        day = clock.date() + timedelta(days=1 if end <= clock.time().replace(tzinfo=None) else 0)
        at = datetime.combine(day, end, ZoneInfo(zone)).astimezone(UTC)
    return at


def next_slot(now: datetime, zone: str, hours: Sequence[Sequence[str]], day: date | None = None) -> datetime:
    """A sensible moment to offer: 08h00 of a wished day, else the next half hour at least 30 minutes ahead; by day only."""
    wished = datetime.combine(day, time(8), ZoneInfo(zone)) if day else None
    if wished is None or wished <= now:
        ahead = local(now, zone) + timedelta(minutes=30)
        wished = ahead.replace(minute=0, second=0, microsecond=0)
        wished += timedelta(minutes=30 * -(-(ahead - wished).total_seconds() // 1800))
    found = local(after_quiet(wished.astimezone(UTC), zone, hours), zone)
    return (found.replace(hour=8, minute=0) if found.time() < time(7) else found).astimezone(UTC)


def holiday(day: date) -> str | None:
    """The Vietnamese name of the public holiday on this day, or None."""
    return _holidays(day.year).get(day)


@cache
def _holidays(year: int) -> dict[date, str]:
    return dict(holidays.country_holidays("VN", years=year, language="vi"))


def _within(clock: time, start: time, end: time) -> bool:
    return start <= clock < end if start <= end else clock >= start or clock < end

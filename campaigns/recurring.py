"""When a standing rule happens: weekdays and times as a cron line and back, and what comes next; pure functions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from campaigns.timetable import TimetableMistake, day_bounds, holiday, local, occurrences, quiet
from content.templates import read_time
from store.tables import Rule, Ward

LOOK_AHEAD = timedelta(days=400)
MOST_SHOWN = 60
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True)
class Coming:
    """One occurrence to come; ``skipped`` says in Vietnamese why nothing goes out then, ``item`` which text does."""

    at: datetime
    skipped: str = ""
    item: int | None = None


def coming(rule: Rule, ward: Ward, now: datetime, wanted: int = 10) -> list[Coming]:
    """The next occurrences from ``now`` until ``wanted`` of them go out, skipped ones told between them; pure."""
    found: list[Coming] = []
    first = place = max(0, rule.next_item - _planned_already(rule, ward, now))
    for at in _moments(rule, ward, now):
        skipped = _why_skipped(rule, ward, at)
        found.append(Coming(at, skipped, None if skipped or not rule.items else place % len(rule.items)))
        place += 0 if skipped else 1
        if place - first >= wanted or len(found) >= MOST_SHOWN:
            break
    return found


def cron_line(weekdays: Sequence[int], clocks: str) -> str:
    """The cron line of weekdays (0 Monday … 6 Sunday; none or all: every day) and times typed «07h00, 16h00».

    Raises TimetableMistake; the times share their minutes, because a cron line pairs every hour with every minute.
    """
    times = [read for text in clocks.replace(";", ",").split(",") if (read := _time(text))]
    if not times:
        raise TimetableMistake("Hãy nhập ít nhất một giờ, ví dụ 07h00.")
    minutes = sorted({minute for _, minute in times})
    if len(minutes) > 1:
        raise TimetableMistake(
            "Các giờ trong một lịch phải cùng số phút, ví dụ 07h30, 16h30. Giờ khác phút thì lập thêm một lịch."
        )
    hours = ",".join(str(hour) for hour in sorted({hour for hour, _ in times}))
    days = ",".join(_DAYS[day] for day in sorted(set(weekdays))) if 0 < len(set(weekdays)) < 7 else "*"
    return f"{minutes[0]} {hours} * * {days}"


def picked(cron: str) -> tuple[list[int], str] | None:
    """The weekdays and times of a cron line that ``cron_line`` could have made; None for any other."""
    parts = cron.split()
    if len(parts) != 5 or parts[2:4] != ["*", "*"] or not parts[0].isdigit():
        return None
    hours, days = parts[1].split(","), parts[4].split(",")
    if not all(hour.isdigit() for hour in hours) or not (days == ["*"] or set(days) <= set(_DAYS)):
        return None
    return [] if days == ["*"] else [_DAYS.index(day) for day in days], ", ".join(
        f"{int(hour):02d}h{int(parts[0]):02d}" for hour in hours
    )


def _time(text: str) -> tuple[int, int] | None:
    if not text.strip():
        return None
    try:
        found = read_time(text.strip())
    except ValueError as error:
        raise TimetableMistake(f"Giờ «{text.strip()}» không hợp lệ. Hãy nhập dạng 07h00.") from error
    return found.hour, found.minute


def _moments(rule: Rule, ward: Ward, now: datetime) -> Iterator[datetime]:
    first = day_bounds(rule.starts_on, ward.zone)[0] - timedelta(seconds=1)
    start = max(now, first)
    last = start + LOOK_AHEAD
    if rule.ends_on:
        last = min(last, day_bounds(rule.ends_on, ward.zone)[1] - timedelta(seconds=1))
    return occurrences(rule.cron, ward.zone, start, last)


def _planned_already(rule: Rule, ward: Ward, now: datetime) -> int:
    if rule.planned_to is None or rule.planned_to <= now:
        return 0
    until = (at for at in _moments(rule, ward, now) if rule.planned_to and at <= rule.planned_to)
    return sum(not _why_skipped(rule, ward, at) for at in until)


def _why_skipped(rule: Rule, ward: Ward, at: datetime) -> str:
    if quiet(at, ward.zone, ward.quiet):
        return "Giờ yên tĩnh của phường"
    name = holiday(local(at, ward.zone).date())
    return f"Ngày nghỉ: {name}" if name and not rule.on_holidays else ""

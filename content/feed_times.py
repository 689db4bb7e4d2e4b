"""Moments as feeds write them, above all the ways of Vietnamese portals that the RSS and Atom rules do not know."""

import re
from datetime import UTC, datetime, timedelta, timezone

from content.text import squeeze

VIETNAM = timezone(timedelta(hours=7))

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ISO_DAY = re.compile(r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})T?")
_DAY = re.compile(r"(?<!\d)(?P<d>\d{1,2})[/.-](?P<m>\d{1,2})[/.-](?P<y>\d{4})(?!\d)")
_WRITTEN_DAY = re.compile(r"(?P<d>\d{1,2})\s+tháng\s+(?P<m>\d{1,2})(?:\s+năm|,)?\s+(?P<y>\d{4})", re.IGNORECASE)
_ENGLISH_DAY = re.compile(
    rf"(?P<d>\d{{1,2}})\s+(?P<m>{'|'.join(_MONTHS)})[a-z]*\s+(?P<y>\d{{4}})(?=.*(?:GMT|UTC)\s*[+-]\d)",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"(?<![\d+-])(\d{1,2})\s*[:hg]\s*(\d{2})?(?::(\d{2}))?(?:\.\d+)?\s*(SA|CH|AM|PM)?", re.IGNORECASE)
_OFFSET = re.compile(r"(?:GMT|UTC)\s*([+-])\s*(\d{1,2}):?(\d{2})?|[\s\d]([+-])(\d{2}):?(\d{2})\s*$", re.IGNORECASE)
_ZERO = re.compile(r"\d\s*Z\s*$|\b(?:GMT|UTC)\s*$", re.IGNORECASE)


def read_moment(raw: str) -> datetime | None:
    """A moment as Vietnamese sites write it, in UTC, or None where it is not of that kind.

    «09/04/2026 14:30:00», «Thứ Năm, 09/4/2026, 17h05 (GMT+7)», «09 tháng 4 năm 2026 8:05 SA», «2026-04-09 14:30»,
    «Thu, 09 Apr 2026 14:30:00 GMT+7»: day before month, and Vietnam's own time where no offset is given. With
    AM or PM a date in slashes is American («4/9/2026 2:30:00 PM»), as portals on an English server write it.
    Ordinary RFC 822 dates give None: feedparser reads them.
    """
    text = squeeze(raw)
    day = next(
        (found for pattern in (_ISO_DAY, _DAY, _WRITTEN_DAY, _ENGLISH_DAY) if (found := pattern.search(text))),
        None,
    )
    if day is None:
        return None
    rest = f"{text[: day.start()]} {text[day.end() :]}".strip()
    year, month, date = int(day["y"]), _month(day["m"]), int(day["d"])
    if "/" in day.group() and re.search(r"\d\s*(AM|PM)\b", rest, re.IGNORECASE) and date <= 12:
        month, date = date, month
    try:
        return datetime(year, month, date, *_clock(rest), tzinfo=_zone(rest)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _month(text: str) -> int:
    return int(text) if text.isdigit() else _MONTHS.index(text.lower()) + 1


def _clock(text: str) -> tuple[int, int, int]:
    match = _CLOCK.search(text)
    if not match:
        return 0, 0, 0
    hour, minute, second = (int(part or 0) for part in match.group(1, 2, 3))
    half = (match.group(4) or "").upper()
    if half in ("CH", "PM") and hour < 12:
        hour += 12
    return (0 if half in ("SA", "AM") and hour == 12 else hour), minute, second


def _zone(text: str) -> timezone:
    if _ZERO.search(text):
        return UTC
    match = _OFFSET.search(text)
    if not match:
        return VIETNAM
    sign, hours, minutes = match.group(1, 2, 3) if match.group(1) else match.group(4, 5, 6)
    offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
    return timezone(-offset if sign == "-" else offset)

"""Events as a calendar that phones and mail programs read: iCalendar, written by the library ``icalendar``.

https://www.rfc-editor.org/rfc/rfc5545 (lines of 75 octets, CRLF, UID, DTSTAMP), https://www.rfc-editor.org/rfc/rfc7986
(NAME, REFRESH-INTERVAL). Moments are written in UTC, which every reader turns into its own time.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from icalendar import Calendar, vDuration
from icalendar import Event as Entry

MEDIA_TYPE = "text/calendar"
_MAKER = "-//Lan Toa//Lich su kien//VI"
_ASK_AGAIN = timedelta(hours=6)
_USUAL = timedelta(hours=2)


@dataclass(frozen=True)
class Occasion:
    """One entry: ``uid`` stays when its words change; moments are aware."""

    uid: str
    name: str
    starts_at: datetime
    ends_at: datetime | None
    place: str
    about: str
    url: str
    changed_at: datetime


def calendar(name: str, occasions: Iterable[Occasion]) -> bytes:
    """The calendar as its file's bytes; what has no end is written as two hours long, as calendars need one to show it."""
    made = Calendar()
    made.add("version", "2.0")
    made.add("prodid", _MAKER)
    made.add("calscale", "GREGORIAN")
    made.add("method", "PUBLISH")
    made.add("name", name)
    made.add("x-wr-calname", name)
    made.add("refresh-interval", vDuration(_ASK_AGAIN), {"VALUE": "DURATION"})
    for occasion in occasions:
        made.add_component(_entry(occasion))
    return bytes(made.to_ical())


def _entry(occasion: Occasion) -> Entry:
    entry = Entry()
    entry.add("uid", occasion.uid)
    entry.add("dtstamp", _utc(occasion.changed_at))
    entry.add("last-modified", _utc(occasion.changed_at))
    entry.add("dtstart", _utc(occasion.starts_at))
    entry.add("dtend", _utc(occasion.ends_at or occasion.starts_at + _USUAL))
    entry.add("summary", occasion.name)
    entry.add("location", occasion.place)
    entry.add("description", f"{occasion.about}\n\n{occasion.url}" if occasion.about else occasion.url)
    entry.add("url", occasion.url)
    return entry


def _utc(moment: datetime) -> datetime:
    """In UTC itself: an offset of its own would be written as a zone that no reader knows."""
    return moment.astimezone(UTC)

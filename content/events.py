"""An event that a text invites to: what, when by the ward's wall clock, and where."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from content.fields import FieldMistakes, TemplateField, read_fields
from content.text import squeeze

LONGEST = 300
FREE = {
    "su_kien_ngay": TemplateField(label="Ngày", type="date", example="12/12/2026", required=False),
    "su_kien_gio": TemplateField(label="Từ giờ", type="time", example="8h30", required=False),
    "su_kien_den": TemplateField(label="Đến giờ", type="time", example="11h00", required=False),
    "su_kien_noi": TemplateField(label="Địa điểm", example="nhà văn hóa phường", required=False, limit=LONGEST),
}
"""The fields with which a free text becomes an event; all empty, it is none."""


@dataclass(frozen=True)
class Event:
    """One event; ``until`` is on the same day, and None where nobody said when it ends."""

    name: str
    day: date
    start: time
    until: time | None = None
    place: str = ""

    @property
    def starts(self) -> datetime:
        """When it begins, by the ward's wall clock (without a zone)."""
        return datetime.combine(self.day, self.start)

    @property
    def ends(self) -> datetime | None:
        """When it ends; what ends before it begins ends on the day after."""
        if self.until is None:
            return None
        same_day = datetime.combine(self.day, self.until)
        return same_day if same_day > self.starts else same_day + timedelta(days=1)


def event(name: str, day: object, start: object, until: object, place: str) -> Event | None:
    """The event of these typed values; None where its day or its hour was left empty."""
    if not isinstance(day, date) or not isinstance(start, time):
        return None
    ends = until if isinstance(until, time) else None
    return Event(squeeze(name)[:LONGEST], day, start, ends, squeeze(place)[:LONGEST])


def free(raw: Mapping[str, Any], title: str) -> Event | None:
    """The event of a free text, from what was typed into ``FREE``; raises FieldMistakes where it is half told."""
    values = read_fields(FREE, raw)
    day, start, until, place = (values[key] for key in FREE)
    if not any((day, start, until, place)):
        return None
    missing = {
        key: f"{FREE[key].label}: chưa nhập."
        for key in ("su_kien_ngay", "su_kien_gio", "su_kien_noi")
        if not values[key]
    }
    if missing:
        raise FieldMistakes(missing)
    return event(title, day, start, until, place)

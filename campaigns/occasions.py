"""The events of a ward's articles, as its public calendar tells them: what is told twice stands there once."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from campaigns.catalogue import Catalogue, Entry, fold

LASTS = timedelta(hours=2)
"""How long an event is taken to last where nobody said when it ends."""
KEPT = timedelta(days=180)
"""How long a calendar that is subscribed to keeps what is over."""


@dataclass(frozen=True)
class Occasion:
    """One event with the newest article about it; ``key`` is that of the first article, and stays."""

    key: str
    entry: Entry
    name: str
    starts_at: datetime
    ends_at: datetime | None
    place: str

    @property
    def over_at(self) -> datetime:
        """The moment from which it counts as over."""
        return self.ends_at or self.starts_at + LASTS


def of_entry(entry: Entry) -> Occasion | None:
    """The event that an article tells of, or None."""
    return of_event(entry.event, entry.key, entry) if entry.event else None


def of_event(told: dict[str, Any], key: str, entry: Entry) -> Occasion:
    """An event as the site keeps it."""
    ends = datetime.fromisoformat(told["ends_at"]) if told.get("ends_at") else None
    return Occasion(key, entry, told["name"], datetime.fromisoformat(told["starts_at"]), ends, told["place"])


def every(catalogue: Catalogue) -> list[Occasion]:
    """Every event, the earliest first; an invitation and its reminder are one, under the first one's key."""
    found: dict[tuple[str, datetime], Occasion] = {}
    for entry in catalogue.entries:  # newest first
        if one := of_entry(entry):
            same = found.get((fold(one.name), one.starts_at))
            found[fold(one.name), one.starts_at] = _first(same, one) if same else one
    return sorted(found.values(), key=lambda one: one.starts_at)


def _first(newer: Occasion, older: Occasion) -> Occasion:
    return Occasion(older.key, newer.entry, newer.name, newer.starts_at, newer.ends_at, newer.place)


def to_come(occasions: Iterable[Occasion], now: datetime) -> list[Occasion]:
    """Those that are not over, the next one first."""
    return [one for one in occasions if one.over_at > now]


def over(occasions: Iterable[Occasion], now: datetime) -> list[Occasion]:
    """Those that are over, the latest first."""
    return [one for one in occasions if one.over_at <= now][::-1]


def kept(occasions: Iterable[Occasion], now: datetime) -> list[Occasion]:
    """Those of a calendar that is subscribed to: all to come, and what is over not too long."""
    return [one for one in occasions if one.over_at > now - KEPT]

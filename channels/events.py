"""What a platform tells of an outlet by itself: signed events, proved and read by the channel, kept by the core.

Of a citizen's event only its kind, its name and its moment come through: no text, no name, no number.
"""

from datetime import datetime
from typing import Literal

from channels.message import Value

EventKind = Literal["followed", "unfollowed", "received", "seen", "other"]


class Event(Value):
    """One event. ``key`` is the same whenever the platform tells it again; ``name`` is the platform's own word for it."""

    key: str
    name: str
    kind: EventKind = "other"
    at: datetime


class Heard(Value):
    """A request whose signature is right: its events, and in Vietnamese which of the outlet's keys it was signed with."""

    events: tuple[Event, ...]
    matched: str = ""


class Forged(Value):
    """A request that is not believed: it is counted and answered 403. ``why`` is a closed set, shown in Vietnamese."""

    why: Literal["unset", "signature", "stale", "unreadable"]

"""What a channel says happened: one of five outcomes, what a look-up found, what a post reached."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from channels.message import Value


class Reason(StrEnum):
    """Why something did not go out; a closed set, shown in Vietnamese and used as a metric label."""

    UNREACHABLE = "unreachable"
    BUSY = "busy"
    RATE_LIMITED = "rate_limited"
    QUOTA = "quota"
    OUTSIDE_HOURS = "outside_hours"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    REJECTED = "rejected"
    TOO_LONG = "too_long"
    BAD_MEDIA = "bad_media"
    NOT_FOUND = "not_found"
    MISCONFIGURED = "misconfigured"


class Handle(Value):
    """What ``stage`` prepared and nobody can see yet; opaque to the core, kept with the delivery.

    ``remote_id`` is set by what is Pending and visible already: under it ``withdraw`` can stop it meanwhile.
    """

    data: dict[str, Any] = {}
    remote_id: str | None = None


EMPTY = Handle()


class Published(Value):
    """It is out."""

    remote_id: str
    url: str | None = None


class Pending(Value):
    """Taken and still being worked on: after ``publish`` ask ``find``, after ``stage`` call ``stage`` again with the handle."""

    handle: Handle
    retry_at: datetime | None = None


class Deferred(Value):
    """Surely not out (no byte left, or a documented «not done»), worth another try."""

    reason: Reason
    retry_at: datetime | None = None
    detail: str = ""


class Refused(Value):
    """Surely not out; a person must act."""

    reason: Reason
    detail: str = ""


class Unknown(Value):
    """It may be out."""

    detail: str = ""


Outcome = Published | Pending | Deferred | Refused | Unknown


class Reached(Value):
    """How one cluster of loudspeakers heard a programme; ``seconds`` is how much of it was sent there, as far as is known.

    played: to the end; stopped: by a person; failed: not at all (0 seconds) or torn; unknown: nobody can tell.
    """

    name: str
    state: Literal["played", "stopped", "failed", "unknown"]
    seconds: int = Field(default=0, ge=0)
    detail: str = ""


class Aired(Value):
    """One airing as its record tells it; ``ended_at`` is the last moment of which something is known."""

    record: str
    began_at: datetime
    ended_at: datetime
    seconds: int = Field(ge=0)
    whole: bool = True
    clusters: tuple[Reached, ...] = ()


class Airs(Value):
    """How an outlet is heard: the way in Vietnamese, its clusters, and whether a person plays it and must tell of it."""

    way: str
    by_person: bool
    clusters: tuple[str, ...] = ()


class Found(Value):
    """A look-up's answer: it is out (id, url), it is surely absent, or the platform could not tell.

    ``again_at`` with «unclear»: it still goes on, and can be told then; that costs no look. ``aired``: how it was heard.
    """

    verdict: Literal["out", "absent", "unclear"]
    remote_id: str | None = None
    url: str | None = None
    detail: str = ""
    again_at: datetime | None = None
    aired: Aired | None = None


class Figure(Value):
    """One measured number; ``label`` says how far to trust it, ``formula`` how it came about."""

    name: str
    value: int
    label: Literal["measured", "estimated", "declared"] = "measured"
    formula: str


class Ailment(Value):
    """Why an outlet cannot be used now, and what exactly to do about it in Vietnamese (empty: the usual words do)."""

    reason: Reason
    words: str = ""


class Sound(Value):
    """What was heard, as an MP3; ``synthetic`` where a synthetic voice spoke."""

    mp3: bytes = Field(repr=False)
    seconds: int = Field(ge=0)
    synthetic: bool = False


class Measure(Value):
    """What a post reached, as the platform tells it now; ``reason`` where it could not tell."""

    figures: tuple[Figure, ...] = ()
    reason: Reason | None = None
    detail: str = ""

"""What a channel is given to say: one delivery frozen into its visible parts, and the limits it must keep to."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Value(BaseModel):
    """A value that is never changed and knows every one of its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PictureSpec(Value):
    """How a channel wants its picture: the core re-encodes the card to it before the message is frozen."""

    format: Literal["jpeg", "png"] = "jpeg"
    shape: Literal["wide", "square"] = "wide"
    max_side: int = 2048
    max_bytes: int = 4_000_000


class Quota(Value):
    """At most ``count`` visible steps of one outlet in any ``seconds``; held across workers."""

    count: int = Field(gt=0)
    seconds: int = Field(gt=0)


class ClipLimits(Value):
    """What a platform takes of a video or a sound file: bytes, and seconds."""

    max_bytes: int
    min_seconds: float = 0
    max_seconds: float | None = None


class Announcement(Value):
    """That an outlet can tell its followers of a post, as a step after it: whether it does so unasked, to whom, how often.

    ``monthly`` is how many a calendar month; ``whom`` is Vietnamese.
    """

    usual: bool
    monthly: int = Field(ge=0)
    whom: str = ""


class Limits(Value):
    """The platform's own limits, in its own units, with the page that states them.

    ``pictures`` is how many pictures one part can carry; the core gives a channel no more of a post's pictures than that.
    ``video`` and ``audio`` stand where a part can carry such a clip (``Capability.VIDEO``, ``Capability.AUDIO``).
    """

    title: int | None = None
    summary: int | None = None
    text: int | None = None
    caption: int | None = None
    parts: int = 1
    picture: PictureSpec | None = None
    pictures: int = Field(default=1, ge=1)
    video: ClipLimits | None = None
    audio: ClipLimits | None = None
    audience_hours: tuple[int, int] | None = None
    quotas: tuple[Quota, ...] = ()
    source: str


class Picture(Value):
    """A stored picture: its bytes are fetched from the shelf by ``sha256``."""

    sha256: str
    mime: str
    width: int
    height: int
    alt: str


class Clip(Value):
    """A stored video (MP4) or sound (MP3): its bytes are fetched from the shelf by ``sha256``; ``size`` is how many.

    ``about`` says what is seen and heard, for those who cannot; ``poster`` is a frame of the video.
    """

    kind: Literal["video", "audio"]
    sha256: str
    mime: str
    size: int
    seconds: float
    width: int = 0
    height: int = 0
    title: str = ""
    about: str = ""
    poster: Picture | None = None

    @property
    def carrying_seconds(self) -> float:
        """How long its bytes may take beyond a message without them: as long as a line of 2 Mbit/s needs."""
        return self.size / 250_000


class Part(Value):
    """One visible step: what a reader sees as one post. ``body`` is ready for the wire in ``format``.

    ``pictures`` stand in the order in which a reader sees them; messages frozen when a part had one picture are still read.
    """

    body: str
    format: Literal["plain", "html", "telegram", "script"] = "plain"
    title: str = ""
    summary: str = ""
    pictures: tuple[Picture, ...] = ()
    clip: Clip | None = None
    link: str | None = None
    marker: str = ""

    @model_validator(mode="before")
    @classmethod
    def _of_one_picture(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "picture" not in given:
            return given
        rest = {name: value for name, value in given.items() if name != "picture"}
        return {"pictures": (given["picture"],) if given["picture"] else (), **rest}

    @property
    def picture(self) -> Picture | None:
        """The first picture, for channels that show one."""
        return self.pictures[0] if self.pictures else None


class Correction(Value):
    """What a reader is told of an amended message: why it was changed, and when that was decided."""

    note: str
    at: datetime


class Message(Value):
    """One delivery as it will go out, frozen before the first attempt; ``key`` is unique per delivery.

    ``correction`` is there where the message takes the place of one that is out.
    """

    kind: str
    key: str
    parts: tuple[Part, ...] = Field(min_length=1)
    due_at: datetime | None = None
    pin: bool = False
    extra: dict[str, Any] = {}
    correction: Correction | None = None


class Problem(Value):
    """Something the editor should know about a message; an ``error`` keeps it from being submitted."""

    level: Literal["error", "warning"]
    text: str
    field: str = "body"

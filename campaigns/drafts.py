"""What an editor typed and chose for one post, as it was typed: right or wrong, but in NFC."""

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from campaigns import urgency
from content.text import nfc, squeeze

LONGEST_ALT = 500
LONGEST_ABOUT = 2_000
LONGEST_READING = 20_000


class DraftPicture(BaseModel):
    """A photo of the ward's library in a post, with its own words for those who cannot see it."""

    model_config = ConfigDict(extra="forbid")

    media_id: int
    alt: str = ""

    @field_validator("alt")
    @classmethod
    def _one_line(cls, text: str) -> str:
        return squeeze(text)[:LONGEST_ALT]


class DraftReading(BaseModel):
    """What is to be read aloud at an outlet instead of the reading whose mark is ``of``; empty: as the rules read it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str = ""
    of: str = ""

    @field_validator("text")
    @classmethod
    def _lines(cls, text: str) -> str:
        return "\n".join(filter(None, map(squeeze, nfc(text).split("\n"))))[:LONGEST_READING]


class Draft(BaseModel):
    """What the editor typed. ``day`` and ``clock`` are words of the ward's wall clock; ids are of the same ward.

    ``grace_minutes`` is how late it may still go out (None: as its urgency says); ``repeat_ok`` that this very text may
    go where it has been before. An urgent post may leave day and clock empty: it is due when it is approved.
    ``announce`` is, by outlet, whether its followers are told; an outlet that is not named does as it is set.
    ``slots`` are, by outlet, the starts of the loudspeakers' slots that were chosen.
    """

    model_config = ConfigDict(extra="forbid")

    campaign_id: int
    task_id: int | None = None
    template_id: int | None = None
    source_item_id: int | None = None
    title: str = ""
    summary: str = ""
    body: str = ""
    fields: dict[str, Any] = Field(default_factory=dict)
    link: str = ""
    source_name: str = ""
    source_url: str = ""
    card: bool = True
    card_words: str = ""
    pictures: list[DraftPicture] = Field(default_factory=list)
    clip_id: int | None = None
    clip_about: str = ""
    day: str = ""
    clock: str = ""
    outlet_ids: list[int] = Field(default_factory=list)
    own_words: dict[int, str] = Field(default_factory=dict)
    readings: dict[int, DraftReading] = Field(default_factory=dict)
    announce: dict[int, bool] = Field(default_factory=dict)
    slots: dict[int, datetime] = Field(default_factory=dict)
    grace_minutes: int | None = Field(default=None, ge=1, le=urgency.LONGEST_GRACE_MINUTES)
    urgency: str = urgency.NORMAL
    repeat_ok: bool = False
    pin: bool = False

    @model_validator(mode="after")
    def _grace_of_its_urgency(self) -> "Draft":
        if self.urgency not in urgency.CLASSES:
            self.urgency = urgency.NORMAL
        if self.grace_minutes is None:
            self.grace_minutes = urgency.grace_minutes(self.urgency)
        return self

    @field_validator("title", "summary", "link", "source_name", "source_url", "card_words", "day", "clock")
    @classmethod
    def _one_line(cls, text: str) -> str:
        return squeeze(text)

    @field_validator("body")
    @classmethod
    def _normal(cls, text: str) -> str:
        return nfc(text)

    @field_validator("clip_about")
    @classmethod
    def _no_longer(cls, text: str) -> str:
        return nfc(text).strip()[:LONGEST_ABOUT]

    @field_validator("pictures")
    @classmethod
    def _each_once(cls, chosen: list[DraftPicture]) -> list[DraftPicture]:
        return list({one.media_id: one for one in reversed(chosen)}.values())[::-1]

    @field_validator("slots")
    @classmethod
    def _in_utc(cls, chosen: dict[int, datetime]) -> dict[int, datetime]:
        return {id: at.astimezone(UTC) for id, at in chosen.items() if at.tzinfo is not None}

    @field_validator("fields", "own_words")
    @classmethod
    def _all_normal(cls, values: dict[Any, Any]) -> dict[Any, Any]:
        return {key: nfc(value) if isinstance(value, str) else value for key, value in values.items()}

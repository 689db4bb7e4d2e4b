"""What is said on the wire between the website channel and the site's publishing address."""

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from channels.contract import Clip, Picture


class Source(BaseModel):
    """Where the facts of an article come from."""

    name: str
    url: str | None = None


class EventOut(BaseModel):
    """What an article invites to."""

    name: str
    starts_at: AwareDatetime
    ends_at: AwareDatetime | None = None
    place: str = ""


class ArticleOut(BaseModel):
    """The body of ``PUT /_publish/{ward}/{key}``."""

    slug: str
    title: str
    summary: str
    html: str
    picture: Picture | None
    gallery: tuple[Picture, ...] = ()
    clip: Clip | None = None
    topics: tuple[str, ...]
    source: Source | None
    event: EventOut | None = None
    published_at: datetime


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Placed(_Answer):
    """The site's word that an article is kept under a key; ``withdrawn_at`` when it has been taken down since."""

    key: str
    url: str = Field(pattern=r"^https?://")
    created: bool = False
    withdrawn_at: AwareDatetime | None = None


class Visits(_Answer):
    """How often an article's page was opened: ``raw`` by browsers, ``people`` without repeats."""

    raw: int = Field(ge=0)
    people: int = Field(ge=0)


class Listed(_Answer):
    """One article of the listing."""

    key: str
    url: str
    title: str
    summary: str = ""
    html: str
    text: str = ""
    published_at: AwareDatetime
    withdrawn_at: AwareDatetime | None = None


class Listing(_Answer):
    """One page of ``GET /_publish/{ward}``, oldest first; ``next`` is the offset of the page after it."""

    ward: str
    articles: tuple[Listed, ...]
    next: int | None = None


ErrorCode = Literal[
    "unauthorized", "not_found", "invalid", "too_large", "withdrawn", "address_taken", "picture_missing", "bad_media"
]


class _Error(_Answer):
    code: ErrorCode
    message: str = ""


class Failure(_Answer):
    """The site's own way of saying no; the code is a closed set."""

    error: _Error

"""What is said between the webhook channel and a receiver: the body that is sent, the answers that are understood.

``docs/channels/webhook.schema.json`` is the JSON Schema of every body, written from ``SCHEMA``.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

RemoteId = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,200}$")]
Address = Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=2000)]


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PictureOut(_Said):
    """A picture: where it can be fetched, what it is, and its words for who cannot see it."""

    url: str
    sha256: str
    mime: str
    width: int
    height: int
    alt: str


class ClipOut(_Said):
    """A video (MP4) or a sound (MP3): where it can be fetched, its bytes and seconds, and its words for who cannot see or hear it."""

    kind: Literal["video", "audio"]
    url: str
    sha256: str
    mime: str
    size: int
    seconds: float
    width: int
    height: int
    about: str
    poster: PictureOut | None = None


class SourceOut(_Said):
    """Where the facts of the post come from."""

    name: str
    url: str | None = None


class Post(_Said):
    """One post. ``key`` is the delivery's own: the same on every try, another for every delivery."""

    key: str
    ward: str
    title: str
    summary: str
    text: str = Field(description="Plain text; link, source, signature and hashtags stand at its end.")
    html: str = Field(description="The same body in p, h2, ul, ol, li, strong, em, a, br; all text escaped.")
    link: str | None = None
    pictures: tuple[PictureOut, ...] = ()
    clip: ClipOut | None = Field(default=None, description="The post's video or sound, where it has one.")
    source: SourceOut | None = None
    topics: tuple[str, ...] = ()
    due_at: datetime | None = Field(default=None, description="When it was meant to be out, RFC 3339 in UTC.")


class Sent(_Said):
    """The body of the POST, in the form that Standard Webhooks recommends."""

    type: Literal["lantoa.post.publish"] = "lantoa.post.publish"
    version: Literal[1] = 1
    timestamp: datetime = Field(description="When the post was meant to be out; the same on every try.")
    data: Post


class AmendedPost(Post):
    """A post that is out and reads otherwise from now on: the whole post anew, under the id that the receiver gave it."""

    id: str
    note: str = Field(description="What was wrong, as readers may be told.")


class Amended(_Said):
    """The body of the POST that tells of a correction; the same one again is the same correction."""

    type: Literal["lantoa.post.amended"] = "lantoa.post.amended"
    version: Literal[1] = 1
    timestamp: datetime = Field(description="When the correction was approved; the same on every try.")
    data: AmendedPost


Body = Annotated[Sent | Amended, Field(discriminator="type")]
"""Whatever is sent with a body; a look-up and a withdrawal have none."""
SCHEMA = TypeAdapter[Sent | Amended](Body).json_schema(mode="serialization")


class _Heard(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Placed(_Heard):
    """The receiver's word that the post is out. ``key`` must be ours where it is given; a look-up must give it."""

    id: RemoteId
    key: str | None = None
    url: Address | None = None


class Working(_Heard):
    """A look-up's word that the post was taken and is not out yet."""

    key: str
    state: Literal["working"]


class _Error(_Heard):
    code: str = Field(max_length=100)
    message: str = Field(default="", max_length=2000)


class Failure(_Heard):
    """The receiver's own way of saying no."""

    error: _Error

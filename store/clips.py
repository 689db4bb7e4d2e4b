"""The tables of videos and sound files; imported by ``store.tables``, which has all the others."""

from datetime import datetime

from sqlalchemy import Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from store.tables import Utc


class Clip(SQLModel, table=True):
    """A video or a sound of the media library: ``sha256`` is the one form in which it is shown, ``poster`` its frame.

    ``original`` is the hash of what was uploaded, so that the same file is made anew only once. ``state`` is working,
    ready or failed (``trouble`` says why); ``started_at`` is when somebody began to make it.
    """

    __table_args__ = (UniqueConstraint("ward_id", "original"),)

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id", index=True)
    original: str
    name: str = ""
    state: str = "working"
    trouble: str = ""
    kind: str = ""
    sha256: str = Field(default="", index=True)
    mime: str = ""
    size: int = 0
    seconds: float = 0
    width: int = 0
    height: int = 0
    poster: str = ""
    started_at: datetime | None = Field(default=None, sa_type=Utc)
    created_at: datetime = Field(sa_type=Utc)


class PostClip(SQLModel, table=True):
    """The clip of a post, and what is seen and heard in it for those who cannot."""

    __tablename__ = "post_clip"

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id", index=True)
    post_id: int = Field(foreign_key="post.id", unique=True)
    clip_id: int = Field(foreign_key="clip.id")
    about: str = Field(default="", sa_type=Text)

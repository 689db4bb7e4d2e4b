"""The tables of the announcer's recordings; imported by ``store.tables``, which has all the others."""

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from store.tables import Utc


class Recording(SQLModel, table=True):
    """One saved recording («Bản thu»): ``sha256`` is the levelled file that is approved and heard. A row never changes.

    Loudness in LUFS, peak in dBTP, of the file and (``heard_…``) of what the microphone gave; a trigger keeps every row.
    """

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id", index=True)
    post_id: int = Field(foreign_key="post.id", index=True)
    sha256: str = Field(index=True)
    name: str = ""
    size: int
    seconds: float
    loudness: float
    peak: float
    heard_loudness: float
    heard_peak: float
    heard_seconds: float
    announcer_id: int = Field(foreign_key="staff.id")
    made_at: datetime = Field(sa_type=Utc)


class PostRecording(SQLModel, table=True):
    """The recording that is heard of a post at an outlet; ``reading_of`` is the mark of the words that were read."""

    __tablename__ = "post_recording"
    __table_args__ = (UniqueConstraint("post_id", "outlet_id"),)

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id", index=True)
    post_id: int = Field(foreign_key="post.id")
    outlet_id: int = Field(foreign_key="outlet.id")
    recording_id: int = Field(foreign_key="recording.id")
    reading_of: str

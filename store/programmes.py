"""The tables of the loudspeakers' programme; imported by ``store.tables``, which has all the others."""

from datetime import date, datetime

from sqlalchemy import JSON, CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from store.tables import Utc


class ProgrammeSlot(SQLModel, table=True):
    """A slot («Khung phát») of one loudspeaker outlet: weekdays (0 Monday … 6 Sunday) and a start on the ward's wall clock.

    ``longest_minutes`` holds the programme with its ``repeats`` and the pauses before them; ``ended_at`` is when
    somebody took the slot away.
    """

    __tablename__ = "programme_slot"
    __table_args__ = (
        CheckConstraint("longest_minutes between 1 and 60", name="length"),
        CheckConstraint("repeats between 0 and 3", name="repeats"),
        CheckConstraint("pause_seconds between 0 and 600", name="pause"),
        Index(
            "uq_programme_slot_in_force", "outlet_id", "name", unique=True, sqlite_where=text("ended_at is null"),
            postgresql_where=text("ended_at is null"),
        ),
    )  # fmt: skip

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id", index=True)
    outlet_id: int = Field(foreign_key="outlet.id", index=True)
    name: str
    weekdays: list[int] = Field(default_factory=list, sa_type=JSON)
    starts: str
    longest_minutes: int
    repeats: int = 0
    pause_seconds: int = 30
    on_holidays: bool = False
    author_id: int | None = Field(default=None, foreign_key="staff.id")
    created_at: datetime = Field(sa_type=Utc)
    ended_at: datetime | None = Field(default=None, sa_type=Utc)


class SilentDay(SQLModel, table=True):
    """A day on which a ward's slots stay silent, and why: a mourning day, Tết; what is urgent still goes on air."""

    __tablename__ = "silent_day"
    __table_args__ = (UniqueConstraint("ward_id", "day"),)

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id", index=True)
    day: date
    reason: str
    author_id: int | None = Field(default=None, foreign_key="staff.id")
    created_at: datetime = Field(sa_type=Utc)


class ProgrammePlace(SQLModel, table=True):
    """The place that a person gave a post among those of its class in one slot of one day; smaller goes first."""

    __tablename__ = "programme_place"
    __table_args__ = (UniqueConstraint("slot_id", "day", "post_id"),)

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id", index=True)
    slot_id: int = Field(foreign_key="programme_slot.id")
    day: date
    post_id: int = Field(foreign_key="post.id")
    place: int

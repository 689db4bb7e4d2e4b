"""The log book of the ward's loudspeakers («Sổ phát thanh»): a table that only grows; a trigger refuses every change."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from store.tables import Utc


class LogEntry(SQLModel, table=True):
    """One line of the book: what was, or was not, heard of one delivery at one moment.

    ``verdict`` is played, partly, unknown or silent. ``at`` is when it began, or was to begin where it did not.
    ``tried_at`` names the try that it tells of. ``seconds`` is how long it was heard, ``length`` how long it is.
    ``clusters`` is a list of {"name", "state", "seconds", "detail"}. ``corrects`` is the line in whose place it stands.
    """

    __tablename__ = "log_entry"
    __table_args__ = (
        UniqueConstraint("ward_id", "number"),
        UniqueConstraint("corrects"),
        CheckConstraint("verdict in ('played', 'partly', 'unknown', 'silent')", name="known_verdict"),
        Index("ix_log_entry_ward_id_at", "ward_id", "at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id")
    number: int
    delivery_id: int = Field(foreign_key="delivery.id", index=True)
    post_id: int = Field(foreign_key="post.id")
    outlet_id: int = Field(foreign_key="outlet.id", index=True)
    at: datetime = Field(sa_type=Utc)
    due_at: datetime = Field(sa_type=Utc)
    began_at: datetime | None = Field(default=None, sa_type=Utc)
    ended_at: datetime | None = Field(default=None, sa_type=Utc)
    tried_at: datetime | None = Field(default=None, sa_type=Utc)
    verdict: str
    title: str
    urgency: str = "normal"
    length: int = 0
    seconds: int = 0
    way: str = ""
    clusters: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON)
    author: str = ""
    approver: str = ""
    source: str = ""
    evidence: str = ""
    remark: str = Field(default="", sa_type=Text)
    by_id: int | None = Field(default=None, foreign_key="staff.id")
    by: str = ""
    corrects: int | None = Field(default=None, foreign_key="log_entry.id")
    written_at: datetime = Field(sa_type=Utc)

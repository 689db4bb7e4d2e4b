"""Corrections («Đính chính») of published posts; the tables of ``store.tables`` go on here, and that module brings these along."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from store.tables import Utc


class Amendment(SQLModel, table=True):
    """The words that are to take the place of a published post's, and why («note»); approved by another than its author.

    ``state`` is submitted, returned (``answer`` says why), approved or cancelled; a post has one open amendment at a
    time. ``digest`` is what was approved: the words, the reason, and every delivery's message as it will go out.
    """

    __table_args__ = (
        CheckConstraint("approver_id is null or approver_id <> author_id", name="approver_is_not_author"),
        CheckConstraint(
            "state <> 'approved' or (approver_id is not null and digest <> '')", name="approved_by_someone"
        ),
        Index(
            "uq_amendment_open",
            "post_id",
            unique=True,
            sqlite_where=text("state in ('submitted', 'returned')"),
            postgresql_where=text("state in ('submitted', 'returned')"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id", index=True)
    post_id: int = Field(foreign_key="post.id", index=True)
    title: str = ""
    summary: str = ""
    body: str = Field(default="", sa_type=Text)
    fields: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    own_words: dict[str, str] = Field(default_factory=dict, sa_type=JSON)
    note: str = Field(sa_type=Text)
    state: str = "submitted"
    digest: str = ""
    answer: str = ""
    author_id: int = Field(foreign_key="staff.id")
    approver_id: int | None = Field(default=None, foreign_key="staff.id")
    submitted_at: datetime = Field(sa_type=Utc)
    approved_at: datetime | None = Field(default=None, sa_type=Utc)
    updated_at: datetime = Field(sa_type=Utc)


class AmendmentLine(SQLModel, table=True):
    """An amendment at one delivery: its own durable state, while the delivery stays sent; a trigger refuses illegal moves.

    waiting (for the approval) -> due -> wire -> done | refused | needs_human | due; any open one -> void.
    ``message`` was frozen when it was submitted; ``part`` counts the visible parts that read anew already.
    """

    __tablename__ = "amendment_line"
    __table_args__ = (
        UniqueConstraint("amendment_id", "delivery_id"),
        Index(
            "ix_amendment_line_open",
            "next_at",
            "id",
            sqlite_where=text("state in ('due', 'wire')"),
            postgresql_where=text("state in ('due', 'wire')"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id", index=True)
    amendment_id: int = Field(foreign_key="amendment.id")
    delivery_id: int = Field(foreign_key="delivery.id", index=True)
    state: str = "waiting"
    message: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    part: int = 0
    next_at: datetime = Field(sa_type=Utc)
    tries: int = 0
    doubts: int = 0
    fence: int = 0
    epoch: str = ""
    reason: str = ""
    detail: str = Field(default="", sa_type=Text)
    done_at: datetime | None = Field(default=None, sa_type=Utc)

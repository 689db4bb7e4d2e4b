"""What platforms tell us of an outlet, and what the staff are told: the bots, the linked chats, the notices.

The tables of ``store.tables`` go on here; that module brings these along, so that there is one schema.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from store.tables import Utc


class OutletHook(SQLModel, table=True):
    """How an outlet's event address fares: what was taken, what came again, what was refused; ``matched`` is the key that fits."""

    __tablename__ = "outlet_hook"

    outlet_id: int = Field(primary_key=True, foreign_key="outlet.id")
    ward_id: int = Field(foreign_key="ward.id", index=True)
    heard_at: datetime | None = Field(default=None, sa_type=Utc)
    heard: str = ""
    matched: str = ""
    taken: int = 0
    repeated: int = 0
    refused: int = 0
    refused_at: datetime | None = Field(default=None, sa_type=Utc)
    refused_why: str = ""


class OutletEvent(SQLModel, table=True):
    """One event that a platform told of, once: ``key`` is the same when it is told again (``times``). No content, no person."""

    __tablename__ = "outlet_event"
    __table_args__ = (
        UniqueConstraint("outlet_id", "key"),
        Index("ix_outlet_event_kind", "outlet_id", "kind", "at"),
        Index("ix_outlet_event_heard", "heard_at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id", index=True)
    outlet_id: int = Field(foreign_key="outlet.id")
    key: str
    name: str
    kind: str
    at: datetime = Field(sa_type=Utc)
    heard_at: datetime = Field(sa_type=Utc)
    times: int = 1


class StaffBot(SQLModel, table=True):
    """A ward's bot for its staff on one platform; ``place`` is where listening goes on, ``listener`` who listens just now."""

    __tablename__ = "staff_bot"
    __table_args__ = (UniqueConstraint("ward_id", "kind"),)

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id")
    kind: str
    name: str = ""
    settings: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    secrets: str = ""
    place: str = ""
    health: str = ""
    health_at: datetime | None = Field(default=None, sa_type=Utc)
    listener: str = ""
    listening_until: datetime | None = Field(default=None, sa_type=Utc)
    listen_at: datetime | None = Field(default=None, sa_type=Utc)
    created_at: datetime = Field(sa_type=Utc)


class ChatLink(SQLModel, table=True):
    """A person's own chat with a bot. ``chat`` is empty until the one-time code was typed; ``state`` is asked, open or blocked."""

    __tablename__ = "chat_link"
    __table_args__ = (
        UniqueConstraint("bot_id", "user_id"),
        Index(
            "uq_chat_link_chat",
            "bot_id",
            "chat",
            unique=True,
            sqlite_where=text("chat <> ''"),
            postgresql_where=text("chat <> ''"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id", index=True)
    bot_id: int = Field(foreign_key="staff_bot.id")
    user_id: int = Field(foreign_key="staff.id", index=True)
    chat: str = ""
    state: str = "asked"
    code_hash: str = Field(default="", index=True)
    code_until: datetime | None = Field(default=None, sa_type=Utc)
    linked_at: datetime | None = Field(default=None, sa_type=Utc)
    created_at: datetime = Field(sa_type=Utc)


class NoticeChoice(SQLModel, table=True):
    """What a person wants to be told, and the hours in which only emergencies are."""

    __tablename__ = "notice_choice"

    user_id: int = Field(primary_key=True, foreign_key="staff.id")
    topics: list[str] = Field(default_factory=list, sa_type=JSON)
    quiet_from: str = "21:00"
    quiet_until: str = "06:00"
    updated_at: datetime = Field(sa_type=Utc)


class Notice(SQLModel, table=True):
    """Something of which staff are told («thông báo»): written with its cause; ``spread_at`` when it was addressed to people.

    ``once`` is what a person is told of once, wherever else it stands too (a hold of the whole city is in every ward).
    """

    __table_args__ = (
        UniqueConstraint("ward_id", "source"),
        Index(
            "ix_notice_waiting",
            "id",
            sqlite_where=text("spread_at is null"),
            postgresql_where=text("spread_at is null"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id")
    topic: str
    source: str
    once: str
    action: str
    subject: str
    subject_id: str
    actor_id: int | None = Field(default=None, foreign_key="staff.id")
    at: datetime = Field(sa_type=Utc)
    spread_at: datetime | None = Field(default=None, sa_type=Utc)


class NoticeLetter(SQLModel, table=True):
    """One notice to one person: waiting, wire, sent, failed, unknown or dropped; never sent a second time."""

    __tablename__ = "notice_letter"
    __table_args__ = (
        UniqueConstraint("user_id", "once"),
        Index(
            "ix_notice_letter_open",
            "next_at",
            "user_id",
            sqlite_where=text("state in ('waiting', 'wire')"),
            postgresql_where=text("state in ('waiting', 'wire')"),
        ),
        Index("ix_notice_letter_user", "user_id", "id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id", index=True)
    notice_id: int = Field(foreign_key="notice.id", index=True)
    user_id: int = Field(foreign_key="staff.id")
    once: str
    urgent: bool = False
    state: str = "waiting"
    next_at: datetime = Field(sa_type=Utc)
    tries: int = 0
    bot_id: int | None = Field(default=None)
    detail: str = ""
    wire_at: datetime | None = Field(default=None, sa_type=Utc)
    done_at: datetime | None = Field(default=None, sa_type=Utc)
    created_at: datetime = Field(sa_type=Utc)

"""What platforms tell of an outlet, and what the staff are told: bots, linked chats, notices."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _events()
    _bots()
    _notices()


def _moment(name: str, nullable: bool = True) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _number(name: str, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.Integer(), nullable=nullable)


def _words(name: str) -> sa.Column:
    return sa.Column(name, sa.String(), nullable=False)


def _of(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}"))


def _events() -> None:
    op.create_table(
        "outlet_hook",
        _number("outlet_id"), _number("ward_id"), _moment("heard_at"), _words("heard"), _words("matched"),
        _number("taken"), _number("repeated"), _number("refused"), _moment("refused_at"), _words("refused_why"),
        _of("outlet_hook", "outlet_id", "outlet"), _of("outlet_hook", "ward_id", "ward"),
        sa.PrimaryKeyConstraint("outlet_id", name=op.f("pk_outlet_hook")),
    )  # fmt: skip
    op.create_index(op.f("ix_outlet_hook_ward_id"), "outlet_hook", ["ward_id"])
    op.create_table(
        "outlet_event",
        _number("id"), _number("ward_id"), _number("outlet_id"), _words("key"), _words("name"), _words("kind"),
        _moment("at", False), _moment("heard_at", False), _number("times"),
        _of("outlet_event", "ward_id", "ward"), _of("outlet_event", "outlet_id", "outlet"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outlet_event")),
        sa.UniqueConstraint("outlet_id", "key", name=op.f("uq_outlet_event_outlet_id_key")),
    )  # fmt: skip
    op.create_index(op.f("ix_outlet_event_ward_id"), "outlet_event", ["ward_id"])
    op.create_index("ix_outlet_event_kind", "outlet_event", ["outlet_id", "kind", "at"])
    op.create_index("ix_outlet_event_heard", "outlet_event", ["heard_at"])


def _bots() -> None:
    op.create_table(
        "staff_bot",
        _number("id"), _number("ward_id"), _words("kind"), _words("name"), sa.Column("settings", sa.JSON(), nullable=False),
        _words("secrets"), _words("place"), _words("health"), _moment("health_at"), _words("listener"),
        _moment("listening_until"), _moment("listen_at"), _moment("created_at", False),
        _of("staff_bot", "ward_id", "ward"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_bot")),
        sa.UniqueConstraint("ward_id", "kind", name=op.f("uq_staff_bot_ward_id_kind")),
    )  # fmt: skip
    op.create_table(
        "chat_link",
        _number("id"), _number("ward_id"), _number("bot_id"), _number("user_id"), _words("chat"), _words("state"),
        _words("code_hash"), _moment("code_until"), _moment("linked_at"), _moment("created_at", False),
        _of("chat_link", "ward_id", "ward"), _of("chat_link", "bot_id", "staff_bot"), _of("chat_link", "user_id", "staff"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chat_link")),
        sa.UniqueConstraint("bot_id", "user_id", name=op.f("uq_chat_link_bot_id_user_id")),
    )  # fmt: skip
    op.create_index(op.f("ix_chat_link_ward_id"), "chat_link", ["ward_id"])
    op.create_index(op.f("ix_chat_link_user_id"), "chat_link", ["user_id"])
    op.create_index(op.f("ix_chat_link_code_hash"), "chat_link", ["code_hash"])
    _partial("uq_chat_link_chat", "chat_link", ["bot_id", "chat"], "chat <> ''", unique=True)


def _notices() -> None:
    op.create_table(
        "notice_choice",
        _number("user_id"), sa.Column("topics", sa.JSON(), nullable=False), _words("quiet_from"), _words("quiet_until"),
        _moment("updated_at", False), _of("notice_choice", "user_id", "staff"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_notice_choice")),
    )  # fmt: skip
    op.create_table(
        "notice",
        _number("id"), _number("ward_id"), _words("topic"), _words("source"), _words("once"), _words("action"),
        _words("subject"), _words("subject_id"), _number("actor_id", True), _moment("at", False), _moment("spread_at"),
        _of("notice", "ward_id", "ward"), _of("notice", "actor_id", "staff"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        sa.UniqueConstraint("ward_id", "source", name=op.f("uq_notice_ward_id_source")),
    )  # fmt: skip
    _partial("ix_notice_waiting", "notice", ["id"], "spread_at is null")
    op.create_table(
        "notice_letter",
        _number("id"), _number("ward_id"), _number("notice_id"), _number("user_id"), _words("once"),
        sa.Column("urgent", sa.Boolean(), nullable=False), _words("state"), _moment("next_at", False), _number("tries"),
        _number("bot_id", True), _words("detail"), _moment("wire_at"), _moment("done_at"), _moment("created_at", False),
        _of("notice_letter", "ward_id", "ward"), _of("notice_letter", "notice_id", "notice"), _of("notice_letter", "user_id", "staff"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice_letter")),
        sa.UniqueConstraint("user_id", "once", name=op.f("uq_notice_letter_user_id_once")),
    )  # fmt: skip
    for column in ("ward_id", "notice_id"):
        op.create_index(op.f(f"ix_notice_letter_{column}"), "notice_letter", [column])
    _partial("ix_notice_letter_open", "notice_letter", ["next_at", "user_id"], "state in ('waiting', 'wire')")
    op.create_index("ix_notice_letter_user", "notice_letter", ["user_id", "id"])


def _partial(name: str, table: str, columns: list[str], where: str, unique: bool = False) -> None:
    op.create_index(name, table, columns, unique=unique, sqlite_where=sa.text(where), postgresql_where=sa.text(where))

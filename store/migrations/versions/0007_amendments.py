"""Corrections of published posts («Đính chính»): what was approved, each delivery's part of it, and what readers are told."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ILLEGAL = """not (
         (old.state = 'waiting' and new.state in ('due', 'void'))
         or (old.state = 'due' and new.state in ('wire', 'refused', 'needs_human', 'void'))
         or (old.state = 'wire' and new.state in ('due', 'done', 'refused', 'needs_human', 'void'))
         or (old.state in ('refused', 'needs_human') and new.state in ('due', 'done', 'void')))"""

_SQLITE = (
    f"""create trigger amendment_line_legal_move before update of state on amendment_line
       when old.state <> new.state and {_ILLEGAL}
       begin select raise(abort, 'illegal move of a correction'); end""",
)

_POSTGRESQL = (
    """create function amendment_line_legal_move() returns trigger language plpgsql as $$
       begin raise exception 'illegal move of a correction: % to %', old.state, new.state; end $$""",
    f"""create trigger amendment_line_legal_move before update of state on amendment_line for each row
       when (old.state is distinct from new.state and {_ILLEGAL}) execute function amendment_line_legal_move()""",
)


def upgrade() -> None:
    op.add_column("article", sa.Column("corrections", sa.JSON(), nullable=False, server_default="[]"))
    _amendments()
    _lines()
    for statement in _POSTGRESQL if op.get_bind().dialect.name == "postgresql" else _SQLITE:
        op.execute(statement)


def _amendments() -> None:
    op.create_table(
        "amendment",
        _number("id"), _number("ward_id"), _number("post_id"), _words("title"), _words("summary"), _text("body"),
        _json("fields"), _json("own_words"), _text("note"), _words("state"), _words("digest"), _words("answer"),
        _number("author_id"), _number("approver_id", True), _moment("submitted_at", False), _moment("approved_at"),
        _moment("updated_at", False),
        _of("amendment", "ward_id", "ward"), _of("amendment", "post_id", "post"), _of("amendment", "author_id", "staff"),
        _of("amendment", "approver_id", "staff"),
        sa.CheckConstraint(
            "approver_id is null or approver_id <> author_id", name=op.f("ck_amendment_approver_is_not_author")
        ),
        sa.CheckConstraint(
            "state <> 'approved' or (approver_id is not null and digest <> '')",
            name=op.f("ck_amendment_approved_by_someone"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_amendment")),
    )  # fmt: skip
    for column in ("ward_id", "post_id"):
        op.create_index(op.f(f"ix_amendment_{column}"), "amendment", [column])
    _partial("uq_amendment_open", "amendment", ["post_id"], "state in ('submitted', 'returned')", unique=True)


def _lines() -> None:
    op.create_table(
        "amendment_line",
        _number("id"), _number("ward_id"), _number("amendment_id"), _number("delivery_id"), _words("state"), _json("message"),
        _number("part"), _moment("next_at", False), _number("tries"), _number("doubts"), _number("fence"), _words("epoch"),
        _words("reason"), _text("detail"), _moment("done_at"),
        _of("amendment_line", "ward_id", "ward"), _of("amendment_line", "amendment_id", "amendment"),
        _of("amendment_line", "delivery_id", "delivery"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_amendment_line")),
        sa.UniqueConstraint("amendment_id", "delivery_id", name=op.f("uq_amendment_line_amendment_id_delivery_id")),
    )  # fmt: skip
    for column in ("ward_id", "delivery_id"):
        op.create_index(op.f(f"ix_amendment_line_{column}"), "amendment_line", [column])
    _partial("ix_amendment_line_open", "amendment_line", ["next_at", "id"], "state in ('due', 'wire')")


def _number(name: str, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.Integer(), nullable=nullable)


def _words(name: str) -> sa.Column:
    return sa.Column(name, sa.String(), nullable=False)


def _text(name: str) -> sa.Column:
    return sa.Column(name, sa.Text(), nullable=False)


def _json(name: str) -> sa.Column:
    return sa.Column(name, sa.JSON(), nullable=False)


def _moment(name: str, nullable: bool = True) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _of(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=op.f(f"fk_{table}_{column}"))


def _partial(name: str, table: str, columns: list[str], where: str, unique: bool = False) -> None:
    op.create_index(name, table, columns, unique=unique, sqlite_where=sa.text(where), postgresql_where=sa.text(where))

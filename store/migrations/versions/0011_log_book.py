"""The log book of the loudspeakers («Sổ phát thanh»): it only grows."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_SQLITE = (
    """create trigger log_entry_only_grows before update on log_entry
       begin select raise(abort, 'the log book only grows'); end""",
    """create trigger log_entry_stays before delete on log_entry
       begin select raise(abort, 'the log book only grows'); end""",
)

_POSTGRESQL = (
    """create function log_entry_only_grows() returns trigger language plpgsql as $$
       begin raise exception 'the log book only grows'; end $$""",
    """create trigger log_entry_only_grows before update or delete on log_entry for each row
       execute function log_entry_only_grows()""",
)


def upgrade() -> None:
    op.create_table(
        "log_entry",
        *(_number(name) for name in ("id", "ward_id", "number", "delivery_id", "post_id", "outlet_id")),
        _moment("at", False), _moment("due_at", False), _moment("began_at"), _moment("ended_at"), _moment("tried_at"),
        _words("verdict"), _words("title"), _words("urgency"), _number("length"), _number("seconds"), _words("way"),
        sa.Column("clusters", sa.JSON(), nullable=False),
        *(_words(name) for name in ("author", "approver", "source", "evidence")),
        sa.Column("remark", sa.Text(), nullable=False),
        _number("by_id", True), _words("by"), _number("corrects", True), _moment("written_at", False),
        *(_of(column, other) for column, other in _REFERENCES.items()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_entry")),
        sa.UniqueConstraint("ward_id", "number", name=op.f("uq_log_entry_ward_id_number")),
        sa.UniqueConstraint("corrects", name=op.f("uq_log_entry_corrects")),
        sa.CheckConstraint(
            "verdict in ('played', 'partly', 'unknown', 'silent')", name=op.f("ck_log_entry_known_verdict")
        ),
    )  # fmt: skip
    op.create_index("ix_log_entry_ward_id_at", "log_entry", ["ward_id", "at"])
    for column in ("delivery_id", "outlet_id"):
        op.create_index(op.f(f"ix_log_entry_{column}"), "log_entry", [column])
    for statement in _POSTGRESQL if op.get_bind().dialect.name == "postgresql" else _SQLITE:
        op.execute(statement)


_REFERENCES = {
    "ward_id": "ward", "delivery_id": "delivery", "post_id": "post", "outlet_id": "outlet", "by_id": "staff",
    "corrects": "log_entry",
}  # fmt: skip


def _number(name: str, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.Integer(), nullable=nullable)


def _words(name: str) -> sa.Column:
    return sa.Column(name, sa.String(), nullable=False)


def _moment(name: str, nullable: bool = True) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _of(column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=op.f(f"fk_log_entry_{column}"))

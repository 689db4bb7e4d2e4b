"""Holds, the durable breaker, recipients of a fan-out, the installation's own identity, and indexes for a long history."""

import secrets
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

LEGAL = [("due", "unknown"), ("held", "unknown"), ("prepared", "unknown")]

_ILLEGAL = """not (
         (old.state = 'waiting' and new.state in ('wire', 'cancelled'))
         or (old.state = 'wire' and new.state in ('sent', 'failed', 'unknown', 'waiting'))
         or (old.state = 'unknown' and new.state in ('sent', 'waiting', 'closed')))"""

_SQLITE = (
    f"""create trigger recipient_legal_move before update of state on recipient
       when old.state <> new.state and {_ILLEGAL}
       begin select raise(abort, 'illegal move of a recipient'); end""",
)

_POSTGRESQL = (
    """create function recipient_legal_move() returns trigger language plpgsql as $$
       begin raise exception 'illegal move of a recipient: % to %', old.state, new.state; end $$""",
    f"""create trigger recipient_legal_move before update of state on recipient for each row
       when (old.state is distinct from new.state and {_ILLEGAL}) execute function recipient_legal_move()""",
)


def upgrade() -> None:
    _columns()
    _tables()
    _indexes()
    moves = sa.table("delivery_move", sa.column("from_state"), sa.column("to_state"))
    op.bulk_insert(moves, [{"from_state": old, "to_state": new} for old, new in LEGAL])
    postgresql = op.get_bind().dialect.name == "postgresql"
    for statement in _POSTGRESQL if postgresql else _SQLITE:
        op.execute(statement)
    instance = sa.table("instance", *(sa.column(name) for name in ("id", "name", "seed", "epoch", "home", "safe_mode")),
                        sa.column("created_at", sa.DateTime(timezone=True)))  # fmt: skip
    now = datetime.now(UTC)
    row = {"id": 1, "name": secrets.token_hex(8), "seed": secrets.token_hex(16), "epoch": 1, "home": "", "safe_mode": "",
           "created_at": now if postgresql else now.replace(tzinfo=None)}  # fmt: skip
    op.bulk_insert(instance, [row])


def _columns() -> None:
    moment = sa.DateTime(timezone=True)
    empty = {"nullable": False, "server_default": ""}
    op.add_column("outlet", sa.Column("rest_until", moment, nullable=True))
    op.add_column("outlet", sa.Column("renewing", sa.String(), **empty))
    op.add_column("outlet", sa.Column("renewing_at", moment, nullable=True))
    op.add_column("post", sa.Column("urgency", sa.String(), nullable=False, server_default="normal"))
    op.add_column("post", sa.Column("text_digest", sa.String(), **empty))
    op.add_column("post", sa.Column("repeat_ok", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("delivery", sa.Column("rank", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("delivery", sa.Column("hold_id", sa.Integer(), nullable=True))
    op.add_column("worker", sa.Column("role", sa.String(), nullable=False, server_default="daemon"))
    op.add_column("worker", sa.Column("passed_at", moment, nullable=True))


def _tables() -> None:
    op.create_table(
        "subscriber",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ward_id", sa.Integer(), nullable=False),
        sa.Column("outlet_id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["ward_id"], ["ward.id"], name=op.f("fk_subscriber_ward_id")),
        sa.ForeignKeyConstraint(["outlet_id"], ["outlet.id"], name=op.f("fk_subscriber_outlet_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriber")),
        sa.UniqueConstraint("outlet_id", "address", name=op.f("uq_subscriber_outlet_id_address")),
    )
    op.create_index(op.f("ix_subscriber_ward_id"), "subscriber", ["ward_id"])
    op.create_table(
        "recipient",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ward_id", sa.Integer(), nullable=False),
        sa.Column("delivery_id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.String(), nullable=False),
        sa.Column("remote_id", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("wire_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["ward_id"], ["ward.id"], name=op.f("fk_recipient_ward_id")),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name=op.f("fk_recipient_delivery_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recipient")),
        sa.UniqueConstraint("delivery_id", "address", name=op.f("uq_recipient_delivery_id_address")),
    )
    op.create_table(
        "hold",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ward_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("released_by", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["ward_id"], ["ward.id"], name=op.f("fk_hold_ward_id")),
        sa.ForeignKeyConstraint(["author_id"], ["staff.id"], name=op.f("fk_hold_author_id")),
        sa.ForeignKeyConstraint(["released_by"], ["staff.id"], name=op.f("fk_hold_released_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hold")),
    )
    op.create_index(op.f("ix_hold_ward_id"), "hold", ["ward_id"])
    op.create_table(
        "instance",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("seed", sa.String(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("home", sa.String(), nullable=False),
        sa.Column("safe_mode", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("restored_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("proved_restore_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instance")),
    )


def _indexes() -> None:
    op.create_index("ix_post_text_digest", "post", ["ward_id", "text_digest"])
    op.create_index("ix_delivery_outlet_wire", "delivery", ["outlet_id", "wire_at"])
    op.drop_index("ix_delivery_waiting", "delivery")
    _partial("ix_delivery_waiting", "delivery", ["next_at", "id", "outlet_id"], "state = 'due'")
    _partial("ix_delivery_next", "delivery", ["outlet_id", "rank", "next_at", "id"], "state = 'due'")
    _partial("ix_delivery_expiring", "delivery", ["expires_at"], "state in ('due', 'held')")
    under_way = "state in ('prepared', 'wire', 'unknown')"
    _partial("ix_delivery_under_way", "delivery", ["outlet_id", "state", "looks"], under_way)
    _partial("ix_recipient_waiting", "recipient", ["delivery_id", "next_at", "id"], "state = 'waiting'")
    _partial("ix_recipient_under_way", "recipient", ["delivery_id", "epoch"], "state = 'wire'")


def _partial(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))

"""The programme of the loudspeakers: slots, silent days, the order that a person chose; a bulletin's slot and length."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

IN_FORCE = sa.text("ended_at is null")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("variant", sa.Column("slot_at", MOMENT, nullable=True))
    op.add_column("variant", sa.Column("seconds", sa.Integer(), nullable=False, server_default="0"))
    _slots()
    _silent_days()
    _places()


def _slots() -> None:
    op.create_table(
        "programme_slot",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ward_id", sa.Integer(), nullable=False),
        sa.Column("outlet_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("weekdays", sa.JSON(), nullable=False),
        sa.Column("starts", sa.String(), nullable=False),
        sa.Column("longest_minutes", sa.Integer(), nullable=False),
        sa.Column("repeats", sa.Integer(), nullable=False),
        sa.Column("pause_seconds", sa.Integer(), nullable=False),
        sa.Column("on_holidays", sa.Boolean(), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.CheckConstraint("longest_minutes between 1 and 60", name=op.f("ck_programme_slot_length")),
        sa.CheckConstraint("repeats between 0 and 3", name=op.f("ck_programme_slot_repeats")),
        sa.CheckConstraint("pause_seconds between 0 and 600", name=op.f("ck_programme_slot_pause")),
        sa.ForeignKeyConstraint(["ward_id"], ["ward.id"], name=op.f("fk_programme_slot_ward_id")),
        sa.ForeignKeyConstraint(["outlet_id"], ["outlet.id"], name=op.f("fk_programme_slot_outlet_id")),
        sa.ForeignKeyConstraint(["author_id"], ["staff.id"], name=op.f("fk_programme_slot_author_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_programme_slot")),
    )
    op.create_index(op.f("ix_programme_slot_ward_id"), "programme_slot", ["ward_id"])
    op.create_index(op.f("ix_programme_slot_outlet_id"), "programme_slot", ["outlet_id"])
    op.create_index(
        "uq_programme_slot_in_force", "programme_slot", ["outlet_id", "name"], unique=True, sqlite_where=IN_FORCE,
        postgresql_where=IN_FORCE,
    )  # fmt: skip


def _silent_days() -> None:
    op.create_table(
        "silent_day",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ward_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["ward_id"], ["ward.id"], name=op.f("fk_silent_day_ward_id")),
        sa.ForeignKeyConstraint(["author_id"], ["staff.id"], name=op.f("fk_silent_day_author_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_silent_day")),
        sa.UniqueConstraint("ward_id", "day", name=op.f("uq_silent_day_ward_id_day")),
    )
    op.create_index(op.f("ix_silent_day_ward_id"), "silent_day", ["ward_id"])


def _places() -> None:
    op.create_table(
        "programme_place",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ward_id", sa.Integer(), nullable=False),
        sa.Column("slot_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("post_id", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["ward_id"], ["ward.id"], name=op.f("fk_programme_place_ward_id")),
        sa.ForeignKeyConstraint(["slot_id"], ["programme_slot.id"], name=op.f("fk_programme_place_slot_id")),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_programme_place_post_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_programme_place")),
        sa.UniqueConstraint("slot_id", "day", "post_id", name=op.f("uq_programme_place_slot_id_day_post_id")),
    )
    op.create_index(op.f("ix_programme_place_ward_id"), "programme_place", ["ward_id"])

"""What an article invites to; the ward's archive of what was broadcast."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("article", sa.Column("event", sa.JSON(), nullable=True))
    op.create_table(
        "broadcast",
        sa.Column("delivery_id", sa.Integer(), nullable=False),
        sa.Column("ward_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("transcript", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=False),
        sa.Column("synthetic", sa.Boolean(), nullable=False),
        sa.Column("aired_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name=op.f("fk_broadcast_delivery_id")),
        sa.ForeignKeyConstraint(["ward_id"], ["ward.id"], name=op.f("fk_broadcast_ward_id")),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_broadcast")),
    )
    op.create_index("ix_broadcast_ward_id_aired_at", "broadcast", ["ward_id", "aired_at"])

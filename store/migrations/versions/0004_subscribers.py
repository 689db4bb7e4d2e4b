"""The life of a subscriber: asked, confirmed, left; how they agreed; letters that came back."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

UNDER_WAY = sa.text("letter in ('due', 'wire')")


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    empty = {"nullable": False, "server_default": ""}
    none = {"nullable": False, "server_default": "0"}
    op.add_column("subscriber", sa.Column("state", sa.String(), nullable=False, server_default="active"))
    for name in ("code", "consent", "letter"):
        op.add_column("subscriber", sa.Column(name, sa.String(), **empty))
    for name in ("bounces", "letter_tries"):
        op.add_column("subscriber", sa.Column(name, sa.Integer(), **none))
    for name in ("letter_at", "asked_at", "confirmed_at", "left_at"):
        op.add_column("subscriber", sa.Column(name, moment, nullable=True))
    op.execute("update subscriber set state = 'suspended' where not active")
    op.create_index("ix_subscriber_code", "subscriber", ["code"])
    op.create_index(
        "ix_subscriber_letter", "subscriber", ["letter_at"], sqlite_where=UNDER_WAY, postgresql_where=UNDER_WAY
    )

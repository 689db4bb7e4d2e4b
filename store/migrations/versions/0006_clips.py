"""A video or a sound file of a post; whether a post is pinned; an article's clip."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    empty = {"nullable": False, "server_default": ""}
    none = {"nullable": False, "server_default": "0"}
    op.add_column("post", sa.Column("pin", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("article", sa.Column("clip", sa.JSON(), nullable=True))
    op.create_table(
        "clip",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ward_id", sa.Integer(), nullable=False),
        sa.Column("original", sa.String(), nullable=False),
        sa.Column("name", sa.String(), **empty),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("trouble", sa.String(), **empty),
        sa.Column("kind", sa.String(), **empty),
        sa.Column("sha256", sa.String(), **empty),
        sa.Column("mime", sa.String(), **empty),
        sa.Column("size", sa.Integer(), **none),
        sa.Column("seconds", sa.Float(), **none),
        sa.Column("width", sa.Integer(), **none),
        sa.Column("height", sa.Integer(), **none),
        sa.Column("poster", sa.String(), **empty),
        sa.Column("started_at", moment, nullable=True),
        sa.Column("created_at", moment, nullable=False),
        sa.ForeignKeyConstraint(["ward_id"], ["ward.id"], name=op.f("fk_clip_ward_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clip")),
        sa.UniqueConstraint("ward_id", "original", name=op.f("uq_clip_ward_id_original")),
    )
    op.create_index(op.f("ix_clip_ward_id"), "clip", ["ward_id"])
    op.create_index(op.f("ix_clip_sha256"), "clip", ["sha256"])
    op.create_table(
        "post_clip",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ward_id", sa.Integer(), nullable=False),
        sa.Column("post_id", sa.Integer(), nullable=False),
        sa.Column("clip_id", sa.Integer(), nullable=False),
        sa.Column("about", sa.Text(), **empty),
        sa.ForeignKeyConstraint(["ward_id"], ["ward.id"], name=op.f("fk_post_clip_ward_id")),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_post_clip_post_id")),
        sa.ForeignKeyConstraint(["clip_id"], ["clip.id"], name=op.f("fk_post_clip_clip_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_post_clip")),
        sa.UniqueConstraint("post_id", name=op.f("uq_post_clip_post_id")),
    )
    op.create_index(op.f("ix_post_clip_ward_id"), "post_clip", ["ward_id"])

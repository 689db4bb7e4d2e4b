"""Several pictures for a post, each with its own words; the upload's own bytes; an article's gallery."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("media", sa.Column("original", sa.String(), nullable=False, server_default=""))
    op.add_column("article", sa.Column("gallery", sa.JSON(), nullable=False, server_default="[]"))
    op.create_table(
        "post_picture",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ward_id", sa.Integer(), nullable=False),
        sa.Column("post_id", sa.Integer(), nullable=False),
        sa.Column("media_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("alt", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["ward_id"], ["ward.id"], name=op.f("fk_post_picture_ward_id")),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_post_picture_post_id")),
        sa.ForeignKeyConstraint(["media_id"], ["media.id"], name=op.f("fk_post_picture_media_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_post_picture")),
        sa.UniqueConstraint("post_id", "position", name=op.f("uq_post_picture_post_id_position")),
    )
    op.create_index(op.f("ix_post_picture_ward_id"), "post_picture", ["ward_id"])
    op.execute(
        """insert into post_picture (ward_id, post_id, media_id, position, alt)
           select ward_id, id, media_id, 0, '' from post where media_id is not null order by id"""
    )

"""The announcer's recordings: kept for good, and which of them is heard of a post at an outlet."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_SQLITE = (
    """create trigger recording_never_changes before update on recording
       begin select raise(abort, 'a recording never changes'); end""",
    """create trigger recording_stays before delete on recording
       begin select raise(abort, 'a recording never changes'); end""",
)
_POSTGRESQL = (
    """create function recording_never_changes() returns trigger language plpgsql as $$
       begin raise exception 'a recording never changes'; end $$""",
    """create trigger recording_never_changes before update or delete on recording for each row
       execute function recording_never_changes()""",
)


def upgrade() -> None:
    _recording()
    _post_recording()
    for statement in _POSTGRESQL if op.get_bind().dialect.name == "postgresql" else _SQLITE:
        op.execute(statement)


def _recording() -> None:
    figures = ("seconds", "loudness", "peak", "heard_loudness", "heard_peak", "heard_seconds")
    op.create_table(
        "recording",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ward_id", sa.Integer(), nullable=False),
        sa.Column("post_id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Float(), nullable=False) for name in figures),
        sa.Column("announcer_id", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["ward_id"], ["ward.id"], name=op.f("fk_recording_ward_id")),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_recording_post_id")),
        sa.ForeignKeyConstraint(["announcer_id"], ["staff.id"], name=op.f("fk_recording_announcer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recording")),
    )
    for column in ("ward_id", "post_id", "sha256"):
        op.create_index(op.f(f"ix_recording_{column}"), "recording", [column])


def _post_recording() -> None:
    op.create_table(
        "post_recording",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ward_id", sa.Integer(), nullable=False),
        sa.Column("post_id", sa.Integer(), nullable=False),
        sa.Column("outlet_id", sa.Integer(), nullable=False),
        sa.Column("recording_id", sa.Integer(), nullable=False),
        sa.Column("reading_of", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["ward_id"], ["ward.id"], name=op.f("fk_post_recording_ward_id")),
        sa.ForeignKeyConstraint(["post_id"], ["post.id"], name=op.f("fk_post_recording_post_id")),
        sa.ForeignKeyConstraint(["outlet_id"], ["outlet.id"], name=op.f("fk_post_recording_outlet_id")),
        sa.ForeignKeyConstraint(["recording_id"], ["recording.id"], name=op.f("fk_post_recording_recording_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_post_recording")),
        sa.UniqueConstraint("post_id", "outlet_id", name=op.f("uq_post_recording_post_id")),
    )
    op.create_index(op.f("ix_post_recording_ward_id"), "post_recording", ["ward_id"])

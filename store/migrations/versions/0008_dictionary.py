"""The ward's own dictionary of readings, its region's number words, and an editor's own reading of a post.

What stood in the settings of a ward's loudspeakers (its words, its region) moves to the ward.
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

IN_FORCE = sa.text("until is null")
_OUTLET = sa.table("outlet", sa.column("id"), sa.column("ward_id"), sa.column("kind"), sa.column("settings", sa.JSON()))
_WARD = sa.table("ward", sa.column("id"), sa.column("region"), sa.column("readings"))
_ENTRY = sa.table(
    "dictionary_entry", *(sa.column(name) for name in ("ward_id", "written", "spoken", "state")),
    sa.column("since", sa.DateTime(timezone=True)),
)  # fmt: skip


def upgrade() -> None:
    op.add_column("ward", sa.Column("region", sa.String(), nullable=False, server_default="north"))
    op.add_column("ward", sa.Column("readings", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("variant", sa.Column("reading", sa.Text(), nullable=True))
    op.add_column("variant", sa.Column("reading_of", sa.String(), nullable=False, server_default=""))
    _dictionary()
    _from_settings()


def _dictionary() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "dictionary_entry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ward_id", sa.Integer(), nullable=False),
        sa.Column("written", sa.String(), nullable=False),
        sa.Column("spoken", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("since", moment, nullable=False),
        sa.Column("until", moment, nullable=True),
        sa.Column("author_id", sa.Integer(), nullable=True),
        sa.Column("confirmer_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["ward_id"], ["ward.id"], name=op.f("fk_dictionary_entry_ward_id")),
        sa.ForeignKeyConstraint(["author_id"], ["staff.id"], name=op.f("fk_dictionary_entry_author_id")),
        sa.ForeignKeyConstraint(["confirmer_id"], ["staff.id"], name=op.f("fk_dictionary_entry_confirmer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dictionary_entry")),
    )
    op.create_index(op.f("ix_dictionary_entry_ward_id"), "dictionary_entry", ["ward_id"])
    op.create_index(
        "uq_dictionary_entry_in_force", "dictionary_entry", ["ward_id", "written"], unique=True,
        sqlite_where=IN_FORCE, postgresql_where=IN_FORCE,
    )  # fmt: skip


def _from_settings() -> None:
    """They were in force before this: posts that are approved already keep their readings."""
    link, known = op.get_bind(), set[tuple[int, str]]()
    long_ago = datetime(2000, 1, 1, tzinfo=UTC)
    since = long_ago if link.dialect.name == "postgresql" else long_ago.replace(tzinfo=None)
    for id, ward_id, settings in link.execute(
        sa.select(_OUTLET.c.id, _OUTLET.c.ward_id, _OUTLET.c.settings).where(_OUTLET.c.kind == "loudspeaker")
    ).all():
        words, region = settings.pop("words", None) or {}, settings.pop("region", "north")
        link.execute(sa.update(_OUTLET).where(_OUTLET.c.id == id).values(settings=settings))
        if region == "south":
            link.execute(sa.update(_WARD).where(_WARD.c.id == ward_id).values(region=region))
        for written, spoken in words.items():
            if (ward_id, written) in known:
                continue
            known.add((ward_id, written))
            row = {"ward_id": ward_id, "written": written, "spoken": spoken, "state": "confirmed", "since": since}
            link.execute(sa.insert(_ENTRY).values(row))
        if words:
            link.execute(sa.update(_WARD).where(_WARD.c.id == ward_id).values(readings=_WARD.c.readings + 1))

"""Whether a post is also announced to an outlet's followers: chosen for each post; what was there before keeps its outlet's setting."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("variant", sa.Column("announce", sa.Boolean(), nullable=True))

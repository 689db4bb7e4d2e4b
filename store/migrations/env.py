"""Alembic's door: runs the migrations on the engine handed in, each in one transaction."""

from alembic import context
from sqlmodel import SQLModel

import store.tables  # noqa: F401

with context.config.attributes["engine"].execution_options(lantoa_write=True).connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        render_as_batch=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()

"""Alembic's entry. syncd hands in its own open transaction; a developer's `alembic` command opens alembic.ini's URL."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context

from syncd.store.schema import metadata


def migrate(connection: sa.Connection) -> None:
    """Run the revisions on a connection; transactional also on SQLite, whose driver would not be by itself."""
    context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    with sa.create_engine(context.config.get_main_option("sqlalchemy.url") or "").begin() as own:
        migrate(own)

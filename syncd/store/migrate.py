"""Revisions of the state's schema. Alembic alone creates tables; it runs inside one of our writing transactions, so a
migration that is killed half-way never happened, and of two that start together the second finds nothing to do.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from syncd.errors import SetupNeeded, StateUnreachable
from syncd.store.schema import REVISIONS, Transaction

if TYPE_CHECKING:
    from syncd.store.database import State

_UPGRADE = "syncd db upgrade"
_FOUND = sa.text("SELECT version_num FROM alembic_version")


def scripts() -> Path:
    """The directory of the migrations: inside the installed package, or beside it in a source checkout."""
    package = Path(__file__).resolve().parents[1]
    for place in (package / "migrations", package.parent / "migrations"):
        if (place / "env.py").is_file():
            return place
    raise StateUnreachable("the migrations are missing from this installation", remedy="install syncd again")


def tables(tx: Transaction) -> set[str]:
    """Names of all tables in the state database's default schema."""
    return set(sa.inspect(tx).get_table_names())


def revision(state: State) -> str | None:
    """The revision the state is at; None for an empty database."""
    with state.read() as tx:
        return _revision(tx)


def _revision(tx: Transaction) -> str | None:
    if "alembic_version" not in tables(tx):
        return None
    found: str | None = tx.execute(_FOUND).scalar_one_or_none()
    return found


def check_schema(state: State) -> None:
    """Raise `SetupNeeded` unless the state is exactly at the revision of this code."""
    found = revision(state)
    if found is None:
        raise SetupNeeded("the state database has no tables yet", remedy=_UPGRADE)
    _refuse(state, found)


def check_revision(state: State, tx: Transaction) -> None:
    """`check_schema` of a state with tables, inside the caller's transaction."""
    _refuse(state, tx.execute(_FOUND).scalar_one())


def _refuse(state: State, found: str) -> None:
    _refuse_newer(state, found)
    if found != REVISIONS[-1]:
        raise SetupNeeded(f"the state is at revision {found}, this syncd needs {REVISIONS[-1]}", remedy=_UPGRADE)


def upgrade(state: State) -> None:
    """Bring the state to the revision of this code, all or nothing."""
    with state.begin() as tx:
        upgrade_in(state, tx)


def upgrade_in(state: State, tx: Transaction) -> None:
    """`upgrade` inside a writing transaction of the caller's."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(scripts()).replace("%", "%%"))
    _refuse_newer(state, _revision(tx))
    config.attributes["connection"] = tx
    command.upgrade(config, "head")


def way_back(state: State) -> str:
    """How to put the backup from before an upgrade in place again. There is no downgrade of a schema: the old tables
    have no place for what a newer version wrote, and without it customers would be written again."""
    if state.path is None:
        url = state.reader.url
        place = f"--host={url.host} --port={url.port or 5432} --username={url.username} --dbname={url.database}"
        command = f"pg_restore --clean --if-exists {place} FILE"
    else:
        command = f"rm -f {state.path}-wal {state.path}-shm && cp FILE {state.path}"
    return f"stop syncd, then {command}, then syncd recover"


def _refuse_newer(state: State, found: str | None) -> None:
    if found is not None and found not in REVISIONS:
        raise SetupNeeded(
            f"the state is at revision {found}, which this syncd does not know: a newer one wrote it",
            remedy=f"install the newer syncd again, or go back to the backup from before: {way_back(state)}",
        )

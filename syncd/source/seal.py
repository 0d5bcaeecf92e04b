"""Checks triggers that the account cannot see: MariaDB and MySQL show them only to accounts with the right to change
them (TRIGGER).

syncd's account should not have that right, so the installing account leaves a seal beside the log: a digest of every
trigger that it made. The seal tells a trigger that was never made, or is another one than the settings ask for. A write
tells whether a trigger still exists: a row is set to the values that it has, its mark must be in the log, and both are
rolled back.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import sqlalchemy as sa

from syncd.errors import Problem, SyncdError
from syncd.source.database import Source, in_transaction
from syncd.source.failures import INSTALL, translated
from syncd.source.naming import quoted
from syncd.source.shape import Watched

PROBE = "syncd:probe"
BY_ADMINISTRATOR = "Have an administrator run what `syncd triggers install --print-sql` prints."


def table(source: Source) -> str:
    """The name of the seal's table, quoted; it is in the log's schema."""
    name = quoted(source, "syncd_seal")
    return f"{quoted(source, source.log.schema)}.{name}" if source.log.schema else name


def statements(source: Source, wanted: Mapping[str, str]) -> list[str]:
    """The statements that the installing account runs last; safe to repeat."""
    here, column = table(source), "CHAR(32) CHARACTER SET ascii NOT NULL"
    rows = ", ".join(f"('{_name(name)}', '{_digest(text)}')" for name, text in wanted.items())
    return [
        f"CREATE TABLE IF NOT EXISTS {here} (name {column} PRIMARY KEY, made {column}) ENGINE = InnoDB",
        f"REPLACE INTO {here} (name, made) VALUES {rows}",  # noqa: S608 - digests, and names that reflection gave
    ]


def is_blind(conn: sa.Connection, watched: Watched) -> bool:
    """Whether this account may not see triggers on this table."""
    schema = watched.table.schema or str(conn.execute(sa.text("SELECT DATABASE()")).scalar_one())
    places = {"*.*", f"`{schema}`.*", f"`{schema}`.`{watched.table.name}`"}
    for (grant,) in conn.execute(sa.text("SHOW GRANTS")):
        given, _, rest = str(grant).removeprefix("GRANT ").partition(" ON ")
        sees = "ALL PRIVILEGES" in given or "TRIGGER" in given.split(", ")
        if sees and rest.partition(" TO ")[0].replace("\\", "") in places:
            return False
    return True


def broken(conn: sa.Connection, source: Source, wanted: Mapping[str, str]) -> list[Problem]:
    """The problems that the seal tells of triggers that the account cannot see; `wanted` are the triggers by name."""
    kept = sa.table("syncd_seal", sa.column("name"), sa.column("made"), schema=source.log.schema)
    try:
        with translated():
            made = {row.name: row.made for row in conn.execute(sa.select(kept))}
    except SyncdError:
        reason = "this account sees no triggers, and no seal says that they were made."
        return [Problem("triggers", reason, BY_ADMINISTRATOR)]
    return [
        Problem("triggers", f"{name}: the seal knows no such trigger, or another one.", BY_ADMINISTRATOR)
        for name, text in wanted.items()
        if made.get(_name(name)) != _digest(text)
    ]


def dead(source: Source) -> list[Problem]:
    """The problems of triggers that leave no mark, each tried by a write of one row that is rolled back. None where the
    account may not write."""
    column = _writable(source)
    if source.is_view or column is None:
        return []

    def write(conn: sa.Connection) -> bool:
        found = conn.execute(sa.select(source.key).limit(1)).scalar()
        if found is None:
            return True
        conn.execute(source.table.update().where(source.key == found).values({column.key: column}))
        marks = sa.select(sa.func.count()).select_from(source.log).where(source.log.c.origin == PROBE)
        return bool(conn.execute(marks).scalar_one())

    try:
        with translated():
            lives = in_transaction(source, write, origin=PROBE, keep=lambda _: False)
    except SyncdError:
        return []  # a lock, or a missing right: proves nothing here, and other checks tell it
    reason = f'a write to "{source.table.name}" leaves no mark in the log: its trigger is gone.'
    return [] if lives else [Problem("triggers", reason, INSTALL)]


def _writable(source: Source) -> sa.Column[Any] | None:
    if not source.config.write:
        return None
    mine = (m for m in source.fields.values() if not m.join and not m.fixed and not m.is_key)
    return next((mapped.column for mapped in mine), None)


def _name(name: str) -> str:
    return blake2b(name.encode(), digest_size=16).hexdigest()


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()

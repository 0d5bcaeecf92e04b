"""Which columns of a view can be written, by what the database itself says; nothing is written to find out.

| database | who says so |
| --- | --- |
| PostgreSQL | `pg_relation_is_updatable`; where no INSTEAD OF trigger makes it so, `pg_column_is_updatable` |
| MariaDB, MySQL | `information_schema.VIEWS.IS_UPDATABLE`, and by column the plan of an UPDATE that reaches no row |
| SQLite | the plan of an UPDATE that reaches no row: it needs an INSTEAD OF trigger |
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy import exc

from syncd.core.model import Direction
from syncd.source.joins import NOT_WRITTEN
from syncd.source.reflection import FoundTable
from syncd.source.shape import Source

ONE_WAY = "the view cannot be written there"

_PG = """
SELECT a.attname FROM pg_attribute a
 WHERE a.attrelid = to_regclass(:view) AND a.attnum > 0 AND NOT a.attisdropped
   AND (pg_relation_is_updatable(a.attrelid, true) & 4) <> 0
   AND (pg_column_is_updatable(a.attrelid, a.attnum, false) OR (pg_relation_is_updatable(a.attrelid, false) & 4) = 0)"""
_NOT_UPDATABLE = frozenset({1288, 1348})  # the view, the column
_MY = "SELECT IS_UPDATABLE FROM information_schema.VIEWS WHERE TABLE_SCHEMA = :schema AND TABLE_NAME = :view"


def unwritable_columns(engine: sa.Engine, found: FoundTable, names: Sequence[str]) -> frozenset[str]:
    """Those of `names` that an UPDATE of the view would refuse."""
    view = sa.Table(
        found.name,
        sa.MetaData(),
        *(sa.Column(name, sa.types.NullType(), quote=True) for name in names),
        schema=found.schema,
        quote=True,
        quote_schema=True,
    )
    with engine.connect() as conn:
        if engine.dialect.name == "postgresql":
            full = engine.dialect.identifier_preparer.format_table(view)
            return frozenset(names) - set(conn.execute(sa.text(_PG), {"view": full}).scalars())
        if engine.dialect.name == "mysql":
            where = {"schema": found.schema or engine.url.database, "view": found.name}
            if conn.execute(sa.text(_MY), where).scalar() != "YES":
                return frozenset(names)
        return frozenset(name for name in names if not _planned(conn, view, name))


def _planned(conn: sa.Connection, view: sa.Table, name: str) -> bool:
    """Whether the database can plan (EXPLAIN) an UPDATE of this column."""
    column = view.c[name]
    update = view.update().where(sa.false()).values({column: column})
    statement = update.compile(dialect=conn.dialect, compile_kwargs={"literal_binds": True})
    try:
        conn.execution_options(no_parameters=True).exec_driver_sql(f"EXPLAIN {statement}").close()
    except exc.DBAPIError as error:
        code = error.orig.args[0] if error.orig is not None and error.orig.args else 0
        # MariaDB plans nothing for an account that may not see under the view: then the first write tells
        return conn.dialect.name == "mysql" and code not in _NOT_UPDATABLE
    return True


def one_way(source: Source) -> frozenset[str]:
    """The fields whose column the database does not let be written: a change at a provider is a question."""
    return frozenset(
        name
        for name, mapped in source.fields.items()
        if mapped.fixed and mapped.fixed != NOT_WRITTEN and not mapped.is_key
    )


def push_only(source: Source) -> frozenset[str]:
    """The fields that the settings do not let be written (a join with `write = false`): an edit at a provider is
    written over by the source's value."""
    return frozenset(name for name, mapped in source.fields.items() if mapped.fixed == NOT_WRITTEN)


def as_written(source: Source, wanted: dict[str, Direction]) -> dict[str, Direction]:
    """The directions of a provider's fields, narrowed by what the source lets be written."""
    narrower = {Direction.BOTH: Direction.PUSH, Direction.PULL: Direction.OFF}
    never: Iterable[str] = push_only(source)
    return wanted | {name: narrower.get(wanted[name], wanted[name]) for name in never if name in wanted}

"""Find source customers by the values they hold: before a new row is inserted, and before a remote is removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

from syncd.core.model import Value
from syncd.source.database import Source, reading
from syncd.source.joins import rows_from
from syncd.source.keys import spelled


def matching(source: Source, values: Mapping[str, Value], limit: int = 20) -> list[str]:
    """The keys of customers that have any of these values (number, VAT number, e-mail); text is compared without
    case."""
    with reading(source) as conn:
        return keys_like(conn, source, values, limit)


class Alike(NamedTuple):
    """The keys of customers that share a value; `left_out`: no customer does, but a row that the filters leave out
    (`[source.where]`, `[source.deleted]`)."""

    keys: list[str]
    left_out: bool


def alike(source: Source, values: Mapping[str, Value], limit: int = 20) -> Alike:
    """The keys of customers that have any of these values, or whether a row that the filters leave out has one; by one
    query."""
    query = _like(source, values, sa.case((sa.and_(sa.true(), *source.scope), 1), else_=0).label("within"))
    if query is None:
        return Alike([], left_out=False)
    with reading(source) as conn:
        rows = conn.execute(query.order_by(sa.desc("within")).limit(limit)).all()
    keys = sorted({spelled(source.key_kind, key) for key, within in rows if within})
    return Alike(keys, left_out=bool(rows) and not keys)


def keys_like(
    conn: sa.Connection, source: Source, values: Mapping[str, Value], limit: int, *, everywhere: bool = False
) -> list[str]:
    """The keys of customers that have any of these values, within a transaction; with `everywhere`, also those of rows
    that the filters leave out."""
    query = _like(source, values)
    if query is None:
        return []
    rows = conn.execute((query if everywhere else query.where(*source.scope)).limit(limit))
    return sorted({spelled(source.key_kind, row[0]) for row in rows})


def _like(source: Source, values: Mapping[str, Value], *more: sa.ColumnElement[Any]) -> sa.Select[Any] | None:
    """A query for the keys of rows that have any of these values, without filters; None where there is no value to
    compare."""
    conditions = [
        sa.func.lower(sa.cast(source.fields[name].column, sa.Text if source.dialect != "mysql" else sa.CHAR))
        == sa.func.lower(sa.literal(value))  # by the same rules: SQLite leaves letters beyond ASCII as they are
        for name, value in values.items()
        if isinstance(value, str) and value and name in source.fields
    ]
    if not conditions:
        return None
    asked = {mapped.join for name in values if (mapped := source.fields.get(name)) is not None and mapped.join}
    table = rows_from(source, source.scope_joins | asked)
    return sa.select(source.key, *more).select_from(table).where(sa.or_(*conditions)).distinct()


def number_taken(source: Source, number: str, other_than: str) -> bool:
    """Whether another live row carries this customer number."""
    return any(key != other_than for key in matching(source, {"number": number}))

"""Find source customers by the values they hold: before a new row is inserted, and before a remote is removed."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from syncd.core.model import Value
from syncd.source.database import Source, reading
from syncd.source.joins import rows_from
from syncd.source.keys import spelled


def matching(source: Source, values: Mapping[str, Value], limit: int = 20) -> list[str]:
    """Keys of rows that share any of these values (number, VAT number, e-mail), text compared without case."""
    with reading(source) as conn:
        return keys_like(conn, source, values, limit)


def is_left_out(source: Source, values: Mapping[str, Value]) -> bool:
    """Whether a row that the filters leave out (`[source.where]`, `[source.deleted]`) shares any of these values, and
    no row within them does."""
    if not source.scope:
        return False
    with reading(source) as conn:
        return bool(keys_like(conn, source, values, 1, everywhere=True) and not keys_like(conn, source, values, 1))


def keys_like(
    conn: sa.Connection, source: Source, values: Mapping[str, Value], limit: int, *, everywhere: bool = False
) -> list[str]:
    """The same within a transaction; `everywhere`: rows that the filters leave out count too."""
    conditions = [
        sa.func.lower(sa.cast(source.fields[name].column, sa.Text if source.dialect != "mysql" else sa.CHAR))
        == sa.func.lower(sa.literal(value))  # by the same rules: SQLite leaves letters beyond ASCII as they are
        for name, value in values.items()
        if isinstance(value, str) and value and name in source.fields
    ]
    if not conditions:
        return []
    asked = {mapped.join for name in values if (mapped := source.fields.get(name)) is not None and mapped.join}
    scope = () if everywhere else source.scope
    table = rows_from(source, source.scope_joins | asked)
    query = sa.select(source.key).select_from(table).where(*scope, sa.or_(*conditions)).distinct()
    rows = conn.execute(query.limit(limit))
    return sorted({spelled(source.key_kind, row[0]) for row in rows})


def number_taken(source: Source, number: str, other_than: str) -> bool:
    """Whether another live row carries this customer number."""
    return any(key != other_than for key in matching(source, {"number": number}))

"""Reads source rows as customers; `writing` writes one back, only where it is as it was read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from syncd.core.model import Customer
from syncd.source.database import Source, reading
from syncd.source.joins import rows_from
from syncd.source.keyed import comparable as comparable_key
from syncd.source.keyed import is_key, literal
from syncd.source.keys import KeyKind, bound, spelled
from syncd.source.rows import as_given, page_of, query_of
from syncd.source.translation import customers_of
from syncd.source.writing import Busy, Moved, Refused, Written, insert, unfit, update

__all__ = [
    "Busy",
    "Moved",
    "Presence",
    "Refused",
    "Written",
    "count",
    "insert",
    "page",
    "presence",
    "present",
    "read",
    "unfit",
    "update",
]

CHUNK = 200  # keys in one SELECT


class Presence(NamedTuple):
    """Where a row with a key exists: among the customers (`in_view`), or in the table at all (`in_table`; for a view,
    that is the first watched table).

    `deleted`: the row exists and counts as deleted. `outside`: the row exists and a filter of the settings excludes it.
    Both are proven by one look.
    """

    in_view: bool
    in_table: bool
    deleted: bool = False
    outside: bool = False


# --- reading -------------------------------------------------------------------------------------------------------


def read(source: Source, keys: Sequence[str]) -> dict[str, Customer]:
    """The customers with these keys, by the spelling that was asked for; a key without a row is missing in the answer.

    `Customer.key` is the row's own spelling: it differs where a mark has another case or padding.
    """
    found: dict[str, Customer] = {}
    wanted = list(dict.fromkeys(keys))
    for start in range(0, len(wanted), CHUNK):
        found.update(_read_chunk(source, wanted[start : start + CHUNK]))
    return found


def _read_chunk(source: Source, keys: Sequence[str]) -> dict[str, Customer]:
    asked = {key: value for key in keys if (value := bound(source.key_kind, key)) is not None}
    if not asked:
        return {}
    with reading(source) as conn:
        rows = conn.execute(_by_key(source), {"chosen": sorted(set(asked.values()), key=str)}).mappings().all()
        here = {customer.key: customer for customer in customers_of(source, rows)}
        found = {key: here[own] for key, value in asked.items() if (own := spelled(source.key_kind, value)) in here}
        if here and source.key_kind is KeyKind.TEXT:
            for key in asked.keys() - found.keys():
                own_key = _own_spelling(conn, source, key)
                if own_key in here:
                    found[key] = here[own_key]
    return found


def _by_key(source: Source) -> sa.Select[Any]:
    """The query for customers by their keys, built once for a source."""
    if "by_key" not in source.statements:
        chosen: sa.BindParameter[Any] = sa.bindparam("chosen", expanding=True)
        source.statements["by_key"] = query_of(source).where(source.key.in_(chosen))
    return source.statements["by_key"]


def _own_spelling(conn: sa.Connection, source: Source, value: Any) -> str | None:
    """The row's own spelling of a key that the database takes for equal (collation, padding); None for no row."""
    own = conn.execute(sa.select(as_given(source, source.key)).where(is_key(source, value)).limit(1)).scalar()
    return None if own is None else spelled(source.key_kind, own)


def page(source: Source, after: str | None, limit: int) -> list[Customer]:
    """The next customers in the order of the key column, after the key `after` (the last one of the page before; None
    for the first page)."""
    behind: sa.ColumnElement[bool] | None = None
    if after is not None:
        value = bound(source.key_kind, after)
        if value is None:
            return []
        behind = source.key > literal(source, value)
    with reading(source) as conn:
        return customers_of(source, conn.execute(page_of(source, behind, limit)).mappings().all())


def count(source: Source) -> int:
    """The number of customers."""
    query = sa.select(sa.func.count()).select_from(rows_from(source, source.scope_joins)).where(*source.scope)
    with reading(source) as conn:
        return int(conn.execute(query).scalar_one())


def presence(source: Source, key: str) -> Presence:
    """Where a row with this key exists: the proof that a deletion needs."""
    value = bound(source.key_kind, key)
    if value is None:
        return Presence(in_view=False, in_table=False)
    with reading(source) as conn:
        found = _standing(conn, source, value)
        if found is not None:
            return found
        if not source.is_view or not source.watched:
            return Presence(in_view=False, in_table=False)
        column = source.watched[0].key
        query = sa.select(sa.literal(1)).where(column == sa.literal(value, comparable_key(source, column))).limit(1)
        return Presence(in_view=False, in_table=conn.execute(query).first() is not None)


def _standing(conn: sa.Connection, source: Source, value: Any) -> Presence | None:
    """How the filters of the settings judge the row with this key; None where the table or view has none."""
    marked = sa.false() if source.gone is None else source.gone
    query = sa.select(_flag(marked), _flag(sa.and_(sa.true(), *source.scope)))
    row = conn.execute(query.select_from(rows_from(source, source.scope_joins)).where(is_key(source, value))).first()
    if row is None:
        return None
    deleted, inside = bool(row[0]), bool(row[1])
    return Presence(in_view=inside, in_table=not deleted, deleted=deleted, outside=not inside and not deleted)


def _flag(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.case((condition, 1), else_=0)


def present(source: Source, key: str) -> bool:
    """Whether a row with this key exists, in the view or in its table; one that counts as deleted does not."""
    where = presence(source, key)
    return where.in_view or where.in_table

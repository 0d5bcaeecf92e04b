"""Writes rows of joined tables: finds a customer's row, locks it, and proves that no other customer shares it.

Every writer locks in one order: the customer's row first, then the joined rows in the order of the settings. A joined
row that two customers share is never written. Example: two customers share an address; a provider's new street for one
of them would move the other, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from syncd.source.joins import lineage, rows_from
from syncd.source.reflection import KEY
from syncd.source.shape import Joined, Source

Identity = tuple[Any, ...]


def locked(conn: sa.Connection, source: Source, own: sa.ColumnElement[bool]) -> dict[str, Identity]:
    """The identity of each joined row that may be written, by join, and locked until the transaction ends; a join
    without a row is missing. `own` selects the customer, whose row is locked already."""
    found: dict[str, Identity] = {}
    for joined in source.joins:
        if not joined.write or not joined.identity:
            continue
        columns = [joined.alias.c[name] for name in joined.identity]
        rows = conn.execute(sa.select(*columns).select_from(rows_from(source, [joined.name])).where(own)).all()
        if len(rows) != 1 or any(value is None for value in rows[0]):
            continue
        found[joined.name] = tuple(rows[0])
        if source.dialect != "sqlite":  # SQLite: a writer holds the whole file
            conn.execute(sa.select(sa.literal(1)).where(_is(joined, found[joined.name])).with_for_update()).all()
    return found


def is_shared(conn: sa.Connection, source: Source, name: str, identity: Identity) -> bool:
    """Whether several customers have this joined row."""
    joined = next(each for each in source.joins if each.name == name)
    same = [joined.alias.c[column] == value for column, value in zip(joined.identity, identity, strict=True)]
    query = sa.select(source.key.label(KEY)).select_from(_inner(source, name)).where(*same).distinct().limit(2)
    return len(conn.execute(query).all()) > 1


def write(conn: sa.Connection, source: Source, name: str, identity: Identity, values: Mapping[str, Any]) -> int:
    """UPDATE one joined row. Answers how many rows were written: 1, or 0 where it is gone."""
    joined = next(each for each in source.joins if each.name == name)
    statement = joined.raw.update().where(_is(joined, identity)).values(dict(values))
    return conn.execute(statement).rowcount


def _is(joined: Joined, identity: Identity) -> sa.ColumnElement[bool]:
    return sa.and_(*(joined.raw.c[name] == value for name, value in zip(joined.identity, identity, strict=True)))


def _inner(source: Source, name: str) -> sa.FromClause:
    """The FROM clause of the customer table and the joins that lead to this one, as inner joins: customers without such
    a row are left out."""
    known = {joined.name: joined for joined in source.joins}
    clause: sa.FromClause = source.table
    for each in lineage(source, name):
        clause = clause.join(known[each].alias, known[each].condition)
    return clause

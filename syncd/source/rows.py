"""Queries for rows of customers: key and mapped columns as the driver gives them, with bounds for long texts."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from syncd.source.columns import LONGEST, MappedColumn, is_endless
from syncd.source.database import Source
from syncd.source.joins import rows_from
from syncd.source.reflection import KEY

ID = "syncd_id"  # how statements name the column of a provider's external ids
ROW = "syncd_row_"  # stands before the name of a join: a column that is NULL where the customer has no such row


def query_of(source: Source) -> sa.Select[Any]:
    """The query for key and mapped columns of customers, as the driver gives them: a value that a type of SQLAlchemy
    cannot hold must not make its page unreadable."""
    columns = [as_given(source, source.key).label(KEY)]
    columns += [_bounded(source, mapped).label(name) for name, mapped in source.fields.items()]
    columns += [as_given(source, joined.alias.c[joined.column]).label(ROW + joined.name) for joined in source.joins]
    if source.id_column is not None:
        columns.append(as_given(source, source.id_column).label(ID))
    return sa.select(*columns).select_from(rows_from(source)).where(*source.scope)


def page_of(source: Source, after: sa.ColumnElement[bool] | None, limit: int) -> sa.Select[Any]:
    """The query for the next rows in the order of the key. Where a key may come twice (a view, a join), `limit` counts
    keys and not rows: a page with fewer keys is the last one."""
    conditions = [source.key.is_not(None), *([] if after is None else [after])]
    if not source.joins and not source.is_view:
        return query_of(source).where(*conditions).order_by(source.key).limit(limit)
    keys = sa.select(source.key.label(KEY)).select_from(rows_from(source, source.scope_joins))
    keys = keys.where(*source.scope, *conditions).distinct().order_by(source.key).limit(limit)
    wanted = keys.subquery("syncd_page")
    return query_of(source).join(wanted, source.key == wanted.c[KEY]).order_by(source.key)


def _bounded(source: Source, mapped: MappedColumn) -> sa.ColumnElement[Any]:
    """A text column, cut one character beyond `LONGEST`: enough to tell that it is too long, and two hundred such rows
    fit in memory. Only for columns without a length, and for SQLite's, any of which may hold any text."""
    value = as_given(source, mapped.column)
    if source.dialect == "sqlite":
        size = sa.func.length(sa.cast(value, sa.LargeBinary))
    elif is_endless(mapped.column.type):
        size = sa.func.octet_length(value)
    else:
        return value
    return sa.case((size > LONGEST, sa.func.substr(value, 1, LONGEST + 1)), else_=value)


def as_given(source: Source, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """A column without the conversions of SQLAlchemy's types."""
    if source.dialect == "postgresql" and isinstance(column.type, sa.Date | sa.DateTime):
        return sa.cast(column, sa.Text)  # 'infinity' and years beyond 9999 have no Python date
    return sa.type_coerce(column, sa.types.NullType())

"""What is asked of the customer table: key and mapped columns, as the driver gives them and never without bounds."""

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
    """Key and mapped columns of customers as the driver gives them: a value no type can hold must not lose its page."""
    columns = [as_given(source, source.key).label(KEY)]
    columns += [_bounded(source, mapped).label(name) for name, mapped in source.fields.items()]
    columns += [as_given(source, joined.alias.c[joined.column]).label(ROW + joined.name) for joined in source.joins]
    if source.id_column is not None:
        columns.append(as_given(source, source.id_column).label(ID))
    return sa.select(*columns).select_from(rows_from(source)).where(*source.scope)


def page_of(source: Source, after: sa.ColumnElement[bool] | None, limit: int) -> sa.Select[Any]:
    """The next rows by key. Where a key may come twice (a view, a join), keys are counted and not rows: a page that is
    not full is the last one."""
    conditions = [source.key.is_not(None), *([] if after is None else [after])]
    if not source.joins and not source.is_view:
        return query_of(source).where(*conditions).order_by(source.key).limit(limit)
    keys = sa.select(source.key.label(KEY)).select_from(rows_from(source, source.scope_joins))
    keys = keys.where(*source.scope, *conditions).distinct().order_by(source.key).limit(limit)
    wanted = keys.subquery("syncd_page")
    return query_of(source).join(wanted, source.key == wanted.c[KEY]).order_by(source.key)


def _bounded(source: Source, mapped: MappedColumn) -> sa.ColumnElement[Any]:
    """Of a text without a length no more than tells that it is too long: two hundred such rows must fit in memory.

    In SQLite any column may hold any text.
    """
    value = as_given(source, mapped.column)
    if source.dialect == "sqlite":
        size = sa.func.length(sa.cast(value, sa.LargeBinary))
    elif is_endless(mapped.column.type):
        size = sa.func.octet_length(value)
    else:
        return value
    return sa.case((size > LONGEST, sa.func.substr(value, 1, LONGEST + 1)), else_=value)


def as_given(source: Source, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """A column's value before any type of ours looks at it."""
    if source.dialect == "postgresql" and isinstance(column.type, sa.Date | sa.DateTime):
        return sa.cast(column, sa.Text)  # 'infinity' and years beyond 9999 have no Python date
    return sa.type_coerce(column, sa.types.NullType())

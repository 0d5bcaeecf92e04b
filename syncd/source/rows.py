"""What is asked of the customer table: key and mapped columns, as the driver gives them and never without bounds."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from syncd.source.columns import LONGEST, MappedColumn, is_endless
from syncd.source.database import Source
from syncd.source.reflection import KEY


def query_of(source: Source) -> sa.Select[Any]:
    """Key and mapped columns as the driver gives them: a value no type can hold must not lose its page."""
    columns = [as_given(source, source.key).label(KEY)]
    columns += [_bounded(source, mapped).label(name) for name, mapped in source.fields.items()]
    return sa.select(*columns)


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


def as_given(source: Source, column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """A column's value before any type of ours looks at it."""
    if source.dialect == "postgresql" and isinstance(column.type, sa.Date | sa.DateTime):
        return sa.cast(column, sa.Text)  # 'infinity' and years beyond 9999 have no Python date
    return sa.type_coerce(column, sa.types.NullType())

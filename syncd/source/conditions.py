"""`[source.where]`, `[source.deleted]`, `only` and a join's `where` as clauses of a statement.

Values are bound, never written into a statement, and turned into the column's type when the source is opened: a value
that the column cannot hold is a problem of the settings, not of a run.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

import sqlalchemy as sa

from syncd.core.selection import Condition
from syncd.errors import Problem
from syncd.source.columns import NO, YES, ColumnKind, kind_of


def as_clause(
    column: sa.ColumnElement[Any], type_: sa.types.TypeEngine[Any], condition: Condition, dialect: str, place: str
) -> sa.ColumnElement[bool] | Problem:
    """The condition as a clause on `column`, which was reflected as `type_`, or the problem of its values. A negation
    lets NULL pass, unless it names "null"."""
    kind = kind_of(type_, sqlite=dialect == "sqlite")
    if kind is None and condition.values:
        return Problem(place, "a column of this type can only be compared with NULL.", 'Write "null" or "not null".')
    compared, values = column, list[Any]()
    if condition.values:
        if dialect == "sqlite" or _compared_as_text(type_, kind, dialect):
            compared = sa.cast(column, sa.CHAR if dialect == "mysql" else sa.Text)
            values = [_word(kind, value) for value in condition.values]
        else:
            values = [_typed(kind, value) for value in condition.values]
    wrong = next((word for word, value in zip(condition.values, values, strict=False) if value is None), None)
    if wrong is not None:
        return Problem(place, f'the column holds only a {kind}, and "{wrong}" is none.', "Correct the value.")
    none = column.is_(None)
    if condition.negated:
        others = sa.or_(none, compared.not_in(values)) if values else sa.true()
        return sa.and_(others, column.is_not(None)) if condition.null else others
    held = compared.in_(values) if values else sa.false()
    return sa.or_(held, none) if condition.null else sa.and_(held, column.is_not(None))


def _compared_as_text(type_: sa.types.TypeEngine[Any], kind: ColumnKind | None, dialect: str) -> bool:
    plain = {ColumnKind.INTEGER, ColumnKind.DECIMAL, ColumnKind.BOOLEAN, ColumnKind.TEXT} | (
        {ColumnKind.BIT} if dialect == "mysql" else set()
    )
    return kind not in plain or isinstance(type_, sa.Enum)


def _word(kind: ColumnKind | None, value: str) -> str:
    """A value of the settings as the database spells it when it casts the column to text."""
    word = value.lower()
    if kind in {ColumnKind.BOOLEAN, ColumnKind.BIT, ColumnKind.INTEGER} and word in {"true", "false"}:
        return "1" if word == "true" else "0"
    return word if kind is ColumnKind.UUID else value


def _typed(kind: ColumnKind | None, value: str) -> Any | None:
    """A value of the settings as the driver binds it; None where the column cannot hold it."""
    if kind is ColumnKind.TEXT:
        return value
    word = value.lower()
    if kind is ColumnKind.BOOLEAN:
        return word in YES if word in YES | NO else None
    try:
        return Decimal(value) if kind is ColumnKind.DECIMAL else int(_word(kind, value))
    except (ValueError, InvalidOperation):
        return None

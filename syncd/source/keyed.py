"""How a customer's key is bound in a statement, and the condition that finds its row."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from syncd.source.keys import KeyKind
from syncd.source.shape import Source


def literal(source: Source, value: Any) -> sa.BindParameter[Any]:
    """A key, bound as a literal to compare the key column with."""
    return sa.literal(value, comparable(source, source.key))


def comparable(source: Source, column: sa.Column[Any]) -> sa.types.TypeEngine[Any]:
    """The type to bind a key as: a wide one, so that a large key does not overflow a small column's type."""
    if source.key_kind is KeyKind.INTEGER:
        return sa.BigInteger()
    return sa.Text() if source.dialect != "postgresql" else column.type


def is_key(source: Source, value: Any) -> sa.ColumnElement[bool]:
    """The condition that a row has this key."""
    return source.key == literal(source, value)

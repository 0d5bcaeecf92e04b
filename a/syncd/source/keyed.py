"""A customer's row by its key: how the key is bound, and the condition that finds it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from syncd.source.keys import KeyKind
from syncd.source.shape import Source


def literal(source: Source, value: Any) -> sa.BindParameter[Any]:
    """A key, bound for comparing it with the key column."""
    return sa.literal(value, comparable(source, source.key))


def comparable(source: Source, column: sa.Column[Any]) -> sa.types.TypeEngine[Any]:
    """What to bind a key as: wide enough that comparing never overflows a small column."""
    if source.key_kind is KeyKind.INTEGER:
        return sa.BigInteger()
    return sa.Text() if source.dialect != "postgresql" else column.type


def is_key(source: Source, value: Any) -> sa.ColumnElement[bool]:
    """Whether a row is the one with this key."""
    return source.key == literal(source, value)

"""Single values between the source's columns and the canonical customer, both ways.

Reading: text becomes NFC and trimmed, '' becomes None, `birth_date` a date and `active` a bool, from any type of
column. A value without a canonical form (a NUL byte, broken Unicode, more than 64 kB, no date) is a problem of that row
and field, never of the whole page. Writing is the reverse; a value that the column cannot hold is refused.
"""

from __future__ import annotations

import contextlib
import re
import uuid
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, NamedTuple

import sqlalchemy as sa

from syncd.core import normalise
from syncd.core.model import Value
from syncd.source.spellings import Spellings

LONGEST = 65_536  # bytes of UTF-8 in one field

# How a text column may spell a flag: (yes, no). A "no" that belongs to several pairs does not tell its "yes".
_WORDS = (("1", "0"), ("true", "false"), ("t", "f"), ("yes", "no"), ("y", "n"), ("ja", "nein"), ("j", "n"))
_TIME_OF_DAY = re.compile(r"[T ][0-9]{2}:")
YES = frozenset(yes for yes, _ in _WORDS)
NO = frozenset(no for _, no in _WORDS)


class ColumnKind(StrEnum):
    """What a column holds: how a value is written into it."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    BIT = "bit"
    DATE = "date"
    MOMENT = "moment"
    UUID = "uuid"


class MappedColumn(NamedTuple):
    """A canonical field and the column that holds it.

    `clears_to` is '' where the column is NOT NULL with an empty default, else None. `plain`: the driver takes text and
    numbers only (SQLite). `fixed` says why the column is never written, '' where it may be. `join` names the joined
    table that has the column, '' for the customer table; `spellings` is the field's value map, None where it has none.
    """

    field: str
    column: sa.Column[Any]
    kind: ColumnKind
    nullable: bool
    clears_to: str | None
    plain: bool
    is_key: bool = False
    fixed: str = ""
    join: str = ""
    spellings: Spellings | None = None


class UnreadableError(Exception):
    """A column's value has no canonical form; the text names the rule, not the value."""


class UnfitError(Exception):
    """A column cannot hold a canonical value; the text names the rule, not the value."""


def kind_of(type_: sa.types.TypeEngine[Any], *, sqlite: bool) -> ColumnKind | None:
    """The kind of a reflected column type; None for a type that holds no customer's field (a float, a blob)."""
    visit = str(type_.__visit_name__).upper()
    if visit == "BIT":
        return ColumnKind.BIT
    if isinstance(type_, sa.Boolean):
        return ColumnKind.BOOLEAN
    if isinstance(type_, sa.Uuid) or visit == "UUID":
        return ColumnKind.UUID
    if isinstance(type_, sa.String | sa.Enum):
        return ColumnKind.TEXT
    if isinstance(type_, sa.Integer):
        return ColumnKind.INTEGER
    if isinstance(type_, sa.Float):
        return None
    if isinstance(type_, sa.Numeric):
        return ColumnKind.TEXT if sqlite else ColumnKind.DECIMAL  # SQLite's affinity NUMERIC holds any text
    if isinstance(type_, sa.DateTime):
        return ColumnKind.MOMENT
    return ColumnKind.DATE if isinstance(type_, sa.Date) else None


def is_endless(type_: sa.types.TypeEngine[Any]) -> bool:
    """Whether a column of this type may hold texts of many megabytes."""
    plain = {"TEXT", "VARCHAR", "NVARCHAR", "STRING", "TINYTEXT", "MEDIUMTEXT", "LONGTEXT"}
    return str(type_.__visit_name__).upper() in plain and (getattr(type_, "length", None) or LONGEST) >= LONGEST


def kinds_for(field: str, *, spelled: bool = False) -> frozenset[ColumnKind]:
    """The column kinds that can hold this canonical field; `spelled`: a value map says what its values mean."""
    if spelled:
        return frozenset(
            {
                ColumnKind.TEXT,
                ColumnKind.INTEGER,
                ColumnKind.DECIMAL,
                ColumnKind.UUID,
                ColumnKind.BOOLEAN,
                ColumnKind.BIT,
            }
        )
    if field == "birth_date":
        return frozenset({ColumnKind.DATE, ColumnKind.MOMENT, ColumnKind.TEXT})
    if field == "active":
        return frozenset({ColumnKind.BOOLEAN, ColumnKind.BIT, ColumnKind.INTEGER, ColumnKind.DECIMAL, ColumnKind.TEXT})
    return frozenset({ColumnKind.TEXT, ColumnKind.INTEGER, ColumnKind.DECIMAL, ColumnKind.UUID})


def canonical(field: str, raw: Any) -> Value:
    """The canonical value of a value that the driver gave. Raises UnreadableError."""
    if raw is None:
        return None
    if field == "active":
        return _flag(raw)
    if field == "birth_date":
        return _date(raw)
    return _text(raw)


def clean(text: str) -> str | None:
    """The text in NFC and trimmed, '' as None. Raises UnreadableError for a NUL byte, broken Unicode, or more than
    `LONGEST` bytes."""
    if "\0" in text:
        raise UnreadableError("holds a NUL byte")
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError:
        raise UnreadableError("is not valid Unicode") from None
    if size > LONGEST:
        raise UnreadableError("is longer than 64 kB")
    return normalise.text(text)


def _text(raw: Any) -> str | None:
    if isinstance(raw, str):
        return clean(raw)
    if isinstance(raw, Decimal):
        return format(raw, "f")
    if isinstance(raw, int | uuid.UUID) and not isinstance(raw, bool):
        return str(raw)
    raise UnreadableError("is not text")


def _flag(raw: Any) -> bool | None:
    if isinstance(raw, bool | int | Decimal):
        return bool(raw)
    if isinstance(raw, bytes):
        return any(raw)
    word = raw.strip().lower() if isinstance(raw, str) else None
    if word == "":
        return None
    if word in YES or word in NO:
        return word in YES
    raise UnreadableError("is neither yes nor no")


def _date(raw: Any) -> date | None:
    if isinstance(raw, datetime):
        return raw.date()
    if isinstance(raw, date):
        return raw
    if isinstance(raw, str):
        return _written_date(raw.strip())
    raise UnreadableError("is not a date")


def _written_date(text: str) -> date | None:
    day, rest = text[:10], text[10:]
    if not day or day == "0000-00-00":  # MariaDB's way to say "no date"
        return None
    if not rest or _TIME_OF_DAY.match(rest):  # PostgreSQL also writes "0044-03-15 BC"
        with contextlib.suppress(ValueError):
            return date.fromisoformat(day)
    raise UnreadableError("is not a date (year-month-day)")


def stored(mapped: MappedColumn, value: Value, before: Any = None, *, new: bool = False) -> Any:
    """The value to write for a canonical one. `before` is the column's present value, whose spelling of a flag is kept;
    in a `new` row the key column may be filled, too. Raises UnfitError."""
    if mapped.fixed and not (new and mapped.is_key):
        raise UnfitError(mapped.fixed)
    if isinstance(value, str):
        try:
            value = clean(value)
        except UnreadableError as problem:
            raise UnfitError(str(problem)) from None
    if value is None:
        if mapped.nullable or mapped.clears_to is not None:
            return None if mapped.nullable else mapped.clears_to
        raise UnfitError("the column may not be empty")
    if mapped.spellings is not None:
        return _stored_text(mapped, _as_spelled(mapped.field, mapped.spellings, value, before))
    if mapped.field == "active":
        return _stored_flag(mapped, value, before)
    if mapped.field == "birth_date":
        return _stored_date(mapped, value)
    return _stored_text(mapped, value)


def _stored_flag(mapped: MappedColumn, value: Value, before: Any) -> Any:
    if not isinstance(value, bool):
        raise UnfitError("is neither yes nor no")
    if mapped.kind is ColumnKind.BOOLEAN and not mapped.plain:
        return value
    if mapped.kind is not ColumnKind.TEXT or isinstance(before, int):
        return int(value)
    word = before.strip() if isinstance(before, str) else ""
    pairs = [pair for pair in _WORDS if word.lower() in pair] if word else [_WORDS[0]]
    spellings = {pair[0 if value else 1] for pair in pairs}
    if len(spellings) != 1:
        raise UnfitError(f"how the column spells {'yes' if value else 'no'} cannot be told")
    spelling = spellings.pop()
    if word.isupper():
        return spelling.upper()
    return spelling.title() if word.istitle() else spelling


def _stored_date(mapped: MappedColumn, value: Value) -> Any:
    if not isinstance(value, date):
        raise UnfitError("is not a date")
    if mapped.plain or mapped.kind is ColumnKind.TEXT:
        return value.isoformat()
    if mapped.kind is ColumnKind.MOMENT:
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - a calendar day has no zone
    return value


def _as_spelled(field: str, spellings: Spellings, value: Value, before: Any) -> str:
    """The column's spelling of a canonical value; the present one, where it means this value already."""
    held = spelling_of(before)
    word = held if held is not None and spellings.meaning(held) == value else spellings.spelling(value)
    if word is None:
        raise UnfitError(f"no entry of the value map [source.values.{field}] names this value")
    return word


def spelling_of(raw: Any) -> str | None:
    """The value of a column with a value map, as text; None for NULL. Raises UnreadableError."""
    if isinstance(raw, bool | bytes):
        return "1" if any(raw if isinstance(raw, bytes) else [raw]) else "0"
    return None if raw is None else _text(raw)


def _stored_text(mapped: MappedColumn, value: Value) -> Any:
    if not isinstance(value, str):
        raise UnfitError("is not text")
    if mapped.kind is ColumnKind.TEXT:
        return value
    try:
        if mapped.kind in {ColumnKind.BOOLEAN, ColumnKind.BIT} and value.lower() in YES | NO:
            return value.lower() in YES
        if mapped.kind in {ColumnKind.INTEGER, ColumnKind.BIT, ColumnKind.BOOLEAN}:
            return int(value)
        if mapped.kind is ColumnKind.DECIMAL:
            return Decimal(value)
        return value if mapped.plain else uuid.UUID(value)
    except (ValueError, InvalidOperation):
        raise UnfitError(f"the column holds only a {mapped.kind}") from None

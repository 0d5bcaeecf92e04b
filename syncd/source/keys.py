"""The one spelling of a customer's key.

A key is the row's primary key as the source's key column holds it: integers in decimal, UUIDs in lower case with
hyphens, text as stored. A mark may have another spelling (of another collation, with padding, from a watched table's
column): `bound` turns it into a value that the key column can be compared with.
"""

from __future__ import annotations

import re
import uuid
from enum import StrEnum
from typing import Any

_INTEGER = re.compile(r"\s*[+-]?[0-9]{1,19}\s*", re.ASCII)
_LARGEST = 2**63


class KeyKind(StrEnum):
    """What the key column holds. `PADDED` is PostgreSQL's char(n), which ignores trailing blanks."""

    INTEGER = "integer"
    UUID = "uuid"
    TEXT = "text"
    PADDED = "padded"


def spelled(kind: KeyKind, raw: Any) -> str:
    """A row's key as text, from the driver's value."""
    if kind is KeyKind.PADDED:
        return str(raw).rstrip(" ")
    if kind is KeyKind.INTEGER:
        return str(int(raw))
    if kind is KeyKind.UUID:
        return str(raw).lower()
    return str(raw)


def bound(kind: KeyKind, key: str) -> Any | None:
    """The value to compare the key column with; None where no row can have this key."""
    if "\0" in key or not _encodable(key):
        return None
    if kind is KeyKind.INTEGER:
        return _whole(key)
    if kind is KeyKind.UUID:
        return _uuid(key)
    return key.rstrip(" ") if kind is KeyKind.PADDED else key


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _whole(key: str) -> int | None:
    if not _INTEGER.fullmatch(key):
        return None
    number = int(key)
    return number if -_LARGEST <= number < _LARGEST else None


def _uuid(key: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(key.strip())
    except ValueError:
        return None

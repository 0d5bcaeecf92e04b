"""Value maps, `[source.values.FIELD]`: the canonical value of each spelling in a column, and the spelling to write.

A spelling that no entry names has no canonical value: the field is unknown for that customer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from syncd.core.model import Value
from syncd.core.normalise import comparable, text


class Spellings(NamedTuple):
    """The value map of one field: spelling -> canonical value, and each canonical value's first spelling."""

    field: str
    meanings: Mapping[str, Value]
    first: Mapping[Value, str]

    def meaning(self, spelling: str) -> Value:
        """The canonical value; None where no entry names this spelling."""
        return self.meanings.get(spelling)

    def spelling(self, value: Value) -> str | None:
        """The spelling to write for a canonical value; None where no entry has it. `de_DE` finds the entry `de-DE`."""
        return self.first.get(comparable(self.field, value))


def spellings(field: str, entries: Mapping[str, tuple[str, ...]], *, flags: bool) -> Spellings:
    """The value map of the settings; `flags`: the column is a BOOLEAN or BIT, whose values are read as "1" or "0"."""
    meanings: dict[str, Value] = {}
    first: dict[Value, str] = {}
    for known, words in entries.items():
        value: Value = known == "true" if field == "active" else text(known)
        cleaned = [{"true": "1", "false": "0"}.get(word.lower(), word) if flags else text(word) or "" for word in words]
        meanings.update(dict.fromkeys(cleaned, value))
        first.setdefault(comparable(field, value), cleaned[0])
    return Spellings(field, meanings, first)

"""Look-ups among the records of one pretended provider.

A provider finds a customer among 100,000 as fast as among ten. A stand-in that looks through all records for each
request would spoil every measurement against it. `Twin.by` says when an index is kept.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any

Record = dict[str, Any]
Rows = Callable[[Record], Iterable[tuple[Any, Record]]]


@cache
def texts(name: str) -> Rows:
    """For an index of the texts in this member of the records."""

    def rows(record: Record) -> Iterator[tuple[str, Record]]:
        if isinstance(record.get(name), str):
            yield record[name], record

    return rows


class Index:
    """The rows of each record, sorted by their values; of equal values, the older record's comes first."""

    def __init__(self, rows: Rows, records: Mapping[str, Record]) -> None:
        self.rows: list[Record] = []
        self._rows = rows
        self._keys: list[tuple[Any, int]] = []
        self._held: dict[str, tuple[int, list[tuple[Any, int]]]] = {}
        self._serial = 0
        for external_id, record in records.items():
            self.read(external_id, record)

    def at(self, value: Any) -> list[Record]:
        """The rows with this value."""
        return self.between(value, value)

    def between(self, least: Any = None, most: Any = None) -> list[Record]:
        """The rows from the value `least` to `most`, both included; None is no limit."""
        start = 0 if least is None else bisect_left(self._keys, least, key=_value)
        end = len(self._keys) if most is None else bisect_right(self._keys, most, key=_value)
        return self.rows[start:end]

    def read(self, external_id: str, record: Record | None) -> None:
        """Take in a record that is new or changed; None for one that is gone."""
        self._serial += 1
        number, held = self._held.pop(external_id, (self._serial, []))
        for key in held:
            place = bisect_left(self._keys, key)
            del self._keys[place], self.rows[place]
        if record is None:
            return
        wanted = [((value, number), row) for value, row in self._rows(record)]
        for key, row in wanted:
            place = bisect_right(self._keys, key)
            self._keys.insert(place, key)
            self.rows.insert(place, row)
        self._held[external_id] = number, [key for key, _ in wanted]


def _value(key: tuple[Any, int]) -> Any:
    return key[0]

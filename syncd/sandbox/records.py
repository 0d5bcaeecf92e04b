"""The records of one pretended provider, and indexes over them that cannot go stale.

A provider finds a customer among 100,000 as fast as among ten; a stand-in that looks through all of them for each
request would make whoever measures against it measure the stand-in. So whatever is put into `Records` is kept in
containers that tell of every change, however deep and by whomever: a handler, the control API, or a test that writes
`twin.records["7"]["Addresses"][0]["Id"] = 8`. What changed is read again before an index is next asked.

The price: `Records` hold a copy of what was put. Change a record where it is kept, not what it was made from.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

Record = dict[str, Any]
Rows = Callable[[Record], Iterable[tuple[Any, Record]]]

_DICT = ("__setitem__", "__delitem__", "__ior__", "update", "pop", "popitem", "clear")
_LIST = (
    "__setitem__", "__delitem__", "__iadd__", "__imul__", "append", "extend", "insert", "pop", "remove", "clear",
    "reverse", "sort",
)  # fmt: skip


class _Mark:
    """One record's place among all, and whether it waits to be read again."""

    __slots__ = ("_changed", "external_id", "place", "waiting")

    def __init__(self, external_id: str, place: int, changed: deque[_Mark]) -> None:
        self.external_id = external_id
        self.place = place
        self.waiting = False
        self._changed = changed

    def tell(self) -> None:
        if not self.waiting:
            self.waiting = True
            self._changed.append(self)


class _Object(dict[str, Any]):
    """A JSON object of a record."""

    __slots__ = ("mark",)
    mark: _Mark

    def adopt(self) -> None:
        for name, value in self.items():
            if isinstance(value, dict | list):
                dict.__setitem__(self, name, _kept(value, self.mark))

    def setdefault(self, name: str, default: Any = None) -> Any:
        if name not in self:
            self[name] = default
        return self[name]

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)  # a copy is nobody's record, and tells nobody


class _List(list[Any]):
    """A JSON list of a record."""

    __slots__ = ("mark",)
    mark: _Mark

    def adopt(self) -> None:
        for place, value in enumerate(self):
            if isinstance(value, dict | list):
                list.__setitem__(self, place, _kept(value, self.mark))

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)


def _telling(plain: Callable[..., Any]) -> Callable[..., Any]:
    def change(self: _Object | _List, *given: Any, **named: Any) -> Any:
        try:
            return plain(self, *given, **named)
        finally:
            self.adopt()
            self.mark.tell()

    return change


for _name in _DICT:
    setattr(_Object, _name, _telling(getattr(dict, _name)))
for _name in _LIST:
    setattr(_List, _name, _telling(getattr(list, _name)))


def _kept(value: Any, mark: _Mark) -> Any:
    """A value as a record keeps it; itself where it is this record's already."""
    if not isinstance(value, dict | list) or getattr(value, "mark", None) is mark:
        return value
    kept: _Object | _List = _Object(value) if isinstance(value, dict) else _List(value)
    kept.mark = mark
    kept.adopt()
    return kept


@cache
def texts(name: str) -> Rows:
    """For an index of the texts in this member of the records."""

    def rows(record: Record) -> Iterator[tuple[str, Record]]:
        if isinstance(record.get(name), str):
            yield record[name], record

    return rows


class Index:
    """What `rows` makes of each record, sorted by its values; for equal ones the record that came first is first."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._keys: list[tuple[Any, int]] = []
        self._held: dict[_Mark, list[tuple[tuple[Any, int], Record]]] = {}
        self.rows: list[Record] = []

    def at(self, value: Any) -> list[Record]:
        """The rows with this value."""
        return self.between(value, value)

    def between(self, least: Any = None, most: Any = None) -> list[Record]:
        """The rows from the value `least` to `most`, both included; None is no limit."""
        start = 0 if least is None else bisect_left(self._keys, least, key=_value)
        end = len(self._keys) if most is None else bisect_right(self._keys, most, key=_value)
        return self.rows[start:end]

    def read(self, mark: _Mark, record: Record | None) -> None:
        """The record of this mark was changed, or is gone."""
        wanted = [((value, mark.place), row) for value, row in self._rows(record)] if record is not None else []
        held = self._held.get(mark, [])
        if [key for key, _ in held] == [key for key, _ in wanted] and all(
            old is new for (_, old), (_, new) in zip(held, wanted, strict=True)
        ):
            return
        for key, _ in self._held.pop(mark, ()):
            place = bisect_left(self._keys, key)
            del self._keys[place], self.rows[place]
        for key, row in wanted:
            place = bisect_right(self._keys, key)
            self._keys.insert(place, key)
            self.rows.insert(place, row)
        if wanted:
            self._held[mark] = wanted


def _value(key: tuple[Any, int]) -> Any:
    return key[0]


class Records(dict[str, Record]):
    """The records by external id, in the order in which they came."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._marks: dict[str, _Mark] = {}
        self._changed: deque[_Mark] = deque()
        self._indexes: dict[Rows, Index] = {}
        self._serial = 0

    def by(self, rows: Rows) -> Index:
        """The index of what `rows` yields for each record: pairs of a value and a row, which is the record or a part
        of it. Ask for it anew each time, and with the same function: that keeps it right."""
        with self._lock:
            if rows not in self._indexes:
                made = Index(rows)
                for mark in list(self._marks.values()):
                    made.read(mark, self.get(mark.external_id))
                self._indexes[rows] = made
            while self._changed:
                mark = self._changed[0]
                mark.waiting = False  # before it is read: whoever changes it from now on tells again
                record = self.get(mark.external_id) if self._marks.get(mark.external_id) is mark else None
                for index in self._indexes.values():
                    index.read(mark, record)
                self._changed.popleft()
            return self._indexes[rows]

    def __setitem__(self, external_id: str, record: Record) -> None:
        with self._lock:
            mark = self._marks.get(external_id)
            if mark is None:
                self._serial += 1
                mark = self._marks[external_id] = _Mark(external_id, self._serial, self._changed)
            super().__setitem__(external_id, _kept(record, mark))
            mark.tell()

    def __delitem__(self, external_id: str) -> None:
        with self._lock:
            super().__delitem__(external_id)
            self._marks.pop(external_id).tell()

    def pop(self, external_id: str, *default: Any) -> Any:
        if external_id not in self and default:
            return default[0]
        record = self[external_id]
        del self[external_id]
        return record

    def popitem(self) -> tuple[str, Record]:
        external_id = next(reversed(self))
        return external_id, self.pop(external_id)

    def clear(self) -> None:
        for external_id in list(self):
            del self[external_id]

    def update(self, *given: Any, **named: Any) -> None:
        for external_id, record in dict(*given, **named).items():
            self[external_id] = record

    def __ior__(self, given: Any) -> Any:  # type: ignore[misc]
        self.update(given)
        return self

    def setdefault(self, external_id: str, record: Any = None) -> Any:
        if external_id not in self:
            self[external_id] = record
        return self[external_id]

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)

"""The state of one pretended provider: its records, toggles, faults, and what was asked of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from syncd.clock import Clock, SystemClock
from syncd.sandbox.faults import Wire
from syncd.sandbox.index import Index, Record, Rows

__all__ = ["IDLE", "Entry", "Record", "Refusal", "Twin"]

IDLE = 5.0  # as Apache, Node and uvicorn are set by default


class Refusal(Exception):
    """Raised by a handler to answer with this status and JSON body; `body=None` answers with an empty one."""

    def __init__(self, status: int, body: Any = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(str(status))
        self.status = status
        self.body = body
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True)
class Entry:
    """A request in the log. `route` is the rule that matched, "" for none; `keys` are the body's keys, nested ones as
    `a.b`; `wrote`: a record changed; `status` is the app's, also where a fault kept the answer back."""

    method: str
    route: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    keys: tuple[str, ...]
    at: datetime
    status: int
    wrote: bool


@dataclass(slots=True)
class Twin:
    """The state of one pretended provider. `records` maps the external id to the record as the provider keeps it.

    `archive` and `edited` are how the provider marks an archived record and stamps an edited one (for the control API);
    both change the record in place. `idle` is how many seconds a silent connection is kept, 0 for not at all; `kept`
    how many of the last requests the log holds at least, 0 for all. `indexed`: only requests and the functions of this
    class change records, so that `by` may keep its indexes sorted.
    """

    name: str
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    clock: Clock = field(default_factory=SystemClock)
    archive: Callable[[Twin, Record], None] | None = None
    edited: Callable[[Twin, Record], None] | None = None
    records: dict[str, Record] = field(default_factory=dict)
    toggles: dict[str, str] = field(default_factory=dict)
    log: list[Entry] = field(default_factory=list)
    faults: Wire = field(default_factory=Wire)
    lock: threading.RLock = field(default_factory=threading.RLock)
    version: int = 0
    serial: int = 0
    idle: float = IDLE
    kept: int = 0
    indexed: bool = False
    indexes: dict[Rows, Index] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.toggles = {name: values[0] for name, values in self.choices.items()}

    def now(self) -> datetime:
        return self.clock.now()

    def toggle(self, name: str) -> str:
        """The present value; a name that does not exist is a mistake in the sandbox."""
        return self.toggles[name]

    def set(self, **values: str) -> None:
        """Change toggles. Raises ValueError for a name or value that does not exist."""
        for name, value in values.items():
            if value not in self.choices.get(name, ()):
                raise ValueError(f"no toggle {name}={value}")
        self.toggles |= values

    def next_id(self) -> int:
        """1, 2, 3 …: ids and everything else that must differ."""
        with self.lock:
            self.serial += 1
            return self.serial

    def put(self, external_id: str, record: Record) -> None:
        """Store a record that a request made or changed."""
        with self.lock:
            self.records[external_id] = record
            self.touch(external_id)

    def drop(self, external_id: str) -> None:
        """Delete a record by a request."""
        with self.lock:
            self.records.pop(external_id, None)
            self.touch(external_id)

    def touch(self, *external_ids: str) -> None:
        """Tell that a request changed records in place: these, or any where none is named."""
        with self.lock:
            self.version += 1
            self.read_again(*external_ids)

    def read_again(self, *external_ids: str) -> None:
        """Tell the indexes that these records changed, or any where none is named."""
        with self.lock:
            if not external_ids:
                self.indexes.clear()
            for index in self.indexes.values():
                for external_id in external_ids:
                    index.read(external_id, self.records.get(external_id))

    def by(self, rows: Rows) -> Index:
        """The index of what `rows` yields for each record: pairs of a value and a row, which is the record or a part
        of it. Ask for it anew each time, with the same function. Where the twin is `indexed`, that takes a time that
        does not grow with the records; else it looks through all, so that a test may change them as it likes."""
        with self.lock:
            if not self.indexed:
                return Index(rows, self.records)
            if rows not in self.indexes:
                self.indexes[rows] = Index(rows, self.records)
            return self.indexes[rows]

    def edit(self, external_id: str, **changes: Any) -> None:
        """Change a record as a person does at the provider: no request, so not counted as a write."""
        with self.lock:
            record = self.records[external_id]
            record.update(deepcopy(changes))
            if self.edited is not None:
                self.edited(self, record)
            self.read_again(external_id)

    def note(self, entry: Entry) -> None:
        """Add an answered request to the log."""
        with self.lock:
            self.log.append(entry)
            if self.kept and len(self.log) > 2 * self.kept:
                del self.log[: -self.kept]

    def writes(self, route: str = "") -> int:
        """How many requests (to `route`, if given) changed a record."""
        with self.lock:
            return sum(entry.wrote for entry in self.log if not route or entry.route == route)

    def requests(self, method: str = "", route: str = "") -> list[Entry]:
        """The log, filtered."""
        with self.lock:
            return [e for e in self.log if (not method or e.method == method) and (not route or e.route == route)]

    def settle(self) -> None:
        """Let all late effects happen now."""
        self.faults.release_late()

    def reset(self) -> None:
        """Make the twin as it was at the start: no records, no log, no faults, default toggles."""
        with self.lock:
            self.records.clear()
            self.read_again()
            self.log.clear()
            self.faults.clear()
            self.version = self.serial = 0
            self.idle = IDLE
            self.toggles = {name: values[0] for name, values in self.choices.items()}

"""The fastest provider there is: a dict behind the real contract, for tests of what happens before a request."""

from __future__ import annotations

import random
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from syncd.clock import Clock, SystemClock
from syncd.core.facts import Rules
from syncd.core.model import CreateMode, Cursor, Direction, Page, Policy, Remote, Removal, Value, Values
from syncd.errors import Rejected
from syncd.lanes import Lane, Pace
from syncd.providers.adapter import Capabilities, Identity
from syncd.providers.http import OPEN_GATE, Gate
from syncd.reconcile import Route
from syncd.runtime.installation import Installation, Rhythm
from syncd.source.database import Source
from syncd.store.database import State, open_state
from syncd.store.leases import Lease

NAME = "shelf"
KEY = b"a state key of at least 32 characters"
ABLE = Capabilities("id", Identity.OUR_KEY, frozenset({"name", "email", "street"}), delete=True)


@dataclass
class Shelf:
    """`records` by our key, `writes` the keys written, in order. `before` is called ahead of every request with the
    key it is about, and may raise. `lists`: it can be listed; `conditional`: writes carry a version; `blank`: it
    forgot everybody and says so with a 200. `versions` by our key are what records say of themselves, if anything."""

    records: dict[str, dict[str, Value]] = field(default_factory=dict)
    before: Callable[[str], None] = lambda _key: None
    writes: list[str] = field(default_factory=list)
    requests: int = 0
    lists: bool = False
    blank: bool = False
    conditional: bool = False
    versions: dict[str, str] = field(default_factory=dict)
    gate: Gate = OPEN_GATE

    @property
    def capabilities(self) -> Capabilities:
        return ABLE._replace(lists=self.lists, lists_whole=self.lists, conditional=self.conditional)

    def project(self, values: Values) -> Values:
        return {name: values[name] for name in ABLE.fields if name in values}

    def composed(self, known: frozenset[str]) -> frozenset[str]:
        return frozenset()

    def key_fits(self, key: str) -> bool:
        return True

    def fetch(self, external_id: str) -> Remote | None:
        self._arrived(external_id)
        return self._remote(external_id) if external_id in self.records else None

    def find(self, key: str, values: Values) -> Sequence[Remote]:
        found = self.fetch(key)
        return [] if found is None else [found]

    def create(self, key: str, values: Values) -> Remote:
        self._arrived(key)
        self.writes.append(key)
        self.records[key] = {name: values.get(name) for name in ABLE.fields}
        return self._remote(key)

    def update(self, current: Remote, values: Values) -> Remote:
        self._arrived(current.external_id)
        self.writes.append(current.external_id)
        self.records[current.external_id] |= values
        return self._remote(current.external_id)

    def scan(self, cursor: Cursor | None) -> Iterator[Page]:
        if not self.lists:
            raise Rejected("", "no listing")
        self._arrived("")
        shown = [] if self.blank else [self._remote(key) for key in list(self.records)]
        yield Page(tuple(shown), None, len(shown))

    def remove(self, current: Remote, how: Removal) -> None:
        self._arrived(current.external_id)
        self.records.pop(current.external_id, None)

    def probe(self) -> str:
        self._arrived("")
        return "here"

    def close(self) -> None:
        """Nothing is open."""

    def _arrived(self, key: str) -> None:
        self.gate.admit("shelf")
        self.requests += 1
        self.before(key)

    def _remote(self, key: str) -> Remote:
        return Remote(key, key, dict(self.records[key]), {"id": key}, version=self.versions.get(key))


def route(source: Source, state: State, shelf: Shelf, clock: Clock, name: str = NAME) -> Route:
    """The shelf as a configured provider: creates and deletes at once, no guards, no pace."""
    shelf.gate = lane = Lane(name, clock, Pace(None), 1, 5.0, threading.Event(), random.random, lease=30.0)
    return Route(
        provider=name,
        adapter=shelf,
        rules=Rules(
            provider=name,
            fields=dict.fromkeys(source.config.fields, Direction.BOTH),
            policy=Policy.SOURCE,
            on_delete=Removal.DELETE,
            create=CreateMode.ALWAYS,
            adopted=True,
        ),
        state=state,
        source=source,
        lane=lane,
        lease=Lease("", "", 0),
        clock=clock,
        jitter=random.random,
        settle=1.0,
        timeout=5.0,
        backoff=0.2,
        max_attempts=12,
        ranks={name: 0},
        policies={name: Policy.SOURCE},
        known=frozenset(source.config.fields),
    )


@contextmanager
def shelved(
    source: Source, shelves: Mapping[str, Shelf], url: str = "sqlite://", clock: Clock | None = None
) -> Iterator[Installation]:
    """A source with these shelves behind it, by name."""
    time = clock or SystemClock()
    state = open_state(url, None, KEY)
    try:
        yield Installation(
            source=source,
            state=state,
            routes=tuple(route(source, state, shelf, time, name) for name, shelf in shelves.items()),
            clock=time,
            stop=threading.Event(),
            rhythm=Rhythm(),
            holder=secrets.token_hex(4),
            run_id=lambda: secrets.token_hex(8),
            lease=30.0,
            sole=True,
        )
    finally:
        state.close()

"""The contract suite's input: a `Row` for each provider, and the `World` in which a check runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from syncd.core.model import Remote, Value, Values
from syncd.errors import ProviderError
from syncd.providers.adapter import ProviderAdapter
from syncd.sandbox.kit import Server, Twin, serve

TIMEOUT = 10.0  # no machine is so slow today that a sound answer takes longer
HASTE = 0.5
Toggles = Mapping[str, str]
Request = tuple[str, str]  # method and Flask rule


class StillClock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()

    def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)

    def wait(self, seconds: float, stop: threading.Event) -> None:
        self.sleep(0.0 if stop.is_set() else seconds)


@dataclass(frozen=True, slots=True)
class Breakage:
    """A deliberate fault in the adapter that at least one check must notice.

    `apply` patches the adapter's module (never the sandbox); `toggles` is the variant under which it shows.
    """

    name: str
    apply: Callable[[pytest.MonkeyPatch], None]
    toggles: Toggles = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One provider: its sandbox, its adapter, and the values to try.

    build         adapter for a base URL and a timeout in seconds, with good credentials; `stranger` the same with wrong
                  ones and `TIMEOUT`
    stored        the twin's record for an id, in canonical fields, read without the adapter's own code
    samples       key to source values, all of which the provider accepts; the first is the one most checks use
    changes       canonical field to a new value for the first sample, as `project` would return it
    clearable     fields that can be emptied; `clears` whether a variant really empties them
    hidden        fields that a variant's answers do not show
    create, update, fetch, find, scan     method and route of the decisive request; None where there is none
    other         source values of customer number n: as complete as a sample, and colliding with nobody
    empty_answers whether a variant answers a write without a body
    bare_lists    requests whose true answer may be a bare `[]`
    awkward       keys that need care; each either fits and works, or is refused before anything is sent
    unknown_id    an external id of the right form that nobody has
    plant         puts a value that no canonical field knows on a record; `planted` whether it is still there
    odd           a field and a patch (see `Fault.patch`) that gives its member a form nobody documented
    foreign       patch (see `Fault.patch`) that makes an answer speak of another customer
    secrets       texts that may appear in request headers only
    variants      toggle settings; None: the defaults, each other value alone, and all last values together
    small_pages   the adapter with a page size of two, None where it cannot list
    arrange       brings a fresh twin into the state the provider needs (groups, tenants …)
    checks        further checks of this provider alone
    """

    name: str
    create_twin: Callable[[StillClock], Twin]
    create_app: Callable[[Twin], Flask]
    build: Callable[[str, float], ProviderAdapter]
    stranger: Callable[[str], ProviderAdapter]
    stored: Callable[[Twin, str], Values]
    samples: Mapping[str, Values]
    other: Callable[[int], Values]
    changes: Mapping[str, Value]
    create: Request
    update: Request
    fetch: Request
    find: Request
    unknown_id: str
    plant: Callable[[Twin, str], None]
    planted: Callable[[Twin, str], bool]
    odd: tuple[str, object]
    foreign: object
    secrets: tuple[str, ...]
    scan: Request | None = None
    remove: Request | None = None
    clearable: frozenset[str] = frozenset()
    clears: Callable[[Toggles], bool] = lambda _: True
    hidden: Callable[[Toggles], frozenset[str]] = lambda _: frozenset()
    empty_answers: Callable[[Toggles], bool] = lambda _: False
    bare_lists: frozenset[Request] = frozenset()
    awkward: tuple[str, ...] = ()
    variants: tuple[Toggles, ...] | None = None
    small_pages: Callable[[ProviderAdapter], ProviderAdapter] | None = None
    arrange: Callable[[Twin], None] = lambda _: None
    checks: tuple[Callable[[World], None], ...] = ()
    breakages: tuple[Breakage, ...] = ()

    def all_variants(self) -> tuple[Toggles, ...]:
        """The toggle settings under which every check has to pass."""
        if self.variants is not None:
            return self.variants
        choices = self.create_twin(StillClock()).choices
        single = [{name: value} for name, values in choices.items() for value in values[1:]]
        last = {name: values[-1] for name, values in choices.items()}
        return ({}, *single, last) if len(choices) > 1 else ({}, *single)


@dataclass(slots=True)
class World:
    """One running sandbox and an adapter that speaks to it; `adapter` is another one while `in_haste`."""

    row: Row
    toggles: Toggles
    twin: Twin
    server: Server
    adapter: ProviderAdapter
    clock: StillClock

    @property
    def url(self) -> str:
        return self.server.url(self.twin.name)

    @property
    def key(self) -> str:
        """The key of the first sample."""
        return next(iter(self.row.samples))

    @contextmanager
    def in_haste(self) -> Iterator[None]:
        """Inside the block, the adapter has a short timeout: for answers that do not come."""
        self.adapter, patient = self.row.build(self.url, HASTE), self.adapter
        try:
            yield
        finally:
            self.adapter.close()
            self.adapter = patient

    def projected(self, key: str | None = None) -> Values:
        """A sample as the adapter would hold it."""
        return self.adapter.project(self.row.samples[key or self.key])

    def created(self, key: str | None = None) -> Remote:
        """Create a sample at the provider; answers its record."""
        return self.adapter.create(key or self.key, self.projected(key))

    def created_as(self, key: str, number: int = 0) -> Remote:
        """Create a customer under this key, with the values of customer `number`, which collide with no other."""
        return self.adapter.create(key, self.other(number))

    def other(self, number: int = 0) -> Values:
        """The projection of customer `number`, whose values collide with no other's."""
        return self.adapter.project(self.row.other(number))

    def forget(self, keep: str = "") -> None:
        """Take all records but one out of the sandbox."""
        for external_id in [known for known in self.twin.records if known != keep]:
            self.twin.drop(external_id)

    def current(self, remote: Remote) -> Remote:
        """The record to start a repeated write from: as now stored, where writes carry the version that was read."""
        if not self.adapter.capabilities.conditional:
            return remote
        return self.adapter.fetch(remote.external_id) or remote

    def agreed(self, remote: Remote) -> Remote:
        """The record with what was agreed for the fields it does not show, as reconcile hands it to an update."""
        known = {name: value for name, value in self.stored(remote).items() if name in self.adapter.capabilities.fields}
        return remote._replace(values={**known, **remote.values})

    def stored(self, remote: Remote) -> Values:
        """The record that the provider holds, read without the adapter's own code."""
        return self.row.stored(self.twin, remote.external_id)


@contextmanager
def opened(row: Row, toggles: Toggles) -> Iterator[World]:
    """A fresh sandbox under these toggles; everything is closed at the end."""
    clock = StillClock()
    twin = row.create_twin(clock)
    twin.set(**toggles)
    row.arrange(twin)
    with serve([row.create_app(twin)]) as server:
        adapter = row.build(server.url(twin.name), TIMEOUT)
        try:
            yield World(row, toggles, twin, server, adapter, clock)
        finally:
            adapter.close()


@contextmanager
def tried(what: str) -> Iterator[None]:
    """A failure inside the block has a note of what was tried: in a loop, the check's line does not tell."""
    try:
        yield
    except (AssertionError, pytest.fail.Exception, ProviderError) as error:
        error.add_note(f"tried: {what}")
        raise

"""The installation, put together by bootstrap: source, state, a route for each provider, and settings as values."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from syncd.clock import Clock
from syncd.core.model import Pair
from syncd.reconcile import Route
from syncd.source.database import Source
from syncd.store.database import State
from syncd.store.leases import Lease


class Rhythm(NamedTuple):
    """The periods of `[schedule]`, in seconds."""

    poll: float = 5.0
    scan: float = 600.0
    reread: float = 21_600.0
    verify: float = 86_400.0


class Held(NamedTuple):
    """A lease of this process, when it was last renewed (monotonic seconds), and the lane's condition as last kept."""

    lease: Lease
    renewed: float
    condition: str = ""


@dataclass(frozen=True, slots=True)
class Installation:
    """What a cycle works on. `owner` names this installation in the source's fence; `holder` this process in leases.

    `field_hashes` tell per provider which column each field is mapped to: a changed one drops that field's base.
    `sole`: the file lock of a SQLite state is ours, so nobody else can hold a lane.
    `held` remembers leases between cycles, so that an idle poll writes nothing.
    `config_hashes` change with anything that may change a verdict: then everything is looked at once more.
    """

    source: Source
    state: State
    routes: Sequence[Route]
    clock: Clock
    stop: threading.Event
    rhythm: Rhythm
    holder: str
    run_id: Callable[[], str]
    lease: float = 90.0
    inbound_create: frozenset[str] = frozenset()
    field_hashes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    config_hashes: Mapping[str, str] = field(default_factory=dict)
    sole: bool = False
    lease_clock: Callable[[], float | None] = lambda: None
    held: dict[str, Held] = field(default_factory=dict)

    def pairs(self, key: str) -> list[Pair]:
        """The pairs of this customer at all providers of the settings."""
        return [Pair(route.provider, key) for route in self.routes]

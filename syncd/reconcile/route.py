"""The route: everything that the looks at one provider's pairs need, handed in by bootstrap."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Protocol

from syncd.clock import Clock
from syncd.core.case import Terms
from syncd.core.digest import digester
from syncd.core.facts import Rules
from syncd.core.guards import Guards
from syncd.core.model import Link, Policy, Remote, Value
from syncd.lanes import Lane
from syncd.providers.adapter import ProviderAdapter
from syncd.reconcile.listed import Keys
from syncd.source.database import Source
from syncd.store.database import State
from syncd.store.leases import Lease


@dataclass
class Listing:
    """What a lane reads once per cycle.

    keys     our keys with their external ids at a provider that can only be listed
    rows     the number of source rows
    present  customers whose deletion was due and that have a row again
    left     due linked customers, by key: whether a filter or a view hides their row
    """

    keys: Keys | None = None
    rows: int | None = None
    present: frozenset[str] | None = None
    left: dict[str, bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Aliases:
    """Changed keys of an unread change log: a plan knows the present keys, while the state still has the former ones.
    `before` maps a present key to the customer's key in the state, "" where the state does not know the customer."""

    before: Mapping[str, str] = field(default_factory=dict)

    def stored(self, keys: Iterable[str]) -> dict[str, str]:
        """The keys whose customers the state may know, each with the customer's key in the state."""
        found = {key: self.before.get(key, key) for key in keys}
        return {key: stored for key, stored in found.items() if stored}

    def now(self, stored: str) -> str:
        """The present key of the customer whose key in the state is `stored`; "" where the customer is gone."""
        return self._after.get(stored, "" if stored in self.before else stored)

    @cached_property
    def _after(self) -> Mapping[str, str]:
        return {stored: key for key, stored in self.before.items() if stored}


class Mentions(Protocol):
    """`changelog.mentions` of the source."""

    def __call__(self, keys: Sequence[str], *, moved: bool = False) -> set[str]:
        """The keys with an unread row in the log; with `moved`, only keys that a row got or gave up."""


def nothing_unread(keys: Sequence[str], *, moved: bool = False) -> set[str]:  # noqa: ARG001 - as `Mentions`
    """No key has an unread row: for commands that only read."""
    return set()


@dataclass(frozen=True, slots=True)
class Route:
    """Settings as values, adapter, source, state, lane and lease of one provider.

    Times are in seconds. `ranks` are the places of all providers in the settings (the earlier one wins ties),
    `policies` their conflict policies. `known` holds the mapped fields. `listed` records were just read by a listing
    and are not fetched again. `mentions` tells for which keys the change log holds an unread row. `reads_only`: the
    look sends no write, so it also reads what an adapter otherwise finds out while it writes. `aliases`: only a plan
    has any."""

    provider: str
    adapter: ProviderAdapter
    rules: Rules
    state: State
    source: Source
    lane: Lane
    lease: Lease
    clock: Clock
    jitter: Callable[[], float]
    settle: float
    timeout: float
    backoff: float
    max_attempts: int
    guards: Guards = field(default_factory=Guards)
    ranks: Mapping[str, int] = field(default_factory=dict)
    policies: Mapping[str, Policy] = field(default_factory=dict)
    known: frozenset[str] = frozenset()
    listing: Listing = field(default_factory=Listing)
    listed: Mapping[str, Remote] = field(default_factory=dict)
    mentions: Mentions = nothing_unread
    reads_only: bool = False
    aliases: Aliases = field(default_factory=Aliases)

    def digester(self, provider_key: str) -> Callable[[str, Value], str]:
        """The keyed digest for one pair of this provider."""
        return digester(self.state.key, self.state.digest_names.get(self.provider, self.provider), provider_key)

    def later(self, seconds: float) -> datetime:
        """A moment from now."""
        return self.clock.now() + timedelta(seconds=seconds)

    def terms(self) -> Terms:
        """What holds for all looks that end now."""
        can = self.adapter.capabilities
        return Terms(
            provider=self.provider,
            now=self.clock.now(),
            settle=self.settle,
            backoff=self.backoff,
            max_attempts=self.max_attempts,
            guards=self.guards,
            replaces=can.replaces,
            clears=can.clears,
            looks_first=can.looks_first,
            conditional=can.conditional,
        )


def hidden_key(route: Route, link: Link | None) -> str:
    """The number of a linked customer that the provider cannot carry, so that no look-up finds the record; "" where the
    provider carries it. Where the link ends and the record stays, only a tombstone for the number tells whose the
    record is."""
    our_key = link.provider_key if link is not None and link.external_id is not None else None
    return our_key if our_key is not None and not route.adapter.key_fits(our_key) else ""

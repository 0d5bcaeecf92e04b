"""Everything that reconciling one provider's pairs needs, handed in by bootstrap; and the notes every step leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from syncd.clock import Clock
from syncd.core.digest import digester
from syncd.core.facts import Rules
from syncd.core.guards import Limit
from syncd.core.model import Link, Pair, Policy, Remote, Value
from syncd.core.model import State as Shown
from syncd.lanes import Lane
from syncd.log import emit
from syncd.providers.adapter import ProviderAdapter
from syncd.source.database import Source
from syncd.store import events
from syncd.store.database import State, Transaction
from syncd.store.leases import Lease


@dataclass(frozen=True, slots=True)
class Guards:
    """The limits of one provider; None switches one off."""

    update: Limit | None = None
    delete: Limit | None = None
    blank: Limit | None = None
    overwrite: Limit | None = None
    create: Limit | None = None


@dataclass
class Listing:
    """What is read once per cycle: the keys of all remotes of a provider that can only be listed, before the first
    create (only a first look: after an unknown create the adapter lists afresh), the number of source rows, and of the
    customers whose deletion was due those that have a row again."""

    keys: dict[str, tuple[Remote, ...]] | None = None
    rows: int | None = None
    present: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """One provider's road: settings as values, doors to both sides, and the place to write down what happened.

    Times are in seconds. `rank` is the provider's place in the settings (earlier wins ties), `ranks` and `policies` are
    those of all providers. `listed` records were read a moment ago by an audit and are not fetched again.
    `mentions` asks the change log whether it holds an unread mark of a key.
    """

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
    guards: Guards = Guards()
    ranks: Mapping[str, int] = field(default_factory=dict)
    policies: Mapping[str, Policy] = field(default_factory=dict)
    known: frozenset[str] = frozenset()
    listing: Listing = field(default_factory=Listing)
    listed: Mapping[str, Remote] = field(default_factory=dict)
    mentions: Callable[[str], bool] = lambda _key: False

    def digester(self, provider_key: str) -> Callable[[str, Value], str]:
        """The keyed digest for one pair of this provider."""
        return digester(self.state.key, self.provider, provider_key)

    def later(self, seconds: float) -> datetime:
        """A moment from now."""
        return self.clock.now() + timedelta(seconds=seconds)


def note(tx: Transaction, route: Route, key: str, event: str, fields: Sequence[str] = (), detail: str = "") -> None:
    """Remember an event for `explain`; the log line follows once the transaction is through, by `tell`."""
    events.record(tx, Pair(route.provider, key), route.clock.now(), event, sorted(fields), detail)


def tell(route: Route, key: str, event: str, fields: Sequence[str] = (), **more: Any) -> None:
    """One log line about a pair."""
    known: dict[str, Any] = {"provider": route.provider, "customer_key": key, **more}
    if fields:
        known["fields"] = sorted(fields)
    emit(event, **known)


def blank_link(pair: Pair, link: Link | None) -> Link:
    """The pair's mapping row, or a fresh one without a link."""
    return link or Link(pair, None, None, {}, {}, Shown.LINKED)

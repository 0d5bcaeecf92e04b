"""The facts that a status is built from, and the status itself (`Report`), as values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from syncd.core.model import NOTHING, State
from syncd.status.liveness import Daemon


class SourceFacts(NamedTuple):
    """The state of capture: `capture` is a word of `remedies.SOURCE`; `log_rows` is the size of the change log and
    `oldest` the time of its oldest row, both None where the method of `[source] change_log` has no log."""

    capture: str = "ok"
    reason: str = ""
    log_rows: int | None = None
    oldest: datetime | None = None


class ProviderFacts(NamedTuple):
    """The facts of one provider. `condition` is ok, throttled, paused, blocked or down, in force `since`. `pairs` are
    the counts that the state keeps by `mapping.state`. `due` pairs could be looked at now; `oldest` is since when the
    oldest of them is due, `oldest_live` the same without the pairs of a first pass. `later` counts the due pairs that
    wait for their time, by error class. `monthly` is the number of free calls a month, 0 where the provider has no such
    limit."""

    name: str
    adapter: str
    condition: str = "ok"
    reason: str = ""
    since: datetime | None = None
    pairs: Mapping[State, int] = NOTHING
    due: int = 0
    oldest: datetime | None = None
    oldest_live: datetime | None = None
    later: Mapping[str, int] = NOTHING
    reviews: int = 0
    last_ok: datetime | None = None
    calls_month: int = 0
    monthly: int = 0


class Life(NamedTuple):
    """Whether a daemon works, and whether it could. `daemons` are those that have not ended in order; `storage` says
    why the state database cannot be written, "" where it can; `ahead` is by how many seconds this machine's clock is
    ahead of the state database's; `vanished` counts the pairs of each provider that the settings no longer name."""

    daemons: tuple[Daemon, ...] = ()
    last_run: Mapping[str, Any] | None = None
    storage: str = ""
    ahead: float = 0.0
    vanished: Mapping[str, int] = NOTHING


class Item(NamedTuple):
    """One trouble of a pair (with key "", of many pairs): a state of the pair, or a review item with its ID (`review`).
    `kind` is a word of `remedies.PAIRS` or `remedies.REVIEWS`."""

    provider: str
    key: str
    kind: str
    fields: tuple[str, ...] = ()
    reason: str = ""
    since: datetime | None = None
    review: int | None = None


class GuardFacts(NamedTuple):
    """One guard at one provider: how many operations its window counts (`used`), its limit in the notation of the
    settings, and how many operations it holds back (`staged`)."""

    provider: str
    guard: str
    used: int
    limit: str
    staged: int


class Problem(NamedTuple):
    """One entry of `problems`: what is wrong, with the one command to type and the exit code that it stands for."""

    provider: str
    customer_key: str
    kind: str
    fields: tuple[str, ...]
    reason: str
    since: datetime | None
    command: str
    code: int


class ProviderReport(NamedTuple):
    """One entry of `providers`: a provider's state, and its pairs by state."""

    name: str
    adapter: str
    state: str
    reason: str
    since: datetime | None
    linked: int
    due: int
    retry: int
    ambiguous: int
    rejected: int
    review: int
    dead: int
    excluded: int
    oldest_due_s: float | None
    last_ok: datetime | None
    calls_month: int


class Report(NamedTuple):
    """The whole status. `problems` are the worst first and may be fewer than `problems_total`; `storage` says why the
    state database cannot be written, "" where it can."""

    state: str
    exit_code: int
    at: datetime
    capture: str
    lag_s: float | None
    log_rows: int | None
    providers: tuple[ProviderReport, ...]
    problems: tuple[Problem, ...]
    problems_total: int
    guards: tuple[GuardFacts, ...]
    last_run: Mapping[str, Any] | None
    daemons: tuple[Daemon, ...] = ()
    storage: str = ""

    def due(self) -> int:
        """Pairs that could be looked at now."""
        return sum(provider.due for provider in self.providers)

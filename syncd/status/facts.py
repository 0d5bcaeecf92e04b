"""The facts that a status is built from, and the status itself (`Report`), as values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from syncd.core.model import NOTHING, State
from syncd.status.liveness import Daemon


class SourceFacts(NamedTuple):
    """How the capture of changes stands. `capture` is a word of `remedies.SOURCE`; None: this method has no log."""

    capture: str = "ok"
    reason: str = ""
    log_rows: int | None = None
    oldest: datetime | None = None


class ProviderFacts(NamedTuple):
    """One provider. `condition` is ok, throttled, paused, blocked or down; `pairs` are kept counts; `due` pairs could
    be looked at now, the `oldest` (and the oldest change, a first pass left out) since then, `later` ones (by error
    class) failed before or wait for their time; `monthly` free calls, 0 for no such limit."""

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
    """Whether a daemon works, and whether it could: the daemons that have not ended in order, the last run, why the
    state database cannot be written ("" where it can), and by how many seconds this machine's clock is `ahead` of the
    state's. `vanished` are the pairs of each provider that the settings no longer have."""

    daemons: tuple[Daemon, ...] = ()
    last_run: Mapping[str, Any] | None = None
    storage: str = ""
    ahead: float = 0.0
    vanished: Mapping[str, int] = NOTHING


class Item(NamedTuple):
    """Something about one customer (or, with key "", about many): a pair's state or a review item with its number."""

    provider: str
    key: str
    kind: str
    fields: tuple[str, ...] = ()
    reason: str = ""
    since: datetime | None = None
    review: int | None = None


class GuardFacts(NamedTuple):
    """What of a guard's window is used up, and how many operations it holds back."""

    provider: str
    guard: str
    used: int
    limit: str
    staged: int


class Problem(NamedTuple):
    """One line of what is wrong, with the one command that leads on."""

    provider: str
    customer_key: str
    kind: str
    fields: tuple[str, ...]
    reason: str
    since: datetime | None
    command: str
    code: int


class ProviderReport(NamedTuple):
    """A provider's line."""

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

"""Reading both sides for commands that change nothing: without a lease, a mark or an acknowledge, at the lane's
pace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from syncd.core.backoff import delay
from syncd.core.case import Case
from syncd.core.effects import Failure
from syncd.core.model import Customer, Remote, Work
from syncd.engine.rules import rules_now
from syncd.engine.worker import operator_pause
from syncd.errors import Temporary, Throttled, Unauthorized, UsageError
from syncd.reconcile import Route
from syncd.reconcile.case import Memory
from syncd.reconcile.gather import look
from syncd.reconcile.route import nothing_unread
from syncd.runtime.installation import Installation
from syncd.store import progress

T = TypeVar("T")
TRIES = 4
PATIENCE = 120.0  # seconds; a provider that wants a longer rest ends the look


def chosen(site: Installation, providers: Iterable[str]) -> list[Route]:
    """The reading routes of the named providers, or of all when none is named. Raises `UsageError` for an unknown
    name."""
    wanted = set(providers)
    names = [route.provider for route in site.routes]
    strangers = sorted(wanted - set(names))
    if strangers:
        raise UsageError(
            f"no provider is called {strangers[0]}; the settings have {', '.join(names)}.", remedy="syncd status"
        )
    return [reader(site, route) for route in site.routes if not wanted or route.provider in wanted]


def reader(site: Installation, route: Route) -> Route:
    """The route with a run's rules, for reading alone: the change log counts as read, and the lane keeps pace and
    pauses, but needs no lease."""
    with site.state.read() as tx:
        kept = progress.provider_state(tx, route.provider)
        rules = rules_now(tx, site, route)
    lane = route.lane
    lane.lease = float("inf")
    lane.load(kept.breaker, lane.breaker.credentials)
    lane.load_pace(kept.pace)
    return replace(route, rules=rules, listing=type(route.listing)(), mentions=nothing_unread, reads_only=True)


def stopped(site: Installation, route: Route) -> str:
    """Why an operator paused this provider; "" where it is not paused."""
    with site.state.read() as tx:
        kept = progress.provider_state(tx, route.provider)
    return f"paused: {kept.reason}".rstrip(": ") if operator_pause(site, kept) else ""


def patiently(route: Route, call: Callable[[], T]) -> T:
    """The answer of `call`, a reading: it waits while the provider asks to slow down, and is repeated after a failed
    request."""
    for attempt in range(1, TRIES):
        try:
            return call()
        except Throttled as slow:
            route.lane.throttled(slow.retry_after)
            until = route.lane.paused_until()
            pause = (until - route.clock.now()).total_seconds() if until else 1.0
            if pause > PATIENCE:
                raise
        except Temporary:
            pause = delay(route.backoff, attempt, route.jitter())
        route.clock.sleep(max(pause, 0.0))
    return call()


def listing(route: Route) -> dict[str, Remote]:
    """Every record that the provider lists, by external id, to be compared."""

    def read() -> dict[str, Remote]:
        return {remote.external_id: remote.to_compare() for page in route.adapter.scan(None) for remote in page.remotes}

    return patiently(route, read)


def patiently_looked(route: Route, rows: Sequence[tuple[Work, Customer | None]], memory: Memory) -> list[Case]:
    """Look at these rows, wait while the provider asks to slow down, and repeat failed readings. Raises the error of a
    provider that cannot be read at all."""
    cases = look(route, rows, memory)
    for attempt in range(1, TRIES):
        places = [place for place, case in enumerate(cases) if _passing(case)]
        if not places:
            return cases
        until = route.lane.paused_until()
        pause = (until - route.clock.now()).total_seconds() if until else delay(route.backoff, attempt, route.jitter())
        if pause > PATIENCE:
            break
        route.clock.sleep(max(pause, 0.0))
        for place, case in zip(places, look(route, [rows[place] for place in places], memory), strict=True):
            cases[place] = case
    for case in cases:
        if isinstance(case.failure, Failure) and case.failure.kind in _CLOSED:
            raise _CLOSED[case.failure.kind](case.failure.message)
    return cases


_CLOSED = {"Unauthorized": Unauthorized, "Throttled": Throttled, "Temporary": Temporary, "LanePaused": Temporary}


def _passing(case: Case) -> bool:
    """Whether the reading failed for a reason that soon passes."""
    return isinstance(case.failure, Failure) and case.failure.kind in {"Throttled", "Temporary", "LanePaused"}

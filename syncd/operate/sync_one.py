"""`syncd sync KEY`: one customer, now, by the same capture, lanes and reconcile as a cycle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from syncd.detect.capture import capture
from syncd.engine.run import GLANCE, ROUNDS, Result
from syncd.engine.worker import Tally, release_lanes, take_lane, work_off
from syncd.errors import LeaseHeld
from syncd.lanes import together
from syncd.reconcile import Route
from syncd.runtime.installation import Installation
from syncd.store import work

PERSON = "person"


def mark_customer(site: Installation, key: str, providers: frozenset[str]) -> int:
    """Make the customer's pairs due, because an operator asked. Settle times and pauses hold all the same."""
    pairs = [pair for pair in site.pairs(key) if not providers or pair.provider in providers]
    with site.state.begin() as tx:
        return work.mark(tx, pairs, PERSON, site.clock.now())


def sync_customer(site: Installation, key: str, providers: frozenset[str], wait: float) -> Result:
    """Mark one customer and work off its pairs alone, those included that its own pulls make due at other providers.

    `wait`: seconds to wait for retries and settle times. Raises `LeaseHeld` where a daemon holds the lanes; the mark
    stays, and the daemon sees to it.
    """
    run_id, started = site.run_id(), site.clock.monotonic()
    mark_customer(site, key, providers)
    held = [lane for route in site.routes if (lane := take_lane(site, route)) is not None]
    if len(held) < len(site.routes):
        release_lanes(site, held)
        raise LeaseHeld("another instance holds a lane of this installation", remedy="syncd status")
    tally = Tally()
    try:
        captured = capture(site).customers
        deadline = site.clock.now() + timedelta(seconds=wait)
        for _ in range(ROUNDS):
            _drain(site, held, tally, key)
            while _waited(site, held, key, deadline):
                _drain(site, held, tally, key)
            fresh = capture(site)
            captured += fresh.customers
            if not fresh.rows or site.stop.is_set():
                break
    finally:
        release_lanes(site, held)
    counts = {provider: dict(counter) for provider, counter in tally.counts.items() if counter}
    return Result(run_id, counts, captured, site.clock.monotonic() - started)


def _drain(site: Installation, held: Sequence[Route], tally: Tally, key: str) -> None:
    def job(route: Route) -> Callable[[], None]:
        return lambda: work_off(site, route, tally, only=key)

    together([job(route) for route in held])


def _waited(site: Installation, held: Sequence[Route], key: str, deadline: datetime) -> bool:
    """Wait until a pair of this customer can be taken, if that is before the deadline. False where it is not."""
    now = site.clock.now()
    with site.state.read() as tx:
        rows = {item.pair.provider: item for item in work.of_customer(tx, key)}
    moments = [
        max(rows[route.provider].due_at, route.lane.paused_until() or now)
        for route in held
        if route.provider in rows and rows[route.provider].due_at > now
    ]
    moment = min(moments, default=None)
    if moment is None or moment > deadline:
        return False
    while not site.stop.is_set() and (rest := (moment - site.clock.now()).total_seconds()) > 0:
        site.clock.wait(min(rest, GLANCE), site.stop)
    return not site.stop.is_set()

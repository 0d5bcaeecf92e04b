"""One cycle: capture -> look around -> drain the lanes -> record. `run-once` and `demo` run it to its end; the daemon
runs the same steps poll by poll (`loop`). The steps are in `detect` and in `worker`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from syncd.detect.capture import capture
from syncd.detect.resync import rotate
from syncd.detect.scan import look_around
from syncd.engine.worker import Tally, next_moment, paused_by_person, release_lanes, take_lane, work_off
from syncd.errors import LeaseHeld, LeaseLost, Stopped
from syncd.lanes import together
from syncd.log import emit, run
from syncd.reconcile import Route
from syncd.runtime.installation import Installation, Rhythm
from syncd.runtime.leadership import CAPTURE, hold, keep, lane_name
from syncd.store import events

ROUNDS = 3
GLANCE = 5.0  # seconds: a wait reads the wall clock this often, because the clock may be set

__all__ = ["Installation", "Options", "Result", "Rhythm", "run_cycle"]


@dataclass(frozen=True, slots=True)
class Options:
    """How one cycle differs from another. `wait` is how many seconds a run may wait for retries and pauses.

    `limit` is how many pairs of each provider this run may look at. `watch` is called with the name of each step,
    `done` with the number of pairs just looked at. Without `look` the cycle neither lists nor sweeps: it only drains
    what is due. `exclusive` fails when another instance holds a lane.
    """

    mode: str = "cycle"
    scan: bool = False
    look: bool = True
    limit: int | None = None
    wait: float = 0.0
    providers: frozenset[str] = frozenset()
    rounds: int = ROUNDS
    exclusive: bool = False
    watch: Callable[[str], None] = field(default=lambda _step: None)
    done: Callable[[int], None] = field(default=lambda _pairs: None)


class Result(NamedTuple):
    """What a cycle did: counts by provider and kind of report, and how many customers the change log named."""

    run_id: str
    counts: dict[str, dict[str, int]]
    captured: int
    seconds: float

    def total(self, *kinds: str) -> int:
        """The count of these kinds over all providers."""
        return sum(counts.get(kind, 0) for counts in self.counts.values() for kind in kinds)


def run_cycle(site: Installation, options: Options = Options()) -> Result:
    """One cycle. A provider's errors stay in its lane; the errors of source and state are raised, and `SafetyStop`.

    An `exclusive` run raises `LeaseHeld` at once where another instance holds a lane, and `LeaseLost` at its end where
    another instance took a lane meanwhile."""
    run_id = site.run_id()
    with run(run_id):
        return _cycle(site, options, run_id)


def _cycle(site: Installation, options: Options, run_id: str) -> Result:
    started = site.clock.monotonic()
    emit("cycle.started", mode=options.mode)
    routes = [route for route in site.routes if not options.providers or route.provider in options.providers]
    held = [lane for route in routes if (lane := take_lane(site, route)) is not None]
    if options.exclusive and (len(held) < len(routes) or hold(site, CAPTURE) is None):
        release_lanes(site, held)
        raise LeaseHeld("another instance holds a lane of this installation", remedy="syncd status")
    tally = Tally(done=options.done)
    lost = False
    try:
        captured = capture(site).customers
        if options.look:
            together([_looking(site, route, force=options.scan) for route in held])
            if not options.providers:  # the sweep has one position for all providers
                rotate(site)
        captured += _drain_rounds(site, held, options, tally)
        lost = options.exclusive and not all(keep(site, lane_name(route.provider)) for route in held)
    finally:
        if options.exclusive:
            release_lanes(site, held)
    counts = {provider: dict(counter) for provider, counter in tally.counts.items()}
    result = Result(run_id, counts, captured, site.clock.monotonic() - started)
    record(site, options, result)
    if lost:  # a daemon would finish the rest at its next poll; this run has none
        raise LeaseLost("this run lost a lane to another instance, or its lease ran out.", remedy="syncd status")
    return result


def _looking(site: Installation, route: Route, *, force: bool) -> Callable[[], None]:
    def look() -> None:
        with contextlib.suppress(LeaseLost, Stopped):
            if not paused_by_person(site, route):
                look_around(site, route, force=force)

    return look


def _drain_rounds(site: Installation, held: Sequence[Route], options: Options, tally: Tally) -> int:
    """Drain the lanes, then capture and drain what our own pulls made due, until nothing is due or the rounds are used
    up. Waits for retries and pauses that end within `options.wait`. Answers how many customers were captured."""
    captured = 0
    deadline: datetime | None = None
    for turn in range(options.rounds + 1):
        deadline = _until_quiet(site, held, options, tally, deadline)
        if site.stop.is_set() or turn == options.rounds:
            break
        fresh = capture(site)
        captured += fresh.customers
        if not fresh.rows:
            break
    return captured


def _until_quiet(
    site: Installation, held: Sequence[Route], options: Options, tally: Tally, deadline: datetime | None
) -> datetime:
    """Drain, wait for pairs that become due before the deadline, drain again. Answers the deadline: `options.wait`
    seconds after the end of the first drain."""
    while True:
        started, before = site.clock.now(), tally.handled()
        _drain(site, held, options, tally)
        deadline = deadline or site.clock.now() + timedelta(seconds=options.wait)
        idle_since = started if tally.handled() == before else None
        open_lanes = [route for route in held if _rest(options, tally, route) != 0]
        if site.stop.is_set() or not _waited(site, open_lanes, deadline, idle_since):
            return deadline


def _drain(site: Installation, held: Sequence[Route], options: Options, tally: Tally) -> None:
    options.watch("drain")

    def job(route: Route) -> Callable[[], None]:
        return lambda: work_off(site, route, tally, _rest(options, tally, route))

    together([job(route) for route in held])


def _rest(options: Options, tally: Tally, route: Route) -> int | None:
    """How many more pairs of this provider the run may look at; None for any number."""
    return None if options.limit is None else max(options.limit - tally.handled(route.provider), 0)


def _waited(site: Installation, held: Sequence[Route], deadline: datetime, idle_since: datetime | None) -> bool:
    """Wait for the next retry, settle time or pause that ends before the deadline. False when there is none, and when
    the due pairs were due before `idle_since` already: the last drain could not take them."""
    moment = next_moment(site, held)
    if moment is None or moment > deadline or (idle_since is not None and moment <= idle_since):
        return False
    while not site.stop.is_set() and (rest := (moment - site.clock.now()).total_seconds()) > 0:
        site.clock.wait(min(rest, GLANCE), site.stop)
    return not site.stop.is_set()


UNDONE = ("retry", "ambiguous", "rejected", "dead", "review", "staged", "deferred", "waiting")


def record(site: Installation, options: Options, result: Result) -> None:
    """Store and log a cycle that did something; an idle poll leaves no trace."""
    totals: dict[str, int] = {}
    for counts in result.counts.values():
        for kind, number in counts.items():
            totals[kind] = totals.get(kind, 0) + number
    if options.mode == "poll" and not totals and not result.captured:
        return
    now = site.clock.now()
    outcome = "partial" if any(totals.get(kind) for kind in UNDONE) else "ok"
    with site.state.begin() as tx:
        events.start_run(tx, result.run_id, now - timedelta(seconds=result.seconds), options.mode)
        events.finish_run(tx, result.run_id, now, outcome, totals | {"customers": result.captured})
    emit(
        "cycle.finished",
        mode=options.mode,
        outcome=outcome,
        changes=result.captured,
        duration_ms=round(result.seconds * 1000),
        counts=result.counts,
    )

"""The daemon's polls: each captures the change log and starts idle lanes, and no lane waits for the slowest.

`run_cycle` ends when nothing is due any more. A daemon cannot wait for that: a first pass at two requests a second
takes hours, and the other providers' changes would lie in the log meanwhile. So each poll captures, starts the idle
lanes that have work, counts what the lanes that ended have done, and lets busy lanes go on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from syncd.detect.capture import Captured, capture
from syncd.detect.resync import rotate
from syncd.detect.scan import look_around
from syncd.engine.run import Options, Result, record
from syncd.engine.worker import Tally, operator_pause, take_lane, work_off
from syncd.errors import LeaseLost, Stopped
from syncd.lanes import Crew
from syncd.log import run
from syncd.reconcile import Route
from syncd.runtime.installation import Installation
from syncd.runtime.leadership import fair_share, forfeit, give_back, keep, lane_name
from syncd.store.agenda import Agenda, agenda
from syncd.store.progress import ProviderState


@dataclass(frozen=True, slots=True)
class Steady:
    """An installation at work, from poll to poll. `tallies` count what the busy lanes do. `rest`: until when (monotonic
    seconds) a lane is not started after an unexpected error, and the length of that rest in seconds."""

    site: Installation
    crew: Crew
    tallies: dict[str, Tally] = field(default_factory=dict)
    rest: dict[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Polled:
    """How one poll ended. `errors` are unexpected ones, by provider: an unreachable source or state, or a bug."""

    result: Result
    errors: Mapping[str, BaseException]
    busy: frozenset[str]


FIRST_REST, LONGEST_REST = 5.0, 60.0  # seconds


def steady(site: Installation) -> Steady:
    """An installation ready to be polled."""
    return Steady(site, Crew(len(site.routes)))


def poll(state: Steady, patience: float) -> Polled:
    """One poll. Waits at most `patience` seconds for the lanes that it started, so that quick work is told as one
    cycle. Raises `SafetyStop`, and the errors of source and state."""
    site = state.site
    run_id, started = site.run_id(), site.clock.monotonic()
    with run(run_id):
        captured = _captured(site)
        if not site.stop.is_set():
            rotate(site)
            _start_lanes(state)
        counts, errors = gather(state, patience)
        result = Result(run_id, counts, captured.customers, site.clock.monotonic() - started)
        record(site, Options(mode="poll"), result)
    return Polled(result, errors, state.crew.busy())


def _captured(site: Installation) -> Captured:
    try:
        return capture(site)
    except LeaseLost:  # this daemon slept for longer than its lease: another one captures now
        return Captured()


def gather(state: Steady, seconds: float) -> tuple[dict[str, dict[str, int]], dict[str, BaseException]]:
    """Wait at most this long for lanes to end. Answers the ended lanes' counts and unexpected errors, by provider."""
    counts, errors = {}, {}
    for provider, error in state.crew.ended(seconds).items():
        tally = state.tallies.pop(provider)
        kinds: Counter[str] = sum(tally.counts.values(), Counter())
        if kinds:
            counts[provider] = dict(kinds)
        if error is None:
            state.rest.pop(provider, None)
        else:
            errors[provider] = error
            _, before = state.rest.get(provider, (0.0, FIRST_REST / 2))
            pause = min(before * 2, LONGEST_REST)
            state.rest[provider] = (state.site.clock.monotonic() + pause, pause)
    return counts, errors


def _start_lanes(state: Steady) -> None:
    site, busy = state.site, state.crew.busy()
    names = [route.provider for route in site.routes]
    with site.state.read() as tx:
        asked = agenda(tx, names, [_looked_at(route) for route in site.routes], site.clock.now())
    share, ours = fair_share(site), [name for name in names if lane_name(name) in site.held]
    for route in site.routes:
        if route.provider in busy:
            route.lane.leave = route.provider in ours[share:]  # a lane that is never idle would never be given back
            _extend(site, route)
            continue
        if route.provider in ours[share:]:
            give_back(site, frozenset({lane_name(route.provider)}))
        if route.provider not in ours[:share] and len(ours) >= share:
            continue
        until, _ = state.rest.get(route.provider, (0.0, 0.0))
        if site.clock.monotonic() < until or not (has_work(site, route, asked) or _must_renew(site, route)):
            continue
        lane = take_lane(site, route)
        if lane is not None and route.provider not in ours:
            ours.append(route.provider)
        if lane is not None and has_work(site, lane, asked):
            state.tallies[route.provider] = Tally()
            state.crew.start(route.provider, _job(site, lane, state.tallies[route.provider]))


def _must_renew(site: Installation, route: Route) -> bool:
    held = site.held.get(lane_name(route.provider))
    return held is None or site.clock.monotonic() - held.renewed >= site.lease / 3


def _extend(site: Installation, route: Route) -> None:
    """Renew the lease of a lane that is busy: while a slow pace lets no request leave, the lane does not do so."""
    name = lane_name(route.provider)
    held, now = site.held.get(name), site.clock.monotonic()
    if held is not None and now - held.renewed >= site.lease / 3 and keep(site, name):
        route.lane.renewed(now)


def _job(site: Installation, route: Route, tally: Tally) -> Callable[[], None]:
    def job() -> None:
        route.lane.seen = site.clock.monotonic()
        try:
            look_around(site, route)
            work_off(site, route, tally)
        except LeaseLost:
            forfeit(site, lane_name(route.provider))
        except Stopped:
            pass

    return job


def has_work(site: Installation, route: Route, asked: Agenda) -> bool:
    """Whether a lane has anything to do now."""
    kept = asked.states.get(route.provider) or ProviderState(route.provider)
    route.lane.load(kept.breaker, route.lane.breaker.credentials)  # a person, or other credentials, may have closed it
    if operator_pause(site, kept) or route.lane.paused_until() is not None:
        return False
    return (
        route.lane.needs_probe()
        or not kept.backfilled
        or route.provider in asked.ready
        or route.provider in asked.confirmable
        or _look_due(site, route, asked.cursors.get(_looked_at(route), ""))
    )


def _looked_at(route: Route) -> str:
    """The name of the cursor that holds when this provider was last listed or re-read."""
    return f"{'scan' if route.adapter.capabilities.lists else 'reread'}:{route.provider}:at"


def _look_due(site: Installation, route: Route, last: str) -> bool:
    period = site.rhythm.scan if route.adapter.capabilities.lists else site.rhythm.reread
    elapsed = site.clock.now() - datetime.fromisoformat(last) if last else timedelta(seconds=period)
    return not timedelta() <= elapsed < timedelta(seconds=period)  # negative: the clock was set back


def dismiss(state: Steady) -> None:
    """End in order: start no more lanes, and give the leases back at once where no lane is busy."""
    state.crew.close()
    if not state.crew.busy():
        give_back(state.site)


def finish(state: Steady) -> bool:
    """After the stop signal: record the work of lanes that have ended since. Answers whether all lanes have ended."""
    counts, _ = gather(state, 0.0)
    if counts:
        site = state.site
        record(site, Options(mode="poll"), Result(site.run_id(), counts, 0, 0.0))
    return not state.crew.busy()

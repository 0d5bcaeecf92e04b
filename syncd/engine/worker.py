"""Work off one lane: take its lease, load its condition (breaker, pace), probe a provider that was down, drain due
pairs, store the condition."""

from __future__ import annotations

import contextlib
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from syncd.core.model import Pair, Stage, Work
from syncd.engine.ids import ids_recorded, work_off_notes
from syncd.engine.rules import apply_changed_settings, rules_now
from syncd.errors import LeaseLost, ProviderError, Stopped, Throttled, Unauthorized
from syncd.lanes import LanePaused, drain
from syncd.log import emit
from syncd.reconcile import Route, reconcile
from syncd.reconcile.held import recount
from syncd.runtime.installation import Held, Installation
from syncd.runtime.leadership import CAPTURE, VERIFY, forfeit, give_back, hold, keep, lane_name
from syncd.store import journal, leases, progress, work
from syncd.store.database import Transaction
from syncd.store.progress import ProviderState

STEP = 2.0  # seconds: a clock that moved by less has drifted and was not set
KEEP = 30.0  # seconds between two stores of a lane's condition, so that a crash in a long pass does not lose it


@dataclass
class Tally:
    """What a run did, counted by provider and kind of report; filled by the lanes. `done` is called with the size of
    every group worked off."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    done: Callable[[int], None] = field(default=lambda _pairs: None)

    def add(self, provider: str, kinds: Counter[str]) -> None:
        """Add a lane's counts; every lane has a counter of its own, so no lock is needed."""
        self.counts.setdefault(provider, Counter()).update(kinds)

    def total(self, kind: str) -> int:
        """The count of one kind over all providers."""
        return sum(counter[kind] for counter in self.counts.values())

    def handled(self, provider: str | None = None) -> int:
        """How many looks have ended so far, of one provider or of all."""
        return sum(counter.total() for name, counter in self.counts.items() if provider in {None, name})


def take_lane(site: Installation, route: Route) -> Route | None:
    """The route with our lease on its lane, newly taken or extended, and with the lane's stored condition; None while
    another daemon holds the lease."""
    held = _hold(site, route.provider)
    if held is None:
        return None
    with site.state.read() as tx:
        kept = progress.provider_state(tx, route.provider)
        rules = rules_now(tx, site, route)
    route = replace(
        route,
        lease=held.lease,
        rules=rules,
        listing=type(route.listing)(),
    )
    lane = route.lane
    lane.leave = False
    lane.keep = lambda: keep(site, lane_name(route.provider))
    lane.renewed(held.renewed)
    lane.on_state = lambda state: _remember(site, route, state)
    lane.load(kept.breaker, lane.breaker.credentials)
    lane.load_pace(kept.pace)
    return route


def _hold(site: Installation, provider: str) -> Held | None:
    """Our lease on a lane; None while another daemon holds it. Where the lease is new to this process, the former
    holder's intents first settle anew, and changed settings are applied."""
    name = lane_name(provider)
    before = site.held.get(name)
    held = hold(site, name)
    if held is not None and (before is None or before.lease.epoch != held.lease.epoch):
        del site.held[name]  # until both are done the lane takes no pairs
        settle_what_was_left(site, provider, held.lease)
        apply_changed_settings(site, provider, held.lease)
        site.held[name] = held
    return held


def settle_what_was_left(site: Installation, provider: str, lease: leases.Lease) -> None:
    """Let the intents that the lease's former holder left open settle from now on: it has sent nothing since it lost
    the lease."""
    route = next(route for route in site.routes if route.provider == provider)
    with site.state.fenced(lease) as tx:
        journal.settle_left_over(tx, provider, lease.epoch, route.later(route.timeout + route.settle))


def heed_the_clock(site: Installation, route: Route) -> None:
    """Where the wall clock was set, let every open intent of the lane settle anew.

    Settle times are wall times: a clock that is set 5 minutes forward would end them all at once, and a write that is
    still on its way would be looked up too early. Only such a step changes the distance between wall clock and
    monotonic clock (and a reboot or a suspended machine, where settling anew does no harm). The state keeps the
    distance, so that a step across a restart is noticed too. Machines that share a state take the time of its server.
    """
    name = f"clock:{route.provider}:{socket.gethostname()}"
    distance = site.clock.now().timestamp() - site.clock.monotonic()
    if route.lane.distance is not None and abs(route.lane.distance - distance) < STEP:
        return
    with site.state.read() as tx:
        before = progress.meta(tx, name)
    if before and abs(float(before) - distance) < STEP:
        route.lane.distance = float(before)
        return
    with site.state.fenced(route.lease) as tx:
        if before:
            journal.settle_anew(tx, route.provider, route.later(route.timeout + route.settle))
        progress.set_meta(tx, name, repr(distance))
    route.lane.distance = distance


def release_lanes(site: Installation, routes: Sequence[Route]) -> None:
    """Give these lanes back at once, and the leases on capture and sweep."""
    give_back(site, frozenset(lane_name(route.provider) for route in routes) | {CAPTURE, VERIFY})


def operator_pause(site: Installation, kept: ProviderState) -> bool:
    """Whether an operator paused this provider, and the pause has not ended."""
    return kept.state == "paused" and (kept.until is None or kept.until > site.clock.now())


def work_off(site: Installation, route: Route, tally: Tally, limit: int | None = None, only: str | None = None) -> None:
    """Drain one lane until none of its due pairs can be taken now. The provider's errors end here and reach no other
    lane.

    At most `limit` pairs; with `only` just this customer's.
    """
    with site.state.read() as tx:
        kept = progress.provider_state(tx, route.provider)
    if operator_pause(site, kept):
        return
    kinds: Counter[str] = Counter()
    written = [site.clock.monotonic()]

    def take(busy: frozenset[str]) -> Sequence[Work]:
        if site.clock.monotonic() - written[0] >= KEEP:
            keep_condition(site, route)
            written[0] = site.clock.monotonic()
        heed_the_clock(site, route)
        with site.state.read() as tx:
            if operator_pause(site, progress.provider_state(tx, route.provider)):
                return ()
            if only is not None:
                return [] if only in busy else _takeable(tx, Pair(route.provider, only), site.clock.now())
            size, threads = route.lane.group(), route.lane.threads()
            due = work.take(tx, route.provider, site.clock.now(), size * threads, busy)
            return due[: evenly(len(due), size, threads)]

    def handle(batch: Sequence[Work]) -> None:
        started = site.clock.monotonic()
        with ids_recorded(route, batch):
            kinds.update(report.kind for report in reconcile(route, batch))
        route.lane.stride.took(len(batch), site.clock.monotonic() - started)
        tally.done(len(batch))

    try:
        work_off_notes(route)
        if not route.lane.needs_probe() or probe(route):
            drain(route.lane, take, handle, limit)
    except LeaseLost:
        forfeit(site, lane_name(route.provider))
    except (LanePaused, Stopped):
        pass
    finally:
        tally.add(route.provider, kinds)
        if kinds:
            with contextlib.suppress(LeaseLost), site.state.fenced(route.lease) as tx:
                recount(tx, route.provider, site.clock.now())
        with contextlib.suppress(LeaseLost):
            keep_condition(site, route)


def evenly(due: int, size: int, threads: int) -> int:
    """How many of `due` pairs one thread takes, so that all end at about the same time: at most `size`, and not so few
    that the transactions of a group weigh more than its requests. 20 due, groups of 10, 4 threads: 5."""
    return min(size, max(-(-due // threads), size // 4, 1))


def _takeable(tx: Transaction, pair: Pair, now: datetime) -> list[Work]:
    """This pair if it is due and has no intent that still settles, as `work.take` would take it."""
    item = work.read(tx, pair)
    if item is None or item.due_at > now:
        return []
    unsettled = [i for i in journal.intents(tx, pair.provider, [pair.key]).get(pair.key, ()) if i.stage is Stage.OPEN]
    return [] if any(intent.settle_until > now for intent in unsettled) else [item]


def paused_by_person(site: Installation, route: Route) -> bool:
    """Whether an operator paused this provider. The state is asked every time, so that a pause holds within seconds."""
    with site.state.read() as tx:
        return operator_pause(site, progress.provider_state(tx, route.provider))


def probe(route: Route) -> bool:
    """Ask the provider with one cheap request whether it is back."""
    try:
        route.lane.probe(route.adapter.probe)
    except Unauthorized as error:
        route.lane.refused(error.message)
    except Throttled as error:
        route.lane.throttled(error.retry_after)
    except ProviderError as error:
        route.lane.failed(error.message)
    else:
        route.lane.succeeded()
    state = route.lane.breaker.state
    emit("provider.probed", provider=route.provider, state=state)
    return state == "ok"


def keep_condition(site: Installation, route: Route) -> None:
    """Store the lane's condition and how many requests it sent, so that a restart changes neither. Where nothing
    changed, nothing is written."""
    lane, held = route.lane, site.held.get(lane_name(route.provider))
    calls, condition = lane.take_calls(), lane.dump()
    if not calls and held is not None and held.condition == condition:
        return
    now = site.clock.now()
    with site.state.fenced(route.lease) as tx:
        progress.save_provider_state(tx, route.provider, breaker=condition, pace=lane.dump_pace())
        if lane.last_ok is not None:
            progress.save_provider_state(tx, route.provider, last_ok=lane.last_ok)
        if calls:
            progress.add_calls(tx, route.provider, now.strftime("%Y-%m"), calls)
    if held is not None:
        site.held[lane_name(route.provider)] = held._replace(condition=condition)


def _remember(site: Installation, route: Route, state: str) -> None:
    breaker = route.lane.breaker
    with contextlib.suppress(LeaseLost), site.state.fenced(route.lease) as tx:
        progress.save_provider_state(tx, route.provider, breaker=route.lane.dump(), pace=route.lane.dump_pace())
    if state == "ok":
        emit("lane.resumed", provider=route.provider)
    elif state == "throttled":
        emit("provider.throttled", provider=route.provider, until=breaker.until)
    else:
        emit("lane.paused", provider=route.provider, state=state, reason=breaker.reason, until=breaker.until)


def next_moment(site: Installation, routes: Sequence[Route]) -> datetime | None:
    """When a pair can be taken again: the earliest due pair of a lane that is not paused by an operator, or the end of
    that lane's pause; None where nothing is due."""
    moments = []
    now = site.clock.now()
    for route in routes:
        with site.state.read() as tx:
            if operator_pause(site, progress.provider_state(tx, route.provider)):
                continue
            due = work.next_due(tx, route.provider, now)
        if due is not None:
            pause = route.lane.paused_until()
            moments.append(max(due, pause) if pause else due)
    return min(moments, default=None)

"""How a look at a pair ends: finished, put off, parked, rejected or dead, each in one transaction with its note."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from syncd.core.backoff import delay
from syncd.core.guards import Limit, trips
from syncd.core.model import Link, State
from syncd.core.plan import Facts, Park, seen
from syncd.errors import ProviderError
from syncd.lanes import Report
from syncd.reconcile.gather import GRANTED, Case
from syncd.reconcile.route import Route, blank_link, note, tell
from syncd.source import customers
from syncd.store import mapping, progress, review, work
from syncd.store.database import Transaction

STAGED = "staged:"
STAGED_PAUSE = 86_400.0  # seconds until a staged operation is looked at again by itself
FIELD_KINDS = (
    "conflict",
    "no_base",
    "pull_only",
    "first_seen",
    "read_only",
    "gutted",
    "does_not_fit",
    "frozen",
    "renumbered",
)
PAIR_KINDS = (
    "remote_gone",
    "remote_archived",
    "ambiguous",
    "unknown_create",
    "key_taken",
    "came_back",
    "found",
    "delete_conflict",
    "taken",
)


def finish(tx: Transaction, route: Route, case: Case, link: Link | None, *, keep: tuple[str, ...] = ()) -> None:
    """The look is over: store the row, drop the mark unless a newer one came, close items that lost their reason."""
    if link is not None:
        mapping.save(tx, link)
    work.finish(tx, case.work)
    kinds = [kind for kind in (*FIELD_KINDS, *PAIR_KINDS) if kind not in keep]
    review.close_reviews(tx, route.provider, case.pair.key, kinds, route.clock.now(), "settled")


def put_off(tx: Transaction, case: Case, due_at: datetime, why: str, detail: str = "") -> None:
    """Look again at `due_at`, unless a newer mark came; `why` is a fixed word."""
    work.postpone(tx, case.work, due_at, case.work.attempts, why, detail)


def announce(tx: Transaction, route: Route, kind: str, reason: str) -> None:
    """One review item that stands for many; its count is brought up to date once a run, by `recount`."""
    if not any(item.kind == kind for item in review.reviews(tx, provider=route.provider, key="")):
        review.open_review(tx, route.provider, "", kind, {}, reason, route.clock.now())


def recount(tx: Transaction, route: Route) -> None:
    """Bring the counts of the items that stand for many up to date; one whose reason is gone closes itself."""
    for item in review.reviews(tx, provider=route.provider, key=""):
        staged = STAGED + item.kind.removeprefix("guard_")
        if item.kind != "adopt" and not item.kind.startswith("guard_"):
            continue
        count = work.count_class(tx, route.provider, "adopt" if item.kind == "adopt" else staged)
        if count == 0:
            review.close_reviews(tx, route.provider, "", [item.kind], route.clock.now(), "settled")
        elif count != item.count:
            review.open_review(tx, route.provider, "", item.kind, {}, item.reason, route.clock.now(), count=count)


def park(route: Route, case: Case, action: Park) -> Report:
    """Stop the pair until a person decides; a person's earlier `ignore` stands as long as nothing changed."""
    now = route.clock.now()
    with route.state.fenced(route.lease) as tx:
        if review.ignored(tx, route.provider, case.pair.key, action.kind):
            finish(tx, route, case, blank_link(case.pair, case.facts.link))
            return Report("unchanged")
        review.open_review(tx, route.provider, case.pair.key, action.kind, {}, action.reason, now)
        shown = replace(blank_link(case.pair, case.facts.link), state=State.REVIEW)
        finish(tx, route, case, shown, keep=(action.kind,))
        note(tx, route, case.pair.key, "pair.parked", (), action.kind)
    tell(route, case.pair.key, "pair.parked", kind=action.kind)
    return Report("review")


def reject(route: Route, case: Case, name: str, reason: str) -> Report:
    """The provider's rules refuse the customer until it changes; nothing is tried before that."""
    fields = (name,) if name else ()
    with route.state.fenced(route.lease) as tx:
        shown = replace(blank_link(case.pair, case.facts.link), state=State.REJECTED)
        finish(tx, route, case, shown)
        note(tx, route, case.pair.key, "pair.rejected", fields, reason)
    tell(route, case.pair.key, "pair.rejected", fields, reason=reason)
    return Report("rejected")


def retry(route: Route, case: Case, error: ProviderError) -> Report:
    """A failure of this pair. It counts only while others get through; too many make a dead letter."""
    attempts = case.work.attempts + (1 if route.lane.healthy() else 0)
    kind = type(error).__name__
    if attempts >= route.max_attempts:
        return _bury_alive(route, case, kind, error.message, attempts)
    due_at = route.later(delay(route.backoff, max(attempts, 1), route.jitter()))
    with route.state.fenced(route.lease) as tx:
        work.postpone(tx, case.work, due_at, attempts, kind, error.message)
        note(tx, route, case.pair.key, "pair.retried", (), error.message)
    tell(route, case.pair.key, "pair.retried", reason=error.message, attempt=attempts)
    return Report("retry", due_at)


def _bury_alive(route: Route, case: Case, kind: str, message: str, attempts: int) -> Report:
    with route.state.fenced(route.lease) as tx:
        mapping.save(tx, replace(blank_link(case.pair, case.facts.link), state=State.DEAD))
        work.finish(tx, case.work)
        note(tx, route, case.pair.key, "pair.dead_lettered", (), f"{kind}: {message}")
    tell(route, case.pair.key, "pair.dead_lettered", reason=message, attempt=attempts)
    return Report("dead")


def held_back(route: Route, case: Case, verb: str, limit: Limit | None, names: tuple[str, ...] = ()) -> bool:
    """Ask the guard of this verb. Counted and allowed, or staged under one review item per guard and provider.

    Counting happens before the operation, so that threads cannot pass the limit together; what was certainly not
    executed is given back by `refund`.
    """
    now = route.clock.now()
    more = len(names) if verb == "blank" else 1
    rows_count = limit is not None and limit.share is not None and verb in {"create", "overwrite"}
    rows = customers.count(route.source) if rows_count else None
    with route.state.fenced(route.lease) as tx:
        if not _over(tx, route, case, (verb, limit, names), rows):
            progress.spend(tx, route.provider, verb, more, now)
            return False
        staged = STAGED + verb
        fresh = case.work.error_class != staged
        work.postpone(tx, case.work, route.later(STAGED_PAUSE), case.work.attempts, staged, ",".join(names))
        announce(tx, route, f"guard_{verb}", f"{verb} limit reached")
        if case.facts.link is not None:
            mapping.save(tx, replace(case.facts.link, state=State.REVIEW))
        if fresh:
            note(tx, route, case.pair.key, "guard.tripped", names, verb)
    if fresh:
        tell(route, case.pair.key, "guard.tripped", names, guard=verb)
    return True


def _over(
    tx: Transaction, route: Route, case: Case, wanted: tuple[str, Limit | None, tuple[str, ...]], rows: int | None
) -> bool:
    verb, limit, names = wanted
    if limit is None or _granted(case, verb, names):
        return False
    spent = progress.spent(tx, route.provider, verb, route.later(-limit.window))
    total = rows if rows is not None else mapping.counts(tx).get(route.provider, {}).get(State.LINKED, 0)
    return trips(limit, spent, total, len(names) if verb == "blank" else 1)


def refund(tx: Transaction, route: Route, verb: str, number: int = 1) -> None:
    """An operation that was counted was certainly not executed."""
    progress.spend(tx, route.provider, verb, -number, route.clock.now())


def _granted(case: Case, verb: str, names: tuple[str, ...]) -> bool:
    """A release covers exactly what was on the screen: this verb, these fields or fewer."""
    if case.work.error_class != GRANTED + verb:
        return False
    return set(names) <= set(case.work.error.split(","))


def shown_digests(facts: Facts, names: Mapping[str, str]) -> dict[str, list[str | None]]:
    """The two digests of each field that a review item shows."""
    pairs = {name: seen(facts, name) for name in names}
    return {
        name: [source.digest if source else None, there.digest if there else None]
        for name, (source, there) in pairs.items()
    }

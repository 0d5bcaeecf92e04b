"""How a look at a pair ends: finished, put off, parked, rejected or dead, each in one transaction with its note."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from types import MappingProxyType

from syncd.core.actions import Park
from syncd.core.backoff import delay
from syncd.core.facts import Facts, seen
from syncd.core.guards import ACCEPTED, Limit, accepted, trips
from syncd.core.model import Link, Stage, State
from syncd.core.recognition import another
from syncd.errors import ProviderError
from syncd.lanes import Report
from syncd.reconcile.orders import HELD_KINDS
from syncd.reconcile.outset import Case
from syncd.reconcile.route import Route, blank_link, note, tell
from syncd.reconcile.staging import GRANTED, GUARD, STAGED, announce
from syncd.source import customers
from syncd.store import journal, mapping, progress, review, waiting, work
from syncd.store.database import Transaction

MILDER = MappingProxyType({"blank": ("overwrite", "update"), "overwrite": ("update",)})
FIRST_OWNER = Park("delete_conflict", "another customer has this key now, and the first one's record is still linked")
STANDING = (State.LINKED, State.REVIEW, State.RETRY, State.AMBIGUOUS)
STAGED_PAUSE = 86_400.0  # seconds until a staged operation is looked at again by itself
FIELD_KINDS = (
    "conflict",
    "no_base",
    "pull_only",
    "first_seen",
    "read_only",
    "gutted",
    "erased",
    "other_record",
    "does_not_fit",
    "frozen",
    "renumbered",
    "cannot_clear",
)
PAIR_KINDS = (
    "remote_gone",
    "remote_archived",
    "unknown_create",
    "key_taken",
    "came_back",
    "found",
    "delete_conflict",
    "taken",
)


def waited(route: Route, case: Case) -> float:
    """Seconds from the moment the pair was marked until now, for the log."""
    return max((route.clock.now() - case.work.since).total_seconds(), 0.0)


def finish(tx: Transaction, route: Route, case: Case, link: Link | None, *, keep: tuple[str, ...] = ()) -> None:
    """The look is over: store the row, drop the mark unless a newer one came, close items that lost their reason."""
    if link is not None:
        mapping.save(tx, link)
    work.finish(tx, case.work)
    answered = HELD_KINDS if link is None or link.external_id is not None else ()
    kinds = [kind for kind in (*FIELD_KINDS, *PAIR_KINDS, *answered) if kind not in keep]
    review.close_reviews(tx, route.provider, case.pair.key, kinds, route.clock.now(), "settled")


def put_off(tx: Transaction, case: Case, due_at: datetime, why: str, detail: str = "") -> None:
    """Look again at `due_at`, unless a newer mark came; `why` is a fixed word."""
    work.postpone(tx, case.work, due_at, case.work.attempts, why, detail)


def park(route: Route, case: Case, action: Park) -> Report:
    """Stop the pair until a person decides; a person's earlier `ignore` stands as long as nothing changed."""
    now = route.clock.now()
    with route.state.fenced(route.lease) as tx:
        let_go(tx, case, now)
        if review.ignored(tx, route.provider, case.pair.key, action.kind):
            finish(tx, route, case, replace(blank_link(case.pair, case.facts.link), state=State.EXCLUDED))
            review.close_reviews(tx, route.provider, case.pair.key, [action.kind], now, "ignore")
            return Report("excluded")
        asked = any(item.kind == action.kind for item in review.reviews(tx, provider=route.provider, key=case.pair.key))
        review.open_review(tx, route.provider, case.pair.key, action.kind, {}, action.reason, now)
        shown = replace(blank_link(case.pair, case.facts.link), state=State.REVIEW)
        finish(tx, route, case, shown, keep=(action.kind,))
        if not asked:
            note(tx, route, case.pair.key, "pair.parked", (), action.kind)
    if not asked:
        tell(route, case.pair.key, "pair.parked", kind=action.kind)
    return Report("review")


def let_go(tx: Transaction, case: Case, now: datetime) -> None:
    """A pair that stops here gets no confirming reading: what waited for one is forgotten once it cannot land late."""
    for intent in case.facts.intents:
        if intent.stage is Stage.CONFIRM and intent.settle_until <= now:
            journal.close_intent(tx, intent.id)


def reject(route: Route, case: Case, name: str, reason: str) -> Report:
    """The provider's rules refuse the customer until it changes; nothing is tried before that."""
    if case.facts.reborn and another(case.facts):
        return park(route, case, FIRST_OWNER)
    fields = (name,) if name else ()
    with route.state.fenced(route.lease) as tx:
        shown = replace(blank_link(case.pair, case.facts.link), state=State.REJECTED)
        let_go(tx, case, route.clock.now())
        finish(tx, route, case, shown)
        note(tx, route, case.pair.key, "pair.rejected", fields, reason)
    tell(route, case.pair.key, "pair.rejected", fields, reason=reason)
    return Report("rejected")


def retry(route: Route, case: Case, error: ProviderError) -> Report:
    """A failure of this pair. It counts only while others get through; too many make a dead letter."""
    attempts = case.work.attempts + (1 if route.lane.healthy() else 0)
    kind = type(error).__name__
    if attempts >= route.max_attempts:
        return dead_letter(route, case, kind, error.message, attempts)
    due_at = route.later(delay(route.backoff, max(attempts, 1), route.jitter()))
    why = (kind, error.message)
    if case.work.error_class.startswith((GRANTED, ACCEPTED)):  # what a person let go stays so until it is done
        why = (case.work.error_class, case.work.error)
    with route.state.fenced(route.lease) as tx:
        work.postpone(tx, case.work, due_at, attempts, *why)
        note(tx, route, case.pair.key, "pair.retried", (), error.message)
    tell(route, case.pair.key, "pair.retried", reason=error.message, attempt=attempts)
    return Report("retry", due_at)


def dead_letter(route: Route, case: Case, kind: str, message: str, attempts: int) -> Report:
    """The pair used up its attempts; an open intent stays and is judged first when anything revives the pair.

    Where somebody else has the key by now, a person is asked: nothing but his item would still know it then.
    """
    if case.facts.reborn and another(case.facts):
        return park(route, case, FIRST_OWNER)
    with route.state.fenced(route.lease) as tx:
        mapping.save(tx, replace(blank_link(case.pair, case.facts.link), state=State.DEAD))
        work.finish(tx, case.work)
        note(tx, route, case.pair.key, "pair.dead_lettered", (), f"{kind}: {message}")
    tell(route, case.pair.key, "pair.dead_lettered", reason=message, attempt=attempts)
    return Report("dead")


@dataclass(frozen=True, slots=True)
class Ask:
    """One operation before its guard; blank-outs count by field, everything else as one."""

    verb: str
    limit: Limit | None
    names: tuple[str, ...] = ()

    @property
    def number(self) -> int:
        return len(self.names) if self.verb == "blank" else 1


def permitted(route: Route, case: Case, asks: Sequence[Ask], opening: Callable[[Transaction], int]) -> int | None:
    """Ask the guards: None when one of them stages the pair, else what `opening` answers (the intent it opened).

    All is counted in the transaction that opens the intent, before the operation, so that threads cannot pass a limit
    together; what was certainly not executed is given back by `refund`.
    """
    rows = source_rows(route) if any(of_the_source(ask) for ask in asks) else 0
    with route.state.fenced(route.lease) as tx:
        held = next((ask for ask in asks if _over(tx, route, case, ask, rows)), None)
        if held is None:
            for ask in asks:
                progress.spend(tx, route.provider, ask.verb, ask.number, route.clock.now())
            return opening(tx)
        staged = STAGED + held.verb
        fresh = case.work.error_class != staged
        waiting.stage(tx, case.work, route.later(STAGED_PAUSE), staged, held.names)
        announce(tx, route.provider, GUARD + held.verb, f"{held.verb} limit reached", route.clock.now())
        if case.facts.link is not None:
            mapping.save(tx, replace(case.facts.link, state=State.REVIEW))
        if fresh:
            note(tx, route, case.pair.key, "guard.tripped", held.names, held.verb)
    if fresh:
        tell(route, case.pair.key, "guard.tripped", held.names, guard=held.verb)
    return None


def asked_about(case: Case, asks: Iterable[Ask]) -> tuple[Ask, ...]:
    """Those of an operation's guards that have anything to ask: what a person accepted with a match report neither
    counts nor waits."""
    work = case.work
    return tuple(ask for ask in asks if not accepted(work.error_class, work.error, ask.verb, ask.names))


def of_the_source(ask: Ask) -> bool:
    """Whether this operation's share counts the source's rows."""
    return ask.limit is not None and ask.limit.share is not None and ask.verb in {"create", "overwrite"}


def source_rows(route: Route) -> int:
    """How many customers there are, counted once a cycle: guards need the size, not the figure."""
    if route.listing.rows is None:
        route.listing.rows = customers.count(route.source)
    return route.listing.rows


def _over(tx: Transaction, route: Route, case: Case, ask: Ask, rows: int) -> bool:
    if ask.limit is None or granted(case, ask):
        return False
    spent = progress.spent(tx, route.provider, ask.verb, route.later(-ask.limit.window))
    all_of_them = total(tx, route, ask, rows)
    if trips(ask.limit, spent, all_of_them, ask.number):
        return True
    return ask.verb == "delete" and _too_many(tx, route, case, partial(trips, ask.limit, spent, all_of_them))


def _too_many(tx: Transaction, route: Route, case: Case, over: Callable[[int], bool]) -> bool:
    """Deletions are judged together: whether this one and all others that are due now would pass the limit, for a
    source that lost its rows must not take the first ten customers with it. Of 12 deletions, with a limit of 10, none
    is executed. Rows that are back (deleted and inserted again) take nobody with them."""
    others = set(waiting.deletions(tx, route.provider, route.clock.now())) - {case.pair.key}
    if not over(len(others) + 1):
        return False
    if route.listing.present is None:
        route.listing.present = frozenset(customers.read(route.source, sorted(others)))
    return over(len(others - route.listing.present) + 1)


def total(tx: Transaction, route: Route, ask: Ask, rows: int) -> int:
    """What a share is a share of: the source's rows, or the pairs that are linked, parked and staged ones included, for
    staging must not shrink its own limit. Pairs that a person ordered to be linked are among them already: else the
    first of them would meet a narrower guard than the last, and a plan a narrower one than its run."""
    if of_the_source(ask):
        return rows
    counts = mapping.counts(tx).get(route.provider, {})
    return sum(counts.get(state, 0) for state in STANDING) + waiting.to_be_linked(tx, route.provider)


def refund(tx: Transaction, route: Route, asks: Sequence[Ask]) -> None:
    """Operations that were counted were certainly not executed."""
    for ask in asks:
        progress.spend(tx, route.provider, ask.verb, -ask.number, route.clock.now())


def granted(case: Case, ask: Ask) -> bool:
    """A release covers exactly what was on the screen: this verb, these fields or fewer.

    It passes the milder guards of the same operation too: two that are both full would hand it to and fro for ever.
    """
    if not case.work.error_class.startswith(GRANTED):
        return False
    verb = case.work.error_class.removeprefix(GRANTED)
    if verb == ask.verb:
        return set(ask.names) <= set(case.work.error.split(","))
    return ask.verb in MILDER.get(verb, ())


def shown_digests(facts: Facts, names: Mapping[str, str]) -> dict[str, list[str | None]]:
    """The two digests of each field that a review item shows."""
    pairs = {name: seen(facts, name) for name in names}
    return {
        name: [source.digest if source else None, there.digest if there else None]
        for name, (source, there) in pairs.items()
    }

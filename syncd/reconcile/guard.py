"""Admit a group's writes: ask and count the guards in order, reserve keys, and open all intents, in one transaction
that commits only while the lease is ours.

Operations are counted before they are executed, so that two threads cannot pass a limit together. The count of an
operation that was certainly not executed is given back with its outcome.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from syncd.core.actions import Park
from syncd.core.case import Decided
from syncd.core.effects import Change
from syncd.core.endings import look_again, park, staged
from syncd.core.guards import Ask, granted, trips
from syncd.core.model import Link, State, Verb
from syncd.core.writes import outlived
from syncd.reconcile.route import Route
from syncd.source import customers
from syncd.store import journal, mapping, progress, waiting, work
from syncd.store.database import Transaction
from syncd.store.journal import Opening

STANDING = (State.LINKED, State.REVIEW, State.RETRY, State.AMBIGUOUS)
REFUSED_BEFORE = "does_not_fit"  # the open question about a pulled value that its column did not take
KEY_TAKEN = Park("key_taken", "another customer already has this key at the provider")


def admit(route: Route, decided: Sequence[Decided]) -> tuple[list[Decided], list[Decided]]:
    """Divide the group: cases whose write may leave, each with its open intent; and cases that are held back, by a
    guard or because another customer has the key, each with its change. A pair that was erased or re-keyed meanwhile is
    in neither part."""
    wanted = [each for each in decided if each.write is not None or each.asks]
    if not wanted:
        return [], []
    budget = prepared(route, wanted)
    key = wanted[0].case.pair.key
    if _order_matters(route, wanted, budget):
        route.lane.turns.come(key)
    admitted = _admitted(route, wanted, budget)
    route.lane.turns.over(key)
    return admitted


def _order_matters(route: Route, wanted: Sequence[Decided], budget: Budget) -> bool:
    """Whether a limit would be passed if all pairs taken before this group were executed too. Where it would not, the
    group does not wait for its turn: one slow reading must not hold up a whole lane."""
    # Read before the counts: a group that passes in between is counted twice, which is safe.
    before = route.lane.turns.ahead(wanted[0].case.pair.key)
    asks = [ask for each in wanted for ask in each.asks if ask.limit is not None]
    if not before or not asks:
        return False
    most = Counter({ask.verb: before * (len(route.rules.fields) if ask.verb == "blank" else 1) for ask in asks})
    for ask in asks:
        most[ask.verb] += ask.number
    with route.state.read() as tx:
        ledger = _Ledger(tx, route, budget.rows)
        return any(ledger.would_pass(ask, most[ask.verb]) for ask in asks)


def _admitted(route: Route, wanted: Sequence[Decided], budget: Budget) -> tuple[list[Decided], list[Decided]]:
    with route.state.fenced(route.lease) as tx:
        due = work.generations(tx, route.provider, [each.case.pair.key for each in wanted])
        passed, held = judge(tx, route, [each for each in wanted if each.case.pair.key in due], budget)
        passed, taken = _reserve(tx, route, passed)
        spend(tx, route, [ask for each in passed for ask in each.asks])
        return _opened(tx, route, [each for each in passed if each.write is not None]), held + taken


def _reserve(tx: Transaction, route: Route, passed: Sequence[Decided]) -> tuple[list[Decided], list[Decided]]:
    """Reserve our keys for the creates. Answers the passed cases, and those whose key another customer has."""
    creates = {each.case.pair.key: each.case.key for each in passed if each.write and _verb(each) is Verb.CREATE}
    refused = mapping.reserve(tx, route.provider, creates, route.clock.now()) if creates else {}
    terms = route.terms()
    taken = [instead(each, park(each.case, terms, KEY_TAKEN)) for each in passed if each.case.pair.key in refused]
    return [each for each in passed if each.case.pair.key not in refused], taken


def _opened(tx: Transaction, route: Route, passed: Sequence[Decided]) -> list[Decided]:
    """Open all intents. The new intent of a create replaces those that an earlier create of the pair left open; that of
    a pull ends what settled writes explain of its fields."""
    creates = [each.case for each in passed if _verb(each) is Verb.CREATE]
    journal.close_all(tx, [case.pair for case in creates if case.facts.intents])
    work.note_seen(tx, [case.work for case in creates])
    openings = [Opening(each.case.pair, _verb(each), each.write.sent if each.write else {}) for each in passed]
    mapping.save_all(tx, _disputes(passed))
    for each in passed:
        if each.write is not None and _verb(each) is Verb.PULL:
            for number, left in outlived(each.case.facts, each.write.values.keys()):
                journal.update_intent(tx, number, fields=left)
    until = route.later(route.timeout + route.settle)
    ids = journal.open_intents(tx, openings, route.lease.epoch, route.clock.now(), until)
    return [each._replace(intent=number) for each, number in zip(passed, ids, strict=True)]


def _disputes(passed: Sequence[Decided]) -> list[Link]:
    """The mapping rows of exchanges that found a disputed field, with only that mark added. They are stored before the
    push, because the push may remove the signs of the dispute, and a crash may follow before its outcome is
    recorded."""
    found = []
    for each in passed:
        link, exchange = each.case.facts.link, each.progress
        if link is not None and exchange is not None and exchange.review:
            after = exchange.base
            torn = [name for name, entry in link.base.items() if after[name].disputed and not entry.disputed]
            if torn:
                marked = {name: link.base[name]._replace(disputed=True) for name in torn}
                found.append(link._replace(base={**link.base, **marked}, version=None))
    return found


def instead(decided: Decided, change: Change) -> Decided:
    """The decision with this change in place of its write."""
    return decided._replace(write=None, change=change, then=None)


def _verb(decided: Decided) -> Verb:
    assert decided.write is not None  # noqa: S101 - only writes come here
    return decided.write.verb


# -- guards ------------------------------------------------------------------------------------------------------


@dataclass
class Budget:
    """What guards count besides the state: the `rows` of the source, and the operations that `passed` in this group or,
    in a plan, before it. `doubtful`: the passed pulls that the source refused at the last attempt."""

    rows: int
    passed: Counter[str] = field(default_factory=Counter)
    doubtful: Counter[str] = field(default_factory=Counter)


def judge(
    tx: Transaction, route: Route, decided: Sequence[Decided], budget: Budget
) -> tuple[list[Decided], list[Decided]]:
    """Ask every guard about every operation, in order. Answers the cases that pass, and the cases that are held back,
    each with its change. Reads only.

    Only executed operations may use up a limit. Where a limit is reached with an operation that the source refused
    before, the next operation waits for the outcome and not for a person: with two pulls allowed, a pull of a value
    that never fits passes, then a second one, and the third is judged again in the next group.
    """
    passed: list[Decided] = []
    held: list[Decided] = []
    ledger = _Ledger(tx, route, budget.rows)
    for each in decided:
        item = each.case.work
        asks = [ask for ask in each.asks if not granted(item.error_class, item.error, ask)]
        stopping = next((ask for ask in asks if _over(ledger, ask, budget)), None)
        if stopping is not None:
            undecided = not _over(ledger, stopping, Budget(budget.rows, budget.passed - budget.doubtful))
            change = (
                look_again(each.case, route.terms(), 0.0) if undecided else staged(each.case, route.terms(), stopping)
            )
            held.append(instead(each, change))
            continue
        numbers = {ask.verb: ask.number for ask in each.asks}
        budget.passed.update(numbers)
        if REFUSED_BEFORE in each.case.asked:
            budget.doubtful.update(numbers)
        passed.append(each)
    return passed, held


@dataclass
class _Ledger:
    """The counts and totals of the state, read once for a group; they hold until commit, since writers take turns."""

    tx: Transaction
    route: Route
    rows: int
    spent: dict[str, int] = field(default_factory=dict)
    pairs: int | None = None

    def so_far(self, verb: str, window: float) -> int:
        """Operations of this kind that were executed in the window."""
        if verb not in self.spent:
            self.spent[verb] = progress.spent(self.tx, self.route.provider, verb, self.route.later(-window))
        return self.spent[verb]

    def total(self, ask: Ask) -> int:
        """The total for a share: the source's rows, or the provider's pairs."""
        if ask.of_the_source:
            return self.rows
        if self.pairs is None:
            self.pairs = _pairs(self.tx, self.route)
        return self.pairs

    def would_pass(self, ask: Ask, more: int) -> bool:
        """Whether `more` operations of this kind would pass its limit."""
        if ask.limit is None:
            return False
        return trips(ask.limit, self.so_far(ask.verb, ask.limit.window), self.total(ask), more)


def _over(ledger: _Ledger, ask: Ask, budget: Budget) -> bool:
    if ask.limit is None:
        return False
    if ledger.would_pass(ask, budget.passed[ask.verb] + ask.number):
        return True
    over = partial(ledger.would_pass, ask)
    if ask.verb == "unlink":
        return _too_many_left(ledger.tx, ledger.route, over)
    return ask.verb == "delete" and _too_many(ledger.tx, ledger.route, over)


def _too_many(tx: Transaction, route: Route, over: Callable[[int], bool]) -> bool:
    """Whether all deletions that are due now would pass the limit together: a source that lost its rows must not take
    even the first ten customers with it. Of 12 deletions, with a limit of 10, none is executed. Rows that were deleted
    and inserted again do not count."""
    due = set(waiting.deletions(tx, route.provider, route.clock.now()))
    if not over(max(len(due), 1)):
        return False
    if route.listing.present is None:
        route.listing.present = frozenset(customers.read(route.source, sorted(due)))
    return over(max(len(due - route.listing.present), 1))


def _too_many_left(tx: Transaction, route: Route, over: Callable[[int], bool]) -> bool:
    """Whether all unlinks by a filter that are due now would pass the limit together: a typing mistake in a condition
    must not end even the first ten links. Of 12 excluded customers, with a limit of 10, none is unlinked. A customer
    that became due after `prepared` counts as excluded."""
    due = waiting.linked_due(tx, route.provider, route.clock.now())
    return over(max(sum(route.listing.left.get(key, True) for key in due), 1))


def prepared(route: Route, decided: Sequence[Decided]) -> Budget:
    """The budget of these operations, with what the source tells; called before the state is locked."""
    asks = [ask for each in decided for ask in each.asks if ask.limit is not None]
    if any(ask.verb == "unlink" for ask in asks):
        _look_who_left(route)
    return Budget(source_rows(route) if any(ask.of_the_source for ask in asks) else 0)


def _look_who_left(route: Route) -> None:
    """Note for every due linked customer whether a filter or a view hides its row."""
    with route.state.read() as tx:
        due = waiting.linked_due(tx, route.provider, route.clock.now())
    new = [key for key in due if key not in route.listing.left]
    here = customers.read(route.source, new)
    for key in new:
        route.listing.left[key] = key not in here and customers.presence(route.source, key).in_table


def _pairs(tx: Transaction, route: Route) -> int:
    """The number of linked pairs, with parked and staged ones, because staging must not lower its own limit; and with
    pairs that a person ordered to be linked: otherwise the first of them would meet a lower limit than the last, and a
    plan a lower one than its run."""
    counts = mapping.counts(tx).get(route.provider, {})
    return sum(counts.get(state, 0) for state in STANDING) + waiting.count_to_be_linked(tx, route.provider)


def source_rows(route: Route) -> int:
    """The number of source rows, counted once a cycle: guards need no exact figure."""
    if route.listing.rows is None:
        route.listing.rows = customers.count(route.source)
    return route.listing.rows


def spend(tx: Transaction, route: Route, asks: Sequence[Ask], sign: int = 1) -> None:
    """Count operations; with `sign` -1 give back the counts of operations that were certainly not executed."""
    counted: Counter[str] = Counter()
    for ask in asks:
        counted[ask.verb] += ask.number
    for verb, number in counted.items():
        progress.spend(tx, route.provider, verb, sign * number, route.clock.now())

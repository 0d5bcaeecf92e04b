"""Store the results of a group in one transaction (links, bases, intents, reviews, work, events, refunds), then write
the log lines.

Where a change links a remote that is linked to another customer already, the group's transaction fails. Every pair is
then recorded by itself, and that one pair is parked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from syncd.core.case import Decided, Step
from syncd.core.changes import changes, linked_elsewhere
from syncd.core.effects import Change, Outcome, Stored
from syncd.core.endings import STAGED_PAUSE
from syncd.core.guards import STAGED
from syncd.core.model import Pair, Verb
from syncd.core.questions import BESIDE, made_beside
from syncd.errors import AlreadyLinked
from syncd.lanes import Report
from syncd.log import emit
from syncd.reconcile.guard import spend
from syncd.reconcile.held import GUARD, announce
from syncd.reconcile.pull import projection
from syncd.reconcile.route import Route
from syncd.store import events, journal, mapping, review, tombstones, waiting, work
from syncd.store.database import Transaction


def record(
    route: Route, decided: Sequence[Decided], held: Sequence[Decided], sent: Sequence[tuple[Decided, Outcome]]
) -> tuple[list[Report], list[Decided]]:
    """Store decisions without a write, staged operations and outcomes. Answers the reports of looks that ended, and the
    decisions with which the other looks go on."""
    terms = route.terms()
    back = {each.case.pair.key for each in held}
    ended_so = [*held, *(each for each in decided if each.case.pair.key not in back)]
    steps = [(each, Step(each.change, each.then)) for each in ended_so if each.change is not None]
    for each, outcome in sent:
        row = outcome.customer if isinstance(outcome, Stored) else None
        steps.append((each, changes(each, outcome, terms, projection(route, row))))
    stored = _stored(route, steps)
    _learn(route, decided, sent)
    erased = len(decided) - len(stored)  # or re-keyed meanwhile: for such a pair no change is stored
    ended = [_told(route, step) for step in stored]
    reports = [report for report, step in zip(ended, stored, strict=True) if step.then is None]
    return reports + [Report("deferred")] * erased, [step.then for step in stored if step.then is not None]


def _stored(route: Route, steps: Sequence[tuple[Decided, Step]]) -> list[Step]:
    """Store these steps together, or one by one where one of them fails. A step whose pair is no longer due is left
    out."""
    try:
        return _together(route, steps)
    except AlreadyLinked:
        if len(steps) > 1:
            return [step for one in steps for step in _stored(route, [one])]
    decided, _ = steps[0]
    return _together(route, [(decided, Step(linked_elsewhere(decided, route.terms())))])


def _together(route: Route, steps: Sequence[tuple[Decided, Step]]) -> list[Step]:
    if all(step.change == Change(step.change.work, step.change.kind) for _, step in steps):
        return [step for _, step in steps]
    with route.state.fenced(route.lease) as tx:
        due = work.generations(tx, route.provider, [step.change.pair.key for _, step in steps])
        stored = [step for _, step in steps if step.change.pair.key in due]
        apply(tx, route, [step.change for step in stored])
    return stored


def apply(tx: Transaction, route: Route, told: Sequence[Change]) -> None:
    """Store these changes: each kind of part for all changes at once."""
    now = route.clock.now()
    spend(tx, route, [ask for each in told for ask in each.refund], -1)
    journal.close_all(tx, [each.pair for each in told if each.close_all])
    journal.close_intents(tx, [number for each in told for number in each.close])
    journal.move_intents(tx, [moved for each in told for moved in each.move])
    for each in told:
        for asked in each.questions:
            item = (each.pair.key, asked.kind, asked.fields, asked.reason)
            review.open_review(tx, route.provider, *item, now, void=asked.void)
    _links(tx, route, told)
    for each in told:
        if each.moves_to:
            _respell(tx, route, each.pair, each.moves_to)
    work.finish(tx, [each.work for each in told if each.finish])
    work.postpone(tx, [(each.work, each.later) for each in told if each.later is not None])
    _waits(tx, route, told)
    closing = {each.pair.key: each.closing for each in told if each.closing}
    _tell_beside(tx, route, told, review.close_standing(tx, route.provider, closing, now))
    for each in told:
        if each.mark is not None:
            work.mark(tx, [Pair(route.provider, each.mark[0])], each.mark[1], now)
    events.record(tx, [note for each in told for note in each.notes], now)


def _links(tx: Transaction, route: Route, told: Sequence[Change]) -> None:
    keys, provider, now = route.state.tombstone_keys, route.provider, route.clock.now()
    mapping.save_all(tx, [each.link for each in told if each.link is not None])
    for each in told:
        if each.state is not None and each.link is None:
            mapping.set_state(tx, each.pair, each.state)
        if each.grave is not None:
            customer = each.pair.key if each.grave.whole else None
            if each.grave.our_key:
                tombstones.bury_carriers(tx, keys, provider, each.grave.our_key, each.grave.how, now)
            for external_id in each.grave.external_ids:
                tombstones.bury(tx, keys, provider, external_id, customer, each.grave.how, now)
        if each.unlink:
            mapping.unlink(tx, each.pair)
    tombstones.exhume_all(tx, keys, provider, {each.living: each.pair.key for each in told if each.living})


def _tell_beside(tx: Transaction, route: Route, told: Sequence[Change], ordered: Sequence[tuple[str, str]]) -> None:
    """Ask about records that a person ordered to be linked, where the pair got another record. Example: the order comes
    while the answer to our create is on its way."""
    linked = {each.pair.key: each.link.external_id for each in told if each.link is not None}
    now = route.clock.now()
    for key, second in ordered:
        first = linked.get(key)
        if first is not None and first != second:
            tombstones.bury(tx, route.state.tombstone_keys, route.provider, second, None, BESIDE, now)
            review.open_review(tx, route.provider, key, "twice", {}, made_beside(first, second), now)


def _respell(tx: Transaction, route: Route, pair: Pair, key: str) -> None:
    """Move everything that the state has under a mark's spelling to the row's own key. Where that key has a link of its
    own, the link under the mark's spelling is the first owner's: it moves to a former key and is looked at as
    deleted."""
    if not mapping.is_taken(tx, key):
        mapping.move_key(tx, pair.key, key)
    elif (first := mapping.to_former_key(tx, pair.key)) is not None:
        work.mark(tx, [Pair(route.provider, first)], "deleted", route.clock.now())


def _waits(tx: Transaction, route: Route, told: Sequence[Change]) -> None:
    """Store staged operations, and open the review items for them and for pairs that wait for `adopt`: one item for all
    pairs of a kind."""
    now = route.clock.now()
    verbs = {}
    for each in told:
        if each.staged is not None:
            verb, names = each.staged
            waiting.stage(tx, each.work, route.later(STAGED_PAUSE), STAGED + verb, names)
            verbs[verb] = f"{verb} limit reached"
    for verb, reason in verbs.items():
        announce(tx, route.provider, GUARD + verb, reason, now)
    if any(each.announce for each in told):
        announce(tx, route.provider, "adopt", "customers wait for `syncd adopt`", now)


def _learn(route: Route, decided: Sequence[Decided], sent: Sequence[tuple[Decided, Outcome]]) -> None:
    """Report successful readings of looks without a write to the lane, and add created records to the cycle's
    listing."""
    if any(each.change is not None and each.case.failure is None and each.case.requests for each in decided):
        route.lane.succeeded()
    stored = [
        outcome.remote
        for each, outcome in sent
        if isinstance(outcome, Stored) and each.write is not None and each.write.verb is Verb.CREATE
    ]
    if route.listing.keys is not None:
        route.listing.keys.add(remote for remote in stored if remote is not None)


def _told(route: Route, step: Step) -> Report:
    """Write the log lines of a durable change. Answers the look's report."""
    change = step.change
    for line in change.lines:
        more: dict[str, Any] = {**line.more, "fields": sorted(line.fields)} if line.fields else dict(line.more)
        emit(line.event, provider=route.provider, customer_key=change.pair.key, **more)
    return Report(change.kind, change.retry_at)

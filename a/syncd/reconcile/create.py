"""Making and ending links: create, adopt, remove, unlink. Every write has an intent, durable before it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from syncd.core.actions import Adopt, Park, Remove, Unlink
from syncd.core.backoff import delay
from syncd.core.facts import Facts
from syncd.core.model import FieldBase, Link, Remote, Sent, Stage, State, Values, Verb
from syncd.core.recognition import base_of_lost_create
from syncd.core.writes import renewed, unknown_create
from syncd.errors import NotFound, OutcomeUnknown, ProviderError, Rejected, Stopped, Taken
from syncd.lanes import LanePaused, Report
from syncd.reconcile.gather import numbered
from syncd.reconcile.outcome import Ask, asked_about, dead_letter, finish, park, permitted, refund, reject, waited
from syncd.reconcile.outset import Case
from syncd.reconcile.route import Route, blank_link, note, tell
from syncd.store import journal, mapping, work
from syncd.store.database import Transaction


def create(route: Route, case: Case, values: Values) -> Report:
    """Reserve our key, write the intent, create, and link what came back."""
    again = unknown_create(case.facts) is not None
    asks = create_asks(route, case)
    intent = permitted(route, case, asks, lambda tx: _intend(tx, route, case, values))
    if intent is None:
        return Report("staged")
    if not intent:
        with route.state.fenced(route.lease) as tx:
            refund(tx, route, asks)
        return park(route, case, Park("key_taken", "another customer already has this key at the provider"))
    route.lane.begin_write()
    try:
        remote = numbered(route, route.adapter.create(case.key, sendable(route, values)))
    except Taken as taken:
        if again:
            return unknown(route, case, intent, "create", taken)
        close(route, intent, asks)
        return park(route, case, Park("taken", f"the provider already has a customer with this {taken.field or 'key'}"))
    except Rejected as refused:
        close(route, intent, asks)
        return reject(route, case, refused.field, refused.reason)
    except OutcomeUnknown as lost:
        return unknown(route, case, intent, "create", lost)
    except (ProviderError, LanePaused, Stopped) as error:
        if route.lane.wrote():
            unknown(route, case, intent, "create", error)
        else:
            close(route, intent, asks)
        raise
    return _created(route, case, intent, remote)


def create_asks(route: Route, case: Case) -> tuple[Ask, ...]:
    """Creates of a first pass that a person approved do not count for the guard."""
    return () if case.work.reason == "backfill" else asked_about(case, [Ask("create", route.guards.create)])


def sendable(route: Route, values: Values) -> Values:
    """Without the number where it is not a field of the provider's but the key itself."""
    return {name: value for name, value in values.items() if name != "number" or route.rules.renumbers}


def _intend(tx: Transaction, route: Route, case: Case, values: Values) -> int:
    """Reserve our key and open the intent; 0 when somebody else holds the key."""
    now = route.clock.now()
    digest = route.digester(case.key)
    fields = {name: Sent(None, digest(name, value)) for name, value in values.items()}
    if mapping.reserve(tx, case.pair, case.key, now) is not None:
        return 0
    journal.close_intents(tx, case.pair)
    work.judged(tx, case.work)
    until = route.later(route.timeout + route.settle)
    return journal.open_intent(tx, case.pair, Verb.CREATE, fields, route.lease.epoch, now, until)


def _created(route: Route, case: Case, intent: int, remote: Remote) -> Report:
    facts = replace(case.facts, digest=route.digester(case.key))
    base = renewed(facts, remote.values, frozenset(facts.source or {}), provisional=remote.provisional)
    link = linked(case, remote, base, case.key, route.clock.now())
    with route.state.fenced(route.lease) as tx:
        conclude(tx, route, intent, provisional=remote.provisional)
        journal.exhume(tx, route.state.key, route.provider, remote.external_id, case.pair.key)
        finish(tx, route, case, link)
        note(tx, route, case.pair.key, "pair.created", tuple(facts.source or {}))
    if route.listing.keys is not None and remote.key is not None:
        route.listing.keys[remote.key] = (*route.listing.keys.get(remote.key, ()), remote)
    tell(route, case.pair.key, "pair.created", wait_s=waited(route, case))
    return Report("created")


def linked(case: Case, remote: Remote, base: dict[str, FieldBase], our_key: str, now: datetime) -> Link:
    """The mapping row of a pair that is linked from now on."""
    old = blank_link(case.pair, case.facts.link)
    return replace(
        old,
        provider_key=our_key,
        external_id=remote.external_id,
        external_ids=remote.external_ids,
        base=base,
        state=State.LINKED,
        created_at=old.created_at or now,
        synced_at=now,
        verified_at=now,
    )


def conclude(tx: Transaction, route: Route, intent: int, *, provisional: bool) -> None:
    """A known outcome: close the intent, or keep it until one later reading confirms what was stored."""
    if provisional:
        journal.update_intent(tx, intent, stage=Stage.CONFIRM, settle_until=route.later(route.settle))
    else:
        journal.close_intent(tx, intent)


def close(route: Route, intent: int, asks: Sequence[Ask]) -> None:
    """The write was certainly not executed."""
    with route.state.fenced(route.lease) as tx:
        journal.close_intent(tx, intent)
        refund(tx, route, asks)


def unknown(route: Route, case: Case, intent: int, verb: str, error: Exception) -> Report:
    """Nobody knows whether the write took effect: leave it alone for the settle time, then look."""
    until = route.later(route.settle)
    attempts = case.work.attempts + (1 if route.lane.healthy() else 0)
    if attempts >= route.max_attempts:
        with route.state.fenced(route.lease) as tx:
            journal.ended(tx, intent, until)
        return dead_letter(route, case, type(error).__name__, f"{verb}: outcome unknown", attempts)
    with route.state.fenced(route.lease) as tx:
        journal.ended(tx, intent, until)
        until = max(until, route.later(delay(route.backoff, attempts, route.jitter())))
        work.postpone(tx, case.work, until, attempts, "OutcomeUnknown", f"{verb}: {error}")
        mapping.set_state(tx, case.pair, State.AMBIGUOUS)
        note(tx, route, case.pair.key, "pair.retried", (), f"{verb}: outcome unknown")
    tell(route, case.pair.key, "pair.retried", reason=f"{verb}: outcome unknown")
    return Report("ambiguous", until)


def adopt(route: Route, case: Case, action: Adopt) -> Case:
    """Link an existing remote and go on as with any linked pair."""
    after = adopted(route, case, action)
    intent, link = unknown_create(case.facts), after.facts.link
    assert link is not None  # noqa: S101 - made above
    with route.state.fenced(route.lease) as tx:
        mapping.save(tx, link)
        journal.exhume(tx, route.state.key, route.provider, action.remote.external_id, case.pair.key)
        if intent is not None:
            journal.update_intent(tx, intent.id, stage=Stage.CONFIRM, settle_until=route.later(route.settle))
        note(tx, route, case.pair.key, "pair.adopted")
    tell(route, case.pair.key, "pair.settled" if action.own else "pair.adopted")
    return after


def adopted(route: Route, case: Case, action: Adopt) -> Case:
    """The case as it is once the remote is linked. After our own create, what was sent is the base."""
    remote = action.remote
    intent = unknown_create(case.facts)
    base: dict[str, FieldBase] = {}
    if action.own and intent is not None:
        base = base_of_lost_create(case.facts, intent, remote)
    link = linked(case, remote, base, case.key, route.clock.now())
    facts = replace(case.facts, link=link, remote=remote, found=(), digest=route.digester(case.key))
    return replace(case, facts=_confirming(facts, route.later(route.settle)))


def _confirming(facts: Facts, until: datetime) -> Facts:
    return replace(
        facts,
        intents=tuple(
            replace(i, stage=Stage.CONFIRM, settle_until=until) if i.verb is Verb.CREATE else i for i in facts.intents
        ),
    )


def remove(route: Route, case: Case, action: Remove) -> Report:
    """Archive or delete the remote of a customer that is gone, then forget the link."""
    now, until, epoch = route.clock.now(), route.later(route.timeout + route.settle), route.lease.epoch
    asks = (Ask("delete", route.guards.delete),)
    intent = permitted(
        route, case, asks, lambda tx: journal.open_intent(tx, case.pair, Verb.REMOVE, {}, epoch, now, until)
    )
    if intent is None:
        return Report("staged")
    route.lane.begin_write()
    try:
        route.adapter.remove(action.remote, action.how)
    except NotFound:
        pass
    except Rejected:
        close(route, intent, asks)
        return park(route, case, Park("delete_conflict", "the provider refuses to remove this customer"))
    except OutcomeUnknown as lost:
        return unknown(route, case, intent, "remove", lost)
    except (ProviderError, LanePaused, Stopped) as error:
        if route.lane.wrote():
            unknown(route, case, intent, "remove", error)
        else:
            close(route, intent, asks)
        raise
    gone = Unlink("deleted in the source", tombstone=True, again=action.again)
    forget(route, case, gone, "pair.removed", action.remote.external_id)
    return Report("removed")


def forget(route: Route, case: Case, action: Unlink, event: str = "pair.unlinked", external_id: str = "") -> Report:
    """Drop the mapping row; a tombstone keeps scans, old copies and retries from bringing the customer back."""
    link = case.facts.link
    if action.guarded and link is not None and link.external_id is not None and not _may_leave(route, case):
        return Report("staged")
    external_id = external_id or (link.external_id if link is not None else "") or ""
    if not external_id and len(case.facts.found) == 1 and case.facts.found[0].external_id not in case.facts.claimed:
        external_id = case.facts.found[0].external_id
    with route.state.fenced(route.lease) as tx:
        if action.tombstone and external_id:
            now = route.clock.now()
            journal.bury(tx, route.state.key, route.provider, external_id, case.pair.key, action.reason, now)
        journal.close_intents(tx, case.pair)
        mapping.unlink(tx, case.pair)
        finish(tx, route, case, None)
        if action.again:
            work.mark(tx, [case.pair], "changed", route.clock.now())
        if link is not None or external_id:  # of somebody forgotten there is nothing left to note
            note(tx, route, case.pair.key, event, (), action.reason)
    if link is not None or external_id:
        tell(route, case.pair.key, event, reason=action.reason)
    return Report("unlinked")


def leave_asks(route: Route) -> tuple[Ask, ...]:
    """The guard of customers whom a filter sends away: as many as may be deleted."""
    return (Ask("unlink", route.guards.delete),)


def _may_leave(route: Route, case: Case) -> bool:
    return permitted(route, case, leave_asks(route), lambda _tx: 0) is not None

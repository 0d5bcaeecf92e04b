"""Moving fields between two linked sides: first into the source, then to the provider, then the new base."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from syncd.core.actions import Exchange
from syncd.core.facts import Facts, seen
from syncd.core.guards import Move, blanked, flips, writers
from syncd.core.model import Customer, FieldBase, Remote, Sent, Values, Verb
from syncd.core.normalise import degraded, equal
from syncd.core.writes import OUTWARD, renewed
from syncd.errors import NotFound, OutcomeUnknown, ProviderError, Rejected, Stopped
from syncd.lanes import LanePaused, Report
from syncd.reconcile.agreement import Progress, finished
from syncd.reconcile.create import unknown
from syncd.reconcile.gather import numbered
from syncd.reconcile.outcome import Ask, asked_about, permitted, put_off, refund, reject
from syncd.reconcile.outset import Case
from syncd.reconcile.route import Route
from syncd.source import customers
from syncd.store import events, journal, mapping
from syncd.store.database import Transaction

BUSY_PAUSE = 5.0  # seconds until a locked source row is tried again


def exchange(route: Route, case: Case, action: Exchange) -> Report:
    """Carry out a planned exchange; every step leaves the pair in a state that the next look understands."""
    assert case.customer is not None  # noqa: S101 - an exchange needs both sides
    assert case.facts.link is not None  # noqa: S101
    assert case.facts.remote is not None  # noqa: S101
    action, frozen = braked(route, case, action)
    asks = asks_of(route, case, action)
    intent = permitted(route, case, asks, lambda tx: _first_intent(tx, route, case, action))
    if intent is None:
        return Report("staged")
    remote = case.facts.remote
    settled = _pulled_before(case.facts, renewed(case.facts, remote.values, action.settle, provisional=False))
    base = _doubted(case.facts, {**case.facts.link.base, **settled}, action.review)
    done = Progress(base, case.customer, dict(action.review), frozen=frozen)
    done = replace(done, base={n: replace(e, frozen=True) if n in frozen else e for n, e in base.items()})
    if action.pull:
        after = _pull(route, case, action, done)
        if isinstance(after, float):
            return _moved(route, case, intent, asks, after)
        done = after
        if action.push:
            intent = _handed_on(route, case, action, done, intent)
    if action.push:
        return _push(route, case, action, done, intent)
    return finished(
        route, case, action, done, (intent, False) if intent else None, not_pulled(route, case, action, done)
    )


# -- before ----------------------------------------------------------------------------------------------------


def braked(route: Route, case: Case, action: Exchange) -> tuple[Exchange, dict[str, tuple[str, ...]]]:
    """Take fields out of the exchange that swing to and fro, with those who swing them; a person's decision is none."""
    base = case.facts.link.base if case.facts.link is not None else {}
    moving = [name for name in action.pull if action.reasons.get(name) != "decided"]
    moving += [n for n in action.push if n in base and base[n].pulled and action.reasons.get(n) != "decided"]
    if not moving:
        return action, {}
    now = route.clock.now()
    with route.state.read() as tx:
        history = events.events(tx, case.pair.key, limit=200)
    moves = [e for e in reversed(history) if e.event in {"pair.pushed", "pair.pulled"}]
    frozen: dict[str, tuple[str, ...]] = {}
    for name in moving:
        trail = [Move(e.event.removeprefix("pair.")[:4], e.provider, e.at) for e in moves if name in e.fields]
        coming = Move("pull" if name in action.pull else "push", route.provider, now)
        if flips(trail, coming):
            frozen[name] = writers(trail, coming)
    if not frozen:
        return action, {}
    return replace(
        action,
        pull={name: value for name, value in action.pull.items() if name not in frozen},
        push={name: value for name, value in action.push.items() if name not in frozen},
        review={**action.review, **dict.fromkeys(frozen, "frozen")},
    ), frozen


def _pulled_before(facts: Facts, settled: Mapping[str, FieldBase]) -> dict[str, FieldBase]:
    """A pull that a crash kept from being recorded is still a pull: the order of providers depends on it."""
    sent = {(name, s.sent) for i in facts.intents if i.verb is Verb.PULL for name, s in i.fields.items()}
    return {n: replace(entry, pulled=True) if (n, entry.provider) in sent else entry for n, entry in settled.items()}


def _doubted(facts: Facts, base: Mapping[str, FieldBase], review: Mapping[str, str]) -> dict[str, FieldBase]:
    """A conflict over what may be left of an older write of ours outlives that write: the mark keeps what is shown
    from being taken for an edit once the write is confirmed and forgotten."""
    writes = [intent for intent in facts.intents if intent.verb in OUTWARD]

    def unsure(name: str, entry: FieldBase) -> bool:
        source = seen(facts, name)[0]
        older = any(i.fields[name].sent != (source.digest if source else None) for i in writes if name in i.fields)
        return review.get(name) == "conflict" and (older or entry.provisional)

    return {name: replace(entry, disputed=True) if unsure(name, entry) else entry for name, entry in base.items()}


def asks_of(route: Route, case: Case, action: Exchange) -> tuple[Ask, ...]:
    """Every guard this exchange concerns."""
    remote, source = case.facts.remote, case.facts.source or {}
    empties = blanked(remote.values if remote else {}, action.push) + blanked(source, action.pull)
    asks = (
        Ask("blank", route.guards.blank, empties),
        Ask("update", route.guards.update, tuple(action.push)),
        Ask("overwrite", route.guards.overwrite, tuple(action.pull)),
    )
    return asked_about(case, (ask for ask in asks if ask.names))


def _first_intent(tx: Transaction, route: Route, case: Case, action: Exchange) -> int:
    """The intent of what this exchange writes first; 0 when it writes nothing."""
    if action.pull:
        return _open(tx, route, case, Verb.PULL, action.pull)
    return _open(tx, route, case, Verb.UPDATE, action.push) if action.push else 0


# -- into the source ---------------------------------------------------------------------------------------------


def _pull(route: Route, case: Case, action: Exchange, done: Progress) -> Progress | float:
    """Compare-and-set into the source; where the row moved or is locked, the seconds after which the pair is looked at
    again.

    The intent covers every attempt: what one of them leaves out because the column refuses it was not written. It is
    closed by whoever stores the base, in that very transaction: a crash in between leaves it to explain what the row
    holds. Closed earlier, v1 that was pulled and not recorded looks like an edit of the source's, and is pushed over
    the v2 that a person types at the provider meanwhile.
    """
    wanted = dict(action.pull)
    while wanted:
        written = customers.update(route.source, done.customer, wanted, f"syncd:{route.provider}")
        match written:
            case customers.Written(customer):
                done = _pulled(route, case, tuple(wanted), customer, done)
                return replace(done, base=_overruled(case.facts, action, done))
            case customers.Refused(name, _reason):
                bad = name if name in wanted else next(iter(wanted))
                del wanted[bad]
                done = replace(done, review={**done.review, bad: "does-not-fit"})
            case _:
                return BUSY_PAUSE if isinstance(written, customers.Busy) else 0.0
    return done


def _moved(route: Route, case: Case, intent: int, asks: Sequence[Ask], pause: float) -> Report:
    """Nothing was written into the source: the pair stays due."""
    with route.state.fenced(route.lease) as tx:
        journal.close_intent(tx, intent)
        put_off(tx, case, route.later(pause), "source-moved")
        refund(tx, route, asks)
    return Report("again")


def _handed_on(route: Route, case: Case, action: Exchange, done: Progress, intent: int) -> int:
    """The pull is over and its base is stored; the push that follows has an intent of its own from here on."""
    with route.state.fenced(route.lease) as tx:
        journal.close_intent(tx, intent)
        _store_base(tx, case, done)
        refund(tx, route, not_pulled(route, case, action, done))
        return _open(tx, route, case, Verb.UPDATE, action.push)


def not_pulled(route: Route, case: Case, action: Exchange, done: Progress) -> tuple[Ask, ...]:
    """What the source refused was not executed, however often it is tried: the guards count it not."""
    refused = {name: value for name, value in action.pull.items() if name not in done.pulled}
    empties = blanked(case.facts.source or {}, refused)
    asks = [Ask("blank", route.guards.blank, empties)] if empties else []
    asks += [] if done.pulled else [Ask("overwrite", route.guards.overwrite, tuple(refused))]
    return tuple(asks) if refused else ()


def _pulled(route: Route, case: Case, names: tuple[str, ...], customer: Customer, done: Progress) -> Progress:
    """What the source stored, read again, is the new base of the pulled fields."""
    try:
        projected = route.adapter.project(customer.values)
    except Rejected:
        projected = customer.values
    facts = replace(case.facts, source={**(case.facts.source or {}), **projected})
    remote = case.facts.remote
    fresh = renewed(facts, remote.values if remote else {}, frozenset(names), provisional=False)
    fresh = {name: replace(entry, pulled=True) for name, entry in fresh.items()}
    return replace(done, base={**done.base, **fresh}, customer=customer, pulled=names)


def overruling(facts: Facts, action: Exchange, pulled: Iterable[str]) -> set[str]:
    """Of these pulled fields, those that won over an edit of the source's own, directly or by winning over a provider's
    value that had done so."""
    won = {name for name in pulled if action.reasons.get(name) == "conflict"}
    return {name for name in won if name not in facts.rivals or name in facts.beaten}


def _overruled(facts: Facts, action: Exchange, done: Progress) -> dict[str, FieldBase]:
    over = overruling(facts, action, done.pulled)
    return {name: replace(entry, overruled=True) if name in over else entry for name, entry in done.base.items()}


# -- to the provider -----------------------------------------------------------------------------------------------


def _push(route: Route, case: Case, action: Exchange, done: Progress, intent: int) -> Report:
    remote = case.facts.remote
    assert remote is not None  # noqa: S101 - told by the caller
    asks = tuple(ask for ask in asks_of(route, case, action) if ask.verb == "update")
    route.lane.begin_write()
    try:
        stored = numbered(route, route.adapter.update(_completed(case, remote), action.push))
    except Rejected as refused:
        _half(route, case, intent, done, asks)
        return reject(route, _with_base(case, done), refused.field, refused.reason)
    except NotFound:
        _half(route, case, intent, done, asks)
        with route.state.fenced(route.lease) as tx:
            put_off(tx, case, route.clock.now(), "missing")
        return Report("again")
    except OutcomeUnknown as lost:
        with route.state.fenced(route.lease) as tx:
            _store_base(tx, case, done)
        return unknown(route, case, intent, "update", lost)
    except (ProviderError, LanePaused, Stopped):
        # One of several requests may have been executed: the next look judges field by field, without a wait.
        _half(route, case, intent, done, asks)
        raise
    return _pushed(route, case, action, done, (intent, stored))


def _completed(case: Case, remote: Remote) -> Remote:
    """The remote with what was last agreed for fields it does not show, so that an object the API takes only as a
    whole (Azotte's address) can be sent complete."""
    source, link = case.facts.source or {}, case.facts.link
    base = link.base if link is not None else {}
    agreed = {
        name: value
        for name, value in source.items()
        if name not in remote.values and name in base and base[name].source == case.facts.digest(name, value)
    }
    return replace(remote, values={**agreed, **remote.values}) if agreed else remote


def _pushed(route: Route, case: Case, action: Exchange, done: Progress, result: tuple[int, Remote]) -> Report:
    intent, stored = result
    fresh = renewed(case.facts, stored.values, frozenset(action.push), provisional=stored.provisional)
    base = {**done.base, **_resent(route, case, action, done, stored), **fresh}
    lossy = _shortened(case.facts, action.push, stored.values)
    if not route.adapter.capabilities.clears:
        lossy |= {n for n, value in action.push.items() if value is None and stored.values.get(n, "") is not None}
    done = replace(done, base=base, pushed=tuple(action.push))
    return finished(route, case, replace(action, lossy=action.lossy | lossy), done, (intent, stored.provisional))


def _resent(route: Route, case: Case, action: Exchange, done: Progress, stored: Remote) -> dict[str, FieldBase]:
    """Where an update sends the whole record, what came back for fields that were only repeated is their new spelling.

    Only a re-spelling counts: anything else is an edit that slipped in between, and the next look sees it as one.
    """
    if not route.adapter.capabilities.replaces or case.facts.remote is None:
        return {}
    before = case.facts.remote.values
    renewed_entries = {}
    for name, entry in done.base.items():
        if name in action.push or name in done.review or name not in stored.values or name not in before:
            continue
        now = stored.values[name]
        if now != before[name] and (equal(name, now, before[name]) or degraded(before[name], now)):
            renewed_entries[name] = replace(entry, provider=case.facts.digest(name, now))
    return renewed_entries


def _shortened(facts: Facts, pushed: Values, stored: Values) -> frozenset[str]:
    source = facts.source or {}
    return frozenset(
        name
        for name in pushed
        if name in stored
        and not equal(name, source[name], stored[name])
        and (stored[name] is None or degraded(source[name], stored[name]))
    )


def _half(route: Route, case: Case, intent: int, done: Progress, asks: Sequence[Ask]) -> None:
    """The update ended early: what it may have done is judged at the next look, at once."""
    with route.state.fenced(route.lease) as tx:
        if route.lane.wrote():
            journal.ended(tx, intent, route.clock.now())
        else:
            journal.close_intent(tx, intent)
            refund(tx, route, asks)
        _store_base(tx, case, done)


def _open(tx: Transaction, route: Route, case: Case, verb: Verb, values: Values) -> int:
    digest, remote = case.facts.digest, case.facts.remote
    before = (case.facts.source or {}) if verb is Verb.PULL else remote.values if remote else {}
    fields = {
        name: Sent(digest(name, before[name]) if name in before else None, digest(name, value))
        for name, value in values.items()
    }
    now, until = route.clock.now(), route.later(route.timeout + route.settle)
    return journal.open_intent(tx, case.pair, verb, fields, route.lease.epoch, now, until)


# -- kept on the way ---------------------------------------------------------------------------------------------


def _store_base(tx: Transaction, case: Case, done: Progress) -> None:
    assert case.facts.link is not None  # noqa: S101
    mapping.save(tx, replace(case.facts.link, base=done.base))


def _with_base(case: Case, done: Progress) -> Case:
    assert case.facts.link is not None  # noqa: S101
    return replace(case, facts=replace(case.facts, link=replace(case.facts.link, base=done.base)))

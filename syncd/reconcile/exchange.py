"""Moving fields between two linked sides: first into the source, then to the provider, then the new base."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from syncd.core.actions import Exchange
from syncd.core.facts import Facts, seen
from syncd.core.guards import Move, blanked, flips, writers
from syncd.core.model import Customer, FieldBase, Intent, Link, Remote, Sent, Stage, State, Values, Verb
from syncd.core.normalise import degraded, equal
from syncd.core.writes import OUTWARD, renewed
from syncd.errors import NotFound, OutcomeUnknown, ProviderError, Rejected, Stopped
from syncd.lanes import LanePaused, Report
from syncd.reconcile.create import conclude, unknown
from syncd.reconcile.gather import Case, numbered
from syncd.reconcile.outcome import Ask, finish, permitted, put_off, refund, reject, shown_digests, waited
from syncd.reconcile.route import Route, note, tell
from syncd.source import customers
from syncd.store import events, journal, mapping, review
from syncd.store.database import Transaction

BUSY_PAUSE = 5.0  # seconds until a locked source row is tried again


@dataclass(frozen=True, slots=True)
class Progress:
    """What of an exchange is done: the base as far as agreed, the row as it is now, fields that wait for a person."""

    base: Mapping[str, FieldBase]
    customer: Customer
    review: Mapping[str, str]
    pulled: tuple[str, ...] = ()
    pushed: tuple[str, ...] = ()
    frozen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # field -> who swings it


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
    done = _frozen_base(done)
    if action.pull:
        after = _pull(route, case, action, done, intent)
        if after is None:
            with route.state.fenced(route.lease) as tx:
                refund(tx, route, asks)
            return Report("again")
        done = after
        _give_back(route, case, action, done)
    if action.push:
        if action.pull:
            with route.state.fenced(route.lease) as tx:
                intent = _open(tx, route, case, Verb.UPDATE, action.push)
        return _push(route, case, action, done, intent)
    return _finished(route, case, action, done)


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


def _frozen_base(done: Progress) -> Progress:
    base = {name: replace(e, frozen=True) if name in done.frozen else e for name, e in done.base.items()}
    return replace(done, base=base)


def asks_of(route: Route, case: Case, action: Exchange) -> tuple[Ask, ...]:
    """Every guard this exchange concerns."""
    remote, source = case.facts.remote, case.facts.source or {}
    empties = blanked(remote.values if remote else {}, action.push) + blanked(source, action.pull)
    asks = (
        Ask("blank", route.guards.blank, empties),
        Ask("update", route.guards.update, tuple(action.push)),
        Ask("overwrite", route.guards.overwrite, tuple(action.pull)),
    )
    return tuple(ask for ask in asks if ask.names)


def _first_intent(tx: Transaction, route: Route, case: Case, action: Exchange) -> int:
    """The intent of what this exchange writes first; 0 when it writes nothing."""
    if action.pull:
        return _open(tx, route, case, Verb.PULL, action.pull)
    return _open(tx, route, case, Verb.UPDATE, action.push) if action.push else 0


# -- into the source ---------------------------------------------------------------------------------------------


def _pull(route: Route, case: Case, action: Exchange, done: Progress, intent: int) -> Progress | None:
    """Compare-and-set into the source; None when the row moved or is locked, then the pair stays due.

    `intent` covers every attempt: what one of them leaves out because the column refuses it was not written.
    """
    wanted = dict(action.pull)
    while wanted:
        written = customers.update(route.source, done.customer, wanted, f"syncd:{route.provider}")
        match written:
            case customers.Written(customer):
                _close(route, intent)
                done = _pulled(route, case, tuple(wanted), customer, done)
                return replace(done, base=_overruled(case.facts, action, done))
            case customers.Refused(name, _reason):
                bad = name if name in wanted else next(iter(wanted))
                del wanted[bad]
                done = replace(done, review={**done.review, bad: "does-not-fit"})
            case _:
                pause = BUSY_PAUSE if isinstance(written, customers.Busy) else 0.0
                with route.state.fenced(route.lease) as tx:
                    journal.close_intent(tx, intent)
                    put_off(tx, case, route.later(pause), "source-moved")
                return None
    _close(route, intent)
    return done


def _give_back(route: Route, case: Case, action: Exchange, done: Progress) -> None:
    """What the source refused was not executed, however often it is tried: the guards count it not."""
    refused = {name: value for name, value in action.pull.items() if name not in done.pulled}
    empties = blanked(case.facts.source or {}, refused)
    asks = [Ask("blank", route.guards.blank, empties)] if empties else []
    asks += [] if done.pulled else [Ask("overwrite", route.guards.overwrite, tuple(refused))]
    if refused and asks:
        with route.state.fenced(route.lease) as tx:
            refund(tx, route, asks)


def _close(route: Route, intent: int) -> None:
    with route.state.fenced(route.lease) as tx:
        journal.close_intent(tx, intent)


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
        _save_base(route, case, done)
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
    return _finished(route, case, replace(action, lossy=action.lossy | lossy), done, (intent, stored.provisional))


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
            journal.update_intent(tx, intent, settle_until=route.clock.now())
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


# -- after ---------------------------------------------------------------------------------------------------------


def _save_base(route: Route, case: Case, done: Progress) -> None:
    with route.state.fenced(route.lease) as tx:
        _store_base(tx, case, done)


def _store_base(tx: Transaction, case: Case, done: Progress) -> None:
    assert case.facts.link is not None  # noqa: S101
    mapping.save(tx, replace(case.facts.link, base=done.base))


def _with_base(case: Case, done: Progress) -> Case:
    assert case.facts.link is not None  # noqa: S101
    return replace(case, facts=replace(case.facts, link=replace(case.facts.link, base=done.base)))


def _finished(
    route: Route, case: Case, action: Exchange, done: Progress, write: tuple[int, bool] | None = None
) -> Report:
    """Record what was agreed. `write`: the intent of the update that ended just now, and if its base is provisional."""
    provisional = write is not None and write[1]
    now = route.clock.now()
    remote = case.facts.remote
    link = case.facts.link
    assert link is not None and remote is not None  # noqa: S101, PT018
    with route.state.fenced(route.lease) as tx:
        if write is not None:
            conclude(tx, route, write[0], provisional=provisional)
        settle_intents(tx, route, case.facts.intents)
        kinds, news = _open_reviews(tx, route, case, done)
        state = State.REVIEW if done.review else State.LINKED
        base = done.base if done.pushed else confirmed(done.base, case.facts.intents, now)
        saved = replace(
            link,
            base=base,
            state=state,
            external_ids=_identifiers(link, remote, done),
            synced_at=now,
            verified_at=now,
        )
        finish(tx, route, case, saved, keep=kinds)
        _account(tx, route, case, action, done)
    return _told(route, case, action, done, news)


def _identifiers(link: Link, remote: Remote, done: Progress) -> dict[str, str]:
    """What the provider calls the record; another name is believed once nobody is asked about it any more."""
    if "other-record" in done.review.values():
        return {**remote.external_ids, **link.external_ids}
    return {**link.external_ids, **remote.external_ids}


def settle_intents(tx: Transaction, route: Route, intents: tuple[Intent, ...]) -> None:
    """Writes that this look judged: one more settle time for late effects, then they are forgotten."""
    now = route.clock.now()
    for intent in intents:
        if intent.stage is Stage.OPEN and intent.verb in {Verb.UPDATE, Verb.CREATE}:
            journal.update_intent(tx, intent.id, stage=Stage.CONFIRM, settle_until=route.later(route.settle))
        elif intent.stage is Stage.OPEN or intent.settle_until <= now:
            journal.close_intent(tx, intent.id)


def confirmed(base: Mapping[str, FieldBase], intents: tuple[Intent, ...], now: datetime) -> dict[str, FieldBase]:
    """The base without its provisional marks, once every write that waited for a confirming reading had one."""
    if any(intent.stage is Stage.OPEN or intent.settle_until > now for intent in intents):
        return dict(base)
    return {name: replace(entry, provisional=False) for name, entry in base.items()}


def _open_reviews(tx: Transaction, route: Route, case: Case, done: Progress) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The kinds of questions that are open now, and the fields of those that were not asked like this before."""
    asked = {item.kind: item.fields for item in review.reviews(tx, provider=route.provider, key=case.pair.key)}
    news: list[str] = []
    by_kind: dict[str, dict[str, str]] = {}
    for name, reason in done.review.items():
        by_kind.setdefault(reason.replace("-", "_"), {})[name] = reason
    for kind, names in by_kind.items():
        reason = _swung(tx, route, case, done) if kind == "frozen" else ""
        reason = reason or f"{', '.join(sorted(names))}: {kind.replace('_', ' ')}"
        shown = shown_digests(case.facts, names)
        if {name: tuple(pair) for name, pair in shown.items()} != asked.get(kind):
            news += names
        review.open_review(tx, route.provider, case.pair.key, kind, shown, reason, route.clock.now())
    return tuple(by_kind), tuple(news)


def _swung(tx: Transaction, route: Route, case: Case, done: Progress) -> str:
    """The reason of a frozen field names those who swing it; a later look knows them from the open item alone."""
    if done.frozen:
        return "; ".join(f"{name} swings between {', '.join(who)}" for name, who in sorted(done.frozen.items()))
    asked = review.reviews(tx, provider=route.provider, key=case.pair.key)
    return next((item.reason for item in asked if item.kind == "frozen"), "")


def _account(tx: Transaction, route: Route, case: Case, action: Exchange, done: Progress) -> None:
    key = case.pair.key
    if done.pulled:
        note(tx, route, key, "pair.pulled", done.pulled)
    if done.pushed:
        note(tx, route, key, "pair.pushed", done.pushed)
    for names, winner, loser, policy in _resolutions(route, case, action):
        note(tx, route, key, "conflict.resolved", names, f"{winner} before {loser}, by {policy}")
    if done.frozen:
        note(tx, route, key, "field.frozen", tuple(done.frozen), _swung(tx, route, case, done))
    if action.lossy:
        note(tx, route, key, "pair.lossy", tuple(action.lossy))


def _resolutions(route: Route, case: Case, action: Exchange) -> Iterator[tuple[list[str], str, str, str]]:
    """Conflicts that were decided without a person: fields, whose value won, whose lost, and by which policy. A value
    that another provider brought is not the source's own: then the order of the providers decided."""
    rivals = case.facts.rivals
    sides = {name: (winner, rivals.get(name, "source")) for name, winner in action.resolved.items()}
    for winner, other in sorted(set(sides.values())):
        names = sorted(name for name, side in sides.items() if side == (winner, other))
        loser = other if winner == route.provider else route.provider
        yield names, winner, loser, route.rules.policy.value if other == "source" else "order"


def _told(route: Route, case: Case, action: Exchange, done: Progress, news: Sequence[str]) -> Report:
    key = case.pair.key
    if done.pulled:
        tell(route, key, "pair.pulled", done.pulled, wait_s=waited(route, case))
    if done.pushed:
        tell(route, key, "pair.pushed", done.pushed, wait_s=waited(route, case))
    for names, winner, loser, policy in _resolutions(route, case, action):
        tell(route, key, "conflict.resolved", names, winner=winner, writers=[winner, loser], policy=policy)
    for who in sorted(set(done.frozen.values())):
        tell(route, key, "field.frozen", [name for name, them in done.frozen.items() if them == who], writers=list(who))
    opened = tuple(name for name in news if name not in done.frozen)
    if opened:
        tell(route, key, "conflict.opened", opened)
    if action.lossy:
        tell(route, key, "pair.lossy", tuple(action.lossy))
    if done.pushed or done.pulled:
        return Report("review" if done.review else "pulled" if not done.pushed else "updated")
    if done.review:
        return Report("review")
    return Report("settled" if case.facts.intents else "unchanged")

"""What is left of an exchange: the new base, the questions it opens, and what is told of it, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from syncd.core.actions import Exchange
from syncd.core.erasure import erasure
from syncd.core.facts import Facts, seen
from syncd.core.model import Customer, FieldBase, Intent, Link, Remote, Stage, State, Verb
from syncd.lanes import Report
from syncd.reconcile.create import conclude
from syncd.reconcile.outcome import Ask, finish, refund, shown_digests, waited
from syncd.reconcile.outset import Case
from syncd.reconcile.route import Route, note, tell
from syncd.store import journal, review
from syncd.store.database import Transaction


@dataclass(frozen=True, slots=True)
class Progress:
    """What of an exchange is done: the base as far as agreed, the row as it is now, fields that wait for a person."""

    base: Mapping[str, FieldBase]
    customer: Customer
    review: Mapping[str, str]
    pulled: tuple[str, ...] = ()
    pushed: tuple[str, ...] = ()
    frozen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # field -> who swings it


def finished(
    route: Route,
    case: Case,
    action: Exchange,
    done: Progress,
    write: tuple[int, bool] | None = None,
    undone: Sequence[Ask] = (),
) -> Report:
    """Record what was agreed. `write`: the intent of the write that ended just now, and if its base is provisional;
    `undone` was counted by the guards and proved not to be executed."""
    provisional = write is not None and write[1]
    now = route.clock.now()
    remote = case.facts.remote
    link = case.facts.link
    assert link is not None and remote is not None  # noqa: S101, PT018
    with route.state.fenced(route.lease) as tx:
        if write is not None:
            conclude(tx, route, write[0], provisional=provisional)
        refund(tx, route, undone)
        settle_intents(tx, route, case.facts.intents)
        kinds, news = _open_reviews(tx, route, case, done)
        state = State.REVIEW if done.review else State.LINKED
        base = {**confirmed(done.base, case.facts, now), **{name: done.base[name] for name in done.pushed}}
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


def confirmed(base: Mapping[str, FieldBase], facts: Facts, now: datetime) -> dict[str, FieldBase]:
    """The base after one more reading: without its provisional marks, once every write that waited for a confirming one
    had it; until then it keeps which fields were shown as the answer had promised them."""
    if not any(intent.stage is Stage.OPEN or intent.settle_until > now for intent in facts.intents):
        return {name: replace(entry, provisional=False, shown=False) for name, entry in base.items()}
    there = {name: seen(facts, name)[1] for name, entry in base.items() if entry.provisional}
    kept = {name for name, value in there.items() if value is not None and value.digest == base[name].provider}
    return {name: replace(entry, shown=True) if name in kept else entry for name, entry in base.items()}


def _open_reviews(tx: Transaction, route: Route, case: Case, done: Progress) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The kinds of questions that are open now, and the fields of those that were not asked like this before."""
    asked = {item.kind: item.fields for item in review.reviews(tx, provider=route.provider, key=case.pair.key)}
    news: list[str] = []
    by_kind: dict[str, dict[str, str]] = {}
    for name, reason in done.review.items():
        by_kind.setdefault(reason.replace("-", "_"), {})[name] = reason
    for kind, names in by_kind.items():
        reason = _swung(tx, route, case, done) if kind == "frozen" else ""
        reason = erasure(case.facts).said if kind == "erased" else reason
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

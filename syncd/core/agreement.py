"""The exchange of a linked pair's fields, as values: its first write, the base after each write, and the change that
ends it. Pure.

The pull into the source comes first. The push to the provider comes second and is made from the row after the pull.
Example: the source's column refuses a pulled last name; the pushed full name is then composed of the source's last
name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from syncd.core.actions import Exchange
from syncd.core.case import Case, Decided, Progress, Step, Terms
from syncd.core.effects import Change, Moved, Stored, Write
from syncd.core.endings import and_told, closing, confirmed, settled, told, waited
from syncd.core.facts import Facts
from syncd.core.guards import Ask, accepted, blanked
from syncd.core.model import FieldBase, Link, Remote, Sent, Stage, State, Value, Values, Verb
from syncd.core.normalise import degraded, equal
from syncd.core.telling import exchanged, opened, questions_of, said
from syncd.core.writes import disputed, renewed, returning, unrecorded, versioned

Ended = tuple[tuple[int, ...], tuple[Moved, ...]]
"""The ids of intents to close, and the intents that go on in another stage."""


def exchange(case: Case, terms: Terms, action: Exchange) -> Decided:
    """The first write of an exchange, with the guards of the whole exchange; where no field moves, the change that ends
    the look."""
    facts, customer = case.facts, case.customer
    assert customer is not None and facts.link is not None and facts.remote is not None  # noqa: S101, PT018
    fresh = _pulled_before(facts, renewed(facts, facts.remote.values, action.settle, provisional=False))
    base = disputed(facts, {**facts.link.base, **fresh}, action)
    base |= {name: base[name]._replace(frozen=True) for name in action.frozen if name in base}
    progress = Progress(base, customer, dict(action.review))
    asks = asks_of(case, terms, action)
    if action.pull:
        return Decided(case, action, writing(case, Verb.PULL, action.pull), asks, progress=progress)
    if action.push:
        return Decided(case, action, writing(case, Verb.UPDATE, action.push), asks, progress=progress)
    change = finished(case, action, progress, terms)
    return Decided(case, action, asks=asks, change=change, progress=progress)


def asks_of(case: Case, terms: Terms, action: Exchange) -> tuple[Ask, ...]:
    """The operations of this exchange that guards count."""
    remote, source = case.facts.remote, case.facts.source or {}
    push, pull = counted(case.facts, action, action.push), counted(case.facts, action, action.pull)
    empties = blanked(remote.values if remote else {}, push) + blanked(source, pull)
    asks = (
        Ask("blank", terms.guards.blank, empties),
        Ask("update", terms.guards.update, tuple(push)),
        Ask("overwrite", terms.guards.overwrite, tuple(pull)),
    )
    return asked_about(case, [ask for ask in asks if ask.names])


def counted(facts: Facts, action: Exchange, values: Values) -> Values:
    """The values of an exchange that guards count: all but values that return to what was agreed before."""
    back = returning(facts, action.reasons)
    return {name: value for name, value in values.items() if name not in back} if back else values


def asked_about(case: Case, asks: Sequence[Ask]) -> tuple[Ask, ...]:
    """The operations to ask the guards about: none of those that a person accepted with a match report."""
    work = case.work
    return tuple(ask for ask in asks if not accepted(work.error_class, work.error, ask.verb, ask.names))


def writing(case: Case, verb: Verb, values: Values) -> Write:
    """The write, with the fields of its intent: for each the digest before and the digest sent."""
    digest, remote = case.facts.digest, case.facts.remote
    before = (case.facts.source or {}) if verb is Verb.PULL else remote.values if remote else {}
    before = {name: before[name] for name in values if name in before}
    if verb is Verb.UPDATE and any(intent.stage is Stage.CONFIRM for intent in case.facts.intents):
        before = {name: value for name, value in before.items() if not _shortened_again(case, name, value)}
    sent = {
        name: Sent(digest(name, before[name]) if name in before else None, digest(name, value))
        for name, value in values.items()
    }
    return Write(verb, values, sent, remote=remote)


def _shortened_again(case: Case, name: str, value: Value) -> bool:
    """Whether the source's value was pushed before, that push waits for its confirming reading, and the provider shows
    a cut form of the value. The cut form may be older than that push, so the value is pushed once more; after this
    second push the cut form is the provider's own spelling, and the intent does not keep it as the value before."""
    source = (case.facts.source or {}).get(name)
    if not degraded(source, value):
        return False
    promised = (i.fields[name].sent for i in case.facts.intents if i.stage is Stage.CONFIRM and name in i.fields)
    return case.facts.digest(name, source) in promised


def _pulled_before(facts: Facts, fresh: Mapping[str, FieldBase]) -> dict[str, FieldBase]:
    """The base, with the mark `pulled` on values whose pull a crash kept from being recorded: a tie between two
    providers depends on that mark."""
    sent = {(name, s.sent) for i in facts.intents if i.verb is Verb.PULL for name, s in i.fields.items()}
    return {n: entry._replace(pulled=True) if (n, entry.provider) in sent else entry for n, entry in fresh.items()}


# -- after the source was written --------------------------------------------------------------------------------------


def pulled(decided: Decided, terms: Terms, stored: Stored, projected: Values) -> Step:
    """The step after a pull: the source holds the pulled fields, except those that its columns refused. `projected` is
    the row after the pull, as this provider should hold it. The pull's intent is closed in the transaction that stores
    the base."""
    action, progress, case = exchanged(decided)
    names = tuple(name for name in action.pull if name not in stored.refused)
    customer = stored.customer or progress.customer
    review = {**progress.review, **dict.fromkeys(stored.refused, "does-not-fit")}
    push, shown = _anew(case, action.push, projected)
    base = {**progress.base, **_pulled_base(case, action, (*names, *shown), projected)}
    after = Progress(base, customer, review, pulled=names)
    any_pulled = bool(counted(case.facts, action, {name: action.pull[name] for name in names}))
    back = _not_pulled(case, terms, action, stored.refused, any_pulled=any_pulled)
    asked = counted(case.facts, action, action.push)
    if asked and not push:
        back += asked_about(case, [Ask("update", terms.guards.update, tuple(asked))])
    action = replace(action, push=push)
    went = decided._replace(action=action, progress=after)
    if not push:
        return Step(finished(case, action, after, terms, ended=((decided.intent,), ()))._replace(refund=back))
    link = case.row._replace(base=base, version=None)
    earlier = unrecorded(case.facts.intents)  # this base holds what they explain; beside a newer value they mislead
    change = Change(case.work, "", link=link, close=(decided.intent, *(each.id for each in earlier)), refund=back)
    if names:
        change = and_told(change, told(case, "pair.pulled", names, wait_s=waited(case, terms)))
    source = {**(case.facts.source or {}), **push}
    left = tuple(each for each in case.facts.intents if each not in earlier)
    case = case._replace(facts=case.facts._replace(link=link, source=source, intents=left))
    then = went._replace(case=case, write=writing(case, Verb.UPDATE, push), asks=(), intent=0)
    return Step(change, then._replace(progress=after._replace(pulled=())))


def _anew(case: Case, push: Values, projected: Values) -> tuple[dict[str, Value], tuple[str, ...]]:
    """The fields left to push after a pull, and the composed fields that the provider shows already.

    Example: a last name that was edited at the provider is pulled. The full name is composed anew from the row, because
    the name composed before the pull would push the old last name back.
    """
    remote = case.facts.remote.values if case.facts.remote else {}
    left = {name: projected.get(name, value) if name in case.facts.composed else value for name, value in push.items()}
    shown = tuple(
        name
        for name in left
        if name in case.facts.composed and name in remote and equal(name, left[name], remote[name])
    )
    return {name: value for name, value in left.items() if name not in shown}, shown


def _pulled_base(case: Case, action: Exchange, names: Sequence[str], projected: Values) -> dict[str, FieldBase]:
    """The base of the pulled fields: what the source stored, read again."""
    remote = case.facts.remote
    facts = case.facts._replace(source={**(case.facts.source or {}), **projected})
    fresh = renewed(facts, remote.values if remote else {}, frozenset(names), provisional=False)
    over = overruling(case.facts, action, names)
    return {name: entry._replace(pulled=name in action.pull, overruled=name in over) for name, entry in fresh.items()}


def overruling(facts: Facts, action: Exchange, names: Iterable[str]) -> set[str]:
    """The pulled fields whose value won over an edit made in the source: in this conflict, or in an earlier one, where
    the value that is overwritten now had won over such an edit."""
    won = {name for name in names if action.reasons.get(name) == "conflict"}
    return {name for name in won if name not in facts.rivals or name in facts.beaten}


def _not_pulled(
    case: Case, terms: Terms, action: Exchange, refused: Sequence[str], *, any_pulled: bool
) -> tuple[Ask, ...]:
    """The guards' counts to give back for fields that the source refused: their pull was not executed."""
    asked = counted(case.facts, action, {name: action.pull[name] for name in refused})
    if not asked:
        return ()
    empties = blanked(case.facts.source or {}, asked)
    asks = (Ask("blank", terms.guards.blank, empties),) if empties else ()
    return asks if any_pulled else (*asks, Ask("overwrite", terms.guards.overwrite, tuple(asked)))


# -- before and after the provider was written -------------------------------------------------------------------------


def completed(case: Case, remote: Remote) -> Remote:
    """The remote, completed with the row's values for fields that it does not show and whose base still holds. An API
    may take an object only as a whole (Azotte's address)."""
    source, link = case.facts.source or {}, case.facts.link
    base = link.base if link is not None else {}
    agreed = {
        name: value
        for name, value in source.items()
        if name not in remote.values and name in base and base[name].source == case.facts.digest(name, value)
    }
    return remote._replace(values={**agreed, **remote.values}) if agreed else remote


def pushed(decided: Decided, terms: Terms, stored: Remote) -> Change:
    """The change after a push: the provider holds the pushed fields as `stored` shows them."""
    action, progress, case = exchanged(decided)
    fresh = renewed(case.facts, stored.values, frozenset(action.push), provisional=stored.provisional)
    base = {**progress.base, **(_respelled(case, action, progress, stored) if terms.replaces else {}), **fresh}
    lossy = _shortened(case.facts, action.push, stored.values)
    if not terms.clears:
        lossy |= {n for n, value in action.push.items() if value is None and stored.values.get(n, "") is not None}
    action = replace(action, lossy=action.lossy | lossy) if lossy else action
    progress = Progress(base, progress.customer, progress.review, progress.pulled, tuple(action.push))
    ended = concluded(decided.intent, terms, provisional=stored.provisional)
    return finished(case, action, progress, terms, stored, ended)


def concluded(intent: int, terms: Terms, *, provisional: bool) -> Ended:
    """What becomes of the intent of a known outcome: it is closed, or (`provisional`) kept until one later reading
    confirms the stored values."""
    if provisional:
        return (), (Moved(intent, Stage.CONFIRM, terms.later(terms.settle)),)
    return (intent,), ()


def _respelled(case: Case, action: Exchange, progress: Progress, stored: Remote) -> dict[str, FieldBase]:
    """The base of fields that an update repeated unchanged and that the provider answered in another spelling: an
    update may send the whole record, and the spelling is then the provider's own.

    Only a re-spelling or a cut form counts. Any other value is an edit that a person made in between, and the next look
    finds it.
    """
    before = case.facts.remote.values if case.facts.remote is not None else {}
    fresh = {}
    for name, entry in progress.base.items():
        if name in action.push or name in progress.review or name not in stored.values or name not in before:
            continue
        now = stored.values[name]
        if now != before[name] and (equal(name, now, before[name]) or degraded(before[name], now)):
            fresh[name] = entry._replace(provider=case.facts.digest(name, now))
    return fresh


def _shortened(facts: Facts, sent: Values, stored: Values) -> frozenset[str]:
    source = facts.source or {}
    return frozenset(
        name
        for name in sent
        if name in stored
        and not equal(name, source[name], stored[name])
        and (stored[name] is None or degraded(source[name], stored[name]))
    )


# -- the end of an exchange --------------------------------------------------------------------------------------------


def finished(
    case: Case,
    action: Exchange,
    progress: Progress,
    terms: Terms,
    stored: Remote | None = None,
    ended: Ended = ((), ()),
) -> Change:
    """The change that ends an exchange: the agreed base, the questions that stay open, events and log lines. `stored`:
    the record after the push; `ended`: what becomes of the push's intent."""
    link, remote = case.facts.link, case.facts.remote
    assert link is not None and remote is not None  # noqa: S101, PT018 - an exchange needs both sides
    close, move = settled(case.facts, terms)
    questions = questions_of(case, action, progress)
    saved = link._replace(
        base={**confirmed(progress.base, case.facts), **{n: progress.base[n] for n in progress.pushed}},
        state=State.REVIEW if progress.review else State.LINKED,
        external_ids=_identifiers(link, remote, progress),
        synced_at=terms.now,
        verified_at=terms.now,
        version=None,
    )
    if stored is None or stored.values.keys() >= remote.values.keys():  # else the answer may hide an edit
        saved = versioned(saved, stored or remote, case.facts.digest)
    news = (*said(case, action, progress, terms), opened(case, action, questions))
    cleared = progress.pushed and "erased" in progress.review.values()  # the push took signs of an erasure away
    return Change(
        case.work,
        _kind(case, progress),
        link=saved,
        finish=True,
        close=ended[0] + close,
        move=ended[1] + move,
        closing=closing(saved, [question.kind for question in questions]),
        questions=questions,
        mark=(case.pair.key, "changed") if cleared else None,
        notes=tuple(note for each in news for note in each.notes),
        lines=tuple(line for each in news for line in each.lines),
    )


def _kind(case: Case, progress: Progress) -> str:
    if progress.review:
        return "review"
    if progress.pushed:
        return "updated"
    if progress.pulled:
        return "pulled"
    return "settled" if case.facts.intents else "unchanged"


def _identifiers(link: Link, remote: Remote, progress: Progress) -> dict[str, str]:
    """The external ids to store for the record. A changed id is stored only where no `other-record` question about it
    is open."""
    if "other-record" in progress.review.values():
        return {**remote.external_ids, **link.external_ids}
    return {**link.external_ids, **remote.external_ids}

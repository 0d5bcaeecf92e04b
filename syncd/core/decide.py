"""The decision about a case: a write behind its guards, or a change of the state. Pure.

`plan` says which action, `decide` by which write or change. `syncd plan`, `--dry-run` and `explain` stop after
`decide`; a run goes on to the guards.
"""

from __future__ import annotations

from syncd.core import endings
from syncd.core.actions import Action, Adopt, Create, Exchange, Park, Reject, Remove, Unlink, Wait
from syncd.core.agreement import asked_about, exchange
from syncd.core.case import Case, Decided, Terms
from syncd.core.effects import Change, Grave, Line, Moved, Note, Question, Refused, Write
from syncd.core.guards import Ask
from syncd.core.model import FieldBase, Link, Remote, Sent, Stage, State, Value, Values, Verb
from syncd.core.normalise import spellings
from syncd.core.plan import plan
from syncd.core.questions import BESIDE, ordered_beside
from syncd.core.recognition import base_of_lost_create
from syncd.core.writes import unknown_create, versioned


def decide(case: Case, terms: Terms) -> Decided:
    """The write or the change for this case."""
    if case.respelled:
        return Decided(case, None, change=endings.respelled(case))
    if case.spared:
        return Decided(case, None, change=endings.spared(case, terms))
    if isinstance(case.failure, Refused):
        return Decided(case, None, change=endings.reject(case, terms, case.failure.field, case.failure.reason))
    if case.failure is not None:
        return Decided(case, None, change=endings.failed(case, terms, case.failure))
    case = noted(case)
    action = plan(case.facts)
    match action:
        case Create(values):
            return _create(case, terms, action, values)
        case Adopt():
            return _adopt(case, terms, action)
        case Exchange():
            return exchange(case, terms, action)
        case Remove(remote, how):
            asks = (Ask("delete", terms.guards.delete),)
            return Decided(case, action, Write(Verb.REMOVE, {}, {}, remote=remote, how=how), asks)
        case Unlink(guarded=True) if case.facts.link is not None and case.facts.link.external_id is not None:
            asks = (Ask("unlink", terms.guards.delete),)  # excluded by a filter: the delete guard's limit
            return Decided(case, action, asks=asks, change=endings.forget(case, action))
        case _:
            return Decided(case, action, change=_change(case, terms, action))


def noted(case: Case) -> Case:
    """The case with its reading noted in the base: a provisional field becomes `shown` where the record shows the
    agreed value. A shorter form that a later look finds is then a person's edit.

    Example: a look reads the e-mail of a fresh create in full and pushes a new city; the push's answer is lost, and a
    person shortens the e-mail.
    """
    link, remote = case.facts.link, case.facts.remote
    if link is None or remote is None:
        return case
    digest, there = case.facts.digest, remote.values
    seen = {
        name: entry._replace(shown=True)
        for name, entry in link.base.items()
        if entry.provisional and not entry.shown and name in there and digest(name, there[name]) == entry.provider
    }
    facts = case.facts._replace(link=link._replace(base={**link.base, **seen}))
    return case._replace(facts=facts) if seen else case


def _change(case: Case, terms: Terms, action: Action) -> Change:
    match action:
        case Park():
            return endings.park(case, terms, action)
        case Reject(name, reason):
            return endings.reject(case, terms, name, reason)
        case Unlink():
            return endings.forget(case, action)
        case Wait(why):
            return endings.wait(case, terms, why)
        case _:
            return endings.agreed(case, terms)


def _create(case: Case, terms: Terms, action: Create, values: Values) -> Decided:
    """The guard does not count creates of the first pass, which a person approved. It does count creates of a pass
    after a change of the settings: without a filter that was deleted by mistake, thousands of rows are customers at
    once. Where the provider takes our number as its key, the number is not sent among the fields."""
    sent = {name: _as_sent(case, name, value) for name, value in values.items()}
    named = {name: value for name, value in values.items() if name != "number" or case.facts.rules.renumbers}
    first = case.work.reason == "backfill" and not case.facts.rules.repassed
    asks = () if first else asked_about(case, [Ask("create", terms.guards.create)])
    return Decided(case, action, Write(Verb.CREATE, named, sent, key=case.key), asks)


def _as_sent(case: Case, name: str, value: Value) -> Sent:
    """One field of a create's intent. A record that can carry no key of ours is recognised by its values alone, so the
    intent then holds digests of the spellings, too, that a provider may make of the value."""
    digest = case.facts.digest
    spelled = () if case.facts.rules.repeatable else tuple(digest(name, form) for form in spellings(value))
    return Sent(None, digest(name, value), spelled)


def _adopt(case: Case, terms: Terms, action: Adopt) -> Decided:
    """Link an existing record, and go on as with any linked pair. Where our lost create made another record beside the
    one that a person named, a person is told, and a tombstone keeps scans from taking that record in."""
    after = adopted(case, terms, action)
    intent = unknown_create(case.facts)
    line = Line("pair.settled" if action.own else "pair.adopted")
    second = [remote.external_id for remote in case.facts.beside if remote.external_id not in case.facts.claimed]
    change = Change(
        case.work,
        "",
        link=after.facts.link,
        living=action.remote.external_id,
        grave=Grave(tuple(second), BESIDE, whole=False) if second else None,
        questions=tuple(Question("twice", ordered_beside(action.remote.external_id, each)) for each in second[:1]),
        move=(Moved(intent.id, Stage.CONFIRM, terms.later(terms.settle)),) if intent is not None else (),
        notes=(Note(case.pair, "pair.adopted"),),
        lines=(line,),
    )
    return Decided(case, action, change=change, then=decide(after, terms))


def adopted(case: Case, terms: Terms, action: Adopt) -> Case:
    """The case with the record linked. After our own create the base is what was sent."""
    remote, intent = action.remote, unknown_create(case.facts)
    base: dict[str, FieldBase] = {}
    if action.own and intent is not None:
        base = base_of_lost_create(case.facts, intent, remote)
    until = terms.later(terms.settle)
    intents = tuple(
        i._replace(stage=Stage.CONFIRM, settle_until=until) if i.verb is Verb.CREATE else i for i in case.facts.intents
    )
    link = linked(case, terms, remote, base)
    return case._replace(facts=case.facts._replace(link=link, remote=remote, found=(), intents=intents))


def linked(case: Case, terms: Terms, remote: Remote, base: dict[str, FieldBase]) -> Link:
    """The mapping row of a pair that is being linked."""
    link = case.row._replace(
        provider_key=case.key,
        external_id=remote.external_id,
        external_ids=remote.external_ids,
        base=base,
        state=State.LINKED,
        created_at=case.row.created_at or terms.now,
        synced_at=terms.now,
        verified_at=terms.now,
    )
    return versioned(link, remote, case.facts.digest)

"""What follows from the outcome of a write: write and outcome in, change out. Pure.

                pull into the source      update                      create                   remove
    Stored      new base; then the push   new base                    linked                   unlinked, tombstone
    Refused     (field by field, within   rejected                    rejected; a person where a person is asked
                Stored)                                               a value is taken
    Missing                               another look                                         as stored
    Stale       another look              another look                another look             another look
    Unknown                               settle, then look           settle, then look        settle, then look
    NotSent       given back, tried       given back, tried again     given back, tried again  given back, tried again
                  again

Where one of several requests of a write was executed (`half`), an update is judged field by field at the next look, at
once; a create or a removal is unknown.
"""

from __future__ import annotations

import shlex
from dataclasses import replace

from syncd.core.actions import Exchange, Park, Remove, Unlink
from syncd.core.agreement import asks_of, concluded, pulled, pushed
from syncd.core.backoff import delay
from syncd.core.case import Case, Decided, Step, Terms
from syncd.core.decide import linked
from syncd.core.effects import Change, Failure, Later, Missing, Moved, NotSent, Outcome, Refused, Stale, Stored, Unknown
from syncd.core.endings import (
    ELSEWHERE,
    and_told,
    closing,
    dead_letter,
    failed,
    forget,
    look_again,
    park,
    reject,
    told,
    waited,
)
from syncd.core.model import Link, Remote, Stage, State, Values, Verb
from syncd.core.plan import FOUND
from syncd.core.writes import renewed, unknown_create


def changes(decided: Decided, outcome: Outcome, terms: Terms, projected: Values) -> Step:
    """The step after an outcome. `projected` is the source row after a pull, as this provider should hold it."""
    write, case = decided.write, decided.case
    assert write is not None  # noqa: S101 - only writes have outcomes
    if isinstance(outcome, Stale):
        return Step(_not_done(decided, _stale(case, terms, outcome), terms))
    if isinstance(outcome, Unknown):
        return Step(_unknown(decided, terms, outcome.why))
    match write.verb:
        case Verb.PULL:
            if isinstance(outcome, NotSent):
                return Step(_not_done(decided, failed(case, terms, outcome.why), terms))
            assert isinstance(outcome, Stored)  # noqa: S101 - the source stores, refuses field by field, or has moved
            return pulled(decided, terms, outcome, projected)
        case Verb.UPDATE:
            return Step(_updated(decided, outcome, terms))
        case Verb.CREATE:
            return Step(_created(decided, outcome, terms))
        case _:
            return Step(_removed(decided, outcome, terms))


def linked_elsewhere(decided: Decided, terms: Terms) -> Change:
    """The change of a look whose remote turned out to be linked to another customer: only closed intents and the
    question to a person are stored."""
    change = park(decided.case, terms, ELSEWHERE)
    shown = change.link.state if change.link is not None else None
    close = (decided.intent, *change.close) if decided.intent else change.close
    return change._replace(link=None, state=shown, close=close, closing=())


# -- update ------------------------------------------------------------------------------------------------------------


def _updated(decided: Decided, outcome: Outcome, terms: Terms) -> Change:
    if isinstance(outcome, Stored):
        assert outcome.remote is not None  # noqa: S101 - what a provider stored
        return pushed(decided, terms, outcome.remote)
    case = _so_far(decided)
    match outcome:
        case Refused(name, reason, _, half):
            change = reject(case, terms, name, reason)
        case Missing(half):
            change = look_again(case, terms, 0.0, "missing")
        case NotSent(why, half):
            change = failed(case, terms, why)
        case _:
            raise AssertionError(outcome)
    if change.link is None:
        change = change._replace(link=case.facts.link)
    if not half:
        return _not_done(decided, change, terms)
    # One of several requests was executed: the next look judges field by field, without a wait.
    return change._replace(move=(*change.move, Moved(decided.intent, Stage.OPEN, terms.now)))


def _so_far(decided: Decided) -> Case:
    """The case with the base as far as it was agreed before the write."""
    case, progress = decided.case, decided.progress
    if progress is None or case.facts.link is None:
        return case
    return case._replace(facts=case.facts._replace(link=case.facts.link._replace(base=progress.base, version=None)))


def _stale(case: Case, terms: Terms, outcome: Stale) -> Change:
    """A stale write is no failure. Where the provider itself refuses the version (409, 412) at two looks in a row, the
    second one counts as a failure of the pair, which then waits longer each time."""
    if outcome.why is None:
        return look_again(case, terms, outcome.pause, "moved")
    if case.work.error_class == outcome.why.kind:
        return failed(case, terms, outcome.why)
    return look_again(case, terms, terms.backoff, outcome.why.kind)


def _not_done(decided: Decided, change: Change, terms: Terms) -> Change:
    """The change, where the write was certainly not executed: its intent is closed, and the guards' counts are given
    back. A pull that was executed before the push stays counted."""
    asks, action = decided.asks, decided.action
    if isinstance(action, Exchange) and _verb(decided) == Verb.UPDATE:
        asks = asks_of(decided.case, terms, replace(action, pull={}))
    return change._replace(close=(decided.intent, *change.close), refund=(*asks, *change.refund))


# -- create ------------------------------------------------------------------------------------------------------------


def _created(decided: Decided, outcome: Outcome, terms: Terms) -> Change:
    case = decided.case
    match outcome:
        case Stored(remote):
            assert remote is not None  # noqa: S101 - what a provider stored
            return _new(decided, remote, terms)
        case Refused(name, reason, taken=True, holder=holder):
            if unknown_create(case.facts) is not None:
                return _unknown(decided, terms, Failure("Taken", reason))
            return _not_done(decided, park(case, terms, _in_the_way(case, terms, name, holder)), terms)
        case Refused(name, reason):
            return _not_done(decided, reject(case, terms, name, reason), terms)
        case NotSent(why, half):
            return _unknown(decided, terms, why) if half else _not_done(decided, failed(case, terms, why), terms)
        case _:
            raise AssertionError(outcome)


def _in_the_way(case: Case, terms: Terms, name: str, holder: str) -> Park:
    """The question to a person where another record has the key or a value already. Where the adapter itself looks
    under our key before a create, the question is the same as after our own look-up. Where the provider named that
    record, the question holds the command that links it."""
    if terms.looks_first and name in {"", "number"}:
        return Park("found", FOUND, void=case.facts.create_anyway)
    link = f"; if it is this one: syncd link {shlex.join([terms.provider, case.pair.key, holder])}" if holder else ""
    why = f"the provider already has a customer with this {name or 'key'}{link}"
    return Park("taken", why, void=case.facts.create_anyway)


def _new(decided: Decided, remote: Remote, terms: Terms) -> Change:
    case = decided.case
    names = frozenset(case.facts.source or {})
    base = renewed(case.facts, remote.values, names, provisional=remote.provisional)
    link = linked(case, terms, remote, base)
    close, move = concluded(decided.intent, terms, provisional=remote.provisional)
    change = Change(
        case.work,
        "created",
        link=link,
        finish=True,
        close=close,
        move=move,
        closing=closing(link),
        living=remote.external_id,
    )
    said = told(case, "pair.created", names, wait_s=waited(case, terms))
    return and_told(change, said._replace(lines=(said.lines[0]._replace(fields=()),)))


# -- remove ------------------------------------------------------------------------------------------------------------


def _removed(decided: Decided, outcome: Outcome, terms: Terms) -> Change:
    case, action = decided.case, decided.action
    assert isinstance(action, Remove)  # noqa: S101 - made by `decide`
    match outcome:
        case Stored() | Missing():
            gone = Unlink("deleted in the source", tombstone=True, again=action.again)
            return forget(case, gone, "pair.removed", action.remote.external_id)
        case Refused():
            question = Park("delete_conflict", "the provider refuses to remove this customer", void=True)
            return _not_done(decided, park(case, terms, question), terms)
        case NotSent(why, half):
            return _unknown(decided, terms, why) if half else _not_done(decided, failed(case, terms, why), terms)
        case _:
            raise AssertionError(outcome)


# -- unknown -----------------------------------------------------------------------------------------------------------


def _unknown(decided: Decided, terms: Terms, why: Failure) -> Change:
    """The outcome is unknown: the pair is left alone for the settle time, counted from now, the end of the request;
    then a look finds out. A write with the version of the record cannot take effect late over a newer record, so after
    it the next look need not wait."""
    case, verb = _so_far(decided), _verb(decided)
    until = terms.later(0.0 if terms.conditional and verb != Verb.CREATE else terms.settle)
    move = (Moved(decided.intent, Stage.OPEN, until),)
    attempts = case.work.attempts + why.counts
    if attempts >= terms.max_attempts:
        lost = replace(why, message=f"{verb}: outcome unknown")
        dead = dead_letter(case, terms, lost, attempts)
        return dead._replace(link=_reserved(decided, dead.link), move=(*dead.move, *move))
    due_at = max(until, terms.later(delay(terms.backoff, attempts, why.jitter)))
    link = case.facts.link if decided.progress is not None else None
    change = Change(
        case.work,
        "ambiguous",
        link=link._replace(state=State.AMBIGUOUS) if link is not None else None,
        state=State.AMBIGUOUS,
        later=Later(due_at, attempts, "OutcomeUnknown", f"{verb}: {why.message}"),
        move=move,
        retry_at=due_at,
    )
    reason = f"{verb}: outcome unknown"
    return and_told(change, told(case, "pair.retried", (), reason, reason=reason))


def _verb(decided: Decided) -> str:
    return decided.write.verb.value if decided.write is not None else ""


def _reserved(decided: Decided, link: Link | None) -> Link | None:
    """The mapping row with the key that was reserved for a create: a record may carry that key."""
    if link is None or link.provider_key is not None or _verb(decided) != Verb.CREATE:
        return link
    return link._replace(provider_key=decided.case.key)

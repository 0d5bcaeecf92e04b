"""The changes by which a look ends without a write: agreed, put off, parked, rejected, dead, unlinked. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from syncd.core.actions import Park, Unlink
from syncd.core.backoff import delay
from syncd.core.case import Case, Terms
from syncd.core.effects import Change, Failure, Grave, Later, Line, Moved, Note, Question, Told
from syncd.core.facts import Facts, seen
from syncd.core.guards import ACCEPTED, GRANTED, STAGED, Ask
from syncd.core.model import FieldBase, Link, Stage, State, Verb
from syncd.core.questions import FIELD_KINDS, HELD_KINDS, PAIR_KINDS
from syncd.core.recognition import another, recognised
from syncd.core.writes import unknown_create, versioned

FIRST_OWNER = Park("delete_conflict", "another customer has this key now, and the first one's record is still linked")
ELSEWHERE = Park("key_taken", "this remote, or its key, is linked to another customer")
ADOPT_PAUSE = 86_400.0  # seconds; `syncd adopt` makes the pairs due before that
STAGED_PAUSE = 86_400.0  # until a staged pair is looked at again without a release
EMPTY_PAUSE = 600.0
UNREAD_PAUSE = 5.0  # capture marks the pair anew before that
ABSENT_AGAIN = 60.0  # between two looks that prove a deletion no trigger reported
BUDGET_PAUSE = 10.0
_PAUSES = {"adopt": ADOPT_PAUSE, "absent": ABSENT_AGAIN, "back": 0.0, "unread": UNREAD_PAUSE}


def told(case: Case, event: str, fields: Iterable[str] = (), detail: str = "", **more: object) -> Told:
    """An event of the pair, to be stored and logged."""
    names = tuple(sorted(fields))
    return Told((Note(case.pair, event, names, detail),), (Line(event, names, more),))


def and_told(change: Change, *others: Told) -> Change:
    """The change with the events and log lines of the others added."""
    return change._replace(
        notes=change.notes + tuple(note for other in others for note in other.notes),
        lines=change.lines + tuple(line for other in others for line in other.lines),
    )


def waited(case: Case, terms: Terms) -> float:
    """Seconds from the moment the pair was marked until now, for the log."""
    return max((terms.now - case.work.since).total_seconds(), 0.0)


def closing(link: Link | None, keep: Iterable[str] = ()) -> tuple[str, ...]:
    """The kinds of review items whose reason is gone when a look ends with this mapping row; the kinds in `keep` stay
    open."""
    answered = HELD_KINDS if link is None or link.external_id is not None else ()
    kept = set(keep)
    return tuple(kind for kind in (*FIELD_KINDS, *PAIR_KINDS, *answered) if kind not in kept)


# -- looks that found nothing to do ----------------------------------------------------------------------------------


def agreed(case: Case, terms: Terms) -> Change:
    """Both sides agree, or the pair is excluded: the due mark is deleted, and confirmed intents are closed."""
    link = case.facts.link
    if link is None or link.external_id is None:
        shown = case.row._replace(state=State.EXCLUDED)
        return Change(case.work, "excluded", link=shown, finish=True, closing=closing(shown))
    close, move = settled(case.facts, terms)
    base = confirmed(link.base, case.facts)
    shown = link._replace(base=base, state=State.LINKED, verified_at=terms.now)
    if case.facts.remote is not None and case.facts.remote.version is not None:
        shown = versioned(shown, case.facts.remote, case.facts.digest)
    kind = "settled" if case.facts.intents else "unchanged"
    return Change(case.work, kind, link=shown, finish=True, close=close, move=move, closing=closing(shown))


def settled(facts: Facts, terms: Terms) -> tuple[tuple[int, ...], tuple[Moved, ...]]:
    """What becomes of the intents of this look: ids to close, and intents that wait one more settle time, because their
    write may still take effect late. A settle time counts as over only if it was over when the look began."""
    intents = facts.intents
    if not intents:
        return (), ()
    waits = [i for i in intents if i.stage is Stage.OPEN and i.verb in {Verb.UPDATE, Verb.CREATE}]
    over = [i for i in intents if i not in waits and (i.stage is Stage.OPEN or i.settle_until <= facts.at)]
    until = terms.later(terms.settle)
    return tuple(i.id for i in over), tuple(Moved(i.id, Stage.CONFIRM, until) for i in waits)


def confirmed(base: Mapping[str, FieldBase], facts: Facts) -> Mapping[str, FieldBase]:
    """The base after one more reading of the record: the provisional marks go, if every intent was executed and settled
    when the look began. A field for which the record shows another value stays provisional. A dispute is over where
    both sides show what was agreed before it."""
    if any(intent.stage is Stage.OPEN or intent.settle_until > facts.at for intent in facts.intents):
        return base
    return {name: entry if _other(facts, name, entry) else _sure(facts, name, entry) for name, entry in base.items()}


def _other(facts: Facts, name: str, entry: FieldBase) -> bool:
    there = seen(facts, name)[1] if entry.provisional else None
    return there is not None and there.digest != entry.provider


def _sure(facts: Facts, name: str, entry: FieldBase) -> FieldBase:
    if entry.disputed and _agreed(facts, name, entry):
        entry = entry._replace(disputed=False)
    if not (entry.provisional or entry.shown):
        return entry
    if entry.pulled or entry.frozen or entry.disputed or entry.overruled:
        return entry._replace(provisional=False, shown=False)
    return FieldBase(entry.source, entry.provider, earlier=entry.earlier)


def _agreed(facts: Facts, name: str, entry: FieldBase) -> bool:
    here, there = seen(facts, name)
    return here is not None and there is not None and (here.digest, there.digest) == (entry.source, entry.provider)


def wait(case: Case, terms: Terms, why: str) -> Change:
    """Put the pair off, for one of the reasons of `Wait`."""
    work = case.work
    since = terms.now.isoformat() if why == "absent" else ""
    if why == "absent" and work.error_class == "absent" and work.error:
        since = work.error
    later = Later(terms.later(_PAUSES.get(why, EMPTY_PAUSE)), work.attempts, why, since)
    return Change(work, "waiting", later=later, announce="adopt" if why == "adopt" else "", retry_at=later.due_at)


def look_again(case: Case, terms: Terms, pause: float, why: str = "") -> Change:
    """Put the pair off for `pause` seconds without a failure; the next look reads both sides anew. An operation stays
    released or accepted."""
    work = case.work
    kept = (work.error_class, work.error) if work.error_class.startswith((GRANTED, ACCEPTED)) else (why, "")
    return Change(work, "again", later=Later(terms.later(pause), work.attempts, *kept))


def respelled(case: Case) -> Change:
    """Move a mark in another spelling (collation, padding, a watched table's column) to the row's own key.

    A link under the mark's spelling moves along. Where the row's own key has a link too (`AB1` was deleted, then
    another customer got `ab1`), the link under the mark's spelling belongs to the first owner.
    """
    linked = case.facts.link is not None and case.facts.link.external_id is not None
    moves_to = case.respelled if linked else ""
    return Change(case.work, "again", mark=(case.respelled, case.work.reason), moves_to=moves_to, finish=True)


def spared(case: Case, terms: Terms) -> Change:
    """Put the pair off, because the lane's budget for repeats is used up: in an outage, repeats stay a small part of
    the traffic."""
    work = case.work
    later = Later(terms.later(BUDGET_PAUSE), work.attempts, work.error_class, work.error)
    return Change(work, "retry", later=later, retry_at=later.due_at)


# -- looks that need a person, or the customer to change ---------------------------------------------------------------


def park(case: Case, terms: Terms, action: Park) -> Change:
    """Stop the pair until a person decides. An earlier `ignore` holds as long as nothing changed. A person's decision
    about a deletion that ends in the same question was not carried out, so it is void and the person is asked again."""
    over, link = executed_intents(case, terms), case.facts.link
    if action.kind == "delete_conflict" and case.facts.ordered in {"remove", "keep"}:
        action = replace(action, void=True)
    kept = case.facts.former if action.void and not case.facts.tried else None
    row = kept or case.row
    if action.kind in case.ignored:
        shown, kinds = row._replace(state=State.EXCLUDED), (*closing(link), action.kind)
        return Change(case.work, "excluded", link=shown, finish=True, close=over, closing=kinds)
    change = Change(
        case.work,
        "review",
        link=row._replace(state=State.REVIEW),
        finish=True,
        close=over,
        closing=(*closing(link, (action.kind,)), *(kind for kind in HELD_KINDS if action.void and kind != action.kind)),
        questions=(Question(action.kind, action.reason, void=action.void),),
    )
    return change if action.kind in case.asked else _parked(case, change, action.kind)


def _parked(case: Case, change: Change, kind: str) -> Change:
    note, line = Note(case.pair, "pair.parked", (), kind), Line("pair.parked", (), {"kind": kind})
    return change._replace(notes=(note,), lines=(line,))


def executed_intents(case: Case, terms: Terms) -> tuple[int, ...]:
    """The intents to close when a pair is parked, rejected or staged: executed writes whose settle time is over. Such a
    pair gets no confirming reading."""
    done = [i for i in case.facts.intents if i.stage is Stage.CONFIRM and i.settle_until <= terms.now]
    return tuple(intent.id for intent in done)


def reject(case: Case, terms: Terms, name: str, reason: str) -> Change:
    """The provider's rules refuse the customer: no attempt is made until the customer or the settings change."""
    if case.facts.reborn and another(case.facts):
        return park(case, terms, FIRST_OWNER)
    shown = case.row._replace(state=State.REJECTED)
    change = Change(
        case.work,
        "rejected",
        link=shown,
        finish=True,
        close=executed_intents(case, terms),
        closing=closing(case.facts.link),
    )
    return and_told(change, told(case, "pair.rejected", (name,) if name else (), reason, reason=reason))


def staged(case: Case, terms: Terms, ask: Ask) -> Change:
    """Hold the operation back behind a guard, until a person releases it or a look finds that it is not needed any
    more. Like a parked pair, a staged pair gets no confirming reading."""
    link = case.facts.link
    shown = link._replace(state=State.REVIEW) if link is not None else None
    change = Change(case.work, "staged", link=shown, staged=(ask.verb, ask.names), close=executed_intents(case, terms))
    if case.work.error_class == STAGED + ask.verb:
        return change
    note = Note(case.pair, "guard.tripped", tuple(sorted(ask.names)), ask.verb)
    line = Line("guard.tripped", tuple(sorted(ask.names)), {"guard": ask.verb})
    return change._replace(notes=(note,), lines=(line,))


# -- looks that failed -------------------------------------------------------------------------------------------------


def failed(case: Case, terms: Terms, failure: Failure) -> Change:
    """Put the pair off after a failure; a failure of the whole lane leaves the pair due as it is. A failure uses up an
    attempt only while other pairs get through. A pair without attempts left becomes a dead letter."""
    work = case.work
    if not failure.mine:
        return Change(work, "deferred")
    attempts = work.attempts + failure.counts
    if attempts >= terms.max_attempts:
        return dead_letter(case, terms, failure, attempts)
    pause = max(delay(terms.backoff, max(attempts, 1), failure.jitter), failure.wait)
    why = (failure.kind, failure.message)
    approved = work.error_class == ACCEPTED and work.reason != "backfill"  # a backfill's reason approves too
    if approved or work.error_class.startswith(GRANTED):  # a person's release holds until the write is done
        why = (work.error_class, work.error)
    later = Later(terms.later(pause), attempts, *why)
    change = Change(work, "retry", later=later, retry_at=later.due_at)
    said = told(case, "pair.retried", (), failure.message, reason=failure.message, attempt=attempts)
    return and_told(change, said)


def dead_letter(case: Case, terms: Terms, failure: Failure, attempts: int) -> Change:
    """The pair used up its attempts. An open intent stays, and is judged first when a mark revives the pair.

    Where another customer has the key now, a person is asked instead, because a review item remembers the first owner
    and a dead letter does not. Example: customer 2 is deleted and another customer gets key 2. After a dead letter, a
    later look would take the new row for an edit of the first customer.
    """
    if case.facts.reborn and another(case.facts):
        return park(case, terms, FIRST_OWNER)
    change = Change(case.work, "dead", link=case.row._replace(state=State.DEAD), finish=True)
    detail = f"{failure.kind}: {failure.message}"
    said = told(case, "pair.dead_lettered", (), detail, reason=failure.message, attempt=attempts)
    return and_told(change, said)


# -- the end of a link -------------------------------------------------------------------------------------------------


def forget(case: Case, action: Unlink, event: str = "pair.unlinked", external_id: str = "") -> Change:
    """End the link and drop the mapping row. A tombstone keeps scans, old copies and retries from bringing the customer
    back. Where the customer lives on, the tombstone is for the record alone, so that no scan takes the record in later.
    A record that a lost create may have made gets a tombstone too. Without link and record no event is told."""
    facts, link = case.facts, case.facts.link
    external_id = external_id or (link.external_id if link is not None else "") or ""
    given_up = (external_id,) if external_id else _perhaps_made(facts)
    had_one = (link is not None and link.external_id is not None) or unknown_create(facts) is not None
    ends = bool(given_up) and (had_one or action.tombstone)
    quiet = "excluded" if action.guarded else "unchanged"
    change = Change(
        case.work,
        "removed" if event == "pair.removed" else "unlinked" if ends else quiet,
        unlink=True,
        finish=True,
        close_all=True,
        closing=closing(None),
        grave=_grave(facts, action, given_up, stays=event == "pair.unlinked") if ends else None,
        mark=(case.pair.key, "changed") if action.again else None,
    )
    if change.kind == quiet:  # no link ends and no record is given up: nothing to note
        return change
    return and_told(change, told(case, event, (), action.reason, reason=action.reason))


def _grave(facts: Facts, action: Unlink, given_up: tuple[str, ...], *, stays: bool) -> Grave:
    """The tombstone of a record that was given up. Where the record `stays` and cannot be looked up by our key, the
    number gets a tombstone too. Example: Billbee cannot carry the number K17; the row with K17 is deleted and inserted
    again under another key."""
    whole, link = action.tombstone or action.guarded, facts.link
    hidden = stays and whole and link is not None and not facts.rules.repeatable
    return Grave(given_up, action.reason, whole, (link.provider_key or "") if hidden and link is not None else "")


def _perhaps_made(facts: Facts) -> tuple[str, ...]:
    """The records that a lost create may have made, among those found: of several, the recognised ones; where none is
    recognised, all."""
    free = [remote for remote in facts.found if remote.external_id not in facts.claimed]
    known = [remote for remote in free if recognised(facts, remote)] if len(free) > 1 else []
    return tuple(remote.external_id for remote in known or free)

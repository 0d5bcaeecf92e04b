"""Wrong implementations of the laws, one at a time: each must be caught by a named sequence or by few random histories.

A mutant that lives means that a law is not tested. Every one of them is a way in which real integrations fail.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from typing import Any

import pytest
import sqlalchemy as sa

from syncd.core.actions import Action, Adopt
from syncd.core.erasure import Erasure
from syncd.core.facts import LONG_AGO, Departure, Facts
from syncd.core.model import Pair, Policy, Remote, Removal, Stage, Values, Work
from syncd.errors import SafetyStop, Temporary, UsageError
from syncd.lanes import Lane
from syncd.reconcile import Route
from syncd.runtime.installation import Installation
from syncd.source import changelog, lookup, writing
from syncd.source.changelog import Batch, Entry
from syncd.source.database import Source
from syncd.store import journal, leases, mapping, schema, tombstones, work
from syncd.store.schema import Transaction, intent, tombstone
from tests.model import test_daemons as daemons
from tests.model import test_erased as erasures
from tests.model import test_foretold as foretold
from tests.model import test_forgotten as forgotten
from tests.model import test_laws as laws
from tests.model import test_lost_creates as lost_creates
from tests.model import test_merges as merges
from tests.model import test_promises as promises
from tests.model import test_sequences as rows
from tests.model import test_successors as keys
from tests.model.history import live, make
from tests.model.hostile import Nature
from tests.model.named import NAMED

# functions of these names hide the modules in their packages
MERGE, PLAN = import_module("syncd.core.merge"), import_module("syncd.core.plan")
WRITES, VERDICTS = import_module("syncd.core.writes"), import_module("syncd.core.verdicts")
ARRIVE, KEYLESS = import_module("syncd.detect.intake"), import_module("syncd.detect.keyless")
CAPTURE, RECONCILE = import_module("syncd.detect.capture"), import_module("syncd.reconcile")
OWNERSHIP = import_module("syncd.detect.ownership")
CASE = import_module("syncd.reconcile.case")
GATHER = import_module("syncd.reconcile.gather")
AGREEMENT, CHANGES = import_module("syncd.core.agreement"), import_module("syncd.core.changes")
DECIDE, SCAN = import_module("syncd.core.decide"), import_module("syncd.detect.scan")
ENDINGS, TRACE = import_module("syncd.core.endings"), import_module("syncd.lanes.trace")
GUARD = import_module("syncd.reconcile.guard")
ERASE = import_module("syncd.operate.erase")

LEADERSHIP, WORKER = import_module("syncd.runtime.leadership"), import_module("syncd.engine.worker")

Patch = pytest.MonkeyPatch
SEEDS = 60  # random histories after which a mutant counts as alive
CREATING = Nature(identity=rows.SEARCH.identity)


# -- the wrong implementations -------------------------------------------------------------------------------------


def flag_instead_of_generation(patch: Patch) -> None:
    """Finishing clears the mark, whoever set it and when."""
    patch.setattr(work, "finish", lambda tx, items: [work.drop(tx, item.pair) for item in items])


def settle_counts_from_the_opening(patch: Patch) -> None:
    """The end of a request that was lost does not renew its settle time."""
    patch.setattr(TRACE, "FRESH", 1e9)  # else an intent is opened right before its request, and hides it
    move = journal.move_intents
    settled = [Stage.CONFIRM]
    patch.setattr(journal, "move_intents", lambda tx, moves: move(tx, [one for one in moves if one.stage in settled]))


def predecessors_writes_have_settled(patch: Patch) -> None:
    """What another epoch left under way keeps the settle time of its opening."""
    patch.setattr(TRACE, "FRESH", 1e9)
    patch.setattr(journal, "settle_left_over", lambda _tx, _provider, _epoch, _until: 0)


def promises_are_kept_at_once(patch: Patch) -> None:
    """A 202 closes its intent like any other answer."""
    for module in (AGREEMENT, CHANGES):
        patch.setattr(module, "concluded", lambda number, _terms, **_: ((number,), ()))


def shown_values_forgotten(patch: Patch) -> None:
    """A shorter form of what was sent is the provider's own, even where a reading had shown the whole value."""
    patch.setattr(MERGE, "_three_way", _unseen(MERGE._three_way))


def _unseen(merge: Callable[..., Any]) -> Callable[..., Any]:
    return lambda facts, source, provider, base: merge(facts, source, provider, base._replace(shown=False))


def half_an_update_is_over(patch: Patch) -> None:
    """An update of several requests that ended early closes its intent, whatever arrived of it."""
    updated = CHANGES._updated

    def wrong(decided: Any, outcome: Any, terms: Any) -> Any:
        change = updated(decided, outcome, terms)
        over = tuple(moved.id for moved in change.move if moved.id == decided.intent)
        return change._replace(move=(), close=(*change.close, *over))

    patch.setattr(CHANGES, "_updated", wrong)


def one_look_proves_absence(patch: Patch) -> None:
    """A single 404 counts as "was deleted there"."""
    patch.setattr(GATHER, "fetch_proven", lambda route, external_id: route.adapter.fetch(external_id))


def lost_leases_stay_remembered(patch: Patch) -> None:
    """A lease that somebody took over counts until it would have been renewed."""
    for module in (LEADERSHIP, WORKER, CAPTURE):
        patch.setattr(module, "forfeit", lambda _site, _name: None)


def deletions_one_by_one(patch: Patch) -> None:
    """Each deletion meets the guard alone."""
    patch.setattr(GUARD, "_too_many", lambda *_: False)


def search_without_settling(patch: Patch) -> None:
    """An unknown outcome is looked up at once."""
    for name, part in (("_LIVE", schema.IS_LIVE), ("_BACKFILL", schema.IS_BACKFILL)):
        due = sa.select(schema.work).where(work._OF_PROVIDER, schema.work.c.due_at <= work.NOW, part)
        queue = due.order_by(schema.work.c.due_at, schema.work.c.generation)
        patch.setattr(work, name, queue.limit(sa.bindparam("most")))


def base_is_what_was_sent(patch: Patch) -> None:
    """The base is taken from the request, not from what the provider stored."""
    renewed = WRITES.renewed

    def wrong(facts: Facts, stored: Values, names: frozenset[str], *, provisional: bool) -> Any:
        return renewed(facts, {**stored, **(facts.source or {})}, names, provisional=provisional)

    patch.setattr(AGREEMENT, "renewed", wrong)
    patch.setattr(CHANGES, "renewed", wrong)


def acknowledge_everything(patch: Patch) -> None:
    """The log is emptied instead of deleting what was read."""
    patch.setattr(changelog, "_delete", lambda conn, source, _entries: conn.execute(source.log.delete()))


def acknowledge_first(patch: Patch) -> None:
    """Marks leave the log before they are durable on our side."""
    read, acknowledge = changelog.read, changelog.acknowledge

    def read_and_acknowledge(source: Source, limit: int = 1000) -> Batch:
        batch = read(source, limit)
        if batch.owner:
            acknowledge(source, batch, batch.owner)
        return batch

    patch.setattr(changelog, "read", read_and_acknowledge)
    patch.setattr(changelog, "acknowledge", lambda *_: None)


def lookup_error_is_absence(patch: Patch) -> None:
    """A search that fails counts as "not found"."""
    look_up = GATHER.look_up

    def wrong(*args: Any, **more: Any) -> Any:
        try:
            return look_up(*args, **more)
        except Temporary:
            return ()

    patch.setattr(GATHER, "look_up", wrong)


def fetch_error_is_deletion(patch: Patch) -> None:
    """A reading that fails counts as "was deleted there"."""
    fetch = GATHER.fetch_proven

    def wrong(route: Route, external_id: str) -> Any:
        try:
            return fetch(route, external_id)
        except Temporary:
            return None

    patch.setattr(GATHER, "fetch_proven", wrong)


def own_changes_ignored(patch: Patch) -> None:
    """Echo suppression by writer: what we wrote into the source is nobody's change."""
    mark = CAPTURE._mark

    def wrong(tx: Transaction, site: Installation, entries: Sequence[Entry], *more: Any) -> Any:
        return mark(tx, site, [entry for entry in entries if not entry.origin.startswith("syncd:")], *more)

    patch.setattr(CAPTURE, "_mark", wrong)


def no_compare_and_set(patch: Patch) -> None:
    """The source row is written without looking whether it is still the one that was read."""
    patch.setattr(writing, "_differs", lambda *_: False)


def no_intent(patch: Patch) -> None:
    """Nothing is written down before a write leaves."""
    patch.setattr(journal, "open_intent", lambda *_, **__: 1_000_000)
    patch.setattr(journal, "open_intents", lambda _tx, openings, *_: [1_000_000 for _ in openings])


def adopt_whatever_is_found(patch: Patch) -> None:
    """A record that carries our key is linked, whoever made it."""
    unlinked = PLAN._unlinked

    def wrong(facts: Facts) -> Action:
        return Adopt(facts.found[0], own=False) if facts.found else unlinked(facts)

    patch.setattr(PLAN, "_unlinked", wrong)


def adopt_unrecognised(patch: Patch) -> None:
    """After a lost create, whatever carries our key is ours."""
    patch.setattr(PLAN, "recognised", lambda *_: True)


def one_equal_value_recognises(patch: Patch) -> None:
    """After a lost create, any one value in common proves that a record is ours."""

    def wrong(facts: Facts, remote: Remote) -> bool:
        sent = WRITES.late_digests(facts.intents)
        return any(facts.digest(name, value) in sent.get(name, ()) for name, value in remote.values.items())

    patch.setattr(PLAN, "recognised", wrong)


def mark_jumps_the_settle_time(patch: Patch) -> None:
    """A new mark makes a pair due although a write of it has not settled."""
    mark = work.mark

    def wrong(tx: Transaction, pairs: Any, reason: str, now: Any, due_at: Any = None) -> int:
        tx.execute(intent.update().values(settle_until=now))
        return mark(tx, pairs, reason, now, due_at)

    patch.setattr(work, "mark", wrong)


def finish_before_the_write(patch: Patch) -> None:
    """The mark is gone before its work is done."""
    admit = RECONCILE.admit

    def wrong(route: Route, decided: Any) -> Any:
        with route.state.fenced(route.lease) as tx:
            work.finish(tx, [each.case.work for each in decided])
        return admit(route, decided)

    patch.setattr(RECONCILE, "admit", wrong)
    patch.setattr(work, "generations", lambda _tx, _provider, keys: dict.fromkeys(keys, 0))


def no_late_digests(patch: Patch) -> None:
    """What our own unconfirmed writes explain is taken for an edit."""
    patch.setattr(VERDICTS, "late_digests", lambda _intents: {})


def cut_forms_are_edits(patch: Patch) -> None:
    """A provider that truncates or changes case is believed to have edited."""
    patch.setattr(VERDICTS, "degraded", lambda *_: False)


def create_without_reserving(patch: Patch) -> None:
    """Our key at the provider is not claimed before the create."""
    patch.setattr(mapping, "reserve", lambda *_: {})


def fan_out_to_the_first(patch: Patch) -> None:
    """A change in the source is told to one provider."""
    pairs = Installation.pairs
    patch.setattr(Installation, "pairs", lambda site, key: pairs(site, key)[:1])


def delete_on_absence(patch: Patch) -> None:
    """A row that is not found was deleted."""
    departure = GATHER.departed

    def wrong(*args: Any, **more: Any) -> Departure:
        found: Departure = departure(*args, **more)
        return Departure.GONE if found is not Departure.UNPROVEN else Departure.UNPROVEN

    patch.setattr(GATHER, "departed", wrong)


def tombstones_ignored(patch: Patch) -> None:
    """Who was removed on purpose may come back by himself."""
    patch.setattr(tombstones, "buried", lambda *_, **__: False)
    patch.setattr(tombstones, "buried_keys", lambda *_: set())


def no_fence(patch: Patch) -> None:
    """A worker that lost its lease still writes, also of pairs that somebody else finished."""
    real = work.generations
    patch.setattr(leases, "check", lambda *_: None)
    patch.setattr(work, "generations", lambda tx, name, keys: {**dict.fromkeys(keys, 0), **real(tx, name, keys)})


def outage_uses_up_attempts(patch: Patch) -> None:
    """Failures of a provider that is down count against its customers, and nothing stops the lane."""
    patch.setattr(Lane, "healthy", lambda _lane: True)
    patch.setattr(Lane, "failed", lambda _lane, _reason: None)


def brake_counts_edits(patch: Patch) -> None:
    """Repeated edits in one direction freeze a field."""
    patch.setattr(VERDICTS, "flips", lambda history, *_: len(history) >= 3)


def composed_fields_are_pulled(patch: Patch) -> None:
    """A composed value is written back into one of its parts' customers."""
    facts = VERDICTS.field_facts

    def wrong(*args: Any, **more: Any) -> Any:
        return facts(*args, **more)._replace(composed=False)

    patch.setattr(VERDICTS, "field_facts", wrong)


def lost_pull_is_an_edit(patch: Patch) -> None:
    """A pull that nobody recorded is taken for a person's edit of the source."""
    patch.setattr(CASE, "recovered", lambda facts: facts)


def lost_pulls_outlive_recorded_ones(patch: Patch) -> None:
    """A pull that was recorded leaves the earlier ones that were not."""
    patch.setattr(AGREEMENT, "unrecorded", lambda _intents: [])


def settled_creates_explain_on(patch: Patch) -> None:
    """What a settled write sent makes every later edit doubtful, whatever was read and pulled since."""
    patch.setattr(GUARD, "outlived", lambda _facts, _pulled: [])


def sleepers_write_rows(patch: Patch) -> None:
    """A process that slept through its lease writes into the source all the same."""
    patch.setattr(Lane, "owned", lambda _lane: True)


def key_is_the_customer(patch: Patch) -> None:
    """Whoever has the key is the customer that had it."""
    for module in (PLAN, CASE):
        patch.setattr(module, "another", lambda _facts: False)


def doubt_ends_with_the_write(patch: Patch) -> None:
    """A question about a cut value is forgotten together with the write that left it."""
    patch.setattr(AGREEMENT, "disputed", lambda _facts, base, _action: base)


def parked_writes_wait_for_ever(patch: Patch) -> None:
    """A parked pair is looked at again and again for a confirmation that cannot come."""
    patch.setattr(ENDINGS, "executed_intents", lambda *_: ())


def untouched_means_answered(patch: Patch) -> None:
    """An edit that does not concern a provider closes the question about it."""
    linked = GATHER._linked

    def wrong(route: Route, item: Work, facts: Facts, *, asked: bool) -> Any:
        del asked
        return linked(route, item, facts, asked=False)

    patch.setattr(GATHER, "_linked", wrong)


def last_writer_wins(patch: Patch) -> None:
    """No base: whatever differs at the provider is newer."""
    merge = MERGE._three_way

    def wrong(facts: Any, source: Any, provider: Any, base: Any) -> Any:
        return merge(facts, source._replace(digest=base.source), provider, base)

    patch.setattr(MERGE, "_three_way", wrong)


def executed_intents_forgotten(patch: Patch) -> None:
    """A superseded write of unknown outcome is forgotten at the first look, before it can land late."""
    for module in (AGREEMENT, ENDINGS):
        patch.setattr(module, "settled", lambda facts, _terms: (tuple(each.id for each in facts.intents), ()))


def readings_not_noted(patch: Patch) -> None:
    """What a look read of a promised value is forgotten where the look ends with a write of unknown outcome."""
    patch.setattr(DECIDE, "noted", lambda case: case)


def listings_not_noted(patch: Patch) -> None:
    """What a listing shows of a write of unknown outcome is forgotten."""
    patch.setattr(SCAN, "_note", lambda *_given: None)


def records_not_buried(patch: Patch) -> None:
    """Only a customer has a tombstone, never a record alone."""
    bury = tombstones.bury

    def wrong(tx: Transaction, keys: Any, provider: str, external_id: str | None, key: str | None, *more: Any) -> None:
        if key is not None:
            bury(tx, keys, provider, external_id, key, *more)

    patch.setattr(tombstones, "bury", wrong)


def a_link_without_a_base_is_not_doubted(patch: Patch) -> None:
    """The change log is not asked whose row it is, where nothing was agreed yet."""
    doubts = CASE.perhaps_another
    patch.setattr(CASE, "perhaps_another", lambda facts: bool(facts.link and facts.link.base) and doubts(facts))


def what_is_left_of_an_erasure_is_an_edit(patch: Patch) -> None:
    """Once a person denied an erasure for one field, the other fields are judged without it."""
    disputed = AGREEMENT.disputed

    def wrong(facts: Facts, base: Any, action: Any) -> Any:
        review = {name: reason for name, reason in action.review.items() if reason != "erased"}
        return disputed(facts, base, replace(action, review=review))

    patch.setattr(AGREEMENT, "disputed", wrong)


def disputes_are_stored_with_the_outcome(patch: Patch) -> None:
    """That the rest of an erasure is disputed is stored after the push that takes its signs away."""
    patch.setattr(GUARD, "_disputes", lambda _passed: [])


def an_order_outweighs_the_log(patch: Patch) -> None:
    """Whom a person ordered to be linked is linked, whoever has the key by then."""
    doubtful = CASE._doubtful
    patch.setattr(CASE, "_doubtful", lambda case: doubtful(case._replace(facts=case.facts._replace(ordered=""))))


def tombstones_stay_with_the_key(patch: Patch) -> None:
    """Who was removed, and has another key now, is a new customer."""
    patch.setattr(tombstones, "follow", lambda *_given: None)


# -- and what catches them -----------------------------------------------------------------------------------------


def log_not_asked(patch: Patch) -> None:
    """A row that turned into somebody else's is taken for an edit where capture has not come by yet."""
    patch.setattr(changelog, "mentions", lambda *_given, **_more: set())


def first_owner_forgotten(patch: Patch) -> None:
    """Whose record a question is about is known only to the look that asked it."""
    is_open = CASE.is_open
    patch.setattr(CASE, "is_open", lambda memory, key, kind="": not kind and is_open(memory, key))


def refused_row_has_no_owner(patch: Patch) -> None:
    """A row that the rules refuse is not compared with the customer that was linked."""
    patch.setattr(CASE, "TELLING", ())


def links_travel_to_new_owners(patch: Patch) -> None:
    """A key that was given again and then changed carries the first owner's link along."""
    told = OWNERSHIP.reason_of
    patch.setattr(OWNERSHIP, "reason_of", lambda entry, before: told(entry, "changed" if entry.was else before))


def graves_opened_by_key(patch: Patch) -> None:
    """Creating somebody under a key lets everybody return who was ever buried under it."""
    patch.setattr(tombstones, "_EXHUME", tombstone.delete().where(tombstones._GRAVES))


def newcomers_without_number(patch: Patch) -> None:
    """A remote is inserted with its fields alone, and its number is lost."""
    patch.setattr(ARRIVE, "numbered", lambda _route, remote: remote)


def insert_without_a_second_look(patch: Patch) -> None:
    """A newcomer is inserted beside the row that people have typed meanwhile."""
    patch.setattr(lookup, "keys_like", lambda *_given, **_more: [])


def unsettled_inserts_forgotten(patch: Patch) -> None:
    """Nobody remembers that a newcomer's row may be under way."""
    patch.setattr(journal, "insert_intents", lambda _tx, _provider: [])


def inserts_given_up_before_they_settle(patch: Patch) -> None:
    """A newcomer's row that may be under way is given up, and inserted anew, at the next look."""
    of = ARRIVE._inserts_of
    patch.setattr(ARRIVE, "_inserts_of", lambda *given: [one._replace(settle_until=LONG_AGO) for one in of(*given)])


def key_taken_over_unseen(patch: Patch) -> None:
    """A link is overwritten by the next customer of its key, and nothing remembers the record."""
    patch.setattr(ARRIVE, "_is_taken", lambda *_given: False)


def lost_creates_leave_their_key(patch: Patch) -> None:
    """A newcomer gets the key of somebody who left, while nobody knows what became of that one's create."""

    def wrong(site: Installation, pair: Pair) -> bool:
        with site.state.read() as tx:
            linked: bool = ARRIVE._linked(mapping.read(tx, pair))
        return linked

    patch.setattr(ARRIVE, "_is_taken", wrong)


def lost_creates_without_key_are_newcomers(patch: Patch) -> None:
    """What a lost create made is a newcomer's record where it carries no key of ours."""
    for name in ("made_by", "may_be_made_by"):
        patch.setattr(KEYLESS, name, lambda _facts, _remote: False)


def lost_creates_are_known_by_most_values(patch: Patch) -> None:
    """A lost create's record is a newcomer's once people edited most of it, although its customer is there."""
    patch.setattr(KEYLESS, "may_be_made_by", KEYLESS.made_by)


def of_several_records_none_is_buried(patch: Patch) -> None:
    """A lost create that made one of several records with the customer's number leaves no tombstone."""

    def wrong(facts: Facts) -> tuple[str, ...]:
        free = [remote.external_id for remote in facts.found if remote.external_id not in facts.claimed]
        return tuple(free) if len(free) == 1 else ()

    patch.setattr(ENDINGS, "_perhaps_made", wrong)


def forgotten_creates_leave_no_tombstone(patch: Patch) -> None:
    """Of somebody who is forgotten, only what is known is buried: not what a create of his makes late."""
    patch.setattr(tombstones, "bury_carriers", lambda *_given: None)


def numbers_are_not_buried(patch: Patch) -> None:
    """A row under another key with a number that the provider cannot carry is another customer's."""
    patch.setattr(tombstones, "buried_carriers", lambda *_given: {})


def forgotten_before_the_record_is_known(patch: Patch) -> None:
    """Somebody is forgotten although nothing could know again the record that his create makes."""
    coming = ERASE._coming

    def wrong(tx: Transaction, route: Route, key: str) -> str:
        with contextlib.suppress(UsageError):
            return str(coming(tx, route, key))
        return ""

    patch.setattr(ERASE, "_coming", wrong)


def a_key_with_a_row_is_its_first_owners(patch: Patch) -> None:
    """Somebody is forgotten under a key that another row got before a run has read it."""
    certain = ERASE.certain
    patch.setattr(ERASE, "certain", lambda state, source, key, **_gone: certain(state, source, key, gone=True))


def a_captured_key_is_its_rows(patch: Patch) -> None:
    """Somebody is forgotten under a key that another row got, once capture, but no look, has read it."""
    patch.setattr(ERASE, "_one_owner", lambda *_given: None)


def lost_creates_without_key_are_not_buried(patch: Patch) -> None:
    """What a lost create made is not looked for where it carries no key of ours, once its customer is deleted."""
    patch.setattr(GATHER, "_keyless", lambda *_given: ())


def newcomers_linked_before_the_log_is_read(patch: Patch) -> None:
    """A newcomer is linked under a key whose former row is still to be followed to its new one."""
    mentions = changelog.mentions

    def wrong(source: Source, keys: Sequence[str], *, moved: bool = False) -> set[str]:
        return set() if moved else mentions(source, keys)

    patch.setattr(changelog, "mentions", wrong)


def first_owner_taken_over(patch: Patch) -> None:
    """Whoever comes to a key that is still linked gets its record."""
    patch.setattr(mapping, "to_former_key", lambda *_given: None)
    patch.setattr(OWNERSHIP.Owners, "to_former_key", lambda *_given: None)


def re_keys_followed_twice(patch: Patch) -> None:
    """A batch that a crash kept from being acknowledged moves its keys once more."""
    patch.setattr(CAPTURE, "_moved_before", lambda *_given: frozenset())


def placeholders_are_edits(patch: Patch) -> None:
    """What stands in the place of an erased value is pulled like any edit."""
    patch.setattr(VERDICTS, "erasure", lambda _facts: Erasure())


def deleted_without_a_second_look(patch: Patch) -> None:
    """A row that is absent at one look, and that no trigger reported, was deleted."""
    patch.setattr(import_module("syncd.reconcile.absence"), "_looked_before", lambda *_given: True)


def resumed_listing_is_complete(patch: Patch) -> None:
    """A listing that went on where the last one stopped counts as one that showed everything."""
    patch.setattr(import_module("syncd.detect.listing"), "_from_the_start", lambda _start: True)


def acknowledged_without_the_count(patch: Patch) -> None:
    """The rows of a batch go, whoever acknowledged meanwhile."""

    def wrong(source: Source, batch: Batch, _owner: str) -> None:
        with source.engine.begin() as conn:
            changelog._delete(conn, source, batch.entries)

    patch.setattr(changelog, "acknowledge", wrong)


def one_answer_proves_absence(patch: Patch) -> None:
    """A record that is not found once is gone."""

    def wrong(route: Route, external_id: str) -> Remote | None:
        remote = route.adapter.fetch(external_id)
        return GATHER.numbered(route, remote) if remote is not None else None

    patch.setattr(GATHER, "fetch_proven", wrong)


@dataclass(frozen=True)
class Mutant:
    """A wrong implementation and the sequences that catch it; none named: random histories have to."""

    wrong: Callable[[Patch], None]
    sequences: Sequence[Callable[[], None]] = ()


def _histories(part: str) -> tuple[Callable[[], None], ...]:
    """The named histories with these words in their names, each a sequence."""
    return tuple(partial(_comes_out_right, name) for name in NAMED if part in name)


def _comes_out_right(name: str) -> None:
    assert live(NAMED[name]) == []


def _each(sequence: Callable[..., None], *given: Any) -> tuple[Callable[[], None], ...]:
    """A sequence with its intrusion at one point after the other."""
    return tuple(partial(sequence, *given, point=point) for point in range(3, 30, 3))


KEEP = Removal.KEEP
LOSING = tuple(partial(rows.test_no_mark_is_lost, point) for point in range(1, 25))
MUTANTS: Mapping[str, Mutant] = {
    mutant.wrong.__name__: mutant
    for mutant in (
        Mutant(flag_instead_of_generation, (rows.test_edit_during_a_push,)),
        Mutant(search_without_settling, (partial(rows.test_mark_during_settle, CREATING),)),
        Mutant(base_is_what_was_sent),
        Mutant(acknowledge_everything, (rows.test_edit_between_reading_and_acknowledging,)),
        Mutant(acknowledge_first, tuple(partial(rows.test_no_mark_is_lost, point) for point in range(1, 25))),
        Mutant(lookup_error_is_absence, (rows.test_failing_search_is_no_absence,)),
        Mutant(fetch_error_is_deletion, (rows.test_failing_read_is_no_deletion,)),
        Mutant(own_changes_ignored, (partial(rows.test_toggling_flag, "provider"),)),
        Mutant(no_compare_and_set, (partial(rows.test_almost_equal, "source, before"),)),
        Mutant(no_intent, (partial(rows.test_mark_during_settle, CREATING),)),
        Mutant(adopt_whatever_is_found, (partial(rows.test_key_taken, "stranger", CREATING),)),
        Mutant(adopt_unrecognised, (rows.test_stranger_instead_of_our_lost_create,)),
        Mutant(
            one_equal_value_recognises,
            (
                partial(
                    lost_creates.test_a_stranger_is_not_taken_for_our_lost_create,
                    CREATING,
                    Policy.PROVIDER,
                    ("city", "email"),
                ),
            ),
        ),
        Mutant(mark_jumps_the_settle_time, (partial(rows.test_mark_during_settle, CREATING),)),
        Mutant(finish_before_the_write, tuple(partial(rows.test_no_mark_is_lost, point) for point in range(1, 25))),
        Mutant(no_late_digests, (partial(rows.test_late_update, Nature(), Policy.PROVIDER),)),
        Mutant(cut_forms_are_edits, (partial(rows.test_promise_and_truncation, Policy.SOURCE),)),
        Mutant(create_without_reserving, (rows.test_same_number_twice,)),
        Mutant(fan_out_to_the_first),
        Mutant(delete_on_absence, (rows.test_empty_source_removes_nobody,)),
        Mutant(tombstones_ignored, (partial(rows.test_unlinked_and_back, same=False),)),
        Mutant(no_fence, (rows.test_late_state_writes_of_a_sleeper,)),
        Mutant(outage_uses_up_attempts, (rows.test_long_outage,)),
        Mutant(brake_counts_edits, (partial(rows.test_toggling_flag, "provider"),)),
        Mutant(composed_fields_are_pulled, (rows.test_composed_field,)),
        Mutant(lost_pull_is_an_edit, (rows.test_edit_after_a_pull_that_nobody_recorded,)),
        Mutant(
            lost_pulls_outlive_recorded_ones,
            (partial(promises.test_a_killed_pull_and_its_killed_successor_are_no_edit, 1),),
        ),
        Mutant(
            settled_creates_explain_on,
            (promises.test_a_pull_read_after_a_settled_create_ends_what_the_create_explains,),
        ),
        Mutant(key_is_the_customer, (partial(rows.test_somebody_else_under_an_old_key, CREATING, together=True),)),
        Mutant(doubt_ends_with_the_write, (partial(rows.test_cut_form_of_a_superseded_write, Policy.PROVIDER),)),
        Mutant(parked_writes_wait_for_ever, (partial(rows.test_question_about_a_write_rests, "archived"),)),
        Mutant(untouched_means_answered, (partial(rows.test_question_outlives_an_edit_beside_it, "archived"),)),
        Mutant(last_writer_wins),
        Mutant(log_not_asked, _each(keys.test_a_key_is_given_again_behind_the_back_of_capture, Nature(), KEEP)),
        Mutant(first_owner_forgotten, (keys.test_the_first_owner_goes_as_the_settings_say,)),
        Mutant(refused_row_has_no_owner, (keys.test_a_new_owner_whom_the_rules_refuse,)),
        Mutant(links_travel_to_new_owners, (keys.test_a_new_owner_moves_on_to_another_key,)),
        Mutant(graves_opened_by_key, (keys.test_whoever_was_buried_stays_buried,)),
        Mutant(newcomers_without_number, (partial(keys.test_a_newcomer_keeps_his_number, CREATING),)),
        Mutant(
            insert_without_a_second_look,
            (keys.test_a_row_that_appears_right_before_the_insert_is_that_of_the_newcomer,),
        ),
        Mutant(sleepers_write_rows, (promises.test_a_lease_lost_before_the_row_is_written_writes_no_row,)),
        Mutant(unsettled_inserts_forgotten, _histories("a newcomer whose insert")),
        Mutant(inserts_given_up_before_they_settle, (keys.test_a_row_that_may_be_under_way_is_awaited,)),
        Mutant(key_taken_over_unseen, _each(keys.test_a_newcomer_under_a_key_that_is_given_again)),
        Mutant(lost_creates_leave_their_key, _histories("deleted while its create is under way")),
        Mutant(
            lost_creates_without_key_are_newcomers,
            (keys.test_a_lost_create_without_our_key_is_no_second_row_beside_an_edited_one,),
        ),
        Mutant(
            lost_creates_are_known_by_most_values,
            (
                partial(
                    keys.test_a_lost_create_without_our_key_is_no_newcomer, keys.PLAIN_NARROW, typed=("city", "email")
                ),
            ),
        ),
        Mutant(
            lost_creates_without_key_are_not_buried,
            (partial(keys.test_a_lost_create_without_our_key_does_not_come_back_as_a_row, Removal.KEEP, edited=False),),
        ),
        Mutant(
            of_several_records_none_is_buried,
            (
                partial(
                    lost_creates.test_a_lost_create_beside_a_record_with_its_number_brings_nobody_back,
                    CREATING,
                    KEEP,
                    "",
                    cut=False,
                ),
            ),
        ),
        Mutant(
            numbers_are_not_buried,
            (partial(laws.test_a_row_made_anew_under_another_key_gets_no_second_record, keys.PLAIN_NARROW),),
        ),
        Mutant(forgotten_creates_leave_no_tombstone, _histories("create comes late, findable, and deleted")),
        Mutant(
            forgotten_before_the_record_is_known,
            (partial(forgotten.test_a_record_without_our_key_is_known_before_its_customer_is_forgotten, parked=False),),
        ),
        Mutant(
            a_key_with_a_row_is_its_first_owners,
            (forgotten.test_a_linked_customer_whose_key_changed_hands_is_not_forgotten_for_the_other,),
        ),
        Mutant(
            a_captured_key_is_its_rows,
            (forgotten.test_a_linked_customer_whose_key_changed_hands_is_not_forgotten_for_the_other,),
        ),
        Mutant(
            newcomers_linked_before_the_log_is_read,
            (partial(keys.test_a_newcomer_under_a_key_that_a_row_gave_up, CREATING),),
        ),
        Mutant(
            settle_counts_from_the_opening,
            (promises.test_a_create_whose_answer_was_lost_settles_from_the_end_of_its_request,),
        ),
        Mutant(
            predecessors_writes_have_settled,
            (promises.test_a_create_that_waited_for_its_pace_and_was_killed_settles_from_the_restart,),
        ),
        Mutant(
            promises_are_kept_at_once,
            (partial(promises.test_an_answer_that_only_promises_explains_what_is_still_there, Policy.PROVIDER),),
        ),
        Mutant(
            shown_values_forgotten,
            (
                partial(
                    promises.test_an_edit_that_shortens_what_was_shown_is_asked_about,
                    "update",
                    str.upper,
                    Policy.PROVIDER,
                    rows.SETTLED,
                ),
            ),
        ),
        Mutant(
            half_an_update_is_over,
            (partial(promises.test_what_half_an_update_left_at_a_provider_that_cuts_is_no_edit, Policy.PROVIDER),),
        ),
        Mutant(one_look_proves_absence, (promises.test_one_look_that_finds_nothing_proves_no_absence,)),
        Mutant(lost_leases_stay_remembered, (promises.test_a_lost_lease_is_forgotten_at_once,)),
        Mutant(deletions_one_by_one, (promises.test_of_too_many_deletions_none_is_executed,)),
        Mutant(
            first_owner_taken_over,
            (partial(merges.test_merged_customers_keep_their_own_records, CREATING, Removal.DELETE, True, "one"),),
        ),
        Mutant(re_keys_followed_twice, (partial(merges.test_swapped_keys_swap_no_records, "one", True),)),
        Mutant(
            placeholders_are_edits,
            (partial(erasures.test_an_erased_person_is_never_pulled, CREATING, Policy.PROVIDER, {"email": "***"}),),
        ),
        Mutant(deleted_without_a_second_look, (merges.test_an_unreported_deletion_needs_two_looks,)),
        Mutant(resumed_listing_is_complete, (merges.test_a_resumed_listing_is_not_complete,)),
        Mutant(acknowledged_without_the_count, (merges.test_an_acknowledge_counts,)),
        Mutant(one_answer_proves_absence, (daemons.test_one_answer_is_no_proof,)),
        Mutant(readings_not_noted, _histories("read beside a push of unknown outcome")),
        Mutant(listings_not_noted, _histories("a city shortened after a listing")),
        Mutant(records_not_buried, _histories("unlinked by a person, and the row deleted")),
        Mutant(a_link_without_a_base_is_not_doubted, _histories("of linking a customer again")),
        Mutant(an_order_outweighs_the_log, _histories("of a link that a person ordered")),
        Mutant(tombstones_stay_with_the_key, [foretold.test_a_forgotten_customer_with_another_key_is_foretold]),
        Mutant(what_is_left_of_an_erasure_is_an_edit, _histories("denies for the name alone")),
        Mutant(
            disputes_are_stored_with_the_outcome,
            [erasures.test_an_erasure_denied_in_part_is_asked_about_whatever_crashes],
        ),
        Mutant(executed_intents_forgotten, (partial(rows.test_late_update, Nature(), Policy.PROVIDER),)),
    )
}


def _catches(mutant: Mutant) -> Iterator[str]:
    """What caught it; nothing when it lives."""
    for sequence in mutant.sequences:
        try:
            sequence()
        except (AssertionError, SafetyStop, pytest.fail.Exception) as caught:  # the last: what was to raise did not
            yield str(caught)
    if mutant.sequences:
        return
    for seed in range(SEEDS):
        if wrong := live(make(seed)):
            yield f"seed {seed}: {wrong[0]}"
            return


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_mutant_is_caught(name: str, monkeypatch: Patch) -> None:
    """This wrong implementation does not pass."""
    mutant = MUTANTS[name]
    mutant.wrong(monkeypatch)
    assert next(_catches(mutant), None) is not None, f"{name} lives"

"""The decision about one pair: facts in, one action out. `merge` decides the fields, this module everything else.

`syncd plan`, `--dry-run`, `explain` and every run decide by this one function. Its whole behaviour; the first line that
is true decides:

    a person ordered `unlink`             unlink; later while the outcome of a create of ours is unknown
    the row cannot be read                as "gone" below
    the row looks like another customer's
        its marks are not all captured    wait
        it was inserted anew              unlink with a tombstone, then look again; where the settings remove: park
    linked
        the record is gone or archived    park: no write brings a customer back
        the provider's rules refuse it    reject
        else                              exchange what `merge` says field by field, but
            its number there is fixed     review; a customer linked under another number keeps that number
            emptied, cannot be emptied    review
            looks erased at the provider  review instead of pull, and of push over placeholders
            read-only source, gutting,    review instead of pull
            another's record by its ids
            left alone as shown           keep
            swings to and fro             review, frozen
    not linked
        a person named the record         adopt; park one that is not there, archived or another customer's
        our create's answer was lost      adopt the record that holds what was sent; park where several are found, or
                                          another customer's, or one that holds nothing of what was sent, or where a
                                          look-up by our key is impossible
        the provider's rules refuse it    reject
        a question about it is open       park
        another customer has its key      park
        it was removed before             adopt where number, e-mail or VAT number agree, else park
        create = "never"                  nothing
        a record carries its key          park: never overwritten, never linked by itself
        no match report was accepted      wait
        a filter left it out before       park: its record is still there
        else                              create
    gone
        the deletion is not proven        wait
        only out of view or filter        unlink
        on_delete = "keep", or no record  unlink with a tombstone
        another customer carries its key  park
        edited there, or not ours         park; also where our lost create may have made one of several records
        else                              remove

A person's order (`create`, `keep`, `remove`) overrules the doubt it answers, never another customer's right to a key.
"""

from __future__ import annotations

from syncd.core.actions import LEFT_OUT, Action, Adopt, Create, Nothing, Park, Reject, Remove, Unlink, Wait
from syncd.core.facts import Departure, Facts
from syncd.core.guards import same_person
from syncd.core.model import CreateMode, Remote, Removal
from syncd.core.questions import in_words
from syncd.core.recognition import another, edited_there, holds_what_was_sent, recognised
from syncd.core.verdicts import exchange
from syncd.core.writes import unknown_create

SHALL_IT_GO = Park("delete_conflict", "another customer has this key now; shall the first one's record go?")
FOUND = "the provider already has a customer with this key that nobody linked"


def plan(facts: Facts) -> Action:
    """Decide what to do with one pair. Pure and total."""
    if facts.ordered == "unlink" and unknown_create(facts) is None:
        return Unlink("unlinked by a person", tombstone=False)
    if facts.source is None and facts.rejection is None:
        left = facts.departure is Departure.OUT_OF_SCOPE
        return Wait("unread") if left and facts.unread else _departed(facts)
    if facts.unread:
        return Wait("unread")
    if facts.reborn and another(facts):
        return _succeeded(facts)
    if facts.link is not None and facts.link.external_id is not None:
        return _linked(facts)
    return _unlinked(facts)


def _linked(facts: Facts) -> Action:
    if facts.remote is None:
        return Park("remote_gone", "the provider no longer has this customer")
    if facts.remote.archived:
        return Park("remote_archived", "somebody archived or anonymised this customer at the provider")
    if facts.rejection is not None:
        return Reject(*facts.rejection)
    return exchange(facts)


def _unlinked(facts: Facts) -> Action:
    ours = tuple(remote for remote in facts.found if remote.external_id not in facts.claimed)
    if facts.ordered == "link":
        return _link_ordered(facts, ours)
    if unknown_create(facts) is not None:
        found = _lost_create(facts, ours)
        if found is not None:
            return found
    if facts.rejection is not None:
        return Reject(*facts.rejection)
    if facts.held is not None and not facts.create_anyway:
        return Park(*facts.held)
    if facts.holder is not None:
        return Park("key_taken", "another customer already has this key at the provider", void=facts.create_anyway)
    if facts.buried and not facts.create_anyway:
        return _came_back(facts, ours)
    if facts.rules.create is CreateMode.NEVER and not facts.create_anyway:
        return Nothing("excluded")
    if facts.found:
        return Park("found", FOUND, void=facts.create_anyway)
    if not facts.rules.adopted and not facts.create_anyway:
        return Wait("adopt")
    if facts.left_out and not facts.create_anyway:
        return Park("came_back", "a filter left this customer out before; no record with its present number is there")
    return Create(facts.source or {})


def _lost_create(facts: Facts, ours: tuple[Remote, ...]) -> Action | None:
    """The action after a create whose answer was lost; None where the create was proven not to have happened, or where
    a person ordered another create. Where several records are found, none is created. A person orders one create: where
    its answer is lost too and no look-up is possible, the person is asked again."""
    if len(facts.found) > 1 or len(ours) != len(facts.found):
        return Park("ambiguous", "several remotes carry this customer's key", void=facts.create_anyway)
    if ours and not recognised(facts, ours[0]):
        why = "a record with this customer's key appeared that holds nothing of what was sent"
        return Park("found", why, void=facts.create_anyway)
    if ours:
        return Adopt(ours[0], own=True)
    if not facts.rules.repeatable and (facts.tried or not facts.create_anyway):
        return Park("unknown_create", "a create was lost and cannot be looked up by our key", void=facts.tried)
    return None


def _link_ordered(facts: Facts, ours: tuple[Remote, ...]) -> Action:
    """Link the record that a person named. The record must exist, be in use, and be linked to no other customer. Where
    our lost create made the record, the base is what that create sent."""
    if len(ours) != 1:
        return Park("ambiguous", "the record to be linked is not there, or is linked to another customer", void=True)
    if ours[0].archived:
        return Park("remote_archived", "the record to be linked is archived or anonymised", void=True)
    if facts.outdated:
        return Park("ambiguous", in_words([ours[0].external_id], ["not-as-reported-any-more"], "doubtful"), void=True)
    return Adopt(ours[0], own=unknown_create(facts) is not None and recognised(facts, ours[0]))


def _came_back(facts: Facts, ours: tuple[Remote, ...]) -> Action:
    """A removed customer is in the source again. The record with the tombstone is linked again, where number, e-mail or
    VAT number show the same person; the number may be another customer's by now."""
    known = len(ours) == 1 and len(facts.found) == 1 and ours[0].external_id in facts.under_tombstone
    if known and same_person(facts.source or {}, ours[0].values):
        return Adopt(ours[0], own=False)
    return Park("came_back", "this customer was removed before and is here again")


def _departed(facts: Facts) -> Action:
    if facts.departure is Departure.EMPTY:
        return Wait("empty")
    if facts.departure is Departure.BACK:
        return Wait("back")
    if facts.departure is Departure.UNPROVEN:
        linked = facts.link is not None and facts.link.external_id is not None
        return Wait("absent") if linked or facts.intents else Unlink("not in the source", tombstone=False)
    if facts.departure is Departure.OUT_OF_SCOPE:
        return Unlink(LEFT_OUT, tombstone=False, guarded=True)
    remote = _last_record(facts)
    doubt = _lost_and_deleted(facts, remote)
    if doubt is not None and facts.rules.on_delete is not Removal.KEEP and facts.ordered != "keep":
        return doubt
    if facts.ordered == "keep" or facts.rules.on_delete is Removal.KEEP or remote is None or remote.archived:
        return Unlink("deleted in the source", tombstone=True)
    if facts.key_alive:
        return Park("delete_conflict", "another live customer carries this key")
    if facts.succeeded and facts.ordered != "remove":
        return SHALL_IT_GO
    if facts.ordered != "remove" and remote is not facts.remote and not recognised(facts, remote):
        return Park("delete_conflict", "deleted in the source; the record with its key holds nothing of what was sent")
    if facts.ordered != "remove" and facts.link is not None and edited_there(facts, remote):
        return Park("delete_conflict", "deleted in the source, edited at the provider")
    return Remove(remote, facts.rules.on_delete)


def _last_record(facts: Facts) -> Remote | None:
    """The record of a deleted customer: the linked one, or the one that the customer's lost create made for sure."""
    if facts.remote is not None or unknown_create(facts) is None or len(facts.found) != 1:
        return facts.remote
    sure = facts.rules.repeatable or holds_what_was_sent(facts, facts.found[0])
    return facts.found[0] if sure and facts.found[0].external_id not in facts.claimed else None


def _lost_and_deleted(facts: Facts, remote: Remote | None) -> Park | None:
    """The question about a deleted customer whose create was lost, where the record that it made is not sure."""
    if unknown_create(facts) is None:
        return None
    if len(facts.found) > 1:
        return Park("delete_conflict", "deleted in the source; several records carry its key, and one may be ours")
    if not facts.rules.repeatable and facts.ordered != "remove":
        return Park("delete_conflict", "deleted in the source; a create was lost and cannot be looked up by our key")
    if remote is None and any(each.external_id not in facts.claimed for each in facts.found):
        return Park("delete_conflict", "deleted in the source; it is not certain which record is the customer's")
    return None


def _succeeded(facts: Facts) -> Action:
    """Another customer has the key now: the link ends, and the next look treats the row as an unlinked customer. A
    person decides whether the first customer's record is removed. Example: customer 2 is deleted, then customer 1 gets
    key 2. The first customer 2 may live on under key 7."""
    match _departed(facts._replace(source=None, departure=Departure.GONE)):
        case Remove(remote, how) if facts.ordered == "remove":
            return Remove(remote, how, again=True)
        case Remove():
            return SHALL_IT_GO
        case Park() as parked:
            return parked
        case _:
            return Unlink("another customer has this key now", tombstone=True, again=True)

"""`syncd review resolve`, `link` and `unlink`: decisions of a person.

A decision writes neither to a provider nor to the source. The state keeps it on the review item, the pair becomes due,
and the next look of any process acts on it. So a decision never races a running daemon.

What each decision means to the next look:

    take source|provider   that side's value wins, if both sides still hold what was shown; in a delete conflict
                           `source` removes the record, and `provider` keeps the record and ends the link
    link X                 the customer is record X; nothing is created, and fields are compared without a base
    create                 a new record is created in spite of the doubt
    ignore                 both sides stay as they are; a pair is not looked at again until it is linked or changes back
    release                the guard lets exactly the operations pass that this number of the item showed
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from syncd.core.model import Pair
from syncd.core.questions import FIELD_KINDS, HELD_KINDS, offer_in
from syncd.detect import intake_guard as threshold
from syncd.errors import UsageError
from syncd.log import customer
from syncd.reconcile.held import GUARD, INSERT, release
from syncd.source import changelog
from syncd.source.database import Source
from syncd.store import mapping, progress, review, work
from syncd.store.database import State, Transaction
from syncd.store.review import LINK, RENEWED, Review

PERSON = "person"
LINK_WORD = LINK[:-1]
UNWRITTEN = ("read_only", "no_row")  # the source cannot take the provider's value
ONE_WAY = ("renumbered", "cannot_clear")  # the provider cannot take the source's value
TAKES = ("take:source", "take:provider")
CREATABLE = ("remote_gone", "unknown_create", "came_back", "candidate", "ambiguous")
LINKABLE = (*CREATABLE, "remote_archived", "found", "taken", "key_taken")
ROWS = 200
AT_ONCE = ("twice", "not_inserted")  # `ignore` closes the item at once, without a look
_TYPED = {"take:source": "--take source", "take:provider": "--take provider", "link": "--link EXTERNAL_ID"}


def allowed(kind: str, *, writable: bool = True) -> tuple[str, ...]:
    """The decisions that an item of this kind takes; `writable`: whether the source may be written."""
    if kind in ONE_WAY:
        return ("take:provider", "ignore") if writable else ("ignore",)
    if kind in FIELD_KINDS:
        return (*TAKES, "ignore") if writable and kind not in UNWRITTEN else ("take:source", "ignore")
    if kind == "delete_conflict":
        return TAKES
    if kind.startswith(GUARD):
        return ("release",)
    if kind in CREATABLE:
        return ("link", "create", "ignore")
    if kind in AT_ONCE:
        return ("ignore",)
    return ("link", "ignore") if kind in LINKABLE else ()


def typed(kind: str, *, writable: bool = True) -> list[str]:
    """The decisions that an item of this kind takes, as options on the command line."""
    return [_TYPED.get(word, f"--{word}") for word in allowed(kind, writable=writable)]


def item(state: State, number: int) -> Review:
    """An open item by its number, or by a former number, from when less was held back. Raises `UsageError` for a closed
    or unknown item."""
    with state.read() as tx:
        found = review.review(tx, number)
    if found is None:
        raise UsageError(f"there is no review item {number}.", remedy="syncd review list")
    if found.closed_at is not None and found.decision != RENEWED:
        raise UsageError(f"item {number} is closed ({found.decision}).", remedy="syncd review list")
    return found


def check(found: Review, decision: str, *, writable: bool = True) -> None:
    """Raise `UsageError` for a decision that cannot be carried out; its text names the possible ones."""
    if _word(decision) in allowed(found.kind, writable=writable):
        return
    words = typed(found.kind, writable=writable)
    remedy = f"syncd review resolve {found.id} {words[0]}" if words else "syncd review list"
    if found.kind == "adopt":
        raise UsageError("a match report decides here.", remedy=f"syncd match {found.provider}")
    if not words:
        raise UsageError(
            f"item {found.id} ({found.kind}) closes by itself when its reason is gone.",
            remedy=f"syncd review show {found.id}",
        )
    if _word(decision) in allowed("conflict" if found.kind in UNWRITTEN else found.kind):
        why = "the customer has no such joined row" if found.kind == "no_row" else "write = false, or a view"
        raise UsageError(
            f"item {found.id} ({found.kind}) stays open: the source may not be written ({why}), so"
            " the provider's value cannot come here.",
            remedy=remedy,
        )
    raise UsageError(f"item {found.id} ({found.kind}) can be resolved with {', '.join(words)}.", remedy=remedy)


def _word(decision: str) -> str:
    return LINK_WORD if decision.startswith(LINK) else decision


def decide(state: State, found: Review, decision: str, now: datetime, *, writable: bool = True) -> int:
    """Store the decision and make its pairs due; answers how many."""
    check(found, decision, writable=writable)
    with state.begin() as tx:
        return _decide(tx, found, decision, now)


def _decide(tx: Transaction, found: Review, decision: str, now: datetime) -> int:
    if decision == "release":
        return _release(tx, found, now)
    if decision.startswith(LINK):
        _free(tx, found.provider, found.customer_key, decision.removeprefix(LINK))
    if not review.decide(tx, found.id, decision, now):
        raise UsageError(f"item {found.id} was closed meanwhile.", remedy="syncd review list")
    if found.kind in AT_ONCE:
        review.conclude(tx, found.id, decision, now)
        return 0
    pair = Pair(found.provider, found.customer_key)
    return work.mark(tx, [pair], _reason(found.kind, decision), now)


# -- many at once --------------------------------------------------------------------------------------------------


@dataclass
class Resolved:
    """What one decision about many items did: how many items it decided, how many pairs are due now, and how many items
    were left alone."""

    items: int = 0
    due: int = 0
    skipped: int = 0


def waiting(state: State, provider: str, kind: str) -> list[Review]:
    """The open and undecided items of one kind at one provider."""
    with state.read() as tx:
        return [item for item in review.reviews(tx, provider=provider) if item.kind == kind and not item.decision]


def decide_all(state: State, shown: Sequence[Review], decision: str, now: datetime) -> Resolved:
    """Decide each of these items alike, as they were shown. An item that has been closed or decided since, or shows
    other values now, is left alone; with `link`, also an item that does not name exactly one unlinked record."""
    done = Resolved()
    for start in range(0, len(shown), ROWS):
        with state.begin() as tx:
            for found in shown[start : start + ROWS]:
                _decide_shown(tx, found, decision, now, done)
            if decision == LINK_WORD and done.items:
                list_anew(tx, shown[0].provider)
    return done


def list_anew(tx: Transaction, provider: str) -> None:
    """Make the next scan of this provider a complete listing, so that many records to be linked need not be fetched one
    by one."""
    for name in (f"scan:{provider}", f"scan:{provider}:at"):
        progress.set_cursor(tx, name, "")


def _decide_shown(tx: Transaction, found: Review, decision: str, now: datetime, done: Resolved) -> None:
    current = review.review(tx, found.id)
    renewed = current is not None and current.decision == RENEWED and decision == "release"
    standing = current is not None and (renewed or (current.closed_at is None and not current.decision))
    if current is None or not standing or dict(current.fields) != dict(found.fields):
        done.skipped += 1
        return
    if decision == LINK_WORD:
        ids = offer_in(current.reason).ids
        holder = mapping.by_external_id(tx, current.provider, ids).get(ids[0]) if len(ids) == 1 else None
        if len(ids) != 1 or (holder is not None and holder.pair.key != current.customer_key):
            done.skipped += 1
            return
        decision = LINK + ids[0]
    done.due += _decide(tx, current, decision, now)
    done.items += 1


def _reason(kind: str, decision: str) -> str:
    """The reason of the pair's mark: a link is an adoption, and a delete conflict was opened on proof of a deletion."""
    if decision.startswith(LINK):
        return "adopted"
    return "deleted" if kind == "delete_conflict" else PERSON


def _release(tx: Transaction, found: Review, now: datetime) -> int:
    current = review.review(tx, found.id)
    if current is None or (current.closed_at is not None and current.decision != RENEWED):
        raise UsageError(f"item {found.id} was closed meanwhile.", remedy="syncd review list")
    return threshold.release(tx, current, now) if current.kind == INSERT else release(tx, current, now)


def certain(state: State, source: Source, key: str, *, gone: bool = False) -> None:
    """Raise `UsageError` where the change log holds an unread change of this key's owner: the operator may mean the
    present owner, or the customer that syncd still shows under the key. With `gone`, a key is accepted whose row was
    deleted and that no other row has.

    Example: customers 1 and 2 swapped their keys a second ago. "Link 1" would link the customer who has key 2 now.
    """
    if not changelog.is_there(source) or not changelog.mentions(source, [key]):
        return
    with state.read() as tx:
        known = mapping.is_taken(tx, key)
    if (known and not gone) or changelog.mentions(source, [key], moved=True):
        raise UsageError(
            f"the key {customer(key)} changed hands in the source, and no run has read this change yet; nothing was"
            " ordered. A daemon reads it within seconds.",
            remedy="syncd run-once",
        )


def order_link(state: State, pair: Pair, external_id: str, now: datetime) -> None:
    """Order that the next look links this customer to a record, if the record exists and is linked to no other
    customer. Raises `UsageError` where either is linked already."""
    with state.begin() as tx:
        link = mapping.read(tx, pair)
        if link is not None and link.external_id == external_id:
            raise UsageError(
                f"{pair.key} is linked to {external_id} at {pair.provider} already.",
                remedy=f"syncd explain {shlex.quote(pair.key)}",
            )
        if link is not None and link.external_id is not None:
            raise UsageError(
                f"{pair.key} is linked to {link.external_id} at {pair.provider}.",
                remedy=f"syncd unlink {pair.provider} {shlex.quote(pair.key)}",
            )
        _free(tx, pair.provider, pair.key, external_id)
        offer(tx, pair, external_id, "linked by hand", now)


def offer(tx: Transaction, pair: Pair, external_id: str, reason: str, now: datetime) -> None:
    """Store an order to link, which the next look carries out without a question."""
    review.revoke_left_alone(tx, pair.provider, pair.key, now)
    review.close_reviews(tx, pair.provider, pair.key, HELD_KINDS, now, "link")
    number = review.open_review(tx, pair.provider, pair.key, "candidate", {}, reason, now)
    review.decide(tx, number, LINK + external_id, now)
    work.mark(tx, [pair], "adopted", now)


def order_unlink(state: State, pair: Pair, now: datetime) -> str:
    """Order that the next look unlinks this customer; customer and record are then left alone until a person links
    them. Answers the external id."""
    with state.begin() as tx:
        link = mapping.read(tx, pair)
        if link is None or link.external_id is None:
            raise UsageError(f"{pair.key} is not linked at {pair.provider}.", remedy=f"syncd explain {pair.key}")
        review.close_reviews(tx, pair.provider, pair.key, None, now, "unlinked")
        number = review.open_review(tx, pair.provider, pair.key, "unlinked", {}, "unlinked by a person", now)
        review.decide(tx, number, "unlink", now)
        work.mark(tx, [pair], PERSON, now)
        return link.external_id


def _free(tx: Transaction, provider: str, key: str, external_id: str) -> None:
    holder = mapping.by_external_id(tx, provider, [external_id]).get(external_id)
    if holder is not None and holder.pair.key != key:
        raise UsageError(
            f"{external_id} is linked to customer {customer(holder.pair.key)} at {provider}.",
            remedy=f"syncd unlink {provider} {customer(holder.pair.key)}",
        )

"""The review items of staged operations: one open item per guard and provider. Its number stands for exactly the
operations that it shows.

When more operations are staged, the item gets a new number, and the old number still stands for what it showed.
Example: item 7 shows 12 deletions, then 3 more are staged and the item becomes 8. A release of 7 lets the 12 pass and
no others. `work.shown` holds the first number under which an operation was shown.
"""

from __future__ import annotations

from datetime import datetime

from syncd.core.guards import GRANTED, STAGED
from syncd.store import review, waiting
from syncd.store.database import Transaction
from syncd.store.review import Review

GUARD = "guard_"
INSERT = "guard_insert"  # new rows are no due pairs: `detect.intake_guard` keeps this item


def announce(tx: Transaction, provider: str, kind: str, reason: str, now: datetime) -> None:
    """Open the review item that stands for many pairs; `recount` brings its count up to date once a run."""
    if standing(tx, provider, kind) is None:
        number = review.open_review(tx, provider, "", kind, {}, reason, now)
        if kind.startswith(GUARD):
            waiting.show(tx, provider, _class(kind), number)


def recount(tx: Transaction, provider: str, now: datetime) -> None:
    """Bring the counts of items that stand for many pairs up to date, and close items whose reason is gone."""
    for item in review.reviews(tx, provider=provider, key=""):
        if item.kind == "adopt" or (item.kind.startswith(GUARD) and item.kind != INSERT):
            _recount(tx, item, now)


def _recount(tx: Transaction, item: Review, now: datetime) -> None:
    count = waiting.count_class(tx, item.provider, _class(item.kind))
    if count == 0:
        close(tx, item.provider, item.kind, now, "settled")
    elif item.kind.startswith(GUARD) and waiting.count_class(tx, item.provider, _class(item.kind), shown=0):
        number = review.renew(tx, item, count, {}, now)
        waiting.show(tx, item.provider, _class(item.kind), number)
    elif count != item.count:
        review.open_review(tx, item.provider, "", item.kind, {}, item.reason, now, count=count)


def release(tx: Transaction, found: Review, now: datetime) -> int:
    """Release the operations that this item's number showed and that are still staged; later ones go on waiting under
    another number."""
    waits = _class(found.kind)
    released = waiting.release(tx, found.provider, waits, GRANTED + found.kind.removeprefix(GUARD), now, shown=found.id)
    review.conclude(tx, found.id, "release", now)
    if waiting.count_class(tx, found.provider, waits):
        announce(tx, found.provider, found.kind, found.reason, now)
    rest = standing(tx, found.provider, found.kind)
    if rest is not None:
        _recount(tx, rest, now)
    else:
        close(tx, found.provider, found.kind, now, "release")
    return released


def close(tx: Transaction, provider: str, kind: str, now: datetime, word: str) -> None:
    """Close the item and delete its former numbers: no operation is staged any more."""
    review.close_reviews(tx, provider, "", [kind], now, word)
    review.drop_renewed(tx, provider, kind)


def standing(tx: Transaction, provider: str, kind: str) -> Review | None:
    """The open item of this kind that stands for many pairs."""
    return next((item for item in review.reviews(tx, provider=provider, key="") if item.kind == kind), None)


def _class(kind: str) -> str:
    return STAGED + kind.removeprefix(GUARD) if kind.startswith(GUARD) else kind

"""What a person decides about a review item, and what that changes in the state at once.

A decision never writes to a provider or to the source: it is kept beside what the person saw, the pair becomes due, and
the next look acts on it, wherever it runs. So deciding works beside a running daemon.
"""

from __future__ import annotations

from datetime import datetime

from syncd.core.model import Pair
from syncd.errors import UsageError
from syncd.reconcile.outcome import FIELD_KINDS
from syncd.store import review, work
from syncd.store.database import State
from syncd.store.review import Review

PERSON = "person"
TAKES = ("take:source", "take:provider")
CREATABLE = (
    "remote_gone",
    "remote_archived",
    "ambiguous",
    "unknown_create",
    "came_back",
    "found",
    "taken",
    "candidate",
)
LINKABLE = (*CREATABLE, "key_taken")
GUARD = "guard_"


def allowed(kind: str) -> tuple[str, ...]:
    """The decisions that an item of this kind takes."""
    if kind in FIELD_KINDS:
        return (*TAKES, "ignore")
    if kind == "delete_conflict":
        return TAKES
    if kind.startswith(GUARD):
        return ("release",)
    if kind in CREATABLE:
        return ("create", "link", "ignore")
    return ("link", "ignore") if kind in LINKABLE else ()


def words(kind: str) -> str:
    """The same as a person types them."""
    typed = {"take:source": "--take source", "take:provider": "--take provider", "link": "--link EXTERNAL_ID"}
    return ", ".join(typed.get(word, f"--{word}") for word in allowed(kind))


def item(state: State, number: int) -> Review:
    """An open item by its number. Raises `UsageError` for one that is closed or was never opened."""
    with state.read() as tx:
        found = review.review(tx, number)
    if found is None:
        raise UsageError(f"there is no review item {number}.", remedy="syncd review list")
    if found.closed_at is not None:
        raise UsageError(f"item {number} is closed ({found.decision}).", remedy="syncd review list")
    return found


def check(found: Review, decision: str) -> None:
    """Refuse a decision that an item of this kind cannot take, naming those that it can."""
    if decision in allowed(found.kind):
        return
    if found.kind == "adopt":
        raise UsageError("a match report decides here.", remedy=f"syncd match {found.provider}")
    remedy = f"syncd review resolve {found.id} {words(found.kind).split(', ')[0]}"
    raise UsageError(f"item {found.id} ({found.kind}) can be resolved with {words(found.kind)}.", remedy=remedy)


def decide(state: State, found: Review, decision: str, now: datetime) -> None:
    """Keep the decision and make the pair due: the next look acts on it if the values are still those shown."""
    check(found, decision)
    with state.begin() as tx:
        review.decide(tx, found.id, decision, now)
        work.mark(tx, [Pair(found.provider, found.customer_key)], PERSON, now)

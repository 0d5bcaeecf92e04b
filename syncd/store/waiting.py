"""Due pairs that wait for a person, by error class: for `adopt`, or for the release of a guard. Which pairs a review
item has shown, and how a person releases them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from syncd.core.effects import Later
from syncd.core.guards import ACCEPTED
from syncd.core.model import Pair, Verb, Work
from syncd.store.schema import ADOPTED, BACKFILL, DELETED, Transaction, intent, mapping
from syncd.store.schema import work as table
from syncd.store.work import is_pair, next_generation, postpone


def stage(tx: Transaction, work: Work, due_at: datetime, error_class: str, fields: Sequence[str]) -> bool:
    """Hold a pair's operation back behind a guard, under `error_class`. An operation that a review item has shown
    counts as shown as long as no field is added to it; any other operation counts as new."""
    known = work.error_class == error_class and set(fields) <= set(work.error.split(","))
    if not postpone(tx, [(work, Later(due_at, work.attempts, error_class, ",".join(fields)))]):
        return False
    if not known:
        tx.execute(table.update().where(*is_pair(work.pair)).values(shown=0))
    return True


def show(tx: Transaction, provider: str, error_class: str, item: int) -> None:
    """Note that this review item shows the operations that no item has shown before."""
    chosen = (table.c.provider == provider, table.c.error_class == error_class, table.c.shown == 0)
    tx.execute(table.update().where(*chosen).values(shown=item))


def release(
    tx: Transaction, provider: str, error_class: str, granted: str, now: datetime, shown: int | None = None
) -> int:
    """Make the pairs under `error_class` due now, with the class `granted`; answers how many. With `shown`, only pairs
    that this review item or an older one has shown.

    A new generation keeps a worker that holds one of these pairs from putting it off again. Pairs that waited for
    `adopt` belong to the first pass: their creates were approved with it.
    """
    values: dict[str, Any] = {"error_class": granted, "due_at": now, "generation": next_generation(tx)}
    if error_class == "adopt":
        values["reason"] = sa.case((table.c.reason.in_([ADOPTED, DELETED]), table.c.reason), else_=BACKFILL)
    chosen = [table.c.provider == provider, table.c.error_class == error_class]
    if shown is not None:
        chosen.append(table.c.shown.between(1, shown))
    return tx.execute(table.update().where(*chosen).values(**values)).rowcount


def deletions(tx: Transaction, provider: str, now: datetime) -> list[str]:
    """Keys of linked customers whose deletion is due: a trigger saw the row deleted, a second look will prove it, or
    the guard holds the operation back. A removal under way is counted already, and left out."""
    removing = sa.exists().where(
        intent.c.provider == table.c.provider,
        intent.c.customer_key == table.c.customer_key,
        intent.c.verb == Verb.REMOVE.value,
    )
    gone = sa.and_(table.c.due_at <= now, sa.or_(table.c.reason == DELETED, table.c.error_class == "absent"))
    query = (
        sa.select(table.c.customer_key)
        .join(mapping, sa.and_(mapping.c.provider == table.c.provider, mapping.c.customer_key == table.c.customer_key))
        .where(table.c.provider == provider, mapping.c.external_id.is_not(None), ~removing)
        .where(sa.or_(gone, table.c.error_class == "staged:delete"))
    )
    return list(tx.execute(query).scalars())


def linked_due(tx: Transaction, provider: str, now: datetime) -> list[str]:
    """Keys of linked customers that a filter may exclude: due for another reason than a deletion, or with an unlinking
    that a guard holds back."""
    due = sa.and_(table.c.due_at <= now, table.c.reason != DELETED)
    query = (
        sa.select(table.c.customer_key)
        .join(mapping, sa.and_(mapping.c.provider == table.c.provider, mapping.c.customer_key == table.c.customer_key))
        .where(table.c.provider == provider, mapping.c.external_id.is_not(None))
        .where(sa.or_(due, table.c.error_class == "staged:unlink"))
    )
    return list(tx.execute(query).scalars())


def accept(tx: Transaction, pair: Pair, fields: Sequence[str]) -> None:
    """Note on a due pair that a person accepted these fields with a match report."""
    values = {"error_class": ACCEPTED, "error": ",".join(fields)}
    tx.execute(table.update().where(*is_pair(pair)).values(**values))


def accept_creates(tx: Transaction, provider: str, keys: Sequence[str]) -> None:
    """Note on due pairs without an error class that a person accepted their creates with a match report."""
    chosen = (table.c.provider == provider, table.c.customer_key.in_(keys), table.c.error_class == "")
    tx.execute(table.update().where(*chosen).values(error_class=ACCEPTED, error=""))


def count_to_be_linked(tx: Transaction, provider: str) -> int:
    """How many due pairs of a provider a person ordered to be linked and are not linked yet."""
    return int(tx.execute(_TO_BE_LINKED, {"of_provider": provider}).scalar_one())


_LINKED = sa.exists().where(
    mapping.c.provider == table.c.provider,
    mapping.c.customer_key == table.c.customer_key,
    mapping.c.external_id.is_not(None),
)
_TO_BE_LINKED = (
    sa.select(sa.func.count())
    .select_from(table)
    .where(table.c.provider == sa.bindparam("of_provider"), table.c.reason == ADOPTED, ~_LINKED)
)


def count_class(tx: Transaction, provider: str, error_class: str, shown: int | None = None) -> int:
    """How many due pairs of a provider have this error class; with `shown`, only pairs that this review item was the
    first to show (0: no item yet)."""
    chosen = [table.c.provider == provider, table.c.error_class == error_class]
    if shown is not None:
        chosen.append(table.c.shown == shown)
    return int(tx.execute(sa.select(sa.func.count()).select_from(table).where(*chosen)).scalar_one())

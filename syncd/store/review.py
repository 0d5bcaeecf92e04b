"""Review items: one open item per provider, customer and kind. An item waits for a person, and a look closes it once
its reason is gone.

A decision is about the values that the person saw: when the digests of an open item change, the decision is void.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa

from syncd.core.questions import HELD_KINDS, offer_in
from syncd.store.schema import Transaction, digests, field_names
from syncd.store.schema import review as table

CHUNK = 500
RENEWED = "renewed"
LINK = "link:"  # a decision, before the external id of a record
LEAVE = ("ignore", "unlink")
"""Decisions that outlive their item: the customer is left alone until a person decides otherwise."""


_CLOSE = (
    table.update()
    .where(
        table.c.provider == sa.bindparam("of_provider"),
        table.c.customer_key == sa.bindparam("of_key"),
        table.c.closed_at.is_(None),
    )
    .values(
        closed_at=sa.bindparam("now"),
        decision=sa.case((table.c.decision == "", sa.bindparam("word")), else_=table.c.decision),
    )
)
_MINE = (
    table.c.provider == sa.bindparam("of_provider"),
    table.c.customer_key.in_(sa.bindparam("chosen", expanding=True)),
)
_COUNTING = (
    sa.select(table)
    .where(*_MINE, sa.or_(table.c.closed_at.is_(None), table.c.decision.in_(LEAVE)))
    .order_by(table.c.id)
)
_STANDING = sa.select(table.c.id, table.c.customer_key, table.c.kind, table.c.decision).where(
    *_MINE, table.c.closed_at.is_(None)
)
_LAST = sa.select(table.c.customer_key, table.c.kind, table.c.decision).where(
    table.c.id.in_(sa.select(sa.func.max(table.c.id)).where(*_MINE).group_by(table.c.customer_key, table.c.kind))
)
_SETTLE = (
    table.update()
    .where(table.c.id.in_(sa.bindparam("chosen", expanding=True)))
    .values(
        closed_at=sa.bindparam("now"), decision=sa.case((table.c.decision == "", "settled"), else_=table.c.decision)
    )
)
_ASK = table.insert().returning(table.c.id)
_ASKED = (
    sa.select(table.c.id, table.c.fields)
    .where(
        table.c.provider == sa.bindparam("of_provider"),
        table.c.customer_key == sa.bindparam("of_key"),
        table.c.kind == sa.bindparam("of_kind"),
        table.c.closed_at.is_(None),
    )
    .order_by(table.c.id)
    .limit(1)
)
_CLOSE_KINDS = _CLOSE.where(table.c.kind.in_(sa.bindparam("kinds", expanding=True)))


@dataclass(frozen=True, slots=True)
class Review:
    """One item.

    `fields` maps a field to the digests of both sides as shown (None: unknown). `customer_key` is "" where the item
    stands for many customers (a tripped guard, a match report); `count` says for how many.
    """

    id: int
    kind: str
    provider: str
    customer_key: str
    fields: Mapping[str, Sequence[str | None]]
    reason: str
    opened_at: datetime
    closed_at: datetime | None
    decision: str
    count: int
    decided_at: datetime | None = None


def open_review(  # noqa: PLR0913, PLR0917  (one argument a column)
    tx: Transaction,
    provider: str,
    key: str,
    kind: str,
    fields: Mapping[str, Sequence[str | None]],
    reason: str,
    now: datetime,
    count: int = 1,
    *,
    void: bool = False,
) -> int:
    """Ask a person; answers the item's number, which stays while the item is open.

    Where the item is open already, reason and count are renewed. A decision becomes void where the digests are others
    now, or where `void` says that the decision cannot be carried out.
    """
    field_names(fields)
    digests(digest for seen in fields.values() for digest in seen)
    asked = {name: list(seen) for name, seen in sorted(fields.items())}
    same = {"of_provider": provider, "of_key": key, "of_kind": kind}
    found = tx.execute(_ASKED, same).one_or_none()
    values: dict[str, Any] = {"fields": asked, "reason": reason, "count": count}
    if found is None:
        values |= {"kind": kind, "provider": provider, "customer_key": key, "opened_at": now, "decision": ""}
        return int(tx.execute(_ASK, values).scalar_one())
    if void or found.fields != asked:
        values |= {"decision": "", "decided_at": None}
    tx.execute(table.update().where(table.c.id == found.id).values(**values))
    return int(found.id)


def renew(tx: Transaction, item: Review, count: int, fields: Mapping[str, Sequence[str | None]], now: datetime) -> int:
    """Ask the same question under a new number, because it is about more than before. The old number keeps what it
    showed. Answers the new number."""
    digests(digest for seen in fields.values() for digest in seen)
    tx.execute(table.update().where(table.c.id == item.id).values(closed_at=now, decision=RENEWED))
    values: dict[str, Any] = {
        "kind": item.kind,
        "provider": item.provider,
        "customer_key": item.customer_key,
        "fields": {name: list(seen) for name, seen in sorted(fields.items())},
        "reason": item.reason,
        "opened_at": item.opened_at,
        "decision": "",
        "count": count,
    }
    return int(tx.execute(_ASK, values).scalar_one())


def conclude(tx: Transaction, review_id: int, decision: str, now: datetime) -> None:
    """Close one item, or a former number of one, with what a person decided."""
    tx.execute(table.update().where(table.c.id == review_id).values(closed_at=now, decision=decision, decided_at=now))


def drop_renewed(tx: Transaction, provider: str, kind: str) -> None:
    """Delete the former numbers of a closed item, so that no person releases anything by them."""
    same = (table.c.provider == provider, table.c.customer_key == "", table.c.kind == kind)
    tx.execute(table.delete().where(*same, table.c.decision == RENEWED))


def close_reviews(
    tx: Transaction, provider: str, key: str, kinds: Collection[str] | None, now: datetime, decision: str
) -> int:
    """Close the open items of a pair, or the items of these kinds; answers how many. A person's decision stays; an
    undecided item gets `decision`."""
    row = {"of_provider": provider, "of_key": key, "word": decision, "now": now}
    if kinds is None:
        return tx.execute(_CLOSE, row).rowcount
    return tx.execute(_CLOSE_KINDS, row | {"kinds": list(kinds)}).rowcount


def reviews(
    tx: Transaction, *, open_only: bool = True, provider: str | None = None, key: str | None = None
) -> list[Review]:
    """Items by number; `key=""` asks for items that stand for many customers."""
    asked = {"of_provider": provider, "of_key": key}
    names = frozenset(name for name, value in asked.items() if value is not None)
    return [_review(row) for row in tx.execute(_listing(names, open_only=open_only), asked).mappings()]


@cache
def _listing(names: frozenset[str], *, open_only: bool) -> sa.Select[Any]:
    conditions = {
        "of_provider": table.c.provider == sa.bindparam("of_provider"),
        "of_key": table.c.customer_key == sa.bindparam("of_key"),
    }
    chosen = [condition for name, condition in conditions.items() if name in names]
    chosen += [table.c.closed_at.is_(None)] if open_only else []
    return sa.select(table).where(*chosen).order_by(table.c.id)


def reviews_of(tx: Transaction, provider: str, keys: Sequence[str]) -> dict[str, list[Review]]:
    """The items that count for these customers at one provider, by key: open items, and items decided by `LEAVE`."""
    found: dict[str, list[Review]] = {}
    for start in range(0, len(keys), CHUNK):
        asked = {"of_provider": provider, "chosen": list(keys[start : start + CHUNK])}
        for row in tx.execute(_COUNTING, asked).mappings():
            found.setdefault(row["customer_key"], []).append(_review(row))
    return found


def left_alone(tx: Transaction, provider: str, keys: Sequence[str]) -> dict[str, set[str]]:
    """By customer, the kinds whose last item, open or closed, a person decided by `LEAVE`."""
    kinds: dict[str, set[str]] = {}
    for row in tx.execute(_LAST, {"of_provider": provider, "chosen": list(keys)}) if keys else ():
        if row.decision in LEAVE:
            kinds.setdefault(row.customer_key, set()).add(row.kind)
    return kinds


def close_standing(
    tx: Transaction, provider: str, closing: Mapping[str, Collection[str]], now: datetime
) -> list[tuple[str, str]]:
    """Close the open items of these kinds, by customer: their reason is gone. A person's decision stays. Answers the
    (customer, external id) pairs whose link a person ordered by one of these items."""
    found = tx.execute(_STANDING, {"of_provider": provider, "chosen": list(closing)}).all() if closing else []
    over = [row for row in found if row.kind in closing[row.customer_key]]
    if over:
        tx.execute(_SETTLE, {"chosen": [row.id for row in over], "now": now})
    ordered = [row for row in over if row.decision.startswith(LINK)]
    return [(row.customer_key, row.decision.removeprefix(LINK)) for row in ordered]


def ignored(tx: Transaction, provider: str, key: str, kind: str) -> bool:
    """Whether a person decided the last item of this kind, open or closed, by `LEAVE`."""
    same = (table.c.provider == provider, table.c.customer_key == key, table.c.kind == kind)
    last = sa.select(table.c.decision).where(*same).order_by(table.c.id.desc()).limit(1)
    return tx.execute(last).scalar_one_or_none() in LEAVE


def revoke_left_alone(tx: Transaction, provider: str, key: str, now: datetime) -> int:
    """Revoke the decisions to leave this customer alone: a person wants the customer to be looked at again."""
    same = (table.c.provider == provider, table.c.customer_key == key, table.c.decision.in_(LEAVE))
    closed = sa.func.coalesce(table.c.closed_at, now)
    return tx.execute(table.update().where(*same).values(decision="revoked", closed_at=closed)).rowcount


def decided(tx: Transaction) -> list[Review]:
    """Open items with a decision on which no look has acted yet, by number."""
    query = sa.select(table).where(table.c.closed_at.is_(None), table.c.decision > "").order_by(table.c.id)
    return [_review(row) for row in tx.execute(query).mappings()]


def ordered_links(tx: Transaction, provider: str) -> dict[str, str]:
    """The customers that a person ordered to be linked, by the external id of the record."""
    query = sa.select(table.c.decision, table.c.customer_key).where(
        table.c.provider == provider, table.c.closed_at.is_(None), table.c.decision.startswith(LINK, autoescape=True)
    )
    return {decision.removeprefix(LINK): key for decision, key in tx.execute(query)}


def ordered_or_offered(tx: Transaction, provider: str) -> set[str]:
    """The external ids of records that a person ordered to be linked, or that an undecided question of a match report
    offers."""
    asked = (table.c.kind.in_(HELD_KINDS), table.c.closed_at.is_(None), table.c.decision == "")
    query = sa.select(table.c.reason).where(table.c.provider == provider, *asked)
    offers = map(offer_in, tx.execute(query).scalars())
    return {id_ for offer in offers if offer.how for id_ in offer.ids} | set(ordered_links(tx, provider))


def review(tx: Transaction, review_id: int) -> Review | None:
    """One item, open or closed."""
    row = tx.execute(sa.select(table).where(table.c.id == review_id)).mappings().one_or_none()
    return None if row is None else _review(row)


def decide(tx: Transaction, review_id: int, decision: str, now: datetime) -> bool:
    """Store what a person decided; the item stays open until reconcile acted on it. False when it is not open."""
    chosen = (table.c.id == review_id, table.c.closed_at.is_(None))
    return tx.execute(table.update().where(*chosen).values(decision=decision, decided_at=now)).rowcount == 1


def _review(row: sa.RowMapping) -> Review:
    return Review(**dict(row) | {"fields": {name: tuple(seen) for name, seen in row["fields"].items()}})

"""The mapping: which remote is linked to which customer, and the base of each link.

Every change here also updates the counts per state in `provider_state`, in the same transaction, so that a status never
counts this table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa

from syncd.core.model import Link, Pair, State, Verb, former
from syncd.errors import AlreadyLinked
from syncd.store import work
from syncd.store.database import insert_for
from syncd.store.link_rows import to_link, to_row
from syncd.store.progress import ensure_provider
from syncd.store.schema import IS_OPEN, Transaction, digests, event, field_names, intent, provider_state, review
from syncd.store.schema import mapping as table
from syncd.store.schema import work as due

CHUNK = 500  # keys of one IN (...)


def read(tx: Transaction, pair: Pair) -> Link | None:
    """The link of one pair."""
    return read_many(tx, pair.provider, [pair.key]).get(pair.key)


def read_many(tx: Transaction, provider: str, keys: Sequence[str]) -> dict[str, Link]:
    """The links of many customers at one provider, by customer key."""
    return {link.pair.key: link for link in _where_in(tx, provider, _BY_CUSTOMER, keys)}


def by_external_id(tx: Transaction, provider: str, ids: Sequence[str]) -> dict[str, Link]:
    """The links that hold these external ids, by external id."""
    return {str(link.external_id): link for link in _where_in(tx, provider, _BY_ID, ids)}


def by_provider_key(tx: Transaction, provider: str, keys: Sequence[str]) -> dict[str, Link]:
    """The links that hold these keys of ours at a provider, by that key."""
    return {str(link.provider_key): link for link in _where_in(tx, provider, _BY_KEY, keys)}


def of_customer(tx: Transaction, key: str) -> list[Link]:
    """All links of one customer, by provider."""
    return of_customers(tx, [key]).get(key, [])


def of_customers(tx: Transaction, keys: Sequence[str]) -> dict[str, list[Link]]:
    """All links of customers, each by provider."""
    found: dict[str, list[Link]] = {}
    for row in tx.execute(_OF_CUSTOMERS, {"chosen": list(keys)}).all() if keys else ():
        found.setdefault(row.customer_key, []).append(to_link(row))
    return found


def page(tx: Transaction, provider: str, after: str, limit: int, states: Collection[State] | None = None) -> list[Link]:
    """Up to `limit` links in the order of their keys, from behind `after` ("" begins)."""
    asked: dict[str, Any] = {"of_provider": provider, "after": after, "most": limit}
    if states is None:
        return [to_link(row) for row in tx.execute(_PAGE, asked)]
    return [to_link(row) for row in tx.execute(_PAGE_OF, asked | {"chosen": [state.value for state in states]})]


def counts(tx: Transaction) -> dict[str, dict[State, int]]:
    """Pairs per provider and state, as kept with every change."""
    return {row.provider: {state: getattr(row, f"n_{state.value}") for state in State} for row in tx.execute(_COUNTS)}


def longest_id(tx: Transaction, provider: str) -> str:
    """The longest external id of a provider's links; "" where there is none."""
    ids = sa.select(table.c.external_id).where(table.c.provider == provider, table.c.external_id.is_not(None))
    row = tx.execute(ids.order_by(sa.func.length(table.c.external_id).desc()).limit(1)).first()
    return str(row[0]) if row is not None else ""


def reserve(tx: Transaction, provider: str, keys: Mapping[str, str], now: datetime) -> dict[str, str]:
    """Reserve our keys at a provider (`keys`: by customer) before a create is sent under them.

    Answers the refused customers, each with the customer that holds the wanted key. A customer who gets a new key gives
    up the key reserved before.
    """
    claimed = {link.provider_key: link.pair.key for link in _where_in(tx, provider, _BY_KEY, list(keys.values()))}
    refused: dict[str, str] = {}
    for key, wanted in keys.items():
        holder = claimed.setdefault(wanted, key)
        if holder != key:
            refused[key] = holder
    granted = {key: wanted for key, wanted in keys.items() if key not in refused}
    known = {link.pair.key for link in _where_in(tx, provider, _BY_CUSTOMER, list(granted))}
    moved = [{"of_provider": provider, "of_key": key, "new": granted[key]} for key in granted if key in known]
    if moved:
        tx.execute(_RESERVE, moved)
    fresh = [
        Link(Pair(provider, k), granted[k], None, {}, {}, State.DUE, created_at=now) for k in granted if k not in known
    ]
    save_all(tx, fresh)
    return refused


def save(tx: Transaction, link: Link) -> None:
    """`save_all` with one row."""
    save_all(tx, [link])


def save_all(tx: Transaction, links: Sequence[Link]) -> None:
    """Write whole rows of one provider, new or not; `created_at` None keeps the old one.

    Raises `AlreadyLinked`, and has written none of them, when another customer's row holds an external id or a key at
    the provider.
    """
    if not links:
        return
    field_names(name for link in links for name in link.base)
    bases = [base for link in links for base in link.base.values()]
    digests([digest for base in bases for digest in base[:2]])
    digests([digest for base in bases for digest in base.earlier or ()])
    before = _states_unless_taken(tx, links)
    tx.execute(_saving(tx.dialect.name), [to_row(link) for link in links])
    _recount(tx, links[0].pair.provider, before, [link.state.value for link in links])


def set_state(tx: Transaction, pair: Pair, state: State) -> bool:
    """Show a pair in another state; False when it has no row."""
    mine = {"of_provider": pair.provider, "of_key": pair.key}
    before = tx.execute(_STATE, mine).scalar_one_or_none()
    if before is None:
        return False
    tx.execute(_SHOW, mine | {"new": state.value})
    _recount(tx, pair.provider, [before], [state.value])
    return True


def unlink(tx: Transaction, pair: Pair) -> bool:
    """Delete the row of a pair; its work, intents, reviews and events stay, and are the caller's concern."""
    gone = tx.execute(table.delete().where(*_is(pair)).returning(table.c.state)).scalar_one_or_none()
    _recount(tx, pair.provider, [gone] if gone is not None else [], [])
    return gone is not None


def move_key(tx: Transaction, old: str, new: str) -> None:
    """The source row changed its key: mapping, work, intents, reviews and events of all providers follow.

    Where the new key was seen first and nothing is linked to it yet, its empty row makes room. Raises `AlreadyLinked`,
    and has changed nothing, when the new key is linked at the same provider or a create for it is under way.
    """
    moving = {link.pair.provider: link for link in of_customer(tx, old)}
    standing = {link.pair.provider: link for link in of_customer(tx, new) if link.pair.provider in moving}
    creating = _creating(tx, new)
    for provider, link in standing.items():
        if link.external_id is not None or provider in creating:
            raise AlreadyLinked(link.external_id or str(link.provider_key), new)
    for link in standing.values():
        unlink(tx, link.pair)
    tx.execute(table.update().where(table.c.customer_key == old).values(customer_key=new))
    work.move_key(tx, old, new)
    _delete_double_items(tx, old, new)
    for other in (intent, review, event):
        tx.execute(other.update().where(other.c.customer_key == old).values(customer_key=new))


def is_taken(tx: Transaction, key: str) -> bool:
    """Whether this key holds a link, or a create of unknown outcome, at any provider."""
    return any(link.external_id is not None for link in of_customer(tx, key)) or bool(_creating(tx, key))


def to_former_key(tx: Transaction, key: str) -> str | None:
    """Another customer has this key now: everything that the state knows of the first owner moves to a former key,
    `2†41`.

    Answers the former key; None where the key has no first owner: no link, and no create of unknown outcome.
    """
    if not is_taken(tx, key):
        return None
    name = former(key, work.next_generation(tx))
    move_key(tx, key, name)
    return name


def forget(tx: Transaction, key: str) -> None:
    """Erase a customer from the state: links, work, intents, reviews and events. The caller leaves the tombstones."""
    for link in of_customer(tx, key):
        unlink(tx, link.pair)
    for other in (due, intent, review, event):
        tx.execute(other.delete().where(other.c.customer_key == key))


def _creating(tx: Transaction, key: str) -> set[str]:
    query = sa.select(intent.c.provider).where(
        intent.c.customer_key == key, IS_OPEN, intent.c.verb == Verb.CREATE.value
    )
    return set(tx.execute(query).scalars())


def _delete_double_items(tx: Transaction, old: str, new: str) -> None:
    """Delete open items of the new key where the old key has one of the same kind: a pair has one open item of a kind.
    A look opens the deleted item again where its reason still holds."""
    is_open = review.c.closed_at.is_(None)
    same = sa.select(review.c.provider, review.c.kind).where(review.c.customer_key == old, is_open)
    tx.execute(
        review.delete().where(
            review.c.customer_key == new, is_open, sa.tuple_(review.c.provider, review.c.kind).in_(same)
        )
    )


def _is(pair: Pair) -> tuple[sa.ColumnElement[bool], ...]:
    return table.c.provider == pair.provider, table.c.customer_key == pair.key


def _where_in(tx: Transaction, provider: str, query: sa.Select[Any], values: Sequence[str]) -> list[Link]:
    return [
        to_link(row)
        for start in range(0, len(values), CHUNK)
        for row in tx.execute(query, {"of_provider": provider, "chosen": list(values[start : start + CHUNK])}).all()
    ]


def _states_unless_taken(tx: Transaction, links: Sequence[Link]) -> list[str]:
    """The stored states of these pairs, as far as they have rows. Raises `AlreadyLinked` for an external id or a key at
    the provider that another row, or another of these links, holds.

    Writers take turns, so the answer holds until this transaction ends.
    """
    ids = {link.external_id: link.pair.key for link in reversed(links) if link.external_id is not None}
    keys = {link.provider_key: link.pair.key for link in reversed(links) if link.provider_key is not None}
    mine = {link.pair.key for link in links}
    asked = {"of_customer_key": list(mine), "of_external_id": list(ids), "of_provider_key": list(keys)}
    found = tx.execute(_SAME, asked | {"of_provider": links[0].pair.provider}).all()
    states: list[str] = []
    for key, state, external_id, provider_key in found:
        if key in mine:
            states.append(state)
        if external_id in ids:
            ids[external_id] = key
        if provider_key in keys:
            keys[provider_key] = key
    for link in links:
        for wanted, holders in ((link.external_id, ids), (link.provider_key, keys)):
            if wanted is not None and holders[wanted] != link.pair.key:
                raise AlreadyLinked(wanted, holders[wanted])
    return states


def _recount(tx: Transaction, provider: str, before: Sequence[str], after: Sequence[str]) -> None:
    """Update the counts per state: less in the states `before`, more in the states `after`."""
    steps = Counter(after)
    steps.subtract(before)
    if not any(steps.values()):
        return
    moved = {"of_provider": provider, **{f"by_{state.value}": steps[state.value] for state in State}}
    if tx.execute(_RECOUNT, moved).rowcount == 0:
        ensure_provider(tx, provider)
        tx.execute(_RECOUNT, moved)


@cache
def _saving(dialect: str) -> sa.Insert:
    """The statement for a dialect, kept: building a statement costs more than running it."""
    statement = insert_for(dialect, table)
    changes: dict[str, Any] = {
        column.name: statement.excluded[column.name] for column in table.c if not column.primary_key
    }
    changes["created_at"] = sa.func.coalesce(statement.excluded.created_at, table.c.created_at)
    return statement.on_conflict_do_update(index_elements=[table.c.provider, table.c.customer_key], set_=changes)


# Statements of the busiest path, built once: building them costs more than running them.
_COUNTS = sa.select(provider_state)
_OF_PROVIDER = table.c.provider == sa.bindparam("of_provider")
_PAGE = (
    sa.select(table)
    .where(_OF_PROVIDER, table.c.customer_key > sa.bindparam("after"))
    .order_by(table.c.customer_key)
    .limit(sa.bindparam("most"))
)
_PAGE_OF = _PAGE.where(table.c.state.in_(sa.bindparam("chosen", expanding=True)))
_PAIR = (_OF_PROVIDER, table.c.customer_key == sa.bindparam("of_key"))
_STATE, _SHOW = sa.select(table.c.state).where(*_PAIR), table.update().where(*_PAIR).values(state=sa.bindparam("new"))
_BY_CUSTOMER, _BY_ID, _BY_KEY = (
    sa.select(table).where(_OF_PROVIDER, table.c[name].in_(sa.bindparam("chosen", expanding=True)))
    for name in ("customer_key", "external_id", "provider_key")
)
_OF_CUSTOMERS = (
    sa.select(table)
    .where(table.c.customer_key.in_(sa.bindparam("chosen", expanding=True)))
    .order_by(table.c.customer_key, table.c.provider)
)
_SAME = sa.union(  # one look an index: an OR over the three columns would read the whole table
    *(
        sa.select(table.c.customer_key, table.c.state, table.c.external_id, table.c.provider_key).where(
            _OF_PROVIDER, table.c[name].in_(sa.bindparam(f"of_{name}", expanding=True))
        )
        for name in ("customer_key", "external_id", "provider_key")
    )
)
_RESERVE = (
    table.update()
    .where(table.c.provider == sa.bindparam("of_provider"), table.c.customer_key == sa.bindparam("of_key"))
    .values(provider_key=sa.bindparam("new"))
)
_RECOUNT = (
    provider_state.update()
    .where(provider_state.c.provider == sa.bindparam("of_provider"))
    .values({f"n_{s.value}": provider_state.c[f"n_{s.value}"] + sa.bindparam(f"by_{s.value}") for s in State})
)

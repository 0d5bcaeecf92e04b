"""The mapping: which remote is which customer's, and what was last agreed with it.

The counts per state in `provider_state` are kept in the same transaction as every change here, so that no status ever
has to count this table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from syncd.core.model import FieldBase, Link, Pair, State, Verb, former
from syncd.errors import AlreadyLinked
from syncd.store import work
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
    return {link.pair.key: link for link in _where_in(tx, provider, table.c.customer_key, keys)}


def by_external_id(tx: Transaction, provider: str, ids: Sequence[str]) -> dict[str, Link]:
    """The links that hold these external ids, by external id."""
    return {str(link.external_id): link for link in _where_in(tx, provider, table.c.external_id, ids)}


def by_provider_key(tx: Transaction, provider: str, provider_key: str) -> Link | None:
    """Who holds this key of ours at a provider."""
    row = tx.execute(_HOLDER, {"provider": provider, "provider_key": provider_key}).first()
    return None if row is None else _link(row)


def of_customer(tx: Transaction, key: str) -> list[Link]:
    """All links of one customer, by provider."""
    rows = tx.execute(sa.select(table).where(table.c.customer_key == key).order_by(table.c.provider))
    return [_link(row) for row in rows]


def page(tx: Transaction, provider: str, after: str, limit: int, states: Collection[State] | None = None) -> list[Link]:
    """Up to `limit` links in the order of their keys, from behind `after` ("" begins)."""
    query = sa.select(table).where(table.c.provider == provider, table.c.customer_key > after)
    if states is not None:
        query = query.where(table.c.state.in_([state.value for state in states]))
    return [_link(row) for row in tx.execute(query.order_by(table.c.customer_key).limit(limit))]


def counts(tx: Transaction) -> dict[str, dict[State, int]]:
    """Pairs per provider and state, as kept with every change."""
    return {
        row.provider: {state: getattr(row, f"n_{state.value}") for state in State}
        for row in tx.execute(sa.select(provider_state))
    }


def reserve(tx: Transaction, pair: Pair, provider_key: str, now: datetime) -> str | None:
    """Claim our key at a provider for this customer before anything is sent under it.

    None when it is ours now; else the customer key of the one who holds it, and nothing was changed. A key that this
    pair held before is given up, so a renumbering reserves first and sends then.
    """
    holder = by_provider_key(tx, pair.provider, provider_key)
    if holder is not None:
        return None if holder.pair == pair else holder.pair.key
    if tx.execute(_RESERVE, {"of_provider": pair.provider, "of_key": pair.key, "new": provider_key}).rowcount == 0:
        save(tx, Link(pair, provider_key, None, {}, {}, State.DUE, created_at=now))
    return None


def save(tx: Transaction, link: Link) -> None:
    """Write the whole row, new or not; `created_at` None keeps the old one.

    Raises `AlreadyLinked` when another customer's row holds its external id or its key at the provider.
    """
    field_names(link.base)
    digests(digest for base in link.base.values() for digest in (base.source, base.provider))
    row = _row(link)
    if tx.execute(_AGAIN, row | {f"of_{name}": row[name] for name in _SAME_AS_BEFORE}).rowcount == 1:
        return  # same identifiers, same state: nothing to refuse and nothing to count
    before = _state_unless_taken(tx, link, row)
    tx.execute(_SAVE[tx.dialect.name], row)
    _recount(tx, link.pair.provider, before, link.state.value)


def set_state(tx: Transaction, pair: Pair, state: State) -> bool:
    """Show a pair in another state; False when it has no row."""
    before = tx.execute(sa.select(table.c.state).where(*_is(pair))).scalar_one_or_none()
    if before is None:
        return False
    tx.execute(table.update().where(*_is(pair)).values(state=state.value))
    _recount(tx, pair.provider, before, state.value)
    return True


def unlink(tx: Transaction, pair: Pair) -> bool:
    """Forget the row of a pair; its work, intents, reviews and events are left to the caller."""
    gone = tx.execute(table.delete().where(*_is(pair)).returning(table.c.state)).scalar_one_or_none()
    _recount(tx, pair.provider, gone, None)
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
    _make_room_in_review(tx, old, new)
    for other in (intent, review, event):
        tx.execute(other.update().where(other.c.customer_key == old).values(customer_key=new))


def is_taken(tx: Transaction, key: str) -> bool:
    """Whether this key holds a link, or a create of unknown outcome, at any provider."""
    return any(link.external_id is not None for link in of_customer(tx, key)) or bool(_creating(tx, key))


def make_way(tx: Transaction, key: str) -> str | None:
    """Another customer has this key now: everything known of the first owner moves to a name that no row has.

    Answers that name; None where the key holds no link and no create of unknown outcome, so that nobody is in the way.
    """
    if not is_taken(tx, key):
        return None
    name = former(key, work.next_generation(tx))
    move_key(tx, key, name)
    return name


def forget(tx: Transaction, key: str) -> None:
    """Erase a customer from the state: links, work, intents, reviews and events. Tombstones are the caller's."""
    for link in of_customer(tx, key):
        unlink(tx, link.pair)
    for other in (due, intent, review, event):
        tx.execute(other.delete().where(other.c.customer_key == key))


def _creating(tx: Transaction, key: str) -> set[str]:
    query = sa.select(intent.c.provider).where(
        intent.c.customer_key == key, IS_OPEN, intent.c.verb == Verb.CREATE.value
    )
    return set(tx.execute(query).scalars())


def _make_room_in_review(tx: Transaction, old: str, new: str) -> None:
    """One open item a kind: what the new key asked while it stood alone is asked again if it is still true."""
    is_open = review.c.closed_at.is_(None)
    same = sa.select(review.c.provider, review.c.kind).where(review.c.customer_key == old, is_open)
    tx.execute(
        review.delete().where(
            review.c.customer_key == new, is_open, sa.tuple_(review.c.provider, review.c.kind).in_(same)
        )
    )


def _is(pair: Pair) -> tuple[sa.ColumnElement[bool], ...]:
    return table.c.provider == pair.provider, table.c.customer_key == pair.key


def _where_in(tx: Transaction, provider: str, column: sa.Column[Any], values: Sequence[str]) -> list[Link]:
    return [
        _link(row)
        for start in range(0, len(values), CHUNK)
        for row in tx.execute(
            sa.select(table).where(table.c.provider == provider, column.in_(values[start : start + CHUNK]))
        )
    ]


def _state_unless_taken(tx: Transaction, link: Link, row: dict[str, Any]) -> str | None:
    """The state this pair is shown in so far (None: no row); refuses identifiers that another row holds.

    Writers take turns, so the answer stays true until this transaction ends.
    """
    before = None
    for found in tx.execute(_SAME, {name: row[name] for name in _IDENTIFIERS}):
        if found.customer_key == link.pair.key:
            before = str(found.state)
            continue
        same = link.external_id is not None and found.external_id == link.external_id
        raise AlreadyLinked(str(link.external_id if same else link.provider_key), found.customer_key)
    return before


def _recount(tx: Transaction, provider: str, before: str | None, after: str | None) -> None:
    """Move one pair between the kept counts; None stands for "no row"."""
    if before == after:
        return
    steps = {name: step for name, step in ((before, -1), (after, 1)) if name}
    moved = {"of_provider": provider, **{f"by_{state.value}": steps.get(state.value, 0) for state in State}}
    if tx.execute(_RECOUNT, moved).rowcount == 0:
        ensure_provider(tx, provider)
        tx.execute(_RECOUNT, moved)


def _saving(statement: sqlite.Insert | postgresql.Insert) -> sa.Insert:
    changes: dict[str, Any] = {
        column.name: statement.excluded[column.name] for column in table.c if not column.primary_key
    }
    changes["created_at"] = sa.func.coalesce(statement.excluded.created_at, table.c.created_at)
    return statement.on_conflict_do_update(index_elements=[table.c.provider, table.c.customer_key], set_=changes)


# Statements of the busiest path, built once: building them costs more than running them.
_SAVE = {"sqlite": _saving(sqlite.insert(table)), "postgresql": _saving(postgresql.insert(table))}
_SAME_AS_BEFORE = ("provider", "customer_key", "external_id", "provider_key", "state")
_AGAIN = (
    table.update()
    .where(*(table.c[name].is_not_distinct_from(sa.bindparam(f"of_{name}")) for name in _SAME_AS_BEFORE[2:]))
    .where(*(table.c[name] == sa.bindparam(f"of_{name}") for name in _SAME_AS_BEFORE[:2]))
    .values(
        {name: sa.bindparam(name) for name in ("external_ids", "base", "synced_at", "verified_at")}
        | {"created_at": sa.func.coalesce(sa.bindparam("created_at"), table.c.created_at)}
    )
)
_IDENTIFIERS = ("provider", "customer_key", "external_id", "provider_key")
_SAME = sa.union_all(  # one look an index: an OR over the three columns would read the whole table
    *(
        sa.select(table.c.customer_key, table.c.state, table.c.external_id).where(
            table.c.provider == sa.bindparam("provider"), table.c[name] == sa.bindparam(name)
        )
        for name in _IDENTIFIERS[1:]
    )
)
_HOLDER = sa.select(table).where(
    table.c.provider == sa.bindparam("provider"), table.c.provider_key == sa.bindparam("provider_key")
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
_FLAGS = {"c": "provisional", "p": "pulled", "f": "frozen", "d": "disputed", "o": "overruled"}


def _row(link: Link) -> dict[str, Any]:
    return {
        "provider": link.pair.provider,
        "customer_key": link.pair.key,
        "provider_key": link.provider_key,
        "external_id": link.external_id,
        "external_ids": dict(link.external_ids),
        "base": {name: [base.source, base.provider, _flags(base)] for name, base in link.base.items()},
        "state": link.state.value,
        "created_at": link.created_at,
        "synced_at": link.synced_at,
        "verified_at": link.verified_at,
    }


def _flags(base: FieldBase) -> str:
    return "".join(letter for letter, name in _FLAGS.items() if getattr(base, name))


def _bases(stored: Mapping[str, list[Any]]) -> Iterator[tuple[str, FieldBase]]:
    for name, (source, provider, flags) in stored.items():
        yield name, FieldBase(source, provider, **{_FLAGS[letter]: True for letter in flags})


def _link(row: sa.Row[Any]) -> Link:
    return Link(
        pair=Pair(row.provider, row.customer_key),
        provider_key=row.provider_key,
        external_id=row.external_id,
        external_ids=row.external_ids,
        base=dict(_bases(row.base)),
        state=State(row.state),
        created_at=row.created_at,
        synced_at=row.synced_at,
        verified_at=row.verified_at,
    )

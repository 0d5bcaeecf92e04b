"""Source rows as customers: read them, and write one back only if nobody changed it meanwhile.

A write is one short transaction: lock, compare every mapped column exactly with what was seen, UPDATE, read again. What
the row then holds is the truth; a value the column does not hold as sent is rolled back and named.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import RowMapping

from syncd.core.model import Customer, Value, Values
from syncd.source import lookup
from syncd.source.columns import UnfitError, UnreadableError, canonical, stored
from syncd.source.database import Source, in_transaction, reading
from syncd.source.failures import Failure, Kind, classify, explained
from syncd.source.keys import KeyKind, bound, spelled
from syncd.source.reflection import KEY
from syncd.source.rows import as_given, query_of

CHUNK = 200  # keys in one SELECT

Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True)
class Written:
    """The row was written; `customer` is the row as the database holds it now."""

    customer: Customer


@dataclass(frozen=True, slots=True)
class Moved:
    """The row is not as it was seen, or gone: look again."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The table does not take this value; `field` is '' where the database does not say which."""

    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Busy:
    """Somebody holds the row for longer than the lock timeout: try again."""


@dataclass(frozen=True, slots=True)
class Presence:
    """Where a key exists. For a plain table both are the same; for a view `in_table` is its first watched table."""

    in_view: bool
    in_table: bool


# --- reading -------------------------------------------------------------------------------------------------------


def read(source: Source, keys: Sequence[str]) -> dict[str, Customer]:
    """The customers with these keys, under the spelling asked for; an absent key is missing in the answer.

    `Customer.key` is the row's own spelling, which differs where a mark came in another collation or padding.
    """
    found: dict[str, Customer] = {}
    wanted = list(dict.fromkeys(keys))
    for start in range(0, len(wanted), CHUNK):
        found.update(_read_chunk(source, wanted[start : start + CHUNK]))
    return found


def _read_chunk(source: Source, keys: Sequence[str]) -> dict[str, Customer]:
    asked = {key: value for key in keys if (value := bound(source.key_kind, key)) is not None}
    if not asked:
        return {}
    with reading(source) as conn:
        rows = (
            conn.execute(query_of(source).where(source.key.in_(sorted(set(asked.values()), key=str)))).mappings().all()
        )
        here = {customer.key: customer for customer in _customers(source, rows)}
        found = {key: here[own] for key, value in asked.items() if (own := spelled(source.key_kind, value)) in here}
        if here and source.key_kind is KeyKind.TEXT:
            for key in asked.keys() - found.keys():
                own_key = _own_spelling(conn, source, key)
                if own_key in here:
                    found[key] = here[own_key]
    return found


def _own_spelling(conn: sa.Connection, source: Source, value: Any) -> str | None:
    """How the row spells a key that the database finds equal (collation, padding)."""
    own = conn.execute(sa.select(as_given(source, source.key)).where(_is(source, value)).limit(1)).scalar()
    return None if own is None else spelled(source.key_kind, own)


def page(source: Source, after: str | None, limit: int) -> list[Customer]:
    """The next customers in the key's own order, behind `after` (a key as a page gave it; None from the start)."""
    query = query_of(source).where(source.key.is_not(None)).order_by(source.key).limit(limit)
    if after is not None:
        value = bound(source.key_kind, after)
        if value is None:
            return []
        query = query.where(source.key > _literal(source, value))
    with reading(source) as conn:
        return _customers(source, conn.execute(query).mappings().all())


def count(source: Source) -> int:
    """How many rows the table or view has."""
    with reading(source) as conn:
        return int(conn.execute(sa.select(sa.func.count()).select_from(source.table)).scalar_one())


def presence(source: Source, key: str) -> Presence:
    """Whether the key exists in the view and in the first watched table: the proof a deletion needs."""
    value = bound(source.key_kind, key)
    if value is None:
        return Presence(in_view=False, in_table=False)
    with reading(source) as conn:
        in_view = conn.execute(sa.select(sa.literal(1)).where(_is(source, value)).limit(1)).first() is not None
        if not source.is_view or not source.watched:
            return Presence(in_view, in_view)
        column = source.watched[0].key
        query = sa.select(sa.literal(1)).where(column == sa.literal(value, _comparable(source, column))).limit(1)
        return Presence(in_view, conn.execute(query).first() is not None)


def present(source: Source, key: str) -> bool:
    """Whether the key exists anywhere."""
    where = presence(source, key)
    return where.in_view or where.in_table


def _literal(source: Source, value: Any) -> sa.BindParameter[Any]:
    return sa.literal(value, _comparable(source, source.key))


def _comparable(source: Source, column: sa.Column[Any]) -> sa.types.TypeEngine[Any]:
    """What to bind a key as: wide enough that comparing never overflows a small column."""
    if source.key_kind is KeyKind.INTEGER:
        return sa.BigInteger()
    return sa.Text() if source.dialect != "postgresql" else column.type


def _is(source: Source, value: Any) -> sa.ColumnElement[bool]:
    return source.key == _literal(source, value)


def _customers(source: Source, rows: Iterable[RowMapping]) -> list[Customer]:
    found: dict[str, Customer] = {}
    for row in rows:
        customer = _customer(source, row)
        if customer.key in found:
            customer = Customer(customer.key, {}, {}, {"": "the view shows several rows for this key"})
        found[customer.key] = customer
    return list(found.values())


def _customer(source: Source, raw: RowMapping) -> Customer:
    values: dict[str, Value] = {}
    problems: dict[str, str] = {}
    for name in source.fields:
        try:
            values[name] = canonical(name, raw[name])
        except UnreadableError as problem:
            problems[name] = str(problem)
    kept = {name: raw[name] for name in source.fields}
    return Customer(spelled(source.key_kind, raw[KEY]), values, kept, problems)


# --- writing -------------------------------------------------------------------------------------------------------


def update(source: Source, seen: Customer, changes: Values, origin: str) -> Written | Moved | Refused | Busy:
    """Write `changes` over the row as it was `seen`; everything else keeps what it has."""
    try:
        new = _to_columns(source, changes, seen.stored)
    except _Unwritable as problem:
        return problem.refusal
    value = bound(source.key_kind, seen.key)
    if value is None:
        return Moved()

    def compare_and_set(conn: sa.Connection) -> Written | Moved | Refused:
        _lock(conn, source, value)
        now = _by_key(conn, source, value)
        if len(now) != 1 or _differs(source, now[0], seen):
            return Moved()
        reached = conn.execute(source.table.update().where(_is(source, value)).values(new)).rowcount
        if reached != 1:
            return Refused("", f"the UPDATE reached {reached} rows instead of one")
        return _as_sent(_customers(source, _by_key(conn, source, value)), changes)

    return _outcome(source, compare_and_set, origin)


def insert(
    source: Source, values: Values, origin: str, unlike: Values | None = None, held: Callable[[str], bool] | None = None
) -> Written | Refused | Busy | Moved:
    """A new row, its key chosen by the database where it can; the change log carries `origin` beside it.

    `Moved`, and nothing written, when a row with one of the `unlike` values came meanwhile, as after a process slept,
    or when the new row's key is `held` by somebody whose departure nobody knows yet.
    """
    try:
        new = _to_columns(source, {name: value for name, value in values.items() if value is not None}, {}, new=True)
        key = _chosen_key(source, new)
    except _Unwritable as problem:
        return problem.refusal

    def add(conn: sa.Connection) -> Written | Refused | Moved:
        if lookup.keys_like(conn, source, unlike or {}, 1):
            return Moved()
        statement = source.table.insert().values(new)
        if key is None and source.dialect == "mysql" and not getattr(conn.dialect, "is_mariadb", False):
            own: Any = conn.execute(statement).lastrowid
        elif key is None:
            own = conn.execute(statement.returning(source.key)).scalar_one()
        else:
            conn.execute(statement)
            own = key
        written = _as_sent(_customers(source, _by_key(conn, source, own)), values)
        taken = held is not None and isinstance(written, Written) and held(written.customer.key)
        return Moved() if taken else written

    return _outcome(source, add, origin)


class _Unwritable(Exception):
    """A value was refused before anything was sent."""

    def __init__(self, refusal: Refused) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


def _to_columns(source: Source, values: Values, before: Mapping[str, Any], *, new: bool = False) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name, value in values.items():
        mapped = source.fields.get(name)
        if mapped is None:
            raise _Unwritable(Refused(name, "no column is mapped to this field"))
        try:
            columns[mapped.column.key] = stored(mapped, value, before.get(name), new=new)
        except UnfitError as problem:
            raise _Unwritable(Refused(name, str(problem))) from None
    return columns


def _chosen_key(source: Source, new: dict[str, Any]) -> Any | None:
    """The key of a new row where we know it beforehand; None where the database makes it."""
    if KEY in new:
        key = bound(source.key_kind, str(new[KEY]))
        if key is None:
            raise _Unwritable(Refused("", "the value mapped to the key column cannot be a key"))
        return key
    if source.key_default or source.key_kind is KeyKind.INTEGER:
        return None
    if source.key_kind is KeyKind.UUID:
        new[KEY] = uuid.uuid4()
        return new[KEY]
    raise _Unwritable(Refused("", "the key column has no default and no field is mapped to it"))


def _lock(conn: sa.Connection, source: Source, value: Any) -> None:
    """Hold the row, and for a view the rows under it, until the transaction ends. SQLite holds the whole file."""
    if source.dialect == "sqlite":
        return
    columns = [each.key for each in source.watched] if source.is_view and source.watched else [source.key]
    for column in columns:
        wanted = sa.literal(value, _comparable(source, column))
        conn.execute(sa.select(column).where(column == wanted).with_for_update()).all()


def _differs(source: Source, raw: RowMapping, seen: Customer) -> bool:
    return spelled(source.key_kind, raw[KEY]) != seen.key or any(
        raw[name] != seen.stored.get(name) or type(raw[name]) is not type(seen.stored.get(name))
        for name in source.fields
    )


def _by_key(conn: sa.Connection, source: Source, value: Any) -> Sequence[RowMapping]:
    return conn.execute(query_of(source).where(_is(source, value))).mappings().all()


def _as_sent(rows: Sequence[Customer], sent: Values) -> Written | Refused:
    if len(rows) != 1:
        return Refused("", "the row is not in the table any more after the write")
    customer = rows[0]
    for name, value in sent.items():
        if name in customer.problems or customer.values[name] != canonical(name, value):
            return Refused(name, "the column does not hold the value as sent")
    return Written(customer)


def _outcome(source: Source, work: Callable[[sa.Connection], Outcome], origin: str) -> Outcome | Refused | Busy:
    try:
        return in_transaction(source, work, origin=origin, keep=lambda result: isinstance(result, Written))
    except exc.SQLAlchemyError as error:
        failure = classify(error)
        if failure.kind is Kind.BUSY:
            return Busy()
        if failure.kind is Kind.REFUSED:
            return _refusal(source, failure)
        raise explained(failure) from None


def _refusal(source: Source, failure: Failure) -> Refused:
    names = {mapped.column.name: name for name, mapped in source.fields.items()}
    rule = f' by "{failure.rule}"' if failure.rule else ""
    return Refused(names.get(failure.column, ""), f"the table refuses the value{rule} ({failure.code})")

"""Writes a customer's row by compare-and-set: only where the row is still as it was read.

A write is one short transaction: lock, compare every mapped column exactly with the reading, UPDATE, read again. Where
a column does not hold the value that was sent, the transaction is rolled back and the field is named.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import RowMapping

from syncd.core.model import Customer, Value, Values
from syncd.core.normalise import comparable
from syncd.source import joined_rows, lookup
from syncd.source.columns import ColumnKind, MappedColumn, UnfitError, canonical, kind_of, stored
from syncd.source.database import Source, in_transaction
from syncd.source.failures import Failure, FailureKind, classify, explained
from syncd.source.joined_rows import Identity
from syncd.source.keyed import comparable as comparable_key
from syncd.source.keyed import is_key
from syncd.source.keys import KeyKind, bound, spelled
from syncd.source.reflection import KEY
from syncd.source.rows import query_of
from syncd.source.translation import customers_of

Outcome = TypeVar("Outcome")
TRIES = 100
GIVING_AGAIN = ("sqlite", "mysql")  # a deleted row's key may be the next one's; a sequence would not learn of ours


@dataclass(frozen=True, slots=True)
class Written:
    """The row was written; `customer` is the row as the database holds it now."""

    customer: Customer


@dataclass(frozen=True, slots=True)
class Moved:
    """The row has changed since it was read, or is gone; the pair must be looked at again. `held`: the key that a new
    row would get, where a deleted customer still holds that key."""

    held: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """The table refuses a value; `field` is '' where the database does not name the column."""

    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Busy:
    """Another transaction held the row for longer than the lock timeout; the pair is tried again later."""


def update(
    source: Source, seen: Customer, changes: Values, origin: str, owned: Callable[[], bool] | None = None
) -> Written | Moved | Refused | Busy:
    """Write the fields of `changes` into the row that was read as `seen`, and into its joined rows; other fields stay.
    `Moved`, and nothing is written, where the lane is not ours any more (`owned`) once the row is locked."""
    try:
        new = _to_columns(source, changes, seen.stored)
    except _Unwritable as problem:
        return problem.refusal
    value = bound(source.key_kind, seen.key)
    if value is None:
        return Moved()

    def compare_and_set(conn: sa.Connection) -> Written | Moved | Refused:
        _lock(conn, source, value)
        beside = joined_rows.locked(conn, source, is_key(source, value))
        now = _by_key(conn, source, value)
        if len(now) != 1 or _differs(source, now[0], seen) or not (owned is None or owned()):
            return Moved()
        for join, values in new.items():
            refused = _write(conn, source, (value, beside), join, values)
            if refused is not None:
                return refused
        return _as_sent(source, customers_of(source, _by_key(conn, source, value)), changes)

    return _outcome(source, compare_and_set, origin)


def _write(
    conn: sa.Connection, source: Source, at: tuple[Any, Mapping[str, Identity]], join: str, values: dict[str, Any]
) -> Refused | None:
    """One UPDATE of the customer table (`join` is "") or of a joined table. Answers why it did not happen; None where
    it did."""
    value, beside = at
    if not join:
        reached = conn.execute(source.table.update().where(is_key(source, value)).values(values)).rowcount
        # SQLite does not count the writes of an INSTEAD OF trigger
        counted = not (source.is_view and source.dialect == "sqlite")
        return Refused("", f"the UPDATE reached {reached} rows instead of one") if counted and reached != 1 else None
    field = next(n for n, m in source.fields.items() if m.join == join and m.column.name in values)
    if join not in beside:
        return Refused(field, f'the customer has no row of "{join}"')
    if joined_rows.is_shared(conn, source, join, beside[join]):
        return Refused(field, f'its row of "{join}" is that of other customers, too')
    reached = joined_rows.write(conn, source, join, beside[join], values)
    return None if reached == 1 else Refused(field, f'the UPDATE of "{join}" reached {reached} rows instead of one')


def insert(
    source: Source,
    values: Values,
    origin: str,
    unlike: Values | None = None,
    held: Callable[[str], bool] | None = None,
    owned: Callable[[], bool] | None = None,
) -> Written | Refused | Busy | Moved:
    """Insert a row. The database chooses its key where it can; `origin` stands in its mark in the change log.

    Answers `Moved`, and has written nothing, where a row with one of the `unlike` values appeared meanwhile, where the
    lane is not ours any more (`owned`), or where a deleted customer still holds the new row's key (`held`) and no other
    key can be chosen. A value for a joined table is refused: rows are inserted into the customer table alone, and the
    value would be lost.
    """
    joined = {name: source.fields[name].join for name in values if name in source.fields and source.fields[name].join}
    lost = next((name for name in joined if values[name] is not None), None)
    if lost is not None:
        return Refused(lost, f'a new customer has no row of "{joined[lost]}" to write it to')
    values = {name: value for name, value in values.items() if name not in joined}
    try:
        given = {name: value for name, value in values.items() if value is not None}
        new = _new_row(source) | _to_columns(source, given, {}, new=True).get("", {})
        key = _chosen_key(source, new)
    except _Unwritable as problem:
        return problem.refusal

    is_held = held or (lambda _key: False)

    def add(conn: sa.Connection) -> Written | Refused | Moved:
        if lookup.keys_like(conn, source, unlike or {}, 1, everywhere=True) or not (owned is None or owned()):
            return Moved()
        own = _added(conn, source, new, key, is_held)
        written = _as_sent(source, customers_of(source, _by_key(conn, source, own)), values)
        if isinstance(written, Written) and is_held(written.customer.key):
            return Moved(written.customer.key)
        return written

    return _outcome(source, add, origin)


def _added(conn: sa.Connection, source: Source, new: dict[str, Any], key: Any, held: Callable[[str], bool]) -> Any:
    """Insert the row; answers its key. Where the database gives a deleted row's key a second time, and that key is
    held, the row gets the next free one: a question about a deleted customer may stay open for weeks."""
    statement = source.table.insert().values(new)
    if key is not None:
        conn.execute(statement)
        return key
    again = source.dialect in GIVING_AGAIN and source.key_kind is KeyKind.INTEGER and not source.is_view
    before = conn.begin_nested() if again else None
    if source.dialect == "mysql" and not getattr(conn.dialect, "is_mariadb", False):
        own: Any = conn.execute(statement).lastrowid
    else:
        own = conn.execute(statement.returning(source.key)).scalar_one()
    if before is None:
        return own
    if not held(spelled(source.key_kind, own)):
        before.commit()
        return own
    before.rollback()
    free = (each for each in range(own + 1, own + TRIES) if not held(spelled(source.key_kind, each)))
    own = next(free, own)
    conn.execute(source.table.insert().values({**new, KEY: own}))
    return own


def unfit(source: Source, values: Values) -> dict[str, str]:
    """Why values cannot be written, by field. A rule that only the database knows (a CHECK) is not foreseen."""
    found: dict[str, str] = {}
    for name, value in values.items():
        try:
            _to_columns(source, {name: value}, {})
        except _Unwritable as problem:
            found[name] = problem.refusal.reason
    return found


class _Unwritable(Exception):
    """A value that the column cannot hold; no statement was sent."""

    def __init__(self, refusal: Refused) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


def _to_columns(
    source: Source, values: Values, before: Mapping[str, Any], *, new: bool = False
) -> dict[str, dict[str, Any]]:
    """The values to write, by join ("" for the customer table) and column."""
    columns: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        mapped = source.fields.get(name)
        if mapped is None:
            raise _Unwritable(Refused(name, "no column is mapped to this field"))
        try:
            fitting = stored(mapped, value, before.get(name), new=new)
        except UnfitError as problem:
            raise _Unwritable(Refused(name, str(problem))) from None
        columns.setdefault(mapped.join, {})[mapped.column.key] = fitting
    return columns


def _new_row(source: Source) -> dict[str, Any]:
    """The values that a new row needs to pass the settings' filter (`Source.new_row`), by column."""
    made: dict[str, Any] = {}
    for column in source.table.c:
        if column.name in source.new_row:
            kind = kind_of(column.type, sqlite=source.dialect == "sqlite") or ColumnKind.TEXT
            plain = MappedColumn("", column, kind, nullable=True, clears_to=None, plain=source.dialect == "sqlite")
            made[column.key] = stored(plain, source.new_row[column.name])
    return made


def _chosen_key(source: Source, new: dict[str, Any]) -> Any | None:
    """The key of a new row where a mapped field is the key; None where the database makes it."""
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
    """Lock the row, and for a view the rows under it, until the transaction ends. In SQLite the transaction holds the
    whole file."""
    if source.dialect == "sqlite":
        return
    columns = [each.key for each in source.watched] if source.is_view and source.watched else [source.key]
    for column in columns:
        wanted = sa.literal(value, comparable_key(source, column))
        conn.execute(sa.select(column).where(column == wanted).with_for_update()).all()


def _differs(source: Source, raw: RowMapping, seen: Customer) -> bool:
    return spelled(source.key_kind, raw[KEY]) != seen.key or any(
        raw[name] != seen.stored.get(name) or type(raw[name]) is not type(seen.stored.get(name))
        for name in source.fields
    )


def _by_key(conn: sa.Connection, source: Source, value: Any) -> Sequence[RowMapping]:
    return conn.execute(query_of(source).where(is_key(source, value))).mappings().all()


def _as_sent(source: Source, rows: Sequence[Customer], sent: Values) -> Written | Refused:
    if len(rows) != 1:
        return Refused("", "the row is no customer any more after the write")
    customer = rows[0]
    for name, value in sent.items():
        if name not in customer.values or not _holds(source.fields[name], customer.values[name], value):
            return Refused(name, "the column does not hold the value as sent")
    return Written(customer)


def _holds(mapped: MappedColumn, now: Value, sent: Value) -> bool:
    """Whether the column holds the value that was sent; a value map may spell it in another way (de-DE, de_DE)."""
    wanted = canonical(mapped.field, sent)
    if mapped.spellings is not None:
        return comparable(mapped.field, now) == comparable(mapped.field, wanted)
    return now == wanted


def _outcome(source: Source, work: Callable[[sa.Connection], Outcome], origin: str) -> Outcome | Refused | Busy:
    try:
        return in_transaction(source, work, origin=origin, keep=lambda result: isinstance(result, Written))
    except exc.SQLAlchemyError as error:
        failure = classify(error)
        if failure.kind is FailureKind.BUSY:
            return Busy()
        if failure.kind is FailureKind.REFUSED:
            return _refusal(source, failure)
        raise explained(failure) from None


def _refusal(source: Source, failure: Failure) -> Refused:
    names = {mapped.column.name: name for name, mapped in source.fields.items()}
    rule = f' by "{failure.rule}"' if failure.rule else ""
    return Refused(names.get(failure.column, ""), f"the table refuses the value{rule} ({failure.code})")

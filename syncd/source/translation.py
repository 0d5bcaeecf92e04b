"""Makes customers, in canonical fields, of rows that the driver gave."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.engine import RowMapping

from syncd.core.model import Customer, Value
from syncd.source.columns import MappedColumn, UnreadableError, canonical, spelling_of
from syncd.source.keys import spelled
from syncd.source.reflection import KEY
from syncd.source.rows import ID, ROW
from syncd.source.shape import Source

NO_ROW = "no row"
"""Stands before the name of a join in `Customer.locked`."""


def customers_of(source: Source, rows: Iterable[RowMapping]) -> list[Customer]:
    """The customers of these rows. A key that comes twice (a join with two rows) is one customer with a problem."""
    found: dict[str, Customer] = {}
    for row in rows:
        customer = _customer(source, row)
        if customer.key in found:
            names = ", ".join(f'"{joined.name}"' for joined in source.joins)
            reason = "the view shows several rows for this key"
            if source.joins:
                reason = f"the joins {names} give several rows for this key: syncd doctor says which one"
            customer = Customer(customer.key, {}, {}, {"": reason})
        found[customer.key] = customer
    return list(found.values())


def _customer(source: Source, raw: RowMapping) -> Customer:
    values: dict[str, Value] = {}
    problems: dict[str, str] = {}
    unmapped: set[str] = set()
    for name, mapped in source.fields.items():
        try:
            value, known = meaning(mapped, raw[name])
        except UnreadableError as problem:
            problems[name] = str(problem)
            continue
        if not known:
            unmapped.add(name)
        else:
            values[name] = source.config.defaults.get(name) if value is None else value
    missing = {joined.name for joined in source.joins if raw[ROW + joined.name] is None}
    return Customer(
        key=spelled(source.key_kind, raw[KEY]),
        values=values,
        stored={name: raw[name] for name in source.fields},
        problems=problems,
        unmapped=frozenset(unmapped),
        locked={n: f"{NO_ROW} {m.join}" for n, m in source.fields.items() if m.join in missing} if missing else {},
        recorded=None if source.id_column is None or raw[ID] is None else str(raw[ID]),
    )


def meaning(mapped: MappedColumn, raw: object) -> tuple[Value, bool]:
    """The canonical value of a column's value, and whether the value map knows it. Raises UnreadableError."""
    if mapped.spellings is None:
        return canonical(mapped.field, raw), True
    word = spelling_of(raw)
    if word is None:
        return None, True
    value = mapped.spellings.meaning(word)
    return value, value is not None

"""Positions of scans and passes, facts about this installation, and each provider's condition and guard counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple, TypedDict, Unpack

import sqlalchemy as sa

from syncd.core.model import State
from syncd.store import schema
from syncd.store.database import insert_for
from syncd.store.schema import Transaction, budget
from syncd.store.schema import provider_state as table

BUDGET_DAYS = 62  # longer than any window a guard may have


class ProviderState(NamedTuple):
    """The stored condition of one provider. `pace` and `breaker` are JSON texts of its lane; `calls_month` counts the
    requests in `month` ("2026-03"); `until` is the end of an operator's pause."""

    provider: str
    state: str = "ok"
    reason: str = ""
    since: datetime | None = None
    until: datetime | None = None
    pace: str = ""
    breaker: str = ""
    last_ok: datetime | None = None
    month: str = ""
    calls_month: int = 0
    backfilled: bool = False
    config_hash: str = ""


class ProviderChanges(TypedDict, total=False):
    """The columns that `save_provider_state` may change; columns that are left out stay."""

    state: str
    reason: str
    since: datetime | None
    until: datetime | None
    pace: str
    breaker: str
    last_ok: datetime | None
    backfilled: bool
    config_hash: str


def cursor(tx: Transaction, name: str) -> str:
    """A stored position; "" before the first."""
    return _value(tx, schema.cursor, name)


def set_cursor(tx: Transaction, name: str, value: str) -> None:
    """Store a position."""
    _set_value(tx, schema.cursor, {"name": name, "value": value})


def meta(tx: Transaction, name: str) -> str:
    """A stored fact about this installation; "" when there is none."""
    return _value(tx, schema.meta, name)


def set_meta(tx: Transaction, name: str, value: str) -> None:
    """Store a fact about this installation."""
    _set_value(tx, schema.meta, {"name": name, "value": value, "number": 0})


def provider_state(tx: Transaction, provider: str) -> ProviderState:
    """The provider's condition; where none is stored, that of a healthy provider."""
    row = tx.execute(_OF_ONE, {"of_provider": provider}).mappings().one_or_none()
    return ProviderState(provider) if row is None else ProviderState(**row)


def provider_states(tx: Transaction) -> dict[str, ProviderState]:
    """The conditions of all providers the state has met, by name."""
    rows = tx.execute(_OF_ALL).mappings()
    return {row["provider"]: ProviderState(**row) for row in rows}


def save_provider_state(tx: Transaction, provider: str, **changes: Unpack[ProviderChanges]) -> None:
    """Change only the named columns, so that lane and cycle never overwrite each other."""
    if not changes:
        return
    statement = _changing(frozenset(changes))
    row = {"of_provider": provider, **{f"new_{name}": value for name, value in changes.items()}}
    if tx.execute(statement, row).rowcount == 0:
        ensure_provider(tx, provider)
        tx.execute(statement, row)


def ensure_provider(tx: Transaction, provider: str) -> None:
    """Make the provider's row, with all counts at zero, where it is missing."""
    blank = ProviderState(provider)
    values = {column.name: getattr(blank, column.name) for column in _CONDITION}
    values |= {f"n_{state.value}": 0 for state in State}
    tx.execute(_making(tx.dialect.name), values)


def add_calls(tx: Transaction, provider: str, month: str, n: int) -> None:
    """Count `n` requests in a month ("2026-03"); a new month begins at zero."""
    called = {"of_provider": provider, "of_month": month, "n": n}
    if tx.execute(_CALLED, called).rowcount == 0:
        ensure_provider(tx, provider)
        tx.execute(_CALLED, called)


def spend(tx: Transaction, provider: str, verb: str, n: int, at: datetime) -> None:
    """Count `n` executed operations of a guard (`verb`) in the hour of `at`. Hours older than any guard's window are
    deleted."""
    hour = _hour(at)
    if tx.execute(_SPEND, {"of_provider": provider, "of_verb": verb, "of_hour": hour, "n": n}).rowcount == 0:
        tx.execute(budget.insert().values(provider=provider, verb=verb, hour=hour, count=n))
        out_of_reach = budget.c.hour < hour - timedelta(days=BUDGET_DAYS)
        tx.execute(budget.delete().where(budget.c.provider == provider, budget.c.verb == verb, out_of_reach))


def spent(tx: Transaction, provider: str, verb: str, since: datetime) -> int:
    """Operations counted since that moment; the whole hour in which `since` lies counts, so a guard errs on the safe
    side."""
    return int(tx.execute(_SPENT, {"of_provider": provider, "of_verb": verb, "since": _hour(since)}).scalar_one())


_SPENT = sa.select(sa.func.coalesce(sa.func.sum(budget.c.count), 0)).where(
    budget.c.provider == sa.bindparam("of_provider"),
    budget.c.verb == sa.bindparam("of_verb"),
    budget.c.hour >= sa.bindparam("since"),
)
_SPEND = (
    budget.update()
    .where(
        budget.c.provider == sa.bindparam("of_provider"),
        budget.c.verb == sa.bindparam("of_verb"),
        budget.c.hour == sa.bindparam("of_hour"),
    )
    .values(count=budget.c.count + sa.bindparam("n"))
)
_CONDITION = tuple(column for column in table.c if not column.name.startswith("n_"))
_MINE = table.c.provider == sa.bindparam("of_provider")
_OF_ONE, _OF_ALL = sa.select(*_CONDITION).where(_MINE), sa.select(*_CONDITION).order_by(table.c.provider)
_CALLED = (
    table.update()
    .where(_MINE)
    .values(
        month=sa.bindparam("of_month"),
        calls_month=sa.case((table.c.month == sa.bindparam("of_month"), table.c.calls_month), else_=0)
        + sa.bindparam("n"),
    )
)


# Statements of every look, built once: building them costs more than running them.
@cache
def _changing(names: frozenset[str]) -> sa.Update:
    return table.update().where(_MINE).values({name: sa.bindparam(f"new_{name}") for name in sorted(names)})


@cache
def _making(dialect: str) -> sa.Insert:
    return insert_for(dialect, table).on_conflict_do_nothing()


@cache
def _asking(where: sa.Table) -> sa.Select[Any]:
    return sa.select(where.c.value).where(where.c.name == sa.bindparam("of_name"))


@cache
def _setting(dialect: str, where: sa.Table) -> sa.Insert:
    statement = insert_for(dialect, where)
    new = {"value": statement.excluded.value}
    return statement.on_conflict_do_update(index_elements=[where.c.name], set_=new)


def _hour(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _value(tx: Transaction, where: sa.Table, name: str) -> str:
    found: str | None = tx.execute(_asking(where), {"of_name": name}).scalar_one_or_none()
    return found or ""


def _set_value(tx: Transaction, where: sa.Table, row: dict[str, str | int]) -> None:
    tx.execute(_setting(tx.dialect.name, where), row)

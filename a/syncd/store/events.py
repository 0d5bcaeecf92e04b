"""What happened: the last events of each pair, which `explain` reads, and one row a cycle. No values anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from syncd.core.model import Pair
from syncd.store.schema import Transaction, field_names
from syncd.store.schema import event as table
from syncd.store.schema import run as run_table

KEPT_A_PAIR = 50
SPARE = 10  # so many more are let in before the surplus goes in one delete
KEPT_RUNS = 1000

_RECORD = table.insert()
_MINE = (
    table.c.customer_key == sa.bindparam("customer_key"),
    table.c.provider == sa.bindparam("provider"),
)
_NEWEST = sa.select(table.c.id).where(*_MINE).order_by(table.c.id.desc()).limit(1).offset(sa.bindparam("skipped"))


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a pair."""

    at: datetime
    provider: str
    event: str
    fields: tuple[str, ...]
    detail: str


@dataclass(frozen=True, slots=True)
class Run:
    """One cycle; `outcome` is "" and `finished_at` None while it goes on, and for ever when it was killed."""

    run_id: str
    mode: str
    started_at: datetime
    finished_at: datetime | None
    outcome: str
    counts: Mapping[str, int]


def record(tx: Transaction, pair: Pair, at: datetime, event: str, fields: Sequence[str], detail: str = "") -> None:
    """Note an event; `detail` names rules, statuses and ids, never a value. Old events of the pair make room."""
    field_names(fields)
    mine = {"provider": pair.provider, "customer_key": pair.key}
    tx.execute(_RECORD, mine | {"at": at, "event": event, "fields": list(fields), "detail": detail})
    if tx.execute(_NEWEST, mine | {"skipped": KEPT_A_PAIR + SPARE - 1}).first() is not None:
        last = tx.execute(_NEWEST, mine | {"skipped": KEPT_A_PAIR}).scalar_one()
        tx.execute(table.delete().where(*_MINE, table.c.id <= last), mine)


def events(tx: Transaction, key: str, limit: int = 20) -> list[Event]:
    """The newest events of a customer at all providers, newest first."""
    rows = tx.execute(sa.select(table).where(table.c.customer_key == key).order_by(table.c.id.desc()).limit(limit))
    return [Event(row.at, row.provider, row.event, tuple(row.fields), row.detail) for row in rows]


def start_run(tx: Transaction, run_id: str, at: datetime, mode: str) -> None:
    """Note that a cycle began; runs beyond the newest thousand go."""
    values: dict[str, Any] = {"run_id": run_id, "mode": mode, "started_at": at, "outcome": "", "counts": {}}
    number = tx.execute(run_table.insert().values(**values).returning(run_table.c.id)).scalar_one()
    tx.execute(run_table.delete().where(run_table.c.id <= number - KEPT_RUNS))


def finish_run(tx: Transaction, run_id: str, at: datetime, outcome: str, counts: Mapping[str, int]) -> None:
    """Note how a cycle ended."""
    values: dict[str, Any] = {"finished_at": at, "outcome": outcome, "counts": dict(counts)}
    tx.execute(run_table.update().where(run_table.c.run_id == run_id).values(**values))


def runs(tx: Transaction, limit: int) -> list[Run]:
    """The newest runs, newest first."""
    rows = tx.execute(sa.select(run_table).order_by(run_table.c.id.desc()).limit(limit))
    return [Run(row.run_id, row.mode, row.started_at, row.finished_at, row.outcome, row.counts) for row in rows]

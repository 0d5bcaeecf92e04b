"""The last events of each pair, which `explain` and `history` read, and one row for each cycle. No values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from syncd.core.effects import Note
from syncd.core.guards import BRAKE_WINDOW, Move
from syncd.store.schema import Transaction, field_names
from syncd.store.schema import event as table
from syncd.store.schema import run as run_table

KEPT_A_PAIR = 50
SPARE = 10  # events above the limit before one delete removes the surplus
KEPT_RUNS = 1000

_RECORD = table.insert()
_MINE = (
    table.c.customer_key == sa.bindparam("customer_key"),
    table.c.provider == sa.bindparam("provider"),
)
_CROWDED = (
    sa.select(table.c.provider, table.c.customer_key)
    .where(table.c.customer_key.in_(sa.bindparam("chosen", expanding=True)))
    .group_by(table.c.customer_key, table.c.provider)
    .having(sa.func.count() > sa.bindparam("most"))
)
_MOVES = (
    sa.select(table.c.customer_key, table.c.provider, table.c.event, table.c.at, table.c.fields)
    .where(
        table.c.customer_key.in_(sa.bindparam("chosen", expanding=True)),
        table.c.event.in_(["pair.pushed", "pair.pulled"]),
        table.c.at >= sa.bindparam("since"),
    )
    .order_by(table.c.id)
)
_FORGET = table.delete().where(*_MINE, table.c.id <= sa.bindparam("last"))
_START = run_table.insert().returning(run_table.c.id)
_FORGET_RUNS = run_table.delete().where(run_table.c.id <= sa.bindparam("last"))
_FINISH = (
    run_table.update()
    .where(run_table.c.run_id == sa.bindparam("of_run"))
    .values({name: sa.bindparam(name) for name in ("finished_at", "outcome", "counts")})
)
_NEWEST = sa.select(table.c.id).where(*_MINE).order_by(table.c.id.desc()).limit(1).offset(sa.bindparam("skipped"))


class Event(NamedTuple):
    """An event of a pair."""

    at: datetime
    provider: str
    event: str
    fields: tuple[str, ...]
    detail: str


class Run(NamedTuple):
    """One cycle. While it runs, `outcome` is "" and `finished_at` None; so they stay where the process was killed."""

    run_id: str
    mode: str
    started_at: datetime
    finished_at: datetime | None
    outcome: str
    counts: Mapping[str, int]


def record(tx: Transaction, notes: Sequence[Note], at: datetime) -> None:
    """Store events; the oldest events of the same pairs are deleted beyond the limit."""
    field_names(name for note in notes for name in note.fields)
    rows = [
        {
            "provider": note.pair.provider,
            "customer_key": note.pair.key,
            "at": at,
            "event": note.event,
            "fields": sorted(note.fields),
            "detail": note.detail,
        }
        for note in notes
    ]
    if not rows:
        return
    tx.execute(_RECORD, rows)
    keys = sorted({note.pair.key for note in notes})
    for provider, key in tx.execute(_CROWDED, {"chosen": keys, "most": KEPT_A_PAIR + SPARE - 1}).all():
        mine = {"provider": provider, "customer_key": key}
        last = tx.execute(_NEWEST, mine | {"skipped": KEPT_A_PAIR}).scalar_one()
        tx.execute(_FORGET, mine | {"last": last})


def events(tx: Transaction, key: str, limit: int = 20) -> list[Event]:
    """The newest events of a customer at all providers, newest first."""
    rows = tx.execute(sa.select(table).where(table.c.customer_key == key).order_by(table.c.id.desc()).limit(limit))
    return [Event(row.at, row.provider, row.event, tuple(row.fields), row.detail) for row in rows]


def moves(tx: Transaction, keys: Sequence[str], now: datetime) -> dict[str, list[Move]]:
    """The pushes and pulls of these customers at all providers within the brake's window, oldest first."""
    asked = {"chosen": list(keys), "since": now - BRAKE_WINDOW}
    found: dict[str, list[Move]] = {}
    for row in tx.execute(_MOVES, asked).all() if keys else ():
        move = Move(row.event.removeprefix("pair.")[:4], row.provider, row.at, frozenset(row.fields))
        found.setdefault(row.customer_key, []).append(move)
    return found


def start_run(tx: Transaction, run_id: str, at: datetime, mode: str) -> None:
    """Note that a cycle began; runs beyond the newest thousand go."""
    values: dict[str, Any] = {"run_id": run_id, "mode": mode, "started_at": at, "outcome": "", "counts": {}}
    number = tx.execute(_START, values).scalar_one()
    tx.execute(_FORGET_RUNS, {"last": number - KEPT_RUNS})


def finish_run(tx: Transaction, run_id: str, at: datetime, outcome: str, counts: Mapping[str, int]) -> None:
    """Note how a cycle ended."""
    tx.execute(_FINISH, {"of_run": run_id, "finished_at": at, "outcome": outcome, "counts": dict(counts)})


def runs(tx: Transaction, limit: int) -> list[Run]:
    """The newest runs, newest first."""
    rows = tx.execute(sa.select(run_table).order_by(run_table.c.id.desc()).limit(limit))
    return [Run(row.run_id, row.mode, row.started_at, row.finished_at, row.outcome, row.counts) for row in rows]

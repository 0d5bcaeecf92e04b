"""Which lanes have work at this moment: four small queries that a daemon makes at every poll."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa

from syncd.core.model import Stage
from syncd.store import schema
from syncd.store.progress import ProviderState, provider_states
from syncd.store.schema import IS_BACKFILL, Transaction, intent, work
from syncd.store.work import NOW, is_ready

Condition = Callable[[str], sa.ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class Agenda:
    """`states`: the condition of each provider; `cursors`: positions by name; `ready`: providers with a pair that can
    be taken now; `confirmable`: providers with a write that can be confirmed now."""

    states: Mapping[str, ProviderState]
    cursors: Mapping[str, str]
    ready: frozenset[str]
    confirmable: frozenset[str]


def agenda(tx: Transaction, providers: Sequence[str], cursors: Sequence[str], now: datetime) -> Agenda:
    """Read the agenda. Nothing is written, and no query takes longer with more customers."""
    table = schema.cursor
    found = tx.execute(sa.select(table.c.name, table.c.value).where(table.c.name.in_(cursors)))
    return Agenda(
        states=provider_states(tx),
        cursors={row.name: row.value for row in found},
        ready=_which(tx, is_ready, providers, now),
        confirmable=_which(tx, _is_confirmable, providers, now),
    )


def _which(tx: Transaction, condition: Condition, providers: Sequence[str], now: datetime) -> frozenset[str]:
    if not providers:
        return frozenset()
    return frozenset(tx.execute(_asking(condition, tuple(providers)), {"now": now}).scalars())


@cache
def _asking(condition: Condition, providers: tuple[str, ...]) -> sa.CompoundSelect[Any]:
    """The statement for these providers, kept: building a statement costs more than running it."""
    return sa.union_all(*(sa.select(sa.literal(name).label("name")).where(condition(name)) for name in providers))


def _is_confirmable(provider: str) -> sa.ColumnElement[bool]:
    settled = (intent.c.stage == Stage.CONFIRM.value, intent.c.settle_until <= NOW)
    return sa.exists().where(intent.c.provider == provider, *settled)


def has_backfill(tx: Transaction, provider: str) -> bool:
    """Whether any row of a first pass still waits."""
    waits = sa.select(work.c.customer_key).where(work.c.provider == provider, IS_BACKFILL).limit(1)
    return tx.execute(waits).first() is not None

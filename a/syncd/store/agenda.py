"""What every provider has to do at this moment, in four small questions: a daemon asks at every poll."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from syncd.core.model import Stage
from syncd.store import schema
from syncd.store.progress import ProviderState, provider_states
from syncd.store.schema import Transaction, intent
from syncd.store.work import is_ready


@dataclass(frozen=True, slots=True)
class Agenda:
    """Conditions by provider, positions by name, providers with a pair that can be taken now, and those with a write
    that can be confirmed now."""

    states: Mapping[str, ProviderState]
    cursors: Mapping[str, str]
    ready: frozenset[str]
    confirmable: frozenset[str]


def agenda(tx: Transaction, providers: Sequence[str], cursors: Sequence[str], now: datetime) -> Agenda:
    """Ask. Nothing is written, and nothing grows with the number of customers."""
    table = schema.cursor
    found = tx.execute(sa.select(table.c.name, table.c.value).where(table.c.name.in_(cursors)))
    return Agenda(
        states=provider_states(tx),
        cursors={row.name: row.value for row in found},
        ready=_which(tx, {name: is_ready(name, now) for name in providers}),
        confirmable=_which(tx, {name: _is_confirmable(name, now) for name in providers}),
    )


def _which(tx: Transaction, conditions: Mapping[str, sa.ColumnElement[bool]]) -> frozenset[str]:
    if not conditions:
        return frozenset()
    questions = [sa.select(sa.literal(name).label("name")).where(condition) for name, condition in conditions.items()]
    return frozenset(tx.execute(sa.union_all(*questions)).scalars())


def _is_confirmable(provider: str, now: datetime) -> sa.ColumnElement[bool]:
    settled = (intent.c.stage == Stage.CONFIRM.value, intent.c.settle_until <= now)
    return sa.exists().where(intent.c.provider == provider, *settled)

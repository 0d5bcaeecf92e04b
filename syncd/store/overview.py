"""Queries for `status`. They read small tables (due pairs, open items), or counts that every change updates."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from syncd.core.model import Pair, Work
from syncd.store.events import Event
from syncd.store.review import Review
from syncd.store.review import review as one_review
from syncd.store.schema import IS_LIVE, Transaction, event, review, work
from syncd.store.work import read as read_work

WAITS = (review.c.closed_at.is_(None), review.c.decision == "")
"""Of a review item: it waits for a person. A decided item waits for the next look at its pair."""


class Waiting(NamedTuple):
    """Due pairs of one provider and error class: how many can be looked at `now`, and how many `later`. `oldest`: since
    when the first of those for now waits; `live`: the same for pairs that a change and not a first pass made due."""

    provider: str
    error_class: str
    now: int
    later: int
    oldest: datetime | None
    live: datetime | None = None


def waiting(tx: Transaction, now: datetime) -> list[Waiting]:
    """The due pairs by provider and error class."""
    is_due = work.c.due_at <= now
    query = sa.select(
        work.c.provider,
        work.c.error_class,
        sa.func.sum(sa.case((is_due, 1), else_=0)).label("now"),
        sa.func.sum(sa.case((is_due, 0), else_=1)).label("later"),
        sa.func.min(sa.case((is_due, work.c.since))).label("oldest"),
        sa.func.min(sa.case((sa.and_(is_due, IS_LIVE), work.c.since))).label("live"),
    )
    rows = tx.execute(query.group_by(work.c.provider, work.c.error_class))
    return [Waiting(row.provider, row.error_class, int(row.now), int(row.later), row.oldest, row.live) for row in rows]


def of_class(
    tx: Transaction, provider: str, error_class: str, after: str, limit: int, shown: int | None = None
) -> list[Work]:
    """Due pairs of one error class in the order of their keys, from behind `after` ("" begins). With `shown`, only
    pairs that this review item or an older one has shown."""
    chosen = [work.c.provider == provider, work.c.error_class == error_class, work.c.customer_key > after]
    if shown is not None:
        chosen.append(work.c.shown.between(1, shown))
    keys = tx.execute(sa.select(work.c.customer_key).where(*chosen).order_by(work.c.customer_key).limit(limit))
    found = [read_work(tx, Pair(provider, key)) for key in keys.scalars().all()]
    return [row for row in found if row is not None]


def open_items(tx: Transaction) -> dict[str, int]:
    """How many review items wait for a person, by provider; decided items wait for the next run and do not count."""
    query = sa.select(review.c.provider, sa.func.count()).where(*WAITS)
    return {provider: int(number) for provider, number in tx.execute(query.group_by(review.c.provider))}


def oldest_items(tx: Transaction, provider: str, limit: int) -> list[Review]:
    """The open items of a provider: first items that stand for many customers, then by age."""
    query = (
        sa.select(review.c.id)
        .where(review.c.provider == provider, *WAITS)
        .order_by(review.c.customer_key != "", review.c.id)
        .limit(limit)
    )
    found = [one_review(tx, number) for number in tx.execute(query).scalars().all()]
    return [item for item in found if item is not None]


def last_event(tx: Transaction, pair: Pair, names: Collection[str]) -> Event | None:
    """The newest event of a pair under one of these names."""
    chosen = (
        event.c.customer_key == pair.key,
        event.c.provider == pair.provider,
        event.c.event.in_(list(names)),
    )
    row = tx.execute(sa.select(event).where(*chosen).order_by(event.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else Event(row.at, row.provider, row.event, tuple(row.fields), row.detail)

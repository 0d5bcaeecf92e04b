"""The due pairs: each must be looked at, with a reason and since when. A mark holds no data and tells of no event, so
repeated marks of one pair are one row.

Every mark takes the next generation. A look reads the generation *before* the source row, and finishing deletes only
that generation, so no worker deletes a mark that came while it worked. Example: a look takes generation 7, a mark makes
it 8, and finishing 7 deletes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence, Set
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa

from syncd.core.effects import Later
from syncd.core.model import Pair, Stage, Work
from syncd.store.database import insert_for
from syncd.store.schema import (
    ADOPTED,
    BACKFILL,
    CHANGED,
    DELETED,
    INSERTED,
    IS_BACKFILL,
    IS_LIVE,
    IS_OPEN,
    Transaction,
    intent,
    meta,
)
from syncd.store.schema import work as table

_GENERATION = "generation"
_STRENGTH = {BACKFILL: 0, CHANGED: 1, INSERTED: 3, ADOPTED: 4, DELETED: 5}
_USUAL = 2  # the strength of every other reason


class Due(NamedTuple):
    """One provider's backlog: how many pairs are `due` now, and how many wait for a later moment (`retry`)."""

    due: int
    retry: int


def next_generation(tx: Transaction) -> int:
    """The next value of the installation's one counter."""
    return _block(tx, 1)


def mark(tx: Transaction, pairs: Iterable[Pair], reason: str, now: datetime, due_at: datetime | None = None) -> int:
    """Make pairs due, each under a new generation; answers how many.

    `since`, attempts and the last error stay as they are. Without `due_at` a pair becomes due now, and a pair that is
    due already keeps its place in the queue. The stronger reason stays, and of two equally strong reasons the later.
    From strong to weak: "deleted", "adopted", "inserted", all others, "changed", "backfill".
    """
    unique = list(dict.fromkeys(pairs))
    if not unique:
        return 0
    first = _block(tx, len(unique)) - len(unique) + 1
    tx.execute(
        _marking(tx.dialect.name, reason, literal_due=due_at is not None),
        [
            {
                "provider": pair.provider,
                "customer_key": pair.key,
                "generation": generation,
                "reason": reason,
                "since": now,
                "due_at": due_at or now,
                "attempts": 0,
                "error_class": "",
                "error": "",
                "shown": 0,
            }
            for generation, pair in enumerate(unique, first)
        ],
    )
    return len(unique)


def take(tx: Transaction, provider: str, now: datetime, limit: int, busy: Set[str] = frozenset()) -> list[Work]:
    """Up to `limit` due pairs, oldest first; while both wait, three pairs that a change made due for each pair of the
    backfill (with a `limit` below four: one of two, none of one).

    Left out: keys in `busy`, and pairs with an open intent that still settles. Nothing is written: the caller keeps the
    keys that it works on in `busy`.
    """
    asked = {"of_provider": provider, "now": now, "most": limit + len(busy)}
    live, backfill = (
        [_work(row) for row in tx.execute(query, asked).all() if row.customer_key not in busy][:limit]
        for query in (_LIVE, _BACKFILL)
    )
    if not live or not backfill:
        return live or backfill
    share = max(limit // 4, min(limit - 1, 1), limit - len(live))
    backfill = backfill[:share]
    live = live[: limit - len(backfill)]
    mixed: list[Work] = []
    for position, late in enumerate(backfill):
        mixed += [*live[position * 3 : position * 3 + 3], late]
    return mixed + live[len(backfill) * 3 :]


def finish(tx: Transaction, works: Sequence[Work]) -> int:
    """Delete the marks of these pairs; a pair that was marked again meanwhile stays due. Answers how many were
    deleted."""
    return tx.execute(_FINISH, [_as_read(work) for work in works]).rowcount if works else 0


def postpone(tx: Transaction, waits: Sequence[tuple[Work, Later]]) -> int:
    """Put pairs off, except those that were marked again meanwhile. Answers how many were put off."""
    rows = [
        _as_read(work)
        | {"due_at": wait.due_at, "attempts": wait.attempts, "error_class": wait.error_class, "error": wait.error}
        for work, wait in waits
    ]
    return tx.execute(_POSTPONE, rows).rowcount if rows else 0


def note_seen(tx: Transaction, works: Sequence[Work]) -> None:
    """Note that a look has seen the inserted rows behind these marks: their reason becomes "changed"."""
    seen = [_as_read(work) for work in works if work.reason in {INSERTED, DELETED}]
    if seen:
        tx.execute(_JUDGED, seen)


def generations(tx: Transaction, provider: str, keys: Sequence[str]) -> dict[str, int]:
    """The generations of these customers' marks; a customer that was erased or re-keyed meanwhile has none."""
    chosen = {"of_provider": provider, "chosen": list(keys)}
    return dict(tx.execute(_GENERATIONS, chosen).all()) if keys else {}


def read(tx: Transaction, pair: Pair) -> Work | None:
    """The due row of a pair, if it has one."""
    row = tx.execute(_ONE, {"of_provider": pair.provider, "of_key": pair.key}).one_or_none()
    return None if row is None else _work(row)


def to_be_linked(tx: Transaction, provider: str, keys: Collection[str], now: datetime) -> list[Work]:
    """Due pairs of these customers that a person ordered to be linked and that have no write under way."""
    under_way = sa.exists().where(*_same_pair())
    chosen = (table.c.provider == provider, table.c.reason == ADOPTED, table.c.due_at <= now, ~under_way)
    rows = tx.execute(sa.select(table).where(*chosen, table.c.customer_key.in_(keys)).order_by(table.c.generation))
    return [_work(row) for row in rows]


def of_customer(tx: Transaction, key: str) -> list[Work]:
    """All due rows of one customer, by provider."""
    rows = tx.execute(sa.select(table).where(table.c.customer_key == key).order_by(table.c.provider))
    return [_work(row) for row in rows]


def drop(tx: Transaction, pair: Pair) -> bool:
    """Delete a pair's mark of any generation: the pair ceases to exist."""
    return tx.execute(table.delete().where(*is_pair(pair))).rowcount == 1


def counts(tx: Transaction, now: datetime) -> dict[str, Due]:
    """The backlog per provider, counted in an index, because it may be long; providers without due pairs are left
    out."""
    return {row.provider: Due(row.all - row.retry, row.retry) for row in tx.execute(_COUNTS, {"now": now})}


def stronger(one: str, other: str) -> str:
    """The reason that stays where a pair has two, as `mark` decides; `other` is the later one."""
    return other if _STRENGTH.get(one, _USUAL) <= _STRENGTH.get(other, _USUAL) else one


def settling(tx: Transaction, provider: str, now: datetime) -> list[str]:
    """Keys of pairs with an intent that still settles: no look takes these pairs before the settle time is over."""
    query = sa.select(intent.c.customer_key).where(intent.c.provider == provider, IS_OPEN, intent.c.settle_until > now)
    return list(tx.execute(query).scalars())


def next_due(tx: Transaction, provider: str, now: datetime) -> datetime | None:
    """The earliest moment at which `take` would find something, settle times included; None when nothing waits."""
    asked = {"of_provider": provider, "now": now}
    moments = [tx.execute(query, asked).scalar_one_or_none() for query in (_NEXT_LIVE, _NEXT_BACKFILL)]
    moments += [max(due_at, settled) for due_at, settled in tx.execute(_SETTLED, asked)]
    return min((moment for moment in moments if moment is not None), default=None)


def is_ready(provider: str) -> sa.ColumnElement[bool]:
    """A condition for a statement: whether `take` would find a pair at the statement's parameter `now`."""
    due = (table.c.provider == provider, table.c.due_at <= NOW, ~_IS_HELD)
    return sa.or_(*(sa.exists().where(*due, part) for part in (IS_LIVE, IS_BACKFILL)))


def move_key(tx: Transaction, old: str, new: str) -> None:
    """Make the due rows of one customer those of another key; called by `mapping.move_key`.

    Where the new key has a row at the same provider, both are merged under a new generation, so that no worker that
    read one of them finishes the merged row.
    """
    standing = {row.pair.provider for row in of_customer(tx, new)}
    for row in of_customer(tx, old):
        target = Pair(row.pair.provider, new)
        if row.pair.provider in standing:
            drop(tx, row.pair)
            mark(tx, [target], row.reason, row.since, due_at=min(row.due_at, _due_at(tx, target)))
            older = table.c.since > row.since
            tx.execute(table.update().where(*is_pair(target), older).values(since=row.since))
        else:
            tx.execute(table.update().where(*is_pair(row.pair)).values(customer_key=new))


def _due_at(tx: Transaction, pair: Pair) -> datetime:
    moment: datetime = tx.execute(sa.select(table.c.due_at).where(*is_pair(pair))).scalar_one()
    return moment


def _block(tx: Transaction, size: int) -> int:
    """Reserve `size` generations; answers the last of them."""
    return int(tx.execute(_counting(tx.dialect.name), {"of_size": size}).scalar_one())


@cache
def _counting(dialect: str) -> sa.Executable:
    statement = insert_for(dialect, meta).values(name=_GENERATION, value="", number=sa.bindparam("of_size"))
    counted = {"number": meta.c.number + statement.excluded.number}
    return statement.on_conflict_do_update(index_elements=[meta.c.name], set_=counted).returning(meta.c.number)


@cache
def _marking(dialect: str, reason: str, *, literal_due: bool) -> sa.Insert:
    statement = insert_for(dialect, table)
    new = statement.excluded
    strength = sa.case(_STRENGTH, value=table.c.reason, else_=_USUAL)
    return statement.on_conflict_do_update(
        index_elements=[table.c.provider, table.c.customer_key],
        set_={
            "generation": new.generation,
            "reason": sa.case((strength <= _STRENGTH.get(reason, _USUAL), new.reason), else_=table.c.reason),
            "due_at": new.due_at
            if literal_due
            else sa.case((table.c.due_at < new.due_at, table.c.due_at), else_=new.due_at),
        },
    )


def _same_pair() -> tuple[sa.ColumnElement[bool], ...]:
    return intent.c.provider == table.c.provider, intent.c.customer_key == table.c.customer_key


def is_pair(pair: Pair) -> tuple[sa.ColumnElement[bool], ...]:
    """The condition for the due row of a pair."""
    return table.c.provider == pair.provider, table.c.customer_key == pair.key


def _as_read(work: Work) -> dict[str, Any]:
    return {"read_provider": work.pair.provider, "read_key": work.pair.key, "read_generation": work.generation}


_UNTOUCHED = (
    table.c.provider == sa.bindparam("read_provider"),
    table.c.customer_key == sa.bindparam("read_key"),
    table.c.generation == sa.bindparam("read_generation"),
)
_FINISH = table.delete().where(*_UNTOUCHED)
_GENERATIONS = sa.select(table.c.customer_key, table.c.generation).where(
    table.c.provider == sa.bindparam("of_provider"),
    table.c.customer_key.in_(sa.bindparam("chosen", expanding=True)),
)
_JUDGED = table.update().where(*_UNTOUCHED).values(reason=CHANGED)
_POSTPONE = (
    table.update()
    .where(*_UNTOUCHED)
    .values({name: sa.bindparam(name) for name in ("due_at", "attempts", "error_class", "error")})
)


NOW = sa.bindparam("now", type_=table.c.due_at.type)
_IS_HELD = sa.exists().where(*_same_pair(), intent.c.stage.concat("") == Stage.OPEN.value, intent.c.settle_until > NOW)
"""An unknown outcome has not settled: no look may come before. The stage is an expression here, for no index is to
answer by it: with 5 000 writes under way that would read all of them for every due pair."""
_OF_PROVIDER = table.c.provider == sa.bindparam("of_provider")
_ONE = sa.select(table).where(_OF_PROVIDER, table.c.customer_key == sa.bindparam("of_key"))
_LIVE, _BACKFILL = (
    sa.select(table)
    .where(_OF_PROVIDER, table.c.due_at <= NOW, part, ~_IS_HELD)
    .order_by(table.c.due_at, table.c.generation)
    .limit(sa.bindparam("most"))
    for part in (IS_LIVE, IS_BACKFILL)
)
_NEXT_LIVE, _NEXT_BACKFILL = (
    sa.select(table.c.due_at).where(_OF_PROVIDER, ~_IS_HELD, part).order_by(table.c.due_at, table.c.generation).limit(1)
    for part in (IS_LIVE, IS_BACKFILL)
)
_SETTLED = (
    sa.select(table.c.due_at, sa.func.max(intent.c.settle_until))
    .join(intent, sa.and_(*_same_pair()))
    .where(_OF_PROVIDER, IS_OPEN, intent.c.settle_until > NOW)
    .group_by(table.c.provider, table.c.customer_key, table.c.due_at)
)
_ALL = sa.select(table.c.provider, sa.func.count().label("all")).group_by(table.c.provider).subquery("everything")
_LATER_LIVE, _LATER_BACKFILL = (
    sa.select(sa.func.count())
    .select_from(table)
    .where(table.c.provider == _ALL.c.provider, table.c.due_at > NOW, part)
    .scalar_subquery()
    for part in (IS_LIVE, IS_BACKFILL)
)
_COUNTS = sa.select(_ALL.c.provider, _ALL.c.all, (_LATER_LIVE + _LATER_BACKFILL).label("retry"))


def _work(row: sa.Row[Any]) -> Work:
    return Work(
        pair=Pair(row.provider, row.customer_key),
        generation=row.generation,
        reason=row.reason,
        since=row.since,
        due_at=row.due_at,
        attempts=row.attempts,
        error_class=row.error_class,
        error=row.error,
    )

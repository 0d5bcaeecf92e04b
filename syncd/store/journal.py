"""The journal: the intents of writes that are under way or unconfirmed. Review items (`review`) and the events of each
pair (`events`) can be imported from here too.

An intent is durable before its request leaves. After a crash or a lost answer, the next look at the pair finds the
intent and judges by what the remote shows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from syncd.core.effects import Moved
from syncd.core.model import Intent, Pair, Sent, Stage, Verb
from syncd.store.events import Event, Run, events, finish_run, record, runs, start_run
from syncd.store.review import (
    Review,
    close_reviews,
    decide,
    decided,
    ignored,
    open_review,
    review,
    reviews,
    reviews_of,
)
from syncd.store.schema import IS_OPEN, Transaction, digests, field_names, intent

__all__ = [
    "Event",
    "Opening",
    "Review",
    "Run",
    "close_all",
    "close_intent",
    "close_intents",
    "close_provider_intents",
    "close_reviews",
    "confirmable",
    "decide",
    "decided",
    "events",
    "finish_run",
    "forget_fields",
    "ignored",
    "insert_intents",
    "intents",
    "move_intents",
    "open_intent",
    "open_intents",
    "open_review",
    "record",
    "review",
    "reviews",
    "reviews_of",
    "runs",
    "settle_anew",
    "settle_left_over",
    "start_run",
    "unknown_creates",
    "update_intent",
]

CHUNK = 500
ENDED = "ended"  # marks an intent whose settle time is counted from the end of its request
REQUESTS = (Verb.CREATE.value, Verb.UPDATE.value, Verb.REMOVE.value)
_OPEN = intent.insert().returning(intent.c.id)
_OPEN_ALL = intent.insert().returning(intent.c.id, intent.c.customer_key)  # answered in any order
_INTENTS = (
    sa.select(intent)
    .where(
        intent.c.provider == sa.bindparam("of_provider"),
        intent.c.customer_key.in_(sa.bindparam("chosen", expanding=True)),
    )
    .order_by(intent.c.id)
)
_CLOSE = intent.delete().where(intent.c.id.in_(sa.bindparam("chosen", expanding=True)))
_CLOSE_ALL = intent.delete().where(
    intent.c.provider == sa.bindparam("of_provider"), intent.c.customer_key == sa.bindparam("of_key")
)
_OF_PROVIDER = intent.c.provider == sa.bindparam("of_provider")
_LEFT_OVER = (
    _OF_PROVIDER,
    intent.c.epoch != sa.bindparam("of_epoch"),
    intent.c.note == "",
    intent.c.verb.in_(REQUESTS),
    IS_OPEN,
)
_SETTLE_LEFT_OVER = intent.update().where(*_LEFT_OVER).values(settle_until=sa.bindparam("until"), note=ENDED)
_KEYS_LEFT_OVER = sa.select(intent.c.customer_key).where(*_LEFT_OVER).distinct()
_CONFIRMABLE = (
    sa.select(intent.c.customer_key)
    .where(_OF_PROVIDER, intent.c.stage == Stage.CONFIRM.value, intent.c.settle_until <= sa.bindparam("now"))
    .group_by(intent.c.customer_key)
    .order_by(sa.func.min(intent.c.settle_until), intent.c.customer_key)
    .limit(sa.bindparam("most"))
)
_CREATES = sa.select(intent).where(_OF_PROVIDER, intent.c.verb == Verb.CREATE.value, IS_OPEN).order_by(intent.c.id)
_INSERTS = sa.select(intent).where(_OF_PROVIDER, intent.c.verb == Verb.INSERT.value).order_by(intent.c.id)
_MOVE = (
    intent.update()
    .where(intent.c.id == sa.bindparam("number"))
    .values(stage=sa.bindparam("stage"), settle_until=sa.bindparam("settle_until"), note=ENDED)
)


def open_intent(  # noqa: PLR0913, PLR0917  (one argument a column)
    tx: Transaction,
    pair: Pair,
    verb: Verb,
    fields: Mapping[str, Sent],
    epoch: int,
    at: datetime,
    settle_until: datetime,
    note: str = "",
) -> int:
    """Record that a write is about to leave. Commit before the request leaves. Answers the intent's id."""
    row = {
        "provider": pair.provider,
        "customer_key": pair.key,
        "verb": verb.value,
        "fields": _stored(fields),
        "stage": Stage.OPEN.value,
        "epoch": epoch,
        "at": at,
        "settle_until": settle_until,
        "note": note,
    }
    return int(tx.execute(_OPEN, row).scalar_one())


class Opening(NamedTuple):
    """An intent that is about to be opened; `fields` as in `Intent`."""

    pair: Pair
    verb: Verb
    fields: Mapping[str, Sent]


def open_intents(
    tx: Transaction, openings: Sequence[Opening], epoch: int, at: datetime, settle_until: datetime
) -> list[int]:
    """Record that these writes to one provider, at most one for a pair, are about to leave. Commit before the first
    request leaves. Answers the intents' ids in order."""
    rows = [
        {
            "provider": each.pair.provider,
            "customer_key": each.pair.key,
            "verb": each.verb.value,
            "fields": _stored(each.fields),
            "stage": Stage.OPEN.value,
            "epoch": epoch,
            "at": at,
            "settle_until": settle_until,
            "note": "",
        }
        for each in openings
    ]
    if not rows:
        return []
    opened = {key: number for number, key in tx.execute(_OPEN_ALL, rows).all()}
    return [opened[each.pair.key] for each in openings]


def intents(tx: Transaction, provider: str, keys: Sequence[str]) -> dict[str, list[Intent]]:
    """All intents of these customers at one provider, oldest first; customers without any are left out."""
    found: dict[str, list[Intent]] = {}
    for start in range(0, len(keys), CHUNK):
        for row in tx.execute(_INTENTS, {"of_provider": provider, "chosen": list(keys[start : start + CHUNK])}).all():
            found.setdefault(row.customer_key, []).append(_intent(row))
    return found


def update_intent(
    tx: Transaction,
    intent_id: int,
    *,
    stage: Stage | None = None,
    settle_until: datetime | None = None,
    fields: Mapping[str, Sent] | None = None,
) -> bool:
    """Change the given columns of an intent; False when the intent is closed already."""
    changes = {
        "stage": stage.value if stage else None,
        "settle_until": settle_until,
        "fields": None if fields is None else _stored(fields),
    }
    given = {name: value for name, value in changes.items() if value is not None}
    if not given:
        return False
    return tx.execute(intent.update().where(intent.c.id == intent_id).values(**given)).rowcount == 1


def move_intents(tx: Transaction, moves: Sequence[Moved]) -> None:
    """Give intents whose requests have ended another stage and settle time; closed intents stay closed."""
    if moves:
        tx.execute(_MOVE, [{"number": each.id, "stage": each.stage, "settle_until": each.until} for each in moves])


def close_intent(tx: Transaction, intent_id: int) -> bool:
    """Close one intent: the outcome of its write is known and recorded."""
    return close_intents(tx, [intent_id]) == 1


def close_intents(tx: Transaction, ids: Sequence[int]) -> int:
    """Close these intents: the outcomes of their writes are known and recorded. Answers how many were open."""
    return tx.execute(_CLOSE, {"chosen": list(ids)}).rowcount if ids else 0


def close_all(tx: Transaction, pairs: Sequence[Pair], verbs: Collection[Verb] | None = None) -> int:
    """Close all intents of pairs, or those of some verbs; answers how many."""
    mine = [{"of_provider": pair.provider, "of_key": pair.key} for pair in pairs]
    if verbs is None:
        return tx.execute(_CLOSE_ALL, mine).rowcount if mine else 0
    some = _CLOSE_ALL.where(intent.c.verb.in_([verb.value for verb in verbs]))
    return sum(tx.execute(some, each).rowcount for each in mine)


def close_provider_intents(tx: Transaction, provider: str, verbs: Collection[Verb]) -> int:
    """Close all intents of these verbs at one provider, after a restore of the state: the records may have changed
    since the intents were stored."""
    chosen = (intent.c.provider == provider, intent.c.verb.in_([verb.value for verb in verbs]))
    return tx.execute(intent.delete().where(*chosen)).rowcount


def forget_fields(tx: Transaction, provider: str, names: Collection[str]) -> None:
    """Drop fields from the intents that are mapped to another column now: a value sent from the old column explains no
    value of the new one. The intent of a create keeps all fields, because the record is recognised by them."""
    others = sa.or_(intent.c.verb != Verb.CREATE.value, ~IS_OPEN)
    for found in tx.execute(sa.select(intent.c.id, intent.c.fields).where(intent.c.provider == provider, others)).all():
        kept = {name: sent for name, sent in found.fields.items() if name not in names}
        if len(kept) < len(found.fields):
            tx.execute(intent.update().where(intent.c.id == found.id).values(fields=kept))


def settle_left_over(tx: Transaction, provider: str, epoch: int, until: datetime) -> int:
    """Let open intents of another epoch settle until `until`: when their requests were sent is unknown, because a
    request may wait for the pace long after its intent was opened. An intent whose request has ended keeps its settle
    time."""
    return tx.execute(_SETTLE_LEFT_OVER, {"of_provider": provider, "of_epoch": epoch, "until": until}).rowcount


def left_over(tx: Transaction, provider: str, epoch: int) -> list[str]:
    """The customers whose intents `settle_left_over` would let settle anew."""
    return list(tx.execute(_KEYS_LEFT_OVER, {"of_provider": provider, "of_epoch": epoch}).scalars())


def settle_anew(tx: Transaction, provider: str, until: datetime) -> int:
    """Let all intents of a provider, open or waiting for their confirming reading, settle until `until`."""
    return tx.execute(intent.update().where(intent.c.provider == provider).values(settle_until=until)).rowcount


def confirmable(tx: Transaction, provider: str, now: datetime, limit: int) -> list[Pair]:
    """Pairs whose executed write has settled and waits for its confirming reading, longest settled first."""
    asked = {"of_provider": provider, "now": now, "most": limit}
    return [Pair(provider, key) for key in tx.execute(_CONFIRMABLE, asked).scalars()]


def unknown_creates(tx: Transaction, provider: str) -> list[Intent]:
    """All creates at this provider whose outcome is unknown, oldest first."""
    return [_intent(row) for row in tx.execute(_CREATES, {"of_provider": provider})]


def insert_intents(tx: Transaction, provider: str) -> list[Intent]:
    """All inserts into the source under way for remotes of this provider, oldest first."""
    return [_intent(row) for row in tx.execute(_INSERTS, {"of_provider": provider})]


def _stored(fields: Mapping[str, Sent]) -> dict[str, list[str | None]]:
    field_names(fields)
    digests(digest for sent in fields.values() for digest in (sent.before, sent.sent, *sent.spelled))
    return {name: [sent.before, sent.sent, *sent.spelled] for name, sent in fields.items()}


def _intent(row: sa.Row[Any]) -> Intent:
    return Intent(
        id=row.id,
        pair=Pair(row.provider, row.customer_key),
        verb=Verb(row.verb),
        stage=Stage(row.stage),
        fields={name: Sent(before, sent, tuple(more)) for name, (before, sent, *more) in row.fields.items()},
        epoch=row.epoch,
        at=row.at,
        settle_until=row.settle_until,
        note=row.note,
    )

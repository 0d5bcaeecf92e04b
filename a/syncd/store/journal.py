"""The journal: what is being written (intents), who must never come back (tombstones), and, from their own modules,
what waits for a person (`review`) and what happened (`events`).

An intent is durable before its request leaves. Whatever happens afterwards, the next look at the pair finds it and
judges by what the remote shows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from syncd.core.model import Intent, Pair, Sent, Stage, Verb
from syncd.store.events import Event, Run, events, finish_run, record, runs, start_run
from syncd.store.keys import keyed
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
from syncd.store.schema import IS_OPEN, Transaction, digests, field_names, intent, tombstone

__all__ = [
    "Event",
    "Review",
    "Run",
    "adrift",
    "buried",
    "buried_ids",
    "bury",
    "close_intent",
    "close_intents",
    "close_provider_intents",
    "close_reviews",
    "confirmable",
    "decide",
    "decided",
    "ended",
    "events",
    "exhume",
    "finish_run",
    "forget_fields",
    "ignored",
    "insert_intents",
    "intents",
    "open_intent",
    "open_review",
    "record",
    "review",
    "reviews",
    "reviews_of",
    "runs",
    "settle_anew",
    "start_run",
    "update_intent",
]

CHUNK = 500
ENDED = "ended"  # the note of a write whose settle time is counted from the end of its request
REQUESTS = (Verb.CREATE.value, Verb.UPDATE.value, Verb.REMOVE.value)
_OPEN = intent.insert().returning(intent.c.id)
_CLOSE = intent.delete().where(intent.c.id == sa.bindparam("number"))
_CLOSE_ALL = intent.delete().where(
    intent.c.provider == sa.bindparam("of_provider"), intent.c.customer_key == sa.bindparam("of_key")
)
_MOVE = (
    intent.update()
    .where(intent.c.id == sa.bindparam("number"))
    .values(stage=sa.bindparam("stage"), settle_until=sa.bindparam("settle_until"))
)
# The provider is in the digests; asking for its column too would hide the index of the other digest. None finds none.
_GRAVES = sa.or_(
    tombstone.c.external_digest == sa.bindparam("of_external"), tombstone.c.key_digest == sa.bindparam("of_key")
)
_BURIED = sa.select(tombstone.c.id).where(_GRAVES).limit(1)
_EXHUME = tombstone.delete().where(
    sa.or_(
        tombstone.c.external_digest == sa.bindparam("of_external"),
        sa.and_(tombstone.c.external_digest.is_(None), tombstone.c.key_digest == sa.bindparam("of_key")),
    )
)
_FREE_KEY = tombstone.update().where(tombstone.c.key_digest == sa.bindparam("of_key")).values(key_digest="")


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
    """Record that a write is about to leave; commit before it does. Answers the intent's id."""
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


def intents(tx: Transaction, provider: str, keys: Sequence[str]) -> dict[str, list[Intent]]:
    """All intents of these customers at one provider, oldest first; customers without any are left out."""
    found: dict[str, list[Intent]] = {}
    for start in range(0, len(keys), CHUNK):
        chosen = intent.c.customer_key.in_(keys[start : start + CHUNK])
        for row in tx.execute(sa.select(intent).where(intent.c.provider == provider, chosen).order_by(intent.c.id)):
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
    """Change what is given; False when the intent is closed already."""
    changes = {
        "stage": stage.value if stage else None,
        "settle_until": settle_until,
        "fields": None if fields is None else _stored(fields),
    }
    given = {name: value for name, value in changes.items() if value is not None}
    if not given:
        return False
    if given.keys() == {"stage", "settle_until"}:
        return tx.execute(_MOVE, given | {"number": intent_id}).rowcount == 1
    return tx.execute(intent.update().where(intent.c.id == intent_id).values(**given)).rowcount == 1


def close_intent(tx: Transaction, intent_id: int) -> bool:
    """The outcome is known and recorded."""
    return tx.execute(_CLOSE, {"number": intent_id}).rowcount == 1


def close_intents(tx: Transaction, pair: Pair, verbs: Collection[Verb] | None = None) -> int:
    """Close all intents of a pair, or those of some verbs; answers how many."""
    mine = {"of_provider": pair.provider, "of_key": pair.key}
    if verbs is None:
        return tx.execute(_CLOSE_ALL, mine).rowcount
    return tx.execute(_CLOSE_ALL.where(intent.c.verb.in_([verb.value for verb in verbs])), mine).rowcount


def close_provider_intents(tx: Transaction, provider: str, verbs: Collection[Verb]) -> int:
    """Close all intents of these verbs at one provider: after a restore of the state they explain nothing any more."""
    chosen = (intent.c.provider == provider, intent.c.verb.in_([verb.value for verb in verbs]))
    return tx.execute(intent.delete().where(*chosen)).rowcount


def forget_fields(tx: Transaction, provider: str, names: Collection[str]) -> None:
    """Fields that are mapped to another column now: what was sent from the old one explains nothing any more. A lost
    create is recognised by all that it sent, so it keeps that."""
    others = sa.or_(intent.c.verb != Verb.CREATE.value, ~IS_OPEN)
    for found in tx.execute(sa.select(intent.c.id, intent.c.fields).where(intent.c.provider == provider, others)).all():
        kept = {name: sent for name, sent in found.fields.items() if name not in names}
        if len(kept) < len(found.fields):
            tx.execute(intent.update().where(intent.c.id == found.id).values(fields=kept))


def adrift(tx: Transaction, provider: str, epoch: int, until: datetime) -> int:
    """Let the writes settle from now on that another epoch left under way: nobody knows when their requests were sent,
    for one may have waited for its pace long after its intent was opened. One whose request has ended has its own
    time already."""
    left = (intent.c.epoch != epoch, intent.c.note == "", intent.c.verb.in_(REQUESTS), IS_OPEN)
    values = {"settle_until": until, "note": ENDED}
    return tx.execute(intent.update().where(intent.c.provider == provider, *left).values(values)).rowcount


def ended(tx: Transaction, intent_id: int, until: datetime) -> bool:
    """The request of a write has ended, and nobody knows how: from here on it settles until then."""
    values = {"settle_until": until, "note": ENDED}
    return tx.execute(intent.update().where(intent.c.id == intent_id).values(values)).rowcount == 1


def settle_anew(tx: Transaction, provider: str, until: datetime) -> int:
    """Let all open intents of a provider settle once more from now on."""
    return tx.execute(intent.update().where(intent.c.provider == provider, IS_OPEN).values(settle_until=until)).rowcount


def confirmable(tx: Transaction, provider: str, now: datetime, limit: int) -> list[Pair]:
    """Pairs whose last write may now be read once more to see what was really stored, longest settled first."""
    query = (
        sa.select(intent.c.customer_key)
        .where(intent.c.provider == provider, intent.c.stage == Stage.CONFIRM.value, intent.c.settle_until <= now)
        .group_by(intent.c.customer_key)
        .order_by(sa.func.min(intent.c.settle_until), intent.c.customer_key)
        .limit(limit)
    )
    return [Pair(provider, key) for key in tx.execute(query).scalars()]


def insert_intents(tx: Transaction, provider: str) -> list[Intent]:
    """All source inserts under way for remotes of this provider, oldest first."""
    query = sa.select(intent).where(intent.c.provider == provider, intent.c.verb == Verb.INSERT.value)
    return [_intent(row) for row in tx.execute(query.order_by(intent.c.id))]


def bury(  # noqa: PLR0913, PLR0917  (one argument a column)
    tx: Transaction, state_key: bytes, provider: str, external_id: str | None, key: str, how: str, at: datetime
) -> None:
    """Leave a tombstone: only keyed digests of the external id and of the customer's key, how it went, and when."""
    external = None if external_id is None else _external(state_key, provider, external_id)
    own = _own(state_key, provider, key)
    same = tombstone.c.external_digest.is_(None) if external is None else tombstone.c.external_digest == external
    tx.execute(tombstone.delete().where(tombstone.c.provider == provider, tombstone.c.key_digest == own, same))
    row = {"provider": provider, "external_digest": external, "key_digest": own, "how": how, "at": at}
    tx.execute(tombstone.insert().values(**row))


def buried(
    tx: Transaction, state_key: bytes, provider: str, external_id: str | None = None, key: str | None = None
) -> bool:
    """Whether this external id or this customer's key lies under a tombstone of the provider."""
    return tx.execute(_BURIED, _graves(state_key, provider, external_id, key)).first() is not None


def buried_ids(tx: Transaction, state_key: bytes, provider: str, external_ids: Sequence[str]) -> set[str]:
    """Those of many external ids that lie under a tombstone: one query for a scan's page."""
    by_digest = {_external(state_key, provider, external_id): external_id for external_id in external_ids}
    column = tombstone.c.external_digest
    query = sa.select(column).where(tombstone.c.provider == provider, column.in_(list(by_digest)))
    return {by_digest[found] for found in tx.execute(query).scalars()}


def exhume(
    tx: Transaction, state_key: bytes, provider: str, external_id: str | None = None, key: str | None = None
) -> int:
    """Remove the tombstone of this external id, and let this key live again: a person, or a row that came back, says
    so. Another record that was buried under the key stays buried. Answers how many tombstones changed."""
    graves = _graves(state_key, provider, external_id, key)
    return tx.execute(_EXHUME, graves).rowcount + tx.execute(_FREE_KEY, graves).rowcount


def _graves(state_key: bytes, provider: str, external_id: str | None, key: str | None) -> dict[str, str | None]:
    return {
        "of_external": None if external_id is None else _external(state_key, provider, external_id),
        "of_key": None if key is None else _own(state_key, provider, key),
    }


def _external(state_key: bytes, provider: str, external_id: str) -> str:
    return keyed(state_key, "external id", provider, external_id)


def _own(state_key: bytes, provider: str, key: str) -> str:
    return keyed(state_key, "customer key", provider, key)


def _stored(fields: Mapping[str, Sent]) -> dict[str, list[str | None]]:
    field_names(fields)
    digests(digest for sent in fields.values() for digest in (sent.before, sent.sent))
    return {name: [sent.before, sent.sent] for name, sent in fields.items()}


def _intent(row: sa.Row[Any]) -> Intent:
    return Intent(
        id=row.id,
        pair=Pair(row.provider, row.customer_key),
        verb=Verb(row.verb),
        stage=Stage(row.stage),
        fields={name: Sent(before, sent) for name, (before, sent) in row.fields.items()},
        epoch=row.epoch,
        at=row.at,
        settle_until=row.settle_until,
        note=row.note,
    )

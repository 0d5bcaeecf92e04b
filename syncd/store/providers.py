"""A provider's whole share of the state: renamed, or removed.

Digests are made over the provider's name and cannot be made anew without the values. So a renamed provider keeps
the old name inside its digests (`keys.digest_name`): bases, intents and tombstones stay readable. Another provider that
takes the free name later gets a digest name of its own, `billbee†7`, so that it never finds the renamed one's bases.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

import sqlalchemy as sa

from syncd.core.model import Verb, former
from syncd.store import schema
from syncd.store.keys import DIGESTS, GRAVES, digest_name, grave_names
from syncd.store.leases import moment_of
from syncd.store.progress import meta, set_meta
from syncd.store.schema import Transaction
from syncd.store.work import next_generation

FORGOTTEN = "forgotten"
REMATCH = "rematch:"  # before a provider's name: since when (in seconds) nothing is created before a match report
_BY_PROVIDER: Sequence[sa.Table] = (
    schema.mapping,
    schema.work,
    schema.intent,
    schema.tombstone,
    schema.review,
    schema.event,
    schema.budget,
    schema.provider_state,
)
_NAMED: Sequence[sa.Table] = (schema.cursor, schema.meta, schema.lease)
_SHARED = frozenset({"verify:at", "verify:source", "verify:step"})  # names of the installation, not of a provider


def linked(tx: Transaction) -> dict[str, int]:
    """How many pairs each provider in the state has."""
    table = schema.provider_state
    total = sum((table.c[name.name] for name in table.c if name.name.startswith("n_")), start=sa.literal(0))
    return {row.provider: int(row.pairs) for row in tx.execute(sa.select(table.c.provider, total.label("pairs")))}


def vanished(tx: Transaction, configured: Collection[str]) -> dict[str, int]:
    """Providers that have pairs in the state and are not in the settings, with how many."""
    return {name: pairs for name, pairs in linked(tx).items() if name not in configured and pairs}


def counts(tx: Transaction, provider: str) -> dict[str, int]:
    """How many rows one provider has, by table; tables without any are left out. `linked`: the links with an external
    id; `insert`: new source rows under way."""
    found = {table.name: _count(tx, table, table.c.provider == provider) for table in _BY_PROVIDER}
    held = schema.mapping.c.external_id.is_not(None)
    found["linked"] = _count(tx, schema.mapping, schema.mapping.c.provider == provider, held)
    inserts = schema.intent.c.verb == Verb.INSERT.value
    found["insert"] = _count(tx, schema.intent, schema.intent.c.provider == provider, inserts)
    return {name: number for name, number in found.items() if number}


def rename(tx: Transaction, old: str, new: str) -> None:
    """Give all rows of `old` to `new`, digests included. The state must not know `new` (`remove` sees to that).

    The old name waits for a match report from now on: where the settings still have it at the next start, each customer
    would get a second record.
    """
    lying = grave_names(tx, new) if _count(tx, schema.tombstone, schema.tombstone.c.provider == new) else ()
    lying = (*lying, *grave_names(tx, old)[1:])
    tx.execute(schema.meta.delete().where(schema.meta.c.name.in_([REMATCH + new, GRAVES + old, GRAVES + new])))
    for table in _BY_PROVIDER:
        tx.execute(table.update().where(table.c.provider == old).values(provider=new))
    kept = digest_name(tx, old)
    for table, name in _names(tx, old):
        head, _, rest = name.partition(":")
        moved = ":".join([head, new, *rest.split(":")[1:]])
        tx.execute(table.update().where(table.c.name == name).values(name=moved))
    set_meta(tx, DIGESTS + new, kept)
    if further := sorted({*lying} - {kept}):
        set_meta(tx, GRAVES + new, json.dumps(further))
    set_meta(tx, DIGESTS + old, former(old, next_generation(tx)))
    ask_for_report(tx, old)


def remove(tx: Transaction, provider: str) -> None:
    """Forget a provider: links, due pairs, intents, questions, events, counts and positions.

    Tombstones of erased persons stay, since they are digests alone: a provider that is added later under this name must
    not bring an erased person back. It must get no second records either: where pairs are forgotten, that provider
    waits for a match report, with `create = "always"`, too.
    """
    known = linked(tx).get(provider, 0) or meta(tx, REMATCH + provider)
    for table in _BY_PROVIDER:
        mine = table.c.provider == provider
        if table is schema.tombstone:
            mine = sa.and_(mine, schema.tombstone.c.how != FORGOTTEN)
        tx.execute(table.delete().where(mine))
    for table, name in _names(tx, provider):
        tx.execute(table.delete().where(table.c.name == name))
    if known:
        ask_for_report(tx, provider)


def ask_for_report(tx: Transaction, provider: str) -> None:
    """Create nothing at this provider before a match report is accepted that is younger than this moment: an older one
    calls customers new whose records were made since."""
    set_meta(tx, REMATCH + provider, str(int(moment_of(tx))))


def is_outdated(tx: Transaction, provider: str, written: float) -> bool:
    """Whether a match report that was written at this moment (seconds since 1970) is older than the loss of links that
    asks for one."""
    return written < int(meta(tx, REMATCH + provider) or 0)


def _names(tx: Transaction, provider: str) -> list[tuple[sa.Table, str]]:
    """Rows whose name holds the provider's: `scan:billbee:at`, `lane:billbee`."""
    return [
        (table, name)
        for table in _NAMED
        for name in tx.execute(sa.select(table.c.name).where(table.c.name.contains(f":{provider}", autoescape=True)))
        .scalars()
        .all()
        if name not in _SHARED and not name.startswith((DIGESTS, GRAVES)) and name.split(":")[1:2] == [provider]
    ]


def _count(tx: Transaction, table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
    return int(tx.execute(sa.select(sa.func.count()).select_from(table).where(*where)).scalar_one())

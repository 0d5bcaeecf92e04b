"""The state under another key. Every digest whose value could be read is made anew under the new key. Any other digest
is replaced by one that no value has: that side differs from the base, as it did before.

Tombstones stay under the old key, because they cannot be made anew without the ids.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from syncd.core.model import Stage
from syncd.store import schema
from syncd.store.copying import contents
from syncd.store.keys import FINGERPRINT, OLDER, REPLACED, fingerprint, keyed, older_needed
from syncd.store.progress import set_meta
from syncd.store.schema import Transaction

CHUNK = 500  # rows of one UPDATE
_HOLDERS = ((schema.mapping, "base"), (schema.intent, "fields"), (schema.review, "fields"))
_DIGEST = re.compile(r"[0-9a-f]{32}")


def looked_over(tx: Transaction) -> dict[str, tuple[int, str]]:
    """Counts and checksums of the tables that hold digests: these tables must not change between reading and
    rekeying."""
    found = contents(tx)
    return {name: found[name] for name in (*(table.name for table, _ in _HOLDERS), "tombstone")}


def unconfirmed(tx: Transaction) -> int:
    """How many writes have an unknown outcome."""
    query = sa.select(sa.func.count()).select_from(schema.intent).where(schema.intent.c.stage == Stage.OPEN.value)
    return int(tx.execute(query).scalar_one())


def rekey(tx: Transaction, old: bytes, new: bytes, known: Mapping[str, str]) -> int:
    """Write the state under `new`; `known` maps old digests to new ones. Answers for how many digests of bases no value
    was read: a person edited these fields on one side."""
    lost = 0
    for table, column in _HOLDERS:
        identity = list(table.primary_key.columns)
        rows = tx.execute(sa.select(*identity, table.c[column])).all()
        statement = table.update().where(*(each == sa.bindparam(f"of_{each.name}") for each in identity))
        statement = statement.values({column: sa.bindparam("made")})
        changed = []
        for *names, held in rows:
            made, missed = _anew(held, new, known)
            lost += missed if table is schema.mapping else 0
            changed.append({f"of_{c.name}": name for c, name in zip(identity, names, strict=True)} | {"made": made})
        for start in range(0, len(changed), CHUNK):
            tx.execute(statement, changed[start : start + CHUNK])
    if lost:
        tx.execute(schema.mapping.update().values(version=None))  # a record that is as it was says nothing of these
    if tx.execute(sa.select(schema.tombstone.c.id).limit(1)).first() is not None:
        set_meta(tx, OLDER, json.dumps(sorted({*older_needed(tx), fingerprint(old)})))
    set_meta(tx, REPLACED, fingerprint(old))
    set_meta(tx, FINGERPRINT, fingerprint(new))
    return lost


def _anew(held: Any, new: bytes, known: Mapping[str, str]) -> tuple[Any, int]:
    """The JSON with digests under the new key, and how many digests have no known value."""
    if isinstance(held, str) and _DIGEST.fullmatch(held):
        return known.get(held) or keyed(new, "no value", held), int(held not in known)
    if isinstance(held, dict):
        made = {name: _anew(each, new, known) for name, each in held.items()}
        return {name: value for name, (value, _) in made.items()}, sum(missed for _, missed in made.values())
    if isinstance(held, list):  # the digests agreed earlier: their values are unknown, so they are dropped
        parts = [_anew(each, new, known) for each in held if not isinstance(each, list)]
        return [value for value, _ in parts], sum(missed for _, missed in parts)
    return held, 0

"""Tombstones: customers and records that must not come back unless a person says so, as keyed digests alone.

Before a look or a scan creates, links or takes in a customer, it asks for tombstones. A tombstone cannot be made anew
under another state key without the ids, so the keys that `syncd db rekey` replaced still find older tombstones: `keys`
is the state key, or the state key and the older keys behind it. To *bury* is to leave a tombstone, to *exhume* is to
delete one; a record *carries* our key, so a tombstone for carriers is one for the records under a key of ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from syncd.store.keys import digest_name, grave_names, keyed
from syncd.store.schema import Transaction, tombstone

Keys = bytes | tuple[bytes, ...]

# The provider is in the digests; asking for its column too would hide the index of the other digest.
_GRAVES = sa.or_(
    tombstone.c.external_digest.in_(sa.bindparam("of_external", expanding=True)),
    tombstone.c.key_digest.in_(sa.bindparam("of_key", expanding=True)),
)
_BURIED = sa.select(tombstone.c.id).where(_GRAVES).limit(1)
_BURIED_IDS, _BURIED_KEYS = (
    sa.select(column, tombstone.c.how).where(
        tombstone.c.provider == sa.bindparam("of_provider"), column.in_(sa.bindparam("chosen", expanding=True))
    )
    for column in (tombstone.c.external_digest, tombstone.c.key_digest)
)
_EXHUME = tombstone.delete().where(
    sa.or_(
        tombstone.c.external_digest.in_(sa.bindparam("of_external", expanding=True)),
        sa.and_(
            tombstone.c.external_digest.is_(None),
            tombstone.c.key_digest.in_(sa.bindparam("of_key", expanding=True)),
        ),
    )
)
_FREE_KEY = (
    tombstone.update().where(tombstone.c.key_digest.in_(sa.bindparam("of_key", expanding=True))).values(key_digest="")
)


def bury(  # noqa: PLR0913, PLR0917  (one argument a column)
    tx: Transaction, keys: Keys, provider: str, external_id: str | None, key: str | None, how: str, at: datetime
) -> None:
    """Leave a tombstone: keyed digests of the external id and of the customer's key, how it was removed, and when.

    Without a key the tombstone is for the record alone: no scan takes the record in, and the customer lives on.
    """
    names = grave_names(tx, provider)
    present, name = _all(keys)[0], names[0]
    external = None if external_id is None else _external(present, name, external_id)
    own = "" if key is None else _own(present, name, key)
    graves = _graves(keys, names, external_id, key)
    same = tombstone.c.external_digest.is_(None)
    if external_id is not None:
        same = tombstone.c.external_digest.in_(graves["of_external"])
    mine = tombstone.c.key_digest.in_(graves["of_key"] or [""])
    tx.execute(tombstone.delete().where(tombstone.c.provider == provider, mine, same))
    row = {"provider": provider, "external_digest": external, "key_digest": own, "how": how, "at": at}
    tx.execute(tombstone.insert().values(**row))


def bury_carriers(tx: Transaction, keys: Keys, provider: str, our_key: str, how: str, at: datetime) -> None:
    """Leave a tombstone for every record that carries this key of ours, now or later: the external id of a record that
    a lost create makes is unknown."""
    of_all = _carriers(_all(keys), grave_names(tx, provider), our_key)
    tx.execute(tombstone.delete().where(tombstone.c.provider == provider, tombstone.c.external_digest.in_(of_all)))
    row = {"provider": provider, "external_digest": of_all[0], "key_digest": "", "how": how, "at": at}
    tx.execute(tombstone.insert().values(**row))


def buried(
    tx: Transaction,
    keys: Keys,
    provider: str,
    external_id: str | None = None,
    key: str | None = None,
    our_key: str | None = None,
) -> bool:
    """Whether the provider has a tombstone for this external id, this customer's key, or records that carry this key of
    ours."""
    names = grave_names(tx, provider)
    graves = _graves(keys, names, external_id, key)
    if our_key is not None:
        graves["of_external"] += _carriers(_all(keys), names, our_key)
    return tx.execute(_BURIED, graves).first() is not None


def buried_ids(tx: Transaction, keys: Keys, provider: str, external_ids: Sequence[str]) -> set[str]:
    """The external ids among these that have a tombstone; one query for a page of a scan."""
    return set(_buried_ids(tx, keys, provider, digest_name(tx, provider), external_ids))


def buried_keys(tx: Transaction, keys: Keys, provider: str, customers: Sequence[str]) -> dict[str, frozenset[str]]:
    """The customers among these whose keys have a tombstone, and how each was removed."""
    return _buried_keys(tx, keys, provider, grave_names(tx, provider) if customers else (), customers)


def buried_carriers(tx: Transaction, keys: Keys, provider: str, our_keys: Sequence[str]) -> dict[str, frozenset[str]]:
    """The keys of ours among these whose records have a tombstone, and how each was removed."""
    names = grave_names(tx, provider) if our_keys else ()
    by_digest = {digest: our_key for our_key in our_keys for digest in _carriers(_all(keys), names, our_key)}
    return _lying(tx, _BURIED_IDS, provider, by_digest)


def _buried_ids(
    tx: Transaction, keys: Keys, provider: str, name: str, external_ids: Sequence[str]
) -> dict[str, frozenset[str]]:
    by_digest = {_external(each, name, external_id): external_id for each in _all(keys) for external_id in external_ids}
    return _lying(tx, _BURIED_IDS, provider, by_digest)


def _buried_keys(
    tx: Transaction, keys: Keys, provider: str, names: Sequence[str], customers: Sequence[str]
) -> dict[str, frozenset[str]]:
    by_digest = {own: customer for customer in customers for own in _owns(_all(keys), names, customer)}
    return _lying(tx, _BURIED_KEYS, provider, by_digest)


def _lying(
    tx: Transaction, query: sa.Select[Any], provider: str, by_digest: Mapping[str, str]
) -> dict[str, frozenset[str]]:
    found = dict[str, frozenset[str]]()
    if by_digest:
        for digest, how in tx.execute(query, {"of_provider": provider, "chosen": list(by_digest)}):
            found[by_digest[digest]] = found.get(by_digest[digest], frozenset()) | {how}
    return found


def exhume(tx: Transaction, keys: Keys, provider: str, external_id: str | None = None, key: str | None = None) -> int:
    """Delete the tombstone of this external id, and free this customer's key from tombstones: a person, or a row that
    came back, says so. Tombstones of other records under the key stay. Answers how many tombstones changed."""
    graves = _graves(keys, grave_names(tx, provider), external_id, key)
    return tx.execute(_EXHUME, graves).rowcount + tx.execute(_FREE_KEY, graves).rowcount


def exhume_all(tx: Transaction, keys: Keys, provider: str, living: Mapping[str, str]) -> None:
    """`exhume` for many: external id to customer key."""
    if not living:
        return
    names = grave_names(tx, provider)
    ids = _buried_ids(tx, keys, provider, names[0], list(living))
    customers = _buried_keys(tx, keys, provider, names, list(living.values()))
    for external_id, key in living.items():
        if external_id in ids or key in customers:
            exhume(tx, keys, provider, external_id, key)


def follow(tx: Transaction, keys: Keys, provider: str, old: str, new: str) -> None:
    """An unlinked customer got another key: the tombstone of the old key holds for the new key too, so that a person is
    asked before a create. Example: customer 1 was forgotten, the record stays at the provider, and the row gets the key
    2."""
    names = grave_names(tx, provider)
    under = tombstone.c.key_digest.in_(_owns(_all(keys), names, old))
    moved = tombstone.update().where(tombstone.c.provider == provider, under)
    tx.execute(moved.values(key_digest=_own(_all(keys)[0], names[0], new)))


def _all(keys: Keys) -> tuple[bytes, ...]:
    return (keys,) if isinstance(keys, bytes) else keys


def _graves(keys: Keys, names: Sequence[str], external_id: str | None, key: str | None) -> dict[str, list[str]]:
    """The digests to look for; None gives no digest. An external id counts under the present name alone: under a name
    that another account had, the same id is another record."""
    return {
        "of_external": [] if external_id is None else [_external(each, names[0], external_id) for each in _all(keys)],
        "of_key": [] if key is None else _owns(_all(keys), names, key),
    }


def _owns(keys: Sequence[bytes], names: Sequence[str], key: str) -> list[str]:
    return [_own(each, name, key) for each in keys for name in names]


def _carriers(keys: Sequence[bytes], names: Sequence[str], our_key: str) -> list[str]:
    return [keyed(each, "our key", name, our_key) for each in keys for name in names]


def _external(state_key: bytes, provider: str, external_id: str) -> str:
    return keyed(state_key, "external id", provider, external_id)


def _own(state_key: bytes, provider: str, key: str) -> str:
    return keyed(state_key, "customer key", provider, key)

"""The state key: the secret under which every digest in the state is made.

Without the key no digest can be turned back into a postal code by trying all of them, so the key never lies in the
database itself. A state that is opened with another key knows no base any more: that is noticed and refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import sqlalchemy as sa

from syncd.errors import SafetyStop
from syncd.store import schema
from syncd.store.schema import Transaction

FINGERPRINT = "state-key"
OLDER = "state-key:older"  # JSON: fingerprints of replaced keys under which tombstones lie
REPLACED = "state-key:replaced"  # the fingerprint of the key that was replaced last
DIGESTS = "digests:"
"""The facts that name a provider's digests, where that is not the provider's name: `digests:billbee-at` = `billbee`."""
GRAVES = "graves:"
"""The facts with further names (JSON) inside digests of a provider's tombstones: who was erased under a name that a
rename then gave to another's rows stays erased."""
_NAMES = sa.select(schema.meta.c.name, schema.meta.c.value).where(
    schema.meta.c.name.in_(sa.bindparam("of_names", expanding=True))
)
_NAMED = sa.select(schema.meta.c.value).where(schema.meta.c.name == sa.bindparam("of_name"))


def keyed(key: bytes, *parts: str) -> str:
    """A keyed digest of all parts, 32 hexadecimal characters; two different lists of parts never give one digest."""
    digest = hashlib.blake2b(key=hashlib.sha256(key).digest(), digest_size=16, person=b"syncd-store")
    for part in parts:
        text = part.encode("utf-8", "surrogatepass")
        digest.update(len(text).to_bytes(8, "big") + text)
    return digest.hexdigest()


def digest_name(tx: Transaction, provider: str) -> str:
    """The provider's name inside digests: its present name, or the name under which the state first met it."""
    return tx.execute(_NAMED, {"of_name": DIGESTS + provider}).scalar_one_or_none() or provider


def grave_names(tx: Transaction, provider: str) -> tuple[str, ...]:
    """The names inside digests of the tombstones of a provider: first `digest_name`, which new tombstones get; one
    query."""
    rows = tx.execute(_NAMES, {"of_names": [DIGESTS + provider, GRAVES + provider]}).all()
    found = {row.name: row.value for row in rows}
    return (found.get(DIGESTS + provider) or provider, *json.loads(found.get(GRAVES + provider) or "[]"))


def digest_names(tx: Transaction) -> dict[str, str]:
    """`digest_name` of every renamed provider."""
    query = sa.select(schema.meta.c.name, schema.meta.c.value).where(schema.meta.c.name.startswith(DIGESTS))
    return {row.name.removeprefix(DIGESTS): row.value for row in tx.execute(query)}


def check_key(tx: Transaction, key: bytes, older: Sequence[bytes] = (), *, remember: bool = True) -> None:
    """Raise `SafetyStop` where the state was written under another key, or holds tombstones made under an older key
    that is not given. With `remember`, a new state is bound to this key."""
    found = _meta(tx, FINGERPRINT)
    if not found and remember:
        tx.execute(schema.meta.insert().values(name=FINGERPRINT, value=fingerprint(key), number=0))
    elif found not in {"", fingerprint(key)} and _meta(tx, REPLACED) == fingerprint(key):
        raise SafetyStop(
            "[state] key is the one that `syncd db rekey` replaced",
            remedy="set [state] key to the new one, and name this one in older_keys",
        )
    elif found not in {"", fingerprint(key)}:
        raise SafetyStop(
            "the state was written under another key: no base and no tombstone can be read",
            remedy="configure the old key; if it is lost, syncd recover",
        )
    if missing := len(older_needed(tx) - {fingerprint(each) for each in older}):
        raise SafetyStop(
            f"[state] older_keys lacks {missing} of the keys that `syncd db rekey` replaced: who was erased or removed "
            "under them would not be recognised",
            remedy="name them there; if they are lost, syncd recover",
        )


def older_needed(tx: Transaction) -> set[str]:
    """The fingerprints of the replaced keys under which tombstones lie."""
    return set(json.loads(_meta(tx, OLDER) or "[]"))


def key_is_known(tx: Transaction, key: bytes, older: Sequence[bytes] = ()) -> bool:
    """Whether the state was written under this key, or under none yet, and every older key that it needs is given."""
    known = _meta(tx, FINGERPRINT) in {"", fingerprint(key)}
    return known and older_needed(tx) <= {fingerprint(each) for each in older}


def fingerprint(key: bytes) -> str:
    """A digest that recognises the key without revealing it; the state stores it."""
    return keyed(key, FINGERPRINT)


def _meta(tx: Transaction, name: str) -> str:
    table = schema.meta
    return tx.execute(sa.select(table.c.value).where(table.c.name == name)).scalar_one_or_none() or ""


def replace_key(tx: Transaction, key: bytes) -> None:
    """Go on under `key` after the state key was lost: forget every base and every digest of an intent, keep the links.
    Where only older keys are lost, nothing is forgotten.

    Tombstones made under a lost key cannot be found any more.
    """
    if _meta(tx, FINGERPRINT) != fingerprint(key):
        tx.execute(schema.mapping.update().values(base={}, version=None))
        tx.execute(schema.intent.update().values(fields={}))
    tx.execute(schema.meta.delete().where(schema.meta.c.name.in_([FINGERPRINT, OLDER, REPLACED])))
    check_key(tx, key)

"""The state key: the secret under which every digest in the state is made.

Without it a digest cannot be turned back into a postal code by trying all of them, so it never lies in the database
itself. A state that meets another key than its own knows no base any more: that must be noticed, not computed with.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

import sqlalchemy as sa

from syncd.errors import Problem, SafetyStop, SettingsError
from syncd.store import schema
from syncd.store.schema import Transaction

_FINGERPRINT = "state-key"
DIGESTS = "digests:"
"""The facts that name a provider's digests, where that is not the provider's name: `digests:billbee-at` = `billbee`."""
_NAMED = sa.select(schema.meta.c.value).where(schema.meta.c.name == sa.bindparam("of_name"))


def key_beside(state: Path) -> bytes:
    """The key in `<state>.key`, made once with mode 0600 when there is none.

    The file appears whole or not at all, so that of two processes that start together both use the same key.
    """
    path = state.with_name(state.name + ".key")
    if not path.exists():
        draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_hex(32).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            _publish(draft, path)
        finally:
            draft.unlink()
    key = _private(path).strip()
    if len(key) < 32:
        raise SettingsError([Problem(str(path), "is no state key of 32 characters or more", "restore it")])
    return key


def _private(path: Path) -> bytes:
    """The key's file, opened before it is judged. Raises SettingsError for a link, and where others may read it: with
    the key, a digest is turned back into a postal code in a second."""
    if path.is_symlink():
        raise SettingsError([Problem(str(path), "is a symbolic link", "put the file itself in its place")])
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            raise SettingsError([Problem(str(path), "can be read by others", f"run: chmod 0600 {path}")])
        return file.read()


def _publish(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)
    except FileExistsError:
        return  # another process was first; its key counts


def keyed(key: bytes, *parts: str) -> str:
    """32 hexadecimal characters over all parts; no two lists of parts run into each other."""
    digest = hashlib.blake2b(key=hashlib.sha256(key).digest(), digest_size=16, person=b"syncd-store")
    for part in parts:
        text = part.encode("utf-8", "surrogatepass")
        digest.update(len(text).to_bytes(8, "big") + text)
    return digest.hexdigest()


def digest_name(tx: Transaction, provider: str) -> str:
    """The name that stands for a provider inside digests: its own, or the one it had when the state first met it."""
    return tx.execute(_NAMED, {"of_name": DIGESTS + provider}).scalar_one_or_none() or provider


def digest_names(tx: Transaction) -> dict[str, str]:
    """`digest_name` of every provider for which it is another than its own."""
    query = sa.select(schema.meta.c.name, schema.meta.c.value).where(schema.meta.c.name.startswith(DIGESTS))
    return {row.name.removeprefix(DIGESTS): row.value for row in tx.execute(query)}


def check_key(tx: Transaction, key: bytes, *, remember: bool = True) -> None:
    """Raise `SafetyStop` when the state was written under another key; the first caller sets it if he may."""
    expected = keyed(key, _FINGERPRINT)
    table = schema.meta
    found = tx.execute(sa.select(table.c.value).where(table.c.name == _FINGERPRINT)).scalar_one_or_none()
    if found is None and remember:
        tx.execute(table.insert().values(name=_FINGERPRINT, value=expected, number=0))
    elif found not in {None, expected}:
        raise SafetyStop(
            "the state was written under another key: no base and no tombstone can be read",
            remedy="configure the old key; if it is lost, syncd recover",
        )


def key_is_known(tx: Transaction, key: bytes) -> bool:
    """Whether the state was written under this key, or under none yet."""
    table = schema.meta
    found = tx.execute(sa.select(table.c.value).where(table.c.name == _FINGERPRINT)).scalar_one_or_none()
    return found in {None, keyed(key, _FINGERPRINT)}


def replace_key(tx: Transaction, key: bytes) -> None:
    """The old key is lost: forget every base and every digest of an intent, keep the links, go on under `key`.

    Tombstones cannot be read any more; they stay for the record only.
    """
    tx.execute(schema.mapping.update().values(base={}, version=None))
    tx.execute(schema.intent.update().values(fields={}))
    tx.execute(schema.meta.delete().where(schema.meta.c.name == _FINGERPRINT))
    check_key(tx, key)

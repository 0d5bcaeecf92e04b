"""The state key beside a SQLite state, where the settings name none: `<state>.key`, and after `syncd db rekey` also
`<state>.key.older`, one replaced key a line, the latest first.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from pathlib import Path

from syncd.errors import Problem, SettingsError
from syncd.store.keys import FINGERPRINT, fingerprint


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


def older_beside(state: Path) -> tuple[bytes, ...]:
    """The replaced keys, which only find tombstones."""
    path = _older(state)
    return tuple(_private(path).split()) if path.exists() else ()


def new_key_beside(state: Path) -> bytes:
    """A new key, durable in `<state>.key.new` before any digest is made under it."""
    key = secrets.token_hex(32).encode()
    _write(_new(state), key)
    return key


def settle_key_files(state: Path) -> None:
    """End a change of the key that was interrupted: where the state is written under the key in `<state>.key.new`
    already, that key counts from now on. Otherwise state and key stay as they were."""
    new, present = _new(state), state.with_name(f"{state.name}.key")
    if not (new.exists() and present.exists()) or _written_under(state) != fingerprint(_private(new).strip()):
        return
    replaced = _private(present).strip()
    _write(_older(state), b"\n".join(dict.fromkeys((replaced, *older_beside(state)))))
    new.replace(present)


def _written_under(state: Path) -> str:
    """The fingerprint of the key of this state; "" where it cannot be read."""
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(state)) as file:
        found = file.execute("SELECT value FROM meta WHERE name = ?", (FINGERPRINT,)).fetchone()
        return str(found[0]) if found else ""
    return ""


def _new(state: Path) -> Path:
    return state.with_name(f"{state.name}.key.new")


def _older(state: Path) -> Path:
    return state.with_name(f"{state.name}.key.older")


def _write(path: Path, content: bytes) -> None:
    """The whole file or none, durable, for its owner alone."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content + b"\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)

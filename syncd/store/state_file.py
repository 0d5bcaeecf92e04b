"""The checks on the file of a SQLite state before it is opened: it must hold a state, and be its owner's alone."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from syncd.errors import Problem, SettingsError

FOREIGN = ("names a database that is not a state of syncd", "give the state a file of its own")


def wrong(reason: str, remedy: str) -> SettingsError:
    """A problem of `[state] url`."""
    return SettingsError([Problem("[state] url", reason, remedy)])


def refuse_open_file(path: Path) -> None:
    """Make the file where there is none. Raises SettingsError for a symbolic link, and where other users may read or
    write the file: it holds keys, external ids and messages of providers."""
    if path.is_symlink():
        raise wrong(f"is a symbolic link: {path}", f"name the file itself: {path.resolve()}")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    mode = os.fstat(descriptor).st_mode
    os.close(descriptor)
    if mode & 0o077:
        _refuse_foreign(path)  # first: the remedy below must not be given for the shop's own database
        raise wrong(f"can be read by others: {path}", f"run: chmod 0600 {path}")


def _refuse_foreign(path: Path) -> None:
    """Raise SettingsError for a database whose tables are not those of a state. An unreadable file passes here, and
    fails when it is opened."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as file:
            found = {name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error:
        return
    if found and "alembic_version" not in found:
        raise wrong(*FOREIGN)

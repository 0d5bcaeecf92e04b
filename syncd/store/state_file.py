"""The file of a state on SQLite, judged before it is opened: is it ours, and ours alone."""

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
    """Make the file where there is none. Raises SettingsError for a link, and where others may read or write it: keys,
    external ids and the words of providers stand in it."""
    if path.is_symlink():
        raise wrong(f"is a symbolic link: {path}", f"name the file itself: {path.resolve()}")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    mode = os.fstat(descriptor).st_mode
    os.close(descriptor)
    if mode & 0o077:
        _refuse_foreign(path)  # first: nobody is to take the rights of the shop's application away
        raise wrong(f"can be read by others: {path}", f"run: chmod 0600 {path}")


def _refuse_foreign(path: Path) -> None:
    """Raise SettingsError for a database with tables that are not those of a state; what cannot be read is left."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as file:
            found = {name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error:
        return
    if found and "alembic_version" not in found:
        raise wrong(*FOREIGN)

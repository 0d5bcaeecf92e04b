"""Bells: an idle daemon hears of a commit at once and need not wait for its next poll.

A bell promises nothing: it may ring without a commit and may miss one. The poll finds every change, and a bell only
makes it come earlier. A new bell rings once, for commits since the last poll. What rings:

| source | how | cost |
| --- | --- | --- |
| SQLite, WAL | `PRAGMA data_version` every 20 ms, which takes no lock that a writer waits for | about 0.1 % of a core |
| SQLite, rollback journal | the file's time of change every 20 ms, since the pragma would lock the file | less |
| PostgreSQL | LISTEN on one connection of its own; the trigger notifies (`ddl_postgresql`) | one connection |
| PostgreSQL behind a pooler | nothing: a pooler in transaction mode hands the LISTEN to somebody else | none |
| MariaDB, MySQL, a timestamp column | nothing: they cannot notify | none |

A pooler is recognised by the process id: PgBouncer makes up the one that it sends at the start of a session, so that
`pg_backend_pid()` names another (PgBouncer 1.x, "cancel key").
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

import sqlalchemy as sa

from syncd.errors import SourceUnreachable
from syncd.source.database import Source
from syncd.source.ddl_postgresql import CHANNEL
from syncd.source.failures import translated

TICK = 0.02  # seconds between two checks of a SQLite file

Wait = Callable[[float], bool]
"""Wait at most so many seconds; True as soon as the change log may hold new marks."""


@contextmanager
def bell(source: Source, stop: Event) -> Iterator[Wait]:
    """A bell: its `Wait` answers True where the log has new rows, until `stop` is set. Raises SourceUnreachable where
    the connection is lost."""
    if source.config.change_log == "updated_at" or source.dialect == "mysql":
        yield _deaf(stop)
        return
    with translated(), source.engine.connect() as conn:
        yield _sqlite(source, conn, stop) if source.dialect == "sqlite" else _postgresql(source, conn, stop)


def _deaf(stop: Event) -> Wait:
    def wait(seconds: float) -> bool:
        stop.wait(seconds)
        return False

    return wait


def _sqlite(source: Source, conn: sa.Connection, stop: Event) -> Wait:
    raw: Any = conn.connection.driver_connection
    path = source.engine.url.database or ""
    if not os.path.isfile(path):
        return _deaf(stop)
    wal = raw.execute("PRAGMA journal_mode").fetchone()[0] == "wal"

    def version() -> object:
        if wal:
            return raw.execute("PRAGMA data_version").fetchone()[0]
        shown = os.stat(path)
        return shown.st_mtime_ns, shown.st_size

    last: object = None

    def wait(seconds: float) -> bool:
        nonlocal last
        for _ in range(max(1, round(seconds / TICK))):
            now = version()
            if now != last:
                last = now
                if _logged(source, conn):
                    return True
            if stop.wait(TICK):
                return False
        return False

    return wait


def _logged(source: Source, conn: sa.Connection) -> bool:
    with conn.begin():
        return conn.execute(sa.select(source.log.c.seq).limit(1)).first() is not None


def _postgresql(source: Source, conn: sa.Connection, stop: Event) -> Wait:
    raw: Any = conn.connection.driver_connection
    conn.detach()  # a session that listens must not go back to the pool
    raw.autocommit = True
    if raw.execute("SELECT pg_backend_pid()").fetchone()[0] != raw.info.backend_pid:
        return _deaf(stop)
    raw.execute(f"LISTEN {CHANNEL}")
    lost, first = conn.dialect.loaded_dbapi.Error, True

    def wait(seconds: float) -> bool:
        nonlocal first
        if first:
            first = False
            if _logged(source, conn):
                return True
        try:
            return any(True for _ in raw.notifies(timeout=seconds, stop_after=1))
        except lost:
            raise SourceUnreachable("the connection that listens for changes was lost", remedy="syncd doctor") from None

    return wait

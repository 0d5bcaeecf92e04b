"""The one place where errors of the state database become errors of syncd.

Texts of the driver are thrown away, because PostgreSQL's DETAIL and SQLAlchemy's statement hold parameters. The error's
class, its code and the constraint's name are kept.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from syncd import tls
from syncd.errors import StateUnreachable

_DAMAGED = "restore the file from a backup, then run `syncd recover`"
_SQLITE: tuple[tuple[str, str, str], ...] = (
    ("SQLITE_BUSY", "is locked by another process", "end the program that keeps it open in a transaction"),
    ("SQLITE_LOCKED", "is locked by another process", "end the program that keeps it open in a transaction"),
    ("SQLITE_FULL", "cannot grow: the disk is full", "free some space; nothing is lost meanwhile"),
    ("SQLITE_IOERR", "cannot be read or written (disk I/O)", "check the disk and its free space"),
    ("SQLITE_CORRUPT", "is damaged", _DAMAGED),
    ("SQLITE_NOTADB", "is damaged or no database at all", _DAMAGED),
    ("SQLITE_READONLY", "is read-only", "check owner and mode of the file and of its directory"),
    ("SQLITE_CANTOPEN", "cannot be opened", "check the path, owner and mode of the file and of its directory"),
)


@contextmanager
def mapped() -> Iterator[None]:
    """Turn every database error raised inside into `StateUnreachable`; errors of syncd pass."""
    try:
        yield
    except (exc.DBAPIError, exc.TimeoutError, sqlite3.Error) as error:
        raise unreachable(error) from None


def unreachable(error: exc.DBAPIError | exc.TimeoutError | sqlite3.Error) -> StateUnreachable:
    """The error without any parameter of a statement."""
    original = error.orig if isinstance(error, exc.DBAPIError) else error
    name = type(original).__name__
    if isinstance(original, sqlite3.Error):
        code = getattr(original, "sqlite_errorname", None) or ""
        for prefix, problem, remedy in _SQLITE:
            if code.startswith(prefix):
                return StateUnreachable(f"the state database {problem} ({name} {code})", remedy=remedy)
        return StateUnreachable(f"the state database failed ({name} {code})".replace(" )", ")"), remedy="syncd doctor")
    if isinstance(original, exc.TimeoutError):
        return StateUnreachable("the state database has no free connection (TimeoutError)", remedy="syncd doctor")
    state = getattr(original, "sqlstate", None)
    distrust = "" if state else tls.reason(str(original))
    if distrust:
        told = f"the state database's server is not trusted: {distrust}. No password was sent."
        remedy = "name its authority: [state.tls] ca; the host in url must be the certificate's name"
        return StateUnreachable(told, remedy=remedy)
    constraint = getattr(getattr(original, "diag", None), "constraint_name", None)
    facts = " ".join(part for part in (name, state, constraint) if part)
    if isinstance(error, exc.DBAPIError) and (error.connection_invalidated or not state):
        remedy = "check url under [state], the network and the server, then: syncd doctor"
        return StateUnreachable(f"the state database does not answer ({facts})", remedy=remedy)
    return StateUnreachable(f"the state database failed ({facts})", remedy="syncd doctor")

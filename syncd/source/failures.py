"""Classifies errors of the source database by their codes.

Drivers put values into their messages (PostgreSQL's DETAIL, MariaDB's "Duplicate entry"), so only error codes and the
names of constraints and columns leave this module.

Codes: PostgreSQL 15 manual, appendix A; MariaDB and MySQL error references; SQLite result codes (rescode.html).
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import exc

from syncd import tls
from syncd.errors import SetupNeeded, SourceUnreachable, SyncdError

INSTALL = "Run `syncd triggers install`."

_PG_BUSY = {"55P03", "57014", "40001", "40P01", "55006"}
_PG_REFUSED = {"P0001", "44000", "428C9", "55000", "0A000", "42804"}
_PG_MISSING = {"42P01", "42703", "3F000", "42883"}

_MY_BUSY = {1205, 1213, 1969, 3024, 3572}
_MY_REFUSED = {
    1048, 1062, 1136, 1169, 1216, 1217, 1264, 1265, 1288, 1292, 1364, 1366, 1369, 1393, 1394, 1406, 1411, 1423,
    1451, 1452, 1471, 1525, 1644, 1690, 1906, 3105, 3819, 4025, 4161,
}  # fmt: skip
_MY_MISSING = {1054, 1146}
_MY_CONNECTING = {2003, 2026}
_MY_DENIED = {1044, 1045, 1142, 1143, 1227, 1370, 1698}

_LITE_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_LITE_REFUSED = {sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH}
_LITE_MISSING = re.compile(r"no such (table|column|view)\b|has no column named|schema has changed")

_NOWHERE: tuple[tuple[str, str], ...] = (  # parts of a failed connection's message, and what each means
    ("Connection refused", "connection refused"),
    ("translate host name", "no such host"),
    ("resolve host", "no such host"),
    ("Name or service not known", "no such host"),
    ("timeout", "no answer in time"),
    ("timed out", "no answer in time"),
    ("does not exist", "no such database"),
    ("Unknown database", "no such database"),
)

_MY_KEY = re.compile(r"for key '([^']*)'[^']*\Z")
_MY_COLUMN = re.compile(r"[Cc]olumn '([^']*)'|Field '([^']*)'")


class FailureKind(StrEnum):
    """The classes of errors, by what to do about one."""

    BUSY = "busy"  # another transaction holds the row, or a time limit ran out: try again
    REFUSED = "refused"  # the row breaks a rule of the table: a person must look
    MISSING = "missing"  # a table or column is not there (any more)
    DENIED = "denied"  # the account may not do this
    DISTRUST = "distrust"  # the server has not proved to be the one that the settings name
    DOWN = "down"  # no connection, read-only, disk full ...


class Failure(NamedTuple):
    """A classified error. `code` is the database's own; `column` and `rule` (a constraint or index) are "" where the
    database does not name them."""

    kind: FailureKind
    code: str
    column: str = ""
    rule: str = ""


def classify(error: exc.SQLAlchemyError) -> Failure:
    """The class of an error of SQLAlchemy, by the driver's code."""
    orig = error.orig if isinstance(error, exc.DBAPIError) else None
    if orig is None:
        return Failure(FailureKind.DOWN, type(error).__name__)
    if isinstance(orig, sqlite3.Error):
        return _sqlite(orig)
    if hasattr(orig, "diag"):  # psycopg; PyMySQL has errno in args
        return _postgresql(orig)
    return _mariadb(orig)


def _postgresql(orig: Any) -> Failure:
    code = orig.sqlstate or ""
    diag = orig.diag
    if not code and (distrust := tls.reason(str(orig))):
        return Failure(FailureKind.DISTRUST, distrust)
    names = (diag.column_name or "", diag.constraint_name or "")
    if code in _PG_BUSY:
        return Failure(FailureKind.BUSY, code)
    if code in _PG_REFUSED or code[:2] in {"22", "23"}:
        return Failure(FailureKind.REFUSED, code, *names)
    if code in _PG_MISSING:
        return Failure(FailureKind.MISSING, code)
    if code == "42501" or code[:2] == "28":
        return Failure(FailureKind.DENIED, code)
    if not code and re.search(r'authentication|role "', str(orig)):
        return Failure(FailureKind.DENIED, "authentication")
    return Failure(FailureKind.DOWN, code or _nowhere(str(orig)) or type(orig).__name__)


def _nowhere(text: str) -> str:
    return next((words for mark, words in _NOWHERE if mark in text), "")


def _mariadb(orig: Any) -> Failure:
    code = orig.args[0] if orig.args and isinstance(orig.args[0], int) else 0
    text = str(orig.args[1]) if len(orig.args) > 1 else ""
    if code in _MY_CONNECTING and (distrust := tls.reason(text)):
        return Failure(FailureKind.DISTRUST, distrust)
    if code in _MY_BUSY:
        return Failure(FailureKind.BUSY, str(code))
    if code in _MY_REFUSED:
        key = _MY_KEY.search(text) if code == 1062 else None
        column = _MY_COLUMN.search(text) if code in {1048, 1364, 1406, 1366, 1264, 1265, 1292} else None
        return Failure(
            FailureKind.REFUSED,
            str(code),
            column=(column.group(1) or column.group(2)) if column else "",
            rule=key.group(1).rpartition(".")[2] if key else "",
        )
    if code in _MY_MISSING:
        return Failure(FailureKind.MISSING, str(code))
    if code in _MY_DENIED:
        return Failure(FailureKind.DENIED, str(code))
    return Failure(FailureKind.DOWN, _nowhere(text) or str(code or type(orig).__name__))


def _sqlite(orig: sqlite3.Error) -> Failure:
    extended = getattr(orig, "sqlite_errorcode", None)
    code = (extended or 0) & 0xFF
    name = str(getattr(orig, "sqlite_errorname", type(orig).__name__))
    if code in _LITE_BUSY:
        return Failure(FailureKind.BUSY, name)
    if code in _LITE_REFUSED or isinstance(orig, sqlite3.IntegrityError):
        # "NOT NULL constraint failed: customers.email": names of the schema, never values
        about = str(orig).partition("constraint failed: ")[2]
        return Failure(FailureKind.REFUSED, name, column=about.rpartition(".")[2] if "," not in about else "")
    if code in {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_SCHEMA}:  # one code for whatever is wrong with a statement
        return Failure(FailureKind.MISSING if _LITE_MISSING.search(str(orig)) else FailureKind.REFUSED, name)
    return Failure(FailureKind.DENIED if code in {sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH} else FailureKind.DOWN, name)


def explained(failure: Failure) -> SyncdError:
    """The error of `syncd.errors` for a failure that is no outcome of one row, with its remedy."""
    code = f"({failure.code})"
    if failure.kind is FailureKind.MISSING:
        return SetupNeeded(f"a table or column of the source is missing {code}.", remedy=INSTALL)
    if failure.kind is FailureKind.DENIED:
        return SourceUnreachable(
            f"the source database refuses the account {code}.",
            remedy="check the account and password under [source]; its grants: syncd triggers install --print-sql",
        )
    if failure.kind is FailureKind.DISTRUST:
        return SourceUnreachable(
            f"the source database's server is not trusted: {failure.code}. No password was sent.",
            remedy="name its authority: [source.tls] ca; the host in url must be the certificate's name",
        )
    if failure.kind is FailureKind.BUSY:
        return SourceUnreachable(
            f"the source database is busy: a lock or a time limit ran out {code}.",
            remedy="try again; where it stays so, look for a transaction that holds locks in the source",
        )
    if failure.kind is FailureKind.REFUSED:
        return SourceUnreachable(
            f"the source database refuses the statement {code}.",
            remedy="check table, columns and joins under [source]; the code is the database's own",
        )
    return SourceUnreachable(
        f"the source database does not answer as it should {code}.",
        remedy="check url under [source], the network and the server, then: syncd doctor",
    )


@contextmanager
def translated() -> Iterator[None]:
    """Inside the block, SQLAlchemy's errors become those of `explained`. Their own text, which may hold values, is
    dropped."""
    try:
        yield
    except exc.SQLAlchemyError as error:
        raise explained(classify(error)) from None

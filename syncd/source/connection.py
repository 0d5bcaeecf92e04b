"""Connections to the user's database: the URL, the pool, and the settings of each session.

The pool pings a connection before its use, so that it survives a restart of the database. Sessions are strict (a value
that does not fit is an error), limited in time, and in UTC.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.engine import URL

from syncd.errors import Problem, SettingsError, SourceUnreachable
from syncd.extras import install
from syncd.tls import DEFAULT, Tls, for_mysql, for_postgresql, hosts_of, in_force

_DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "mariadb+pymysql": "mysql+pymysql",
}

_FORM = 'Write "dialect+driver://user@host/database" or "sqlite:////path".'
_PASSWORD = re.compile(r"pass|pwd|secret|token", re.IGNORECASE)


def source_url(text: str, password: str | None) -> URL:
    """The URL with syncd's drivers and the password. Raises SettingsError, and SourceUnreachable for a SQLite file that
    does not exist."""
    try:
        url = sa.engine.make_url(text)
    except (exc.ArgumentError, ValueError):
        raise SettingsError([Problem("source.url", "is not a database URL.", _FORM)]) from None
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    if url.get_backend_name() == "mariadb":
        url = url.set(drivername=url.drivername.replace("mariadb", "mysql", 1))
    if url.get_backend_name() not in {"sqlite", "postgresql", "mysql"}:
        raise SettingsError([Problem("source.url", "only SQLite, PostgreSQL, MariaDB and MySQL are supported.", _FORM)])
    if url.drivername not in {"sqlite", "sqlite+pysqlite", "postgresql+psycopg", "mysql+pymysql"}:
        raise SettingsError(
            [Problem("source.url", f'driver "{url.drivername}" is not supported.', "Leave the driver out.")]
        )
    if url.get_backend_name() == "sqlite":
        path = url.database or ""
        if path not in {"", ":memory:"} and not path.startswith("file:") and not Path(path).is_file():
            reason = "the source's SQLite file does not exist."  # to connect would create it
            raise SourceUnreachable(reason, remedy="check url under [source]")
    return url.set(password=password) if password is not None else url


def without_password(text: str) -> tuple[str, str | None]:
    """The URL without a password, and the password that stood before the host or among the options; None for none.
    Raises SettingsError."""
    try:
        url = sa.engine.make_url(text)
    except (exc.ArgumentError, ValueError):
        raise SettingsError([Problem("source.url", "is not a database URL.", _FORM)]) from None
    if url.get_backend_name() != "sqlite" and "@" in f"{url.host}{url.database}":
        reason = "holds more than one @, so that nobody can tell where a password ends."
        raise SettingsError([Problem("source.url", reason, "Leave the password out: --password env:NAME.")])
    typed = [value for name, value in url.normalized_query.items() if _PASSWORD.search(name)]
    query = {name: value for name, value in url.query.items() if not _PASSWORD.search(name)}
    plain = URL.create(url.drivername, url.username, None, url.host, url.port, url.database, query)
    password = url.password if url.password is not None else typed[0][0] if typed and typed[0] else None
    return plain.render_as_string(hide_password=False), password


def mode_in_force(url: URL, tls: Tls) -> str:
    """The mode of TLS in force for this URL (`syncd.tls.in_force`)."""
    return in_force(tls, hosts_of(url.host, url.query))


def connect(url: URL, lock_timeout: float, statement_timeout: float, tls: Tls = DEFAULT) -> sa.Engine:
    """An engine whose sessions wait so many seconds at most for a lock, and for a statement. Raises SettingsError where
    the driver is missing."""
    options: dict[str, Any] = {"hide_parameters": True, "pool_pre_ping": True, "pool_recycle": 1800}
    backend = url.get_backend_name()
    if backend == "postgresql":
        # server-side prepared statements break on ALTER TABLE and behind transaction poolers
        arguments: dict[str, Any] = {"connect_timeout": 10, "prepare_threshold": None, "application_name": "syncd"}
        if "options" not in url.query:
            limit = int(statement_timeout * 1000)
            arguments["options"] = (
                f"-c statement_timeout={limit} -c idle_in_transaction_session_timeout={2 * limit} -c DateStyle=ISO"
            )
        arguments |= for_postgresql(mode_in_force(url, tls), tls.ca, password=bool(url.password))
        options |= {"connect_args": arguments, "isolation_level": "READ COMMITTED"}
    elif backend == "mysql":
        seconds = int(statement_timeout) + 10
        arguments = {"connect_timeout": 10, "read_timeout": seconds, "write_timeout": seconds}
        arguments |= for_mysql(mode_in_force(url, tls), tls.ca)
        options |= {"connect_args": arguments, "isolation_level": "READ COMMITTED"}
    try:
        engine = sa.create_engine(url, **options)
    except ModuleNotFoundError:
        extra = "mysql" if backend == "mysql" else backend
        raise SettingsError(
            [Problem("source.url", f"the driver for {backend} is missing.", f"Run `{install(extra)}`.")]
        ) from None
    if backend == "sqlite":
        _prepare_sqlite(engine, lock_timeout)
    elif backend == "mysql":
        _prepare_mysql(engine, lock_timeout, statement_timeout)
    return engine


def _prepare_sqlite(engine: sa.Engine, lock_timeout: float) -> None:
    @event.listens_for(engine, "connect")
    def connected(dbapi: Any, _record: object) -> None:
        dbapi.isolation_level = None  # the driver's own BEGIN is no BEGIN IMMEDIATE
        # one broken text must not make its whole page unreadable
        dbapi.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        dbapi.execute(f"PRAGMA busy_timeout = {int(lock_timeout * 1000)}")
        dbapi.execute("PRAGMA foreign_keys = ON")
        dbapi.execute("PRAGMA cache_size = -512")  # kB for each connection: the system's own cache holds the file


def _prepare_mysql(engine: sa.Engine, lock_timeout: float, statement_timeout: float) -> None:
    @event.listens_for(engine, "connect")
    def connected(dbapi: Any, _record: object) -> None:
        mariadb = "mariadb" in dbapi.get_server_info().lower()
        with dbapi.cursor() as cursor:
            # strict: a value that does not fit is an error, never cut off in silence
            cursor.execute("SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00'")
            cursor.execute(f"SET SESSION innodb_lock_wait_timeout = {max(1, round(lock_timeout))}")
            cursor.execute(
                f"SET SESSION max_statement_time = {statement_timeout}"
                if mariadb
                else f"SET SESSION max_execution_time = {int(statement_timeout * 1000)}"
            )

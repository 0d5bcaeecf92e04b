"""Databases for tests: the three dialects, each test in a database of its own.

`SYNCD_TEST_POSTGRES` and `SYNCD_TEST_MARIADB` are SQLAlchemy URLs of servers where databases may be created; without
them the usual local addresses are tried. A server that is not there is a visible skip, and a failure where `CI` is set.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from tests.pool import command, fresh_name, lent

DIALECTS = ("sqlite", "postgresql", "mysql")
SQLITE_FIRST = [DIALECTS[0], *(pytest.param(dialect, marks=pytest.mark.long) for dialect in DIALECTS[1:])]
"""Where the contract of each dialect holds, a long walk over SQLite is everybody's, and over the others the gate's."""
SERVERS = {
    "postgresql": ("SYNCD_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"),
    "mysql": ("SYNCD_TEST_MARIADB", "mysql+pymysql://root@127.0.0.1:3306/"),
}


@cache
def server(dialect: str) -> URL | None:
    """Where databases of this dialect can be created; None where no such server answers."""
    variable, usual = SERVERS[dialect]
    url = sa.make_url(os.environ.get(variable) or usual)
    drivers = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql", "mariadb": "mysql+pymysql"}
    url = url.set(drivername=drivers.get(url.drivername, url.drivername))
    engine = sa.create_engine(url, connect_args={"connect_timeout": 3})
    try:
        with engine.connect():
            return url
    except sa.exc.OperationalError:
        return None
    finally:
        engine.dispose()


@contextmanager
def database(dialect: str, directory: Path, where: URL | None = None) -> Iterator[str]:
    """The URL of an empty database that only this test has, on this server or the usual one; skips the test where the
    server is missing. The usual PostgreSQL's are used again, as `pool` says."""
    if dialect == "sqlite":
        path = directory / f"{fresh_name()}.db"
        path.touch(mode=0o600)
        yield f"sqlite:///{path}"
        return
    place = where or server(dialect)
    if place is None:
        reason = f"no {dialect} server answers; set {SERVERS[dialect][0]}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with (lent if dialect == "postgresql" and where is None else _passing)(place) as url:
        yield url.render_as_string(hide_password=False)


@contextmanager
def _passing(where: URL) -> Iterator[URL]:
    """A database that is made and dropped."""
    name = fresh_name()
    command(where, f"CREATE DATABASE {name}")
    try:
        yield where.set(database=name)
    finally:
        command(where, f"DROP DATABASE {name}" + (" WITH (FORCE)" if where.get_backend_name() == "postgresql" else ""))

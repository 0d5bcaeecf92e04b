"""PostgreSQL databases that tests use one after the other: making and dropping one costs more than most tests do.

A database that comes back gets another name, so that nothing a test left behind finds it again, and is emptied. What
the catalogs then count and grant must be what they did when it was new; a database that shows anything else is dropped,
and the next test gets a new one.
"""

from __future__ import annotations

import atexit
import os
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache

import sqlalchemy as sa
from sqlalchemy.engine import URL

# Whoever is gone from the list is gone from the server: `pg_terminate_backend` waits so many milliseconds.
_ALONE = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{name}'"
_PREPARED = "SELECT quote_literal(gid) FROM pg_prepared_xacts WHERE database = current_database()"
_SCHEMAS = "SELECT quote_ident(nspname) FROM pg_namespace WHERE oid >= 16384 AND nspname <> 'public'"
_PUBLIC = (
    "CREATE SCHEMA public AUTHORIZATION pg_database_owner",
    "GRANT USAGE ON SCHEMA public TO PUBLIC",
    "COMMENT ON SCHEMA public IS 'standard public schema'",
)
# Every catalog of a database and its columns of grants. Statistics come and go by themselves.
_CATALOGS = """SELECT c.relname, array_remove(array_agg(a.attname::text ORDER BY a.attnum), NULL) FROM pg_class c
  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.atttypid = 'aclitem[]'::regtype
  WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r' AND NOT c.relisshared
  AND c.relname NOT IN ('pg_statistic', 'pg_statistic_ext_data') GROUP BY c.relname ORDER BY c.relname"""
# What a database is to its server: its own row, its settings (a role's within it too), what is replicated from it.
_OUTSIDE = """WITH here AS (SELECT * FROM pg_database WHERE datname = current_database())
  SELECT concat_ws(' ', datdba, datallowconn, datconnlimit, datistemplate, (SELECT string_agg(each::text, ' '
    ORDER BY each::text) FROM unnest(coalesce(datacl, acldefault('d', datdba))) AS each)),
  (SELECT count(*) FROM pg_db_role_setting WHERE setdatabase = here.oid),
  (SELECT count(*) FROM pg_shdepend WHERE dbid = here.oid),
  (SELECT count(*) FROM pg_shdescription WHERE objoid = here.oid),
  (SELECT count(*) FROM pg_replication_slots WHERE database = datname) FROM here"""

Traces = tuple[object, ...]
_FREE: dict[URL, list[tuple[str, Traces]]] = {}  # what this process has made and nobody uses


@contextmanager
def lent(server: URL) -> Iterator[URL]:
    """A database of this server for one test, as good as new."""
    free = _FREE.setdefault(server, [])
    name, new = free.pop() if free else _made(server)
    try:
        yield server.set(database=name)
    finally:
        again = fresh_name()
        try:
            command(server, _ALONE.format(name=name), f"ALTER DATABASE {name} RENAME TO {again}")
            sound = emptied(server, again) == new
        except sa.exc.DBAPIError:
            sound = False
        if sound:
            free.append((again, new))
        else:
            drop(server, name, again)


def fresh_name() -> str:
    """A name that no other process and no earlier test has."""
    return f"syncd_test_{os.getpid()}_{uuid.uuid4().hex[:8]}"


def command(server: URL, *statements: str) -> None:
    """Each statement in a transaction of its own, as whoever may create databases."""
    with _entrance(server).connect() as conn:
        for statement in statements:
            conn.exec_driver_sql(statement)


def drop(server: URL, *names: str) -> None:
    """Without regard for what is in them and who is connected."""
    command(server, *(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)" for name in names))


def emptied(server: URL, name: str) -> Traces:
    """What a database shows once everything was taken away that tests make: how many rows each of its catalogs has, and
    what is granted in them."""
    url, patience = server.set(database=name), {"options": "-c lock_timeout=10000"}
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool, connect_args=patience)
    with closing(engine.connect()) as conn:
        for gid in conn.exec_driver_sql(_PREPARED).scalars().all():
            conn.exec_driver_sql(f"ROLLBACK PREPARED {gid}")
        schemas = ", ".join(("public", *conn.exec_driver_sql(_SCHEMAS).scalars()))
        conn.exec_driver_sql("; ".join((f"DROP SCHEMA IF EXISTS {schemas} CASCADE", *_PUBLIC)))
        counts = ", ".join(_count(*each) for each in conn.exec_driver_sql(_CATALOGS))
        return (*conn.exec_driver_sql(f"SELECT {counts}").one(), *conn.exec_driver_sql(_OUTSIDE).one())


def _count(catalog: str, grants: list[str]) -> str:
    granted = "".join(f", md5(string_agg({each}::text, ' ' ORDER BY {each}::text))" for each in grants)
    return f"(SELECT concat_ws(' ', count(*){granted}) FROM {catalog})"


def _made(server: URL) -> tuple[str, Traces]:
    """A new database, emptied as the used ones are: all of them have a `public` of our own making."""
    name = fresh_name()
    command(server, f"CREATE DATABASE {name}")
    try:
        return name, emptied(server, name)
    except sa.exc.DBAPIError:
        drop(server, name)
        raise


@cache
def _entrance(server: URL) -> sa.Engine:
    """One connection for all that is done to databases from outside, as long as the process lives."""
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT", pool_size=1, pool_pre_ping=True)
    atexit.register(_leave, server, engine, os.getpid())
    return engine


def _leave(server: URL, engine: sa.Engine, process: int) -> None:
    """Nothing of ours stays on the server. A fork of ours has nothing there."""
    if os.getpid() == process:
        if free := _FREE.pop(server, []):
            drop(server, *(name for name, _ in free))
        engine.dispose()

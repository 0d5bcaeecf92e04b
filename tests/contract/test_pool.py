"""The suite's own PostgreSQL databases: who gets one that was used before cannot tell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from tests.cluster import Cluster
from tests.databases import database, server
from tests.pool import command, emptied, fresh_name, lent

USUAL = {
    "tables and their sequences": "CREATE TABLE t (id serial PRIMARY KEY, up int REFERENCES t)",
    "a schema": "CREATE SCHEMA syncd; CREATE VIEW syncd.v AS SELECT 1 AS one",
    "a schema whose name needs quotes": 'CREATE SCHEMA "Its ""own"""',
    "a function and its trigger": "CREATE TABLE t (id int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS "
    "'BEGIN RETURN NULL; END'; CREATE TRIGGER r AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
    "an event trigger": "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; "
    "CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION f()",
    "types": "CREATE TYPE mood AS ENUM ('good'); CREATE DOMAIN word AS text",
    "a temporary table": "CREATE TEMPORARY TABLE t (id int)",
    "another public": "DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT ALL ON SCHEMA public TO PUBLIC",
    "no public": "DROP SCHEMA public CASCADE",
    "a grant on tables to come": "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {role}",
}  # fmt: skip
UNUSUAL = {
    "a setting": "ALTER DATABASE {name} SET work_mem = '1MB'",
    "a role's setting": "ALTER ROLE {role} IN DATABASE {name} SET work_mem = '1MB'",
    "a grant on it": "GRANT CREATE ON DATABASE {name} TO {role}",
    "a right that everybody had": "REVOKE CONNECT ON DATABASE {name} FROM PUBLIC",
    "a limit": "ALTER DATABASE {name} CONNECTION LIMIT 20",
    "a word about it": "COMMENT ON DATABASE {name} IS 'mine'",
    "another owner": "ALTER DATABASE {name} OWNER TO {role}",
    "default privileges everywhere": "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {role}",
    "a right on what is built in": "REVOKE EXECUTE ON FUNCTION pg_catalog.now() FROM PUBLIC",
    "a large object": "SELECT lo_from_bytea(0, 'large')",
    "a publication": "CREATE PUBLICATION p FOR ALL TABLES",
    "a cast": "CREATE CAST (text AS point) WITH INOUT",
    "nothing, for it is gone": "",
}
INSIDE = """SELECT 'schema ' || nspname FROM pg_namespace WHERE oid >= 16384 AND nspname <> 'public'
  UNION ALL SELECT 'relation ' || relname FROM pg_class WHERE oid >= 16384
  UNION ALL SELECT 'function ' || proname FROM pg_proc WHERE oid >= 16384
  UNION ALL SELECT 'type ' || typname FROM pg_type WHERE oid >= 16384
  UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger
  UNION ALL SELECT 'event trigger ' || evtname FROM pg_event_trigger
  UNION ALL SELECT 'default ' || defaclacl::text FROM pg_default_acl
  UNION ALL SELECT 'public ' || concat_ws(' ', nspowner::regrole, nspacl, obj_description(oid, 'pg_namespace'))
    FROM pg_namespace WHERE nspname = 'public'"""
NOTHING = [
    "public pg_database_owner {pg_database_owner=UC/pg_database_owner,=U/pg_database_owner} standard public schema"
]


@pytest.fixture
def postgres(postgres_database: str) -> URL:
    """The server; a skip or a failure where there is none."""
    found = server("postgresql")
    assert found is not None
    return found


@pytest.fixture
def role(postgres: URL) -> Iterator[str]:
    """A role that must have nothing anywhere once its database was given back."""
    name = fresh_name()
    command(postgres, f"CREATE ROLE {name}")
    yield name
    command(postgres, f"DROP ROLE {name}")


@contextmanager
def inside(url: URL) -> Iterator[sa.Connection]:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with closing(engine.connect()) as conn:
        yield conn


def number(url: URL) -> int:
    with inside(url) as conn:
        return int(conn.exec_driver_sql("SELECT oid FROM pg_database WHERE datname = current_database()").scalar_one())


@pytest.mark.parametrize("what", USUAL)
def test_the_next_test_finds_nothing(postgres: URL, role: str, what: str) -> None:
    """Whatever tests usually make is taken away, under a name that nobody who was there before knows."""
    with lent(postgres) as used, inside(used) as conn:
        was = number(used)
        conn.exec_driver_sql(USUAL[what].format(name=used.database, role=role))
        before = conn.exec_driver_sql(INSIDE).scalars().all()
    with lent(postgres) as url, inside(url) as conn:
        assert (number(url), url == used) == (was, False)
        assert before != conn.exec_driver_sql(INSIDE).scalars().all() == NOTHING


@pytest.mark.parametrize("what", UNUSUAL)
def test_what_is_not_taken_away_is_never_handed_on(postgres: URL, role: str, what: str) -> None:
    """A database that shows anything else than when it was new is dropped."""
    with lent(postgres) as used:
        was = number(used)
        if statement := UNUSUAL[what].format(name=used.database, role=role):
            with inside(used) as conn:
                conn.exec_driver_sql(statement)
        else:
            command(postgres, f"DROP DATABASE {used.database}")
    with lent(postgres) as url, inside(url) as conn:
        assert number(url) != was
        assert conn.exec_driver_sql(INSIDE).scalars().all() == NOTHING
    there = "SELECT count(*) FROM pg_database WHERE oid = {}"
    with inside(postgres) as conn:
        assert conn.exec_driver_sql(there.format(was)).scalar() == 0


def test_whoever_is_still_connected_is_sent_away(postgres: URL) -> None:
    """A transaction that was left open blocks no emptying, and its session ends; nor does it find the way back."""
    with lent(postgres) as used:
        engine = sa.create_engine(used)
        left = engine.connect()
        left.exec_driver_sql("CREATE TABLE t (id int)")
        was = number(used)
    with lent(postgres) as url, inside(url) as conn:
        assert number(url) == was
        assert conn.exec_driver_sql(INSIDE).scalars().all() == NOTHING
    with pytest.raises(sa.exc.OperationalError, match="terminat"):
        left.exec_driver_sql("SELECT 1")
    left.close()
    with pytest.raises(sa.exc.OperationalError, match="does not exist"):
        engine.connect()
    engine.dispose()


def test_prepared_transactions_are_rolled_back(own_server: Cluster, tmp_path: Path) -> None:
    """A two-phase commit that a test left half done ends with it, and what it had locked goes."""
    with database("postgresql", tmp_path, own_server.url()) as text:
        url = sa.make_url(text)
        new = emptied(own_server.url(), str(url.database))
        with inside(url) as conn:
            conn.exec_driver_sql("CREATE TABLE t (id int)")
            conn.exec_driver_sql("BEGIN")
            conn.exec_driver_sql("LOCK TABLE t; INSERT INTO t VALUES (1)")
            conn.exec_driver_sql("PREPARE TRANSACTION 'it''s mine'")
        assert emptied(own_server.url(), str(url.database)) == new
        with inside(url) as conn:
            assert conn.exec_driver_sql("SELECT count(*) FROM pg_prepared_xacts").scalar() == 0
            assert conn.exec_driver_sql(INSIDE).scalars().all() == NOTHING

"""The bell: a commit is heard at once where the database can tell, and never at the application's cost."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest

from syncd.source import ddl_postgresql, triggers
from syncd.source.wake import bell
from tests.cluster import Cluster
from tests.contract.shop import Shop, drained, logged, shop
from tests.databases import database

PATIENCE = 10.0  # seconds; a bell that works rings long before


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_a_commit_rings_and_nothing_else_does(sqlite_shop: Shop, journal: str) -> None:
    """SQLite in both journal modes: a customer's change rings; a change of another table does not."""
    sqlite_shop.tables()
    with closing(sqlite3.connect(sqlite_shop.app.url.database or "")) as file:
        file.execute(f"PRAGMA journal_mode = {journal}")
    with sqlite_shop.source() as source, bell(source, Event()) as wait:
        assert not wait(0.1)

        sqlite_shop.run("INSERT INTO addresses (city) VALUES ('Ghent')")
        assert not wait(0.1)

        sqlite_shop.run("INSERT INTO customers (company) VALUES ('one')")
        assert wait(PATIENCE)
        assert not wait(0.1)

        drained(source)
        assert not wait(0.1)


@pytest.mark.parametrize("place", ["sqlite_shop", "postgres_shop"])
def test_what_was_committed_before_it_hung_rings(request: pytest.FixtureRequest, place: str) -> None:
    """A commit between the last poll and the hanging up of the bell waits for no poll; it rings once."""
    made: Shop = request.getfixturevalue(place)
    made.tables()
    with made.source() as source:
        made.run("INSERT INTO customers (company) VALUES ('one')")
        with bell(source, Event()) as wait:
            assert wait(PATIENCE)
            assert not wait(0.1)


def test_a_notification_rings(postgres_shop: Shop) -> None:
    """PostgreSQL: the trigger notifies; many changes of one transaction ring once."""
    postgres_shop.tables()
    with postgres_shop.source() as source, bell(source, Event()) as wait:
        assert not wait(0.1)

        postgres_shop.run("INSERT INTO customers (company) SELECT 'c' || n FROM generate_series(1, 50) AS n")
        assert wait(PATIENCE)
        assert not wait(0.1)


def test_where_nobody_can_tell_the_poll_is_waited_for(mariadb_shop: Shop) -> None:
    """MariaDB has no way to notify: the bell never rings, and a stop ends the wait."""
    mariadb_shop.tables()
    stop = Event()
    with mariadb_shop.source() as source, bell(source, stop) as wait:
        mariadb_shop.run("INSERT INTO customers (company) VALUES ('one')")
        assert not wait(0.1)
        stop.set()
        assert not wait(3600)


def test_a_trigger_of_version_1_0_captures_until_it_is_installed_anew(
    postgres_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older trigger is no trouble: it logs every change and rings no bell; `install` brings the new one."""
    postgres_shop.tables()
    body = ddl_postgresql._body
    with monkeypatch.context() as old:
        old.setattr(ddl_postgresql, "_body", lambda source, watched, notify=True: body(source, watched, notify=False))
        with postgres_shop.source():
            pass
    with postgres_shop.source(install=False) as source, bell(source, Event()) as wait:
        assert triggers.check(source) == []
        assert not wait(0.1)
        postgres_shop.run("INSERT INTO customers (company) VALUES ('one')")
        assert not wait(0.2)
        assert len(logged(source)) == 1

        triggers.install(source)
        postgres_shop.run("INSERT INTO customers (company) VALUES ('two')")
        assert wait(PATIENCE)


def test_the_bell_never_makes_a_two_phase_commit_fail(own_server: Cluster, tmp_path: Path) -> None:
    """A transaction that notified cannot be prepared: where two-phase commits are allowed, the trigger stays silent."""
    with database("postgresql", tmp_path, own_server.url()) as url, shop(url) as app:
        app.tables()
        with app.source() as source, app.app.connect() as conn:
            conn.execution_options(isolation_level="AUTOCOMMIT", no_parameters=True)
            for statement in ("BEGIN", "INSERT INTO customers (company) VALUES ('one')", "PREPARE TRANSACTION 'two'"):
                conn.exec_driver_sql(statement)
            conn.exec_driver_sql("COMMIT PREPARED 'two'")
            assert len(logged(source)) == 1

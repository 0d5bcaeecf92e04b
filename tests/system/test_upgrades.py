"""A state that version 1.0.0 wrote, with everything that can stand in one, becomes a state of this version."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from syncd.bootstrap import open_settings_source, open_settings_state
from syncd.errors import SetupNeeded
from syncd.runtime.leadership import hold, lane_name
from syncd.source import triggers
from syncd.store import schema
from syncd.store.leases import lock_file
from tests.databases import SQLITE_FIRST, database
from tests.fixtures.former import FIRST, Former, restored
from tests.system.landscape import landscape

NEW = {"mapping": {"version"}}
"""Columns that 1.0.0 did not have; they say nothing yet."""


@pytest.fixture(params=SQLITE_FIRST[:2])
def former(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Former]:
    with restored(request.param, tmp_path) as made:
        yield made


def upgraded(former: Former) -> None:
    answer = former.land.said("db", "upgrade")
    assert (answer.code, answer.out) == (0, f"state at revision {schema.REVISIONS[-1]} (was 0001)\n"), answer.err


def test_the_former_state_is_a_rich_one(former: Former) -> None:
    """What is compared below is there: an upgrade that loses nothing of an empty state would prove nothing."""
    rows = former.rows()

    assert rows["alembic_version"] == [{"version_num": "0001"}]
    linked = Counter(row["provider"] for row in rows["mapping"] if row["external_id"] is not None)
    assert set(linked) == set(former.land.names)
    assert min(linked.values()) >= 5
    open_reviews = {row["kind"] for row in rows["review"] if row["closed_at"] is None}
    assert {"conflict", "remote_gone", "guard_delete"} <= open_reviews
    assert {(row["verb"], row["stage"]) for row in rows["intent"]} >= {("create", "open"), ("update", "confirm")}
    assert {"deleted", "changed"} <= {row["reason"] for row in rows["work"]}
    assert any(row["error_class"] == "staged:delete" for row in rows["work"])
    assert any(row["error_class"] == "Temporary" for row in rows["work"])
    assert {"forgotten", "deleted in the source"} <= {row["how"] for row in rows["tombstone"]}
    assert {"linked", "rejected", "ambiguous", "review"} <= {row["state"] for row in rows["mapping"]}
    assert "paused" in {row["state"] for row in rows["provider_state"]}


def test_nothing_is_lost(former: Former) -> None:
    """Every row of every table is afterwards what it was, and the schema is this version's. On PostgreSQL, where no
    file lock tells who is at work, every lease has a later epoch: one that was held before is void."""
    before = former.rows()

    upgraded(former)

    after = former.rows()
    assert after.pop("alembic_version") != before.pop("alembic_version")
    assert after.keys() - before.keys() == {"pulse"}
    if former.state.startswith("postgresql"):
        for row in before["lease"]:
            row["epoch"] += 1
    for name, rows in before.items():
        fresh = NEW.get(name, set())
        assert {row[column] for row in after[name] for column in fresh} <= {None}
        kept = [{column: value for column, value in row.items() if column not in fresh} for row in after[name]]
        assert sorted(kept, key=str) == rows, name
    state = open_settings_state(former.land.settings)
    with state.begin() as tx:
        assert compare_metadata(MigrationContext.configure(tx), schema.metadata) == []
    state.close()


def test_what_was_agreed_is_sent_to_nobody(former: Former) -> None:
    """The next runs write what was open, and nothing else: the change that waited in the log, the one that was tried
    again, the refused one. The lost creates are found, not repeated; what waits for a person still waits."""
    upgraded(former)
    land = former.land
    asked = {row["id"] for row in former.rows()["review"] if row["closed_at"] is None}
    remotes = land.remotes()

    for _ in range(2):
        land.run(scan=True)

    towns = {name: land.writes()[name] for name in land.names}
    assert land.remotes() == remotes
    # customer 6 to four providers, customer 5 to the two that had not taken it; azotte is paused
    assert towns == {"aiotic": 1, "invisible_collector": 1, "jtl": 2, "billbee": 2, "azotte": 0}
    assert asked <= {row["id"] for row in former.rows()["review"] if row["closed_at"] is None}
    links = [row for row in former.rows()["mapping"] if row["customer_key"] == "13" and row["external_id"]]
    assert {row["provider"] for row in links} == set(land.names) - {"azotte"}
    land.run(scan=True)
    assert land.writes() == towns


@contextmanager
def daemon_of_1_0(former: Former) -> Iterator[str]:
    """A daemon is alive, as 1.0.0 shows it; gives what names it."""
    path = Path(str(sa.make_url(former.state).database))
    if former.state.startswith("postgresql"):
        until = "extract(epoch FROM now()) + 600"
        former.sql(former.state, f"UPDATE lease SET holder = 'shop1:4711:ab', until = {until} WHERE name = 'capture'")
        yield "shop1:4711:ab"
        return
    with lock_file(path):
        yield f"pid {os.getpid()}"


def test_an_upgrade_is_refused_beside_a_daemon(former: Former) -> None:
    """While a daemon of the former version is alive, the upgrade ends with 8, names it, and has changed nothing."""
    with daemon_of_1_0(former) as name:
        before = former.rows()
        answer = former.land.said("db", "upgrade")

        assert answer.code == 8
        assert name in answer.err
        assert "stop it (systemctl stop syncd), then syncd db upgrade" in answer.err
        assert former.rows() == before


DIE = """
import os, signal, sys
import sqlalchemy as sa
from syncd.cli import main
left = int(sys.argv.pop(1))
def count(connection, cursor, statement, *rest):
    global left
    if statement.lstrip().startswith(("CREATE", "ALTER", "DROP", "UPDATE alembic")):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sa.event.listen(sa.Engine, "after_cursor_execute", count)
main(sys.argv[1:])
"""


def test_a_killed_upgrade_leaves_the_former_state(former: Former) -> None:
    """Killed after its last statement, before the commit, an upgrade has changed nothing, and can be run again."""
    before = former.rows()
    words = [sys.executable, "-c", DIE, "5", "db", "upgrade", "--config", str(former.land.config)]

    killed = subprocess.run(words, check=False, timeout=60, capture_output=True)

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert former.rows() == before
    upgraded(former)


def test_nothing_runs_before_the_upgrade(former: Former) -> None:
    """A run over the former state is refused with the command, and touches neither side."""
    before = former.rows()

    answer = former.land.said("run-once")

    assert (answer.code, "syncd db upgrade" in answer.err) == (2, True)
    assert former.rows() == before
    assert set(former.land.writes().values()) == {0}


def test_the_former_version_says_how_to_go_back(former: Former, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that does not know the state's revision leaves it alone and names the way back: the backup."""
    upgraded(former)
    before = former.rows()
    for module in ("syncd.store.schema", "syncd.store.migrate"):
        monkeypatch.setattr(f"{module}.REVISIONS", ("0001",))

    answers = [former.land.said("db", "upgrade"), former.land.said("run-once")]

    for answer in answers:
        assert answer.code == 2
        assert "a newer one wrote it" in answer.err
        assert ("pg_restore" if former.state.startswith("postgresql") else "cp FILE ") in answer.err
    assert former.rows() == before


def test_a_backup_of_the_former_state_is_a_way_back(tmp_path: Path) -> None:
    """`db backup` takes a state that is not yet upgraded; put in its place again, it is what it was."""
    with restored("sqlite", tmp_path) as former:
        before, path = former.rows(), Path(str(sa.make_url(former.state).database))
        assert former.land.said("db", "backup", str(tmp_path / "before.db")).code == 0
        upgraded(former)

        for tail in ("", "-wal", "-shm"):
            path.with_name(path.name + tail).unlink(missing_ok=True)
        (tmp_path / "before.db").rename(path)

        assert former.rows() == before


@pytest.mark.long
def test_older_triggers_capture_until_they_are_upgraded(tmp_path: Path) -> None:
    """What 1.0.0 installed goes on capturing; `triggers install` makes it this version's. (SQLite: both install the
    same.)"""
    with restored("postgresql", tmp_path) as former:
        upgraded(former)
        land = former.land
        assert land.said("triggers", "check").code == 0
        land.run()
        for town in ("Leer", "Norden"):
            former.sql(former.shop, f"UPDATE customers SET city = '{town}' WHERE id = 1")
            land.run()
            assert land.twin("aiotic").records["1001"]["city"] == town
            assert land.said("triggers", "install").code == 0

        source = open_settings_source(land.settings)
        with source.engine.connect() as conn:
            ddl = triggers._ddl(source)
            assert ddl.installed(conn, source) == ddl.expected(source) != ddl.former(source)
        source.close()


def test_older_triggers_on_mariadb_capture_too(tmp_path: Path) -> None:
    """What 1.0.0 printed for the DBA of `crm`, one statement a paragraph, is in order; `triggers install` adds the
    seal."""
    printed = (FIRST / "triggers.mysql.sql").read_text(encoding="utf-8")
    fields = {"number": "number", "name": "name"}
    with database("mysql", tmp_path) as url:
        engine = sa.create_engine(url)

        def shop(*statements: str) -> None:
            with engine.begin() as conn:
                for statement in statements:
                    conn.exec_driver_sql(statement)

        shop(
            "CREATE TABLE customers (id integer AUTO_INCREMENT PRIMARY KEY, number varchar(20), name varchar(80))",
            "INSERT INTO customers (number, name) VALUES ('1001', 'Eins')",
            *printed.replace("`crm`", f"`{sa.make_url(url).database}`").split("\n\n"),
        )
        plain = sa.make_url(url).set(password=None).render_as_string()
        with landscape(tmp_path, 0, ("aiotic",), install=False, source_url=plain, fields=fields) as land:
            assert land.said("triggers", "check").code == 0
            for name in ("Zwei", "Drei"):
                shop(f"UPDATE customers SET name = '{name}'")
                land.run()
                assert land.twin("aiotic").records["1001"]["name"] == name
                assert land.said("triggers", "install").code == 0
        with engine.connect() as conn:
            assert conn.exec_driver_sql("SELECT count(*) FROM syncd_seal").scalar() == 3
        engine.dispose()


def test_a_process_that_slept_over_an_upgrade_gets_no_lease(tmp_path: Path) -> None:
    """On PostgreSQL a suspended machine is no daemon at work, so the upgrade went on; this version's statements are not
    meant for another version's tables."""
    with landscape(tmp_path, 1, ("aiotic",)) as land, land.site() as asleep:
        with asleep.state.begin() as tx:
            tx.execute(sa.text("UPDATE alembic_version SET version_num = '0009'"))
        with pytest.raises(SetupNeeded, match="a newer one wrote it"):
            hold(asleep, lane_name("aiotic"))
        with asleep.state.read() as tx:
            assert tx.execute(sa.text("SELECT count(*) FROM lease WHERE holder <> ''")).scalar_one() == 0

"""After restores, clones and losses: nothing is written before a person says so, and nothing is doubled after."""

from __future__ import annotations

import importlib
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from syncd.core.digest import digest
from syncd.core.model import Pair, Sent, Stage, Verb
from syncd.store import journal
from tests.cluster import Cluster
from tests.databases import database
from tests.system.landscape import Landscape, landscape

NAMES = ("aiotic", "invisible_collector", "billbee")


@pytest.fixture
def land(tmp_path: Path) -> Iterator[Landscape]:
    """Six customers in agreement at three providers of the three kinds."""
    with landscape(tmp_path, 6, NAMES) as made:
        made.run()
        made.run(scan=True)
        yield made


def copy(path: Path, name: str) -> Path:
    """A backup of a SQLite file, its write-ahead log included."""
    target = path.with_name(name)
    with closing(sqlite3.connect(path)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)
    target.chmod(0o600)
    return target


def put_back(backup: Path, path: Path) -> None:
    lose(path)
    shutil.copy(backup, path)


def lose(path: Path) -> None:
    for tail in ("", "-wal", "-shm"):
        path.with_name(path.name + tail).unlink(missing_ok=True)


def stopped(land: Landscape, loss: str) -> dict[str, Any]:
    """Run and plan stop with exit 6, and write nothing; `recover` says what happened, and changes nothing either."""
    writes, rows = land.writes(), land.rows()
    for words in (("run-once",), ("plan",)):
        answer = land.said(*words)
        assert answer.code == 6, answer.err
        assert "syncd recover" in answer.err
    answer = land.said("recover", "--json")
    assert answer.code == 6
    assert (land.writes(), land.rows()) == (writes, rows)
    found: dict[str, Any] = answer.data
    assert (found["loss"], found["recovered"]) == (loss, False)
    return found


def recovered(land: Landscape) -> None:
    answer = land.said("recover", "--yes")
    assert answer.code == 0, answer.err
    assert land.said("recover").out == "Nothing to recover: source and state belong together.\n"


def silent(land: Landscape) -> None:
    """Two more runs change nothing at a provider."""
    land.run(scan=True)
    writes = land.writes()
    land.run(scan=True)
    assert land.writes() == writes


def test_nothing_to_recover(land: Landscape) -> None:
    """Where both sides belong together, recover says so and exits 0, with --yes too."""
    for words in ((), ("--yes",)):
        assert land.said("recover", *words).code == 0


def test_a_restored_source_stops_everything_and_goes_on_guarded(land: Landscape) -> None:
    """An older source: exit 6 until confirmed; then its rows count, and customers it lost keep their records."""
    backup = copy(land.shop, "backup.db")
    land.transaction(
        "INSERT INTO customers (number, name, email, country, vat_number)"
        " VALUES ('2001', 'Später GmbH', 's@e.example', 'DE', 'DE812345678')",
        "UPDATE customers SET city = 'Emden' WHERE id = 2",
    )
    land.run()
    land.sql("UPDATE customers SET city = 'Leer' WHERE id = 3")
    land.run()
    assert land.remotes() == dict.fromkeys(NAMES, 7)
    put_back(backup, land.shop)
    found = stopped(land, "source-older")
    assert found["absent"] == dict.fromkeys(NAMES, 1)
    recovered(land)
    with closing(sqlite3.connect(land.state)) as state:
        assert state.execute("SELECT count(*) FROM mapping WHERE customer_key = '7'").fetchone() == (0,)
        assert state.execute("SELECT count(*) FROM tombstone").fetchone() == (len(NAMES),)
    land.run(wait=5.0)
    assert land.remotes() == dict.fromkeys(NAMES, 7)
    assert land.twin("aiotic").records["1002"]["city"] == land.row(2)["city"]
    silent(land)


def test_a_source_that_went_back_by_one_acknowledge_is_noticed(land: Landscape) -> None:
    """One acknowledge less is what an interrupted one looks like, too; but then its rows are still in the log."""
    backup = copy(land.shop, "backup.db")
    land.sql("UPDATE customers SET city = 'Emden' WHERE id = 2")
    land.run()
    put_back(backup, land.shop)
    stopped(land, "source-older")


def test_a_number_that_is_given_again_hides_no_restore(land: Landscape) -> None:
    """The restored source went on before anybody looked: the number of the lost mark belongs to another customer."""
    backup = copy(land.shop, "backup.db")
    land.sql("UPDATE customers SET city = 'Emden' WHERE id = 2")
    land.run()
    put_back(backup, land.shop)
    land.sql("UPDATE customers SET city = 'Leer' WHERE id = 3")
    stopped(land, "source-older")


def test_late_marks_before_an_interrupted_acknowledge(land: Landscape, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full batch was made due and not acknowledged; what committed late with lower numbers pushes its end out of the
    next reading: that is no restore."""
    monkeypatch.setattr(importlib.import_module("syncd.detect.fence"), "BATCH", 3)
    land.sql("UPDATE customers SET city = 'Leer' WHERE id = 5")
    land.run()
    with closing(sqlite3.connect(land.shop)) as shop, shop:
        seq = shop.execute("SELECT seq FROM sqlite_sequence WHERE name = 'syncd_change_log'").fetchone()[0]
        shop.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'syncd_change_log'", (seq + 10,))
    land.transaction(*(f"UPDATE customers SET city = 'Emden' WHERE id = {key}" for key in (1, 2, 3)))
    before = copy(land.shop, "before.db")
    land.run()
    put_back(before, land.shop)
    land.sql(f"INSERT INTO syncd_change_log (seq, customer_key, op, own) VALUES ({seq + 1}, '4', 'U', 1)")
    assert land.said("run-once").code == 0
    silent(land)


def test_an_interrupted_acknowledge_is_no_restore(land: Landscape) -> None:
    """The rows were made due, the acknowledge was lost: the next run goes on as if nothing had been."""
    land.sql("UPDATE customers SET city = 'Emden' WHERE id = 2")
    before = copy(land.shop, "before.db")
    land.run()
    put_back(before, land.shop)  # exactly as it was between the two commits
    assert land.said("run-once").code == 0


def test_a_key_that_is_used_again_after_a_restore_takes_nobodys_record(land: Landscape) -> None:
    """The restored source gives an old key to a new customer: the old one's record is not overwritten."""
    backup = copy(land.shop, "backup.db")
    insert = (
        "INSERT INTO customers (number, name, email, country, vat_number)"
        " VALUES ('{0}', '{1}', '{0}@e.example', 'DE', 'DE81234{0}')"
    )
    land.sql(insert.format("2001", "Alt GmbH"))
    land.run()
    put_back(backup, land.shop)
    stopped(land, "source-older")
    recovered(land)
    land.sql(insert.format("2002", "Neu GmbH"))
    land.run()
    names = [record["name"] for record in land.twin("aiotic").records.values()]
    assert names.count("Alt GmbH") == 1


def test_a_deleted_state_creates_nobody_twice(land: Landscape) -> None:
    """A lost state: nothing before recover; afterwards `create = "always"` still waits for a match report, also for a
    number that Billbee cannot carry, so that no look-up would find the record."""
    land.sql(
        "INSERT INTO customers (number, name, email, country, vat_number)"
        " VALUES ('K-40017', 'Kürzel GmbH', 'k@e.example', 'DE', 'DE812345678')"
    )
    land.run(wait=5.0)
    assert land.remotes() == dict.fromkeys(NAMES, 7)
    lose(land.state)
    stopped(land, "owner")
    recovered(land)
    before, writes = land.remotes(), land.writes()
    land.run(wait=5.0)
    assert (land.remotes(), land.writes()) == (before, writes)
    for name in NAMES:
        assert land.said("match", name, "--json").data["counts"]["sure"] == 7
        assert land.said("adopt", name, "--yes").code == 0
    land.sql("UPDATE customers SET city = 'Emden' WHERE id = 2")
    land.run(wait=5.0)
    assert land.remotes() == before
    assert land.twin("aiotic").records["1002"]["city"] == "Emden"
    silent(land)


@pytest.mark.long
def test_an_older_state_creates_nobody_twice(land: Landscape) -> None:
    """A state from a backup does not know the newest customer: he is matched, not created."""
    backup = copy(land.state, "old-state.db")
    land.sql(
        "INSERT INTO customers (number, name, email, country, vat_number)"
        " VALUES ('2001', 'Später GmbH', 's@e.example', 'DE', 'DE812345678')"
    )
    land.run()
    land.sql("UPDATE customers SET city = 'Emden' WHERE id = 2")
    land.run()
    put_back(backup, land.state)
    stopped(land, "state-older")
    recovered(land)
    land.run(wait=5.0)
    assert land.remotes() == dict.fromkeys(NAMES, 7)
    for name in NAMES:
        assert land.said("adopt", name, "--yes").code == 0
    land.run(wait=5.0)
    assert land.remotes() == dict.fromkeys(NAMES, 7)
    assert land.row(2)["city"] == "Emden", "what the lost state had pushed is no edit of the provider's"
    silent(land)


def test_two_states_on_one_source_do_not_share_its_changes(land: Landscape) -> None:
    """A second installation with a state of its own is refused while the first goes on undisturbed."""
    first = land.state
    second = copy(land.state, "second.db")
    with closing(sqlite3.connect(second)) as state, state:
        state.execute("UPDATE meta SET value = 'another' WHERE name = 'fence.owner'")
    land.config.write_text(land.config.read_text().replace(str(first), str(second)))
    assert land.said("run-once").code == 6
    land.write()
    land.sql("UPDATE customers SET city = 'Emden' WHERE id = 2")
    assert land.said("run-once").code == 0
    assert land.twin("aiotic").records["1002"]["city"] == "Emden"


def test_a_copy_of_state_stops_and_the_first_goes_on(land: Landscape) -> None:
    """A copied machine has the same owner and the same key: whoever comes second sees that the log moved without him,
    before he writes anything, and the first one never notices."""
    first, second = land.state, copy(land.state, "second.db")
    for key in land.directory.glob("state.db*key"):
        shutil.copy2(key, key.with_name(key.name.replace("state.db", "second.db")))
    land.sql("UPDATE customers SET city = 'Emden' WHERE id = 2")
    land.run()
    writes = land.writes()
    land.config.write_text(land.config.read_text().replace(str(first), str(second)))
    land.sql("UPDATE customers SET city = 'Leer' WHERE id = 3")
    answer = land.said("run-once")
    assert (answer.code, land.writes()) == (6, writes)
    assert "syncd recover" in answer.err
    land.write()
    assert land.said("run-once").code == 0
    assert land.twin("aiotic").records["1003"]["city"] == "Leer"


@pytest.mark.long
def test_what_a_restore_took_back_passes_the_guards(tmp_path: Path) -> None:
    """After recover the older rows are planned like any change: more than a guard allows waits for a person."""
    guard = '[guards]\nupdate = "10/24h"\n'
    with landscape(tmp_path, 14, ("aiotic",), head=guard) as land:
        land.run()
        land.sql("UPDATE customers SET city = 'Emden' WHERE id = 1")
        land.run()
        backup = copy(land.shop, "backup.db")
        land.head = '[guards]\nupdate = "off"\n'
        land.write()
        for city in ("Leer", "Husum"):
            land.sql(f"UPDATE customers SET city = '{city}'")
            land.run()
        land.head = guard
        land.write()
        put_back(backup, land.shop)
        stopped(land, "source-older")
        recovered(land)
        assert land.said("run-once", "--wait", "1s").code == 6
        cities = [record["city"] for record in land.twin("aiotic").records.values()]
        assert cities.count("Husum") == 14
        items = land.said("review", "list", "--json").data["items"]
        assert [(item["kind"], item["customer_key"]) for item in items] == [("guard_update", "")]


def test_an_emptied_source_is_not_recovered(land: Landscape) -> None:
    """A source without rows proves nothing: recover refuses to let go of everybody."""
    backup = copy(land.shop, "backup.db")
    land.sql("UPDATE customers SET city = 'Emden' WHERE id = 2")
    land.run()
    land.sql("UPDATE customers SET city = 'Leer' WHERE id = 2")
    land.run()
    put_back(backup, land.shop)
    land.transaction("DELETE FROM customers", "DELETE FROM syncd_change_log")
    answer = land.said("recover", "--yes")
    assert answer.code == 6
    assert "empty" in answer.err
    assert land.remotes() == dict.fromkeys(NAMES, 6)


def test_recover_does_not_run_beside_a_daemon(land: Landscape) -> None:
    """While another process holds the state, --yes exits 8 and changes nothing."""
    lose(land.state)
    with land.site():
        assert land.said("recover", "--yes").code == 8
    assert land.said("run-once").code == 6


def test_a_lost_state_key_drops_every_base_and_blanks_nothing(land: Landscape) -> None:
    """Under another key no digest can be read: exit 6; after recover equal sides settle and empty ones stay."""
    keys = [path for path in land.directory.glob("state*") if path.suffix == ".key" or path.name.endswith("key")]
    assert keys, "the key stands beside the state"
    for path in keys:
        path.unlink()
    assert land.said("run-once").code == 6
    assert land.said("recover", "--json").data["key_lost"] is True
    writes = land.writes()
    assert land.said("recover", "--yes").code == 0
    land.run(scan=True, wait=5.0)
    assert (land.writes(), land.remotes()) == (writes, dict.fromkeys(NAMES, 6))
    land.sql("UPDATE customers SET city = 'Emden' WHERE id = 2")
    land.run()
    assert land.twin("aiotic").records["1002"]["city"] == "Emden"


# -- PostgreSQL ----------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_dump_restored_into_a_new_cluster_is_noticed(tmp_path: Path, own_server: Cluster) -> None:
    """PostgreSQL: pg_dump, more changes, restore on another server: the fence tells, recover goes on, nothing is
    doubled."""
    with (
        database("postgresql", tmp_path) as old,
        database("postgresql", tmp_path, own_server.url()) as new,
        landscape(tmp_path, 0, NAMES, install=False, source_url=old) as land,
    ):
        _postgres_shop(old)
        land.install()
        land.run()
        assert land.remotes() == dict.fromkeys(NAMES, 4)
        dump = tmp_path / "dump.sql"
        subprocess.run(["pg_dump", "-f", str(dump), _plain(old)], check=True, capture_output=True)
        for city in ("Emden", "Leer"):
            _execute(old, f"UPDATE customers SET city = '{city}' WHERE id = 2")
            land.run()
        subprocess.run(
            ["psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(dump), _plain(new)], check=True, capture_output=True
        )
        land.source_url = new
        land.write()
        found = stopped(land, "source-older")
        assert found["absent"] == dict.fromkeys(NAMES, 0)
        recovered(land)
        land.run(wait=5.0)
        assert land.remotes() == dict.fromkeys(NAMES, 4)
        assert land.twin("aiotic").records["1002"]["city"] == "Berlin"
        silent(land)
        _execute(new, "UPDATE customers SET city = 'Husum' WHERE id = 3")
        land.run()
        assert land.twin("aiotic").records["1003"]["city"] == "Husum"


def _postgres_shop(url: str) -> None:
    from syncd.sandbox.shop import FIELDS, customers

    columns = ", ".join(f"{name} text" for name in FIELDS)
    _execute(url, f"CREATE TABLE customers (id serial PRIMARY KEY, {columns})")
    engine = sa.create_engine(url)
    names = list(FIELDS)
    statement = f"INSERT INTO customers ({', '.join(names)}) VALUES ({', '.join(f':{name}' for name in names)})"
    with engine.begin() as conn:
        for row in customers(4):
            conn.execute(sa.text(statement), dict(zip(names, row, strict=True)) | {"city": "Berlin"})
    engine.dispose()


def _execute(url: str, statement: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as conn:
        conn.execute(sa.text(statement))
    engine.dispose()


def _plain(url: str) -> str:
    return sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


# -- forget ----------------------------------------------------------------------------------------------------


def test_a_forgotten_person_leaves_digests_only(land: Landscape) -> None:
    """`forget` erases every row that names the customer, names who still has him; no scan brings him back."""
    land.sql("DELETE FROM customers WHERE id = 4")
    answer = land.said("forget", "4", "--yes", "--json")
    assert answer.code == 0, answer.err
    assert set(answer.data["still_at"]) == set(NAMES)
    assert answer.data["in_source"] is False
    land.run(scan=True)
    with closing(sqlite3.connect(land.state)) as state:
        for table in ("mapping", "work", "intent", "review", "event"):
            named = state.execute(f"SELECT count(*) FROM {table} WHERE customer_key = '4'").fetchone()
            assert named == (0,), table
    assert land.row(4) == {}
    assert land.said("forget", "4711", "--yes").code == 2


def test_forgetting_needs_a_yes_without_a_terminal(land: Landscape) -> None:
    """Without a terminal nothing waits for input, and nothing is erased."""
    assert land.said("forget", "4").code == 2
    assert land.said("forget", "4", "--yes").code == 0


# -- changed settings ------------------------------------------------------------------------------------------------


def test_a_changed_column_mapping_drops_that_fields_base_only(land: Landscape) -> None:
    """Another column for one field: no base for it, so equal values settle and different ones follow the policy; the
    other fields keep their base, and an edit over there is still an edit."""
    land.transaction("ALTER TABLE customers ADD COLUMN town TEXT", "UPDATE customers SET town = city")
    land.fields = {**land.fields, "city": "town"}
    land.write()
    land.twin("aiotic").edit("1002", email="edited@example.com")
    writes = land.writes()["invisible_collector"]
    land.run(scan=True)
    assert land.row(2)["email"] == "edited@example.com"
    assert land.writes()["invisible_collector"] == writes + 1
    silent(land)


def test_a_remapped_field_that_was_away_has_no_base(land: Landscape) -> None:
    """A field that was unmapped and comes back from another column is not taken for a source edit that blanks."""
    fields = dict(land.fields)
    land.fields = {name: column for name, column in fields.items() if name != "city"}
    land.write()
    land.run()
    land.sql("ALTER TABLE customers ADD COLUMN town TEXT")
    land.fields = {**fields, "city": "town"}
    land.write()
    land.run()
    assert land.twin("aiotic").records["1002"]["city"] == land.row(2)["city"]
    items = land.said("review", "list", "--json", "--provider", "aiotic").data["items"]
    assert {(item["kind"], *item["fields"]) for item in items} == {("no_base", "city")}


def test_a_remapped_field_is_not_explained_by_what_was_sent_before(land: Landscape) -> None:
    """A write that still waits for its confirming reading says nothing about a field that is mapped to another column
    since: what it sent is no late write of ours that the new column's emptiness would have to be pushed over."""
    city = str(land.row(2)["city"])
    with land.site() as site, site.state.begin() as tx:
        sent = {"city": Sent(None, digest(site.state.key, "aiotic", "1002", "city", city))}
        now = site.clock.now()
        number = journal.open_intent(tx, Pair("aiotic", "2"), Verb.UPDATE, sent, 1, now, now)
        journal.update_intent(tx, number, stage=Stage.CONFIRM, settle_until=now + timedelta(hours=1))
    land.sql("ALTER TABLE customers ADD COLUMN town TEXT")
    land.fields = {**land.fields, "city": "town"}
    land.write()
    land.run(scan=True)
    assert land.twin("aiotic").records["1002"]["city"] == city


def test_a_changed_direction_keeps_the_base(land: Landscape) -> None:
    """Switching a field off and on again forgets nothing: the edit made meanwhile is recognised as one."""
    tail = '[providers.aiotic.fields]\ncity = "off"\n'
    land.extra = {"aiotic": tail}
    land.write()
    land.twin("aiotic").edit("1002", city="Husum")
    land.run(scan=True)
    assert land.row(2)["city"] != "Husum"
    land.extra = {}
    land.write()
    land.run(scan=True)
    assert land.row(2)["city"] == "Husum"


@pytest.mark.parametrize("numbered", [True, False])
def test_another_key_column_is_no_mass_deletion(tmp_path: Path, *, numbered: bool) -> None:
    """`[source] key` names another column: nothing is read by it and nothing written before a person says so. After
    `recover` no record is removed, and none is made before a match report is accepted, which finds everybody."""
    with landscape(tmp_path, 6, ("aiotic",)) as land:
        land.change("[providers.aiotic]", '[providers.aiotic]\non_delete = "delete"')
        if not numbered:
            land.change('number = "number"\n', "")
        land.said("run-once")
        land.said("run-once", "--scan")
        before = land.remotes()
        assert before == {"aiotic": 6}
        land.sql("ALTER TABLE customers ADD COLUMN code INTEGER")
        land.sql("UPDATE customers SET code = 7 - id")
        land.sql("CREATE UNIQUE INDEX by_code ON customers (code)")
        land.change('key = "id"', 'key = "code"')
        assert land.said("triggers", "install").code == 0
        stopped(land, "key")
        recovered(land)
        for _ in range(2):
            land.said("run-once", "--scan", "--wait", "5s")
        assert land.remotes() == before
        assert land.recalled("SELECT count(*) FROM mapping WHERE external_id IS NOT NULL") == [(0,)]
        assert land.said("match", "aiotic", "--json").data["counts"]["sure"] >= 5
        assert land.said("review", "list", "--json").data["items"][0]["kind"] == "adopt"


def test_a_renamed_key_column_keeps_everybody(land: Landscape) -> None:
    """The column of the keys got another name, and holds what it held: after `recover` everybody is linked as before,
    and nothing is written."""
    land.said("run-once")
    links = land.recalled("SELECT provider, customer_key, external_id FROM mapping")
    land.sql("ALTER TABLE customers RENAME COLUMN id TO code")
    land.change('key = "id"', 'key = "code"')
    assert land.said("triggers", "install").code == 0
    land.said("run-once")
    recovered(land)
    writes = land.writes()
    land.said("run-once", "--scan", "--wait", "5s")
    assert land.writes() == writes
    assert land.recalled("SELECT provider, customer_key, external_id FROM mapping") == links

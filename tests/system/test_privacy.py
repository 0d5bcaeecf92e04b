"""What a data protection officer asks, and whether who was erased stays away."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.sandbox.faults import Fault
from tests.system.landscape import Landscape, landscape


@pytest.fixture
def land(tmp_path: Path) -> Iterator[Landscape]:
    """Three customers at one provider, in agreement."""
    with landscape(tmp_path, 3, ("aiotic",)) as land:
        assert land.said("run-once").code == 0
        yield land


def test_gdpr_names_fields_recipients_stores_and_times(land: Landscape) -> None:
    """From the settings alone: a field that is off is not sent, and every table with a key is named."""
    text = land.config.read_text(encoding="utf-8")
    land.config.write_text(text + '\n[providers.aiotic.fields]\nphone = "off"\nemail = "push"\n', encoding="utf-8")
    asked = land.requests("aiotic")
    told = land.said("doctor", "--gdpr", "--json").data
    (aiotic,) = told["recipients"]

    assert "phone" not in aiotic["sent"] + aiotic["taken"]
    assert "email" in aiotic["sent"]
    assert "email" not in aiotic["taken"]
    assert aiotic["server"] == "127.0.0.1"
    where = " ".join(store["where"] for store in told["stores"])
    for table in ("mapping", "work", "intent", "review", "event", "tombstone"):
        assert table in where
    assert land.requests("aiotic") == asked
    assert "gets:  " in land.said("doctor", "--gdpr").out


def test_a_forgotten_customer_does_not_come_back_by_a_scan(land: Landscape) -> None:
    """Row gone, state erased, the record still there: a scan that may insert customers leaves him alone."""
    land.change('create = "always"', 'create = "always"\ninbound_create = true')
    land.sql("DELETE FROM customers WHERE id = 2")
    assert land.said("forget", "2", "--yes").code == 0
    assert land.said("run-once", "--scan").code in {0, 5}

    assert land.sql("SELECT count(*) FROM customers") == [(2,)]
    assert land.recalled("SELECT count(*) FROM mapping WHERE customer_key = '2'") == [(0,)]


def test_a_record_that_comes_late_is_named_and_brings_nobody_back(land: Landscape) -> None:
    """Deleted and forgotten while nobody knows what became of his create: the command says where a record may still
    come, and a scan that finds it, and may insert customers, leaves him alone."""
    land.change('create = "always"', 'create = "always"\ninbound_create = true')
    land.change('settle = "1s"', 'settle = "60s"')  # nothing is repeated meanwhile, however slow the machine
    land.sql("INSERT INTO customers (number, name, email, country) VALUES ('9009', 'Nie Da', 'nie@da.example', 'DE')")
    ((key,),) = land.sql("SELECT id FROM customers WHERE number = '9009'")
    land.twin("aiotic").faults.add(Fault("late", method="PUT"))
    assert land.said("run-once", "--wait", "10ms").code == 4
    land.sql("DELETE FROM customers WHERE id = ?", key)
    told = land.said("forget", str(key), "--yes", "--json")
    assert told.code == 0, told.err
    assert (told.data["still_at"], told.data["may_come"]) == ({}, {"aiotic": "9009"})

    land.twin("aiotic").faults.release_late()
    assert "9009" in land.twin("aiotic").records
    for _ in range(2):
        land.said("run-once", "--scan")
    assert land.sql("SELECT count(*) FROM customers") == [(3,)]


def test_nobody_is_forgotten_under_a_key_that_changed_hands(land: Landscape) -> None:
    """Customers 1 and 2 swapped their keys, and no run has read it: who "1" is, syncd does not know yet, and erases
    nobody. After the run it does."""
    for old, new in ((1, 99), (2, 1), (99, 2)):
        land.sql(f"UPDATE customers SET id = {new} WHERE id = {old}")
    before = land.recalled("SELECT provider, customer_key, external_id FROM mapping ORDER BY 2")
    answer = land.said("forget", "1", "--yes")
    assert (answer.code, "changed hands" in answer.err) == (2, True)
    assert land.recalled("SELECT provider, customer_key, external_id FROM mapping ORDER BY 2") == before
    land.run()
    assert land.said("forget", "1", "--yes").code == 0
    assert land.recalled("SELECT external_id FROM mapping WHERE external_id IS NOT NULL ORDER BY 1") == [
        ("1001",),
        ("1003",),
    ]


def test_a_restored_state_brings_no_forgotten_customer_back_unasked(land: Landscape) -> None:
    """Forget, restore the older state, run and scan: everything stops until a person recovers, and then asks first."""
    land.change('create = "always"', 'create = "always"\ninbound_create = true')
    assert land.said("db", "backup", str(land.directory / "kept.db")).code == 0
    land.sql("DELETE FROM customers WHERE id = 2")
    assert land.said("forget", "2", "--yes").code == 0
    land.said("run-once")
    for path in land.directory.glob("state.db-*"):
        path.unlink()
    shutil.copy(land.directory / "kept.db", land.state)

    assert land.said("run-once", "--scan").code == 6
    assert land.said("recover", "--yes").code == 0
    for _ in range(3):
        land.said("run-once", "--scan")
    assert land.sql("SELECT count(*) FROM customers") == [(2,)]


def test_a_state_from_before_a_customer_was_known_brings_him_back_only_by_a_person(land: Landscape) -> None:
    """Linked and forgotten after the backup: nothing in the restored state knows him, and still nobody inserts him
    before a match report was accepted."""
    land.change('create = "always"', 'create = "always"\ninbound_create = true')
    assert land.said("db", "backup", str(land.directory / "kept.db")).code == 0
    land.sql("INSERT INTO customers (number, name, email, country) VALUES ('9009', 'Nie Da', 'nie@da.example', 'DE')")
    ((key,),) = land.sql("SELECT id FROM customers WHERE number = '9009'")
    assert land.said("run-once").code == 0
    land.sql("DELETE FROM customers WHERE number = '9009'")
    assert land.said("forget", str(key), "--yes").code == 0
    land.said("run-once")
    for path in land.directory.glob("state.db-*"):
        path.unlink()
    shutil.copy(land.directory / "kept.db", land.state)

    assert land.said("recover", "--yes").code == 0
    for _ in range(3):
        land.said("run-once", "--scan")
    assert land.sql("SELECT count(*) FROM customers") == [(3,)]

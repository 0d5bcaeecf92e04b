"""What a data protection officer asks, and whether who was erased stays away."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.installed import Installed, installed


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Installed]:
    """Three customers at one provider, in agreement."""
    with installed(tmp_path, capsys, ("aiotic",), 3) as site:
        assert site("run-once").code == 0
        yield site


def test_gdpr_names_fields_recipients_stores_and_times(shop: Installed) -> None:
    """From the settings alone: a field that is off is not sent, and every table with a key is named."""
    text = shop.config.read_text(encoding="utf-8")
    shop.config.write_text(text + '\n[providers.aiotic.fields]\nphone = "off"\nemail = "push"\n', encoding="utf-8")
    asked = shop.requests("aiotic")
    told = shop("doctor", "--gdpr", "--json").json
    (aiotic,) = told["recipients"]

    assert "phone" not in aiotic["sent"] + aiotic["taken"]
    assert "email" in aiotic["sent"]
    assert "email" not in aiotic["taken"]
    assert aiotic["server"] == "127.0.0.1"
    where = " ".join(store["where"] for store in told["stores"])
    for table in ("mapping", "work", "intent", "review", "event", "tombstone"):
        assert table in where
    assert shop.requests("aiotic") == asked
    assert "gets:  " in shop("doctor", "--gdpr").out


def test_a_forgotten_customer_does_not_come_back_by_a_scan(shop: Installed) -> None:
    """Row gone, state erased, the record still there: a scan that may insert customers leaves him alone."""
    shop.change('create = "always"', 'create = "always"\ninbound_create = true')
    shop.sql("DELETE FROM customers WHERE id = 2")
    assert shop("forget", "2", "--yes").code == 0
    assert shop("run-once", "--scan").code in {0, 5}

    assert shop.sql("SELECT count(*) FROM customers") == [(2,)]
    assert shop.state("SELECT count(*) FROM mapping WHERE customer_key = '2'") == [(0,)]


def test_a_restored_state_brings_no_forgotten_customer_back_unasked(shop: Installed) -> None:
    """Forget, restore the older state, run and scan: everything stops until a person recovers, and then asks first."""
    shop.change('create = "always"', 'create = "always"\ninbound_create = true')
    assert shop("db", "backup", str(shop.directory / "kept.db")).code == 0
    shop.sql("DELETE FROM customers WHERE id = 2")
    assert shop("forget", "2", "--yes").code == 0
    shop("run-once")
    for path in shop.directory.glob("state.db-*"):
        path.unlink()
    shutil.copy(shop.directory / "kept.db", shop.directory / "state.db")

    assert shop("run-once", "--scan").code == 6
    assert shop("recover", "--yes").code == 0
    for _ in range(3):
        shop("run-once", "--scan")
    assert shop.sql("SELECT count(*) FROM customers") == [(2,)]


def test_a_state_from_before_a_customer_was_known_brings_him_back_only_by_a_person(shop: Installed) -> None:
    """Linked and forgotten after the backup: nothing in the restored state knows him, and still nobody inserts him
    before a match report was accepted."""
    shop.change('create = "always"', 'create = "always"\ninbound_create = true')
    assert shop("db", "backup", str(shop.directory / "kept.db")).code == 0
    shop.sql("INSERT INTO customers (number, name, email, country) VALUES ('9009', 'Nie Da', 'nie@da.example', 'DE')")
    ((key,),) = shop.sql("SELECT id FROM customers WHERE number = '9009'")
    assert shop("run-once").code == 0
    shop.sql("DELETE FROM customers WHERE number = '9009'")
    assert shop("forget", str(key), "--yes").code == 0
    shop("run-once")
    for path in shop.directory.glob("state.db-*"):
        path.unlink()
    shutil.copy(shop.directory / "kept.db", shop.directory / "state.db")

    assert shop("recover", "--yes").code == 0
    for _ in range(3):
        shop("run-once", "--scan")
    assert shop.sql("SELECT count(*) FROM customers") == [(3,)]

"""`number` comes into the mapping, or leaves it, once customers are linked: our key at a provider stays what it was."""

from __future__ import annotations

from pathlib import Path

from tests.system.landscape import Landscape, landscape

NAMES = ("aiotic", "invisible_collector", "billbee", "jtl")
NEW = "INSERT INTO customers (number, name, email, country, vat_number) VALUES (?, ?, ?, 'DE', 'DE812345678')"


def looked(land: Landscape) -> dict[str, int]:
    """Two runs that look at everything; the records at each provider."""
    assert land.said("triggers", "install").code == 0
    for _ in range(2):
        land.said("run-once", "--scan", "--wait", "8s")
    return land.remotes()


def asked(land: Landscape) -> list[tuple[str, str, str]]:
    found = land.said("review", "list", "--json").data["items"]
    return sorted((item["provider"], item["customer_key"], item["kind"]) for item in found)


def keys(land: Landscape) -> set[tuple[str, str, str]]:
    """Our key of every linked customer at every provider."""
    columns = "provider, customer_key, provider_key"
    return set(land.recalled(f"SELECT {columns} FROM mapping WHERE external_id IS NOT NULL"))


def test_the_number_is_mapped_after_customers_were_linked(tmp_path: Path) -> None:
    """Nobody gets a second record and nobody is asked about; a newcomer whose number is somebody's key there is a
    question, and creates nothing. Without the mapping again, everybody keeps his record."""
    with landscape(tmp_path, 4, NAMES) as land:
        mapped = land.config.read_text(encoding="utf-8")
        land.change('number = "number"\n', "")
        before = looked(land)
        linked = keys(land)
        assert before == dict.fromkeys(NAMES, 4)
        unmapped = land.config.read_text(encoding="utf-8")
        land.config.write_text(mapped, encoding="utf-8")
        assert looked(land) == before
        assert asked(land) == []
        assert keys(land) == linked
        land.sql(NEW, "3", "Drei GmbH", "drei@e.example")
        assert looked(land) == before
        assert set(asked(land)) >= {(name, "5", "key_taken") for name in NAMES if name != "jtl"}
        land.sql("DELETE FROM customers WHERE id = 5")
        land.config.write_text(unmapped, encoding="utf-8")
        assert looked(land) == before
        assert keys(land) == linked
        assert asked(land) == []

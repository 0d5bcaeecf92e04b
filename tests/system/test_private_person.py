"""A private person in a shop that has a column for companies stays a person, whoever renames him."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.system.landscape import landscape


@pytest.mark.parametrize("name", ["jtl", "billbee"])
def test_a_renamed_person_is_no_company(tmp_path: Path, name: str) -> None:
    """A last name that is edited at a provider comes back alone: the column for companies stays empty, and the name as
    it was composed before never goes out again."""
    with landscape(tmp_path, 3, (name,)) as land:
        land.sql("UPDATE customers SET name = NULL, first_name = 'Anna', last_name = 'Alt' WHERE id = 1")
        land.run()
        twin = land.twin(name)
        ((external_id, record),) = [each for each in twin.records.items() if "Alt" in json.dumps(each)]
        if name == "jtl":
            twin.edit(external_id, BillingAddress=record["BillingAddress"] | {"LastName": "Neu"})
        else:
            address = next(each for each in record["Addresses"] if each["LastName"] == "Alt")
            address["LastName"] = "Neu"
            twin.edit(external_id, Name="Anna Neu")
        told = len(twin.log)
        land.run(scan=True)
        row = land.row(1)
        assert (row["name"], row["first_name"], row["last_name"]) == (None, "Anna", "Neu")
        assert not any("Anna Alt" in entry.body.decode() for entry in twin.log[told:])
        writes = land.writes()
        land.run(scan=True)
        assert land.writes() == writes

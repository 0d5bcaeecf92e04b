"""`syncd verify`: sees what no trigger and no listing reported, and changes nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from copy import deepcopy
from pathlib import Path

import pytest

from syncd.sandbox.faults import Fault
from tests.system.landscape import Landscape, landscape


@pytest.fixture
def land(tmp_path: Path) -> Iterator[Landscape]:
    """Eight customers in agreement at all five providers."""
    with landscape(tmp_path, 8) as made:
        made.run()
        made.run(scan=True)
        yield made


def behind_the_triggers(land: Landscape, statement: str) -> None:
    """A change that the change log never saw."""
    land.transaction(statement, "DELETE FROM syncd_change_log")


def differences(land: Landscape, *words: str) -> set[tuple[str, str, str, tuple[str, ...]]]:
    answer = land.said("verify", "--json", *words)
    found = {(d["provider"], d["customer_key"], d["kind"], tuple(d["fields"])) for d in answer.data["differences"]}
    assert answer.code == (3 if found else 0)
    assert answer.data["differences_total"] == len(answer.data["differences"])
    return found


def test_agreement_is_said_when_it_is_true(land: Landscape) -> None:
    """Everything was checked and agrees: exit 0."""
    answer = land.said("verify", "--json")
    assert (answer.code, answer.data["differences"]) == (0, [])
    assert answer.data["checked"] == dict.fromkeys(land.names, 8)
    assert "Both sides agree." in land.said("verify").out


def test_a_change_behind_the_triggers_is_found_everywhere(land: Landscape) -> None:
    """A row that changed without a trigger differs at every provider, with the field's name and not its value."""
    behind_the_triggers(land, "UPDATE customers SET city = 'Canary' WHERE id = 3")
    assert differences(land) == {(name, "3", "differs", ("city",)) for name in land.names}
    answer = land.said("verify")
    assert answer.code == 3
    assert "Canary" not in answer.out + answer.err


def test_an_edit_over_there_is_found_where_nothing_lists(land: Landscape) -> None:
    """A provider without a listing is read customer by customer."""
    twin = land.twin("invisible_collector")
    external_id = next(iter(twin.records))
    key = str(int(twin.records[external_id]["externalId"]) - 1000)
    twin.edit(external_id, city="Husum")
    assert differences(land, "--provider", "invisible_collector") == {
        ("invisible_collector", key, "differs", ("city",))
    }


def test_rows_and_records_that_are_missing_are_found(land: Landscape) -> None:
    """A row that vanished, and a record that vanished."""
    behind_the_triggers(land, "DELETE FROM customers WHERE id = 5")
    land.twin("aiotic").drop("1002")
    found = differences(land)
    assert ("aiotic", "2", "missing_there", ()) in found
    assert {entry for entry in found if entry[1] == "5"} == {(name, "5", "missing_here", ()) for name in land.names}


def test_two_records_with_one_key_are_found(land: Landscape) -> None:
    """A second record with a customer's number is reported with its customer."""
    twin = land.twin("jtl")
    original = next(record for record in twin.records.values() if record["Number"] == "1004")
    twin.put("9999", deepcopy(original) | {"Id": 9999})
    assert ("jtl", "4", "duplicate_there", ()) in differences(land, "--provider", "jtl")


def test_verify_changes_nothing(land: Landscape) -> None:
    """Neither side and no mark in the state is another one afterwards."""
    behind_the_triggers(land, "UPDATE customers SET city = 'Emden' WHERE id = 3")
    with closing(sqlite3.connect(land.state)) as state:
        before = list(state.iterdump())
    writes = land.writes()
    land.said("verify")
    with closing(sqlite3.connect(land.state)) as state:
        assert list(state.iterdump()) == before
    assert land.writes() == writes


def test_a_sample_is_a_share(land: Landscape) -> None:
    """`--sample 50%` looks at some; a share that is none is a usage error."""
    answer = land.said("verify", "--json", "--sample", "50%", "--provider", "aiotic")
    assert answer.data["checked"]["aiotic"] <= 8
    assert land.said("verify", "--sample", "lots").code == 2
    assert land.said("verify", "--sample", "0%").code == 2


def test_a_provider_that_fails_is_not_in_agreement(land: Landscape) -> None:
    """A provider that cannot be read: exit 7, and nobody says that both sides agree."""
    land.twin("billbee").faults.add(Fault("status", status=503, times=0))
    answer = land.said("verify", "--provider", "billbee")
    assert answer.code == 7
    assert "agree" not in answer.out

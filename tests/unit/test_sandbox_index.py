"""The indexes of a sandbox answer what looking through all its records would."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from syncd.sandbox import billbee_addresses
from syncd.sandbox.index import Index, Record, Rows, texts
from syncd.sandbox.twin import Twin
from syncd.testing import Row, World, opened
from syncd.testing.checks import Check
from syncd.testing.finding import scan_is_complete
from syncd.testing.spelling import awkward_values_come_back
from syncd.testing.writing import clearing, removal, sample_round_trip, update_changes_planned_fields_only
from tests.contract.providers import azotte, billbee, invisible_collector, jtl


def _parts(record: Record) -> Iterator[tuple[int, Record]]:
    for part in record["parts"]:
        yield part["id"], part


def _number(record: Record) -> Iterator[tuple[int, Record]]:
    yield record["number"], record


def _found_slowly(twin: Twin) -> list[list[Record]]:
    records = list(twin.records.values())
    parts = [part for record in records for part in record["parts"]]
    return [
        [record for record in records if record.get("mail") == "a@example.com"],
        sorted(records, key=lambda record: int(record["number"])),
        sorted(parts, key=lambda part: int(part["id"])),
        [record for record in sorted(records, key=lambda record: int(record["number"])) if 2 <= record["number"] <= 4],
    ]


def _found(twin: Twin) -> list[list[Record]]:
    return [
        twin.by(texts("mail")).at("a@example.com"),
        list(twin.by(_number).rows),
        list(twin.by(_parts).rows),
        twin.by(_number).between(2, 4),
    ]


def _record(number: int, mail: str | None, *parts: int) -> Record:
    return {"number": number, "mail": mail, "parts": [{"id": part} for part in parts]}


@pytest.fixture(params=(True, False), ids=("indexed", "looked-through"))
def twin(request: pytest.FixtureRequest) -> Twin:
    made = Twin("acme", indexed=request.param, archive=lambda _, record: record.update(number=9))
    made.put("1", _record(1, "a@example.com", 9))
    made.put("2", _record(2, "b@example.com"))
    made.put("3", _record(3, "a@example.com", 7, 8))
    assert _found(made) == _found_slowly(made)
    return made


def _in_place(twin: Twin) -> None:
    twin.records["2"]["mail"] = "a@example.com"
    twin.records["3"]["parts"][0]["id"] = 70
    twin.touch("2", "3")


def _by_hand(twin: Twin) -> None:
    twin.records["2"]["mail"] = "a@example.com"
    twin.records["4"] = _record(2, "a@example.com")
    del twin.records["1"]
    twin.touch()


def _back(twin: Twin) -> None:
    twin.drop("1")
    twin.put("1", _record(1, "a@example.com", 9))


def _again(twin: Twin) -> None:
    twin.reset()
    twin.put("1", _record(2, "a@example.com", 6))


CHANGES: dict[str, Callable[[Twin], object]] = {
    "a new one": lambda twin: twin.put("4", _record(0, "a@example.com", 1)),
    "another one in its place": lambda twin: twin.put("1", _record(5, "b@example.com", 4)),
    "the same in another object": lambda twin: twin.put("1", _record(1, "a@example.com", 9) | {"more": 1}),
    "dropped": lambda twin: twin.drop("1"),
    "dropped and back": _back,
    "edited": lambda twin: twin.edit("2", mail="a@example.com", number=9, parts=[{"id": 2}]),
    "several in place": _in_place,
    "any, by hand": _by_hand,
    "reset and used again": _again,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_an_index_shows_every_change(twin: Twin, change: Callable[[Twin], object]) -> None:
    """What is put, dropped, edited or told of is found as it is now, in the order in which the records came."""
    before = [[dict(row) for row in rows] for rows in _found_slowly(twin)]
    change(twin)
    found, wanted = _found(twin), _found_slowly(twin)
    assert found == wanted
    assert found != before
    assert [[id(row) for row in rows] for rows in found] == [[id(row) for row in rows] for rows in wanted]


def test_without_indexes_nobody_needs_to_tell() -> None:
    """A test changes records as it likes."""
    twin = Twin("acme")
    twin.put("1", _record(1, "a@example.com"))
    _found(twin)
    twin.records["1"]["mail"] = "b@example.com"
    assert twin.by(texts("mail")).at("a@example.com") == []


def _another_vat_number(world: World) -> None:
    remote = world.created()
    world.twin.by(texts("vatNumber"))
    world.adapter.update(world.agreed(remote), {"vat_number": "PT501964843"})


def _an_address_more(world: World) -> None:
    remote = world.adapter.create("4712", world.adapter.project({"name": "Ohne Ort GmbH"}))
    world.twin.by(billbee_addresses.by_id)
    world.adapter.update(remote, {"street": "Weg 1", "city": "Celle"})


CHECKS = (
    sample_round_trip,
    update_changes_planned_fields_only,
    awkward_values_come_back,
    clearing,
    scan_is_complete,
    removal,
)
ROWS = (azotte.ROW, billbee.ROW, invisible_collector.ROW, jtl.ROW)


CASES = [
    *((row, variant, check) for row in ROWS for variant in (0, -1) for check in CHECKS),
    (invisible_collector.ROW, 0, _another_vat_number),
    (billbee.ROW, 0, _an_address_more),
]


@pytest.mark.parametrize(("provider", "variant", "check"), CASES)
def test_every_request_tells_what_it_changes(
    provider: Row, variant: int, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever a sandbox of ours asks an index, and at the end, it says what looking through all records would."""
    kept = Twin.by

    def by(twin: Twin, rows: Rows) -> Index:
        found, fresh = kept(twin, rows), Index(rows, twin.records)
        for value, _ in fresh._keys:
            assert [id(one) for one in found.at(value)] == [id(one) for one in fresh.at(value)]
        assert [id(one) for one in found.rows] == [id(one) for one in fresh.rows]
        return found

    monkeypatch.setattr(Twin, "by", by)
    with opened(provider, provider.all_variants()[variant]) as world:
        world.twin.indexed = True
        check(world)
        for rows in list(world.twin.indexes):
            world.twin.by(rows)

"""The records of a sandbox: their indexes answer what looking through all of them would."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator

import pytest

from syncd.sandbox.records import Record, texts
from syncd.sandbox.twin import Twin


def _parts(record: Record) -> Iterator[tuple[int, Record]]:
    for part in record["parts"]:
        yield part["id"], part


def _number(record: Record) -> Iterator[tuple[int, Record]]:
    yield record["number"], record


def _found_slowly(twin: Twin) -> tuple[list[Record], list[Record], list[Record], list[Record]]:
    records = list(twin.records.values())
    parts = [part for record in records for part in record["parts"]]
    return (
        [record for record in records if record.get("mail") == "a@example.com"],
        sorted(records, key=lambda record: int(record["number"])),
        sorted(parts, key=lambda part: int(part["id"])),
        [record for record in sorted(records, key=lambda record: int(record["number"])) if 2 <= record["number"] <= 4],
    )


def _found(twin: Twin) -> tuple[list[Record], list[Record], list[Record], list[Record]]:
    return (
        twin.records.by(texts("mail")).at("a@example.com"),
        twin.records.by(_number).rows,
        twin.records.by(_parts).rows,
        twin.records.by(_number).between(2, 4),
    )


def _record(number: int, mail: str | None, *parts: int) -> Record:
    return {"number": number, "mail": mail, "parts": [{"id": part} for part in parts]}


@pytest.fixture
def twin() -> Twin:
    made = Twin("acme")
    made.put("1", _record(1, "a@example.com", 9))
    made.put("2", _record(2, "b@example.com"))
    made.put("3", _record(3, "a@example.com", 7, 8))
    assert _found(made) == _found_slowly(made)
    return made


def _held_long(twin: Twin) -> None:
    record, parts = twin.records["1"], twin.records["3"]["parts"]
    twin.edit("2", mail="c@example.com")
    _found(twin)
    record["mail"] = "z@example.com"
    parts[0]["id"] = 70


def _in_turn(*changes: Callable[[Twin], object]) -> Callable[[Twin], None]:
    def change(twin: Twin) -> None:
        for one in changes:
            one(twin)

    return change


CHANGES: dict[str, Callable[[Twin], object]] = {
    "a new one": lambda twin: twin.put("4", _record(0, "a@example.com", 1)),
    "another one in its place": lambda twin: twin.put("1", _record(5, "b@example.com", 4)),
    "dropped": lambda twin: twin.drop("1"),
    "dropped and back": _in_turn(
        lambda twin: twin.drop("1"),
        lambda twin: twin.put("1", _record(1, "a@example.com", 9)),
    ),
    "edited": lambda twin: twin.edit("2", mail="a@example.com", number=9, parts=[{"id": 2}]),
    "written": lambda twin: twin.records.__setitem__("7", _record(4, "a@example.com")),
    "deleted": lambda twin: twin.records.__delitem__("3"),
    "taken out": lambda twin: twin.records.pop("3"),
    "the last taken out": lambda twin: twin.records.popitem(),
    "many written": lambda twin: twin.records.update({"2": _record(3, "a@example.com", 5), "8": _record(2, None)}),
    "written unless there": lambda twin: twin.records.setdefault("9", _record(3, "a@example.com"))["parts"].append(
        {"id": 3}
    ),
    "cleared": lambda twin: twin.records.clear(),
    "reset and used again": _in_turn(
        lambda twin: twin.reset(),
        lambda twin: twin.put("1", _record(2, "a@example.com", 6)),
    ),
    "a member set": lambda twin: twin.records["2"].__setitem__("mail", "a@example.com"),
    "a member taken away": lambda twin: twin.records["1"].pop("mail"),
    "members joined": lambda twin: twin.records["2"].__ior__({"mail": "a@example.com", "number": 8}),
    "the record joined": lambda twin: twin.records.__ior__({"2": twin.records["2"] | {"mail": "a@example.com"}}),
    "a part added": lambda twin: twin.records["2"]["parts"].append({"id": 5}),
    "parts joined": lambda twin: twin.records["2"]["parts"].__iadd__([{"id": 5}, {"id": 6}]),
    "a part taken away": lambda twin: twin.records["3"]["parts"].pop(0),
    "a part changed": lambda twin: twin.records["3"]["parts"][1].update(id=1),
    "an added part changed": _in_turn(
        lambda twin: twin.records["2"]["parts"].append({"id": 5}),
        _found,
        lambda twin: twin.records["2"]["parts"][0].update(id=50),
    ),
    "what somebody has held for long": _held_long,
    "moved to another": _in_turn(
        lambda twin: twin.records["2"].update(parts=twin.records["3"]["parts"]),
        lambda twin: twin.records["3"]["parts"].clear(),
        lambda twin: twin.records["2"]["parts"][0].update(id=77),
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_an_index_is_never_stale(twin: Twin, change: Callable[[Twin], object]) -> None:
    """Whoever changes a record, wherever and by whatever means, the next answer shows it."""
    before = copy.deepcopy(_found_slowly(twin))
    change(twin)
    found, wanted = _found(twin), _found_slowly(twin)
    assert found == wanted != before
    assert [[id(row) for row in rows] for rows in found] == [[id(row) for row in rows] for rows in wanted]


def test_a_copy_is_nobodys_record(twin: Twin) -> None:
    """A copy is a plain object, and what becomes of it is not seen; neither is what a record was made from."""
    given = _record(4, None)
    twin.put("4", given)
    deep, shallow = copy.deepcopy(twin.records), copy.copy(twin.records["3"])
    before = json.dumps(twin.records)
    given["mail"] = deep["1"]["mail"] = shallow["mail"] = "x@example.com"
    deep["3"]["parts"][0]["id"] = 1
    assert {type(deep), type(deep["3"]), type(shallow)} == {dict}
    assert type(deep["3"]["parts"]) is list
    assert json.dumps(twin.records) == before

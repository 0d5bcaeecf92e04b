"""Addresses that wait for their customers are packed, and come out as they went in."""

from __future__ import annotations

from syncd.providers.billbee_packed import Addresses, Packing

ROWS = (
    {"Id": 30_000_000_015_123_457, "CustomerId": 1, "City": "Ingelheim\nam Rhein", "Street": None, "Tel1": ""},
    {"Id": 2, "CustomerId": 2, "City": "Łódź 🏗", "Street": 'Am "Anger"\\7\u2028\x85', "Tel1": None},
    {"Id": 3, "City": "Husum", "CustomerId": 1, "Odd": [1, {"a": [True, 0.1]}]},
    {"Id": 4, "City": "Emden"},
    {"Id": 5, "CustomerId": None},
    {"Id": 6, "CustomerId": 1, "City": "", "Street": None, "Tel1": ""},
)


def test_what_is_packed_comes_out_as_it_was() -> None:
    """Each customer's addresses, in the order of the list, whatever members they have; none twice in memory."""
    packing = Packing()
    waiting = {int(str(row["Id"])): packing.pack(row) for row in ROWS}

    addresses = Addresses(packing, waiting)

    assert waiting == {}
    assert {owner: addresses.of(owner) for owner in (1, 2, 3, 0)} == {
        1: [ROWS[0], ROWS[2], ROWS[5]],
        2: [ROWS[1]],
        3: [],
        0: [ROWS[3], ROWS[4]],
    }
    assert [list(row) for row in addresses.of(1)] == [list(ROWS[0]), list(ROWS[2]), list(ROWS[5])]

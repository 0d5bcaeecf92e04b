"""Addresses that wait for their customers are packed, and come out as they went in."""

from __future__ import annotations

from syncd.providers.billbee_packed import Addresses

ROWS = (
    {"Id": 30_000_000_015_123_457, "CustomerId": 1, "City": "Ingelheim\nam Rhein", "Street": None, "Tel1": ""},
    {"Id": 2, "CustomerId": 2, "City": "Łódź 🏗", "Street": 'Am "Anger"\\7\u2028\x85', "Tel1": None},
    {"Id": 3, "City": "Husum", "CustomerId": 1, "Odd": [1, {"a": [True, 0.1]}]},
    {"Id": 4, "City": "Emden"},
    {"Id": 5, "CustomerId": None},
    {"Id": 6, "CustomerId": 1, "City": "", "Street": None, "Tel1": ""},
)


def test_what_is_packed_comes_out_as_it_was() -> None:
    """Each customer's addresses, in the order of the list, whatever members they have; those of nobody are not kept."""
    addresses = Addresses()
    for row in ROWS:
        addresses.add(row)

    assert {owner: addresses.of(owner) for owner in (1, 2, 3, 0)} == {
        1: [ROWS[0], ROWS[2], ROWS[5]],
        2: [ROWS[1]],
        3: [],
        0: [],
    }
    assert [list(row) for row in addresses.of(1)] == [list(ROWS[0]), list(ROWS[2]), list(ROWS[5])]


def test_the_last_word_about_an_address_counts() -> None:
    """While pages shift, one is shown twice: changed meanwhile, or given to another customer."""
    addresses = Addresses()
    for row in (ROWS[0], ROWS[2], {**ROWS[0], "City": "Mainz"}, {**ROWS[2], "CustomerId": 2}):
        addresses.add(row)

    assert addresses.of(1) == [{**ROWS[0], "City": "Mainz"}]
    assert addresses.of(2) == [{**ROWS[2], "CustomerId": 2}]

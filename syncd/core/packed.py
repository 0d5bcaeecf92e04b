"""Texts by key in little memory, for listings of any length: one buffer of lines, and a table of places.

In a dictionary every record leaves small objects all over the memory, and the blocks around them are never given back
to the system. Buffer and table are single blocks, which the C library gives back at once.
"""

from __future__ import annotations

import json
from array import array

FEWEST = 1024  # slots; a power of two, as every later size


class Packed:
    """Values in the order in which they were added, by key. A value holds no line end (JSON never does)."""

    def __init__(self) -> None:
        self._lines = bytearray()
        self._places = _slots(FEWEST)  # by key: 1 + where the last line about it begins; 0 is free
        self._keys = 0

    def __len__(self) -> int:
        """How many keys there are."""
        return self._keys

    def __contains__(self, key: object) -> bool:
        places = self._places
        return isinstance(key, str) and places[self._slot(places, key)] != 0

    def add(self, key: str, value: bytes = b"") -> None:
        """Add a value to this key. One thread may add at a time; other threads may read meanwhile."""
        if self._keys * 3 >= len(self._places) * 2:
            self._widen()
        slot, place = self._slot(self._places, key), len(self._lines) + 1
        before = self._places[slot]
        self._lines += b"%s%d %s\n" % (_begin(key), before, value)
        self._places[slot] = place
        self._keys += not before

    def of(self, key: str) -> list[bytes]:
        """All values of this key."""
        places, begin, found = self._places, _begin(key), list[bytes]()
        place = places[self._slot(places, key)]
        while place:
            start = place - 1 + len(begin)
            before, _, value = bytes(self._lines[start : self._lines.index(b"\n", start)]).partition(b" ")
            found.append(value)
            place = int(before)
        return found[::-1]

    def _slot(self, places: array[int], key: str) -> int:
        """The slot of this key in the table, used or free."""
        begin, mask = _begin(key), len(places) - 1
        slot = hash(key) & mask
        while (place := places[slot]) and not self._lines.startswith(begin, place - 1):
            slot = slot + 1 & mask
        return slot

    def _widen(self) -> None:
        wider, decoder = _slots(len(self._places) * 4), json.JSONDecoder()
        for place in filter(None, self._places):
            line = self._lines[place - 1 : self._lines.index(b"\n", place)].decode()
            wider[self._slot(wider, decoder.raw_decode(line)[0])] = place
        self._places = wider


def _slots(count: int) -> array[int]:
    return array("Q", bytes(8 * count))


def _begin(key: str) -> bytes:
    """The beginning of every line of this key, and of no other key's."""
    return json.dumps(key).encode() + b" "

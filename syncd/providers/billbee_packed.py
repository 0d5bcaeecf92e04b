"""Rows of a long list in little memory: an account's addresses are held while its customers are read.

A row as a dictionary takes about 1,200 bytes, most of it for texts of a few letters; as JSON without the names of its
members, which all rows of a list share, about 200. What is unpacked is equal to what was packed: rows are JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from syncd.providers.billbee_api import Row


class Packing:
    """How rows are packed; the names of their members are kept here, once for all rows that have the same."""

    def __init__(self) -> None:
        self._shapes: dict[tuple[str, ...], int] = {}
        self._names: list[tuple[str, ...]] = []

    def pack(self, row: Row) -> bytes:
        names = tuple(row)
        shape = self._shapes.setdefault(names, len(self._names))
        if shape == len(self._names):
            self._names.append(names)
        return json.dumps([shape, *row.values()], ensure_ascii=False, separators=(",", ":")).encode()

    def unpack(self, packed: bytes) -> Iterator[Row]:
        """The rows of what was packed, several joined by line ends."""
        for line in packed.split(b"\n") if packed else ():
            shape, *values = json.loads(line)
            yield dict(zip(self._names[shape], values, strict=True))


class Addresses:
    """Addresses by customer. Takes what `packing` made, by address, out of `rows`, so that none is there twice."""

    def __init__(self, packing: Packing, rows: dict[int, bytes]) -> None:
        self._packing = packing
        self._packed: dict[Any, bytes] = {}
        while rows:
            _, packed = rows.popitem()
            for row in packing.unpack(packed):
                owner = row.get("CustomerId") or 0
                before = self._packed.get(owner)
                self._packed[owner] = packed if before is None else packed + b"\n" + before

    def of(self, customer: int) -> list[Row]:
        """The addresses of this customer, in the order of the list."""
        return list(self._packing.unpack(self._packed.get(customer, b"")))

"""An account's invoice addresses in little memory: they are held while its customers are read.

A row as a dictionary takes about 1,200 bytes, most of it for texts of a few letters; as JSON without the names of its
members, which all rows of a list share, about 200. What comes out is equal to what went in: rows are JSON.
"""

from __future__ import annotations

import json

from syncd.core.packed import Packed
from syncd.providers.billbee_api import Row


class Addresses:
    """Addresses by customer. Where paging shows an address more than once, its last showing counts, also for the
    customer that it belongs to."""

    def __init__(self) -> None:
        self._rows, self._ids = Packed(), Packed()  # by address; the addresses' own ids by customer
        self._shapes: dict[tuple[str, ...], int] = {}
        self._names: list[tuple[str, ...]] = []

    def add(self, row: Row) -> None:
        """Add a row of the list; an address without a customer is not kept."""
        if row.get("CustomerId"):
            address = str(row["Id"])
            self._rows.add(address, self._pack(row))
            self._ids.add(str(row["CustomerId"]), address.encode())

    def of(self, customer: int) -> list[Row]:
        """The addresses of this customer, in the order of the list."""
        addresses = dict.fromkeys(each.decode() for each in self._ids.of(str(customer)))
        rows = (self._unpack(self._rows.of(address)[-1]) for address in addresses)
        return [row for row in rows if row["CustomerId"] == customer]

    def _pack(self, row: Row) -> bytes:
        names = tuple(row)
        shape = self._shapes.setdefault(names, len(self._names))
        if shape == len(self._names):
            self._names.append(names)
        return json.dumps([shape, *row.values()], ensure_ascii=False, separators=(",", ":")).encode()

    def _unpack(self, packed: bytes) -> Row:
        shape, *values = json.loads(packed)
        return dict(zip(self._names[shape], values, strict=True))

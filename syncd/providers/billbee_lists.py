"""Reads Billbee's lists whole, although rows may come and go while the pages are read.

There is no order that a client can ask for and no snapshot: a row that disappears (a merge) moves all later ones up, so
that a row slips from an unread page to one that was read. The total proves that none did: it never fell, and as many
different rows were read as there were at the start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from syncd.core.packed import Packed
from syncd.errors import Temporary
from syncd.providers import billbee_api as api
from syncd.providers.billbee_api import Row
from syncd.providers.billbee_packed import Addresses
from syncd.providers.billbee_wire import INVOICE
from syncd.providers.http import Http

PAGE_SIZE = 250  # the most that Billbee gives
PASSES = 3


@dataclass(frozen=True, slots=True)
class Lists:
    """The client to read lists with, and the rows of one page to ask for."""

    http: Http
    page_size: int = PAGE_SIZE


@dataclass(frozen=True, slots=True)
class Slice:
    """One page of a list; `size` rows fit on a page, `total` rows are there, as the server says."""

    page: int
    rows: tuple[Row, ...]
    size: int
    total: int

    @property
    def last(self) -> bool:
        """Whether no row is left for another page."""
        return self.page * self.size >= self.total


@dataclass(frozen=True, slots=True)
class Listing:
    """One pass over a whole list: what `keep` answered for its rows, by id.

    `complete`: the total never fell, and at least as many rows were seen as there were at the start, so no row slipped
    past the reader. `steady`: nothing was added either.
    """

    rows: dict[int, Any]
    complete: bool
    steady: bool


def pages(lists: Lists, template: str, *, start: int = 1, external_id: str = "") -> Iterator[Slice]:
    """The pages of a list from `start` on. Raises `Temporary` for a page that does not hold what it says."""
    page = start
    while True:
        part = _page(lists, template, page, external_id)
        yield part
        if part.last:
            return
        page += 1


def listing(lists: Lists, template: str, keep: Callable[[Row], Any]) -> Listing:
    """Read a whole list once, and keep what `keep` answers for each row (None: nothing). Where paging shows a row more
    than once, its last showing counts."""
    seen, kept = Packed(), dict[int, Any]()
    totals: list[int] = []
    for part in pages(lists, template):
        totals.append(part.total)
        for row in part.rows:
            seen.add(str(row["Id"]))
            if (made := keep(row)) is not None:
                kept[row["Id"]] = made
    complete = totals == sorted(totals) and len(seen) >= totals[0]
    return Listing(kept, complete, complete and totals[0] == totals[-1] == len(seen))


def _page(lists: Lists, template: str, page: int, external_id: str) -> Slice:
    ids = {"id": external_id} if external_id else {}
    answer = lists.http.request("GET", template, ids=ids, params={"page": str(page), "pageSize": str(lists.page_size)})
    rows = api.data(answer)
    paging = answer.record().get("Paging")
    if not isinstance(rows, list) or not isinstance(paging, dict) or not all(map(api.is_row, rows)):
        raise answer.unreadable("the answer is no page of records")
    here, size, total = (paging.get(name) for name in ("Page", "PageSize", "TotalRows"))
    if here != page or type(size) is not int or type(total) is not int or size < 1 or total < 0:
        raise answer.unreadable("the answer is another page than the one asked for")
    if len(rows) != min(size, max(total - (page - 1) * size, 0)):
        raise answer.unreadable("the page holds fewer or more records than it says")
    return Slice(page, tuple(rows), size, total)


def carrying(lists: Lists, number: int) -> list[Row]:
    """All customers with this number: from one pass during which nothing changed, or from two that agree while
    customers were only added. Raises `Temporary` where there was none such."""

    def carries(row: Row) -> Row | None:
        return row if type(row.get("Number")) is int and row["Number"] == number else None

    before: list[int] | None = None
    for _ in range(PASSES):
        found = listing(lists, api.CUSTOMERS, carries)
        hits = sorted(found.rows)
        if found.steady or (found.complete and hits == before):
            return [found.rows[hit] for hit in hits]
        before = hits if found.complete else None
    raise Temporary("Billbee's list of customers kept changing while it was read")


def invoice_addresses(lists: Lists) -> Addresses:
    """The invoice addresses of the whole account, by customer."""
    for _ in range(PASSES):
        addresses = Addresses()
        if listing(lists, api.ADDRESSES, partial(_invoice, addresses)).complete:
            return addresses
    raise Temporary("Billbee's list of addresses kept shrinking while it was read")


def _invoice(addresses: Addresses, row: Row) -> None:
    if row.get("AddressType") == INVOICE:
        addresses.add(row)


def count(http: Http) -> int:
    """How many customers there are, from the smallest page: a cheap call that proves path and credentials."""
    return _page(Lists(http, 1), api.CUSTOMERS, 1, "").total


def customers(lists: Lists, start: int, total: int) -> Iterator[Slice]:
    """Every customer at least once, page by page, from page `start` on of a list that then held `total` (0: unknown).

    When the list shrinks, it is read again from its first page. Raises `Temporary` when it shrinks too often.
    """
    for _ in range(PASSES):
        for part in _unshrunk(lists, start, total):
            yield part
            if part.last:
                return
        start, total = 1, 0
    raise Temporary("Billbee's list of customers kept shrinking while it was read")


def _unshrunk(lists: Lists, start: int, total: int) -> Iterator[Slice]:
    """The pages from `start` on, without rows shown before; ends early when rows may have slipped past."""
    seen = Packed()
    least = total
    for part in pages(lists, api.CUSTOMERS, start=start):
        least = least or part.total
        if part.total < total:
            return
        total = part.total
        fresh = tuple(row for row in part.rows if str(row["Id"]) not in seen)
        for row in fresh:
            seen.add(str(row["Id"]))
        if part.last and (start - 1) * part.size + len(seen) < least:
            return
        yield Slice(part.page, fresh, part.size, part.total)

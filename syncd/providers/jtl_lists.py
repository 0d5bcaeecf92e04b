"""Reads JTL-Wawi's paged list of customers, so that half of it is never taken for the whole."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from syncd.core.model import Cursor
from syncd.errors import Temporary
from syncd.providers import jtl_answers as answers
from syncd.providers.http import Answer, Http
from syncd.providers.jtl_wire import member

MAX_PAGES = 100_000
OVERLAP = timedelta(hours=3)


def first(http: Http, path: str) -> Answer:
    """The answer for the list's first page with one customer."""
    return http.request("GET", path, params={"pageNumber": "1", "pageSize": "1"})


def pages(
    http: Http, path: str, query: Mapping[str, str], number: int, total: int
) -> Iterator[tuple[Answer, answers.Listing, int]]:
    """A paged list to its end, each page with the number of the next, 0 after the last.

    `total` is what the page before `number` said. Figures that contradict each other raise: half a list must never pass
    for a whole one. The end is told by the documented flags alone: on its last page JTL names that page as the next.
    Customers added meanwhile move others to later pages, so no customer that was there before is hidden.
    """
    seen: set[object] = set()
    least = None if number == 1 else 0
    for _ in range(MAX_PAGES):
        answer = answers.accepted(http.request("GET", path, params={**query, "pageNumber": str(number)}))
        page = answers.listing(answer)
        seen.update(member(item, "Id") for item in page.items)
        if page.number != number or (page.more and not page.items):
            raise answer.unreadable("the pages of the list do not add up")
        missed = max(total - page.total, 0)
        following = max(number - math.ceil(missed / page.size), 1) if missed else (number + 1) * page.more
        least = page.total if least is None else min(least, page.total)
        if not following and len(seen) < least:
            raise answer.unreadable("the list is shorter than it says")
        yield answer, page, following
        if not following:
            return
        number, total = following, page.total
    raise Temporary(f"GET {path}: the list does not end")


def position(cursor: Cursor) -> tuple[int, int, str] | None:
    """A scan's position, taken apart: the next page, the total so far, and the `since` of its first page."""
    number, _, rest = cursor.position.partition("|")
    total, _, begun = rest.partition("|")
    if not (number.isascii() and number.isdigit() and total.isascii() and total.isdigit() and int(number) > 0):
        return None
    return int(number), int(total), begun


def since(http: Http, prefix: str) -> str:
    """The server's clock, less the overlap; "" where it has none to show."""
    answer = http.request("GET", f"{prefix}/info")
    stamp = member(answer.data, "Timestamp") if answer.ok else None
    try:
        return (datetime.fromisoformat(stamp) - OVERLAP).isoformat() if isinstance(stamp, str) else ""
    except (ValueError, OverflowError):
        return ""

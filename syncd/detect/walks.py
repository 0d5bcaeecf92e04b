"""The two walks over all customers: over the source's rows, and over a provider's mapping rows.

A run walks to mark pairs and stores its position; `plan`, `verify` and `recover` walk to report. Source and state sort
keys differently, so each walk has a position of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from syncd.core.model import Customer, Link
from syncd.runtime.installation import Installation
from syncd.source import customers
from syncd.store import mapping

ROWS = 200
THROUGH = "through"  # a position: the walk has ended


def rows_after(site: Installation, key: str) -> Iterator[tuple[Sequence[Customer], bool]]:
    """Source rows after a key ("" for all), a page at a time, each with whether it is the last. There is at least one
    page; it may be empty."""
    last = False
    while not last:
        rows = customers.page(site.source, key or None, ROWS)
        last = len(rows) < ROWS
        yield rows, last
        key = rows[-1].key if rows else key


def links_after(site: Installation, provider: str, key: str = "") -> Iterator[tuple[Sequence[Link], bool]]:
    """A provider's mapping rows after a key, a page at a time, each with whether it is the last. There is at least one
    page; it may be empty."""
    last = False
    while not last:
        with site.state.read() as tx:
            links = mapping.page(tx, provider, key, ROWS)
        last = len(links) < ROWS
        yield links, last
        key = links[-1].pair.key if links else key


def linked(site: Installation, provider: str) -> Iterator[Link]:
    """All mapping rows of a provider that have an external id, by key."""
    for links, _ in links_after(site, provider):
        yield from (link for link in links if link.external_id is not None)

"""The first pass for a provider, and the pass after a change of the settings: every source row, then every link.

The rows show every customer except those that a filter excludes now; the links show these.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from syncd.core.model import Link, Pair
from syncd.detect.found import Advance, Found
from syncd.detect.walks import THROUGH, links_after, rows_after
from syncd.reconcile import Route
from syncd.runtime.installation import Installation
from syncd.source import customers
from syncd.store import progress
from syncd.store.database import Transaction


class Pass(NamedTuple):
    """Where a pass goes on: behind which row, and behind which link; "" before the first."""

    rows: str = ""
    links: str = ""


def underway(tx: Transaction, provider: str) -> Pass | None:
    """The provider's unfinished pass; None where its last pass is over."""
    if progress.provider_state(tx, provider).backfilled:
        return None
    return Pass(progress.cursor(tx, f"backfill:{provider}"), progress.cursor(tx, f"left:{provider}"))


def passing(site: Installation, route: Route, start: Pass) -> Iterator[Found]:
    """The steps of a pass. Its rows wait behind the pairs of changes."""
    name, after = f"backfill:{route.provider}", start.rows
    for rows, _ in rows_after(site, after):
        behind = rows[-1].key if rows else after
        pairs = [Pair(route.provider, row.key) for row in rows]
        yield Found(pairs, "backfill", (Advance(name, after, behind),), by_row=True)
        after = behind
    name = f"left:{route.provider}"
    yield from missing_after(site, route, name, start.links)
    yield Found((), "backfill", (Advance(name, THROUGH, THROUGH),), ends_pass=True)


def without_row(site: Installation, links: Sequence[Link]) -> list[Pair]:
    """The pairs of these links whose source row is missing: deleted, or hidden by a filter of the settings."""
    rows = customers.read(site.source, [link.pair.key for link in links]) if links else {}
    return [link.pair for link in links if link.pair.key not in rows]


def missing_after(
    site: Installation, route: Route, name: str, position: str, pages: int | None = None
) -> Iterator[Found]:
    """Linked pairs whose source row is missing, for each of the next pages of links; `name` is that of the position.
    Their looks prove the deletion."""
    if position == THROUGH:
        return
    for links, through in islice(links_after(site, route.provider, position.removeprefix("=")), pages):
        behind = THROUGH if through else f"={links[-1].pair.key}"
        yield Found(without_row(site, links), "verify", (Advance(name, position, behind),))
        position = behind

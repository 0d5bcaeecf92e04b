"""The first pass for a provider, and the pass after a change of the settings: every source row, then every link.

The rows show every customer but those that a filter now excludes; these are linked, so the links show them.
"""

from __future__ import annotations

from collections.abc import Sequence

from syncd.core.model import Link, Pair
from syncd.reconcile import Route
from syncd.runtime.installation import Installation
from syncd.source import customers
from syncd.store import mapping, progress, work

ROWS = 200
THROUGH = "through"  # a position: that part of the pass is done


def first_pass(site: Installation, route: Route) -> None:
    """Mark every source row for a provider that has not finished its first pass, once, resumably, behind live
    changes."""
    name = f"backfill:{route.provider}"
    with site.state.read() as tx:
        if progress.provider_state(tx, route.provider).backfilled:
            return
        after = progress.cursor(tx, name) or None
    while not site.stop.is_set():
        rows = customers.page(site.source, after, ROWS)
        through = len(rows) < ROWS
        after = rows[-1].key if rows else after
        with site.state.fenced(route.lease) as tx:
            work.mark(tx, [Pair(route.provider, row.key) for row in rows], "backfill", site.clock.now())
            progress.set_cursor(tx, name, after or "")
        if through and _look_who_left(site, route):
            with site.state.fenced(route.lease) as tx:
                progress.save_provider_state(tx, route.provider, backfilled=True)
        if through:
            return


def _look_who_left(site: Installation, route: Route) -> bool:
    """Mark linked customers that a filter of the settings now excludes. Answers whether all links were gone through."""
    name = f"left:{route.provider}"
    with site.state.read() as tx:
        after = progress.cursor(tx, name)
    while after != THROUGH and not site.stop.is_set():
        after = mark_missing(site, route, name, after, 1)
    return after == THROUGH


def without_row(site: Installation, links: Sequence[Link]) -> list[Pair]:
    """Those of these links whose source row is not there: deleted, or hidden by a filter of the settings."""
    rows = customers.read(site.source, [link.pair.key for link in links]) if links else {}
    return [link.pair for link in links if link.pair.key not in rows]


def mark_missing(site: Installation, route: Route, name: str, after: str, pages: int) -> str:
    """Mark those of the next links whose source row is not there. The position is kept under `name`, and answered."""
    for _ in range(pages):
        if after == THROUGH:
            break
        with site.state.read() as tx:
            links = mapping.page(tx, route.provider, after.removeprefix("="), ROWS)
        missing = without_row(site, links)
        after = f"={links[-1].pair.key}" if len(links) == ROWS else THROUGH
        with site.state.fenced(route.lease) as tx:
            work.mark(tx, missing, "verify", site.clock.now())
            progress.set_cursor(tx, name, after)
    return after

"""The first pass for a provider, and the pass after a change of the settings: every source row, then every link.

The rows show every customer except those that a filter excludes now; the links show these.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from syncd.core.model import Link, Pair
from syncd.detect.walks import THROUGH, links_after, rows_after
from syncd.reconcile import Route
from syncd.runtime.installation import Installation
from syncd.source import customers
from syncd.store import progress, work


def first_pass(site: Installation, route: Route) -> None:
    """Mark every source row once for a provider that has not finished its first pass. Resumable; these marks wait
    behind those of changes."""
    name = f"backfill:{route.provider}"
    with site.state.read() as tx:
        if progress.provider_state(tx, route.provider).backfilled:
            return
        after = progress.cursor(tx, name)
    for rows, through in rows_after(site, after):
        after = rows[-1].key if rows else after
        with site.state.fenced(route.lease) as tx:
            work.mark(tx, [Pair(route.provider, row.key) for row in rows], "backfill", site.clock.now())
            progress.set_cursor(tx, name, after)
        if site.stop.is_set():
            return
        if through and _look_who_left(site, route):
            with site.state.fenced(route.lease) as tx:
                progress.save_provider_state(tx, route.provider, backfilled=True)


def _look_who_left(site: Installation, route: Route) -> bool:
    """Mark linked customers that a filter of the settings excludes now. Answers whether all links were checked."""
    name = f"left:{route.provider}"
    with site.state.read() as tx:
        after = progress.cursor(tx, name)
    while after != THROUGH and not site.stop.is_set():
        after = mark_missing(site, route, name, after, 1)
    return after == THROUGH


def without_row(site: Installation, links: Sequence[Link]) -> list[Pair]:
    """The pairs of these links whose source row is missing: deleted, or hidden by a filter of the settings."""
    rows = customers.read(site.source, [link.pair.key for link in links]) if links else {}
    return [link.pair for link in links if link.pair.key not in rows]


def missing_after(
    site: Installation, route: Route, position: str, pages: int | None = None
) -> Iterator[tuple[list[Pair], str]]:
    """Linked pairs whose source row is missing, for each of the next pages of links, with the position behind the
    page."""
    if position == THROUGH:
        return
    for links, through in islice(links_after(site, route.provider, position.removeprefix("=")), pages):
        yield without_row(site, links), THROUGH if through else f"={links[-1].pair.key}"


def mark_missing(site: Installation, route: Route, name: str, after: str, pages: int) -> str:
    """Mark the next links whose source row is missing. Stores the new position under `name`, and answers it."""
    for missing, behind in missing_after(site, route, after, pages):
        with site.state.fenced(route.lease) as tx:
            work.mark(tx, missing, "verify", site.clock.now())
            progress.set_cursor(tx, name, behind)
        after = behind
    return after

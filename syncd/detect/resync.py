"""The rotating sweep: it limits how long a change can stay unseen that neither trigger nor listing reported.

Triggers can be bypassed (TRUNCATE and cascades on MariaDB, disabled triggers, restores), and some providers cannot
list. So every source row and every link is checked once per `verify` period, some pages in each cycle, and its marks
wait behind those of changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil

from syncd.core.model import Customer, Direction, Link, Pair, State
from syncd.detect import walks
from syncd.detect.first_pass import missing_after
from syncd.detect.found import Advance, Found, keep
from syncd.detect.listing import lately_complete
from syncd.detect.walks import THROUGH, rows_after
from syncd.errors import Rejected
from syncd.log import emit
from syncd.reconcile import Route
from syncd.runtime.installation import Installation
from syncd.runtime.leadership import VERIFY, hold
from syncd.source import customers
from syncd.store import mapping, progress, work
from syncd.store.database import Transaction
from syncd.store.providers import vanished

LONG_AGO = "1970-01-01T00:00:00+00:00"


def rotate(site: Installation) -> None:
    """Start a sweep once per period, and carry it on by this cycle's share.

    One process sweeps at a time, for all providers; each lane's process finds the marks.
    """
    tenure = hold(site, VERIFY)
    if tenure is None:
        return
    now = site.clock.now()
    at, after = position(site)
    if not at:  # a new state: the first pass checks every row
        with site.state.begin() as tx:
            progress.set_cursor(tx, "verify:at", now.isoformat())
    if after is None:
        return
    routes = [replace(route, lease=tenure.lease) for route in site.routes]
    steps = sweeping(site, routes, after, share(site))
    with site.state.begin() as tx:
        progress.set_cursor(tx, "verify:step", now.isoformat())
    for found in steps:
        with site.state.fenced(tenure.lease) as tx:
            goes_on = keep(tx, found, site.clock.now())
        for pair in found.drifted:
            emit("drift.found", provider=pair.provider, customer_key=pair.key)
        if not goes_on:
            return
    with site.state.begin() as tx:
        over = all(progress.cursor(tx, f"verify:{name}") == THROUGH for name in _walked(routes))
        if over:
            begin_anew(tx, [route.provider for route in routes])
            progress.set_cursor(tx, "verify:at", site.clock.now().isoformat())
    if over:
        emit("scan.finished")


def _walked(routes: Iterable[Route]) -> list[str]:
    return ["source", *(route.provider for route in routes)]


def sweeping(site: Installation, routes: Sequence[Route], after: str, pages: int) -> Iterator[Found]:
    """The next steps of a sweep: first all rows, then all links. Each has a position of its own, because source and
    state sort keys differently."""
    if after != THROUGH:
        for rows, behind, left in _rows(site, after, pages):
            for route in routes:
                yield worth_a_look(site, route, rows)
            yield Found((), "verify", (Advance("verify:source", after, behind),))
            after, pages = behind, left
    for route in routes:
        name = f"verify:{route.provider}"
        with site.state.read() as tx:
            behind = progress.cursor(tx, name)
        yield from missing_after(site, route, name, behind, pages)


def position(site: Installation) -> tuple[str, str | None]:
    """When the last sweep ended ("" in a new state), and where the rows of the present one go on: "" before the first
    row, `=7` behind row 7, `THROUGH` behind the last; None where no sweep is due."""
    with site.state.read() as tx:
        at, after = progress.cursor(tx, "verify:at"), progress.cursor(tx, "verify:source")
    rested = at and timedelta() <= site.clock.now() - datetime.fromisoformat(at) < timedelta(seconds=site.rhythm.verify)
    return at, None if not at or (after == "" and rested) else after


def begin_anew(tx: Transaction, providers: Iterable[str]) -> None:
    """Make the next sweep begin with the first row."""
    for name in ("source", "step", *providers):
        progress.set_cursor(tx, f"verify:{name}", "")


def share(site: Installation) -> int:
    """Pages for this cycle, so that a sweep takes about a quarter of its period, however seldom cycles come."""
    with site.state.read() as tx:
        step = progress.cursor(tx, "verify:step")
    since = (site.clock.now() - datetime.fromisoformat(step)).total_seconds() if step else site.rhythm.poll
    return max(1, ceil(customers.count(site.source) / walks.ROWS * since / (site.rhythm.verify / 4)))


def _rows(site: Installation, position: str, pages: int) -> Iterator[tuple[Sequence[Customer], str, int]]:
    """The next pages of rows, each with the position behind it and the number of pages left for the links: at least one
    after the last row, else 0."""
    after = position.removeprefix("=")
    for left, (rows, through) in zip(range(pages - 1, -1, -1), rows_after(site, after), strict=False):
        yield rows, THROUGH if through else f"={rows[-1].key}", max(left, 1) if through else 0


def worth_a_look(site: Installation, route: Route, rows: Sequence[Customer]) -> Found:
    """The pairs of these rows that the sweep marks. A pair that is due already needs no mark. Where a complete listing
    has lately shown a linked pair's remote, only a row that differs from its base needs one."""
    shown = lately_complete(site, route)
    with site.state.read() as tx:
        links = mapping.read_many(tx, route.provider, [row.key for row in rows])
        idle = [row for row in rows if work.read(tx, Pair(route.provider, row.key)) is None]
    drifted = {row.key for row in idle if drifts(route, row, links.get(row.key))}

    def seen(row: Customer) -> bool:
        return shown and row.key in links and links[row.key].state is State.LINKED

    pairs = [Pair(route.provider, row.key) for row in idle if row.key in drifted or not seen(row)]
    return Found(pairs, "verify", drifted=[pair for pair in pairs if pair.key in drifted], by_row=True)


def drifts(route: Route, row: Customer, link: Link | None) -> bool:
    """Whether a source row differs from the base without a mark."""
    if link is None:
        return True
    if link.external_id is None or link.state is not State.LINKED:
        return False
    digest = route.digester(link.provider_key or "")
    try:
        projected = route.adapter.project(row.values)
    except Rejected:
        return False
    return any(
        name in link.base and link.base[name].source != digest(name, value)
        for name, value in projected.items()
        if route.rules.fields.get(name) is not Direction.OFF
    )


def look_at_everything(tx: Transaction, site: Installation) -> None:
    """Begin a new pass over every source row and every link: after a TRUNCATE, a reset or a recovery. A provider that
    is missing in the settings has a pass of its own once it is back."""
    names = {route.provider for route in site.routes}
    for name in sorted({*names, *vanished(tx, names)}):
        progress.save_provider_state(tx, name, backfilled=False)
        progress.set_cursor(tx, f"backfill:{name}", "")
        progress.set_cursor(tx, f"left:{name}", "")
    begin_anew(tx, [route.provider for route in site.routes])
    progress.set_cursor(tx, "verify:at", LONG_AGO)  # an empty one would mean a new state, and wait for a whole period

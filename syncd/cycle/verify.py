"""The rotating sweep that bounds how long anything unseen can stay unseen.

Triggers can be bypassed (TRUNCATE and cascades on MariaDB, disabled triggers, restores), and some providers cannot
list. So every source row and every mapping is looked at once per `verify` period, a piece per cycle, behind live work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from syncd.core.model import Customer, Direction, Link, Pair, State
from syncd.cycle.installation import Installation
from syncd.cycle.tenure import VERIFY, hold
from syncd.errors import Rejected
from syncd.log import emit
from syncd.reconcile import Route
from syncd.source import customers
from syncd.store import mapping, progress, work

ROWS = 200


def rotate(site: Installation) -> None:
    """Start a pass when its period has passed, and carry it on by as much as this cycle's share.

    One process does so at a time, for all providers: whoever holds a lane finds the marks.
    """
    tenure = hold(site, VERIFY)
    if tenure is None:
        return
    with site.state.read() as tx:
        at = progress.cursor(tx, "verify:at")
        after = progress.cursor(tx, "verify:source")
    now = site.clock.now()
    if not at:
        with site.state.begin() as tx:
            progress.set_cursor(tx, "verify:at", now.isoformat())
        return
    if after == "" and now - datetime.fromisoformat(at) < timedelta(seconds=site.rhythm.verify):
        return
    routes = [replace(route, lease=tenure.lease) for route in site.routes]
    _rows(site, routes, after.removeprefix("="), share(site))


def share(site: Installation) -> int:
    """Pages per cycle so that a pass takes about a quarter of the period at one cycle per poll."""
    cycles = max(site.rhythm.verify / 4 / max(site.rhythm.poll, 0.1), 1.0)
    return max(1, round(customers.count(site.source) / ROWS / cycles))


def _rows(site: Installation, routes: Sequence[Route], after: str, pages: int) -> None:
    for _ in range(pages):
        rows = customers.page(site.source, after or None, ROWS)
        last = rows[-1].key if rows else ""
        for route in routes:
            check_rows(site, route, rows)
            absent(site, route, after, last if len(rows) == ROWS else "")
        done = len(rows) < ROWS
        after = last
        with site.state.begin() as tx:
            progress.set_cursor(tx, "verify:source", "" if done else f"={after}")
            if done:
                progress.set_cursor(tx, "verify:at", site.clock.now().isoformat())
                emit("scan.finished", seen=len(rows))
        if done:
            return


def check_rows(site: Installation, route: Route, rows: Sequence[Customer]) -> int:
    """Mark pairs whose row is not what was last agreed, and every linked pair for a fetch; returns the drifted ones."""
    with site.state.read() as tx:
        links = mapping.read_many(tx, route.provider, [row.key for row in rows])
        known = {row.key: work.read(tx, Pair(route.provider, row.key)) for row in rows}
    drifted = [row.key for row in rows if known[row.key] is None and drifts(route, row, links.get(row.key))]
    marks = {key: "verify" for key in (row.key for row in rows) if known[key] is None}
    with site.state.fenced(route.lease) as tx:
        pairs = [Pair(route.provider, key) for key in marks]
        work.mark(tx, pairs, "verify", site.clock.now())
    for key in drifted:
        emit("drift.found", provider=route.provider, customer_key=key)
    return len(drifted)


def drifts(route: Route, row: Customer, link: Link | None) -> bool:
    """Whether a source row differs from the base without anybody having reported it."""
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


def absent(site: Installation, route: Route, after: str, last: str) -> None:
    """Mappings between two keys whose source row is not there: looked at, proven by the look alone."""
    with site.state.read() as tx:
        links = mapping.page(tx, route.provider, after, ROWS * 2)
    links = [link for link in links if not last or link.pair.key <= last]
    rows = customers.read(site.source, [link.pair.key for link in links]) if links else {}
    missing = [link.pair for link in links if link.pair.key not in rows]
    if missing:
        with site.state.fenced(route.lease) as tx:
            work.mark(tx, missing, "verify", site.clock.now())

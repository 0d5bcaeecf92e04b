"""The guard on new source rows: how many a provider may bring (`inbound_create`), and which records must wait.

Of a waiting record the state keeps a keyed digest of its external id. A review item holds the digests of the records
that it shows; when another record must wait, the item gets a new number. A release lets in exactly the records that the
released number showed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from syncd.core.guards import trips
from syncd.core.model import Remote
from syncd.log import emit
from syncd.reconcile import Route
from syncd.reconcile.guard import source_rows
from syncd.reconcile.held import INSERT, close, standing
from syncd.runtime.installation import Installation
from syncd.store import progress, review
from syncd.store.database import Transaction
from syncd.store.review import Review

VERB = "insert"
RECORDS = "external_id"  # the name under which the item holds its digests
RELEASED = "inserts:"


@dataclass
class Newcomers:
    """What one scan finds out about unlinked records. `kept_out`: digests of records that must wait; `released`:
    digests released before the scan began; `refused`: external ids that the source did not take; `twice`: customers
    whose key a second record carries; `matched`: customers that look like a record."""

    released: str = ""
    kept_out: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    twice: set[str] = field(default_factory=set)
    matched: set[str] = field(default_factory=set)


def newcomers(site: Installation, route: Route) -> Newcomers:
    """The newcomers at the beginning of a scan: the records released so far."""
    with site.state.read() as tx:
        return Newcomers(released=progress.meta(tx, RELEASED + route.provider))


def may_enter(site: Installation, route: Route, remote: Remote, found: Newcomers) -> bool:
    """Ask the guard `overwrite` and count the new row; `refund` gives the count back when the row was not made."""
    limit, rows = route.guards.overwrite, source_rows(route) if route.guards.overwrite is not None else 0
    record = _digest(route, remote)
    with site.state.fenced(route.lease) as tx:
        since = route.later(-limit.window) if limit is not None else site.clock.now()
        spent = progress.spent(tx, route.provider, VERB, since)
        if record not in _names(found.released) and trips(limit, spent, rows):
            found.kept_out.add(record)
            return False
        progress.spend(tx, route.provider, VERB, 1, site.clock.now())
    return True


def foretold(site: Installation, route: Route, remotes: Sequence[Remote]) -> tuple[list[Remote], list[Remote]]:
    """Which of these records the guard would let in now, in this order, and which would have to wait."""
    limit, rows = route.guards.overwrite, source_rows(route) if route.guards.overwrite is not None else 0
    with site.state.read() as tx:
        since = route.later(-limit.window) if limit is not None else site.clock.now()
        spent = progress.spent(tx, route.provider, VERB, since)
        released = _names(progress.meta(tx, RELEASED + route.provider))
    entering: list[Remote] = []
    outside: list[Remote] = []
    for remote in remotes:
        waits = _digest(route, remote) not in released and trips(limit, spent + len(entering), rows)
        (outside if waits else entering).append(remote)
    return entering, outside


def refund(tx: Transaction, route: Route, now: datetime) -> None:
    """Give back the count of a row that was certainly not made."""
    progress.spend(tx, route.provider, VERB, -1, now)


def announce(site: Installation, route: Route, found: Newcomers, *, complete: bool) -> None:
    """Bring the review item up to date: waiting records are added; after a complete listing the item shows these
    alone."""
    with site.state.read() as tx:
        item = standing(tx, route.provider, INSERT)
    shown = set(item.fields.get(RECORDS, ())) if item is not None else set()
    wanted = set(found.kept_out) if complete else shown | found.kept_out
    if wanted == shown and not (complete and found.released):
        return
    now, fields = site.clock.now(), {RECORDS: sorted(map(str, wanted))}
    with site.state.fenced(route.lease) as tx:
        if complete and found.released == progress.meta(tx, RELEASED + route.provider):
            progress.set_meta(tx, RELEASED + route.provider, "")  # all released records were let in or are gone
        if not wanted:
            close(tx, route.provider, INSERT, now, "settled")
        elif item is not None and wanted - shown:
            review.renew(tx, item, len(wanted), fields, now)
        elif wanted != shown:
            review.open_review(tx, route.provider, "", INSERT, fields, "insert limit reached", now, len(wanted))
    if wanted - shown:
        emit("guard.tripped", provider=route.provider, guard=VERB, count=len(wanted))


def release(tx: Transaction, found: Review, now: datetime) -> int:
    """Release exactly the records that this number showed; the next scan, a complete listing, takes them in."""
    granted, name = set(map(str, found.fields[RECORDS])), RELEASED + found.provider
    progress.set_meta(tx, name, json.dumps(sorted(_names(progress.meta(tx, name)) | granted)))
    for cursor in (f"scan:{found.provider}", f"scan:{found.provider}:at"):
        progress.set_cursor(tx, cursor, "")
    review.conclude(tx, found.id, "release", now)
    item = standing(tx, found.provider, INSERT)
    rest = sorted(set(map(str, item.fields[RECORDS])) - granted) if item is not None else []
    if rest:
        review.open_review(tx, found.provider, "", INSERT, {RECORDS: rest}, found.reason, now, len(rest))
    else:
        close(tx, found.provider, INSERT, now, "release")
    return len(granted)


def _names(text: str) -> set[str]:
    return set(json.loads(text)) if text else set()


def _digest(route: Route, remote: Remote) -> str:
    return route.digester("")(RECORDS, remote.external_id)

"""Reading a provider: a listing page by page, a re-read of linked customers, confirming readings. Only steps come out
(`detect.found`): a run stores them, `syncd plan` does not.

A page of a listing proves nothing: it makes a pair due, and the look fetches the record. A listing that fails, or
repeats, omits or shifts records, is never read as a deletion.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from syncd.core.model import Cursor, Direction, Link, Page, Pair, Remote, State
from syncd.core.writes import is_news
from syncd.detect.first_pass import Pass, passing
from syncd.detect.found import Advance, Found
from syncd.detect.walks import links_after
from syncd.reconcile import Route
from syncd.reconcile.listed import Shown
from syncd.runtime.installation import Installation
from syncd.store import journal, mapping, progress, review
from syncd.store.database import Transaction

MISSED = ("remote_gone", "remote_archived")


class Heard(NamedTuple):
    """One page of a listing: its records that no page before has shown, the links of those that are linked, by external
    id, and the pairs to look at. `advances` are the positions behind the page."""

    fresh: Sequence[Remote]
    links: Mapping[str, Link]
    found: Found
    advances: tuple[Advance, ...]

    def unlinked(self) -> list[Remote]:
        """The records to which no customer is linked."""
        return [remote for remote in self.fresh if remote.external_id not in self.links]


class Ended(NamedTuple):
    """A listing is over. `complete`: it showed every record, and at least one."""

    shown: Shown
    complete: bool


Step = Found | Heard | Ended


def looking(site: Installation, route: Route, start: Pass | None, *, force: bool) -> Iterator[Step]:
    """All that a look at one provider finds, step by step: a pass that is not over (`start`), writes whose settle time
    is over, a listing or a re-read that is due. Reads only. Raises the errors of the provider."""
    if start is not None:
        yield from passing(site, route, start)
    yield confirming(site, route)
    lists = route.adapter.capabilities.lists
    if is_due(site, route, "scan" if lists else "reread", force=force):
        yield from listing(site, route) if lists else rereading(site, route)


def is_due(site: Installation, route: Route, what: str, *, force: bool) -> bool:
    """Whether a `scan` or `reread` of this provider was last finished longer ago than its period."""
    period = site.rhythm.scan if what == "scan" else site.rhythm.reread
    with site.state.read() as tx:
        last = progress.cursor(tx, f"{what}:{route.provider}:at")
    if force or not last:
        return True
    elapsed = site.clock.now() - datetime.fromisoformat(last)
    return not timedelta() <= elapsed < timedelta(seconds=period)  # negative: the clock was set back


# -- listings ------------------------------------------------------------------------------------------------------


def listing(site: Installation, route: Route) -> Iterator[Step]:
    """One listing, resumed where the last one stopped; of changes where the provider has such a filter, else complete.
    After a complete one come the linked pairs that it did not show; their looks fetch the record for a proof."""
    name, moment = f"scan:{route.provider}", f"scan:{route.provider}:at"
    with site.state.read() as tx:
        before, at = progress.cursor(tx, name), progress.cursor(tx, moment)
    start, shown = _start(site, route, before), Shown()
    for page in route.adapter.scan(start):
        behind = _kept(page)
        done = (Advance(moment, at, site.clock.now().isoformat()),) if page.cursor is None else ()
        yield _heard(site, route, shown.fresh(page.remotes), (Advance(name, before, behind), *done))
        before = behind
    complete = _from_the_start(start) and bool(shown.seen)
    if complete:
        for links, _ in links_after(site, route.provider):
            yield Found([link.pair for link in links if _unseen(link, shown)], "unseen")
    yield Ended(shown, complete)


def _start(site: Installation, route: Route, kept: str) -> Cursor | None:
    start = Cursor(**json.loads(kept)) if kept else None
    if start is not None and start.since and not start.position and not lately_complete(site, route):
        return None  # a listing of changes shows no removal: once per verify period all of it is listed
    return start


def _from_the_start(start: Cursor | None) -> bool:
    """Whether a listing shows every record. A resumed listing, or one of changes, does not, and proves no absence."""
    return start is None or (not start.position and not start.since)


def _kept(page: Page) -> str:
    if page.cursor is not None:
        return json.dumps({"position": page.cursor.position, "since": page.cursor.since})
    return json.dumps({"position": "", "since": page.since}) if page.since else ""


def _heard(site: Installation, route: Route, fresh: Sequence[Remote], advances: tuple[Advance, ...]) -> Heard:
    with site.state.read() as tx:
        links = mapping.by_external_id(tx, route.provider, [remote.external_id for remote in fresh])
        return Heard(fresh, links, Found(_to_look_at(tx, route, links, fresh), "scan"), advances)


def lately_complete(site: Installation, route: Route) -> bool:
    """Whether a complete listing that was not empty ended within the verify period."""
    with site.state.read() as tx:
        at = progress.cursor(tx, f"scan:{route.provider}:full")
    age = site.clock.now() - datetime.fromisoformat(at) if at else timedelta.max
    return timedelta() <= age < timedelta(seconds=site.rhythm.verify)


def _to_look_at(tx: Transaction, route: Route, links: Mapping[str, Link], remotes: Iterable[Remote]) -> list[Pair]:
    """The pairs to mark: their listed record differs from the base, or is in use again while a question is open because
    the record was gone or archived."""
    asked = review.reviews_of(tx, route.provider, [link.pair.key for link in links.values()])
    missed = {key for key, items in asked.items() if any(i.kind in MISSED and i.closed_at is None for i in items)}
    known = [(links[remote.external_id], remote) for remote in remotes if remote.external_id in links]
    return [
        link.pair
        for link, remote in known
        if differs(route, link, remote) or (link.pair.key in missed and not remote.archived)
    ]


def differs(route: Route, link: Link, remote: Remote) -> bool:
    """Whether a listed record is worth a look. An archived record about which a person is asked already is not, nor one
    that shows new values only in fields that are `off` now."""
    if link.state is State.REVIEW and remote.archived:
        return False
    digest = route.digester(link.provider_key or "")
    if not is_news(link, remote, digest):
        return False
    base = {name: entry for name, entry in link.base.items() if route.rules.fields.get(name) is not Direction.OFF}
    return len(base) == len(link.base) or is_news(link._replace(base=base), remote, digest)


def _unseen(link: Link, shown: Container[str]) -> bool:
    """Whether a complete listing should have shown this pair's record and did not; never for a pair in review or
    excluded."""
    linked = link.external_id is not None and link.state not in {State.REVIEW, State.EXCLUDED}
    return linked and link.external_id not in shown


# -- providers that cannot list ------------------------------------------------------------------------------------


def rereading(site: Installation, route: Route) -> Iterator[Found]:
    """Every linked customer of a provider that cannot list, from where the last re-read stopped; to be fetched behind
    the pairs of changes."""
    name, moment = f"reread:{route.provider}", f"reread:{route.provider}:at"
    with site.state.read() as tx:
        before, at = progress.cursor(tx, name), progress.cursor(tx, moment)
    for links, through in links_after(site, route.provider, before):
        behind = "" if through else links[-1].pair.key
        done = (Advance(moment, at, site.clock.now().isoformat()),) if through else ()
        pairs = [link.pair for link in links if link.external_id is not None]
        yield Found(pairs, "reread", (Advance(name, before, behind), *done))
        before = behind


# -- confirming readings -------------------------------------------------------------------------------------------


def confirming(site: Installation, route: Route) -> Found:
    """The pairs of executed writes whose settle time is over, for their confirming reading."""
    with site.state.read() as tx:
        return Found(journal.confirmable(tx, route.provider, site.clock.now(), 1000), "confirm")

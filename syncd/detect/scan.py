"""Looking at a provider: the first pass, listings, re-reads, confirming readings. They only make marks.

A page of a listing proves nothing: it makes a pair due, and the look fetches the record. A listing that fails, or
repeats, omits or shifts records, is never read as a deletion.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from syncd.core.model import Cursor, Direction, Link, Page, Pair, Remote, State
from syncd.core.questions import both_in
from syncd.core.writes import is_news, seen_listed
from syncd.detect.first_pass import first_pass
from syncd.detect.intake import arrive, ask_twice, close_answered
from syncd.detect.intake_guard import Newcomers, announce, newcomers
from syncd.detect.walks import ROWS, links_after
from syncd.errors import ProviderError, Stopped, Throttled, Unauthorized
from syncd.lanes import LanePaused
from syncd.log import emit
from syncd.reconcile import Route, compare
from syncd.reconcile.listed import Shown
from syncd.runtime.installation import Installation
from syncd.store import journal, mapping, progress, review, work
from syncd.store.database import Transaction

MISSED = ("remote_gone", "remote_archived")


def look_around(site: Installation, route: Route, *, force: bool = False) -> None:
    """Do what is due at one provider: the first pass, and a listing or a re-read. An error of the provider ends it, and
    the next cycle resumes."""
    first_pass(site, route)
    try:
        if is_due(site, route, "scan" if route.adapter.capabilities.lists else "reread", force=force):
            if route.adapter.capabilities.lists:
                scan(site, route)
            else:
                reread(site, route)
    except Unauthorized as error:
        route.lane.refused(error.message)
    except Throttled as error:
        route.lane.throttled(error.retry_after)
    except (LanePaused, Stopped):
        pass
    except ProviderError as error:
        route.lane.failed(error.message)
    confirm(site, route)


def is_due(site: Installation, route: Route, what: str, *, force: bool) -> bool:
    """Whether a `scan` or `reread` of this provider was last finished longer ago than its period."""
    period = site.rhythm.scan if what == "scan" else site.rhythm.reread
    with site.state.read() as tx:
        last = progress.cursor(tx, f"{what}:{route.provider}:at")
    if force or not last:
        return True
    elapsed = site.clock.now() - datetime.fromisoformat(last)
    return not timedelta() <= elapsed < timedelta(seconds=period)  # negative: the clock was set back


def _done(tx: Transaction, site: Installation, route: Route, what: str) -> None:
    progress.set_cursor(tx, f"{what}:{route.provider}:at", site.clock.now().isoformat())


# -- listings ------------------------------------------------------------------------------------------------------


def scan(site: Installation, route: Route) -> None:
    """One listing (a scan), resumed where the last one stopped; of changes where the provider has such a filter, else
    complete."""
    start = _cursor(site, route)
    shown, complete = Shown(), _from_the_start(start)
    found, ordered = newcomers(site, route), _ordered(site, route)
    for page in _pages(route, start):
        fresh = shown.fresh(page.remotes)
        _page(site, route, fresh, found)
        _link(site, route, fresh, ordered)
        with site.state.fenced(route.lease) as tx:
            progress.set_cursor(tx, f"scan:{route.provider}", _kept(page))
            if page.cursor is None:
                _done(tx, site, route, "scan")
        if site.stop.is_set():
            return
    if complete and shown.seen:
        _missing(site, route, shown)
        _twice(site, route, shown, found)
        announce(site, route, found, complete=True)
        with site.state.fenced(route.lease) as tx:
            close_answered(tx, route, found, site.clock.now())
            progress.set_cursor(tx, f"scan:{route.provider}:full", site.clock.now().isoformat())
    emit("scan.finished", provider=route.provider, seen=len(shown.seen))


def _from_the_start(start: Cursor | None) -> bool:
    """Whether a listing shows every record. A resumed listing, or one of changes, does not, and proves no absence."""
    return start is None or (not start.position and not start.since)


def _twice(site: Installation, route: Route, shown: Shown, found: Newcomers) -> None:
    """Ask about every customer whose key several records of a complete listing carry. The question is closed once only
    one record carries the key; so is the question about a record that a person ordered and one that our create made."""
    now = site.clock.now()
    with site.state.fenced(route.lease) as tx:
        linked = mapping.by_external_id(tx, route.provider, sorted(shown.double))
        keys = {link.pair.key for link in linked.values()} | found.twice
        for item in review.reviews(tx, provider=route.provider):
            if item.kind == "twice" and item.customer_key not in keys and not _both_stand(tx, item, shown):
                review.close_reviews(tx, route.provider, item.customer_key, ["twice"], now, "settled")
        for key in sorted(keys):
            ask_twice(tx, route, key, now)


def _both_stand(tx: Transaction, item: review.Review, shown: Shown) -> bool:
    """Whether both records of the question are in use, and its customer is linked to the first."""
    both = both_in(item.reason)
    holder = mapping.by_external_id(tx, item.provider, both[:1]).get(both[0]) if both else None
    return holder is not None and holder.pair.key == item.customer_key and all(map(shown.in_use, both))


def _pages(route: Route, start: Cursor | None) -> Iterator[Page]:
    if route.adapter.capabilities.lists:
        yield from route.adapter.scan(start)


def _cursor(site: Installation, route: Route) -> Cursor | None:
    with site.state.read() as tx:
        text = progress.cursor(tx, f"scan:{route.provider}")
        full = progress.cursor(tx, f"scan:{route.provider}:full")
    start = Cursor(**json.loads(text)) if text else None
    if start is not None and start.since and not start.position and not recent(site, full):
        return None  # a listing of changes shows no removal: once per verify period all of it is listed
    return start


def lately_complete(site: Installation, route: Route) -> bool:
    """Whether a complete listing that was not empty ended within the verify period."""
    with site.state.read() as tx:
        return recent(site, progress.cursor(tx, f"scan:{route.provider}:full"))


def recent(site: Installation, at: str) -> bool:
    """Whether a stored moment lies within the verify period."""
    age = site.clock.now() - datetime.fromisoformat(at) if at else timedelta.max
    return timedelta() <= age < timedelta(seconds=site.rhythm.verify)


def _kept(page: Page) -> str:
    if page.cursor is not None:
        return json.dumps({"position": page.cursor.position, "since": page.cursor.since})
    return json.dumps({"position": "", "since": page.since}) if page.since else ""


def _page(site: Installation, route: Route, remotes: list[Remote], found: Newcomers) -> None:
    with site.state.read() as tx:
        links = mapping.by_external_id(tx, route.provider, [remote.external_id for remote in remotes])
        differing = to_look_at(tx, route, links, remotes)
    _note(site, route, [remote for remote in remotes if _unknown(links.get(remote.external_id))])
    if differing:
        with site.state.fenced(route.lease) as tx:
            work.mark(tx, differing, "scan", site.clock.now())
    if route.provider in site.inbound_create and route.rules.adopted:
        arrive(site, route, [remote for remote in remotes if remote.external_id not in links], found)
        announce(site, route, found, complete=False)


def _unknown(link: Link | None) -> bool:
    return link is not None and link.state is State.AMBIGUOUS


def _note(site: Installation, route: Route, remotes: Sequence[Remote]) -> None:
    """Note which of these records show what their update of unknown outcome sent."""
    if not remotes:
        return
    with site.state.fenced(route.lease) as tx:
        links = mapping.by_external_id(tx, route.provider, [remote.external_id for remote in remotes])
        intents = journal.intents(tx, route.provider, [link.pair.key for link in links.values()])
        for remote in remotes:
            link = links.get(remote.external_id)
            if link is not None and not remote.archived:
                digest = route.digester(link.provider_key or "")
                seen = seen_listed(link, intents.get(link.pair.key, ()), remote, digest)
                mapping.save_all(tx, [] if seen is None else [seen])


def _ordered(site: Installation, route: Route) -> dict[str, str]:
    """The customers that a person ordered to be linked, by external id; empty where a listing does not show whole
    records."""
    if not route.adapter.capabilities.lists_whole:
        return {}
    with site.state.read() as tx:
        return review.ordered_links(tx, route.provider)


def _link(site: Installation, route: Route, remotes: Sequence[Remote], ordered: Mapping[str, str]) -> None:
    """Link customers as a person ordered, where a record of this page shows that nothing has to be written: the record
    need not be fetched."""
    wanted = [remote for remote in remotes if remote.external_id in ordered]
    for start in range(0, len(wanted), ROWS):
        shown = {remote.external_id: remote for remote in wanted[start : start + ROWS]}
        with site.state.read() as tx:
            works = work.to_be_linked(tx, route.provider, [ordered[each] for each in shown], site.clock.now())
        if works:
            compare(replace(route, listed=shown), works)


def to_look_at(tx: Transaction, route: Route, links: Mapping[str, Link], remotes: Iterable[Remote]) -> list[Pair]:
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


def _missing(site: Installation, route: Route, shown: Shown) -> None:
    """Mark linked pairs whose record a complete listing did not show; their looks fetch the record for a proof."""
    for links, _ in links_after(site, route.provider):
        gone = [link.pair for link in links if unseen(link, shown)]
        if gone:
            with site.state.fenced(route.lease) as tx:
                work.mark(tx, gone, "unseen", site.clock.now())


def unseen(link: Link, seen: Container[str]) -> bool:
    """Whether a complete listing should have shown this pair's record and did not; never for a pair in review or
    excluded."""
    return (
        link.external_id is not None
        and link.external_id not in seen
        and link.state
        not in {
            State.REVIEW,
            State.EXCLUDED,
        }
    )


def listed(site: Installation, route: Route) -> tuple[dict[str, Remote], bool]:
    """The records that the next scan would read, by external id, and whether its listing would be complete. Stores no
    position."""
    start = _cursor(site, route)
    remotes = {remote.external_id: remote.to_compare() for page in _pages(route, start) for remote in page.remotes}
    return remotes, start is None or (not start.position and not start.since)


# -- providers that cannot list ------------------------------------------------------------------------------------


def reread(site: Installation, route: Route) -> None:
    """Make every linked customer due for a fetch, behind the pairs of changes. Resumable."""
    name = f"reread:{route.provider}"
    with site.state.read() as tx:
        after = progress.cursor(tx, name)
    for links, through in links_after(site, route.provider, after):
        with site.state.fenced(route.lease) as tx:
            pairs = [link.pair for link in links if link.external_id is not None]
            work.mark(tx, pairs, "reread", site.clock.now())
            progress.set_cursor(tx, name, "" if through else links[-1].pair.key)
            if through:
                _done(tx, site, route, "reread")
        if site.stop.is_set():
            return


# -- confirming readings -------------------------------------------------------------------------------------------


def confirm(site: Installation, route: Route) -> None:
    """Mark the pairs of executed writes whose settle time is over, for their confirming reading."""
    with site.state.read() as tx:
        pairs = journal.confirmable(tx, route.provider, site.clock.now(), 1000)
    if pairs:
        with site.state.fenced(route.lease) as tx:
            work.mark(tx, pairs, "confirm", site.clock.now())

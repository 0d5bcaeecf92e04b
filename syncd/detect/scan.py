"""A run's look at one provider: marks what `detect.listing` finds, and takes in what a listing shows beyond that:
newcomers, records that a person ordered to be linked, two records for one customer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from syncd.core.model import Link, Remote, State
from syncd.core.questions import both_in
from syncd.core.writes import seen_listed
from syncd.detect.first_pass import underway
from syncd.detect.found import Found, keep
from syncd.detect.intake import arrive, ask_twice, close_answered
from syncd.detect.intake_guard import Newcomers, announce, newcomers
from syncd.detect.listing import Ended, Heard, Step, looking
from syncd.detect.walks import ROWS
from syncd.errors import ProviderError, Stopped, Throttled, Unauthorized
from syncd.lanes import LanePaused
from syncd.log import emit
from syncd.reconcile import Route, compare
from syncd.reconcile.listed import Shown
from syncd.runtime.installation import Installation
from syncd.store import journal, mapping, progress, review, work
from syncd.store.database import Transaction


@dataclass(frozen=True)
class Scan:
    """What a listing shows beyond the pairs to look at. Read when its first page is there: most looks list nothing."""

    site: Installation
    route: Route

    @cached_property
    def found(self) -> Newcomers:
        """What the listing finds out about newcomers."""
        return newcomers(self.site, self.route)

    @cached_property
    def ordered(self) -> Mapping[str, str]:
        """The customers that a person ordered to be linked, by external id; empty where a listing does not show whole
        records."""
        if not self.route.adapter.capabilities.lists_whole:
            return {}
        with self.site.state.read() as tx:
            return review.ordered_links(tx, self.route.provider)


def look_around(site: Installation, route: Route, *, force: bool = False) -> None:
    """Look at one provider, and mark what is found. An error of the provider ends it, and the next cycle resumes."""
    with site.state.read() as tx:
        start = underway(tx, route.provider)
    try:
        scan = Scan(site, route)
        for step in looking(site, route, start, force=force):
            if not _took(site, route, step, scan) or site.stop.is_set():
                return
    except Unauthorized as error:
        route.lane.refused(error.message)
    except Throttled as error:
        route.lane.throttled(error.retry_after)
    except (LanePaused, Stopped):
        pass
    except ProviderError as error:
        route.lane.failed(error.message)


def _took(site: Installation, route: Route, step: Step, scan: Scan) -> bool:
    """Store one step. Answers False where its walk was begun anew meanwhile and must not go on."""
    match step:
        case Heard():
            return _page(site, route, step, scan)
        case Ended():
            _conclude(site, route, step, scan.found)
            return True
        case Found():
            return _kept(site, route, step)


def _kept(site: Installation, route: Route, found: Found) -> bool:
    if not (found.pairs or found.advances):
        return True
    with site.state.fenced(route.lease) as tx:
        goes_on = keep(tx, found, site.clock.now())
        if goes_on and found.ends_pass:
            progress.save_provider_state(tx, route.provider, backfilled=True)
    return goes_on


# -- listings ------------------------------------------------------------------------------------------------------


def _page(site: Installation, route: Route, heard: Heard, scan: Scan) -> bool:
    """Take in one page. Its position is stored last, so that a page is listed again where this was interrupted."""
    _note(site, route, [remote for remote in heard.fresh if _unknown(heard.links.get(remote.external_id))])
    _kept(site, route, heard.found)
    if route.provider in site.inbound_create and route.rules.adopted:
        arrive(site, route, heard.unlinked(), scan.found)
        announce(site, route, scan.found, complete=False)
    _link(site, route, heard.fresh, scan.ordered)
    return _kept(site, route, heard.found._replace(pairs=(), advances=heard.advances))


def _conclude(site: Installation, route: Route, ended: Ended, found: Newcomers) -> None:
    """After the last page. Only a complete listing answers questions."""
    if ended.complete:
        _twice(site, route, ended.shown, found)
        announce(site, route, found, complete=True)
        with site.state.fenced(route.lease) as tx:
            close_answered(tx, route, found, site.clock.now())
            progress.set_cursor(tx, f"scan:{route.provider}:full", site.clock.now().isoformat())
    emit("scan.finished", provider=route.provider, seen=len(ended.shown.seen))


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

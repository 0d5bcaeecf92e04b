"""After changes that nobody saw, for want of triggers or by a restore: everything is looked at once more, and a key may
have been given to another customer, which no row of a change log tells."""

from __future__ import annotations

from syncd.core.model import Pair, Work
from syncd.core.recognition import another, keeps_names
from syncd.detect.capture import look_at_everything
from syncd.detect.walks import links_after
from syncd.errors import SetupNeeded
from syncd.reconcile import Route
from syncd.reconcile.case import outset, remember
from syncd.runtime.installation import Installation
from syncd.source import customers, triggers
from syncd.store import progress, work
from syncd.store.providers import vanished

INSERTED = "inserted"
UNSEEN = "capture.unseen"  # names of providers, or
EVERYWHERE = "1"


def require_triggers(site: Installation) -> None:
    """Raise `SetupNeeded` where changes would be lost, and note it in the state: once the triggers are mended, by
    whatever means, every row and link is looked at once, for changes in between left no mark. A provider that is out of
    the settings by then is remembered until it is back."""
    try:
        triggers.require(site.source)
    except SetupNeeded:
        with site.state.begin() as tx:
            progress.set_meta(tx, UNSEEN, EVERYWHERE)
        raise
    with site.state.read() as tx:
        unseen = progress.meta(tx, UNSEEN)
        away = vanished(tx, {route.provider for route in site.routes}) if unseen else {}
    back = [route for route in site.routes if unseen == EVERYWHERE or route.provider in unseen.split()]
    for route in back:
        mark_successors(site, route)
    if back:
        with site.state.begin() as tx:
            if unseen == EVERYWHERE:
                look_at_everything(tx, site)
            progress.set_meta(tx, UNSEEN, " ".join(away if unseen == EVERYWHERE else away.keys() & unseen.split()))


def mark_successors(site: Installation, route: Route) -> None:
    """Have every linked customer whose row looks like another's looked at as if that row had just been inserted: an
    exchange would write one customer's values over the other's record. Example: the state is of Monday, and on Tuesday
    customer 7 was deleted and his key given away."""
    now = site.clock.now()
    for links, _ in links_after(site, route.provider):
        keys = [link.pair.key for link in links if link.external_id is not None]
        rows, memory = customers.read(site.source, keys), remember(route, keys)
        looks = [(Work(Pair(route.provider, key), 0, INSERTED, now, now), rows[key]) for key in keys if key in rows]
        cases = [outset(route, due, row, memory) for due, row in looks]
        anew = [case.pair for case in cases if another(case.facts) and not keeps_names(case.facts)]
        with site.state.begin() as tx:
            work.mark(tx, anew, INSERTED, now)

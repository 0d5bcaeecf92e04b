"""After changes that nobody saw, for want of triggers or by a restore: everything is looked at once more, and a key may
have been given to another customer, which no row of a change log tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from syncd.core.case import Case
from syncd.core.model import Link, Pair, Work
from syncd.core.recognition import another, keeps_names
from syncd.detect.capture import look_at_everything
from syncd.detect.walks import links_after
from syncd.errors import SafetyStop, SetupNeeded
from syncd.reconcile import Route
from syncd.reconcile.case import outset, remember
from syncd.runtime.installation import Installation
from syncd.source import customers, triggers
from syncd.store import progress, work
from syncd.store.database import Transaction
from syncd.store.providers import vanished

KEY_COLUMN = "source.key"
INSERTED = "inserted"
UNSEEN = "capture.unseen"
EVERYWHERE, AWAY = "1", "away"  # at every provider; at those that were out of the settings at the time, by name:
UNSEEN_BY = "unseen:"


def require_triggers(site: Installation) -> None:
    """Raise `SetupNeeded` where changes would be lost, and note it in the state: once the triggers are mended, by
    whatever means, every row and link is looked at once, for changes in between left no mark. A provider that is out of
    the settings by then is remembered until it is back. The column of the keys is noted, and may not change unseen."""
    require_same_key(site)
    try:
        triggers.require(site.source)
    except SetupNeeded:
        with site.state.begin() as tx:
            progress.set_meta(tx, UNSEEN, EVERYWHERE)
        raise
    with site.state.read() as tx:
        unseen, known = progress.meta(tx, UNSEEN), progress.meta(tx, KEY_COLUMN)
        late = {route.provider for route in site.routes if unseen and progress.meta(tx, UNSEEN_BY + route.provider)}
    if not known:
        with site.state.begin() as tx:
            progress.set_meta(tx, KEY_COLUMN, key_column(site))
    back = [route for route in site.routes if unseen == EVERYWHERE or route.provider in late]
    for route in back:
        mark_successors(site, route)
    if unseen == EVERYWHERE or late:
        with site.state.begin() as tx:
            _note_who_is_away(tx, site, everywhere=unseen == EVERYWHERE)


def _note_who_is_away(tx: Transaction, site: Installation, *, everywhere: bool) -> None:
    """All providers of the settings had their look; those that are out of the settings have it when they are back, by
    whatever name."""
    away = vanished(tx, {route.provider for route in site.routes})
    if everywhere:
        look_at_everything(tx, site)
        for name in away:
            progress.set_meta(tx, UNSEEN_BY + name, "1")
    for route in site.routes:
        progress.set_meta(tx, UNSEEN_BY + route.provider, "")
    progress.set_meta(tx, UNSEEN, AWAY if away else "")


def require_same_key(site: Installation) -> None:
    """Raise `SafetyStop` where `[source] key` is another column than the one by which the state knows customers: each
    would count as deleted, and another one as new, or the value of one customer's key is another's in that column.
    `recover` goes on by the new column."""
    with site.state.read() as tx:
        known = progress.meta(tx, KEY_COLUMN)
    if known and known != key_column(site):
        raise SafetyStop(f'[source] key is "{site.source.config.key}"; it was "{known}".', remedy="syncd recover")


def key_column(site: Installation) -> str:
    """The column that holds the customers' keys; databases do not tell its capitals apart."""
    return site.source.config.key.casefold()


def mark_successors(site: Installation, route: Route) -> None:
    """Have every linked customer whose row looks like another's looked at as if that row had just been inserted: an
    exchange would write one customer's values over the other's record. Example: the state is of Monday, and on Tuesday
    customer 7 was deleted and his key given away."""
    now = site.clock.now()
    for _, cases in _outsets(site, route):
        anew = [case.pair for case in cases if another(case.facts) and not keeps_names(case.facts)]
        with site.state.begin() as tx:
            work.mark(tx, anew, INSERTED, now)


def unrecognised(site: Installation, route: Route) -> Iterator[list[Link]]:
    """The links, page by page, of customers who are not known for sure under the keys of another column: their row is
    not there, or has not the names that were agreed."""
    for links, cases in _outsets(site, route):
        known = {case.pair.key for case in cases if keeps_names(case.facts)}
        yield [link for link in links if link.pair.key not in known]


def _outsets(site: Installation, route: Route) -> Iterator[tuple[Sequence[Link], list[Case]]]:
    """Every link, page by page, with the cases of those that have a record and a row."""
    now = site.clock.now()
    for links, _ in links_after(site, route.provider):
        keys = [link.pair.key for link in links if link.external_id is not None]
        rows, memory = customers.read(site.source, keys), remember(route, keys)
        looks = [(Work(Pair(route.provider, key), 0, INSERTED, now, now), rows[key]) for key in keys if key in rows]
        yield links, [outset(route, due, row, memory) for due, row in looks]

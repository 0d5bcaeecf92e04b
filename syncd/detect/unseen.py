"""After changes without a mark (triggers were missing, or a side was restored): every row and link is looked at once
more, and a key may meanwhile have been given to another customer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from syncd.core.case import Case
from syncd.core.model import Link, Pair, Work
from syncd.core.recognition import another, keeps_names
from syncd.detect.found import Found, keep
from syncd.detect.resync import look_at_everything
from syncd.detect.walks import links_after
from syncd.errors import SafetyStop, SetupNeeded
from syncd.reconcile import Route
from syncd.reconcile.case import outset, remember
from syncd.runtime.installation import Installation
from syncd.source import customers, triggers
from syncd.store import progress
from syncd.store.database import Transaction
from syncd.store.providers import vanished

KEY_COLUMN = "source.key"
INSERTED = "inserted"
UNSEEN = "capture.unseen"
EVERYWHERE, AWAY = "1", "away"  # for every provider; for providers missing in the settings then, by name:
UNSEEN_BY = "unseen:"


def require_triggers(site: Installation) -> None:
    """Raise `SetupNeeded` where triggers are missing, and note that in the state: changes meanwhile leave no mark, so
    once the triggers are there again every row and link is looked at. For a provider that is missing in the settings
    then, the note stays until it is back. The key's column is noted too, so that `require_same_key` notices another."""
    require_same_key(site)
    try:
        triggers.require(site.source)
    except SetupNeeded:
        with site.state.begin() as tx:
            progress.set_meta(tx, UNSEEN, EVERYWHERE)
        raise
    with site.state.read() as tx:
        known = progress.meta(tx, KEY_COLUMN)
    if not known:
        with site.state.begin() as tx:
            progress.set_meta(tx, KEY_COLUMN, key_column(site))
    routes, everywhere = missed(site)
    for route in routes:
        mark_successors(site, route)
    if routes:
        with site.state.begin() as tx:
            _note_who_is_away(tx, site, everywhere=everywhere)


class Missed(NamedTuple):
    """Providers whose customers may have changed without a mark, and whether every row and link has to be looked at for
    all of them."""

    routes: Sequence[Route]
    everywhere: bool


def missed(site: Installation) -> Missed:
    """Who has not been seen to since triggers were missing."""
    with site.state.read() as tx:
        unseen = progress.meta(tx, UNSEEN)
        late = {route.provider for route in site.routes if unseen and progress.meta(tx, UNSEEN_BY + route.provider)}
    everywhere = unseen == EVERYWHERE
    return Missed([route for route in site.routes if everywhere or route.provider in late], everywhere)


def _note_who_is_away(tx: Transaction, site: Installation, *, everywhere: bool) -> None:
    """Note that all providers of the settings are seen to, and which of the state's providers, missing in the settings,
    are not: they will be when they are back, also under another name."""
    away = vanished(tx, {route.provider for route in site.routes})
    if everywhere:
        look_at_everything(tx, site)
        for name in away:
            progress.set_meta(tx, UNSEEN_BY + name, "1")
    for route in site.routes:
        progress.set_meta(tx, UNSEEN_BY + route.provider, "")
    progress.set_meta(tx, UNSEEN, AWAY if away else "")


def require_same_key(site: Installation) -> None:
    """Raise `SafetyStop` where `[source] key` names another column than before: every customer would count as deleted
    and as new, or the key of one customer would be taken for another's. `recover` goes on with the new column."""
    with site.state.read() as tx:
        known = progress.meta(tx, KEY_COLUMN)
    if known and known != key_column(site):
        raise SafetyStop(f'[source] key is "{site.source.config.key}"; it was "{known}".', remedy="syncd recover")


def key_column(site: Installation) -> str:
    """The column of the customers' keys, in small letters: databases do not distinguish capitals in its name."""
    return site.source.config.key.casefold()


def mark_successors(site: Installation, route: Route) -> None:
    """Mark the linked customers whose row looks like another customer's."""
    for found in succeeding(site, route):
        with site.state.begin() as tx:
            keep(tx, found, site.clock.now())


def succeeding(site: Installation, route: Route) -> Iterator[Found]:
    """Every linked customer whose row looks like another customer's, to be looked at as if the row had just been
    inserted: an exchange would write one customer's values over the other's record. Example: the state is of Monday; on
    Tuesday customer 7 was deleted and key 7 was given to another customer."""
    for _, cases in _outsets(site, route):
        yield Found([case.pair for case in cases if another(case.facts) and not keeps_names(case.facts)], INSERTED)


def unrecognised(site: Installation, route: Route) -> Iterator[list[Link]]:
    """The links, page by page, of customers that cannot be recognised by the keys of another column: their row is
    missing, or its names are not those that were agreed."""
    for links, cases in _outsets(site, route):
        known = {case.pair.key for case in cases if keeps_names(case.facts)}
        yield [link for link in links if link.pair.key not in known]


def _outsets(site: Installation, route: Route) -> Iterator[tuple[Sequence[Link], list[Case]]]:
    """Every link, page by page, with the cases of links that have a record and a row."""
    now = site.clock.now()
    for links, _ in links_after(site, route.provider):
        keys = [link.pair.key for link in links if link.external_id is not None]
        rows, memory = customers.read(site.source, keys), remember(route, keys)
        looks = [(Work(Pair(route.provider, key), 0, INSERTED, now, now), rows[key]) for key in keys if key in rows]
        yield links, [outset(route, due, row, memory) for due, row in looks]

"""`syncd review show`: both sides of one review item, read now, for the person who decides. Nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from syncd.core.alias import REMOTE
from syncd.core.case import Case
from syncd.core.effects import Failure
from syncd.core.guards import STAGED
from syncd.core.model import Pair, Remote, Values, Work
from syncd.core.questions import offer_in
from syncd.detect.intake import NOT_INSERTED
from syncd.errors import ProviderError
from syncd.lanes import LanePaused
from syncd.operate.reading import chosen, patiently, patiently_looked
from syncd.reconcile import Route
from syncd.reconcile.case import remember
from syncd.reconcile.gather import fetch_proven
from syncd.reconcile.guard import REFUSED_BEFORE
from syncd.reconcile.held import GUARD
from syncd.runtime.installation import Installation
from syncd.source import customers
from syncd.store import overview
from syncd.store.review import Review

LISTED = 50


@dataclass(frozen=True, slots=True)
class Shown:
    """The projected row, the records by external id, and for a guard the staged pairs: each key with its fields or
    reason (key "" for pairs that are only counted). `unfit` says by field why the source does not take a value."""

    source: Values = field(default_factory=dict)
    remotes: Mapping[str, Values] = field(default_factory=dict)
    pairs: tuple[tuple[str, str], ...] = ()
    unfit: Mapping[str, str] = field(default_factory=dict)
    trouble: str = ""


def shown(site: Installation, item: Review) -> Shown:
    """Read the row and the records that the item is about."""
    if not item.customer_key:
        return Shown(pairs=_staged(site, item))
    route = chosen(site, [item.provider])[0]
    if item.kind == NOT_INSERTED:
        return _outside(route, item.customer_key.removeprefix(REMOTE))
    pair, now = Pair(item.provider, item.customer_key), site.clock.now()
    row = customers.read(site.source, [pair.key]).get(pair.key)
    try:
        looked = Work(pair, 0, "person", now, now)
        case = patiently_looked(route, [(looked, row)], remember(route, [pair.key]))[0]
        remotes = _remotes(route, item, case)
    except (ProviderError, LanePaused) as error:
        return Shown(row.values if row is not None else {}, trouble=str(error))
    if isinstance(case.failure, Failure):
        return Shown(row.values if row is not None else {}, trouble=case.failure.message)
    unfit: dict[str, str] = {}
    if item.kind == REFUSED_BEFORE and case.facts.remote is not None:
        there = case.facts.remote.values
        unfit = customers.unfit(site.source, {name: there[name] for name in item.fields if name in there})
    return Shown(case.facts.source or (row.values if row is not None else {}), remotes, unfit=unfit)


def _outside(route: Route, external_id: str) -> Shown:
    """A record that the source did not take."""
    try:
        remote = patiently(route, lambda: fetch_proven(route, external_id))
    except (ProviderError, LanePaused) as error:
        return Shown(trouble=str(error))
    return Shown(remotes={external_id: remote.values} if remote is not None else {})


def _remotes(route: Route, item: Review, case: Case) -> dict[str, Values]:
    found: list[Remote] = [*case.facts.found, *([case.facts.remote] if case.facts.remote is not None else [])]
    known = {remote.external_id for remote in found}
    for external_id in offer_in(item.reason).ids:
        remote = fetch_proven(route, external_id) if external_id not in known else None
        if remote is not None:
            found.append(remote)
    return {remote.external_id: remote.values for remote in found}


def _staged(site: Installation, item: Review) -> tuple[tuple[str, str], ...]:
    """The pairs that this number of the item stands for."""
    waits = "adopt" if item.kind == "adopt" else STAGED + item.kind.removeprefix(GUARD)
    with site.state.read() as tx:
        rows = overview.of_class(tx, item.provider, waits, "", LISTED, None if item.kind == "adopt" else item.id)
    lines = [(row.pair.key, row.error.replace(",", ", ")) for row in rows]
    return (*lines, ("", f"... and {item.count - LISTED} more")) if item.count > LISTED else tuple(lines)

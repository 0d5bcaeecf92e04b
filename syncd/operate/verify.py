"""`syncd verify`: do both sides agree? Reads all customers, or a sample, and writes nothing.

Verify decides as a run does, so a pending change counts as a difference too. Where listings show whole records, no
record is fetched; elsewhere a record that differs in the listing is fetched before the difference is reported. Two
records that carry one customer's key are reported too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from syncd.core.actions import Adopt, Create, Exchange, Park, Reject, Remove, Unlink, Wait
from syncd.core.case import Decided
from syncd.core.effects import Failure, Refused
from syncd.core.model import Customer, Pair, Remote, Work
from syncd.detect.first_pass import without_row
from syncd.detect.walks import links_after, rows_after
from syncd.operate.dry_run import looks
from syncd.operate.reading import listing, patiently
from syncd.reconcile import Route
from syncd.reconcile.listed import by_key
from syncd.runtime.installation import Installation
from syncd.store import mapping


@dataclass(frozen=True, slots=True)
class Difference:
    """One pair on whose state both sides do not agree. `kind`: differs, not_linked, missing_here, missing_there,
    duplicate_there, rejected, unreadable, or the kind of a review item. `detail` holds ids, never values."""

    provider: str
    key: str
    kind: str
    fields: tuple[str, ...] = ()
    detail: str = ""


@dataclass
class Audit:
    """How many pairs were compared, by provider, and the differences."""

    checked: dict[str, int] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)


def audit(site: Installation, route: Route, share: float, result: Audit) -> None:
    """Compare one provider's customers with the source, all of them or a random `share` (0..1)."""
    lists = route.adapter.capabilities.lists
    remotes = listing(route) if lists else {}
    if lists:
        result.differences += _doubles(site, route, remotes)
    if route.adapter.capabilities.lists_whole:
        route.listing.keys = by_key(remotes.values())
    checked, suspects = 0, dict[str, Difference]()
    for rows in _sampled(site, share):
        if not lists:
            remotes = _found(site, route, rows, result)
        checked += len(rows)
        read = replace(route, listed=remotes)
        suspects |= {found.key: found for found in _different(read, [row.key for row in rows])}
    partly = lists and not route.adapter.capabilities.lists_whole
    result.differences += _different(route, sorted(suspects)) if partly else suspects.values()
    result.differences += _missing_here(site, route, share)
    result.checked[route.provider] = checked


def _sampled(site: Installation, share: float) -> Iterator[list[Customer]]:
    salt = site.run_id()
    for rows, _ in rows_after(site, ""):
        yield [row for row in rows if _drawn(salt, row.key, share)]


def _drawn(salt: str, key: str, share: float) -> bool:
    if share >= 1.0:
        return True
    return int.from_bytes(blake2b(f"{salt}\0{key}".encode(), digest_size=4).digest()) < share * 2**32


def _different(route: Route, keys: Sequence[str]) -> list[Difference]:
    now = route.clock.now()
    works = [Work(Pair(route.provider, key), 0, "verify", now, now) for key in keys]
    found = (_judged(decided) for decided in looks(route, works, {}))
    return [difference for difference in found if difference is not None]


def _judged(decided: Decided) -> Difference | None:
    pair = decided.case.pair
    match decided.action or decided.case.failure:
        case Exchange(push, pull, _, review) if push or pull or review:
            return Difference(pair.provider, pair.key, "differs", tuple(sorted({*push, *pull, *review})))
        case Create() | Adopt():
            return Difference(pair.provider, pair.key, "not_linked")
        case Wait("adopt"):
            return Difference(pair.provider, pair.key, "not_linked", detail="waits for adopt")
        case Park(kind, _) if kind in decided.case.ignored:
            return None  # a person decided `ignore`
        case Park("remote_gone"):
            return Difference(pair.provider, pair.key, "missing_there")
        case Park(kind, _):
            return Difference(pair.provider, pair.key, kind)
        case Reject(name, reason) | Refused(name, reason):
            return Difference(pair.provider, pair.key, "rejected", (name,) if name else (), reason)
        case Remove() | Unlink() | Wait():
            return Difference(pair.provider, pair.key, "missing_here")
        case Failure(_, message):
            return Difference(pair.provider, pair.key, "unreadable", detail=message)
        case _:
            return None


def _found(site: Installation, route: Route, rows: Sequence[Customer], result: Audit) -> dict[str, Remote]:
    """The records that carry the linked customers' keys, looked up one by one at a provider that cannot list. More than
    one record for a customer is reported as a duplicate."""
    with site.state.read() as tx:
        links = mapping.read_many(tx, route.provider, [row.key for row in rows])
    remotes: dict[str, Remote] = {}
    for row in rows:
        link = links.get(row.key)
        our_key = link.provider_key if link is not None and link.external_id is not None else None
        if our_key is None or not route.adapter.key_fits(our_key):
            continue
        found = _all_with(route, our_key, row)
        remotes |= {remote.external_id: remote for remote in found}
        if len(found) > 1:
            ids = ", ".join(remote.external_id for remote in found)
            result.differences.append(Difference(route.provider, row.key, "duplicate_there", detail=ids))
    return remotes


def _all_with(route: Route, our_key: str, row: Customer) -> Sequence[Remote]:
    return patiently(route, lambda: route.adapter.find(our_key, row.values))


def _doubles(site: Installation, route: Route, remotes: Mapping[str, Remote]) -> Iterator[Difference]:
    groups: dict[str, list[str]] = {}
    for remote in remotes.values():
        if remote.key is not None and not remote.archived:
            groups.setdefault(remote.key, []).append(remote.external_id)
    double = {our_key: ids for our_key, ids in groups.items() if len(ids) > 1}
    with site.state.read() as tx:
        holders = mapping.by_provider_key(tx, route.provider, list(double))
    for our_key, ids in double.items():
        key = holders[our_key].pair.key if our_key in holders else ""
        yield Difference(route.provider, key, "duplicate_there", detail=", ".join(ids))


def _missing_here(site: Installation, route: Route, share: float) -> Iterator[Difference]:
    """Links whose source row is missing; a sample looks at rows alone."""
    if share < 1.0:
        return
    for links, _ in links_after(site, route.provider):
        known = [link for link in links if link.external_id is not None]
        yield from (Difference(route.provider, pair.key, "missing_here") for pair in without_row(site, known))

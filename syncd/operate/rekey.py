"""`syncd db rekey`: the state under another key, without losing a base and without asking a person.

Both sides of every link are read, so that its digests can be made anew; then all digests change in one transaction. A
crash before that leaves the old state whole, and the old key with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from syncd.core.digest import digester
from syncd.core.model import Link, Remote, Value
from syncd.detect.walks import linked
from syncd.errors import Rejected, SafetyStop, UsageError
from syncd.operate.reading import chosen, listing, patiently
from syncd.reconcile import Route
from syncd.reconcile.case import readable
from syncd.reconcile.unmapped import projected
from syncd.runtime.alone import alone
from syncd.runtime.installation import Installation
from syncd.source import customers
from syncd.store import providers, rekeying

ROWS = 200


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """How many links were read, and how many digests no side showed any more: a person edited these fields."""

    links: int
    edited: int


def rekey(site: Installation, make: Callable[[], bytes], step: Callable[[int], None]) -> Rekeyed:
    """Read everything, then write the state under the key that `make` gives. `step` is called with the number of links
    read.

    Raises `LeaseHeld` while another process works on the state, `UsageError` where something has to be done before,
    `SafetyStop` where the state was changed meanwhile, `ProviderError` where a provider cannot be read. After an error
    nothing is changed.
    """
    with alone(site.state, "syncd db rekey") as tx:
        _ready(rekeying.unconfirmed(tx), providers.vanished(tx, {route.provider for route in site.routes}))
        before = rekeying.looked_over(tx)
    new = make()
    known: dict[str, str] = {}
    read = 0
    for route in chosen(site, ()):
        links = list(linked(site, route.provider))
        for link, values in _values(site, route, links):
            known |= _translated(site, route, link, new, values)
            read += 1
            step(read)
    with alone(site.state, "syncd db rekey") as tx:
        if rekeying.looked_over(tx) != before:
            raise SafetyStop("the state was changed meanwhile; this command changed nothing.", remedy="syncd db rekey")
        return Rekeyed(read, rekeying.rekey(tx, site.state.key, new, known))


def _ready(unconfirmed: int, vanished: Mapping[str, int]) -> None:
    if unconfirmed:
        raise UsageError(f"{unconfirmed} writes are not confirmed yet; nothing was changed.", remedy="syncd run-once")
    for name in vanished:
        raise UsageError(
            f"{name} is in the state and not in the settings, so its customers cannot be read; nothing was changed.",
            remedy=f"syncd provider remove {name}",
        )


def _values(site: Installation, route: Route, links: Sequence[Link]) -> Iterator[tuple[Link, list[tuple[str, Value]]]]:
    """Every value that either side of these links shows, with its field."""
    whole = bool(links) and route.adapter.capabilities.lists_whole
    shown = listing(route) if whole else {}
    for start in range(0, len(links), ROWS):
        chunk = links[start : start + ROWS]
        rows = customers.read(site.source, [link.pair.key for link in chunk])
        for link in chunk:
            values: list[tuple[str, Value]] = []
            remote = shown.get(str(link.external_id)) or patiently(route, _fetching(route, str(link.external_id)))
            if remote is not None:
                values += remote.values.items()
            row = rows.get(link.pair.key)
            if row is not None:
                values += row.values.items()
                with suppress(Rejected):  # a row that is refused now differs from its base
                    values += projected(route.adapter, row, readable(route, row)).items()
            yield link, values


def _fetching(route: Route, external_id: str) -> Callable[[], Remote | None]:
    return lambda: route.adapter.fetch(external_id)


def _translated(
    site: Installation, route: Route, link: Link, new: bytes, values: Sequence[tuple[str, Value]]
) -> dict[str, str]:
    key = link.provider_key or link.pair.key
    old = route.digester(key)
    anew = digester(new, site.state.digest_names.get(route.provider, route.provider), key)
    return {old(name, value): anew(name, value) for name, value in values}

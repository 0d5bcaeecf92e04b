"""`syncd forget`: erase a person from the state. Tombstones keep scans, old copies and retries from bringing the person
back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from syncd.core.model import Customer, Link, Pair, Stage, Verb, Work
from syncd.core.recognition import another
from syncd.errors import UsageError
from syncd.log import customer
from syncd.operate.review import PERSON, certain
from syncd.reconcile import Route
from syncd.reconcile.case import outset, remember
from syncd.reconcile.route import hidden_key
from syncd.runtime.installation import Installation
from syncd.source import customers
from syncd.store import journal, mapping, tombstones, work
from syncd.store.database import Transaction

HOW = "forgotten"


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The erased customer. `linked`: external ids by provider; `in_source`: the source still has the row; `coming`: by
    provider, our key on a record that a create of unknown outcome may still make."""

    key: str
    linked: dict[str, str]
    in_source: bool
    coming: dict[str, str] = field(default_factory=dict)


def forget(site: Installation, key: str) -> Forgotten:
    """Erase a customer from the state and leave tombstones, which hold digests alone.

    Raises `UsageError` where the state does not know the key, where the key has just changed hands, and where a create
    of unknown outcome may make a record that carries no key of ours.
    """
    row = customers.read(site.source, [key]).get(key)
    key = row.key if row is not None else key
    certain(site.state, site.source, key, gone=row is None)
    if row is not None:
        _one_owner(site, row)
    with site.state.begin() as tx:
        links = mapping.of_customer(tx, key)
        if not (links or work.of_customer(tx, key) or journal.events(tx, key, 1) or journal.reviews(tx, key=key)):
            raise UsageError(f"the state knows nothing of customer {key}.", remedy=f"syncd explain {key}")
        ids = {link.pair.provider: link.external_id for link in links}
        coming = {route.provider: our_key for route in site.routes if (our_key := _coming(tx, route, key))}
        for route in site.routes:
            grave = (route.provider, ids.get(route.provider), key, HOW)
            tombstones.bury(tx, site.state.tombstone_keys, *grave, site.clock.now())
        _bury_elsewhere(tx, site, links)
        hidden = {
            route.provider: hidden_key(route, mapping.read(tx, Pair(route.provider, key))) for route in site.routes
        }
        for provider, our_key in (*coming.items(), *hidden.items()):
            if our_key:
                tombstones.bury_carriers(tx, site.state.tombstone_keys, provider, our_key, HOW, site.clock.now())
        mapping.forget(tx, key)
    linked = {provider: id_ for provider, id_ in ids.items() if id_ is not None}
    return Forgotten(key, linked, row is not None, coming)


def _bury_elsewhere(tx: Transaction, site: Installation, links: Sequence[Link]) -> None:
    """Leave tombstones at providers that left the settings: a provider that is configured again must not bring the
    person back. Without an adapter it is unknown whether a record can carry our key, so both kinds are left."""
    configured = {route.provider for route in site.routes}
    for link in (each for each in links if each.pair.provider not in configured):
        provider, key = link.pair
        tombstones.bury(tx, site.state.tombstone_keys, provider, link.external_id, key, HOW, site.clock.now())
        tombstones.bury_carriers(
            tx, site.state.tombstone_keys, provider, link.provider_key or key, HOW, site.clock.now()
        )


def _one_owner(site: Installation, row: Customer) -> None:
    """Raise `UsageError` where the key's row belongs to another customer now and no look has acted on that yet, or a
    question about it is open: the operator may mean either customer."""
    now = site.clock.now()
    for route in site.routes:
        pair = Pair(route.provider, row.key)
        with site.state.read() as tx:
            due = work.read(tx, pair) or Work(pair, 0, PERSON, now, now)
        facts = outset(route, due, row, remember(route, [row.key])).facts
        if facts.reborn and another(facts):
            raise UsageError(
                f"the key {customer(row.key)} changed hands in the source, and {route.provider} still shows its first"
                " owner; nothing was erased. Start a run, or answer the open question, then try again.",
                remedy=f"syncd explain {customer(row.key)}",
            )


def _coming(tx: Transaction, route: Route, key: str) -> str:
    """Our key on the record that a create of unknown outcome may still make; "" where there is no such create. Raises
    `UsageError` where the record can carry no key of ours: once the customer is erased, the record could not be
    recognised, and a listing would bring the customer back."""
    intents = journal.intents(tx, route.provider, [key]).get(key, ())
    if not any(intent.verb is Verb.CREATE and intent.stage is Stage.OPEN for intent in intents):
        return ""
    link = mapping.read(tx, Pair(route.provider, key))
    our_key = (link.provider_key if link is not None else None) or key
    if route.adapter.key_fits(our_key):
        return our_key
    raise UsageError(
        f"a create of customer {customer(key)} at {route.provider} has an unknown outcome, and its record carries no"
        " key by which a later listing could recognise it; nothing was erased. Delete the row in the source: the next"
        " run then looks for the record.",
        remedy="syncd run-once",
    )

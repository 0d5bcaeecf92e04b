"""Creates of ours with an unknown outcome whose record can carry no key of ours: an unlinked record may be theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from syncd.core.facts import Facts
from syncd.core.model import Intent, Link, Remote, Values
from syncd.core.recognition import made_by, may_be_made_by
from syncd.errors import Rejected
from syncd.reconcile import Route
from syncd.runtime.installation import Installation
from syncd.source import customers
from syncd.store import journal, mapping


class Keyless(NamedTuple):
    """A create of unknown outcome whose record can carry no key of ours. Its digests are made over `our_key`; `source`
    is the row as the provider should hold it, None where the row is gone."""

    our_key: str
    intent: Intent
    source: Values | None


def keyless_creates(site: Installation, route: Route) -> tuple[Keyless, ...]:
    """Our creates of unknown outcome whose record can carry no key of ours. Read once for a page, after the page was
    listed: every create that made one of its records had its intent by then, and has since been linked, or given a
    tombstone, or is still open."""
    with site.state.read() as tx:
        creates = journal.unknown_creates(tx, route.provider)
        links = mapping.read_many(tx, route.provider, [intent.pair.key for intent in creates])
    named = [(intent, _our_key(intent.pair.key, links)) for intent in creates]
    lost = [(intent, our_key) for intent, our_key in named if not route.adapter.key_fits(our_key)]
    rows = customers.read(site.source, [intent.pair.key for intent, _ in lost]) if lost else {}
    sent = {key: projection(route, row.values) for key, row in rows.items()}
    return tuple(Keyless(our_key, intent, sent.get(intent.pair.key)) for intent, our_key in lost)


def _our_key(key: str, links: Mapping[str, Link]) -> str:
    return (links[key].provider_key if key in links else None) or key


def made(route: Route, each: Keyless, remote: Remote) -> bool:
    """Whether this create likely made the record; while the customer's row exists and a person is asked about it,
    whether it possibly did. Such a record does not become a row."""
    facts = Facts(route.rules, route.digester(each.our_key), source=each.source, intents=(each.intent,))
    return made_by(facts, remote) if each.source is None else may_be_made_by(facts, remote)


def projection(route: Route, values: Values) -> Values:
    """The row as this provider should hold it, with the number also where the provider takes it as its key and not as a
    field."""
    own = {"number": values["number"]} if values.get("number") else {}
    try:
        return {**own, **route.adapter.project(values)}
    except Rejected:
        return values

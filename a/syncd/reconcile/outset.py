"""The beginning of a look: what the state remembers and what the row says, before the provider is asked anything.

The generation was read when the pair was taken, the source row after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from syncd.core.facts import Facts
from syncd.core.guards import IDENTIFYING
from syncd.core.model import Customer, Direction, Intent, Link, Pair, Values, Work, is_former
from syncd.core.recognition import another, perhaps_another
from syncd.core.writes import recovered, unknown_create
from syncd.errors import Rejected
from syncd.reconcile.orders import orders
from syncd.reconcile.route import Route
from syncd.reconcile.unmapped import projected
from syncd.store import journal, mapping, review
from syncd.store import work as due


@dataclass(frozen=True, slots=True)
class Memory:
    """What the state database knows of a chunk of pairs, read in one go."""

    links: Mapping[str, Link]
    intents: Mapping[str, Sequence[Intent]]
    reviews: Mapping[str, Sequence[review.Review]]


@dataclass(frozen=True, slots=True)
class Case:
    """One pair on the desk: the work, its facts, and the source row for the compare-and-set."""

    work: Work
    facts: Facts
    customer: Customer | None
    key: str  # our key at the provider

    @property
    def pair(self) -> Pair:
        return self.work.pair


def remember(route: Route, keys: Sequence[str]) -> Memory:
    """Read mapping rows, intents and review items of a chunk."""
    with route.state.read() as tx:
        return Memory(
            mapping.read_many(tx, route.provider, keys),
            journal.intents(tx, route.provider, keys),
            review.reviews_of(tx, route.provider, keys),
        )


def outset(route: Route, work: Work, customer: Customer | None, memory: Memory) -> Case:
    """What is known before the provider is asked; a failure after it still knows whose row this is."""
    key = work.pair.key
    link = memory.links.get(key)
    ordered = orders(memory.reviews.get(key, ()))
    facts = Facts(
        rules=route.rules,
        digest=route.digester((link.provider_key if link else None) or key),
        link=link,
        intents=tuple(memory.intents.get(key, ())),
        composed=route.adapter.composed(route.known),
        rulings=ordered.rulings,
        create_anyway=ordered.create,
        ordered=ordered.word,
        held=ordered.held,
        fill=work.reason == "adopted",
        reborn=work.reason in {"inserted", "deleted"} or is_open(memory, key, "delete_conflict"),
        succeeded=is_former(key),
    )
    if customer is None:
        return Case(work, facts, None, (link.provider_key if link else None) or key)
    facts, our_key = _project(route, facts, customer)
    row = {name: value for name, value in customer.values.items() if name in IDENTIFYING}
    facts = replace(facts, row=row, locked=frozenset(customer.locked))
    facts = recovered(replace(facts, link=_keyed(facts, our_key), digest=route.digester(our_key)))
    if perhaps_another(facts) or another(facts) or _may_have_moved(facts, work, our_key):
        facts = replace(facts, unread=_unread(route, work))
    return Case(work, facts, customer, our_key)


def _may_have_moved(facts: Facts, work: Work, our_key: str) -> bool:
    """Whether an unlinked row may be a customer who had another key a moment ago: without a number nothing tells."""
    linked = facts.link is not None and facts.link.external_id is not None
    return not linked and our_key == work.pair.key and work.reason != "inserted"


def _unread(route: Route, work: Work) -> bool:
    """Whether something happened to this key that no look was told of yet. First the log, then the mark: capture makes
    the mark before it takes the log's."""
    if route.mentions(work.pair.key):
        return True
    with route.state.read() as tx:
        now = due.read(tx, work.pair)
    return now is not None and now.generation != work.generation


def _frozen(facts: Facts) -> str | None:
    """The key that nothing changes any more: a record carries it, or may carry it."""
    link = facts.link
    if link is None or (link.external_id is None and unknown_create(facts) is None):
        return None
    return link.provider_key


def _keyed(facts: Facts, our_key: str) -> Link | None:
    """The link with the key it is known by: one that was reserved for a create which did not happen is given up, and
    one that a crash left linked without a key (an inbound insert) gets the one its first base is made under."""
    link = facts.link
    if link is None or link.provider_key == our_key:
        return link
    if link.external_id is None and unknown_create(facts) is None:
        return replace(link, provider_key=None)
    return link if link.provider_key is not None else replace(link, provider_key=our_key)


def _project(route: Route, facts: Facts, customer: Customer) -> tuple[Facts, str]:
    frozen = _frozen(facts)
    number = customer.values.get("number")
    our_key = frozen or (number if isinstance(number, str) and number else customer.key)
    try:
        wanted = projected(route.adapter, customer, readable(route, customer))
    except Rejected as refused:
        return replace(facts, rejection=(refused.field, refused.reason)), our_key
    number = customer.values.get("number")
    if number and not route.rules.renumbers:
        wanted = {"number": number, **wanted}
    wanted = {name: value for name, value in wanted.items() if route.rules.fields.get(name) is not Direction.OFF}
    return replace(facts, source=wanted), our_key


def readable(route: Route, customer: Customer) -> Values:
    """The row's values; one that has no canonical form (too long, NUL, no date) refuses the customer, not the run."""
    for name, reason in customer.problems.items():
        if not name or route.rules.fields.get(name) is not Direction.OFF:
            raise Rejected(name, reason)
    return customer.values


def is_open(memory: Memory, key: str, kind: str = "") -> bool:
    """Whether a person is asked about this pair right now; with a `kind`, that very question."""
    return any(item.closed_at is None and kind in {"", item.kind} for item in memory.reviews.get(key, ()))

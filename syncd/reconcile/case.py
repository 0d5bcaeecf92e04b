"""The beginning of a look: the case from state and row, before any request to the provider.

The generation was read when the pair was taken, the source row after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

from syncd.core.case import Case
from syncd.core.effects import Question
from syncd.core.facts import Facts
from syncd.core.guards import IDENTIFYING, NAMES
from syncd.core.model import Customer, Direction, Intent, Link, Pair, Stage, Values, Verb, Work, is_former
from syncd.core.recognition import another, perhaps_another
from syncd.core.writes import recovered, unknown_create
from syncd.errors import Rejected
from syncd.reconcile.orders import Orders, orders
from syncd.reconcile.route import Route
from syncd.reconcile.unmapped import projected
from syncd.store import journal, mapping, review
from syncd.store import work as due

T = TypeVar("T")

TELLING = frozenset(IDENTIFYING) | NAMES
"""The fields that tell whose row it is; kept also where the provider's rules refuse the row."""


class Memory(NamedTuple):
    """What the state has of a group of pairs, read in one transaction; all by customer key."""

    links: Mapping[str, Link]
    intents: Mapping[str, Sequence[Intent]]
    reviews: Mapping[str, Sequence[review.Review]]
    left_alone: Mapping[str, set[str]]


def remember(route: Route, keys: Sequence[str]) -> Memory:
    """Read the mapping rows, intents and review items of a group."""
    stored = route.aliases.stored(keys)
    asked = list(stored.values())
    with route.state.read() as tx:
        reviews = review.reviews_of(tx, route.provider, asked)
        left = [key for key, items in reviews.items() if any(item.decision in review.LEAVE for item in items)]
        memory = Memory(
            mapping.read_many(tx, route.provider, asked),
            journal.intents(tx, route.provider, asked),
            reviews,
            review.left_alone(tx, route.provider, left),
        )
    return _renamed(route, memory, stored) if route.aliases.before else memory


def _renamed(route: Route, memory: Memory, stored: Mapping[str, str]) -> Memory:
    """The memory by the present keys of the customers."""

    def now(found: Mapping[str, T]) -> dict[str, T]:
        return {key: found[before] for key, before in stored.items() if before in found}

    links = {key: link._replace(pair=Pair(route.provider, key)) for key, link in now(memory.links).items()}
    return Memory(links, now(memory.intents), now(memory.reviews), now(memory.left_alone))


def outset(route: Route, work: Work, customer: Customer | None, memory: Memory) -> Case:
    """The case before any request to the provider. Where the provider fails, this case still tells whose row it is."""
    key = work.pair.key
    link, items = memory.links.get(key), memory.reviews.get(key, ())
    ordered = orders(items)
    facts = Facts(
        rules=route.rules,
        digest=route.digester((link.provider_key if link else None) or key),
        link=link,
        intents=tuple(memory.intents.get(key, ())),
        composed=route.adapter.composed(route.known),
        rulings=ordered.rulings,
        create_anyway=ordered.create,
        tried=_tried(ordered, memory.intents.get(key, ())),
        ordered=ordered.word,
        held=ordered.held,
        fill=work.reason == "adopted",
        reborn=work.reason in {"inserted", "deleted"} or is_open(memory, key, "delete_conflict"),
        succeeded=is_former(key),
        at=route.clock.now(),
    )
    asked = {
        item.kind: Question(item.kind, item.reason, {name: list(seen) for name, seen in item.fields.items()})
        for item in items
        if item.closed_at is None
    }
    ignored = frozenset(memory.left_alone.get(key, ()))
    our_key = (link.provider_key if link else None) or key
    if customer is None:
        return Case(work, facts, None, our_key, asked, ignored)
    number = customer.values.get("number")
    our_key = _frozen(facts) or (number if isinstance(number, str) and number else customer.key)
    source, rejection = _projected(route, customer)
    facts = facts._replace(
        source=source,
        rejection=rejection,
        composed=facts.composed if source is None else _composed(route, customer.values, source),
        row={name: value for name, value in customer.values.items() if name in TELLING},
        locked=frozenset(customer.locked),
        link=_keyed(facts, our_key),
        digest=route.digester(our_key),
    )
    return Case(work, recovered(facts), customer, our_key, asked, ignored)


def _tried(ordered: Orders, intents: Sequence[Intent]) -> bool:
    """Whether the create that a person ordered has left, and its outcome is unknown."""
    lost = [intent.at for intent in intents if intent.verb is Verb.CREATE and intent.stage is Stage.OPEN]
    return ordered.create_at is not None and any(at >= ordered.create_at for at in lost)


def with_unread(route: Route, cases: Sequence[Case]) -> list[Case]:
    """The cases, with `unread` where a row may be another customer's and the change log or a newer mark holds a change
    of its key that no look has seen. The log is asked first and the marks second: capture makes the mark before it
    deletes the log's row, so no change is missed between the two.

    The log is always asked about a pair without a link or without a row, and then only whether a row got or gave up the
    key. Example: customers 1 and 2 swapped their keys; one daemon has read the log's rows while another creates their
    records. A link made in between has the new key already, and would be swapped once more.
    """
    doubtful = [case.pair.key for case in cases if _doubtful(case)]
    unlinked = [case.pair.key for case in cases if case.customer is None or not _linked(case)]
    if not doubtful and not unlinked:
        return list(cases)
    logged = route.mentions(doubtful) if doubtful else set()
    logged |= route.mentions(unlinked, moved=True) if unlinked else set()
    with route.state.read() as tx:
        marked = due.generations(tx, route.provider, [*doubtful, *unlinked])

    def unread(case: Case) -> bool:
        generation = marked.get(case.pair.key, case.work.generation)
        return case.pair.key in logged or generation != case.work.generation

    asked = {*doubtful, *unlinked}
    return [
        case._replace(facts=case.facts._replace(unread=unread(case))) if case.pair.key in asked else case
        for case in cases
    ]


def _doubtful(case: Case) -> bool:
    """Whether the change log must be asked whose row this is. An unlinked row without a number may belong to a customer
    that had another key a moment ago. So may a row that a person ordered to be linked: the order was about the customer
    who had the key then."""
    facts = case.facts
    if case.customer is None:
        return False
    moved = not _linked(case) and case.key == case.pair.key and case.work.reason != "inserted"
    return moved or facts.ordered == "link" or perhaps_another(facts) or another(facts)


def _linked(case: Case) -> bool:
    link = case.facts.link
    return link is not None and link.external_id is not None


def _frozen(facts: Facts) -> str | None:
    """Our key at the provider where it must not change any more: a record carries it, or may carry it."""
    link = facts.link
    if link is None or (link.external_id is None and unknown_create(facts) is None):
        return None
    return link.provider_key


def _keyed(facts: Facts, our_key: str) -> Link | None:
    """The link with our key at the provider. A key that was reserved for a create that did not happen is given up. A
    link that a crash left without a key (an inbound insert) gets the key under which its first base is made."""
    link = facts.link
    if link is None or link.provider_key == our_key:
        return link
    if link.external_id is None and unknown_create(facts) is None:
        return link._replace(provider_key=None)
    return link if link.provider_key is not None else link._replace(provider_key=our_key)


def _projected(route: Route, customer: Customer) -> tuple[Values | None, tuple[str, str] | None]:
    """The row as this provider should hold it, or the field that the provider's rules refuse and why."""
    try:
        wanted = projected(route.adapter, customer, readable(route, customer))
    except Rejected as refused:
        return None, (refused.field, refused.reason)
    number, fields = customer.values.get("number"), route.rules.fields
    if number and not route.rules.renumbers:
        wanted = {"number": number, **wanted}
    return {name: value for name, value in wanted.items() if fields.get(name) is not Direction.OFF}, None


def _composed(route: Route, row: Values, wanted: Values) -> frozenset[str]:
    """The fields that the projection composes of others, for this row. Where the second line of the street is empty,
    the street is one column and not composed. A private person's name is composed of first and last name, also where
    the table has a company column: an edit of the name at the provider must not make a company of a person. A field
    without a column is composed for every row."""
    filled = frozenset(name for name in route.known if row.get(name) is not None or wanted.get(name, "") is None)
    return (route.adapter.composed(route.known) - route.known) | (route.adapter.composed(filled) & route.known)


def readable(route: Route, customer: Customer) -> Values:
    """The row's values. Raises `Rejected` for a value without a canonical form (too long, NUL, no date): this customer
    alone is rejected, and the run goes on."""
    for name, reason in customer.problems.items():
        if not name or route.rules.fields.get(name) is not Direction.OFF:
            raise Rejected(name, reason)
    return customer.values


def is_open(memory: Memory, key: str, kind: str = "") -> bool:
    """Whether a question about this pair is open; with a `kind`, a question of this kind."""
    return any(item.closed_at is None and kind in {"", item.kind} for item in memory.reviews.get(key, ()))

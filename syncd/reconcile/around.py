"""What the state knows around a group of pairs: holders of keys, tombstones, the owners of found records, the latest
moves of fields, and the providers that values came from. Each is asked once for the whole group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from syncd.core.case import Case
from syncd.core.facts import Facts
from syncd.core.merge import Tie
from syncd.core.model import Link, Policy, Remote
from syncd.reconcile.case import Memory, is_open
from syncd.reconcile.route import Route
from syncd.store import events, mapping, tombstones


class Reserved(NamedTuple):
    """`buried`: customers with a tombstone at this provider; `carriers`: numbers with a tombstone that the provider
    cannot carry; `holders`: our keys, each with the customer that holds it."""

    buried: Mapping[str, frozenset[str]]
    carriers: Mapping[str, frozenset[str]]
    holders: Mapping[str, str]

    def of(self, key: str, our_key: str) -> tuple[frozenset[str], str | None]:
        """How this customer was removed before, and which other customer holds its key at the provider."""
        holder = self.holders.get(our_key)
        removed = self.buried.get(key, frozenset()) | self.carriers.get(our_key, frozenset())
        return removed, holder if holder and holder != key else None


def reserved(route: Route, cases: Sequence[Case], memory: Memory) -> Reserved:
    """Read tombstones and holders of keys, for pairs without a link and pairs whose record a person may have given
    up."""
    wanted = [
        case
        for case in cases
        if case.facts.link is None or case.facts.link.external_id is None or is_open(memory, case.pair.key)
    ]
    if not wanted:
        return Reserved({}, {}, {})
    stored = route.aliases.stored([case.pair.key for case in wanted])
    with route.state.read() as tx:
        how = tombstones.buried_keys(tx, route.state.tombstone_keys, route.provider, list(stored.values()))
        unfit = [case.key for case in wanted if not route.adapter.key_fits(case.key)]
        carriers = tombstones.buried_carriers(tx, route.state.tombstone_keys, route.provider, unfit)
        holders = mapping.by_provider_key(tx, route.provider, [case.key for case in wanted])
    buried = {key: how[before] for key, before in stored.items() if before in how}
    return Reserved(buried, carriers, {our_key: route.aliases.now(link.pair.key) for our_key, link in holders.items()})


def surroundings(route: Route, cases: Sequence[Case]) -> list[Case]:
    """The cases, with the owners of found records and, where a record shows a change, the latest moves of its
    fields."""
    ids = [remote.external_id for case in cases for remote in _others(case.facts)]
    contested = [case.pair.key for case in cases if case.failure is None and _may_conflict(case.facts)]
    if not ids and not contested:
        return list(cases)
    stored = route.aliases.stored(contested)
    with route.state.read() as tx:
        linked = mapping.by_external_id(tx, route.provider, ids)
        under_tombstone = tombstones.buried_ids(tx, route.state.tombstone_keys, route.provider, ids)
        moves = events.moves(tx, list(stored.values()), route.clock.now())
        siblings = mapping.of_customers(tx, list(stored.values()))
    taken = {found: route.aliases.now(link.pair.key) for found, link in linked.items()}
    known = []
    for case in cases:
        found, key = {remote.external_id for remote in _others(case.facts)}, case.pair.key
        facts = case.facts._replace(
            claimed=frozenset(each for each in found if taken.get(each, key) != key),
            under_tombstone=frozenset(found & under_tombstone),
            trail=tuple(moves.get(stored.get(key, ""), ())),
        )
        known.append(case._replace(facts=_rivals(route, facts, siblings.get(stored.get(key, ""), ()))))
    return known


def _others(facts: Facts) -> tuple[Remote, ...]:
    """The records that this look has found besides the linked one."""
    return (*facts.found, *facts.beside)


def _may_conflict(facts: Facts) -> bool:
    """Whether more than an edit in the source may move fields: the record shows a value that was not agreed, or the
    source changed a value that had come from this provider."""
    if facts.found:
        return True
    if facts.link is None or facts.remote is None or facts.source is None:
        return False
    base, there = facts.link.base, facts.remote.values
    for name, value in facts.source.items():
        entry = base.get(name)
        if name in there and (entry is None or facts.digest(name, there[name]) != entry.provider):
            return True
        if entry is not None and entry.pulled and facts.digest(name, value) != entry.source:
            return True
    return False


def _rivals(route: Route, facts: Facts, siblings: Sequence[Link]) -> Facts:
    """The facts with the other provider that a field's source value came from (`rivals`), and which of the two wins."""
    rivals: dict[str, str] = {}
    beaten: set[str] = set()
    for link in siblings:
        if link.pair.provider == route.provider:
            continue
        digest = replace(route, provider=link.pair.provider).digester(link.provider_key or "")
        for name, value in (facts.source or {}).items():
            base = link.base.get(name)
            if base is not None and base.pulled and base.source == digest(name, value):
                rivals[name] = link.pair.provider
                beaten |= {name} if base.overruled else set()
    ties = {name: tie(route, other, beaten=name in beaten) for name, other in rivals.items()}
    return facts._replace(ties=ties, rivals=rivals, beaten=frozenset(beaten))


def tie(route: Route, other: str, *, beaten: bool) -> Tie:
    """Which provider wins a conflict about a source value that came from provider `other`: the earlier one in the
    settings. Where this provider's policy is `source` and the other's value won over an edit in the source (`beaten`),
    the other one wins: the order of the lanes must not matter."""
    if Policy.REVIEW in {route.policies.get(route.provider), route.policies.get(other)}:
        return Tie.REVIEW
    if beaten and route.rules.policy is Policy.SOURCE:
        return Tie.THEIRS
    return Tie.OURS if route.ranks.get(route.provider, 0) < route.ranks.get(other, 0) else Tie.THEIRS

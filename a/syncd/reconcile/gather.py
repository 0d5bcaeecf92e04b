"""Facts about one pair: what the state remembers, what the source says, what the provider shows right now.

The order matters: the generation was read when the pair was taken, the source row after it, the remote last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from syncd.core.facts import Departure, Facts
from syncd.core.merge import Tie
from syncd.core.model import (
    CreateMode,
    Customer,
    Policy,
    Remote,
    Values,
    Work,
)
from syncd.core.plan import verdicts
from syncd.core.recognition import another
from syncd.core.writes import unknown_create
from syncd.providers.adapter import Identity
from syncd.reconcile.departure import departed
from syncd.reconcile.orders import Orders, orders
from syncd.reconcile.outset import Case, Memory, is_open, outset
from syncd.reconcile.route import Route
from syncd.source import customers
from syncd.source.lookup import number_taken
from syncd.store import journal, mapping


def gather(route: Route, work: Work, customer: Customer | None, memory: Memory) -> Case:
    """All facts for one pair; asks the provider only where the decision needs it. Raises `ProviderError`s."""
    return asked(route, outset(route, work, customer, memory), memory)


def asked(route: Route, case: Case, memory: Memory) -> Case:
    """The case with what source and provider show beside the row."""
    facts, key, work = case.facts, case.pair.key, case.work
    if case.customer is None:
        return replace(case, facts=_gone(route, work, facts, proven=is_open(memory, key, "delete_conflict")))
    if facts.unread:
        return case
    if facts.reborn and another(facts):
        facts = replace(facts, key_alive=number_taken(route.source, case.key, other_than=key))
    ordered = orders(memory.reviews.get(key, ()))
    if facts.link is not None and facts.link.external_id is not None:
        facts = _linked(route, work, facts, asked=is_open(memory, key))
        if facts.link is None or not _given_up(facts, ordered):
            return replace(case, facts=facts)
        facts = replace(facts, link=replace(facts.link, external_id=None, external_ids={}, base={}), remote=None)
    if ordered.word == "link":
        return replace(case, facts=_named(route, facts, ordered.external_id))
    return replace(case, facts=_unlinked(route, facts, key, case.key))


def _given_up(facts: Facts, ordered: Orders) -> bool:
    """A person gave up a record that is gone or archived: he links another one, or lets one be created."""
    return (ordered.create or ordered.word == "link") and (facts.remote is None or facts.remote.archived)


def _named(route: Route, facts: Facts, external_id: str) -> Facts:
    """The record that a person named, if it is there; `claimed` where another customer has it."""
    remote = fetch_proven(route, external_id)
    if remote is None:
        return replace(facts, found=())
    with route.state.read() as tx:
        taken = mapping.by_external_id(tx, route.provider, [remote.external_id])
    holder = taken.get(remote.external_id)
    others = holder is not None and (facts.link is None or holder.pair != facts.link.pair)
    return replace(facts, found=(remote,), claimed=frozenset({remote.external_id} if others else ()))


def _linked(route: Route, work: Work, facts: Facts, *, asked: bool) -> Facts:
    """A linked pair's remote. While a person is `asked` about it, no look ends without having seen it."""
    link = facts.link
    assert link is not None and link.external_id is not None  # noqa: S101, PT018 - told by the caller
    if not asked and _untouched(work, facts):
        # Only the source was reported to have changed, and it did not, as this provider sees it: nothing to fetch for.
        return replace(facts, remote=Remote(link.external_id, link.provider_key, {}))
    remote = fetch_proven(route, link.external_id)
    facts = replace(facts, remote=remote)
    if remote is None or facts.source is None:
        return facts
    return _disputed(route, facts, work.pair.key)


def _untouched(work: Work, facts: Facts) -> bool:
    """Whether every projected field is as it was last agreed, and nobody asked to look at the other side."""
    if work.reason not in {"changed", "backfill", "inserted"} or facts.intents or facts.source is None or facts.rulings:
        return False
    base = facts.link.base if facts.link is not None else {}
    return all(name in base and base[name].source == facts.digest(name, value) for name, value in facts.source.items())


def fetch_proven(route: Route, external_id: str) -> Remote | None:
    """The record, or None on proof: gone at two looks with a healthy authorised call between them."""
    remote = route.listed.get(external_id) or route.adapter.fetch(external_id)
    if remote is None:
        route.adapter.probe()
        remote = route.adapter.fetch(external_id)
    return numbered(route, remote) if remote is not None else None


def numbered(route: Route, remote: Remote) -> Remote:
    """Where our number is the key for good, the record shows it as the field that a renumbering would change."""
    if route.rules.renumbers or remote.key is None:
        return remote
    return replace(remote, values={"number": remote.key, **remote.values})


def _unlinked(route: Route, facts: Facts, key: str, our_key: str) -> Facts:
    own = unknown_create(facts) is not None
    if facts.rejection is not None and not own:
        return facts
    with route.state.read() as tx:
        buried = journal.buried(tx, route.state.key, route.provider, key=key)
        holder = mapping.by_provider_key(tx, route.provider, our_key)
    facts = replace(
        facts,
        buried=buried,
        holder=holder.pair.key if holder is not None and holder.pair.key != key else None,
        rules=replace(route.rules, repeatable=route.adapter.key_fits(our_key)),
    )
    if not own and not facts.create_anyway:
        if facts.held is not None:
            return facts
        if facts.holder is not None or (route.rules.create is CreateMode.NEVER and not buried):
            return facts
        if not route.rules.adopted and not buried:
            return facts
    return _looked_up(route, facts, our_key, own=own)


def _looked_up(route: Route, facts: Facts, our_key: str, *, own: bool) -> Facts:
    if not route.adapter.key_fits(our_key):
        if route.adapter.capabilities.identity is Identity.SCAN:
            return facts
        return replace(facts, rejection=("number", "this provider cannot carry the customer's key"))
    found = tuple(numbered(route, remote) for remote in look_up(route, our_key, facts.source or {}, fresh=own))
    ids = [remote.external_id for remote in found]
    with route.state.read() as tx:
        taken = mapping.by_external_id(tx, route.provider, ids)
        unearthed = frozenset(journal.buried_ids(tx, route.state.key, route.provider, ids))
    claimed = frozenset(
        external_id for external_id, link in taken.items() if facts.link is None or link.pair != facts.link.pair
    )
    return replace(facts, found=found, claimed=claimed, unearthed=unearthed)


def look_up(route: Route, our_key: str, values: Values, *, fresh: bool) -> Sequence[Remote]:
    """Records with our key. A provider that only lists is listed once per cycle for first looks, else afresh."""
    if route.adapter.capabilities.identity is not Identity.SCAN or fresh:
        return route.adapter.find(our_key, values)
    if route.listing.keys is None:
        keys: dict[str, tuple[Remote, ...]] = {}
        for page in route.adapter.scan(None):
            for remote in page.remotes:
                if remote.key is not None:
                    keys[remote.key] = (*keys.get(remote.key, ()), remote)
        route.listing.keys = keys
    return route.listing.keys.get(our_key, ())


def _gone(route: Route, work: Work, facts: Facts, *, proven: bool) -> Facts:
    """What is known about a row that is not there; `proven`: an earlier look knew, and asked what to do."""
    departure = departed(route, work, proven=proven)
    facts = replace(facts, departure=departure)
    if departure is not Departure.GONE:
        return facts
    own = unknown_create(facts)
    if own is not None and facts.link is not None and facts.link.provider_key is not None:
        return _looked_up(route, facts, facts.link.provider_key, own=True)
    if facts.link is None or facts.link.external_id is None or route.rules.on_delete.value == "keep":
        return facts
    remote = fetch_proven(route, facts.link.external_id)
    return replace(facts, remote=remote, key_alive=_carried(route, facts.link.provider_key or "", work.pair.key))


def _carried(route: Route, our_key: str, gone: str) -> bool:
    """Whether another live customer is known by this key: by his number, or by the source's key where he has none."""
    if number_taken(route.source, our_key, other_than=gone):
        return True
    row = customers.read(route.source, [our_key]).get(our_key)
    return row is not None and row.key != gone and not row.values.get("number")


def _disputed(route: Route, facts: Facts, key: str) -> Facts:
    """With what is to be known of fields in conflict: the other provider that the source's value came from, if there is
    one, and which of the two is first."""
    disputed = [name for name, decision in verdicts(facts).items() if decision.reason == "conflict"]
    if not disputed:
        return facts
    with route.state.read() as tx:
        siblings = [link for link in mapping.of_customer(tx, key) if link.pair.provider != route.provider]
    rivals: dict[str, str] = {}
    beaten: set[str] = set()
    for name in disputed:
        for link in siblings:
            base = link.base.get(name)
            digest = replace(route, provider=link.pair.provider).digester(link.provider_key or "")
            if base is not None and base.pulled and base.source == digest(name, (facts.source or {})[name]):
                rivals[name] = link.pair.provider
                beaten |= {name} if base.overruled else set()
    ties = {name: tie(route, other, beaten=name in beaten) for name, other in rivals.items()}
    return replace(facts, ties=ties, rivals=rivals, beaten=frozenset(beaten))


def tie(route: Route, other: str, *, beaten: bool) -> Tie:
    """The order of the providers decides. But whose policy lets the source win loses to him who won over the source:
    else it would matter which lane ran first."""
    if Policy.REVIEW in {route.policies.get(route.provider), route.policies.get(other)}:
        return Tie.REVIEW
    if beaten and route.rules.policy is Policy.SOURCE:
        return Tie.THEIRS
    return Tie.OURS if route.ranks.get(route.provider, 0) < route.ranks.get(other, 0) else Tie.THEIRS

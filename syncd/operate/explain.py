"""`syncd explain`: one customer's pairs as a run would see and decide them now. Nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from syncd.core.actions import Action
from syncd.core.decide import decide
from syncd.core.effects import Failure
from syncd.core.facts import Facts
from syncd.core.merge import Decision
from syncd.core.model import Customer, Link, Pair, Work
from syncd.core.verdicts import judged
from syncd.engine.rules import rules_now
from syncd.engine.worker import operator_pause
from syncd.operate.status import condition_of
from syncd.reconcile import Route
from syncd.reconcile.case import remember
from syncd.reconcile.gather import look as gather
from syncd.runtime.installation import Installation
from syncd.source import customers
from syncd.source.lookup import matching
from syncd.store import events, mapping, progress, review, work

_KEPT = ("deleted", "adopted", "inserted")  # reasons that change the decision; under any other, both sides are read


@dataclass(frozen=True, slots=True)
class Look:
    """One pair now. `facts` and `action` are None where the provider was not asked; `silence` says why. `unread`: the
    change log holds an unread mark of the customer."""

    provider: str
    condition: str
    link: Link | None
    work: Work | None
    reviews: tuple[review.Review, ...]
    facts: Facts | None = None
    action: Action | None = None
    decisions: Mapping[str, Decision] = field(default_factory=dict)
    silence: str = ""
    unread: bool = False


def find_customer(site: Installation, text: str) -> str | None:
    """The key that `text` means: a row's key, a customer number, or a key that only the state remembers."""
    rows = customers.read(site.source, [text])
    if text in rows:
        return rows[text].key
    numbered = matching(site.source, {"number": text})
    if numbered:
        return numbered[0]
    with site.state.read() as tx:
        known = mapping.of_customer(tx, text) or work.of_customer(tx, text) or events.events(tx, text, 1)
    return text if known else None


def look(site: Installation, route: Route, key: str, customer: Customer | None) -> Look:
    """The pair's facts, and the decision that a run would make now. A provider that is paused or down is not asked."""
    pair = Pair(route.provider, key)
    memory = remember(route, [key])
    with site.state.read() as tx:
        kept = progress.provider_state(tx, route.provider)
        item = work.read(tx, pair)
        rules = rules_now(tx, site, route)
    condition, reason, _ = condition_of(kept, site.clock.now())
    asked = [each for each in memory.reviews.get(key, ()) if each.closed_at is None]
    seen = Look(route.provider, condition, memory.links.get(key), item, tuple(asked))
    if operator_pause(site, kept) or condition in {"down", "blocked", "paused"}:
        return replace(seen, silence=f"{condition}: {reason}" if reason else condition)
    route = replace(route, rules=rules, reads_only=True)
    wanted = item or Work(pair, 0, "person", site.clock.now(), site.clock.now())
    wanted = wanted if wanted.reason in _KEPT else wanted._replace(reason="person")
    case = gather(route, [(wanted, customer)], memory)[0]
    decided = decide(case, route.terms())
    if isinstance(case.failure, Failure):
        return replace(seen, silence=f"{case.failure.kind}: {case.failure.message}")
    return replace(seen, facts=case.facts, action=decided.action, decisions=judged(case.facts)[0])

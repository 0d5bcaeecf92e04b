"""Looking at one customer without touching anything: what a cycle would see, decide and do. For `explain`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from syncd.core.actions import Action
from syncd.core.facts import Facts
from syncd.core.merge import Decision
from syncd.core.model import Customer, Link, Pair, Work
from syncd.core.plan import decisions, plan
from syncd.engine.worker import operator_pause, ready_to_create
from syncd.errors import ProviderError, SyncdError
from syncd.lanes import LanePaused
from syncd.operate.status import condition_of
from syncd.reconcile import Route
from syncd.reconcile.gather import gather
from syncd.reconcile.outset import remember
from syncd.runtime.installation import Installation
from syncd.source import customers
from syncd.source.lookup import matching
from syncd.store import events, mapping, progress, review, work

_KEPT = ("deleted", "adopted", "inserted")  # reasons that change what is decided; under any other both sides are read


@dataclass(frozen=True, slots=True)
class Look:
    """One pair as it stands. `facts` and `action` are None where the provider was not asked; `silence` says why."""

    provider: str
    condition: str
    link: Link | None
    work: Work | None
    reviews: tuple[review.Review, ...]
    facts: Facts | None = None
    action: Action | None = None
    decisions: Mapping[str, Decision] = field(default_factory=dict)
    silence: str = ""


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
    """The pair's facts, and what `plan` says of them right now. A provider that is paused or down is not asked."""
    pair = Pair(route.provider, key)
    memory = remember(route, [key])
    with site.state.read() as tx:
        kept = progress.provider_state(tx, route.provider)
        item = work.read(tx, pair)
        ready = ready_to_create(tx, route)
    condition, reason, _ = condition_of(kept, site.clock.now())
    asked = [each for each in memory.reviews.get(key, ()) if each.closed_at is None]
    seen = Look(route.provider, condition, memory.links.get(key), item, tuple(asked))
    if operator_pause(site, kept) or condition in {"down", "blocked", "paused"}:
        return replace(seen, silence=f"{condition}: {reason}" if reason else condition)
    route = replace(route, rules=replace(route.rules, adopted=ready))
    wanted = item or Work(pair, 0, "person", site.clock.now(), site.clock.now())
    try:
        case = gather(route, wanted if wanted.reason in _KEPT else replace(wanted, reason="person"), customer, memory)
        return replace(seen, facts=case.facts, action=plan(case.facts), decisions=decisions(case.facts))
    except (ProviderError, LanePaused) as error:
        return replace(seen, silence=_silence(error))


def _silence(error: SyncdError) -> str:
    return f"{type(error).__name__}: {error.message}"

"""A remote that nobody linked, at a provider whose new customers are wanted: into the source, once, or to a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from syncd.core.facts import Facts
from syncd.core.guards import IDENTIFYING, trips
from syncd.core.model import Customer, Link, Pair, Remote, State, Values, Verb
from syncd.core.writes import renewed
from syncd.cycle.installation import Installation
from syncd.errors import Rejected
from syncd.log import emit
from syncd.reconcile import Route
from syncd.source import customers
from syncd.source.lookup import matching
from syncd.store import events, journal, mapping, progress, review, work
from syncd.store.database import Transaction

INSERT = "insert"
ALLOWED = "inserts:"


def arrive(site: Installation, route: Route, remote: Remote) -> None:
    """Insert a remote that matches nobody; a match, a tombstone or an archived record is never inserted."""
    if remote.archived or _known(site, route, remote):
        return
    matches = matching(site.source, {n: remote.values[n] for n in IDENTIFYING if remote.values.get(n)})
    if matches:
        _candidate(site, route, remote, matches)
        return
    if _key_is_held(site, route, remote) or _too_many(site, route):
        return
    values = {name: value for name, value in remote.values.items() if name in route.known}
    intent = _intend(site, route, remote)
    result = customers.insert(site.source, values, f"syncd:{route.provider}:insert:{intent}")
    if not isinstance(result, customers.Written):
        with site.state.fenced(route.lease) as tx:
            journal.close_intent(tx, intent)
            if isinstance(result, customers.Busy):
                return
            reason = f"{result.field}: {result.reason}"
            review.open_review(tx, route.provider, "", "does_not_fit", {}, reason, site.clock.now())
        return
    _link(site, route, remote, result.customer, intent)


def _key_is_held(site: Installation, route: Route, remote: Remote) -> bool:
    """Our key on a record that nobody linked belongs to a customer who is linked to another one: a person looks."""
    if remote.key is None:
        return False
    with site.state.fenced(route.lease) as tx:
        holder = mapping.by_provider_key(tx, route.provider, remote.key)
        if holder is None:
            return False
        reason = "another record there carries this customer's key"
        if not review.ignored(tx, route.provider, holder.pair.key, "twice"):
            review.open_review(tx, route.provider, holder.pair.key, "twice", {}, reason, site.clock.now())
        return True


def _too_many(site: Installation, route: Route) -> bool:
    """The guard on source rows changed from outside counts new ones too; a release allows as many as were shown."""
    limit = route.guards.overwrite
    rows = customers.count(site.source) if limit is not None else 0
    now, name = site.clock.now(), ALLOWED + route.provider
    with site.state.fenced(route.lease) as tx:
        allowance = int(progress.meta(tx, name) or 0)
        since = route.later(-limit.window) if limit is not None else now
        if allowance == 0 and trips(limit, progress.spent(tx, route.provider, INSERT, since), rows):
            route.listing.kept_out += 1
            reason = "insert limit reached"
            kept_out = route.listing.kept_out
            review.open_review(tx, route.provider, "", f"guard_{INSERT}", {}, reason, now, count=kept_out)
            return True
        if allowance:
            progress.set_meta(tx, name, str(allowance - 1))
        progress.spend(tx, route.provider, INSERT, 1, now)
    return False


def allow_inserts(tx: Transaction, provider: str, number: int, now: datetime) -> None:
    """A person released so many new rows; the next scan brings them."""
    progress.set_meta(tx, ALLOWED + provider, str(number))
    progress.set_cursor(tx, f"scan:{provider}:at", "")
    review.close_reviews(tx, provider, "", [f"guard_{INSERT}"], now, "release")


def _known(site: Installation, route: Route, remote: Remote) -> bool:
    """Linked, buried, or being inserted right now by a look whose outcome is not known yet."""
    now = site.clock.now()
    with site.state.fenced(route.lease) as tx:
        if mapping.by_external_id(tx, route.provider, [remote.external_id]):
            return True
        if journal.buried(tx, site.state.key, route.provider, external_id=remote.external_id):
            return True
        earlier = [i for i in journal.insert_intents(tx, route.provider) if i.note == remote.external_id]
        if any(intent.settle_until > now for intent in earlier):
            return True
        for intent in earlier:  # capture ran since and found no row of ours: it was not executed
            journal.close_intent(tx, intent.id)
    return False


def _candidate(site: Installation, route: Route, remote: Remote, matches: list[str]) -> None:
    with site.state.fenced(route.lease) as tx:
        free = [key for key in matches if not _linked(mapping.read(tx, Pair(route.provider, key)))]
        for key in free:
            if any(review.ignored(tx, route.provider, key, kind) for kind in ("candidate", "unlinked")):
                continue  # a person said so; `syncd link` still links them
            reason = f"remote {remote.external_id} looks like this customer; syncd link {route.provider} decides"
            review.open_review(tx, route.provider, key, "candidate", {}, reason, site.clock.now())


def _linked(link: Link | None) -> bool:
    return link is not None and link.external_id is not None


def _intend(site: Installation, route: Route, remote: Remote) -> int:
    now, until = site.clock.now(), route.later(route.timeout + route.settle)
    with site.state.fenced(route.lease) as tx:
        pair = Pair(route.provider, "")
        return journal.open_intent(tx, pair, Verb.INSERT, {}, route.lease.epoch, now, until, remote.external_id)


def _link(site: Installation, route: Route, remote: Remote, row: Customer, intent: int) -> None:
    now = site.clock.now()
    our_key = remote.key or str(row.values.get("number") or row.key)
    facts = Facts(route.rules, route.digester(our_key), source=_projection(route, row.values))
    base = renewed(facts, remote.values, frozenset(facts.source or {}), provisional=False)
    base = {name: replace(entry, pulled=True) for name, entry in base.items() if name in remote.values}
    pair = Pair(route.provider, row.key)
    link = Link(pair, our_key, remote.external_id, remote.external_ids, base, State.LINKED, now, now, now)
    with site.state.fenced(route.lease) as tx:
        mapping.save(tx, link)
        journal.close_intent(tx, intent)
        events.record(tx, pair, now, "pair.pulled", sorted(base), "inserted")
        work.mark(tx, [pair], "changed", now)
    emit("pair.pulled", provider=route.provider, customer_key=row.key, fields=sorted(base))


def _projection(route: Route, values: Values) -> Values:
    try:
        return route.adapter.project(values)
    except Rejected:
        return values

"""New customers from a provider (`inbound_create`): an unlinked remote becomes one source row, or a question to a
person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from syncd.core.alias import REMOTE
from syncd.core.effects import Note
from syncd.core.erasure import erased
from syncd.core.facts import Facts
from syncd.core.guards import IDENTIFYING
from syncd.core.model import Customer, Direction, Intent, Link, Pair, Remote, Sent, State, Values, Verb
from syncd.core.writes import renewed, versioned
from syncd.detect.intake_guard import Newcomers, may_enter, refund
from syncd.detect.keyless import Keyless, keyless_creates, made, projection
from syncd.log import emit
from syncd.reconcile import Route
from syncd.reconcile.gather import numbered
from syncd.runtime.installation import Installation
from syncd.source import changelog, customers
from syncd.source.lookup import alike
from syncd.store import events, journal, mapping, review, tombstones, work
from syncd.store.database import Transaction

NOT_INSERTED = "not_inserted"
CANDIDATE = "candidate"
IN_THE_WAY = ("found", "key_taken", "taken")
LOOKS = "looks like this customer"
LEFT_OUT = "a row that [source.where] or [source.deleted] leaves out has its number, VAT number or e-mail"
HELD = "its row would get the key of a deleted customer about whom another question is open: answer that one"


class Obstacle(StrEnum):
    """Why an unlinked record does not become a source row."""

    NONE = "none"
    KNOWN = "known"  # archived, linked, buried, on its way in, or made by a create of ours
    MATCH = "match"  # a customer has its number, VAT number or e-mail
    TWICE = "twice"  # a linked customer's key is on it
    LEFT_OUT = "left-out"  # a row that the source's filters leave out has its number, VAT number or e-mail
    LEFT_OUTSIDE = "left-outside"  # the source did not take it, and a person decided to leave it


class Newcomer(NamedTuple):
    """An unlinked record, with the obstacle that keeps it from becoming a row, and the customers whom that concerns."""

    remote: Remote
    obstacle: Obstacle
    keys: tuple[str, ...]


def arriving(site: Installation, route: Route, remotes: Sequence[Remote]) -> Iterator[Newcomer]:
    """The unlinked remotes of a page, one by one: each is judged when the one before has been taken in. Reads only:
    `syncd plan` walks along this too."""
    lost = keyless_creates(site, route) if remotes else ()
    for remote in unclaimed(site, route, remotes):
        yield Newcomer(remote, *in_the_way(site, route, remote, lost))


def arrive(site: Installation, route: Route, remotes: Sequence[Remote], found: Newcomers) -> None:
    """Insert a row for each unlinked remote of a page that matches no customer. A person is asked about an obstacle,
    once, where one is needed."""
    for newcomer in arriving(site, route, remotes):
        _arrive(site, route, newcomer, found)


def _arrive(site: Installation, route: Route, newcomer: Newcomer, found: Newcomers) -> None:
    remote, obstacle, keys = newcomer
    _forget_unexecuted(site, route, remote)
    if obstacle is Obstacle.LEFT_OUT:
        _refused(site, route, remote, LEFT_OUT, found)
        return
    if obstacle is not Obstacle.NONE:
        _ask(site, route, remote, (obstacle, keys), found)
        return
    if not may_enter(site, route, remote, found):
        return
    remote = numbered(route, remote)
    intent = _intend(site, route, remote)
    origin = f"syncd:{route.provider}:insert:{intent}"
    values, like = row_of(route, remote), _identity(remote)
    result = customers.insert(
        site.source, values, origin, like, lambda key: _is_taken(site, Pair(route.provider, key)), route.lane.owned
    )
    if not isinstance(result, customers.Written):
        with site.state.fenced(route.lease) as tx:
            journal.close_intent(tx, intent)
            refund(tx, route, site.clock.now())
        if isinstance(result, customers.Refused):
            _refused(site, route, remote, f"{result.field}: {result.reason}", found)
        elif isinstance(result, customers.Moved) and _is_asked_about(site, Pair(route.provider, result.held)):
            _refused(site, route, remote, HELD, found)
        return
    if changelog.mentions(site.source, [result.customer.key], moved=True):
        return  # a row gave up this key: capture follows that row first, and links the new one then
    _link(site, route, remote, result.customer, intent)


def unclaimed(site: Installation, route: Route, remotes: Sequence[Remote]) -> list[Remote]:
    """The unlinked records that no person ordered to be linked, and that no open question of a match report offers:
    such a record must not become a row before the answer. Example: the report found a customer by name and address, the
    record has another e-mail address, and a scan comes before the answer."""
    if not remotes:
        return []
    with site.state.read() as tx:
        taken = review.ordered_or_offered(tx, route.provider)
    return [remote for remote in remotes if remote.external_id not in taken]


def in_the_way(
    site: Installation, route: Route, remote: Remote, lost: Sequence[Keyless]
) -> tuple[Obstacle, tuple[str, ...]]:
    """The obstacle that keeps a record from becoming a row, and the customers that it concerns; `lost`: the answer of
    `keyless_creates`."""
    if remote.archived or erased(remote.values):
        return Obstacle.KNOWN, ()
    with site.state.read() as tx:
        if mapping.by_external_id(tx, route.provider, [remote.external_id]):
            return Obstacle.KNOWN, ()
        if tombstones.buried(tx, site.state.tombstone_keys, route.provider, remote.external_id, our_key=remote.key):
            return Obstacle.KNOWN, ()
        if any(i.settle_until > site.clock.now() for i in _inserts_of(tx, route, remote)):
            return Obstacle.KNOWN, ()
        if any(made(route, each, remote) for each in lost):
            return Obstacle.KNOWN, ()
        if review.ignored(tx, route.provider, REMOTE + remote.external_id, NOT_INSERTED):
            return Obstacle.LEFT_OUTSIDE, ()
    matches, left_out = alike(site.source, _identity(numbered(route, remote)))
    if left_out:
        return Obstacle.LEFT_OUT, ()
    with site.state.read() as tx:
        if matches:
            return Obstacle.MATCH, tuple(key for key in matches if _is_free(tx, Pair(route.provider, key)))
        holder = mapping.by_provider_key(tx, route.provider, [remote.key]).get(remote.key) if remote.key else None
    if holder is None:
        return Obstacle.NONE, ()
    # A holder without a link is looked at by itself: its create may just have made this record.
    return (Obstacle.TWICE, (holder.pair.key,)) if _linked(holder) else (Obstacle.KNOWN, ())


def row_of(route: Route, remote: Remote) -> Values:
    """The values of the new row: the mapped fields that are not `off`, and always the record's number. The number is
    our key at the provider; a row without the number would get another key there."""
    shown = numbered(route, remote).values
    off = {name for name, direction in route.rules.fields.items() if direction is Direction.OFF and name != "number"}
    return {name: value for name, value in shown.items() if name in route.known - off}


def _identity(remote: Remote) -> Values:
    """The record's number, VAT number and e-mail, without empty ones."""
    return {name: remote.values[name] for name in IDENTIFYING if remote.values.get(name)}


def _is_taken(site: Installation, pair: Pair) -> bool:
    """Whether the key of the new row still belongs to a deleted customer: the database may give a key again before
    capture has read the deletion, or while a create of that customer has an unknown outcome. The new record then waits
    for a later scan, and the first owner's record is dealt with before."""
    with site.state.read() as tx:
        return not _is_free(tx, pair)


def _is_asked_about(site: Installation, pair: Pair) -> bool:
    """Whether a question about the customer is open: a new record that needs this key waits for the answer."""
    with site.state.read() as tx:
        return bool(pair.key) and bool(review.reviews(tx, provider=pair.provider, key=pair.key))


def _is_free(tx: Transaction, pair: Pair) -> bool:
    """Whether a record may be linked to this customer: it has no link and no create under way."""
    under_way = journal.intents(tx, pair.provider, [pair.key]).get(pair.key, ())
    return not _linked(mapping.read(tx, pair)) and not any(intent.verb is Verb.CREATE for intent in under_way)


def _inserts_of(tx: Transaction, route: Route, remote: Remote) -> list[Intent]:
    return [intent for intent in journal.insert_intents(tx, route.provider) if intent.note == remote.external_id]


def _forget_unexecuted(site: Installation, route: Route, remote: Remote) -> None:
    """Close an insert of unknown outcome whose settle time is over: capture has run since and found no row of ours."""
    with site.state.read() as tx:
        over = [i for i in _inserts_of(tx, route, remote) if i.settle_until <= site.clock.now()]
    if over:
        with site.state.fenced(route.lease) as tx:
            for intent in over:
                journal.close_intent(tx, intent.id)


# -- questions -----------------------------------------------------------------------------------------------------


def _ask(
    site: Installation, route: Route, remote: Remote, why: tuple[Obstacle, tuple[str, ...]], found: Newcomers
) -> None:
    obstacle, keys = why
    if obstacle is Obstacle.LEFT_OUTSIDE:
        found.refused.add(remote.external_id)
    if not keys:
        return
    (found.twice if obstacle is Obstacle.TWICE else found.matched).update(keys)
    with site.state.fenced(route.lease) as tx:
        for key in keys:
            if obstacle is Obstacle.TWICE:
                ask_twice(tx, route, key, site.clock.now())
            else:
                _ask_candidate(tx, route, remote, key, site.clock.now())


def ask_twice(tx: Transaction, route: Route, key: str, now: datetime) -> None:
    """Tell a person that two records carry one key of ours."""
    if not review.ignored(tx, route.provider, key, "twice"):
        reason = "several records there carry this customer's key"
        review.open_review(tx, route.provider, key, "twice", {}, reason, now)


def _ask_candidate(tx: Transaction, route: Route, remote: Remote, key: str, now: datetime) -> None:
    """Ask whether the record is this customer's, unless a person said no before, or is asked whose record it is since
    the customer could not be created; `syncd link` still links the two."""
    asked = any(item.kind in IN_THE_WAY for item in review.reviews(tx, provider=route.provider, key=key))
    if not asked and not any(review.ignored(tx, route.provider, key, kind) for kind in (CANDIDATE, "unlinked")):
        reason = f"remote {remote.external_id} {LOOKS}; syncd link {route.provider} decides"
        review.open_review(tx, route.provider, key, CANDIDATE, {}, reason, now)


def _refused(site: Installation, route: Route, remote: Remote, reason: str, found: Newcomers) -> None:
    """The source does not take this record: open one question for it, which stays open while scans find the same."""
    found.refused.add(remote.external_id)
    with site.state.fenced(route.lease) as tx:
        key = REMOTE + remote.external_id
        review.open_review(tx, route.provider, key, NOT_INSERTED, {}, reason, site.clock.now())


def close_answered(tx: Transaction, route: Route, found: Newcomers, now: datetime) -> None:
    """After a complete listing: close questions about records that have been linked or are gone, or that match no
    customer any more. A customer whose create was held back by such a question is looked at again."""
    for item in review.reviews(tx, provider=route.provider):
        key = item.customer_key
        refused = item.kind == NOT_INSERTED and key.removeprefix(REMOTE) not in found.refused
        unlike = item.kind == CANDIDATE and not item.decision and LOOKS in item.reason and key not in found.matched
        if refused or unlike:
            review.close_reviews(tx, route.provider, key, [item.kind], now, "settled")
        if unlike:
            work.mark(tx, [Pair(route.provider, key)], "scan", now)


# -- the deed ------------------------------------------------------------------------------------------------------


def _linked(link: Link | None) -> bool:
    return link is not None and link.external_id is not None


def _intend(site: Installation, route: Route, remote: Remote) -> int:
    """Open the intent of a new row, with its values' digests: where a crash keeps the link from being stored, they are
    the base, so that an edit at the provider meanwhile counts as an edit."""
    number = row_of(route, remote).get("number")
    our_key = remote.key or (number if isinstance(number, str) else None)
    digest = route.digester(our_key or "")
    sent = {name: Sent(None, digest(name, value)) for name, value in row_of(route, remote).items()} if our_key else {}
    now, until = site.clock.now(), route.later(route.timeout + route.settle)
    with site.state.fenced(route.lease) as tx:
        pair = Pair(route.provider, "")
        return journal.open_intent(tx, pair, Verb.INSERT, sent, route.lease.epoch, now, until, remote.external_id)


def _link(site: Installation, route: Route, remote: Remote, row: Customer, intent: int) -> None:
    now = site.clock.now()
    our_key = remote.key or str(row.values.get("number") or row.key)
    facts = Facts(route.rules, route.digester(our_key), source=projection(route, row.values))
    base = renewed(facts, remote.values, frozenset(facts.source or {}), provisional=False)
    base = {name: entry._replace(pulled=True) for name, entry in base.items() if name in remote.values}
    pair = Pair(route.provider, row.key)
    link = Link(pair, our_key, remote.external_id, remote.external_ids, base, State.LINKED, now, now, now)
    link = versioned(link, remote, facts.digest)
    with site.state.fenced(route.lease) as tx:
        mapping.save(tx, link)
        journal.close_intent(tx, intent)
        review.close_reviews(tx, route.provider, REMOTE + remote.external_id, [NOT_INSERTED], now, "settled")
        events.record(tx, [Note(pair, "pair.pulled", tuple(base), "inserted")], now)
        work.mark(tx, [pair], "changed", now)
    emit("pair.pulled", provider=route.provider, customer_key=row.key, fields=sorted(base))

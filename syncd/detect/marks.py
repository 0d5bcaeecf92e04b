"""What rows of the change log mean for the state, as values: which keys changed hands, which rows are our own, who is
due and why. `capture` stores them; `syncd plan` lays them over what it reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from syncd.core.model import FieldBase, Intent, Link, Pair, State
from syncd.detect.found import Found, keep
from syncd.detect.ownership import Inserted, Owners, Rekeyed, reasons, replaced
from syncd.detect.resync import look_at_everything
from syncd.log import emit
from syncd.runtime.installation import Installation
from syncd.source.changelog import Entry
from syncd.store import journal, mapping, tombstones, work
from syncd.store.database import Transaction
from syncd.store.providers import vanished

OUR_INSERT = re.compile(r"^syncd:(?P<provider>[^:]+):insert:(?P<intent>\d+)$")


@dataclass(frozen=True, slots=True)
class Marks:
    """`steps`: what changes in the state, in the order of the log. `found`: the pairs that are due then. `customers`:
    those that the rows name, by key. `restart`: every row and link is to be looked at, because the table was truncated,
    or the rows do not tell all. `before` and `adopted` are those of `Owners`."""

    steps: Sequence[Rekeyed | Inserted] = ()
    found: Sequence[Found] = ()
    customers: frozenset[str] = frozenset()
    restart: bool = False
    before: Mapping[str, str] = field(default_factory=dict)
    adopted: Mapping[Pair, Intent] = field(default_factory=dict)


def never(_entry: Entry) -> bool:
    """No changed key was followed before."""
    return False


def read(
    tx: Transaction,
    site: Installation,
    entries: Sequence[Entry],
    number: Callable[[], int],
    followed: Callable[[Entry], bool] = never,
    *,
    restart: bool = False,
) -> Marks:
    """What these rows mean; `number` and `followed` as in `detect.ownership`. `restart`: the rows are not all that
    changed. Reads only."""
    owners = Owners(tx, number)

    def marked(entry: Entry) -> None:
        if entry.table and entry.op in {"I", "D"}:
            owners.ours.difference_update(site.pairs(entry.key))
        _own_insert(owners, entry)

    changed = reasons(entries, owners, marked, followed=followed)
    away = vanished(tx, {route.provider for route in site.routes})
    found = [Found(list(owners.adopted), "adopted")]
    for reason in ("changed", "inserted", "deleted"):
        keys = [key for key, why in changed.items() if why == reason]
        pairs = [pair for key in keys for pair in site.pairs(key)] + _of_the_vanished(owners, away, keys)
        found.append(Found([pair for pair in pairs if pair not in owners.ours], reason))
    found.append(Found(sorted(owners.ours), "changed"))
    found.append(Found(_ordered(owners, replaced(entries)), "deleted"))
    anew = restart or any(entry.op == "T" for entry in entries)
    return Marks(tuple(owners.steps), tuple(found), frozenset(changed), anew, owners.before, owners.adopted)


def _own_insert(owners: Owners, entry: Entry) -> None:
    """Note a row that our inbound create inserted: it is linked to its record, so that no look creates a second one.
    For the provider of the record it is no new customer."""
    ours = OUR_INSERT.match(entry.origin or "")
    if ours is None or entry.op != "I":
        return
    pair = Pair(ours["provider"], entry.key)
    owners.ours.add(pair)
    intent = _open_insert(owners, pair.provider, int(ours["intent"]))
    if intent is None:
        return
    linked = mapping.by_external_id(owners.tx, pair.provider, [intent.note])
    claimed = {(other.provider, each.note) for other, each in owners.adopted.items()}
    links = not linked and (pair.provider, intent.note) not in claimed
    if links:
        owners.adopted[pair] = intent
    owners.steps.append(Inserted(pair, intent, links))


def _open_insert(owners: Owners, provider: str, number: int) -> Intent | None:
    closed = {step.intent.id for step in owners.steps if isinstance(step, Inserted)}
    found = (each for each in journal.insert_intents(owners.tx, provider) if each.id == number)
    return next((each for each in found if each.id not in closed), None)


def _of_the_vanished(owners: Owners, away: Collection[str], keys: Sequence[str]) -> list[Pair]:
    """The pairs of these keys at providers that left the settings: when such a provider is back, only the marks tell
    whose a key is."""
    stored = {owners.stored(key): key for key in keys if owners.stored(key)} if away else {}
    links = mapping.of_customers(owners.tx, list(stored)) if stored else {}
    return [
        Pair(link.pair.provider, stored[link.pair.key])
        for found in links.values()
        for link in found
        if link.pair.provider in away
    ]


def _ordered(owners: Owners, keys: Collection[str]) -> list[Pair]:
    """The pairs under these keys that a person ordered to be linked, or that we are to link ourselves."""
    due = [
        Pair(item.pair.provider, key)
        for key in keys
        if owners.stored(key)
        for item in work.of_customer(owners.tx, owners.stored(key))
        if item.reason == "adopted"
    ]
    return [*due, *(pair for pair in owners.adopted if pair.key in keys)]


def store(tx: Transaction, site: Installation, marks: Marks) -> None:
    """Make the changes in the state, and the pairs due."""
    now, names = site.clock.now(), [route.provider for route in site.routes]
    for step in marks.steps:
        if isinstance(step, Rekeyed):
            _move(tx, site, step, [*vanished(tx, set(names)), *names])
        else:
            if step.links:
                mapping.save(tx, link_of(step.pair, step.intent, now))
            journal.close_intent(tx, step.intent.id)
    if marks.restart:
        look_at_everything(tx, site)
    for found in marks.found:
        keep(tx, found, now)


def link_of(pair: Pair, intent: Intent, now: datetime) -> Link:
    """The link of a row that our inbound create inserted. Its base is what was inserted: an edit at the provider since
    then counts as an edit."""
    base = {name: FieldBase(each.sent, each.sent, pulled=True) for name, each in intent.fields.items()}
    return Link(pair, None, intent.note, {}, base, State.LINKED, now)


def _move(tx: Transaction, site: Installation, step: Rekeyed, providers: Sequence[str]) -> None:
    mapping.move_key(tx, step.old, step.new)
    if not step.succeeded:
        for provider in providers:
            tombstones.follow(tx, site.state.tombstone_keys, provider, step.old, step.new)
    emit("pair.rekeyed", customer_key=step.new, was=step.old)

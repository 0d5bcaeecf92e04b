"""Which pairs a run would look at now, and why: the marks that capture, scan and sweep would make, without making
them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from syncd.core.model import Intent, Link, Pair, Remote, Stage, Verb, Work, former
from syncd.core.model import State as LinkState
from syncd.detect import resync
from syncd.detect import scan as listings
from syncd.detect.capture import EXPECTED, OWNER, fence_trouble, own_insert
from syncd.detect.first_pass import missing_after
from syncd.detect.intake import Obstacle, in_the_way, keyless_creates, unclaimed
from syncd.detect.ownership import reasons, replaced
from syncd.detect.unseen import require_same_key
from syncd.detect.walks import THROUGH, linked, rows_after
from syncd.engine.rules import changed_settings
from syncd.errors import SafetyStop
from syncd.reconcile import Route
from syncd.reconcile.case import Memory
from syncd.reconcile.gather import numbered
from syncd.reconcile.route import Aliases
from syncd.runtime.installation import Installation
from syncd.source import changelog, snapshot, timestamps
from syncd.source.changelog import Entry
from syncd.source.pointing import customer_marks
from syncd.store import journal, mapping, progress, work
from syncd.store.database import State

T = TypeVar("T")

ALL = 1_000_000_000
PASS = ("backfill", "left")  # the two positions of a first pass: over rows, and over links without a row


@dataclass
class Marks:
    """The unread change log: reasons by customer key, and the changes of the state that capture would make before the
    first look: who has which key now (`aliases`), rows that we inserted with their records (`adopted`), fields whose
    base is dropped (`dropped`), keys whose row was deleted and inserted again (`replaced`)."""

    reasons: dict[str, str] = field(default_factory=dict)
    aliases: Aliases = field(default_factory=Aliases)
    adopted: dict[Pair, str] = field(default_factory=dict)
    dropped: dict[str, frozenset[str]] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)

    def pair(self, provider: str, key: str) -> Pair:
        """The pair of a customer at one provider."""
        return Pair(provider, key)

    def moved(self, provider: str, memory: Memory) -> Memory:
        """The pair's memory as capture would leave it."""
        ours = {pair.key: external_id for pair, external_id in self.adopted.items() if pair.provider == provider}
        links = {key: Link(Pair(provider, key), None, ours[key], {}, {}, LinkState.LINKED) for key in ours}
        memory = memory._replace(links={**links, **memory.links})
        gone = self.dropped.get(provider, frozenset())
        if gone:
            bases = {key: _without(link, gone) for key, link in memory.links.items()}
            intents = {key: [_unsent(each, gone) for each in found] for key, found in memory.intents.items()}
            memory = memory._replace(intents=intents, links=bases)
        return memory


@dataclass
class _Foretold:
    """`ownership.Names` over a state that is only read. `before` maps a key to the key under which the state knows its
    customer, "" for none."""

    state: State
    before: dict[str, str] = field(default_factory=dict)

    def _stored(self, key: str) -> str:
        return self.before.get(key, key)

    def is_taken(self, key: str) -> bool:
        stored = self._stored(key)
        with self.state.read() as tx:
            return bool(stored) and mapping.is_taken(tx, stored)

    def has_left(self, key: str) -> bool:
        stored = self._stored(key)
        with self.state.read() as tx:
            return bool(stored) and any(item.reason == "deleted" for item in work.of_customer(tx, stored))

    def to_former_key(self, key: str) -> str | None:
        if not self.is_taken(key):
            return None
        first = former(key, len(self.before))
        self.move(key, first)
        return first

    def move(self, old: str, new: str) -> None:
        self.before[new], self.before[old] = self._stored(old), ""


def _without(link: Link, names: frozenset[str]) -> Link:
    base = {name: entry for name, entry in link.base.items() if name not in names}
    return link._replace(base=base, version=None)


def _unsent(intent: Intent, names: frozenset[str]) -> Intent:
    if (intent.verb, intent.stage) == (Verb.CREATE, Stage.OPEN):
        return intent
    return intent._replace(fields={name: sent for name, sent in intent.fields.items() if name not in names})


def captured(site: Installation) -> Marks:
    """The unread change log, without acknowledging it. Raises `SafetyStop` where a run would."""
    require_same_key(site)
    entries, restart = _entries(site)
    names, inserts, adopted = _Foretold(site.state), [], dict[Pair, str]()

    def marked(entry: Entry) -> None:
        inserts.append(entry)
        for pair in site.pairs(entry.key) if entry.table and entry.op in {"I", "D"} else ():
            adopted.pop(pair, None)
        adopted.update(_own_insert(site, entry))

    found = reasons(entries, names, marked, followed=lambda _entry: False)
    if restart or any(entry.op == "T" for entry in inserts):
        for key in _all_keys(site):
            found.setdefault(key, "backfill")
    return Marks(found, Aliases(names.before), adopted, replaced=replaced(entries))


def _own_insert(site: Installation, entry: Entry) -> dict[Pair, str]:
    """The pair of a row that our inbound create inserted, with the record that the row came from."""
    with site.state.read() as tx:
        pair, intent = own_insert(tx, entry) or (None, None)
        if pair is None or intent is None or mapping.by_external_id(tx, pair.provider, [intent.note]):
            return {}
    return {pair: intent.note}


def _entries(site: Installation) -> tuple[Sequence[Entry], bool]:
    mode = site.source.config.change_log
    with site.state.read() as tx:
        owner, expected = progress.meta(tx, OWNER), progress.meta(tx, EXPECTED)
        cursor = progress.cursor(tx, f"capture.{mode}")
    if mode == "triggers":
        batch = changelog.read(site.source, ALL)
        trouble = fence_trouble(batch, owner, expected)
        if trouble:
            raise SafetyStop(trouble, remedy="syncd recover")
        return customer_marks(site.source, batch.entries), False
    changes = snapshot.read(site.source, cursor) if mode == "snapshot" else timestamps.read(site.source, cursor)
    return customer_marks(site.source, changes.entries), bool(changes.restart)


def _all_keys(site: Installation, after: str = "") -> Iterator[str]:
    for rows, _ in rows_after(site, after):
        yield from (row.key for row in rows)


def _missing(site: Installation, route: Route, position: str, pages: int | None = None) -> Iterator[str]:
    """Linked customers whose row is missing, or is excluded by a filter of the settings."""
    for pairs, _ in missing_after(site, route, position, pages):
        yield from (pair.key for pair in pairs)


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a run would look at. `works`: due pairs, those of a change before those of a pass. `arrivals`: unlinked
    remotes that would be inserted into the source. `listed`: records that a listing has shown whole, so that they need
    not be fetched to be compared; with `complete`, all of the provider's."""

    works: list[Work]
    arrivals: list[Remote]
    listed: Mapping[str, Remote]
    complete: bool


def due(site: Installation, route: Route, marks: Marks, until: datetime, *, scan: bool) -> Foreseen:
    """The pairs of one provider that a run would look at now."""
    now, provider = site.clock.now(), route.provider
    with site.state.read() as tx:
        works = {item.pair.key: item for item in work.take(tx, provider, until, ALL)}
        settling = set(work.settling(tx, provider, until))
        changed = changed_settings(tx, site, provider)
        kept = progress.provider_state(tx, provider)
        backfilled = kept.backfilled and changed is None
        after, left = (progress.cursor(tx, f"{walk}:{provider}") if changed is None else "" for walk in PASS)
        confirming = journal.confirmable(tx, provider, now, 1000)
    marks.dropped[provider] = changed or frozenset()

    works = {key: item._replace(pair=Pair(provider, key)) for key, item in _present(works, marks.aliases).items()}
    settling = set(_present(dict.fromkeys(settling), marks.aliases))

    def mark(keys: Iterable[str], reason: str) -> None:
        for key in keys:
            old = works.get(key) or Work(Pair(provider, key), 0, reason, now, now)
            works[key] = old._replace(reason=work.stronger(old.reason, reason))

    for key, reason in marks.reasons.items():
        mark([key], "adopted" if Pair(provider, key) in marks.adopted else reason)
    mark([key for key in marks.replaced if key in works and works[key].reason == "adopted"], "deleted")
    if not backfilled:
        mark(_all_keys(site, after), "backfill")
        mark(_present(dict.fromkeys(_missing(site, route, left)), marks.aliases), "verify")
    seen, arrivals, listed, complete = _looked_around(site, route, scan=scan)
    mark(_present(dict.fromkeys(seen), marks.aliases), "scan")
    mark(_present(dict.fromkeys(pair.key for pair in confirming), marks.aliases), "confirm")
    mark(_swept(site, route, marks.aliases), "verify")
    ordered = sorted(works.values(), key=lambda item: (item.reason == "backfill", item.due_at))
    free = [item for item in ordered if item.pair.key not in settling]
    whole = route.adapter.capabilities.lists_whole
    return Foreseen(free, arrivals, listed if whole else {}, complete=whole and complete)


def _present(stored: Mapping[str, T], aliases: Aliases) -> dict[str, T]:
    """`stored`, from the keys in the state to the keys that the same customers have now."""
    return {now: value for key, value in stored.items() if (now := aliases.now(key))}


def _looked_around(
    site: Installation, route: Route, *, scan: bool
) -> tuple[list[str], list[Remote], Mapping[str, Remote], bool]:
    lists = route.adapter.capabilities.lists
    if not listings.is_due(site, route, "scan" if lists else "reread", force=scan):
        return [], [], {}, False
    if not lists:
        return [link.pair.key for link in linked(site, route.provider)], [], {}, False
    remotes, complete = listings.listed(site, route)
    with site.state.read() as tx:
        links = mapping.by_external_id(tx, route.provider, list(remotes))
        keys = [pair.key for pair in listings.to_look_at(tx, route, links, remotes.values())]
    if complete and remotes:
        keys += [link.pair.key for link in linked(site, route.provider) if listings.unseen(link, remotes)]
    arrivals = []
    if route.provider in site.inbound_create and route.rules.adopted:
        fresh = unclaimed(site, route, [remote for id_, remote in remotes.items() if id_ not in links])
        lost = keyless_creates(site, route)
        enters = (remote for remote in fresh if in_the_way(site, route, remote, lost)[0] is Obstacle.NONE)
        arrivals = [numbered(route, remote) for remote in enters]
    return keys, arrivals, remotes, complete


def _swept(site: Installation, route: Route, aliases: Aliases) -> Iterator[str]:
    """The rows and the links without a row that the rotating sweep would mark in this cycle."""
    _, position = resync.position(site)
    if position is None:
        return
    pages = resync.share(site)
    if position != THROUGH:
        for rows, _, left in resync.rows_to_check(site, position, pages):
            yield from (pair.key for pair in resync.worth_a_look(site, route, rows)[0])
            pages = left
    with site.state.read() as tx:
        after = progress.cursor(tx, f"verify:{route.provider}")
    yield from _present(dict.fromkeys(_missing(site, route, after, pages)), aliases)

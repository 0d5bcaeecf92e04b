"""Which pairs a run would look at now: those that are due in the state, and those that `detect` finds.

The walks are the run's own. A run stores their steps and takes the due pairs from the state; here the steps are
collected, and what a run would store before its first look is laid over what the state has (`Unstored`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

from syncd.core.model import FieldBase, Intent, Link, Pair, Remote, Stage, Verb, Work
from syncd.detect.capture import unread
from syncd.detect.first_pass import Pass, underway
from syncd.detect.found import Found
from syncd.detect.intake import Obstacle, arriving
from syncd.detect.listing import Ended, Heard, looking
from syncd.detect.marks import Marks, link_of
from syncd.detect.resync import position, share, sweeping
from syncd.detect.unseen import missed, require_same_key, succeeding
from syncd.engine.rules import changed_settings
from syncd.reconcile import Route
from syncd.reconcile.case import Memory
from syncd.reconcile.gather import numbered
from syncd.reconcile.route import Aliases
from syncd.runtime.installation import Installation
from syncd.runtime.leadership import lane_name
from syncd.source import triggers
from syncd.store import journal, work
from syncd.store.database import Transaction

T = TypeVar("T")
ALL = 1_000_000_000
NEVER = datetime.max.replace(tzinfo=UTC)
NO_EPOCH = 0  # a lease has a higher one


@dataclass(frozen=True, slots=True)
class Unstored:
    """What a run would change in the state before its first look at a provider: rows that we inserted are linked to
    their records (`adopted`, by key), and fields whose base is dropped because they are mapped to another column."""

    adopted: Mapping[str, Link] = field(default_factory=dict)
    dropped: frozenset[str] = frozenset()

    def over(self, memory: Memory) -> Memory:
        """The memory as the run would find it."""
        links = {**memory.links, **self.adopted}
        if not self.dropped:
            return memory._replace(links=links)
        links = {key: link._replace(base=self._left(link.base), version=None) for key, link in links.items()}
        intents = {key: [self._unsent(each) for each in found] for key, found in memory.intents.items()}
        return memory._replace(links=links, intents=intents)

    def _left(self, base: Mapping[str, FieldBase]) -> dict[str, FieldBase]:
        return {name: entry for name, entry in base.items() if name not in self.dropped}

    def _unsent(self, intent: Intent) -> Intent:
        if (intent.verb, intent.stage) == (Verb.CREATE, Stage.OPEN):
            return intent
        return intent._replace(fields={name: sent for name, sent in intent.fields.items() if name not in self.dropped})


@dataclass
class Due:
    """The due pairs of one provider, by customer key; `later`: pairs that are due after that. `settling`: pairs with a
    write that still settles, which no look takes. `arrivals`: unlinked remotes that would become source rows. `listed`:
    records that a listing has shown, to be compared; with `complete`, all of the provider's."""

    provider: str
    now: datetime
    works: dict[str, Work]
    later: Mapping[str, Work]
    settling: Collection[str] = ()
    arrivals: list[Remote] = field(default_factory=list)
    listed: dict[str, Remote] = field(default_factory=dict)
    complete: bool = False

    def mark(self, found: Found, aliases: Aliases) -> None:
        """Make the found pairs due. Pairs that were found by their links have the keys of the state (`aliases`)."""
        for pair in found.pairs:
            key = pair.key if found.by_row else aliases.now(pair.key)
            if pair.provider == self.provider and key and not (found.by_row and key in self.works):
                new = Work(Pair(self.provider, key), 0, found.reason, self.now, self.now)
                old = self.works.get(key) or self.later.get(key, new)
                self.works[key] = old._replace(reason=work.stronger(old.reason, found.reason))

    def in_order(self) -> list[Work]:
        """Pairs of changes before those of a pass."""
        free = [item for key, item in self.works.items() if key not in self.settling]
        return sorted(free, key=lambda item: (item.reason == "backfill", item.due_at))

    def changed(self, keys: Iterable[str]) -> list[Work]:
        """These pairs as a capture of their rows would make them due."""
        now = replace(self, works={})
        now.later = {**self.later, **self.works}
        now.mark(Found([Pair(self.provider, key) for key in keys], "changed"), Aliases())
        return now.in_order()


class Outset(NamedTuple):
    """What a run finds before it asks a provider: the unread change log, and steps of other walks. `anew`: every row
    and link is looked at."""

    marks: Marks
    steps: Sequence[Found]
    anew: bool


def outset(site: Installation) -> Outset:
    """What a run finds before it asks a provider. Raises `SafetyStop` and `SetupNeeded` where a run would."""
    require_same_key(site)
    triggers.require_visible(site.source)
    marks, (routes, everywhere) = unread(site), missed(site)
    steps = [found for route in routes for found in succeeding(site, route)]
    _, after = position(site)
    if after is not None and not (everywhere or marks.restart):
        steps += sweeping(site, site.routes, after, share(site))
    return Outset(marks, steps, everywhere or marks.restart)


def unstored(site: Installation, provider: str, marks: Marks) -> Unstored:
    """What a run would change in the state before its first look at this provider."""
    with site.state.read() as tx:
        changed = changed_settings(tx, site, provider)
    ours = [link_of(pair, intent, site.clock.now()) for pair, intent in marks.adopted.items()]
    adopted = {link.pair.key: link for link in ours if link.pair.provider == provider}
    return Unstored(adopted, changed or frozenset())


def due(site: Installation, route: Route, begun: Outset, until: datetime, *, scan: bool) -> Due:
    """The pairs of one provider that a run would look at now. Raises the errors of the provider."""
    provider = route.provider
    with site.state.read() as tx:
        marked = {item.pair.key: item for item in work.take(tx, provider, NEVER, ALL)}
        settling = dict.fromkeys([*work.settling(tx, provider, until), *_settling_anew(tx, site, route, until)])
        anew = begun.anew or changed_settings(tx, site, provider) is not None
        start = Pass() if anew else underway(tx, provider)
    works = {key: item._replace(pair=Pair(provider, key)) for key, item in _present(marked, route.aliases)}
    taken = {key: item for key, item in works.items() if item.due_at <= until}
    later = {key: works[key] for key in works.keys() - taken.keys()}
    found = Due(provider, site.clock.now(), taken, later, {key for key, _ in _present(settling, route.aliases)})
    for step in begun.marks.found:
        found.mark(step, Aliases())
    for step in (*begun.steps, *_looked(site, route, start, found, scan=scan)):
        found.mark(step, route.aliases)
    return found


def _settling_anew(tx: Transaction, site: Installation, route: Route, until: datetime) -> list[str]:
    """Customers whose writes were under way when a process ended: whoever takes the lane next lets them settle anew."""
    if route.later(route.timeout + route.settle) <= until:
        return []
    held = site.held.get(lane_name(route.provider))
    return journal.left_over(tx, route.provider, held.lease.epoch if held is not None else NO_EPOCH)


def _looked(site: Installation, route: Route, start: Pass | None, found: Due, *, scan: bool) -> Iterator[Found]:
    """The steps of a look at the provider; what a listing shows beyond them is noted in `found`."""
    takes_in = route.provider in site.inbound_create and route.rules.adopted
    for step in looking(site, route, start, force=scan):
        match step:
            case Heard():
                found.listed |= {remote.external_id: remote.to_compare() for remote in step.fresh}
                newcomers = arriving(site, route, step.unlinked()) if takes_in else ()
                found.arrivals += [numbered(route, each.remote) for each in newcomers if each.obstacle is Obstacle.NONE]
                yield step.found
            case Ended():
                found.complete = step.complete
            case Found():
                yield step


def _present(stored: Mapping[str, T], aliases: Aliases) -> Iterator[tuple[str, T]]:
    """`stored`, from the keys in the state to the keys that the same customers have now."""
    return ((now, value) for key, value in stored.items() if (now := aliases.now(key)))

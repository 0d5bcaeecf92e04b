"""`syncd match` and `syncd adopt`: a report on which record of a provider is which customer, and its acceptance.

`survey` writes nothing. `accept` stores orders: the next look fetches each record, links it if it still exists and is
linked to no other customer, fills empty sides as the report said, and asks a person about every doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from syncd.core.guards import ACCEPTED
from syncd.core.match import APART, DOUBTS, Here, Kind, Match, There, match, ranges_apart
from syncd.core.model import Direction, Pair, Remote, Values
from syncd.core.normalise import equal
from syncd.core.questions import SURE, in_words
from syncd.core.tokens import NUMBER
from syncd.detect.walks import rows_after
from syncd.errors import Rejected
from syncd.operate.reading import patiently
from syncd.operate.review import list_anew, offer
from syncd.reconcile import Route
from syncd.runtime.installation import Installation
from syncd.store import mapping, progress, review, tombstones, waiting, work
from syncd.store.database import Transaction

ROWS = 200
BACKFILL = "backfill"
PROBABLE, AMBIGUOUS = Kind.PROBABLE.value, Kind.AMBIGUOUS.value
ONLY_HERE, ONLY_THERE, TWICE = "only_here", "only_there", "duplicate_there"
KINDS = (SURE, PROBABLE, AMBIGUOUS, ONLY_HERE, ONLY_THERE, TWICE)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the report, without values. `fills` names fields that would be filled where they are empty on one
    side, `differs` fields that hold something else: the provider's conflict policy decides there."""

    kind: str
    key: str = ""
    external_ids: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    fills: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """All lines. `complete` is False where the provider cannot list: records that only the provider has are then
    unknown."""

    provider: str
    lines: tuple[Line, ...]
    complete: bool

    @property
    def counts(self) -> dict[str, int]:
        """Lines by kind, in the order of `KINDS`."""
        return {kind: sum(1 for line in self.lines if line.kind == kind) for kind in KINDS}

    @property
    def numbers_apart(self) -> bool:
        """Whether the numbers of the two sides come from different ranges, so that no match is sure by its number."""
        return any(APART in line.reasons for line in self.lines)


@dataclass
class Notes:
    """The callbacks of `survey`: `step` with the number of customers done, `line` with each finished line. `known`:
    lines of an interrupted report."""

    step: Callable[[int], None] = field(default=lambda _done: None)
    line: Callable[[Line], None] = field(default=lambda _line: None)
    known: Mapping[str, Line] = field(default_factory=dict)


def survey(site: Installation, route: Route, notes: Notes) -> Report:
    """Compare every unlinked customer with the provider's listing; where the provider cannot list, by one look-up per
    customer at the provider's pace. Customers in `notes.known` are not looked up again."""
    if route.adapter.capabilities.lists:
        return Report(route.provider, _from_listing(site, route, notes), complete=True)
    lines = []
    for here in _here(site, route):
        lines.append(_kept(notes, here) or _looked_up(route, here, notes))
        notes.step(len(lines))
    return Report(route.provider, tuple(_claimed_once(_by_number(lines))), complete=False)


def _here(site: Installation, route: Route) -> Iterator[Here]:
    """Source customers without a link at this provider, as the provider would hold them."""
    for rows, _ in rows_after(site, ""):
        with site.state.read() as tx:
            links = mapping.read_many(tx, route.provider, [row.key for row in rows])
        for row in rows:
            link = links.get(row.key)
            if link is None or link.external_id is None:
                number = row.values.get("number")
                own = (link.provider_key if link else None) or (number if isinstance(number, str) else None) or row.key
                yield Here(row.key, own, {**row.values, **_projected(route, row.values)})


def _projected(route: Route, values: Values) -> Values:
    try:
        return route.adapter.project(values)
    except Rejected:
        return {}  # the provider's rules refuse the row; it can be matched without these values


def _from_listing(site: Installation, route: Route, notes: Notes) -> tuple[Line, ...]:
    remotes = patiently(route, lambda: _listing(site, route, notes))
    theirs = [There(each.external_id, each.key, each.values, each.archived) for each in remotes.values()]
    ours = list(_here(site, route))
    outcome = match(ours, theirs)
    by_key = {here.key: here for here in ours}
    lines = [_line(route, found, by_key[found.key], remotes) for found in outcome.matches]
    lines += [Line(ONLY_HERE, key) for key in outcome.only_here]
    lines += [Line(ONLY_THERE, "", (external_id,)) for external_id in outcome.only_there]
    lines += [Line(TWICE, "", group) for group in outcome.twice]
    return tuple(lines)


def _listing(site: Installation, route: Route, notes: Notes) -> dict[str, Remote]:
    """Remotes without a link and without a tombstone, by external id; a repeated remote counts once."""
    remotes: dict[str, Remote] = {}
    seen = 0
    for page in route.adapter.scan(None):
        ids = [remote.external_id for remote in page.remotes]
        with site.state.read() as tx:
            known = set(mapping.by_external_id(tx, route.provider, ids))
            known |= tombstones.buried_ids(tx, site.state.tombstone_keys, route.provider, ids)
        fresh = [remote for remote in page.remotes if remote.external_id not in known]
        remotes |= {remote.external_id: remote.to_compare() for remote in fresh}
        seen += len(ids)
        notes.step(seen)
    return remotes


def _line(route: Route, found: Match, here: Here, remotes: Mapping[str, Remote]) -> Line:
    fills: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    if found.kind is not Kind.AMBIGUOUS:
        fills, differs = _compared(route, here.values, remotes[found.external_ids[0]].values)
    return Line(found.kind.value, found.key, found.external_ids, found.reasons, fills, differs)


def _compared(route: Route, source: Values, there: Values) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of fields with one empty side, and of fields that differ."""
    directions = route.rules.fields
    names = [name for name in there if name in source and directions.get(name) is not Direction.OFF]
    place = source.get("country")
    country = place if isinstance(place, str) else None
    unequal = [name for name in names if not equal(name, source[name], there[name], country)]
    fills = [name for name in unequal if source[name] is None or there[name] is None]
    return tuple(sorted(fills)), tuple(sorted(set(unequal) - set(fills)))


# -- providers that cannot list --------------------------------------------------------------------------------------


def _kept(notes: Notes, here: Here) -> Line | None:
    return notes.known.get(here.key)


def _looked_up(route: Route, here: Here, notes: Notes) -> Line:
    fits = route.adapter.key_fits(here.number)
    found = patiently(route, lambda: route.adapter.find(here.number, here.values)) if fits else ()
    remotes = {remote.external_id: remote for remote in found}
    outcome = match([here], [There(each.external_id, each.key, each.values, each.archived) for each in found])
    line = _line(route, outcome.matches[0], here, remotes) if outcome.matches else Line(ONLY_HERE, here.key)
    notes.line(line)
    return line


def _by_number(lines: Sequence[Line]) -> list[Line]:
    """Make no line sure by its number where most equal numbers belong to two customers. With a listing, `match` does
    this itself."""
    same = [line for line in lines if NUMBER in line.reasons]
    if not ranges_apart(sum(not DOUBTS.isdisjoint(line.reasons) for line in same), len(same)):
        return list(lines)
    return [_without_number(line) if NUMBER in line.reasons else line for line in lines]


def _without_number(line: Line) -> Line:
    reasons = (*(why for why in line.reasons if why != NUMBER), APART)
    return replace(line, kind=PROBABLE if line.kind == SURE else line.kind, reasons=reasons)


def _claimed_once(lines: Sequence[Line]) -> Iterator[Line]:
    """The lines, with two customers that found the same record (a number that the source has twice) as ambiguous."""
    claims: dict[str, int] = {}
    for line in lines:
        for external_id in line.external_ids:
            claims[external_id] = claims.get(external_id, 0) + 1
    for line in lines:
        several = any(claims[external_id] > 1 for external_id in line.external_ids)
        yield Line(AMBIGUOUS, line.key, line.external_ids, (*line.reasons, "several-here")) if several else line


# -- what a person accepts -------------------------------------------------------------------------------------------


@dataclass
class Accepted:
    """What the acceptance of a report did, as counts."""

    linked: int = 0
    asked: int = 0
    freed: int = 0
    skipped: int = 0


def accept(site: Installation, route: Route, lines: Sequence[Line]) -> Accepted:
    """Order the sure links, ask a person about doubtful ones, and release the creates of customers that waited.

    Lines whose customer or record has been linked since, or whose record has a tombstone, are skipped.
    """
    done = Accepted()
    for start in range(0, len(lines), ROWS):
        with site.state.begin() as tx:
            for line in lines[start : start + ROWS]:
                _accept_line(tx, site, route, line, done)
            _accept_creates(
                tx, site, route, [line.key for line in lines[start : start + ROWS] if line.kind == ONLY_HERE]
            )
    now = site.clock.now()
    with site.state.begin() as tx:
        progress.set_meta(tx, f"adopted:{route.provider}", now.isoformat())
        progress.set_meta(tx, f"rematch:{route.provider}", "")
        list_anew(tx, route.provider)
        done.freed = waiting.release(tx, route.provider, "adopt", ACCEPTED, now)
        review.close_reviews(tx, route.provider, "", ["adopt"], now, "adopted")
    return done


def _accept_creates(tx: Transaction, site: Installation, route: Route, keys: Sequence[str]) -> None:
    """Approve the creates of customers that only the source has, whatever the reason of their due pairs is."""
    links = mapping.read_many(tx, route.provider, keys)
    new = [key for key in keys if key not in links or links[key].external_id is None]
    work.mark(tx, [Pair(route.provider, key) for key in new], BACKFILL, site.clock.now())
    waiting.accept_creates(tx, route.provider, new)


def _accept_line(tx: Transaction, site: Installation, route: Route, line: Line, done: Accepted) -> None:
    if line.kind not in {SURE, PROBABLE, AMBIGUOUS}:
        return
    pair, now = Pair(route.provider, line.key), site.clock.now()
    link = mapping.read(tx, pair)
    taken = set(mapping.by_external_id(tx, route.provider, line.external_ids))
    taken |= tombstones.buried_ids(tx, site.state.tombstone_keys, route.provider, line.external_ids)
    free = [external_id for external_id in line.external_ids if external_id not in taken]
    if (link is not None and link.external_id is not None) or not free:
        done.skipped += 1
    elif line.kind == SURE and len(line.external_ids) == 1:
        offer(tx, pair, free[0], in_words((free[0],), line.reasons, SURE), now)
        waiting.accept(tx, pair, (*line.fills, *line.differs))
        done.linked += 1
    else:
        kind = "candidate" if line.kind == PROBABLE else "ambiguous"
        if not review.ignored(tx, route.provider, line.key, kind):
            review.open_review(tx, route.provider, line.key, kind, {}, in_words(free, line.reasons, line.kind), now)
            done.asked += 1

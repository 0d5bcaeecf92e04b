"""`syncd status`: its facts, from the state database and from the source as far as it answers. One probe is written
into the state, because with a state that can only be read nothing is synchronised.

`mapping` is never scanned: its counts are kept with every change, and only the first troubled pairs are listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from syncd.clock import Clock
from syncd.core.guards import STAGED, Guards
from syncd.core.model import Pair
from syncd.core.model import State as Shown
from syncd.detect.fence import EXPECTED, OWNER, fence_trouble
from syncd.errors import SettingsError, SourceUnreachable, StateUnreachable, SyncdError
from syncd.lanes import Breaker
from syncd.log import emit
from syncd.source import changelog, triggers
from syncd.source.database import Source
from syncd.status.facts import GuardFacts, Item, Life, ProviderFacts, Report, SourceFacts
from syncd.status.liveness import Daemon, state_of
from syncd.status.report import build, is_failure, limit_text
from syncd.status.shape import iso
from syncd.status.snapshot import snapshot_event
from syncd.store import events, mapping, overview, progress
from syncd.store.database import State, Transaction
from syncd.store.progress import ProviderState
from syncd.store.providers import vanished
from syncd.store.pulse import Pulse, pulses
from syncd.store.review import Review
from syncd.store.server_clock import ahead_of

UNKNOWN = "OutcomeUnknown"
LISTED = 50  # troubled pairs of one kind and provider
_EVENTS: Mapping[Shown, str] = {Shown.REJECTED: "pair.rejected", Shown.DEAD: "pair.dead_lettered"}


class Known(NamedTuple):
    """The settings of a provider that a status shows; `monthly` as in its capabilities."""

    name: str
    adapter: str
    monthly: int = 0


def survey(
    state: State, source: Source | SyncdError, providers: Sequence[Known], guards: Guards, clock: Clock
) -> Report:
    """The status of an installation; `clock` is the state's. `source` may be the error that opening it raised."""
    now, facts, storage = clock.now(), source_facts(state, source), storage_trouble(state)
    with state.read() as tx:
        backlog = overview.waiting(tx, now)
        kept, counts, reviews = progress.provider_states(tx), mapping.counts(tx), overview.open_items(tx)
        lines = [
            _provider(known, kept.get(known.name) or ProviderState(known.name), now, counts.get(known.name, {}))
            for known in providers
        ]
        lines = [_with_backlog(line, backlog, reviews.get(line.name, 0)) for line in lines]
        items = [item for line in lines for item in _items(tx, line)]
        used = [fact for known in providers for fact in _guards(tx, known.name, guards, backlog, now)]
        last = next(iter(events.runs(tx, 1)), None)
        daemons, run = tuple(map(_daemon, pulses(tx))), _run(last) if last is not None else None
        gone = vanished(tx, {known.name for known in providers})
        life = Life(daemons, run, storage, ahead_of(clock), gone)
    return build(now, facts, lines, items, guards=used, life=life)


def storage_trouble(state: State) -> str:
    """Why the state database cannot be written; "" where it can."""
    try:
        state.probe()
    except StateUnreachable as error:
        return error.message
    return ""


def _daemon(pulse: Pulse) -> Daemon:
    since, seen = (datetime.fromtimestamp(moment, UTC) for moment in (pulse.since, pulse.seen))
    word = state_of(pulse.age, pulse.poll, pulse.trouble)
    return Daemon(pulse.host, pulse.pid, since, seen, pulse.age, word, pulse.reason)


def tell(report: Report) -> None:
    """Log the whole status as one line, from which the status page is built."""
    emit("status.snapshot", **snapshot_event(report))


# -- the source ------------------------------------------------------------------------------------------------------


def source_facts(state: State, source: Source | SyncdError) -> SourceFacts:
    """Whether changes are captured, and why not. Takes no lease and changes nothing."""
    if isinstance(source, SyncdError):
        word = "unreachable" if isinstance(source, SourceUnreachable) else "settings"
        return SourceFacts(word, _first_line(source))
    try:
        return _captured(state, source)
    except SyncdError as error:
        return SourceFacts("unreachable", error.message)


def _first_line(error: SyncdError) -> str:
    return str(error.problems[0]) if isinstance(error, SettingsError) and error.problems else error.message


def _captured(state: State, source: Source) -> SourceFacts:
    missing = triggers.check(source)
    if missing:
        return SourceFacts("triggers", missing[0].reason)
    if source.config.change_log != "triggers":
        return SourceFacts()
    batch, backlog = changelog.read(source), changelog.backlog(source)
    with state.read() as tx:
        owner, expected = progress.meta(tx, OWNER), progress.meta(tx, EXPECTED)
    trouble = fence_trouble(batch, owner, expected)
    return SourceFacts("restored" if trouble else "ok", trouble, backlog.rows, backlog.oldest)


# -- providers -------------------------------------------------------------------------------------------------------


def _provider(known: Known, kept: ProviderState, now: datetime, pairs: Mapping[Shown, int]) -> ProviderFacts:
    condition, reason, since = condition_of(kept, now)
    return ProviderFacts(
        name=known.name,
        adapter=known.adapter,
        condition=condition,
        reason=reason,
        since=since,
        pairs=pairs,
        last_ok=kept.last_ok,
        calls_month=kept.calls_month if kept.month == now.strftime("%Y-%m") else 0,
        monthly=known.monthly,
    )


def condition_of(kept: ProviderState, now: datetime) -> tuple[str, str, datetime | None]:
    """A provider's state word, its reason, and since when. An operator's pause goes before the breaker's state."""
    if kept.state == "paused" and (kept.until is None or kept.until > now):
        return "paused", kept.reason, kept.since
    breaker = Breaker.of(kept.breaker)
    if breaker.state == "throttled" and breaker.until and datetime.fromisoformat(breaker.until) <= now:
        return "ok", "", None
    since = datetime.fromisoformat(breaker.since) if breaker.since and breaker.state != "ok" else None
    return breaker.state, breaker.reason, since


def _with_backlog(line: ProviderFacts, backlog: Iterable[overview.Waiting], reviews: int) -> ProviderFacts:
    mine = [row for row in backlog if row.provider == line.name]
    return line._replace(
        due=sum(row.now for row in mine if not _failed(row.error_class)),
        oldest=min((row.oldest for row in mine if row.oldest and not _failed(row.error_class)), default=None),
        oldest_live=min((row.live for row in mine if row.live and not _failed(row.error_class)), default=None),
        later={
            row.error_class: number
            for row in mine
            if (number := row.later + (row.now if _failed(row.error_class) else 0))
        },
        reviews=reviews,
    )


def _failed(error_class: str) -> bool:
    """Whether the error class says that the pair's last attempt failed: the pair is shown as `retry` until an attempt
    succeeds."""
    return is_failure(error_class) or error_class == UNKNOWN


def _items(tx: Transaction, line: ProviderFacts) -> Iterator[Item]:
    """The first troubled pairs of each kind, and the oldest review items."""
    for shown, event in _EVENTS.items():
        if line.pairs.get(shown):
            for link in mapping.page(tx, line.name, "", LISTED, states=[shown]):
                yield _told(tx, link.pair, shown.value, event)
    for word in sorted(line.later):
        if _failed(word):
            for item in overview.of_class(tx, line.name, word, "", LISTED):
                kind = "ambiguous" if word == UNKNOWN else "retry"
                yield Item(line.name, item.pair.key, kind, (), item.error or word, item.since)
    for asked in overview.oldest_items(tx, line.name, LISTED) if line.reviews else ():
        names = tuple(sorted(asked.fields)) if asked.customer_key else ()
        yield Item(line.name, asked.customer_key, asked.kind, names, _counted(asked), asked.opened_at, asked.id)


def _counted(asked: Review) -> str:
    """The item's reason, with the number of customers that the item stands for."""
    if asked.kind.startswith("guard_"):
        return f"{asked.count} held back: {asked.reason}"
    return f"{asked.count} {asked.reason}" if asked.kind == "adopt" and asked.count else asked.reason


def _told(tx: Transaction, pair: Pair, kind: str, event: str) -> Item:
    last = overview.last_event(tx, pair, [event])
    if last is None:
        return Item(pair.provider, pair.key, kind)
    return Item(pair.provider, pair.key, kind, last.fields, last.detail, last.at)


# -- guards and runs -------------------------------------------------------------------------------------------------


def _guards(
    tx: Transaction, provider: str, guards: Guards, backlog: Sequence[overview.Waiting], now: datetime
) -> Iterator[GuardFacts]:
    for verb, limit in guards._asdict().items():
        held = [row for row in backlog if row.provider == provider and row.error_class == STAGED + verb]
        staged = sum(row.now + row.later for row in held)
        if limit is None and not staged:
            continue
        used = progress.spent(tx, provider, verb, now - timedelta(seconds=limit.window)) if limit else 0
        if used or staged:
            yield GuardFacts(provider, verb, used, limit_text(limit) if limit else "off", staged)


def _run(run: events.Run) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "mode": run.mode,
        "started_at": iso(run.started_at),
        "finished_at": iso(run.finished_at),
        "outcome": run.outcome,
        "counts": dict(run.counts),
    }

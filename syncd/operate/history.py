"""`syncd history`: the events and questions of one customer: when, caused by whom, which fields, in which run. No
values: the state has none.

The state keeps the last fifty events of each pair, and every question. An event belongs to the run that was under way
at its time. Where several machines had runs under way, no run is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from syncd.core.model import Link
from syncd.store import events, mapping
from syncd.store import review as reviews
from syncd.store.database import State
from syncd.store.events import Event, Run
from syncd.store.review import Review

EVENTS = 1000  # more than the fifty of each pair of a customer
SOURCE, SYNCD, PERSON = "source", "syncd", "person"
_BY_SOURCE = frozenset({"pair.created", "pair.pushed", "pair.removed", "pair.rekeyed"})


@dataclass(frozen=True, slots=True)
class Step:
    """One event or question. `who` caused it: `source`, `person`, `syncd`, or a provider by its name. `run` is "" where
    no run or several runs were under way."""

    at: datetime
    provider: str
    what: str
    who: str
    fields: tuple[str, ...]
    detail: str
    run: str


def history(state: State, key: str) -> list[Step]:
    """All events and questions of a customer at all providers, newest first."""
    with state.read() as tx:
        told = events.events(tx, key, EVENTS)
        asked = reviews.reviews(tx, open_only=False, key=key)
        links = mapping.of_customer(tx, key)
        runs = events.runs(tx, events.KEPT_RUNS)
    steps = [*(_event(event, runs) for event in told), *_questions(asked, runs), *_links(links, told)]
    return sorted(steps, key=lambda step: (step.at, step.what), reverse=True)


def _event(event: Event, runs: Sequence[Run]) -> Step:
    who = SYNCD
    if event.event == "pair.pulled":
        who = event.provider
    elif event.event in _BY_SOURCE:
        who = SOURCE
    return Step(event.at, event.provider, event.event, who, event.fields, event.detail, _run(runs, event.at))


def _questions(asked: Sequence[Review], runs: Sequence[Run]) -> Iterator[Step]:
    for item in asked:
        names = tuple(sorted(item.fields))
        opened = f"number {item.id}: {item.reason}".rstrip(": ")
        yield Step(
            item.opened_at, item.provider, f"asked: {item.kind}", SYNCD, names, opened, _run(runs, item.opened_at)
        )
        if item.decided_at is not None:
            said = f"number {item.id}: {item.decision}"
            yield Step(item.decided_at, item.provider, "decided", PERSON, names, said, "")


def _links(links: Sequence[Link], told: Sequence[Event]) -> Iterator[Step]:
    """When each link was made, for links whose event is not kept any more."""
    born = {event.provider for event in told if event.event in {"pair.created", "pair.adopted"}}
    for link in links:
        if link.created_at is not None and link.external_id is not None and link.pair.provider not in born:
            yield Step(link.created_at, link.pair.provider, "known since", SYNCD, (), "", "")


def _run(runs: Sequence[Run], at: datetime) -> str:
    during = [run.run_id for run in runs if run.started_at <= at and (run.finished_at is None or at <= run.finished_at)]
    return during[0] if len(during) == 1 else ""

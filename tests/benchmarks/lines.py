"""What is measured, by name: each yields lines for the table, as soon as they are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from syncd.sandbox.five import NAMES
from tests.benchmarks.beat import Race, race
from tests.benchmarks.contact import first_contact
from tests.benchmarks.growth import wholes
from tests.benchmarks.load import first_load
from tests.benchmarks.measure import memory, polls
from tests.benchmarks.others import drt, requests_loop
from tests.benchmarks.whole import daemon, nothing_to_do, trigger_cost


class Line(NamedTuple):
    """What was measured, what came out, the goal ("" for none), and whether it is met."""

    what: str
    result: str
    goal: str = ""
    met: bool = True


@dataclass(frozen=True)
class Sizes:
    """`full`: up to a million rows; `customers` of the first load."""

    full: bool = False
    customers: int = 500


def _race(wanted: Race, place: Path, _sizes: Sizes) -> Iterator[Line]:
    beat = race(place / "race", wanted)
    counts = beat.by_wall if wanted.answer else beat.by_cpu
    said = (
        f"{beat.by_cpu:.2f} by CPU, {beat.by_wall:.2f} by the clock ({beat.cpu:.1f} ms CPU, bare {beat.bare_cpu:.1f})"
    )
    yield Line(f"{beat.name}: bare loop / syncd", said, f"at least {beat.goal}", counts >= beat.goal)


def _many(place: Path, _sizes: Sizes) -> Iterator[Line]:
    for count in (1, 5, 20):
        names = tuple(f"p{number}" for number in range(1, count + 1))
        beat = race(place / f"many-{count}", Race("many", providers=names, customers=60, rounds=1, many=count))
        yield Line(f"update, {count} alike providers", f"{beat.cpu:.1f} ms CPU a pair (bare {beat.bare_cpu:.1f})")


def _nothing(place: Path, _sizes: Sizes) -> Iterator[Line]:
    times = nothing_to_do(place / "nothing")
    yield Line("nothing to do, whole process / its imports", f"{times:.2f} by CPU", "at most 2", times <= 2)


def _daemon(source: str, place: Path, _sizes: Sizes) -> Iterator[Line]:
    found = daemon(place / "daemon", source)
    told = f"{found.latency * 1000:.0f} ms (median)"
    yield Line(f"commit to request, {source}", told, "at most 50 ms", found.latency <= 0.05)
    yield Line(f"idle daemon, {source}", f"{found.idle:.2%} of a core", "at most 1 %", found.idle <= 0.01)


def _triggers(source: str, place: Path, _sizes: Sizes) -> Iterator[Line]:
    slower = trigger_cost(place / "triggers", "mysql" if source == "mariadb" else source)
    yield Line(f"the application's UPDATE with triggers / without, {source}", f"{slower:.2f} by the clock")


def _change(place: Path, sizes: Sizes) -> Iterator[Line]:
    small, large = polls(place, (10_000, 1_000_000) if sizes.full else (1_000, 10_000))
    ratio = large.cost.cpu / small.cost.cpu
    counted = f"{ratio:.2f} by CPU; {large.statements} and {small.statements} statements"
    yield Line(f"one change, {large.rows} rows / {small.rows}", counted, "at most 1.2", ratio <= 1.2)
    (_, low), (size, high) = memory(place, (10_000, 100_000) if sizes.full else (400, 4_000))
    yield Line(f"peak of Python objects in a first pass, {size} rows / a tenth", f"{high / low:.2f}")


def _wholes(place: Path, sizes: Sizes) -> Iterator[Line]:
    found = wholes(place, (10_000, 100_000, 1_000_000) if sizes.full else (1_000, 10_000))
    first, last = found[0], found[-1]
    by_size = ", ".join(f"{each.rows}: {each.cpu:.2f} s, {each.rss:.0f} MB" for each in found)
    met = last.cpu <= 1.2 * first.cpu and last.rss <= 1.2 * first.rss
    yield Line("nothing to do, whole process, by rows and links", by_size, "at most 1.2 times", met)


def _contact(place: Path, sizes: Sizes) -> Iterator[Line]:
    count = 5_000 if sizes.full else 300
    for found in first_contact(place, count):
        told = f"{found.cpu:.1f} s CPU; {found.requests} requests, {found.single} of single records"
        what = f"first contact with {count} at {found.provider}: match, adopt, first run"
        yield Line(what, told, "its listing alone", met=found.single == 0)


def _load(place: Path, sizes: Sizes) -> Iterator[Line]:
    found = first_load(place / "load", sizes.customers)
    there = "everybody there once" if found.whole else "not everybody there once"
    told = (
        f"{found.seconds:.0f} s, killed once and gone on; {there}; {found.low:.0f} MB after a fifth,"
        f" {found.high:.0f} MB at the end; a live change in between reached aiotic after {found.overtook:.1f} s"
    )
    yield Line(
        f"first full load, {sizes.customers} customers x 5", told, "whole, memory flat", found.whole and found.flat
    )


def _others(place: Path, _sizes: Sizes) -> Iterator[Line]:
    yield from (Line(each.what, each.result) for each in (*requests_loop(place / "requests"), *drt(place / "drt")))


_RACES = {
    "create-sqlite": Race("create, SQLite", verb="create"),
    "update-sqlite": Race("update, SQLite"),
    "create-postgresql": Race("create, PostgreSQL", verb="create", source="postgresql"),
    "update-postgresql": Race("update, PostgreSQL", source="postgresql"),
    "far": Race("update, answers in 50 ms", goal=0.9, answer=0.05, customers=100, rounds=1),
    "five": Race("update, five providers", providers=NAMES, customers=150, rounds=2),
}
MEASURED: Mapping[str, Callable[[Path, Sizes], Iterator[Line]]] = {
    **{name: partial(_race, wanted) for name, wanted in _RACES.items()},
    "many": _many,
    "nothing": _nothing,
    **{f"daemon-{source}": partial(_daemon, source) for source in ("sqlite", "postgresql")},
    **{f"triggers-{source}": partial(_triggers, source) for source in ("sqlite", "postgresql", "mariadb")},
    "change": _change,
    "whole": _wholes,
    "contact": _contact,
    "load": _load,
    "others": _others,
}

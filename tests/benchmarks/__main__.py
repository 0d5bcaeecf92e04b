"""`python -m tests.benchmarks [--full] [--readme]`: every goal, measured, and what was missed.

`--full` goes up to a million rows; `--readme` prints the table that README shows.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from syncd.log import setup
from syncd.sandbox.five import NAMES
from tests.benchmarks.beat import Race, race
from tests.benchmarks.measure import memory, polls
from tests.benchmarks.whole import daemon, nothing_to_do, trigger_cost

RACES = (
    Race("create, SQLite", verb="create"),
    Race("update, SQLite"),
    Race("create, PostgreSQL", verb="create", source="postgresql"),
    Race("update, PostgreSQL", source="postgresql"),
    Race("update, answers in 50 ms", goal=0.9, answer=0.05, customers=100, rounds=1),
    Race("update, five providers", providers=NAMES, customers=50, rounds=2),
)
Line = tuple[str, str, str, bool]
"""What was measured, what came out, the goal, and whether it is met."""


def lines(place: Path, *, full: bool) -> Iterator[Line]:
    """One line a goal, as soon as it is measured."""
    for number, wanted in enumerate(RACES):
        beat = race(place / f"race-{number}", wanted)
        counts = beat.by_wall if wanted.answer else beat.by_cpu
        said = (
            f"{beat.by_cpu:.2f} by CPU, {beat.by_wall:.2f} by the clock ({beat.cpu:.1f} ms, bare {beat.bare_cpu:.1f})"
        )
        yield f"{beat.name}: bare loop / syncd", said, f"at least {beat.goal}", counts >= beat.goal
    for count in (1, 5, 20):
        names = tuple(f"p{number}" for number in range(1, count + 1))
        beat = race(place / f"many-{count}", Race("many", providers=names, customers=20, rounds=1, many=count))
        yield f"update, {count} alike providers", f"{beat.cpu:.1f} ms CPU a customer and provider", "", True
    times = nothing_to_do(place / "nothing")
    yield "nothing to do, whole process / its imports", f"{times:.2f}", "at most 2", times <= 2
    for source in ("sqlite", "postgresql"):
        found = daemon(place / f"daemon-{source}", source)
        yield f"commit to request, {source}", f"{found.latency * 1000:.0f} ms", "at most 50 ms", found.latency <= 0.05
        yield f"idle daemon, {source}", f"{found.idle:.2%} of a core", "at most 1 %", found.idle <= 0.01
        slower = trigger_cost(place / f"triggers-{source}", source)
        yield f"the application's UPDATE with triggers, {source}", f"{slower:.2f} times", "", True
    yield from _growth(place, (10_000, 1_000_000) if full else (1_000, 10_000))


def _growth(place: Path, sizes: tuple[int, int]) -> Iterator[Line]:
    small, large = polls(place, sizes)
    ratio = large.cost.cpu / small.cost.cpu
    yield f"a change, {large.rows} / {small.rows} rows", f"{ratio:.2f}", "at most 1.2", ratio <= 1.2
    (_, low), (size, high) = memory(place, (400, 4_000) if sizes[1] < 100_000 else (10_000, 100_000))
    yield f"memory of a first pass over {size} rows / a tenth", f"{high / low:.2f}", "", True


def main() -> None:
    setup(level="error", format="json")
    readme = "--readme" in sys.argv
    if readme:
        print("| measured | result | goal | |\n| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as directory:
        for what, result, goal, met in lines(Path(directory), full="--full" in sys.argv):
            verdict = "" if not goal else "met" if met else "missed"
            row = f"| {what} | {result} | {goal} | {verdict} |"
            print(row if readme else f"{what:<52} {result:<60} {goal} {verdict}", flush=True)


if __name__ == "__main__":
    main()

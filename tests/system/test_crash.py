"""Whatever crashes: no change lost, no customer twice, no echo. `python -m tests.system.crash` runs any number."""

from __future__ import annotations

import itertools

import pytest

from tests.system.crash import COMMANDS, calm, cover, disturb, duplicates, leaks, lost, play, series, writes
from tests.system.crashing import MEMORY, POINTS

pytestmark = pytest.mark.long

SERIES = [(1, "sqlite", 40)]  # the gate's second step and the command by hand play more, over PostgreSQL too


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("seed", "state", "kills"), SERIES)
def test_killed_at_every_point(seed: int, state: str, kills: int) -> None:
    """After SIGKILLs of `run-once` and `run` at every point, lost answers and edits on both sides: every customer once,
    nothing lost, no echo, and no customer's value in the log or the state."""
    with series(seed, state) as run:
        cover(run)
        play(run, kills)
        before = writes(run)

        run.cycle()

        assert run.kills >= kills
        assert set(itertools.product(COMMANDS, POINTS)) <= set(run.points)
        assert duplicates(run) == 0
        assert lost(run) == []
        assert leaks(run) == set()
        assert writes(run) == before


def test_out_of_memory_at_any_moment() -> None:
    """A process that gets no more memory fails somewhere, in whatever thread; the next one converges."""
    with series(5) as run:
        ends = []
        for megabytes in (1, 4, 8, 12, 17, 22, 28, 36, 50, 80):
            disturb(run)
            ends.append(run.cycle(point=MEMORY, nth=megabytes, wait=1.0))
        calm(run)
        before = writes(run)

        run.cycle()

        assert len([end for end in ends if end != "ended 0"]) >= 3
        assert duplicates(run) == 0
        assert lost(run) == []
        assert leaks(run) == set()
        assert writes(run) == before


def test_the_harness_bites() -> None:
    """The protocol everybody writes first (no intent, try again) makes duplicates under the same harness."""
    with series(4, protocol="naive") as run:
        play(run, 25)

        assert duplicates(run) > 0

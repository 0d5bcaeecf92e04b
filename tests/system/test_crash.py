"""Whatever crashes: no change lost, no customer twice, no echo. `python -m tests.system.crash` runs any number."""

from __future__ import annotations

import pytest

from tests.system.crash import duplicates, lost, play, series, writes

SERIES = [(1, "sqlite", 70), (2, "sqlite", 70), (3, "postgresql", 70)]


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("seed", "state", "kills"), SERIES)
def test_killed_at_every_point(seed: int, state: str, kills: int) -> None:
    """After SIGKILLs, lost answers and edits on both sides: every customer once, nothing lost, no echo."""
    with series(seed, state) as run:
        play(run, kills)
        before = writes(run)

        run.cycle()

        assert run.kills >= kills
        assert duplicates(run) == 0
        assert lost(run) == []
        assert writes(run) == before


def test_the_harness_bites() -> None:
    """The protocol everybody writes first (no intent, try again) makes duplicates under the same harness."""
    with series(4, protocol="naive") as run:
        play(run, 25)

        assert duplicates(run) > 0

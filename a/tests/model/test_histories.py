"""Random histories: faults, crashes, edits on all sides, in any order, until nothing is left to do.

A failure names its seed; `python -m tests.model --seed N` tells that history, shortened.
"""

from __future__ import annotations

import pytest

from tests.model.history import live, make, shrunk

HISTORIES = 2000
CHUNK = 50


@pytest.mark.parametrize("first", range(0, HISTORIES, CHUNK))
def test_histories(first: int) -> None:
    """Whatever happens, nothing is lost, doubled, stale or echoed; both sides agree, or a person was asked."""
    for seed in range(first, first + CHUNK):
        history = make(seed)
        wrong = live(history)
        if wrong:
            short = shrunk(history, wrong, budget=60)
            steps = "\n".join(f"    {step}" for step in short.steps)
            problems = "\n".join(wrong)
            pytest.fail(f"seed {seed}\n{short.setting}\n{steps}\n{problems}\npython -m tests.model --seed {seed}")


def test_one_seed_is_one_history() -> None:
    """The same seed does the same, to the last point at which anything could happen."""
    told: list[list[str]] = [[], []]
    for lines in told:
        live(make(11), tell=lines.append)
    assert told[0] == told[1]
    assert len(told[0]) > 50

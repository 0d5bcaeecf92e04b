"""Random histories: faults, crashes, edits on all sides, in any order, until nothing is left to do.

A failure names its seed; `python -m tests.model --seed N` tells that history, shortened.
"""

from __future__ import annotations

import pytest

from tests.model.history import live, make, shrunk
from tests.model.named import NAMED

NARROW, WIDE = 10, 200  # more by `python -m tests.model --histories N [--wide] [--jobs J]`; the gate plays thousands
CHUNK = 5


@pytest.mark.parametrize(
    ("wide", "first"),
    [(False, first) for first in range(0, NARROW, CHUNK)] + [(True, first) for first in range(0, WIDE, CHUNK)],
)
def test_histories(first: int, *, wide: bool) -> None:
    """Whatever happens, nothing is lost, doubled, stale or echoed; both sides agree, or a person was asked."""
    for seed in range(first, first + CHUNK):
        history = make(seed, wide=wide)
        wrong = live(history)
        if wrong:
            short = shrunk(history, wrong, budget=60)
            steps = "\n".join(f"    {step}" for step in short.steps)
            problems = "\n".join(wrong)
            command = f"python -m tests.model --seed {seed}{' --wide' if wide else ''}"
            pytest.fail(f"seed {seed}\n{short.setting}\n{steps}\n{problems}\n{command}")


@pytest.mark.parametrize("name", NAMED)
def test_history_that_broke_a_promise(name: str) -> None:
    """What once went wrong comes out right."""
    assert live(NAMED[name]) == []


def test_one_seed_is_one_history() -> None:
    """The same seed does the same, to the last point at which anything could happen."""
    told: list[list[str]] = [[], []]
    for lines in told:
        live(make(11), tell=lines.append)
    assert told[0] == told[1]
    assert len(told[0]) > 50

"""The measurements in small: bounds wide enough for a busy machine, tight enough for an accident."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.beat import Race, race
from tests.benchmarks.beside import reached
from tests.benchmarks.measure import memory, polls


@pytest.mark.parametrize("verb", [pytest.param("create", marks=pytest.mark.long), "update"])
def test_a_write_costs_a_small_multiple_of_its_requests(tmp_path: Path, verb: str) -> None:
    """Deciding, remembering and logging a write costs no more than some times what its requests cost alone."""
    beat = race(tmp_path / verb, Race(verb, verb=verb, customers=40, rounds=3))
    assert beat.by_cpu > 0.2
    assert beat.requests < 3


def test_a_change_costs_the_same_in_a_small_and_a_large_table(tmp_path: Path) -> None:
    """A poll executes as many statements in 3000 rows as in 300, and takes about as long."""
    small, large = polls(tmp_path, (300, 3000))
    assert abs(large.statements - small.statements) <= 3  # a lease is renewed now and then
    assert large.cost.cpu < small.cost.cpu * 3.0 + 5.0


@pytest.mark.long
def test_a_first_pass_is_held_in_pieces(tmp_path: Path) -> None:
    """Ten times the customers do not take ten times the memory."""
    (_, small), (_, large) = memory(tmp_path, (400, 4000))
    assert large < small * 2.5


@pytest.mark.parametrize("beside", ["hangs until the other is done", "answers 503", "one poison record"])
def test_trouble_at_one_provider_slows_no_other(tmp_path: Path, beside: str) -> None:
    """Beside one that hangs, fails or is poisoned, a provider gets its changes in the requests it takes alone."""
    assert reached(tmp_path / "beside", beside) <= reached(tmp_path / "alone", "nobody") + 3

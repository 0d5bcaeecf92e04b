"""When to try again: later and later, never all at once, never for ever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.backoff import LONGEST, at, clamp_retry_after, delay


@pytest.mark.parametrize(
    ("attempts", "least", "most"),
    [(0, 2.5, 5), (1, 2.5, 5), (2, 5, 10), (5, 40, 80), (8, 320, 640), (9, 450, 900), (10_000, 450, 900)],
)
def test_each_failure_doubles_the_wait(attempts: int, least: float, most: float) -> None:
    """From the first wait up to a quarter of an hour; half of it is jitter."""
    assert delay(5.0, attempts, 0.0) == least
    assert delay(5.0, attempts, 1.0) == most


@given(st.floats(0.1, 3600), st.integers(0, 100), st.floats(0, 1))
def test_a_wait_is_positive_and_bounded(first: float, attempts: int, jitter: float) -> None:
    """No wait is nothing, none is longer than fifteen minutes, and a further failure never shortens it."""
    wait = delay(first, attempts, jitter)

    assert 0 < wait <= LONGEST
    assert delay(first, attempts + 1, jitter) >= wait


@pytest.mark.parametrize(
    ("asked", "kept"), [(None, None), (0.0, 1.0), (-5.0, 1.0), (7.5, 7.5), (86_400.0, 3600.0), (float("inf"), 3600.0)]
)
def test_a_provider_may_ask_for_an_hour_at_most(asked: float | None, kept: float | None) -> None:
    """One second to one hour, whatever the header says."""
    assert clamp_retry_after(asked) == kept


def test_a_moment_from_now() -> None:
    """Seconds from a moment."""
    now = datetime(2026, 3, 29, 0, 59, tzinfo=UTC)

    assert at(now, 90) == now + timedelta(seconds=90)

"""When to try again. Jitter comes in as a number between 0 and 1, so that the same input gives the same answer."""

from __future__ import annotations

from datetime import datetime, timedelta

LONGEST = 900.0  # seconds


def delay(first: float, attempts: int, jitter: float) -> float:
    """Seconds to wait after the `attempts`-th failure: doubling from `first` up to 15 minutes, half of it jitter."""
    full = min(LONGEST, first * 2.0 ** min(max(attempts - 1, 0), 30))
    return full * (0.5 + 0.5 * jitter)


def clamp_retry_after(seconds: float | None) -> float | None:
    """A provider's `Retry-After`, limited to between one second and one hour."""
    return None if seconds is None else min(max(seconds, 1.0), 3600.0)


def at(now: datetime, seconds: float) -> datetime:
    """A moment `seconds` from now."""
    return now + timedelta(seconds=seconds)

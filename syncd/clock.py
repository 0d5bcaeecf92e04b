"""The clock as a parameter: the daemon uses the machine's clock, the simulation one of its own."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """A clock. `monotonic`, `sleep` and `wait` are in seconds."""

    def now(self) -> datetime:
        """UTC wall time, for display and for schedules that survive restarts."""

    def monotonic(self) -> float:
        """For deadlines and leases: never jumps."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Wait at most this long; end at once when `stop` is set."""


SLICE = 0.2  # seconds between two looks at a signal to stop


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Wait in slices: a signal handler sets `stop`, and would block itself if its own thread waited for `stop`."""
        end = time.monotonic() + seconds
        while not stop.is_set() and (rest := end - time.monotonic()) > 0:
            time.sleep(min(rest, SLICE))

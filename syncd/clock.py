"""The clock as a parameter: syncd passes the machine's clock or the state server's, tests pass one of their own."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """A clock. `monotonic`, `sleep` and `wait` are in seconds."""

    def now(self) -> datetime:
        """The wall time in UTC, for display and for moments that survive a restart."""

    def monotonic(self) -> float:
        """Seconds of a clock that never jumps, for deadlines and leases of this process."""

    def sleep(self, seconds: float) -> None:
        """Wait for so many seconds."""

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Wait at most this long; end at once when `stop` is set."""


SLICE = 0.2  # seconds after which a waiting thread looks at `stop` again


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

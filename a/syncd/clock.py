"""Time as a value that can be handed in: the daemon uses the machine's, the simulation its own."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What may be asked of time. `monotonic` and `sleep` are in seconds."""

    def now(self) -> datetime:
        """UTC wall time, for display and for schedules that survive restarts."""

    def monotonic(self) -> float:
        """For deadlines and leases: never jumps."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

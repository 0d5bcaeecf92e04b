"""A clock that only moves when it is told to, for lanes and for the simulation.

`sleep` does not wait: it moves the clock on and calls whoever asked to be called, so that an effect that was due in the
meantime takes place in the meantime.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


class VirtualClock:
    """`Clock` for tests. `slept` keeps every wait, in seconds; `watchers` are called after every move."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self.elapsed = 0.0
        self.slept: list[float] = []
        self.watchers: list[Callable[[], None]] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        return self.elapsed

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let time pass without anybody of ours waiting."""
        self.elapsed += max(seconds, 0.0)
        for watcher in self.watchers:
            watcher()

    def step_wall(self, seconds: float) -> None:
        """The administrator sets the wall clock; `monotonic` does not move."""
        self._start += timedelta(seconds=seconds)

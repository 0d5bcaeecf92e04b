"""A clock that only moves when it is told to, for lanes and for the simulation.

`sleep` does not wait: it moves the clock on. What was to happen in the meantime (`call_at`) happens at its own moment.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


class VirtualClock:
    """`Clock` for tests. `elapsed` are the seconds since it was made; `slept` keeps every wait, in seconds."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._alarms: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self.elapsed = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        return self.elapsed

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Move the clock on, but not beyond what sets `stop`."""
        end = self.elapsed + seconds
        while not stop.is_set() and self.elapsed < end:
            self.sleep(min([end, *(at for at, *_ in self._alarms[:1])]) - self.elapsed)

    def advance(self, seconds: float) -> None:
        """Let time pass without anybody of ours waiting."""
        end = self.elapsed + max(seconds, 0.0)
        while self._alarms and self._alarms[0][0] <= end:
            at, _, call = heapq.heappop(self._alarms)
            self.elapsed = max(at, self.elapsed)
            call()
        self.elapsed = max(end, self.elapsed)

    def step_wall(self, seconds: float) -> None:
        """The administrator sets the wall clock; `monotonic` does not move."""
        self._start += timedelta(seconds=seconds)

    def call_later(self, seconds: float, call: Callable[[], None]) -> None:
        """Have something happen when the clock passes that moment, in the order of the moments."""
        heapq.heappush(self._alarms, (self.elapsed + seconds, next(self._order), call))

    def waiting(self) -> int:
        """How many calls are still to come."""
        return len(self._alarms)


class ProcessClock:
    """The clock of one machine: the true time, and how far its administrator has let it drift, in seconds."""

    def __init__(self, true: VirtualClock, offset: float = 0.0) -> None:
        self.true, self.offset = true, offset

    def now(self) -> datetime:
        return self.true.now() + timedelta(seconds=self.offset)

    def monotonic(self) -> float:
        return self.true.monotonic()

    def sleep(self, seconds: float) -> None:
        self.true.sleep(seconds)

    def wait(self, seconds: float, stop: threading.Event) -> None:
        self.true.wait(seconds, stop)

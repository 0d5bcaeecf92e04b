"""Whether the lanes at work in this process wait for one core of the processor: then more threads make nothing
faster."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

WINDOW = 0.25  # seconds between two measurements: the processor's own clock is coarse
FULL = 0.85  # the share of one core from which on threads only wait for each other


class Cpu:
    """The processor, shared by all lanes of a process. Python computes in one thread at a time. Where several lanes
    keep one core busy, more threads of a lane only cost: while one lane waits for an answer, the others compute anyway,
    each pair seems slower, groups get smaller, and threads are switched more often.

    Measured with five providers on the same machine: 5.5 ms a pair with four threads each, 3.9 ms with one each. A
    provider that takes 50 ms for an answer leaves the processor idle, so its lane keeps all threads. A lane that works
    alone keeps them too. `spent` and `now` are real seconds, also in a simulation: computed, and passed.
    """

    def __init__(
        self, spent: Callable[[], float] = time.process_time, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._spent, self._now = spent, now
        self._before, self._at, self._full = spent(), now(), False
        self._lanes = 0
        self._lock = threading.Lock()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Count a lane as at work, for as long as it works off its due pairs."""
        with self._lock:
            self._lanes += 1
        try:
            yield
        finally:
            with self._lock:
                self._lanes -= 1

    def crowded(self) -> bool:
        """Whether several lanes are at work and this process kept one core busy (`FULL`) in the last `WINDOW`."""
        with self._lock:
            spent, now = self._spent(), self._now()
            if now - self._at >= WINDOW:
                self._full = spent - self._before >= FULL * (now - self._at)
                self._before, self._at = spent, now
            return self._full and self._lanes > 1

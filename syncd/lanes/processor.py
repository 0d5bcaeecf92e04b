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
    """The processor as all lanes of a process share it. Python computes in one thread at a time. Where that thread is
    never idle and several lanes are at work, the others have something to compute while one waits for an answer. More
    threads of a lane then shorten no request: each pair seems slower, so groups get smaller, and every switch between
    threads costs.

    Five providers on the same machine cost 5.5 ms a pair with four threads each, and 3.9 with one each. A provider that
    takes 50 ms for an answer leaves the processor idle, and keeps all its threads; so does a lane that is alone at
    work, for nobody else computes while its one thread waits. `spent` and `now` are the seconds that this process has
    computed and the seconds that have passed, whatever a simulation makes of time.
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
        """Around what one lane works off."""
        with self._lock:
            self._lanes += 1
        try:
            yield
        finally:
            with self._lock:
                self._lanes -= 1

    def crowded(self) -> bool:
        """Whether several lanes are at work, and this process kept one core busy all the time when last measured."""
        with self._lock:
            spent, now = self._spent(), self._now()
            if now - self._at >= WINDOW:
                self._full = spent - self._before >= FULL * (now - self._at)
                self._before, self._at = spent, now
            return self._full and self._lanes > 1

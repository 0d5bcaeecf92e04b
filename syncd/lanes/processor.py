"""Whether this process keeps one core of the processor busy: then more threads make nothing faster."""

from __future__ import annotations

import time
from collections.abc import Callable

WINDOW = 0.25  # seconds between two measurements: the processor's own clock is coarse
FULL = 0.85  # the share of one core from which on threads only wait for each other


class Cpu:
    """Python computes in one thread at a time. Where that thread is never idle, a lane's other threads shorten no
    request: each pair seems slower, so groups get smaller, and every switch between threads costs.

    Five providers on the same machine cost 5.5 ms a pair with four threads each, and 3.9 with one each. A provider that
    takes 50 ms for an answer leaves the processor idle, and keeps all its threads. `spent` and `now` are the seconds
    that this process has computed and the seconds that have passed, whatever a simulation makes of time.
    """

    def __init__(
        self, spent: Callable[[], float] = time.process_time, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._spent, self._now = spent, now
        self._before, self._at, self._full = spent(), now(), False

    def full(self) -> bool:
        """Whether this process kept one core busy all the time when last measured."""
        spent, now = self._spent(), self._now()
        if now - self._at >= WINDOW:
            self._full = spent - self._before >= FULL * (now - self._at)
            self._before, self._at = spent, now
        return self._full

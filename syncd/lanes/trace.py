"""What one thread has read and written in its present look at a pair. The lane asks it whether the reading is fresh
enough for a write."""

from __future__ import annotations

import threading

FRESH = 1.0  # seconds: no write is sent on a reading that is older


Reading = tuple[float, str]
"""When a reading was answered, in monotonic seconds, and its endpoint."""


class Trace(threading.local):
    """One thread's look at one pair. `wanted`: the endpoints of the reading and of the write that was refused as
    outdated; `booked`: endpoints whose slots are taken already. `got_through`: a reading was answered since the last
    failure or write. Moments are monotonic seconds."""

    def __init__(self) -> None:
        self.writing = self.acknowledged = self.got_through = False
        self.begin_look()

    def begin_look(self) -> None:
        """Forget the last look: nothing is read and no slot is booked yet."""
        self.requests = 0
        self.read: Reading | None = None
        self.wanted: tuple[str, ...] = ()
        self.booked: list[str] = []
        self.writing = False

    def begin_write(self, read: Reading | None) -> None:
        """The requests that follow belong to one write; its first one leaves only on a fresh reading."""
        self.acknowledged, self.writing, self.got_through, self.read = False, True, False, read

    def answered(self, endpoint: str, status: int, now: float) -> None:
        """Note an answer: of a reading when it came, of a write that it was executed (2xx)."""
        if endpoint.startswith("GET "):
            self.read = (now, endpoint)
            return
        self.writing = False
        if 200 <= status < 300:
            self.acknowledged = True

    def outdated(self, endpoint: str, leaves_at: float) -> bool:
        """Whether this is the first request of a write, and the reading will be older than `FRESH` when it leaves."""
        if self.read is None or not self.writing or endpoint.startswith("GET "):
            return False
        if leaves_at - self.read[0] <= FRESH:
            return False
        self.wanted = (self.read[1], endpoint)
        return True

    def use_booking(self, endpoint: str) -> bool:
        """Whether this request's slot was booked; a booked slot serves one request."""
        if endpoint not in self.booked:
            return False
        self.booked.remove(endpoint)
        return True

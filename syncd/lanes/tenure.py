"""How long a lane's lease is surely ours, in monotonic seconds of this process."""

from __future__ import annotations

import threading
from collections.abc import Callable

SPARE = 5.0  # seconds of a lease that no write may use up


class Tenure:
    """The time since a lease was last taken or renewed."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now, self._renewed = now, now()
        self._lock = threading.Lock()

    def renewed(self, at: float) -> None:
        """The lease was last taken or renewed at this moment."""
        with self._lock:
            self._renewed = at

    def covers(self, lease: float) -> bool:
        """Whether a write that begins now, and takes a moment, ends while the lease is ours."""
        return self._now() - self._renewed < lease - SPARE

    def extend(self, lease: float, longest: float, keep: Callable[[], bool]) -> bool:
        """Whether a request that leaves now, and takes `longest` at most, ends while the lease is ours. `keep` renews a
        lease of which a third has passed, and answers whether it is still ours."""
        with self._lock:
            asked = self._now()
            if asked - self._renewed < lease / 3:
                return True
            if not keep():
                return False
            self._renewed = asked
            return self._now() - asked < lease - longest - SPARE

"""How many pairs of a lane one thread takes at once."""

from __future__ import annotations

import threading

LARGEST = 100  # pairs
WHOLE = 1.4  # seconds for a group: half of it reads, half of it writes, so a reading is 0.7 old (`trace.FRESH` is 1)
FIRST_GUESS = 0.1  # seconds for one pair, before anything was measured


class Stride:
    """How many pairs a thread gets through in `WHOLE` seconds.

    Smaller groups cost a commit for each few pairs; in larger ones a reading is old before its write leaves, and a
    crash leaves more writes of unknown outcome.
    """

    def __init__(self) -> None:
        self._each = FIRST_GUESS
        self._lock = threading.Lock()

    def took(self, pairs: int, seconds: float) -> None:
        """Learn from a group of so many pairs that took so long. A slower group is believed at once: where a group
        takes too long, its readings are too old to write on and are made again."""
        each = seconds / pairs if pairs else 0.0
        with self._lock:
            self._each = max(each, (self._each + each) / 2) if pairs else self._each

    def group(self, paced: float) -> int:
        """The pairs for one group, 1 to 100. `paced`: the seconds that the pace alone takes for one pair."""
        with self._lock:
            each = max(paced, self._each)
        return max(min(int(WHOLE / each) if each else LARGEST, LARGEST), 1)

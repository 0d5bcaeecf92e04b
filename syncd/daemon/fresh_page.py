"""The status page that the daemon keeps fresh itself: the same fold of the same events as `syncd status-page`.

The log file, where there is one, holds the events from before this start.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from syncd.clock import Clock
from syncd.daemon.page_guard import Guard
from syncd.log import emit
from syncd.status.fold import Folded, take
from syncd.status.lines import LONGEST, event_of
from syncd.status.page import publish, render
from syncd.status.present import present

REMEMBERED = 50_000_000  # bytes of the log file that are read again at a start: a day of a busy installation


class FreshPage:
    """Hears every event, from any thread, and writes the page when asked."""

    def __init__(self, path: str, clock: Clock) -> None:
        self._path = Path(path)
        self._clock = clock
        self._folded = Folded()
        self._lock = threading.Lock()
        self._guard = Guard(self._path)

    def remember(self, log_file: str) -> None:
        """Fold the events at the end of the log file."""
        try:
            with open(log_file, "rb") as log:
                log.seek(max(log.seek(0, 2) - REMEMBERED, 0))
                while line := log.readline(LONGEST):
                    with self._lock:
                        take(self._folded, event_of(line), self._clock.now())
        except OSError:  # there is none yet; one that cannot be written is the log's own trouble
            return

    def hear(self, event: Mapping[str, object]) -> None:
        """An event, as it was written."""
        told = event_of(json.dumps(event).encode())
        with self._lock:
            take(self._folded, told, self._clock.now())

    def write(self) -> None:
        """Write the page, and hand its guard the text that the page must show if the daemon dies.

        A failure is one warning.
        """
        now = self._clock.now()
        with self._lock:
            text = render(self._folded, present(self._folded, now), now)
            last_word = render(self._folded, present(self._folded, now, timedelta(0)), now)
        try:
            self._guard.hold(last_word)
            publish(self._path, text)
        except OSError as error:
            emit("alert.failed", action="status_page", error_type=type(error).__name__)

    def leave(self) -> None:
        """The last page stands as it is."""
        self._guard.dismiss()

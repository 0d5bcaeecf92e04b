"""A courier: a thread of its own for each outsider that gets reports (a monitor, a page, a metrics file).

The caller of `hand` never waits, and holds no lock that an outsider could keep. Of two reports that wait for a slow
outsider only the newer one is delivered: each report tells the present status.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class Courier:
    """Calls `deliver` with one report after the other. An error in `deliver` ends the thread; the next report gets a
    new one.

    The thread does not keep the process from ending: reports that are not delivered by then are dropped.
    """

    def __init__(self, name: str, deliver: Callable[[Any], None]) -> None:
        self._name = name
        self._deliver = deliver
        self._lock = threading.Lock()
        self._waiting: list[object] = []
        self._thread: threading.Thread | None = None

    def hand(self, thing: object) -> None:
        """Deliver this report next; a report that still waits is out of date and dropped."""
        with self._lock:
            self._waiting[:] = [thing]
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._walk, name=f"courier-{self._name}", daemon=True)
                self._thread.start()

    def close(self, seconds: float) -> None:
        """Wait at most this long for the delivery of the last report."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)

    def _walk(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._thread = None
                    return
                thing = self._waiting.pop()
            self._deliver(thing)

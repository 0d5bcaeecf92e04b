"""Whatever goes to somebody outside (a monitor, a page, a metrics file) goes by a courier: a thread of its own.

Who hands something over never waits, and holds no lock that an outsider could keep. Of two things that wait for a
slow outsider only the newer one goes: each says how it stands now.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class Courier:
    """Brings things to `deliver`, one after the other. An error in it ends that thread; the next thing gets another.

    The thread does not keep the process from ending: what an outsider did not take by then he does not get.
    """

    def __init__(self, name: str, deliver: Callable[[Any], None]) -> None:
        self._name = name
        self._deliver = deliver
        self._lock = threading.Lock()
        self._waiting: list[object] = []
        self._thread: threading.Thread | None = None

    def hand(self, thing: object) -> None:
        """Take this along; what still waits is out of date."""
        with self._lock:
            self._waiting[:] = [thing]
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._walk, name=f"courier-{self._name}", daemon=True)
                self._thread.start()

    def close(self, seconds: float) -> None:
        """Wait at most so long for what was handed over."""
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

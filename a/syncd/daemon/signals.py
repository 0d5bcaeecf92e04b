"""Signals without handlers: they are blocked everywhere and taken by the main thread when it asks.

A handler runs in the middle of anything, a lock in hand; a signal that waits to be asked for cannot.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

WANTED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
ENDING = frozenset({int(signal.SIGTERM), int(signal.SIGINT)})
RELOAD = int(signal.SIGHUP)


@contextmanager
def held_back() -> Iterator[None]:
    """Keep the signals waiting, in this thread and in all that it starts."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, WANTED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def next_signal(seconds: float) -> int | None:
    """The next signal, if one comes within so many seconds."""
    heard = signal.sigtimedwait(WANTED, max(seconds, 0.0))
    return heard.si_signo if heard is not None else None

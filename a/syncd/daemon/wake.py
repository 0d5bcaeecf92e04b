"""The daemon's bell: a thread that waits for commits in the source and makes the next poll come at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from syncd.errors import SyncdError
from syncd.source.database import Source
from syncd.source.wake import bell

LISTEN = 1.0  # seconds a wait takes at most, so that the thread ends soon after it is asked to
AGAIN = 5.0  # seconds until a bell that was lost is hung up anew; the poll goes on meanwhile


@contextmanager
def woken(source: Source, poll: Callable[[], None]) -> Iterator[None]:
    """Poll whenever the source's bell rings. `poll` keeps its own errors and never runs twice at once."""
    stop = Event()
    thread = Thread(target=_listen, args=(source, poll, stop), name="wake", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(LISTEN)


def _listen(source: Source, poll: Callable[[], None], stop: Event) -> None:
    while not stop.is_set():
        try:
            with bell(source, stop) as wait:
                while not stop.is_set():
                    if wait(LISTEN):
                        poll()
        except SyncdError:  # the poll meets the same trouble, and says so
            stop.wait(AGAIN)

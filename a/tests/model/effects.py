"""The places where a process may die, be overtaken, or see the world change under its hands.

Every state commit, source commit and provider request calls `point`, before and after. A step of a history says at
which point what happens: nothing else in the simulation decides when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from syncd.source import changelog, customers, writing
from syncd.source.database import Source, in_transaction
from syncd.store.database import State, Transaction


class Crash(BaseException):
    """The process dies here. No `except Exception` of ours may survive it."""


class Effects:
    """Counts the points of one run, and does at each what the run's plan says."""

    def __init__(self) -> None:
        self.count = 0
        self.crash_at = 0
        self.trace: list[str] = []
        self.source_writes = 0
        self._planned: dict[int, list[Callable[[], None]]] = {}
        self._named: dict[str, Callable[[], None]] = {}
        self._inside = False

    def arm(self, crash_at: int, planned: dict[int, list[Callable[[], None]]]) -> None:
        """The plan of the next run; 0 never crashes."""
        self.count, self.crash_at, self._planned, self._inside = 0, crash_at, planned, False

    def at(self, name: str, call: Callable[[], None]) -> None:
        """Have something happen once, at the next point of this name; it may raise."""
        self._named[name] = call

    def disarm(self) -> None:
        """Nothing more happens by itself."""
        self.arm(0, {})
        self._named.clear()

    def point(self, name: str, *, locked: bool = False) -> None:
        """One more place reached; `locked`: a transaction is open, so only a crash can happen here."""
        self.trace.append(name)
        if self._inside:
            return
        self.count += 1
        here = self._planned.pop(self.count, [])
        if name in self._named:
            here.append(self._named.pop(name))
        if locked and here:
            self._planned.setdefault(self.count + 1, []).extend(here)
            here = []
        self._inside = True
        try:
            for intrusion in here:
                intrusion()
        finally:
            self._inside = False
        if self.count == self.crash_at:
            raise Crash(name)


class WatchedState(State):
    """The real state database; its commits are points."""

    effects: Effects

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        with super().begin() as tx:
            yield tx
            self.effects.point("state, before commit", locked=True)
        self.effects.point("state, after commit")


def die() -> None:
    """For `Effects.at`: the process ends here."""
    raise Crash


def watched(state: State, effects: Effects) -> WatchedState:
    """The same database, watched."""
    seen = WatchedState(state.writer, state.reader, state.key, state.path)
    object.__setattr__(seen, "effects", effects)
    return seen


@contextmanager
def watched_source(effects: Effects) -> Iterator[None]:
    """Make every transaction on the source a point, before and after; count the rows that we wrote."""
    original = in_transaction

    def watch(source: Source, work: Callable[[Any], Any], **more: Any) -> Any:
        effects.point("source, before")
        result = original(source, work, **more)
        effects.source_writes += isinstance(result, customers.Written)
        effects.point("source, after")
        return result

    for module in (writing, changelog):
        vars(module)["in_transaction"] = watch
    try:
        yield
    finally:
        for module in (writing, changelog):
            vars(module)["in_transaction"] = original

"""The places where a process may die, be overtaken, or see the world change under its hands.

Every state commit, source commit and provider request calls `point`, before and after. A step of a history says at
which point what happens: nothing else in the simulation decides when.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.model.product import Source, Transaction, customers, in_transaction, written_rows
from tests.model.product import StateDatabase as State


class Crash(BaseException):
    """The process dies here. No `except Exception` of ours may survive it."""


class Effects:
    """Counts the points of one run, and does at each what the run's plan says.

    `turn` is asked at each point where another process may go on instead of this one. A process that died does nothing
    any more, whatever its `finally` blocks try: every later point of its thread ends it again.
    """

    def __init__(self) -> None:
        self.count = 0
        self.crash_at = 0
        self.trace: list[str] = []
        self.source_writes = 0
        self._planned: dict[int, list[Callable[[], None]]] = {}
        self._named: dict[str, Callable[[], None]] = {}
        self._inside = False
        self._dead: set[int] = set()
        self.turn: Callable[[], None] | None = None
        self.busy = 0  # transactions that are open right now

    def arm(self, crash_at: int, planned: dict[int, list[Callable[[], None]]]) -> None:
        """The plan of the next run; 0 never crashes."""
        self.count, self.crash_at, self._planned, self._inside = 0, crash_at, planned, False
        self._dead.clear()

    def at(self, name: str, call: Callable[[], None]) -> None:
        """Have something happen once, at the next point of this name; it may raise."""
        self._named[name] = call

    def disarm(self) -> None:
        """Nothing more happens by itself."""
        self.arm(0, {})
        self._named.clear()

    def kill(self, name: str) -> Crash:
        """The process whose thread this is ends here: raise what this answers."""
        self._dead.add(threading.get_ident())
        return Crash(name)

    def still_alive(self) -> None:
        """A dead process writes nothing and asks nobody."""
        if self._dead and threading.get_ident() in self._dead:
            raise Crash("dead already")

    def point(self, name: str, *, locked: bool = False) -> None:
        """One more place reached; `locked`: a transaction is open, so only a crash can happen here."""
        self.still_alive()
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
        except Crash:
            raise self.kill(name) from None
        finally:
            self._inside = False
        if self.count == self.crash_at:
            raise self.kill(name)
        if self.turn is not None and not locked and not self.busy:
            self.turn()


class WatchedState(State):
    """The real state database; its commits are points."""

    effects: Effects

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        self.effects.still_alive()
        with self._open(), super().begin() as tx:
            yield tx
            self.effects.point("state, before commit", locked=True)
        self.effects.point("state, after commit")

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        with self._open(), super().read() as tx:
            yield tx

    @contextmanager
    def _open(self) -> Iterator[None]:
        self.effects.busy += 1
        try:
            yield
        finally:
            self.effects.busy -= 1


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

    def watch(source: Source, work: Callable[[Any], Any], **more: Any) -> Any:
        effects.point("source, before")
        result = in_transaction(source, work, **more)
        effects.source_writes += isinstance(result, customers.Written)
        effects.point("source, after")
        return result

    with written_rows(watch):
        yield


class Baton:
    """Several processes as threads of which one goes on at a time; at an effect it may hand over to another.

    `dice` decides when and to whom, `stalled` what time does meanwhile: the same dice, the same history.
    """

    def __init__(self, dice: random.Random, stalled: Callable[[], None]) -> None:
        self._dice, self._stalled = dice, stalled
        self._often = dice.choice((0.03, 0.15, 0.5))
        self._doors: list[threading.Semaphore] = []
        self._awake: list[int] = []
        self._current = 0
        self._end = threading.Semaphore(0)

    def run(self, jobs: Sequence[Callable[[], object]]) -> list[BaseException | None]:
        """All jobs to their ends; how each of them ended."""
        self._doors = [threading.Semaphore(0) for _ in jobs]
        self._awake = list(range(len(jobs)))
        ended: list[BaseException | None] = [None] * len(jobs)
        threads = [threading.Thread(target=self._one, args=(place, job, ended)) for place, job in enumerate(jobs)]
        for thread in threads:
            thread.start()
        self._doors[0].release()
        self._end.acquire()
        for thread in threads:
            thread.join()
        return ended

    def turn(self) -> None:
        """A place where another process may go on."""
        if len(self._awake) < 2 or self._dice.random() >= self._often:
            return
        mine = self._current
        self._current = self._dice.choice([each for each in self._awake if each != mine])
        self._stalled()
        self._doors[self._current].release()
        self._doors[mine].acquire()

    def _one(self, place: int, job: Callable[[], object], ended: list[BaseException | None]) -> None:
        self._doors[place].acquire()
        try:
            job()
        except BaseException as error:  # noqa: BLE001 - told to the caller, who judges it
            ended[place] = error
        self._awake.remove(place)
        if self._awake:
            self._current = self._dice.choice(self._awake)
            self._doors[self._current].release()
        else:
            self._end.release()

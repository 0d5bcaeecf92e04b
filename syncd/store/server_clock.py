"""The clock of all moments in the state: on PostgreSQL the server's, so that all machines use one clock.

Settle times, due times, pauses and heartbeats are written by one machine and read by another. With each machine's own
clock, a successor that is 30 s ahead would look for a lost create 30 s early and make a second record, and a capturing
daemon that is 60 s ahead would hold every change back for a minute. So all machines that share a state on PostgreSQL
ask its server for the time, and go on from there by their monotonic clocks, which cannot be set. A SQLite file is
written by the machine's clock; there the lanes notice when the clock is set (`engine.worker.heed_the_clock`).
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import sqlalchemy as sa

from syncd.clock import Clock
from syncd.errors import StateUnreachable
from syncd.store.database import State

AGAIN = 60.0  # seconds after which the server is asked once more


class ServerClock:
    """`Clock` by the server's wall time. While the server does not answer, the time goes on from its last answer."""

    def __init__(self, state: State, machine: Clock) -> None:
        self._state, self._machine = state, machine
        self._lock = threading.Lock()
        self._told, self._at = self._ask()

    def now(self) -> datetime:
        with self._lock:
            if self._machine.monotonic() - self._at >= AGAIN:
                try:
                    self._told, self._at = self._ask()
                except StateUnreachable:
                    self._told, self._at = self._counted(), self._machine.monotonic()
            return self._counted()

    def monotonic(self) -> float:
        return self._machine.monotonic()

    def sleep(self, seconds: float) -> None:
        self._machine.sleep(seconds)

    def wait(self, seconds: float, stop: threading.Event) -> None:
        self._machine.wait(seconds, stop)

    def ahead(self) -> float:
        """By how many seconds the machine's clock is ahead of the server's; negative when it is behind."""
        return (self._machine.now() - self.now()).total_seconds()

    def _counted(self) -> datetime:
        return self._told + timedelta(seconds=self._machine.monotonic() - self._at)

    def _ask(self) -> tuple[datetime, float]:
        with self._state.read() as tx:
            asked = self._machine.monotonic()
            told: datetime = tx.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
            return told, (asked + self._machine.monotonic()) / 2


def clock_of(state: State, machine: Clock) -> Clock:
    """The clock of all moments in this state: the server's, or the `machine` clock for SQLite."""
    return ServerClock(state, machine) if state.writer.dialect.name == "postgresql" else machine


def ahead_of(clock: Clock) -> float:
    """By how many seconds this machine's clock is ahead of the state's clock; 0 where both are one."""
    return clock.ahead() if isinstance(clock, ServerClock) else 0.0

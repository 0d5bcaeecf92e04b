"""Exclusive work on a state, for commands that change the state as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from syncd.errors import LeaseHeld
from syncd.status.liveness import state_of
from syncd.store import leases
from syncd.store.database import State, Transaction
from syncd.store.migrate import tables
from syncd.store.pulse import pulses
from syncd.store.schema import lease
from syncd.store.schema import pulse as table


@contextmanager
def alone(state: State, command: str) -> Iterator[Transaction]:
    """A writing transaction while no other process works on this state. Raises `LeaseHeld`, with the remedy, where one
    does.

    SQLite: the file lock is held. PostgreSQL: no lease and no daemon is alive, and no process can take a lease before
    this transaction ends, because writers take turns. A process that sleeps, on a suspended machine, has lost its
    leases when it wakes, and `leadership.hold` gives it none for a state that is another than it knows.
    """
    remedy = f"stop it (systemctl stop syncd), then {command}"
    if state.path is None:
        with state.begin() as tx:
            nobody_at_work(tx, remedy)
            if lease.name in tables(tx):
                leases.void(tx)
            yield tx
        return
    try:
        lock = leases.lock_file(state.path)
    except LeaseHeld as held:
        raise LeaseHeld(held.message, remedy=remedy) from None
    with lock, state.begin() as tx:
        yield tx


def nobody_at_work(tx: Transaction, remedy: str) -> None:
    """Raise `LeaseHeld` where a lease or a daemon is alive. A state before its upgrade may lack the tables."""
    there = tables(tx)
    for held in leases.holders(tx) if lease.name in there else ():
        if held.remaining > 0:
            seconds = f"{held.remaining:.0f} s"
            raise LeaseHeld(f"{held.holder} works on this state (its lease ends in {seconds})", remedy=remedy)
    for pulse in pulses(tx) if table.name in there else ():
        if state_of(pulse.age, pulse.poll, pulse.trouble) != "silent":
            raise LeaseHeld(f"a daemon runs: pid {pulse.pid} on {pulse.host}", remedy=remedy)

"""Signs of life: each daemon writes one row about itself again and again, so that any command can tell that it lives.

Time is the state database's own, as with leases, so that a machine whose clock is wrong is not taken for a dead daemon.
A daemon that ends in order deletes its row, so an old row is a daemon that died or hangs.
"""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from syncd.store.database import insert
from syncd.store.leases import moment_of
from syncd.store.schema import Transaction
from syncd.store.schema import pulse as table

FORGOTTEN = 86_400.0  # seconds after which a dead daemon's row goes when another one starts


class Pulse(NamedTuple):
    """A daemon as it last showed itself. `since` and `seen` in seconds since 1970, `age` (since the last sign) and
    `poll` (between two polls) in seconds; `trouble` is the log event that says why the daemon cannot work, "" for
    none."""

    holder: str
    host: str
    pid: int
    poll: float
    trouble: str = ""
    reason: str = ""
    since: float = 0.0
    seen: float = 0.0
    age: float = 0.0


def beat(tx: Transaction, pulse: Pulse, now: float | None = None) -> None:
    """Write this daemon's sign of life; the first sign also stores since when the daemon lives."""
    moment = moment_of(tx, now)
    told = {"seen": moment, "poll": pulse.poll, "trouble": pulse.trouble, "reason": pulse.reason}
    row = {"holder": pulse.holder, "host": pulse.host, "pid": pulse.pid, "since": moment, **told}
    statement = insert(tx, table).values(row)
    tx.execute(statement.on_conflict_do_update(index_elements=[table.c.holder], set_=told))


def pulses(tx: Transaction, now: float | None = None) -> list[Pulse]:
    """Every daemon that has not ended in order, the youngest sign of life first."""
    moment = moment_of(tx, now)
    rows = tx.execute(sa.select(table).order_by(table.c.seen.desc(), table.c.holder)).mappings()
    return [Pulse(**row, age=max(moment - row["seen"], 0.0)) for row in rows]


def end(tx: Transaction, holder: str) -> None:
    """Delete this daemon's row: the daemon ends in order."""
    tx.execute(table.delete().where(table.c.holder == holder))


def delete_dead(tx: Transaction, holder: str, now: float | None = None, *, sole: bool = False) -> None:
    """Delete the rows of dead daemons: rows older than a day, and all rows but ours where the file lock is ours
    (`sole`)."""
    others = table.c.holder != holder
    old = table.c.seen < moment_of(tx, now) - FORGOTTEN
    tx.execute(table.delete().where(others if sole else sa.and_(others, old)))

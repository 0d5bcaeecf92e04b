"""Leases: which process may work, by rows with an epoch for machines that share a state, by a file lock for one
machine.

A lock that a server holds for a session can be lost without its holder knowing; a lease row cannot, because every late
write checks the epoch first (`State.fenced`). Time is the database's own, so that the clocks of the machines do not
matter.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from syncd.errors import LeaseHeld, LeaseLost
from syncd.store.schema import Transaction
from syncd.store.schema import lease as table

_CHECK = (
    sa.select(table.c.epoch)
    .where(*(table.c[name] == sa.bindparam(name) for name in ("name", "holder", "epoch")))
    .with_for_update(read=True)
)
_NAMED = table.c.name == sa.bindparam("of_name")
_HELD = sa.select(table.c.holder, table.c.epoch, table.c.until).where(_NAMED).with_for_update()
_GIVEN = table.update().where(_NAMED).values({name: sa.bindparam(name) for name in ("holder", "epoch", "until")})
_MINE = (_NAMED, table.c.holder == sa.bindparam("of_holder"), table.c.epoch == sa.bindparam("of_epoch"))
_RENEWED = table.update().where(*_MINE).values(until=sa.bindparam("until"))
_RELEASED = table.update().where(*_MINE).values(holder="", until=0.0)


class Lease(NamedTuple):
    """The right to work on `name` as long as its row still carries `epoch`."""

    name: str
    holder: str
    epoch: int


class Holder(NamedTuple):
    """A lease as shown to people; `remaining` in seconds, negative when the lease has run out."""

    name: str
    holder: str
    epoch: int
    remaining: float


def acquire(
    tx: Transaction, name: str, holder: str, ttl: float, now: float | None = None, *, sole: bool = False
) -> Lease:
    """Take the lease for `ttl` seconds. `sole`: the file lock proves that any other holder is dead, so its lease is
    void at once.

    `holder` names one process for its life (host, pid and something random). The epoch grows with every change of hands
    and whenever a lease had run out, so it never repeats. Raises `LeaseHeld` while another holder's lease is unexpired.
    `now` (seconds) replaces the database's clock in the simulation.
    """
    moment = moment_of(tx, now)
    row = tx.execute(_HELD, {"of_name": name}).one_or_none()
    if row is None:
        tx.execute(table.insert().values(name=name, holder=holder, epoch=1, until=moment + ttl))
        return Lease(name, holder, 1)
    if row.until > moment and row.holder not in {"", holder} and not sole:
        raise LeaseHeld(f"{name} is held by {row.holder} for another {row.until - moment:.0f} s", remedy="syncd status")
    epoch = row.epoch if row.holder == holder and row.until > moment else row.epoch + 1
    tx.execute(_GIVEN, {"of_name": name, "holder": holder, "epoch": epoch, "until": moment + ttl})
    return Lease(name, holder, epoch)


def renew(tx: Transaction, lease: Lease, ttl: float, now: float | None = None) -> bool:
    """Extend the lease by `ttl` seconds from now; False when another holder took over. An expired lease that no other
    holder took may be renewed: no other epoch has written since."""
    return tx.execute(_RENEWED, {**_mine(lease), "until": moment_of(tx, now) + ttl}).rowcount == 1


def release(tx: Transaction, lease: Lease) -> bool:
    """Give the lease back at once. Its row stays, because the next holder's epoch must be greater."""
    return tx.execute(_RELEASED, _mine(lease)).rowcount == 1


def void(tx: Transaction) -> None:
    """End every lease. A process that slept for longer than its lease could otherwise renew it, as nobody took it."""
    tx.execute(table.update().values(holder="", until=0.0, epoch=table.c.epoch + 1))


def check(tx: Transaction, lease: Lease) -> None:
    """Raise `LeaseLost` unless the row still carries our epoch. On PostgreSQL no other holder can take over before this
    transaction commits."""
    if tx.execute(_CHECK, {"name": lease.name, "holder": lease.holder, "epoch": lease.epoch}).first() is None:
        raise LeaseLost(f"{lease.name} was taken over; epoch {lease.epoch} is void", remedy="syncd status")


def holders(tx: Transaction, now: float | None = None) -> list[Holder]:
    """All leases with a holder, by name."""
    moment = moment_of(tx, now)
    rows = tx.execute(sa.select(table).where(table.c.holder != "").order_by(table.c.name))
    return [Holder(row.name, row.holder, row.epoch, row.until - moment) for row in rows]


def living(tx: Transaction, prefix: str, now: float | None = None) -> int:
    """How many leases whose names begin with `prefix` are held and have not run out."""
    chosen = (table.c.name.startswith(prefix, autoescape=True), table.c.until > moment_of(tx, now))
    return int(tx.execute(sa.select(sa.func.count()).select_from(table).where(*chosen)).scalar_one())


def delete_expired(tx: Transaction, prefix: str, now: float | None = None) -> None:
    """Delete expired leases whose names begin with `prefix`: names of one process, which no other process will take."""
    tx.execute(
        table.delete().where(table.c.name.startswith(prefix, autoescape=True), table.c.until <= moment_of(tx, now))
    )


def _mine(lease: Lease) -> dict[str, str | int]:
    return {"of_name": lease.name, "of_holder": lease.holder, "of_epoch": lease.epoch}


def moment_of(tx: Transaction, now: float | None = None) -> float:
    """Seconds since 1970 on the database's clock (SQLite's is the machine's, in milliseconds)."""
    if now is not None:
        return now
    if tx.dialect.name == "postgresql":
        return float(tx.execute(sa.text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())
    return float(tx.execute(sa.text("SELECT (julianday('now') - 2440587.5) * 86400.0")).scalar_one())


class LockFile(NamedTuple):
    """A held file lock. The descriptor stays open as long as the process lives; the kernel releases the lock when the
    process dies.

    `unclean`: the former holder was killed (its pid was still in the file), so the state must be checked.
    """

    path: Path
    descriptor: int
    unclean: bool = False

    def close(self) -> None:
        """Release the lock. The file stays: were it removed, two processes could lock two files of one name."""
        os.ftruncate(self.descriptor, 0)
        os.close(self.descriptor)

    def __enter__(self) -> LockFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def lock_file(state: Path) -> LockFile:
    """The lock beside a SQLite state (`<state>.lock`), with our pid in it; `LeaseHeld` names the other's pid."""
    path = state.with_name(state.name + ".lock")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise LeaseHeld(f"another syncd works on {state} (pid {pid})", remedy="syncd status") from None
    unclean = os.fstat(descriptor).st_size > 0
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
    return LockFile(path, descriptor, unclean)

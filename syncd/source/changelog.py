"""The change log: read the marks, make their pairs due in the state, then delete exactly those rows.

Consuming loses no mark, because only rows that were read are deleted: a transaction that commits late, a sequence with
holes, a number used twice do no harm. A log that is read "up to number n" loses rows: 7 may commit after 8 was read.

The fence counts acknowledgements and names the state that consumes the log (`owner`). A count that went backwards means
a restored backup, another owner a copied state: both stop syncd.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from syncd.errors import LeaseLost, SafetyStop, SetupNeeded, SourceUnreachable
from syncd.source.database import Source, in_transaction, reading
from syncd.source.failures import INSTALL, translated
from syncd.source.naming import POINTED

_EXACTLY = """
DELETE FROM syncd.change_log AS log USING unnest(CAST(:seqs AS bigint[]), CAST(:keys AS text[])) AS done(seq, key)
 WHERE log.seq = done.seq AND log.customer_key = done.key"""


class Entry(NamedTuple):
    """One row of the log: a mark for a customer.

    `op` is I, U, D; T where a whole table was emptied (`key` is then ''); or J, where `key` is the value that leads to
    a row of the join `was`. Otherwise `was` is the customer's key before the key changed. `table`: the trigger on
    `source.table` itself logged it, not one on another watched table.
    """

    seq: int
    key: str
    op: str
    was: str | None = None
    origin: str = ""
    at: datetime | None = None
    table: bool = True


class Batch(NamedTuple):
    """Visible marks in the order of their numbers, and the fence as it was before they were read."""

    entries: tuple[Entry, ...]
    acks: int
    owner: str


class Backlog(NamedTuple):
    """How many marks wait in the log, and the time of the oldest."""

    rows: int
    oldest: datetime | None


def read(source: Source, limit: int = 1000) -> Batch:
    """The next marks. A standby is refused: it does not show what it has not replayed.

    Raises SetupNeeded where log or fence are missing, SourceUnreachable on a standby.
    """
    log = source.log
    query = sa.select(log.c.seq, log.c.customer_key, log.c.op, log.c.was, log.c.origin, log.c.at, log.c.own)
    with reading(source) as conn:
        acks, owner = _fence(conn, source)
        rows = conn.execute(query.order_by(log.c.seq).limit(limit)).all()
    entries = tuple(
        Entry(seq, key, op, was, origin or "", _moment(at), bool(own)) for seq, key, op, was, origin, at, own in rows
    )
    return Batch(entries, acks, owner)


def is_there(source: Source) -> bool:
    """Whether the source has a change log."""
    with reading(source) as conn:
        return sa.inspect(conn).has_table(source.log.name, schema=source.log.schema)


def unread(source: Source, key: str) -> bool:
    """Whether the log holds a mark of this customer. False where the log is not consumed: there, marks stay for
    ever."""
    if source.config.change_log != "triggers":
        return False
    log = source.log
    with reading(source) as conn:
        found = conn.execute(sa.select(log.c.seq).where(sa.or_(log.c.customer_key == key, log.c.was == key)).limit(1))
        return found.first() is not None


def mentions(source: Source, keys: Sequence[str], *, moved: bool = False) -> set[str]:
    """Those of these keys whose row was made, deleted or got another key since the last capture, by the marks in the
    log; with `moved`, only keys that a row got or gave up. Empty where the log is not consumed: there, marks stay for
    ever."""
    if source.config.change_log != "triggers":
        return set()
    log = source.log
    of_customers = log.c.op != POINTED  # there `was` is a join's name
    went = sa.and_(of_customers, log.c.was.is_not(None))
    came_or_went = went if moved else sa.or_(log.c.op.in_(("I", "D")), went)
    about = sa.or_(sa.and_(of_customers, log.c.was.in_(keys)), sa.and_(log.c.customer_key.in_(keys), came_or_went))
    with reading(source) as conn:
        rows = conn.execute(sa.select(log.c.customer_key, log.c.was).where(about)).all()
    return {key for row in rows for key in row} & set(keys)


def acknowledge(source: Source, batch: Batch, owner: str) -> None:
    """Move the fence and delete exactly the rows of `batch`, by number and key, in one transaction.

    Raises SafetyStop where the log belongs to another state or was set back, LeaseLost where another daemon with the
    same state acknowledged meanwhile.
    """
    if not batch.entries:
        return

    def work(conn: sa.Connection) -> None:
        fence = source.fence
        move = fence.update().where(fence.c.id == 1, fence.c.acks == batch.acks, fence.c.owner == owner)
        if conn.execute(move.values(acks=batch.acks + 1)).rowcount != 1:
            _explain_fence(conn, source, batch, owner)
        _delete(conn, source, batch.entries)

    with translated():
        in_transaction(source, work)


def _delete(conn: sa.Connection, source: Source, entries: tuple[Entry, ...]) -> None:
    if source.dialect == "postgresql":
        keys = {"seqs": [entry.seq for entry in entries], "keys": [entry.key for entry in entries]}
        conn.execute(sa.text(_EXACTLY), keys)
        return
    # InnoDB: one DELETE per key, ascending. An IN list locks more than it deletes and starves beside other writers
    log = source.log
    exactly = log.delete().where(
        log.c.seq == sa.bindparam("done_seq"), log.c.customer_key == sa.bindparam("done_key", type_=sa.Text())
    )
    ordered = sorted(entries, key=lambda entry: entry.seq)
    conn.execute(exactly, [{"done_seq": entry.seq, "done_key": entry.key} for entry in ordered])


def claim(source: Source, owner: str) -> int:
    """Make the state `owner` the only consumer of this log, where it has no owner yet. Answers the fence's count.

    Raises SafetyStop where another state consumes the log: each would get half of the changes.
    """

    def work(conn: sa.Connection) -> int:
        fence = source.fence
        conn.execute(fence.update().where(fence.c.id == 1, fence.c.owner == "").values(owner=owner))
        acks, current = _fence(conn, source)
        if current != owner:
            raise SafetyStop(
                "the change log is consumed by another state database; together each would see half of the changes.",
                remedy="If the other one is gone for good, run `syncd recover`.",
            )
        return acks

    with translated():
        return in_transaction(source, work)


def release(source: Source, owner: str) -> None:
    """Give the log up, so that another state may claim it. Does nothing where another one owns the log."""

    def work(conn: sa.Connection) -> None:
        fence = source.fence
        conn.execute(fence.update().where(fence.c.id == 1, fence.c.owner == owner).values(owner=""))

    with translated():
        in_transaction(source, work)


def seize(source: Source, owner: str) -> int:
    """Make the state `owner` the consumer in place of the present one, by a person's order. Answers the fence's
    count."""

    def work(conn: sa.Connection) -> int:
        conn.execute(source.fence.update().where(source.fence.c.id == 1).values(owner=owner))
        return _fence(conn, source)[0]

    with translated():
        return in_transaction(source, work)


def backlog(source: Source) -> Backlog:
    """Count the marks in the log."""
    query = sa.select(sa.func.count(), sa.func.min(source.log.c.at))
    with reading(source) as conn:
        rows, oldest = conn.execute(query).one()
    return Backlog(int(rows), _moment(oldest))


def _fence(conn: sa.Connection, source: Source) -> tuple[int, str]:
    """The fence's count and owner. Raises SetupNeeded where it is missing, SourceUnreachable on a standby: marks could
    not be acknowledged there."""
    fence = source.fence
    row = conn.execute(sa.select(fence.c.acks, fence.c.owner, _read_only(source)).where(fence.c.id == 1)).first()
    if row is None:
        raise SetupNeeded("the change log has lost its fence.", remedy=INSTALL)
    if row[2]:
        raise SourceUnreachable(
            "the source answers as a standby or is read-only; the change log is read on a primary.",
            remedy="name the primary in url under [source]",
        )
    return int(row[0]), str(row[1])


def _read_only(source: Source) -> sa.ColumnElement[Any]:
    if source.dialect == "postgresql":
        return sa.func.pg_is_in_recovery()
    return sa.literal_column("@@global.read_only") if source.dialect == "mysql" else sa.literal(0)


def _explain_fence(conn: sa.Connection, source: Source, batch: Batch, owner: str) -> None:
    acks, current = _fence(conn, source)
    if current == owner and acks > batch.acks:
        raise LeaseLost("another instance acknowledged these changes meanwhile.", remedy="syncd status")
    raise SafetyStop(
        "the change log's fence was set back or belongs to another state database: a backup was restored or cloned.",
        remedy="Run `syncd recover`.",
    )


def _moment(at: Any) -> datetime | None:
    """A time of the log in UTC: SQLite gives text, MariaDB a naive UTC time."""
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    if not isinstance(moment, datetime):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

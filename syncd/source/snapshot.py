"""Reads the change log with an account that may not write (PostgreSQL only).

On a primary the position is the text of the previous `pg_snapshot`: a mark is new where it is visible now and was not
visible then. No mark is read twice, and no reading waits for a transaction. On a standby a snapshot does not list the
transactions in progress, so the position is the stored horizon (xmin), with the numbers above it that were read.

The position names the database that it was taken from. Another database, or a horizon from the future, means a restored
or replaced database: the position is void, and every customer must be looked at.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Row

from syncd.source.changelog import Entry
from syncd.source.database import Source, reading

IDENTITY = """
SELECT (SELECT system_identifier::text FROM pg_control_system()),
       (SELECT timeline_id::text FROM pg_control_checkpoint()),
       (SELECT oid::text FROM pg_database WHERE datname = current_database()),
       'syncd.change_log'::regclass::oid::text,
       pg_is_in_recovery(), pg_current_snapshot()::text, pg_snapshot_xmin(pg_current_snapshot())::text,
       pg_snapshot_xmax(pg_current_snapshot())::text"""
_COLUMNS = "seq, customer_key, op, was, origin, at, own, xid::text"
_ALL = f"SELECT {_COLUMNS} FROM syncd.change_log ORDER BY seq"  # noqa: S608 - no outside text
_DELTA = f"""SELECT {_COLUMNS} FROM syncd.change_log
 WHERE xid >= pg_snapshot_xmin(CAST(:before AS pg_snapshot))
   AND NOT pg_visible_in_snapshot(xid, CAST(:before AS pg_snapshot))
 ORDER BY seq"""  # noqa: S608
_WINDOW = f"""SELECT {_COLUMNS} FROM syncd.change_log
 WHERE xid >= CAST(CAST(:horizon AS text) AS xid8) ORDER BY xid, seq"""  # noqa: S608


class Changes(NamedTuple):
    """New marks and the position after them (`cursor`). `restart`: why the old position is void, '' where it is not.
    With a void one every customer must be looked at, and `entries` holds the whole visible log."""

    entries: tuple[Entry, ...]
    cursor: str
    restart: str = ""


class Position(NamedTuple):
    """A cursor, taken apart. `snapshot` is '' where it was taken on a standby; `seen` are the numbers above the horizon
    that were read."""

    identity: tuple[str, ...]
    horizon: int
    snapshot: str = ""
    seen: frozenset[int] = frozenset()

    def text(self) -> str:
        """The cursor as text, for the state."""
        return json.dumps(
            {
                "identity": list(self.identity),
                "horizon": self.horizon,
                "snapshot": self.snapshot,
                "seen": sorted(self.seen),
            }
        )


def position(cursor: str) -> Position | None:
    """The cursor taken apart; None for '' (the first reading) and for text that is no cursor."""
    try:
        parts = json.loads(cursor or "{}")
        return Position(
            tuple(parts["identity"]), int(parts["horizon"]), str(parts["snapshot"]), frozenset(parts["seen"])
        )
    except (ValueError, KeyError, TypeError):
        return None


def read(source: Source, cursor: str) -> Changes:
    """The marks that became visible since `cursor` ('' reads the whole log). Writes nothing."""
    with reading(source) as plain:
        conn = plain.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with conn.begin():
            facts = tuple(conn.execute(sa.text(IDENTITY)).one())
            return changes(conn, facts, position(cursor))


def changes(conn: sa.Connection, facts: tuple[Any, ...], before: Position | None) -> Changes:
    """Read the marks after the position `before`, in the snapshot of this connection; `facts` tell of primary or
    standby."""
    standby, xmin, xmax = bool(facts[4]), int(facts[6]), int(facts[7])
    now = Position(tuple(facts[:4]), xmin, "" if standby else str(facts[5]))
    void = _void(before, now, xmax)
    if before is None or void:
        rows = conn.execute(sa.text(_ALL)).all()
    elif now.snapshot and before.snapshot:
        rows = conn.execute(sa.text(_DELTA), {"before": before.snapshot}).all()
    else:
        rows = conn.execute(sa.text(_WINDOW), {"horizon": str(before.horizon)}).all()
        rows = [row for row in rows if row[0] not in before.seen] if standby else rows
    if standby:
        still = before.seen if before and not void else frozenset()
        above = {row[0] for row in conn.execute(sa.text(_WINDOW), {"horizon": str(xmin)})}
        now = now._replace(seen=frozenset(above | (still & above)))
    return Changes(tuple(_entry(row) for row in rows), now.text(), void)


def _void(before: Position | None, now: Position, xmax: int) -> str:
    if before is None:
        return ""
    if before.identity != now.identity:
        return "the change log is another one than before: the source was restored, replaced or promoted"
    return "the source went back in time: it was restored from a backup" if before.horizon > xmax else ""


def _entry(row: Row[Any]) -> Entry:
    return Entry(row.seq, row.customer_key, row.op, row.was, row.origin or "", row.at, bool(row.own))

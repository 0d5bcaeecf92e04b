"""Polls a timestamp column, where no trigger may be installed. *Not loss-free.*

A stamp is taken before its transaction commits, so every poll looks back by an overlap and remembers what it saw there.
Lost all the same until the verify sweep: transactions open for longer than the overlap, deletions, writes that do not
touch the stamp, stamps more than a day ahead of the database's clock.

The position is the latest stamp that was read, as the column has it: a column without a zone may be in any.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from syncd.source.changelog import Entry
from syncd.source.database import Source, reading
from syncd.source.keys import spelled
from syncd.source.snapshot import Changes

OVERLAP = timedelta(minutes=10)
_GRAIN = timedelta(seconds=2)  # two edits of one second may have the same stamp: look at the row once more
_AHEAD = timedelta(days=1)


class Stamped(NamedTuple):
    """A row in the overlap: its stamp, when it was first read, and whether one more look is due (`again`)."""

    stamp: str
    first: datetime
    again: bool


def read(source: Source, cursor: str, overlap: timedelta = OVERLAP) -> Changes:
    """The customers with a new stamp since `cursor`; '' answers the position alone, since the first pass looks at older
    rows."""
    latest, seen = _position(cursor)
    rows, now = _rows(source, latest, overlap)
    entries: list[Entry] = []
    kept: dict[str, Stamped] = {}
    for key, stamp, moment in rows:
        known = seen.get(key)
        if known is None or known.stamp != stamp:
            known = Stamped(stamp, now, moment.microsecond == 0)
            entries.append(Entry(0, key, "U", at=moment.replace(tzinfo=UTC)))
        elif known.again:
            entries.append(Entry(0, key, "U", at=moment.replace(tzinfo=UTC)))
            known = Stamped(stamp, known.first, now - known.first < _GRAIN)
        kept[key] = known
        latest = moment if latest is None else max(latest, moment)
    position = latest or now
    window = {key: kept[key] for key, _, moment in rows if moment >= position - overlap}
    return Changes(tuple(entries) if cursor else (), _cursor(position, window))


def _rows(
    source: Source, latest: datetime | None, overlap: timedelta
) -> tuple[list[tuple[str, str, datetime]], datetime]:
    """(key, stamp, moment) of the rows in the overlap, and the database's own clock as naive UTC."""
    stamp = source.updated_at
    if stamp is None:
        raise ValueError("the source was opened without updated_at")
    with reading(source) as conn:
        now = _naive(conn.execute(sa.select(_clock(source))).scalar_one()) or datetime(1970, 1, 1)  # noqa: DTZ001 - naive UTC
        if latest is None:
            top = sa.select(sa.func.max(_plain(source, stamp))).where(stamp <= _bound(source, stamp, now + _AHEAD))
            latest = _naive(conn.execute(top).scalar()) or now
        query = sa.select(sa.type_coerce(source.key, sa.types.NullType()), _plain(source, stamp)).where(
            source.key.is_not(None),
            stamp >= _bound(source, stamp, latest - overlap),
            stamp <= _bound(source, stamp, now + _AHEAD),
        )
        found = conn.execute(query).all()
    rows = [(spelled(source.key_kind, key), str(at), moment) for key, at in found if (moment := _naive(at)) is not None]
    return sorted(rows, key=lambda row: row[2]), now


def _plain(source: Source, stamp: sa.Column[Any]) -> sa.ColumnElement[Any]:
    return sa.type_coerce(stamp, sa.Text() if source.dialect == "sqlite" else sa.types.NullType())


def _bound(source: Source, stamp: sa.Column[Any], moment: datetime) -> sa.BindParameter[Any]:
    if source.dialect == "sqlite":  # a blank sorts before the T of ISO 8601: at worst too many rows are looked at
        return sa.literal(moment.isoformat(" ", "seconds"), sa.Text())
    zoned = getattr(stamp.type, "timezone", False)
    return sa.literal(moment.replace(tzinfo=UTC) if zoned else moment, stamp.type)


def _clock(source: Source) -> sa.ColumnElement[Any]:
    if source.dialect == "sqlite":
        return sa.literal_column("strftime('%Y-%m-%d %H:%M:%S', 'now')", sa.Text())
    return sa.literal_column("UTC_TIMESTAMP(6)") if source.dialect == "mysql" else sa.func.now()


def _naive(at: Any) -> datetime | None:
    """A stamp without its zone; None for text that is no time."""
    if isinstance(at, str):
        try:
            at = datetime.fromisoformat(at)
        except ValueError:
            return None
    if not isinstance(at, datetime):
        return None
    return at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at


def _cursor(position: datetime, window: dict[str, Stamped]) -> str:
    seen = {key: [each.stamp, each.first.isoformat(), each.again] for key, each in window.items()}
    return json.dumps({"at": position.isoformat(), "seen": seen})


def _position(cursor: str) -> tuple[datetime | None, dict[str, Stamped]]:
    if not cursor:
        return None, {}
    parts = json.loads(cursor)
    seen = {
        key: Stamped(stamp, datetime.fromisoformat(first), again)
        for key, (stamp, first, again) in parts["seen"].items()
    }
    return datetime.fromisoformat(parts["at"]), seen

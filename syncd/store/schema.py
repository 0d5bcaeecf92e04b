"""The tables of the state database, as Alembic's metadata.

Alembic alone creates and changes them (`migrations/`); a test compares the two. No column can hold a customer's value:
fields appear as keyed digests, and `digests` refuses any text that is not a digest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.types import TypeDecorator

from syncd.core.model import Stage, State

Transaction = Connection

REVISIONS: tuple[str, ...] = ("0001", "0002")
"""Every Alembic revision this code knows, oldest first; the last one is the schema below."""

BACKFILL = "backfill"
"""The reason of a pair that only a pass over the source made due: it waits behind pairs of changes."""
CHANGED = "changed"
"""The reason of an ordinary edit: the present row says everything."""
ADOPTED = "adopted"
"""The reason of a pair that a person accepted from a match report: it allows one filling of empty sides."""
INSERTED = "inserted"
"""The reason of a pair whose row a trigger saw inserted: under a linked key it may be another customer's row."""
DELETED = "deleted"
"""The reason of a pair whose row a trigger saw deleted: this proof must outlive every other mark."""

DIGEST = 32  # characters
_HEX = re.compile(r"[0-9a-f]*")
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,63}")


def digests(values: Iterable[str | None]) -> None:
    """Refuse anything but digests (32 hexadecimal characters) or None, so that no value can slip into the state."""
    given = [value for value in values if value is not None]
    if set(map(len, given)) - {DIGEST} or not _HEX.fullmatch("".join(given)):
        raise ValueError("the state keeps digests only, never a value")


def field_names(names: Iterable[str]) -> None:
    """Refuse anything but field names (lower case, digits, underscores)."""
    if not all(_FIELD.fullmatch(name) for name in set(names)):
        raise ValueError("not a field's name")


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC datetimes in and out; SQLite itself would return naive ones."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], datetime | str | None]:
        """One step in place of the two of a `TypeDecorator`: a group of pairs holds hundreds of moments."""
        return _to_text if dialect.name == "sqlite" else _to_utc

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:  # noqa: ARG002
        """One step, as in `bind_processor`."""
        return _of_text if dialect.name == "sqlite" else _to_utc


def _to_utc(value: datetime | None) -> datetime | None:
    if value is not None and value.tzinfo is None:
        raise ValueError("a naive datetime has no place in the state")
    return None if value is None else value.astimezone(UTC)


@lru_cache(256)  # a group of pairs holds the same few moments
def _to_text(value: datetime | None) -> str | None:
    """The text that SQLAlchemy stores for a datetime in SQLite."""
    moment = _to_utc(value)
    return None if moment is None else moment.replace(tzinfo=None).isoformat(" ", "microseconds")


@lru_cache(1024)
def _of_text(value: str | None) -> datetime | None:
    """The moment of a text in SQLite; some texts that version 1.0.0 wrote hold a time zone."""
    if value is None:
        return None
    return datetime.fromisoformat(value if value.endswith("+00:00") else value + "+00:00")


metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def _moment(name: str, *, required: bool = True) -> sa.Column[datetime]:
    return sa.Column(name, UtcDateTime(), nullable=not required)


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True)


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), primary_key=key, nullable=False)


mapping = sa.Table(
    "mapping",
    metadata,
    _text("provider", key=True),
    _text("customer_key", key=True),
    sa.Column("provider_key", sa.Text()),
    sa.Column("external_id", sa.Text()),
    sa.Column("external_ids", sa.JSON(), nullable=False),
    sa.Column("base", sa.JSON(), nullable=False),
    _text("state"),
    _moment("created_at", required=False),
    _moment("synced_at", required=False),
    _moment("verified_at", required=False),
    sa.Column("version", sa.Text()),  # of the record that the whole base agrees with
    sa.UniqueConstraint("provider", "provider_key"),
    sa.UniqueConstraint("provider", "external_id"),
    sa.Index(None, "customer_key"),
)

work = sa.Table(
    "work",
    metadata,
    _text("provider", key=True),
    _text("customer_key", key=True),
    sa.Column("generation", sa.BigInteger(), nullable=False),
    _text("reason"),
    _moment("since"),
    _moment("due_at"),
    sa.Column("attempts", sa.Integer(), nullable=False),
    _text("error_class"),
    _text("error"),
    sa.Column("shown", sa.BigInteger(), nullable=False),  # the review item that first showed a staged operation; or 0
    sa.Index(None, "customer_key"),
    sa.Index(None, "provider", "error_class"),
)

IS_BACKFILL = work.c.reason == sa.literal_column("'backfill'")
"""A literal and no parameter: only so can either database prove that a partial index answers the question."""
IS_LIVE = work.c.reason != sa.literal_column("'backfill'")

for _name, _part in (("ix_work_live", IS_LIVE), ("ix_work_backfill", IS_BACKFILL)):
    # PostgreSQL's condition stands in the revision alone: to name it here loads that dialect at every start.
    sa.Index(_name, work.c.provider, work.c.due_at, work.c.generation, sqlite_where=_part)

intent = sa.Table(
    "intent",
    metadata,
    _id(),
    _text("provider"),
    _text("customer_key"),
    _text("verb"),
    sa.Column("fields", sa.JSON(), nullable=False),
    _text("stage"),
    sa.Column("epoch", sa.BigInteger(), nullable=False),
    _moment("at"),
    _moment("settle_until"),
    _text("note"),
    sa.Index(None, "provider", "customer_key", "stage", "settle_until"),  # whether a due pair is held, by itself alone
    sa.Index(None, "provider", "stage", "settle_until"),
    sqlite_autoincrement=True,  # a late update must never hit a younger intent that got the same id
)

IS_OPEN = intent.c.stage == Stage.OPEN.value

tombstone = sa.Table(
    "tombstone",
    metadata,
    _id(),
    _text("provider"),
    sa.Column("external_digest", sa.Text()),
    _text("key_digest"),
    _text("how"),
    _moment("at"),
    sa.Index(None, "external_digest"),
    sa.Index(None, "key_digest"),
)

review = sa.Table(
    "review",
    metadata,
    _id(),
    _text("kind"),
    _text("provider"),
    _text("customer_key"),
    sa.Column("fields", sa.JSON(), nullable=False),
    _text("reason"),
    _moment("opened_at"),
    _moment("closed_at", required=False),
    _text("decision"),
    _moment("decided_at", required=False),
    sa.Column("count", sa.Integer(), nullable=False),
    sa.Index(None, "provider", "customer_key"),
    sa.Index(None, "closed_at", "decision"),
    sqlite_autoincrement=True,  # a number that a person has read never names another item
)

event = sa.Table(
    "event",
    metadata,
    _id(),
    _text("provider"),
    _text("customer_key"),
    _moment("at"),
    _text("event"),
    sa.Column("fields", sa.JSON(), nullable=False),
    _text("detail"),
    sa.Index(None, "customer_key", "provider", "id"),
)

run = sa.Table(
    "run",
    metadata,
    _id(),
    _text("run_id"),
    _text("mode"),
    _moment("started_at"),
    _moment("finished_at", required=False),
    _text("outcome"),
    sa.Column("counts", sa.JSON(), nullable=False),
    sa.UniqueConstraint("run_id"),
)

provider_state = sa.Table(
    "provider_state",
    metadata,
    _text("provider", key=True),
    _text("state"),
    _text("reason"),
    _moment("since", required=False),
    _moment("until", required=False),
    _text("pace"),
    _text("breaker"),
    _moment("last_ok", required=False),
    _text("month"),
    sa.Column("calls_month", sa.BigInteger(), nullable=False),
    sa.Column("backfilled", sa.Boolean(), nullable=False),
    _text("config_hash"),
    *(sa.Column(f"n_{state.value}", sa.Integer(), nullable=False) for state in State),
)

budget = sa.Table(
    "budget",
    metadata,
    _text("provider", key=True),
    _text("verb", key=True),
    sa.Column("hour", UtcDateTime(), primary_key=True),
    sa.Column("count", sa.Integer(), nullable=False),
)

cursor = sa.Table("cursor", metadata, _text("name", key=True), _text("value"))

lease = sa.Table(
    "lease",
    metadata,
    _text("name", key=True),
    _text("holder"),
    sa.Column("epoch", sa.BigInteger(), nullable=False),
    sa.Column("until", sa.Double(), nullable=False),  # seconds since 1970, on the database's own clock
)

pulse = sa.Table(
    "pulse",
    metadata,
    _text("holder", key=True),  # names one process
    _text("host"),
    sa.Column("pid", sa.BigInteger(), nullable=False),
    sa.Column("poll", sa.Double(), nullable=False),  # seconds between two polls, as its settings say
    sa.Column("since", sa.Double(), nullable=False),  # seconds since 1970, on the database's own clock
    sa.Column("seen", sa.Double(), nullable=False),
    _text("trouble"),  # the log event that says why the daemon cannot work; "" while it works
    _text("reason"),
)

meta = sa.Table(
    "meta",
    metadata,
    _text("name", key=True),
    _text("value"),
    sa.Column("number", sa.BigInteger(), nullable=False),  # counters: incremented in place, never read first
)

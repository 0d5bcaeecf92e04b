"""The whole state as rows: carried into another database and compared there, or kept in a file beside a daemon."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from syncd.errors import StateUnreachable
from syncd.store.failures import mapped
from syncd.store.schema import Transaction, metadata

CHUNK = 500  # rows of one INSERT, held in memory
_NUMBERED = tuple(table for table in metadata.sorted_tables if "id" in table.c)


def contents(tx: Transaction) -> dict[str, tuple[int, str]]:
    """By table: how many rows it has, and a digest of all rows. The digest does not depend on their order, because
    SQLite and PostgreSQL sort texts differently."""
    found = {}
    for table in metadata.sorted_tables:
        number, total = 0, 0
        for row in tx.execute(sa.select(table).execution_options(yield_per=CHUNK)).mappings():
            text = json.dumps(dict(row), sort_keys=True, default=_plain).encode()
            number += 1
            total += int.from_bytes(hashlib.blake2b(text, digest_size=16).digest())
        found[table.name] = (number, f"{total % (1 << 128):032x}")
    return found


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"a state holds no {type(value).__name__}")


def copy(source: Transaction, target: Transaction) -> None:
    """Copy every row of every table, and the counters of row numbers: the number of a review item that a person has
    read must never name another item."""
    for table in metadata.sorted_tables:
        rows = source.execute(sa.select(table).execution_options(yield_per=CHUNK)).mappings()
        for part in rows.partitions(CHUNK):
            target.execute(table.insert(), [dict(row) for row in part])
    for table in _NUMBERED:
        _continue_from(target, table, max(_last_number(source, table), _highest(source, table)))


def _highest(tx: Transaction, table: sa.Table) -> int:
    return int(tx.execute(sa.select(sa.func.coalesce(sa.func.max(table.c.id), 0))).scalar_one())


def _last_number(tx: Transaction, table: sa.Table) -> int:
    """The last number that was ever given out, as far as the database remembers it."""
    if tx.dialect.name == "postgresql":
        sequence = tx.execute(sa.text("SELECT pg_get_serial_sequence(:name, 'id')"), {"name": table.name}).scalar_one()
        query = "SELECT last_value FROM pg_sequences WHERE format('%I.%I', schemaname, sequencename) = :name"
        return int(tx.execute(sa.text(query), {"name": sequence}).scalar_one_or_none() or 0)
    if not table.dialect_options["sqlite"]["autoincrement"]:
        return 0
    query = "SELECT seq FROM sqlite_sequence WHERE name = :name"
    return int(tx.execute(sa.text(query), {"name": table.name}).scalar_one_or_none() or 0)


def _continue_from(tx: Transaction, table: sa.Table, last: int) -> None:
    if not last:
        return
    if tx.dialect.name == "postgresql":
        query = sa.text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :last)")
        tx.execute(query, {"name": table.name, "last": last})
    elif table.dialect_options["sqlite"]["autoincrement"]:
        named = {"name": table.name, "last": last}
        tx.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = :name"), named)
        tx.execute(sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)"), named)


def rows_of(counted: Mapping[str, tuple[int, str]]) -> int:
    """The number of rows in all tables."""
    return sum(number for number, _ in counted.values())


def back_up(state: Path, target: Path) -> None:
    """A consistent copy of a SQLite state as it is at one moment, while others write: SQLite's own backup, in one read.

    The file appears whole or not at all, mode 0600. Raises `StateUnreachable` where the disk refuses or the copy is
    damaged, FileExistsError where `target` exists.
    """
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with mapped(), closing(sqlite3.connect(state)) as ours, closing(sqlite3.connect(draft)) as copied:
            ours.backup(copied)
            copied.execute("PRAGMA journal_mode=DELETE").close()
            sound = copied.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
        if not sound:
            raise StateUnreachable("the copy is damaged, and so is the state", remedy="syncd doctor")
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        os.link(draft, target)
    except FileExistsError:
        raise
    except OSError as error:
        raise StateUnreachable(
            f"{target} cannot be written ({type(error).__name__})",
            remedy=f"ls -ld {target.parent}; df -h {target.parent}",
        ) from None
    finally:
        draft.unlink(missing_ok=True)

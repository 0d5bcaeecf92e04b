"""The whole state in another database: SQLite and PostgreSQL, both ways."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from syncd.core.model import FieldBase, Link, Pair, Verb
from syncd.core.model import State as Shown
from syncd.errors import LeaseHeld, UsageError
from syncd.operate.copy_state import back_up, copy_state
from syncd.store import copying, journal, leases, mapping, progress, review, tombstones, work
from syncd.store.database import State, open_state, upgrade
from tests.contract.conftest import STATE_KEY
from tests.databases import database

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
KINDS = ("sqlite", "postgresql")


def blank(url: str) -> State:
    """A new, empty state."""
    opened = open_state(url, key=STATE_KEY, check=False)
    upgrade(opened)
    return opened


def fill(state: State) -> None:
    """Texts that two databases sort differently, moments, JSON, numbers, and a number that was given and is gone."""
    with state.begin() as tx:
        for key in ("1", "10", "2", "ä", "Z", "a"):
            base = {"city": FieldBase("0" * 32, None)}
            mapping.save(tx, Link(Pair("billbee", key), key, f"x-{key}", {"id": key}, base, Shown.LINKED, NOW))
        work.mark(tx, [Pair("billbee", "1")], "changed", NOW)
        tombstones.bury(tx, STATE_KEY, "billbee", "x-9", "9", "forgotten", NOW)
        progress.spend(tx, "billbee", "update", 3, NOW)
        leases.release(tx, leases.acquire(tx, "lane:billbee", "somebody", 90.0))
        for key in ("1", "2", "10"):
            review.open_review(tx, "billbee", key, "conflict", {}, "why", NOW)
        tx.execute(sa.text("DELETE FROM review WHERE id = 3"))


@contextmanager
def two_states(here: str, there: str, directory: Path) -> Iterator[tuple[State, State]]:
    """A filled state and an empty one."""
    with (
        database(here, directory) as one,
        database(there, directory) as other,
        closing(blank(one)) as ours,
        closing(blank(other)) as theirs,
    ):
        fill(ours)
        yield ours, theirs


@pytest.mark.parametrize("there", KINDS)
@pytest.mark.parametrize("here", KINDS)
def test_a_copied_state_is_the_same_state(here: str, there: str, tmp_path: Path) -> None:
    """Every row arrives, compared by content, and no number is ever given twice."""
    with two_states(here, there, tmp_path) as (ours, theirs):
        rows = copy_state(ours, theirs, "URL")

        with ours.read() as a, theirs.read() as b:
            assert copying.contents(a) == copying.contents(b)
            assert mapping.of_customer(a, "ä") == mapping.of_customer(b, "ä")
            assert tombstones.buried(b, STATE_KEY, "billbee", external_id="x-9")
        assert (rows["mapping"], rows["review"]) == (6, 2)
        with theirs.begin() as tx:
            assert review.open_review(tx, "billbee", "ä", "conflict", {}, "", NOW) == 4
            assert journal.open_intent(tx, Pair("billbee", "ä"), Verb.UPDATE, {}, 1, NOW, NOW) == 1


@pytest.mark.parametrize("there", KINDS)
def test_nothing_is_copied_over_another_state(there: str, tmp_path: Path) -> None:
    """A target with one row is refused and stays as it is."""
    with two_states("sqlite", there, tmp_path) as (ours, theirs):
        with theirs.begin() as tx:
            progress.set_meta(tx, "owner", "somebody")
        with pytest.raises(UsageError, match="not empty"):
            copy_state(ours, theirs, "URL")
        with theirs.read() as tx:
            assert copying.rows_of(copying.contents(tx)) == 1


@pytest.mark.parametrize("here", KINDS)
def test_a_state_at_work_is_not_copied(here: str, tmp_path: Path) -> None:
    """A living lease or the lock of the file means a daemon: two states of one installation would be one too many."""
    with two_states(here, "sqlite", tmp_path) as (ours, theirs):
        lock = leases.lock_file(ours.path) if ours.path is not None else None
        with ours.begin() as tx:
            leases.acquire(tx, "capture", "a daemon", 60.0)
        try:
            with pytest.raises(LeaseHeld) as held:
                copy_state(ours, theirs, "URL")
        finally:
            if lock is not None:
                lock.close()
        assert "syncd db copy" in held.value.remedy
        with theirs.read() as tx:
            assert copying.rows_of(copying.contents(tx)) == 0


def test_a_backup_is_whole_while_somebody_writes(tmp_path: Path) -> None:
    """The copy is the state before the open transaction, private, and opens as a state."""
    with database("sqlite", tmp_path) as url, closing(blank(url)) as ours:
        fill(ours)
        with ours.begin() as tx:
            work.mark(tx, [Pair("billbee", "2")], "changed", NOW)
            back_up(ours, tmp_path / "kept.db")
        with closing(open_state(f"sqlite:///{tmp_path}/kept.db", key=STATE_KEY)) as kept, kept.read() as tx:
            assert len(mapping.page(tx, "billbee", "", 9)) == 6
            assert work.read(tx, Pair("billbee", "2")) is None
        assert (tmp_path / "kept.db").stat().st_mode & 0o777 == 0o600
        with pytest.raises(UsageError, match="exists already"):
            back_up(ours, tmp_path / "kept.db")
        with closing(sqlite3.connect(tmp_path / "kept.db")) as kept_file:
            assert kept_file.execute("SELECT count(*) FROM mapping").fetchone() == (6,)
        assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


def test_postgresql_is_kept_by_its_own_tool(tmp_path: Path) -> None:
    """The sentence carries the command; no password is in it."""
    with database("postgresql", tmp_path) as url, closing(blank(url)) as ours:
        with pytest.raises(UsageError) as told:
            back_up(ours, tmp_path / "kept.dump")
        assert told.value.remedy.startswith(f"pg_dump --format=custom --file={tmp_path}/kept.dump --host=127.0.0.1")

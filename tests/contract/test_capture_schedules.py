"""Twelve schedules of concurrent transactions that lose changes for every plausible but wrong way to read a log.

The schedules run against a real database through the real triggers; waiting is virtual. Our three ways lose nothing in
any of them. The wrong ways stand here as mutants, and the schedules are believed only because they kill every one.
The twelfth, two-phase commit, and a real standby need a server of our own: `test_capture_own_server.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from syncd.source import changelog, snapshot
from syncd.source.database import Source
from tests.contract.shop import Shop, shop
from tests.databases import database

ROWS = 1700


# --- the stage -----------------------------------------------------------------------------------------------------


class Writer:
    """One transaction of the application. Its stamp is taken when it begins, as now() is."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.at = stage.now
        self.keys: list[int] = []
        self.conn = stage.app.connect()
        self.conn.begin()

    def take_xid(self) -> None:
        self.conn.exec_driver_sql("SELECT pg_current_xact_id()")

    def change(self, first: int, last: int | None = None) -> None:
        keys = list(range(first, (last or first) + 1))
        self.say(f"UPDATE customers SET stamp = {self.at} WHERE id BETWEEN {keys[0]} AND {keys[-1]}")
        self.keys += keys

    def say(self, statement: str) -> None:
        self.conn.exec_driver_sql(statement)

    def commit(self) -> None:
        self.conn.commit()
        self.committed()
        self.conn.close()

    def committed(self) -> None:
        self.stage.committed |= set(self.keys)

    def rollback(self) -> None:
        self.conn.rollback()
        self.conn.close()


@dataclass
class Stage:
    """A source, the application beside it, virtual time in seconds, and what was committed and delivered."""

    source: Source
    app: sa.Engine
    now: float = 1000.0
    committed: set[int] = field(default_factory=set)
    delivered: list[int] = field(default_factory=list)
    writers: list[Writer] = field(default_factory=list)
    reader: Reader | None = None
    during: Callable[[], None] | None = None

    def writer(self) -> Writer:
        self.writers.append(Writer(self))
        return self.writers[-1]

    def change(self, key: int) -> None:
        writer = self.writer()
        writer.change(key)
        writer.commit()

    def tick(self, seconds: float) -> None:
        self.now += seconds

    def poll(self, during: Callable[[], None] | None = None) -> None:
        """One poll; `during` happens right after its first look at the data."""
        assert self.reader is not None
        self.during = during
        self.delivered += self.reader.poll(self)

    def looked(self, statement: str) -> None:
        if self.during and ("change_log" in statement or "FROM customers" in statement):
            during, self.during = self.during, None
            during()

    def outlive(self) -> None:
        """Wait until every transaction of the whole server that is open now has ended: others use it too."""
        with self.app.begin() as conn:
            bound = int(conn.exec_driver_sql("SELECT pg_current_xact_id()::text").scalar_one())
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with self.app.begin() as conn:
                if (
                    int(conn.exec_driver_sql("SELECT pg_snapshot_xmin(pg_current_snapshot())::text").scalar_one())
                    > bound
                ):
                    return
            time.sleep(0.01)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """A mutant's reading."""
        with self.source.engine.begin() as conn:
            return [tuple(row) for row in conn.exec_driver_sql(query)]


class Reader(Protocol):
    def poll(self, stage: Stage) -> list[int]: ...


# --- our three ways ------------------------------------------------------------------------------------------------


class Consume:
    """What the daemon does: read, make due, acknowledge exactly that."""

    def poll(self, stage: Stage) -> list[int]:
        batch = changelog.read(stage.source)
        changelog.acknowledge(stage.source, batch, "me")
        return [int(entry.key) for entry in batch.entries]


class Snapshot:
    """The read-only account on a primary."""

    cursor = ""

    def poll(self, stage: Stage) -> list[int]:
        changes = snapshot.read(stage.source, self.cursor)
        self.cursor = changes.cursor
        return [int(entry.key) for entry in changes.entries]


class Window:
    """The read-only account on a standby: the same reading, told that this is one."""

    cursor = ""

    def poll(self, stage: Stage) -> list[int]:
        with stage.source.engine.connect().execution_options(isolation_level="REPEATABLE READ") as conn:
            facts = list(conn.execute(sa.text(snapshot.IDENTITY)).one())
            facts[4] = True
            changes = snapshot.changes(conn, tuple(facts), snapshot.position(self.cursor))
        self.cursor = changes.cursor
        return [int(entry.key) for entry in changes.entries]


# --- the wrong ways ------------------------------------------------------------------------------------------------


def log_of(stage: Stage) -> str:
    return "syncd.change_log" if stage.source.dialect == "postgresql" else "syncd_change_log"


class Overlap:
    """seq > last - overlap, minus what was seen; with overlap 0 the naive way."""

    def __init__(self, overlap: int) -> None:
        self.overlap = overlap
        self.last = 0
        self.seen: set[int] = set()

    def poll(self, stage: Stage) -> list[int]:
        query = f"SELECT seq, customer_key FROM {log_of(stage)} WHERE seq > {self.last - self.overlap} ORDER BY seq"
        new = [(seq, int(key)) for seq, key in stage.ask(query) if seq not in self.seen]
        self.seen |= {seq for seq, _ in new}
        self.last = max([self.last, *self.seen])
        return [key for _, key in new]


class UpdatedAt:
    """stamp > last - window, minus what was seen."""

    def __init__(self, window: float) -> None:
        self.window = window
        self.last = 999.0
        self.seen: set[tuple[int, float]] = set()

    def poll(self, stage: Stage) -> list[int]:
        rows = stage.ask(f"SELECT id, stamp FROM customers WHERE stamp > {self.last - self.window} ORDER BY stamp")
        new = [(key, at) for key, at in rows if (key, at) not in self.seen and at > 999]
        self.seen |= set(new)
        self.last = max([self.last, *(at for _, at in new)])
        return [key for key, _ in new]


class XidCursor:
    """xid > the largest seen."""

    last = 0

    def poll(self, stage: Stage) -> list[int]:
        rows = stage.ask(f"SELECT xid::text, customer_key FROM {log_of(stage)} WHERE xid > '{self.last}'::xid8")
        self.last = max([self.last, *(int(xid) for xid, _ in rows)])
        return [int(key) for _, key in rows]


class GapTimeout:
    """Stop at a hole until it is filled or so many seconds old."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.last = 0
        self.since: dict[int, float] = {}

    def poll(self, stage: Stage) -> list[int]:
        rows = stage.ask(f"SELECT seq, customer_key FROM {log_of(stage)} WHERE seq > {self.last} ORDER BY seq")
        found = []
        for seq, key in rows:
            holes = range(self.last + 1, seq)
            if any(stage.now - self.since.setdefault(hole, stage.now) < self.seconds for hole in holes):
                break
            self.last = seq
            found.append(int(key))
        return found


class GapProof:
    """A hole is dead once every transaction has ended that was open when it was noticed, as far as xids tell."""

    def __init__(self, bound: str) -> None:
        self.bound = bound
        self.last = 0
        self.holes: dict[int, int] = {}

    def poll(self, stage: Stage) -> list[int]:
        lowest = min([self.last + 1, *self.holes])
        rows = dict(stage.ask(f"SELECT seq, customer_key FROM {log_of(stage)} WHERE seq >= {lowest}"))
        (xmin,) = stage.ask("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")[0]
        found = [int(rows[hole]) for hole in self.holes if hole in rows]
        self.holes = {h: bound for h, bound in self.holes.items() if h not in rows and int(xmin) <= bound}
        new = {seq: key for seq, key in rows.items() if seq > self.last}
        if new:
            (bound,) = stage.ask(f"SELECT ({self.bound})::text")[0]
            self.holes |= {hole: int(bound) for hole in range(self.last + 1, max(new)) if hole not in rows}
            self.last = max(new)
        return found + [int(key) for key in new.values()]


class DeleteUpTo:
    """Read, then delete everything up to the largest number read."""

    def poll(self, stage: Stage) -> list[int]:
        rows = stage.ask(f"SELECT seq, customer_key FROM {log_of(stage)} ORDER BY seq LIMIT 1000")
        if rows:
            with stage.source.engine.begin() as conn:
                conn.exec_driver_sql(f"DELETE FROM {log_of(stage)} WHERE seq <= {max(seq for seq, _ in rows)}")
        return [int(key) for _, key in rows]


MUTANTS: dict[str, Callable[[], Reader]] = {
    "naive_seq": lambda: Overlap(0),
    "overlap_seq_100": lambda: Overlap(100),
    "overlap_seq_1000": lambda: Overlap(1000),
    "updated_at_strict": lambda: UpdatedAt(0),
    "updated_at_win2s": lambda: UpdatedAt(2),
    "gap_timeout_1s": lambda: GapTimeout(1),
    "gap_timeout_5s": lambda: GapTimeout(5),
    "consume_delete_upto": DeleteUpTo,
}
POSTGRES_MUTANTS = MUTANTS | {
    "xid_cursor": XidCursor,
    "gap_proof_xmax": lambda: GapProof("pg_snapshot_xmax(pg_current_snapshot())"),
    "gap_proof_nextxid": lambda: GapProof("pg_current_xact_id()"),
}


# --- the schedules -------------------------------------------------------------------------------------------------


def out_of_order(stage: Stage) -> None:
    """The lower number commits after the higher one was read."""
    slow = stage.writer()
    slow.change(1)
    stage.tick(0.1)
    stage.change(2)
    stage.poll()
    slow.commit()


def slow_20s(stage: Stage) -> None:
    """A transaction stays open for 20 seconds beside steady traffic."""
    slow = stage.writer()
    slow.change(1)
    for key in range(2, 22):
        stage.tick(1)
        stage.change(key)
        stage.poll()
    slow.commit()


def rollback_hole(stage: Stage) -> None:
    """A rolled back transaction leaves a number that nobody will ever fill."""
    gone = stage.writer()
    gone.change(1)
    gone.rollback()
    stage.change(2)
    for _ in range(3):
        stage.poll()
        stage.tick(1)
    stage.change(3)


def xid_reversed(stage: Stage) -> None:
    """The younger transaction takes the lower number and commits last."""
    older, younger = stage.writer(), stage.writer()
    older.take_xid()
    younger.take_xid()
    younger.change(1)
    stage.tick(0.1)
    older.change(2)
    older.commit()
    stage.poll()
    stage.tick(0.1)
    stage.poll()
    younger.commit()


def seq_cache(stage: Stage) -> None:
    """Sessions cache numbers: a low one appears long after every transaction of its time has ended."""
    with stage.app.begin() as conn:
        conn.exec_driver_sql("ALTER SEQUENCE syncd.change_log_seq_seq CACHE 50")
    first, second = stage.writer(), stage.writer()
    first.change(1)
    first.conn.commit()
    first.committed()
    second.change(2)
    second.commit()
    for _ in range(3):
        stage.poll()
        stage.outlive()
        stage.tick(1)
    first.change(3)
    first.commit()


def burst_1500(stage: Stage) -> None:
    """More rows than any overlap commit beside an open transaction."""
    slow = stage.writer()
    slow.change(1)
    stage.tick(0.1)
    burst = stage.writer()
    burst.change(100, 1599)
    burst.commit()
    stage.poll()
    stage.poll()
    slow.commit()


def savepoint(stage: Stage) -> None:
    """A change inside a subtransaction becomes visible with the whole; a rolled back one never."""
    slow = stage.writer()
    slow.say("SAVEPOINT one")
    slow.change(5)
    slow.say("ROLLBACK TO SAVEPOINT one")
    slow.keys.clear()
    slow.say("SAVEPOINT two")
    slow.change(1)
    slow.say("RELEASE SAVEPOINT two")
    if stage.source.dialect != "sqlite":
        stage.tick(0.1)
        stage.change(2)
        stage.poll()
    slow.commit()


def prepared(stage: Stage) -> None:
    """A two-phase transaction is committed later, by nobody's session."""
    slow = stage.writer()
    slow.change(1)
    slow.say("PREPARE TRANSACTION 'syncd test'")
    stage.tick(0.1)
    stage.change(2)
    stage.poll()
    with stage.app.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.exec_driver_sql("COMMIT PREPARED 'syncd test'")
    slow.committed()
    slow.rollback()


def late_row(stage: Stage) -> None:
    """A transaction begins early and writes late: its stamp is older than what was read."""
    slow = stage.writer()
    stage.tick(0.5)
    stage.change(2)
    stage.poll()
    slow.change(1)
    slow.commit()


def old_xid(stage: Stage) -> None:
    """A transaction got its xid long before it writes."""
    slow = stage.writer()
    slow.take_xid()
    stage.tick(0.1)
    stage.change(2)
    stage.poll()
    slow.change(1)
    stage.change(3)
    stage.poll()
    slow.commit()


def commit_in_poll(stage: Stage) -> None:
    """A lower number commits between the reading and the deleting of one poll."""
    slow = stage.writer()
    slow.change(1)
    stage.tick(0.1)
    stage.change(2)
    stage.poll(during=slow.commit)


def two_in_poll(stage: Stage) -> None:
    """Two of them."""
    one, two = stage.writer(), stage.writer()
    one.change(1)
    two.change(2)
    stage.tick(0.1)
    stage.change(3)

    def both() -> None:
        two.commit()
        one.commit()

    stage.poll(during=both)


Schedule = Callable[[Stage], None]
POSTGRES: list[Schedule] = [
    out_of_order, slow_20s, rollback_hole, xid_reversed, seq_cache, burst_1500, savepoint, late_row, old_xid,
    commit_in_poll, two_in_poll,
]  # fmt: skip
MARIADB: list[Schedule] = [
    out_of_order, slow_20s, rollback_hole, burst_1500, savepoint, late_row, commit_in_poll, two_in_poll,
]  # fmt: skip
SQLITE: list[Schedule] = [rollback_hole, savepoint]  # one writer at a time: numbers come in the order of commits
OURS: dict[str, Callable[[], Reader]] = {"consume": Consume, "snapshot_delta": Snapshot, "eager_window": Window}


# --- running them --------------------------------------------------------------------------------------------------


@dataclass
class Theatre:
    """A shop with installed triggers; every run begins with an empty log."""

    made: Shop
    source: Source

    def run(self, reader: Reader, schedule: Schedule) -> Stage:
        """Play a schedule to its end, with a minute of quiet polls after it."""
        self.made.run("UPDATE customers SET stamp = 0 WHERE stamp <> 0")
        if self.source.dialect == "postgresql":
            self.made.run(
                "ALTER SEQUENCE syncd.change_log_seq_seq CACHE 1", "TRUNCATE syncd.change_log RESTART IDENTITY"
            )
        elif self.source.dialect == "mysql":
            self.made.run("TRUNCATE syncd_change_log")
        else:
            self.made.run("DELETE FROM syncd_change_log")
        stage = Stage(self.source, self.made.app, reader=reader)

        def looked(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            stage.looked(statement)

        sa.event.listen(self.source.engine, "after_cursor_execute", looked)
        try:
            stage.poll()
            schedule(stage)
            for _ in range(6):
                stage.tick(10)
                stage.poll()
        finally:
            sa.event.remove(self.source.engine, "after_cursor_execute", looked)
            for writer in stage.writers:
                writer.conn.close()
        return stage


def theatre(dialect: str, directory: Path, where: URL | None = None) -> Iterator[Theatre]:
    with database(dialect, directory, where) as url, shop(url) as made:
        made.run("CREATE TABLE customers (id integer PRIMARY KEY, stamp double precision)")
        rows = ", ".join(f"({number}, 0)" for number in range(1, ROWS + 1))
        made.run(f"INSERT INTO customers VALUES {rows}")
        with made.source(fields={}) as source:
            changelog.claim(source, "me")
            yield Theatre(made, source)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    yield from theatre("postgresql", tmp_path_factory.mktemp("postgres"))


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    yield from theatre("mysql", tmp_path_factory.mktemp("mariadb"))


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    yield from theatre("sqlite", tmp_path_factory.mktemp("sqlite"))


def holds(stage: Stage) -> None:
    assert set(stage.delivered) == stage.committed


@pytest.mark.parametrize("schedule", POSTGRES)
@pytest.mark.parametrize("reader", OURS)
def test_nothing_is_lost_on_postgresql(postgres: Theatre, reader: str, schedule: Schedule) -> None:
    """Everything that was committed is delivered, and nothing that was not."""
    holds(postgres.run(OURS[reader](), schedule))


@pytest.mark.parametrize("schedule", MARIADB)
def test_nothing_is_lost_on_mariadb(mariadb: Theatre, schedule: Schedule) -> None:
    """Everything that was committed is delivered, and nothing that was not."""
    holds(mariadb.run(Consume(), schedule))


@pytest.mark.parametrize("schedule", SQLITE)
def test_nothing_is_lost_on_sqlite(sqlite: Theatre, schedule: Schedule) -> None:
    """Everything that was committed is delivered, and nothing that was not."""
    holds(sqlite.run(Consume(), schedule))


def test_consuming_and_windows_deliver_each_row_once(postgres: Theatre) -> None:
    """None of our ways reads a row twice in a quiet log."""
    for make in OURS.values():
        stage = postgres.run(make(), out_of_order)
        assert sorted(stage.delivered) == [1, 2]


def lost_somewhere(stage: Theatre, make: Callable[[], Reader], schedules: list[Schedule]) -> str:
    for schedule in reversed(schedules):  # the last ones kill most, and InnoDB makes some mutants wait in the first
        ended = stage.run(make(), schedule)
        if ended.committed - set(ended.delivered):
            return schedule.__name__
    return ""


@pytest.mark.long
@pytest.mark.parametrize("mutant", POSTGRES_MUTANTS)
def test_every_mutant_dies_on_postgresql(postgres: Theatre, mutant: str) -> None:
    """Each wrong way loses a change in at least one schedule."""
    assert lost_somewhere(postgres, POSTGRES_MUTANTS[mutant], POSTGRES)


@pytest.mark.parametrize("mutant", MUTANTS)
def test_every_mutant_dies_on_mariadb(mariadb: Theatre, mutant: str) -> None:
    """Each wrong way loses a change in at least one schedule."""
    assert lost_somewhere(mariadb, MUTANTS[mutant], MARIADB)

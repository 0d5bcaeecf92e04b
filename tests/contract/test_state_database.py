"""The state database as a whole: opening, revisions, damage, full disks, leases, many threads and processes."""

from __future__ import annotations

import random
import signal
import sqlite3
import stat
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from syncd.core.model import FieldBase, Link, Pair, State, Verb, Work
from syncd.errors import LeaseHeld, LeaseLost, SafetyStop, SettingsError, SetupNeeded, StateUnreachable
from syncd.store import journal, keys, leases, mapping, migrate, progress, schema, work
from syncd.store.database import State as Database
from syncd.store.database import check_schema, open_state, quick_check, revision, upgrade
from syncd.store.journal import Opening

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = b"a state key of at least 32 characters"
CANARY = "canary-c0ffee@example.com"
PAIR = Pair("billbee", "17")
DURABLE = pytest.mark.parametrize("state_url", ["sqlite-file", "postgresql"], indirect=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a SQLite state may be."""
    return tmp_path / "state.db"


@pytest.fixture
def file_state(path: Path) -> Iterator[Database]:
    """A SQLite state in a file, with a key of its own."""
    opened = open_state(f"sqlite:///{path}")
    yield opened
    opened.close()


# -- schema and revisions ------------------------------------------------------------------------------------------


def test_migrations_make_the_declared_tables(state: Database) -> None:
    """Alembic finds nothing to add to what its own revisions made."""
    with state.begin() as tx:
        assert compare_metadata(MigrationContext.configure(tx), schema.metadata) == []


def test_the_code_knows_every_revision() -> None:
    """The list that start-up compares with is the list of migration scripts, oldest first."""
    config = Config()
    config.set_main_option("script_location", str(migrate.scripts()))
    scripts = ScriptDirectory.from_config(config)

    assert [script.revision for script in scripts.walk_revisions()][::-1] == list(schema.REVISIONS)


def test_another_revision_is_refused(state: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older state names the command, a newer one says so, and neither is touched."""
    newest = schema.REVISIONS[-1]
    assert revision(state) == newest
    check_schema(state)
    with monkeypatch.context() as patched:
        patched.setattr(migrate, "REVISIONS", (*schema.REVISIONS, "0777"))
        with pytest.raises(SetupNeeded, match="needs 0777") as older:
            check_schema(state)
    with state.begin() as tx:
        tx.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SetupNeeded, match="newer one wrote it"):
        check_schema(state)
    with pytest.raises(SetupNeeded, match="newer one wrote it"):
        upgrade(state)

    assert older.value.remedy == "syncd db upgrade"
    assert revision(state) == "9999"


def test_an_existing_state_is_compared_at_opening(file_state: Database, path: Path) -> None:
    """A state of another revision does not open, unless the command that mends it asks."""
    with file_state.begin() as tx:
        tx.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(SetupNeeded):
        open_state(f"sqlite:///{path}")
    open_state(f"sqlite:///{path}", check=False).close()


def test_postgresql_is_migrated_by_command_only(postgres_database: str) -> None:
    """An empty PostgreSQL database is refused with the command; a state there without a key is a settings error."""
    with pytest.raises(SetupNeeded) as empty:
        open_state(postgres_database, key=KEY)
    assert empty.value.remedy == "syncd db upgrade"
    with pytest.raises(SettingsError, match="openssl rand"):
        open_state(postgres_database)
    blank = open_state(postgres_database, key=KEY, check=False)
    assert revision(blank) is None
    upgrade(blank)
    upgrade(blank)
    check_schema(blank)
    blank.close()


def test_a_reading_command_creates_nothing(path: Path) -> None:
    """With `create=False` a missing state is said to be missing, and stays so."""
    with pytest.raises(SetupNeeded, match="no state"):
        open_state(f"sqlite:///{path}", create=False)
    assert not path.exists()
    path.touch(0o600)
    with pytest.raises(SetupNeeded, match="no state"):
        open_state(f"sqlite:///{path}", create=False)


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_another_application_keeps_its_file(path: Path, mode: int) -> None:
    """A database with foreign tables is no place for a state, whoever may read it: that is said, and no chmod."""
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE customers (id INTEGER PRIMARY KEY)")
    other.close()
    path.chmod(mode)

    with pytest.raises(SettingsError, match="not a state of syncd") as refused:
        open_state(f"sqlite:///{path}")
    assert "chmod" not in str(refused.value.problems)
    with sqlite3.connect(path) as other:
        assert other.execute("SELECT count(*) FROM sqlite_master").fetchone() == (1,)
    other.close()


@pytest.mark.parametrize("url", ["mysql+pymysql://db/state", "no url", "sqlite:////no/such/directory/state.db"])
def test_a_place_that_cannot_work_is_a_settings_error(url: str) -> None:
    """What no retry will mend is said as a settings error."""
    with pytest.raises(SettingsError, match="state"):
        open_state(url, key=KEY)


OPEN = """
import sys
from syncd.store.database import open_state
state = open_state(sys.argv[1])
print(state.key.decode())
state.close()
"""


def test_processes_that_create_one_state_together(path: Path) -> None:
    """All of them end well, with one schema and one key."""
    command = [sys.executable, "-c", OPEN, f"sqlite:///{path}"]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    ended = [(*process.communicate(timeout=60), process.returncode) for process in running]

    assert [(errors, code) for _, errors, code in ended] == [("", 0)] * 4
    assert len({key for key, _, _ in ended}) == 1


DIE = """
import os, signal, sys
import sqlalchemy as sa
from syncd.store.database import open_state, upgrade
left = int(sys.argv[2])
def count(connection, cursor, statement, *rest):
    global left
    if statement.lstrip().startswith(("CREATE", "INSERT")):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sa.event.listen(sa.Engine, "after_cursor_execute", count)
upgrade(open_state(sys.argv[1], key=b"k" * 32, check=False))
"""


@DURABLE
@pytest.mark.parametrize("statement", [9, *(pytest.param(n, marks=pytest.mark.long) for n in (1, 2, 24))])
def test_a_killed_migration_never_happened(state_url: str, statement: int) -> None:
    """Killed after any of its statements, a migration leaves nothing behind and runs again."""
    killed = subprocess.run([sys.executable, "-c", DIE, state_url, str(statement)], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL

    left = open_state(state_url, key=KEY, check=False)
    if state_url.startswith("postgresql"):
        assert revision(left) is None
        upgrade(left)
    check_schema(left)
    with left.begin() as tx:
        assert compare_metadata(MigrationContext.configure(tx), schema.metadata) == []
    left.close()


# -- the file and its key ------------------------------------------------------------------------------------------


def test_a_state_that_others_can_reach_is_refused(path: Path) -> None:
    """At the start, with the command that mends it; a link is no state, and what it points at stays as it is."""
    open_state(f"sqlite:///{path}").close()
    for mode in (0o640, 0o604, 0o620):
        path.chmod(mode)
        with pytest.raises(SettingsError, match=f"chmod 0600 {path}"):
            open_state(f"sqlite:///{path}")
    path.chmod(0o600)
    open_state(f"sqlite:///{path}").close()
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))
    before = path.read_bytes()
    with pytest.raises(SettingsError, match="symbolic link"):
        open_state(f"sqlite:///{path}")
    path.with_name("elsewhere").unlink()
    with pytest.raises(SettingsError, match="symbolic link"):
        open_state(f"sqlite:///{path}")
    assert before
    assert not path.exists()


def test_a_key_that_others_can_reach_is_refused(path: Path) -> None:
    """At the start, with the command that mends it; a link is no key."""
    open_state(f"sqlite:///{path}").close()
    key = path.with_name(f"{path.name}.key")
    key.chmod(0o640)
    with pytest.raises(SettingsError, match=f"chmod 0600 {key}"):
        open_state(f"sqlite:///{path}")
    key.chmod(0o600)
    open_state(f"sqlite:///{path}").close()
    key.rename(path.with_name("elsewhere"))
    key.symlink_to(path.with_name("elsewhere"))
    with pytest.raises(SettingsError, match="symbolic link"):
        open_state(f"sqlite:///{path}")


def test_a_new_file_is_ours_alone_and_durable(file_state: Database, path: Path) -> None:
    """State and key are made with mode 0600; commits are synced, in WAL mode."""
    secret = path.with_name("state.db.key")
    assert [stat.S_IMODE(file.stat().st_mode) for file in (path, secret)] == [0o600, 0o600]
    assert len(file_state.key) == 64
    int(file_state.key, 16)
    for transaction in (file_state.begin, file_state.read):
        with transaction() as tx:
            pragmas = [tx.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
            assert pragmas == ["wal", 2]
            assert tx.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
            assert tx.exec_driver_sql("PRAGMA busy_timeout").scalar() == 10_000
    again = open_state(f"sqlite:///{path}")
    assert again.key == file_state.key
    again.close()
    assert KEY.decode() not in repr(Database(file_state.writer, file_state.reader, KEY))


def test_a_broken_key_file_is_not_replaced(file_state: Database, path: Path) -> None:
    """A key that was cut off is said to be so: a new one would make every base unreadable."""
    secret = path.with_name("state.db.key")
    secret.write_text("short")

    with pytest.raises(SettingsError, match="32 characters"):
        open_state(f"sqlite:///{path}")
    assert secret.read_text() == "short"


def test_another_key_is_noticed(state: Database) -> None:
    """A state that meets a foreign key stops; giving the old one up forgets bases and keeps links."""
    other = b"another key of more than 32 characters"
    base = {"email": FieldBase("0" * 32, "1" * 32)}
    with state.begin() as tx:
        keys.check_key(tx, state.key)
        keys.check_key(tx, state.key)
        mapping.save(tx, Link(PAIR, "17", "4711", {}, base, State.LINKED))
        with pytest.raises(SafetyStop):
            keys.check_key(tx, other)

        keys.replace_key(tx, other)
        keys.check_key(tx, other)
        found = mapping.read(tx, PAIR)
        assert found is not None
        assert (found.external_id, found.base) == ("4711", {})


def test_a_damaged_file_is_refused_and_kept(path: Path) -> None:
    """Flipped bytes are noticed by the check; the file stays as it is, and the remedy names the backup."""
    opened = open_state(f"sqlite:///{path}", key=KEY)
    with opened.begin() as tx:
        work.mark(tx, [Pair("billbee", str(number)) for number in range(2000)], "changed", NOW)
    opened.close()
    damaged = bytearray(path.read_bytes())
    for start in range(4096 * 3, len(damaged), 4096 * 5):
        damaged[start : start + 64] = random.Random(start).randbytes(64)
    path.write_bytes(damaged)

    damaged_state = open_state(f"sqlite:///{path}", key=KEY)
    with pytest.raises(StateUnreachable, match="damaged") as refused:
        quick_check(damaged_state)
    damaged_state.close()
    assert "backup" in refused.value.remedy
    assert path.read_bytes() == bytes(damaged)


def test_no_database_at_all_is_refused_and_kept(path: Path) -> None:
    """A file of another kind is neither overwritten nor called empty."""
    path.write_bytes(b"syncd was here" * 1000)
    path.chmod(0o600)

    with pytest.raises(StateUnreachable, match="damaged or no database"):
        open_state(f"sqlite:///{path}", key=KEY)
    assert path.read_bytes() == b"syncd was here" * 1000


def test_a_full_disk_loses_nothing(file_state: Database) -> None:
    """The transaction that found no space never happened, and work goes on when there is some."""
    with file_state.begin() as tx:
        work.mark(tx, [PAIR], "changed", NOW)
        pages = tx.exec_driver_sql("PRAGMA page_count").scalar_one()
        tx.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2}").close()
    many = [Pair("jtl", str(number)) for number in range(5000)]
    with pytest.raises(StateUnreachable, match="disk is full"), file_state.begin() as tx:
        work.mark(tx, many, "changed", NOW)
    with file_state.begin() as tx:
        assert list(work.counts(tx, NOW)) == ["billbee"]
        tx.exec_driver_sql("PRAGMA max_page_count = 1000000").close()
        assert work.mark(tx, many, "changed", NOW) == 5000


def test_a_foreign_lock_is_waited_for_and_named(file_state: Database, path: Path) -> None:
    """A bounded wait, then an error that says what is wrong; nothing is lost."""
    with file_state.begin() as tx:
        tx.exec_driver_sql("PRAGMA busy_timeout = 50").close()
    intruder = sqlite3.connect(path, isolation_level=None)
    intruder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StateUnreachable, match="locked by another process"), file_state.begin() as tx:
        work.mark(tx, [PAIR], "changed", NOW)
    with file_state.read() as tx:
        assert work.counts(tx, NOW) == {}
    intruder.execute("ROLLBACK")
    intruder.close()
    with file_state.begin() as tx:
        assert work.mark(tx, [PAIR], "changed", NOW) == 1


def test_a_lost_connection_is_reported_and_replaced(postgres_database: str) -> None:
    """The server drops us within a transaction; that one is lost and said so, the next one works."""
    state = open_state(postgres_database, key=KEY, check=False)
    upgrade(state)
    kill = sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()")

    def cut_off() -> None:
        with state.begin() as tx:
            work.mark(tx, [PAIR], "changed", NOW)
            tx.execute(kill)

    with pytest.raises(StateUnreachable, match="does not answer"):
        cut_off()
    with state.begin() as tx:
        assert work.read(tx, PAIR) is None
    state.close()


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    """An unreachable server is the state's error, without the password."""
    with pytest.raises(StateUnreachable) as refused:
        open_state("postgresql://syncd@127.0.0.1:1/state", password=CANARY, key=KEY)
    assert CANARY not in "".join(traceback.format_exception(refused.value))


def test_database_errors_hold_no_parameters(state: Database) -> None:
    """The driver's text, PostgreSQL's DETAIL and the parameters stay behind; the constraint's kind comes through."""
    twice = [{"name": CANARY, "value": CANARY}] * 2
    with pytest.raises(StateUnreachable, match=r"IntegrityError|UniqueViolation") as failed, state.begin() as tx:
        tx.execute(schema.cursor.insert(), twice)

    assert CANARY not in "".join(traceback.format_exception(failed.value))
    with state.read() as tx:
        assert progress.cursor(tx, CANARY) == ""


@DURABLE
def test_reading_cannot_write(state: Database) -> None:
    """A reader that writes is refused, so that no write escapes the turns of the writers."""
    with pytest.raises(StateUnreachable), state.read() as tx:
        work.mark(tx, [PAIR], "changed", NOW)


# -- leases --------------------------------------------------------------------------------------------------------


def test_a_lease_has_one_holder(state: Database) -> None:
    """Nobody takes an unexpired lease; after its time, or when given back, it goes on under a new epoch."""
    with state.begin() as tx:
        first = leases.acquire(tx, "lane:jtl", "a", 90.0, now=1000.0)
        assert leases.acquire(tx, "lane:jtl", "a", 90.0, now=1050.0) == first
        with pytest.raises(LeaseHeld, match="held by a"):
            leases.acquire(tx, "lane:jtl", "b", 90.0, now=1139.0)
        assert leases.holders(tx, now=1100.0) == [leases.Holder("lane:jtl", "a", 1, 40.0)]

        second = leases.acquire(tx, "lane:jtl", "b", 90.0, now=1141.0)
        assert second.epoch == 2
        assert not leases.renew(tx, first, 90.0, now=1142.0)
        assert not leases.release(tx, first)
        assert leases.renew(tx, second, 90.0, now=1142.0)
        assert leases.release(tx, second)
        assert leases.holders(tx, now=1143.0) == []
        assert leases.acquire(tx, "lane:jtl", "a", 90.0, now=1143.0).epoch == 3
        assert leases.acquire(tx, "lane:jtl", "a", 90.0, now=9999.0).epoch == 4


def test_a_file_lock_voids_dead_holders(state: Database) -> None:
    """Who holds the file lock need not wait for the lease of a killed predecessor, but gets an epoch of its own."""
    with state.begin() as tx:
        leases.acquire(tx, "lane:jtl", "killed", 90.0, now=1000.0)

        assert leases.acquire(tx, "lane:jtl", "b", 90.0, now=1001.0, sole=True).epoch == 2


def test_a_late_write_is_fenced_off(state: Database) -> None:
    """Whoever lost the lease writes nothing more, however late it wakes."""
    with state.begin() as tx:
        old = leases.acquire(tx, "lane:jtl", "a", 90.0, now=1000.0)
    with state.fenced(old) as tx:
        work.mark(tx, [PAIR], "changed", NOW)
    with state.begin() as tx:
        new = leases.acquire(tx, "lane:jtl", "b", 90.0, now=1100.0)

    with pytest.raises(LeaseLost), state.fenced(old) as tx:
        work.drop(tx, PAIR)
    with state.fenced(new) as tx:
        assert work.read(tx, PAIR) is not None


def test_leases_run_on_the_databases_clock(state: Database) -> None:
    """Without an explicit time the database's own clock decides."""
    with state.begin() as tx:
        leases.acquire(tx, "capture", "a", 900.0)
        (holder,) = leases.holders(tx)
        assert 0.0 < holder.remaining <= 900.0 + 1e-6
    with pytest.raises(LeaseHeld), state.begin() as tx:
        leases.acquire(tx, "capture", "b", 900.0)
    with state.begin() as tx:
        tx.execute(sa.text("UPDATE lease SET until = until - 900"))
        assert leases.acquire(tx, "capture", "b", 90.0).epoch == 2


LOCK = """
import pathlib, sys, time
from syncd.store.leases import lock_file
with lock_file(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_one_daemon_per_file(path: Path) -> None:
    """The second is told the first one's pid; the lock is free the moment the first is dead, even by SIGKILL."""
    first = subprocess.Popen([sys.executable, "-c", LOCK, str(path)], stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    assert first.stdout.readline() == "held\n"
    with pytest.raises(LeaseHeld, match=str(first.pid)):
        leases.lock_file(path)
    first.kill()
    first.wait()
    first.stdout.close()

    with leases.lock_file(path) as after_a_kill, pytest.raises(LeaseHeld):
        leases.lock_file(path)
    with leases.lock_file(path) as after_an_end:
        assert (after_a_kill.unclean, after_an_end.unclean) == (True, False)


# -- many at once --------------------------------------------------------------------------------------------------


def test_no_mark_is_lost_among_threads(state: Database) -> None:
    """Eight threads mark, take and finish the same pairs; in the end every pair's last value was seen."""
    pairs = [Pair("billbee", str(number)) for number in range(12)]
    values = dict.fromkeys(pairs, 0)
    seen = dict.fromkeys(pairs, 0)

    def look(item: Work) -> None:
        value = values[item.pair]
        time.sleep(0.0005)
        with state.begin() as tx:
            seen[item.pair] = max(seen[item.pair], value)
            work.finish(tx, [item])

    def live(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(20):
            edited = chance.sample(pairs, 3)
            for pair in edited:
                values[pair] += 1
            with state.begin() as tx:
                work.mark(tx, edited, "changed", NOW)
            with state.read() as tx:
                taken = work.take(tx, "billbee", NOW, 4)
            for item in taken:
                look(item)

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(live, seed) for seed in range(8)]:
            done.result()
    with state.read() as tx:
        left = work.take(tx, "billbee", NOW, 100)
    for item in left:
        look(item)

    assert seen == values
    with state.read() as tx:
        assert work.counts(tx, NOW) == {}
    assert state.writer.pool.checkedout() + state.reader.pool.checkedout() == 0  # type: ignore[attr-defined]


@DURABLE
def test_writers_take_turns_across_processes(state_url: str, state: Database) -> None:
    """What a writer has read stays true until it commits: another process waits from its first word on."""
    other = open_state(state_url, key=KEY)
    impatient = "PRAGMA busy_timeout = 50" if state_url.startswith("sqlite") else "SET lock_timeout = '50ms'"
    with other.begin() as tx:
        tx.exec_driver_sql(impatient).close()

    with state.begin() as tx:
        assert work.counts(tx, NOW) == {}
        with pytest.raises(StateUnreachable), other.begin():
            pass
    with other.begin() as tx:
        assert work.mark(tx, [PAIR], "changed", NOW) == 1
    other.close()


def test_a_thousand_customers_for_five_providers(state: Database) -> None:
    """Capture's largest batch is marked in a few statements, not in one a pair, and a lane's chunk is found in one."""
    pairs = [Pair(f"provider{place}", str(number)) for number in range(1000) for place in range(5)]
    sent: list[str] = []
    for engine in {state.writer, state.reader}:
        sa.event.listen(engine, "before_cursor_execute", lambda _c, _cur, text, *_: sent.append(text))
    with state.begin() as tx:
        assert work.mark(tx, pairs, "changed", NOW) == 5000
    marked = len(sent)
    with state.read() as tx:
        assert len(work.take(tx, "provider3", NOW, 200)) == 200

    assert marked <= 60
    assert len(sent) - marked <= 5


def test_a_backlog_is_taken_by_index(file_state: Database) -> None:
    """No look for due pairs reads or sorts the whole table."""
    with file_state.begin() as tx:
        work.mark(tx, [Pair("billbee", str(number)) for number in range(3000)], "backfill", NOW)
        plans: list[str] = []
        for part in (schema.IS_LIVE, schema.IS_BACKFILL):
            query = (
                sa.select(schema.work)
                .where(schema.work.c.provider == "billbee", schema.work.c.due_at <= NOW, part)
                .order_by(schema.work.c.due_at, schema.work.c.generation)
            )
            text = str(query.compile(tx, compile_kwargs={"literal_binds": True}))
            plans += [row[3] for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]

    assert ["ix_work_live" in plans[0], "ix_work_backfill" in plans[1], len(plans)] == [True, True, 2]


def test_a_server_takes_a_backlog_by_index(state: Database) -> None:
    """PostgreSQL as well goes through the due pairs of one provider in their order, and sorts nothing."""
    if state.writer.dialect.name != "postgresql":
        pytest.skip("SQLite's plan is asked for above")
    with state.begin() as tx:
        for provider in ("billbee", "jtl", "azotte"):
            work.mark(tx, [Pair(provider, str(number)) for number in range(2000)], "changed", NOW)
        tx.exec_driver_sql("ANALYZE work")
        query = work._LIVE.compile(dialect=tx.dialect)
        asked = query.construct_params({"of_provider": "jtl", "now": NOW, "most": 50})
        plan = [row[0] for row in tx.exec_driver_sql(f"EXPLAIN {query}", asked)]

    assert any("ix_work_live" in step for step in plan), plan
    assert not any("Sort" in step or "Seq Scan on work" in step for step in plan), plan


def test_a_backlog_is_counted_in_the_indexes(file_state: Database) -> None:
    """How long the backlog is costs no reading of its rows: a first load makes a million of them."""
    with file_state.begin() as tx:
        text = str(work._COUNTS.params(now=NOW).compile(tx, compile_kwargs={"literal_binds": True}))
        plan = [row[3] for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]

    whole, *later = [step for step in plan if " work" in step]
    assert "COVERING INDEX" in whole
    assert sorted(step.partition("INDEX ")[2] for step in later) == [
        "ix_work_backfill (provider=? AND due_at>?)",
        "ix_work_live (provider=? AND due_at>?)",
    ]


def test_unsettled_writes_are_no_burden_to_what_is_due(file_state: Database) -> None:
    """Whether a pair is held back by a write of its own is asked of that pair's intents alone, however many others
    have not settled."""
    with file_state.begin() as tx:
        held = sa.select(schema.work).where(schema.work.c.provider == "billbee", ~work._IS_HELD).params(now=NOW)
        text = str(held.compile(tx, compile_kwargs={"literal_binds": True}))
        plan = [row[3] for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]

    assert any("ix_intent_provider_customer_key_stage_settle_until" in step for step in plan), plan


def test_a_link_is_saved_by_index(file_state: Database) -> None:
    """Who else holds an identifier is asked of the indexes: the table may have a million rows."""
    with file_state.begin() as tx:
        same = mapping._SAME.params(
            of_provider="jtl", of_customer_key=["17"], of_external_id=["x"], of_provider_key=["n"]
        )
        text = str(same.compile(tx, compile_kwargs={"literal_binds": True}))
        plan = [row[3] for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]

    looks = [step for step in plan if "mapping" in step]
    assert len(looks) == 3
    assert all("=?" in step.partition("AND")[2] for step in looks)


def test_decisions_are_seen_while_a_daemon_works(file_state: Database, path: Path) -> None:
    """An operator's command beside a daemon reads and writes the same state."""
    with file_state.begin() as tx:
        number = journal.open_review(tx, "billbee", "17", "conflict", {}, "", NOW)
    with leases.lock_file(path):
        command = open_state(f"sqlite:///{path}", create=False)
        with command.begin() as tx:
            assert journal.decide(tx, number, "take:source", NOW)
        command.close()
    with file_state.read() as tx:
        assert [item.decision for item in journal.decided(tx)] == ["take:source"]


def test_unsettled_writes_are_looked_up_by_their_pair(file_state: Database) -> None:
    """With 5 000 writes under way, a due pair asks for its own and never reads the others."""
    with file_state.begin() as tx:
        work.mark(tx, [Pair("jtl", str(number)) for number in range(5000)], "changed", NOW)
        openings = [Opening(Pair("jtl", str(number)), Verb.UPDATE, {}) for number in range(5000)]
        journal.open_intents(tx, openings, 1, NOW, NOW + timedelta(minutes=1))
        held = (
            sa.select(schema.work.c.customer_key).where(schema.work.c.provider == "jtl", work._IS_HELD).params(now=NOW)
        )
        text = str(held.compile(tx, compile_kwargs={"literal_binds": True}))
        plan = [row[3] for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]
        assert work.take(tx, "jtl", NOW, 100) == []

    assert [step for step in plan if "intent" in step and "provider_customer_key" not in step] == []

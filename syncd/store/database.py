"""Opening the state database, and its two kinds of transaction.

Writers take turns: one writing connection a process, and across processes `BEGIN IMMEDIATE` on SQLite or one advisory
lock on PostgreSQL. Transactions are a few milliseconds long, so waiting costs less than the deadlocks and the
"database is locked" that concurrent writers bring, and what a function reads before it writes stays true until commit.
Readers never wait and cannot write.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.engine import URL, Engine
from sqlalchemy.pool import QueuePool

from syncd.errors import Problem, SettingsError, SetupNeeded, StateUnreachable
from syncd.store import leases
from syncd.store.failures import mapped
from syncd.store.key_files import key_beside, older_beside, settle_key_files
from syncd.store.keys import digest_names
from syncd.store.migrate import check_schema, revision, tables, upgrade
from syncd.store.schema import Transaction, meta
from syncd.store.state_file import FOREIGN, refuse_open_file, wrong
from syncd.tls import DEFAULT, LOCAL, Tls, for_postgresql, hosts_of, in_force

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

__all__ = ["State", "Transaction", "check_schema", "insert", "open_state", "revision", "upgrade"]

BUSY_SECONDS = 10
SMALL_CACHE = "cache_size=-512"  # kB for each reading connection: the operating system caches the file anyway
POOL_SECONDS = 30.0
PROBE = "probe"
LEAST_SPACE = 65_536  # bytes of free space below which a disk is called full
_WRITERS = 0x73796E6364  # "syncd": the advisory lock that writers on PostgreSQL hold until commit
_PG_OPTIONS = (
    f"-c lock_timeout={BUSY_SECONDS}s -c statement_timeout=60s "
    # a stopped process gives its locks back well before a lease of the default length runs out
    "-c idle_in_transaction_session_timeout=20s -c timezone=UTC"
)


@dataclass(frozen=True, slots=True)
class State:
    """The open state database. `key` is the secret of all digests; `older` keys only find tombstones. `path` is the
    file of a SQLite state, else None. `trust` says how the server is trusted (`syncd.tls`). `digest_names` maps a
    renamed provider to its name inside digests."""

    writer: Engine
    reader: Engine
    key: bytes = field(repr=False)
    path: Path | None = None
    trust: str = LOCAL
    older: tuple[bytes, ...] = field(default=(), repr=False)
    digest_names: Mapping[str, str] = field(default_factory=dict)

    @property
    def tombstone_keys(self) -> tuple[bytes, ...]:
        """The state keys under which tombstones were made, the present key first."""
        return (self.key, *self.older)

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """A writing transaction: commits at the end, rolls back on any error. A second one inside it would wait for the
        first for ever."""
        with mapped(), self.writer.connect() as connection, connection.begin():
            _take_turn(connection)
            yield connection

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A reading transaction; writing in it is an error."""
        with mapped(), self.reader.connect() as connection, connection.begin():
            if connection.dialect.name == "sqlite":
                connection.connection.cursor().execute("BEGIN")
            yield connection

    @contextmanager
    def fenced(self, lease: leases.Lease) -> Iterator[Transaction]:
        """A writing transaction that first checks our lease. Raises `LeaseLost`, and writes nothing, where another
        process holds it."""
        with self.begin() as tx:
            leases.check(tx, lease)
            yield tx

    def probe(self) -> None:
        """Prove by a write that the state can be written. Raises StateUnreachable.

        On a full disk a write into space that SQLite's log already has succeeds, so the free space is checked too.
        """
        if self.path is not None and _free(self.path.parent) < LEAST_SPACE:
            raise StateUnreachable("the state database cannot grow: the disk is full", remedy="free some space")
        with self.begin() as tx:
            values = {"name": PROBE, "value": "", "number": 0}
            statement = insert(tx, meta).values(values)
            counted = {"number": (meta.c.number + 1) % 1_000_000}
            tx.execute(statement.on_conflict_do_update(index_elements=[meta.c.name], set_=counted))

    def transport(self) -> tuple[str, str]:
        """How the server is trusted, and the TLS version of the connection, "" for none."""
        if self.reader.dialect.name != "postgresql":
            return self.trust, ""
        with self.read() as tx:
            query = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            return self.trust, str(tx.execute(sa.text(query)).scalar_one_or_none() or "")

    def close(self) -> None:
        """Close all connections; an in-memory state is gone with them."""
        self.reader.dispose()
        self.writer.dispose()


def open_state(  # noqa: PLR0913  (what the settings say of a state)
    url: str,
    password: str | None = None,
    key: bytes | None = None,
    *,
    create: bool = True,
    check: bool = True,
    tls: Tls = DEFAULT,
    older: tuple[bytes, ...] = (),
) -> State:
    """Open the state, ready for use.

    A new SQLite file is created and migrated (with `create`), an in-memory one (`sqlite://`) always. `check=False`
    skips the check of the schema's revision, for the commands that upgrade it. Raises `SettingsError` for a URL that
    cannot work, `SetupNeeded` for a missing schema or another revision, `StateUnreachable` for a server that does not
    answer or a damaged file.
    """
    parsed = _parsed(url, password)
    if parsed.get_backend_name() == "postgresql":
        state = _postgresql(parsed, key, tls)
    elif parsed.database in {None, "", ":memory:"}:
        state = _memory(parsed, key)
    else:
        state = _sqlite_file(parsed, key, create=create)
    try:
        _make_ready(state, create=create, check=check)
        state = replace(state, older=older or state.older)
        return _named(state) if check else state
    except BaseException:
        state.close()
        raise


def _named(state: State) -> State:
    with state.read() as tx:
        return replace(state, digest_names=digest_names(tx))


def _free(directory: Path) -> int:
    """Free space in bytes."""
    try:
        return shutil.disk_usage(directory).free
    except OSError as error:
        raise StateUnreachable(
            f"the state's directory cannot be read ({type(error).__name__})", remedy=f"ls -ld {directory}"
        ) from None


def insert(tx: Transaction, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that knows ON CONFLICT, in the words of this transaction's database."""
    return insert_for(tx.dialect.name, table)


def insert_for(dialect: str, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """`insert` by the name of a dialect. A dialect is imported at its first use: PostgreSQL's costs a tenth of a
    start."""
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)


def _parsed(url: str, password: str | None) -> URL:
    try:
        parsed = sa.make_url(url)
    except (exc.ArgumentError, ValueError):
        raise wrong("is not a database URL", "write sqlite:////var/lib/syncd/state.db") from None
    backend = parsed.get_backend_name()
    if backend not in {"sqlite", "postgresql"}:
        raise wrong(f"cannot be on {backend}", "use SQLite, or PostgreSQL for several machines")
    if backend == "sqlite":
        return parsed.set(drivername="sqlite", query={})
    return parsed.set(drivername="postgresql+psycopg", password=password or parsed.password)


def _postgresql(url: URL, key: bytes | None, tls: Tls) -> State:
    if key is None:
        place = Problem(
            "[state] key",
            "a state on PostgreSQL needs a key that all machines share",
            'make one with `openssl rand -hex 32` and refer to it: key = "credential:state-key"',
        )
        raise SettingsError([place])
    arguments: dict[str, Any] = {"connect_timeout": 10, "application_name": "syncd", "keepalives_idle": 30}
    mode = in_force(tls, hosts_of(url.host, url.query))
    arguments |= for_postgresql(mode, tls.ca, password=bool(url.password))
    writer = _engine(url, pool_size=1, arguments=arguments | {"options": _PG_OPTIONS})
    read_only = f"{_PG_OPTIONS} -c default_transaction_read_only=on"
    reader = _engine(url, pool_size=5, arguments=arguments | {"options": read_only})
    return State(writer, reader, key, trust=mode)


def _memory(url: URL, key: bytes | None) -> State:
    """A state in memory, with one connection that all threads share in turns."""
    engine = _engine(url, pool_size=1, arguments={"check_same_thread": False})
    _pysqlite(engine)
    return State(engine, engine, key or secrets.token_hex(32).encode())


def _sqlite_file(url: URL, key: bytes | None, *, create: bool) -> State:
    path = Path(str(url.database)).absolute()
    if not path.parent.is_dir():
        raise wrong(f"is in a directory that does not exist: {path.parent}", "create it, or name another")
    if not path.exists() and not create:
        raise SetupNeeded(f"there is no state at {path} yet", remedy="syncd run-once")
    try:
        refuse_open_file(path)
        settle_key_files(path)
        secret, older = (key, ()) if key else (key_beside(path), older_beside(path))
    except OSError as error:
        raise StateUnreachable(
            f"cannot open the state at {path} ({type(error).__name__})", remedy=f"ls -l {path}; syncd doctor"
        ) from None
    # prepared statements cost some 10 kB each, in every connection: the driver's 128 would add up over weeks
    arguments: dict[str, Any] = {"check_same_thread": False, "timeout": BUSY_SECONDS, "cached_statements": 48}
    url = url.set(database=str(path))
    writer = _engine(url, pool_size=1, arguments=arguments)
    reader = _engine(url, pool_size=5, arguments=arguments)
    durable = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")
    _pysqlite(writer, *durable)
    _pysqlite(reader, *durable, "query_only=ON", SMALL_CACHE)
    return State(writer, reader, secret, path, older=older)


def _engine(url: URL, *, pool_size: int, arguments: dict[str, Any]) -> Engine:
    return sa.create_engine(
        url,
        poolclass=QueuePool,
        pool_size=pool_size,
        max_overflow=0 if pool_size == 1 else 10,
        pool_timeout=POOL_SECONDS,
        pool_pre_ping=url.get_backend_name() == "postgresql",
        connect_args=arguments,
        hide_parameters=True,
    )


def _pysqlite(engine: Engine, *pragmas: str) -> None:
    """Stop the driver from beginning transactions: the driver would begin them late, and commit before DDL."""

    def connected(connection: Any, _: object) -> None:
        connection.isolation_level = None
        for pragma in (f"busy_timeout={BUSY_SECONDS * 1000}", *pragmas):
            connection.execute(f"PRAGMA {pragma}").close()

    event.listen(engine, "connect", connected)


def _take_turn(connection: sa.Connection) -> None:
    """Begin a writing transaction: until its end no other connection writes.

    A listener for SQLAlchemy's "begin" would do the same, but an engine with one asks for listeners at every statement,
    which is a tenth of all the time that a short statement takes.
    """
    if connection.dialect.name == "sqlite":
        connection.connection.cursor().execute("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS})")


def _make_ready(state: State, *, create: bool, check: bool) -> None:
    with state.read() as tx:
        found = tables(tx)
    if state.writer.dialect.name == "sqlite" and not found:
        if not create:
            raise SetupNeeded(f"there is no state at {state.path} yet", remedy="syncd run-once")
        upgrade(state)
    elif found and "alembic_version" not in found and state.path is not None:
        raise wrong(*FOREIGN)
    elif check:
        check_schema(state)


def quick_check(state: State) -> None:
    """Raise StateUnreachable for a damaged SQLite file: with lost links, customers would be created a second time.

    The check reads every page (about 2 s at a million links). So it runs in `doctor`, and at a start after a process
    that was killed, but not at every start.
    """
    if state.path is None:
        return
    with state.read() as tx:
        sound = tx.exec_driver_sql("PRAGMA quick_check(1)").scalar_one() == "ok"
    if not sound:
        raise StateUnreachable(
            f"the state at {state.path} is damaged (quick_check)",
            remedy="restore the file from a backup, then run `syncd recover`",
        )

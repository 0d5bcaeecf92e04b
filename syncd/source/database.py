"""The user's database, opened: what is mapped to what, and the two ways in.

A *reading* is one autocommitted SELECT at a time. A *transaction* is short, READ COMMITTED, with a lock timeout and an
origin that the triggers can see. Nothing is ever sent outside these two. The pool survives a restart of the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import sqlalchemy as sa

from syncd.errors import Problem, SettingsError
from syncd.source import reflection
from syncd.source.columns import MappedColumn
from syncd.source.connection import connect, source_url
from syncd.source.failures import translated
from syncd.source.keys import KeyKind
from syncd.tls import DEFAULT, Tls

T = TypeVar("T")
Dialect = Literal["sqlite", "postgresql", "mysql"]


@dataclass(frozen=True, slots=True)
class Watch:
    """A table that gets triggers, and its column that holds the customer's key."""

    table: str
    key: str


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """What `[source]` says. Timeouts are in seconds; MariaDB rounds them up to whole ones."""

    url: str
    table: str
    key: str
    fields: Mapping[str, str]
    password: str | None = field(default=None, repr=False)
    tls: Tls = DEFAULT
    change_log: Literal["triggers", "updated_at", "snapshot"] = "triggers"
    updated_at: str = ""
    write: bool = True
    watch: tuple[Watch, ...] = ()
    lock_timeout: float = 5.0
    statement_timeout: float = 30.0


@dataclass(frozen=True, slots=True)
class Watched:
    """A table with triggers. `own`: it is `source.table`. `rekeys`: a changed key is the customer's new key."""

    table: sa.Table
    own: bool
    rekeys: bool

    @property
    def key(self) -> sa.Column[Any]:
        """The column that holds the customer's key."""
        return self.table.c[reflection.KEY]


@dataclass(frozen=True, slots=True)
class Source:
    """An opened source. `log` and `fence` are described here but exist only once the triggers are installed."""

    config: SourceConfig
    engine: sa.Engine
    dialect: Dialect
    table: sa.Table
    is_view: bool
    key_kind: KeyKind
    key_default: bool
    fields: Mapping[str, MappedColumn]
    watched: tuple[Watched, ...]
    log: sa.Table
    fence: sa.Table
    updated_at: sa.Column[Any] | None = None

    @property
    def key(self) -> sa.Column[Any]:
        """The key column of `source.table`."""
        return self.table.c[reflection.KEY]

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def open_source(config: SourceConfig) -> Source:
    """Connect, and check every configured name against the database.

    Raises SettingsError with all problems, SourceUnreachable when the database does not answer.
    """
    url = source_url(config.url, config.password)
    engine = connect(url, config.lock_timeout, config.statement_timeout, config.tls)
    try:
        with translated():
            return _described(config, engine)
    except BaseException:
        engine.dispose()
        raise


def _described(config: SourceConfig, engine: sa.Engine) -> Source:
    inspector = sa.inspect(engine)
    dialect: Dialect = engine.dialect.name  # type: ignore[assignment]
    found = reflection.find_table(inspector, config.table, "source.table")
    if isinstance(found, Problem):
        raise SettingsError([found])
    wrong_key = reflection.key_problem(found, config.key, "source.key")
    if wrong_key:
        raise SettingsError([wrong_key])
    problems = _mode_problems(config, dialect, is_view=found.is_view)
    kind = reflection.key_kind(found.columns[config.key], dialect)
    if kind is None:
        problems.append(Problem("source.key", f'"{config.key}" is neither a whole number, nor a UUID, nor text.'))
    table, fields, wrong_fields = reflection.build(found, config.key, config.fields, dialect)
    watched, wrong_tables = _watched(config, inspector, found)
    stamp = _stamp(config, found, table, dialect)
    problems += wrong_fields + wrong_tables + ([stamp] if isinstance(stamp, Problem) else [])
    if problems or kind is None or isinstance(stamp, Problem):
        raise SettingsError(problems)
    log, fence = _log_tables(dialect, found.schema)
    has_default = found.columns[config.key].default is not None
    return Source(config, engine, dialect, table, found.is_view, kind, has_default, fields, watched, log, fence, stamp)


def _mode_problems(config: SourceConfig, dialect: Dialect, *, is_view: bool) -> list[Problem]:
    problems = []
    if config.change_log == "snapshot":
        if dialect != "postgresql":
            reason = "only PostgreSQL has a loss-free way to read a change log without writing."
            problems.append(Problem("source.change_log", reason, 'Use "triggers" or "updated_at".'))
        if config.write:
            reason = 'change_log = "snapshot" is for an account that may only read.'
            problems.append(Problem("source.write", reason, "Set write = false."))
    if config.change_log != "updated_at" and is_view and not config.watch:
        reason = "a view has no triggers: name the tables under it."
        problems.append(Problem("source.watch", reason, "Add [[source.watch]] with table and key."))
    return problems


def _stamp(
    config: SourceConfig, found: reflection.FoundTable, table: sa.Table, dialect: Dialect
) -> sa.Column[Any] | Problem | None:
    if config.change_log != "updated_at":
        return None
    place = "source.updated_at"
    column = found.columns.get(config.updated_at)
    if column is None:
        reason = f'"{found.name}" has no column "{config.updated_at}".'
        return Problem(place, reason, reflection.nearest(config.updated_at, found.columns))
    if not isinstance(column.type, sa.DateTime | sa.String if dialect == "sqlite" else sa.DateTime):
        return Problem(place, f'column "{column.name}" is not a timestamp.')
    stamp = sa.Column(column.name, sa.Text() if dialect == "sqlite" else column.type, key="syncd_stamp", quote=True)
    table.append_column(stamp)
    return stamp


def _watched(
    config: SourceConfig, inspector: sa.Inspector, found: reflection.FoundTable
) -> tuple[tuple[Watched, ...], list[Problem]]:
    watched: list[Watched] = []
    problems: list[Problem] = []
    for number, watch in enumerate(config.watch):
        place = "source.watch" if len(config.watch) == 1 else f"source.watch[{number}]"
        under = reflection.find_table(inspector, watch.table, f"{place}.table")
        if isinstance(under, Problem):
            problems.append(under)
        elif under.is_view:
            problems.append(Problem(f"{place}.table", f'"{under.name}" is a view; triggers need a table.'))
        elif watch.key not in under.columns:
            near = reflection.nearest(watch.key, under.columns)
            problems.append(Problem(f"{place}.key", f'"{under.name}" has no column "{watch.key}".', near))
        else:
            own = (under.schema, under.name) == (found.schema, found.name)
            rekeys = own or (found.is_view and number == 0 and watch.key in under.unique)
            watched.append(Watched(reflection.bare(under, watch.key), own, rekeys))
    if not found.is_view and not any(each.own for each in watched):
        watched.insert(0, Watched(reflection.bare(found, config.key), own=True, rekeys=True))
    return tuple(watched), problems


def _log_tables(dialect: Dialect, schema: str | None) -> tuple[sa.Table, sa.Table]:
    """PostgreSQL: a schema `syncd` of its own. Elsewhere beside the source's table, with `syncd_` in front."""
    prefix, where = ("", "syncd") if dialect == "postgresql" else ("syncd_", None if dialect == "sqlite" else schema)
    log = sa.Table(
        f"{prefix}change_log",
        sa.MetaData(),
        sa.Column("seq", sa.BigInteger, primary_key=True),
        sa.Column("customer_key", sa.Text),
        sa.Column("op", sa.Text),
        sa.Column("was", sa.Text),
        sa.Column("origin", sa.Text),
        sa.Column("own", sa.Boolean),
        sa.Column("at", sa.Text if dialect == "sqlite" else sa.DateTime),
        *([sa.Column("xid", sa.Text)] if dialect == "postgresql" else []),
        schema=where,
    )
    fence = sa.Table(
        f"{prefix}fence",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("acks", sa.BigInteger),
        sa.Column("owner", sa.Text),
        *([sa.Column("origin", sa.Text)] if dialect == "sqlite" else []),
        schema=where,
    )
    return log, fence


@contextmanager
def reading(source: Source) -> Iterator[sa.Connection]:
    """A connection for single SELECTs, each with a snapshot of its own. Errors leave as ours."""
    with translated():
        if source.dialect == "sqlite":
            with source.engine.connect() as conn:
                yield conn
        else:
            with source.engine.connect() as conn:
                yield conn.execution_options(isolation_level="AUTOCOMMIT")


def in_transaction(
    source: Source,
    work: Callable[[sa.Connection], T],
    *,
    origin: str = "",
    keep: Callable[[T], bool] = lambda _: True,
) -> T:
    """Do `work` in one short transaction; commit when `keep` accepts what it returned, else roll back.

    `origin` names the writer in the change log; it ends with the transaction. SQLAlchemy's errors pass through: the
    callers that write rows read outcomes from them.
    """
    with source.engine.connect() as conn:
        conn.execution_options(syncd_write=True)
        with conn.begin() as transaction:
            try:
                _begin(conn, source, origin)
                result = work(conn)
                _forget_origin(conn, source, origin)
            except BaseException:
                if origin and source.dialect == "mysql":
                    conn.invalidate()  # its session variable must not outlive the transaction
                raise
            if keep(result):
                transaction.commit()
            else:
                transaction.rollback()
    return result


def _begin(conn: sa.Connection, source: Source, origin: str) -> None:
    if source.dialect == "postgresql":
        limit = f"{int(source.config.lock_timeout * 1000)}ms"
        settings = sa.select(
            sa.func.set_config("lock_timeout", limit, sa.true()), sa.func.set_config("syncd.origin", origin, sa.true())
        )
        conn.execute(settings)
    elif origin and source.dialect == "mysql":
        conn.execute(sa.text("SET @syncd_origin = :origin"), {"origin": origin})
    elif origin and source.config.change_log == "triggers":
        # SQLite has no session variables, but only one writer: nobody else can see this row before it is cleared.
        # Without a fence this fails: a write of ours that capture could not recognise must not happen
        conn.execute(source.fence.update().values(origin=origin))


def _forget_origin(conn: sa.Connection, source: Source, origin: str) -> None:
    if origin and source.dialect == "mysql":
        conn.execute(sa.text("SET @syncd_origin = NULL"))
    elif origin and source.dialect == "sqlite" and source.config.change_log == "triggers":
        conn.execute(source.fence.update().values(origin=None))

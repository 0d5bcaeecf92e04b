"""Opens the user's database, and gives the only two accesses to it.

A *reading* is for single SELECTs, each autocommitted. A *transaction* is short, READ COMMITTED, with a lock timeout and
an origin that the triggers write into the log. No statement is sent outside these two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import sqlalchemy as sa

from syncd.source.connection import connect, source_url
from syncd.source.describing import described
from syncd.source.failures import translated
from syncd.source.shape import Source, SourceConfig, Watched

__all__ = ["Source", "SourceConfig", "Watched", "in_transaction", "open_source", "reading"]

T = TypeVar("T")


def open_source(config: SourceConfig) -> Source:
    """Connect, and check every configured name against the database.

    Raises SettingsError with all problems, SourceUnreachable when the database does not answer.
    """
    url = source_url(config.url, config.password)
    engine = connect(url, config.lock_timeout, config.statement_timeout, config.tls)
    try:
        with translated():
            return described(config, engine)
    except BaseException:
        engine.dispose()
        raise


@contextmanager
def reading(source: Source) -> Iterator[sa.Connection]:
    """A connection for single SELECTs, each with a snapshot of its own. Errors of the driver become errors of
    `syncd.errors`."""
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
    """Do `work` in one short transaction; commit where `keep` accepts its answer, else roll back.

    `origin` names the writer in the change log, for this transaction alone. SQLAlchemy's errors pass through: callers
    that write rows read outcomes from them.
    """
    with source.engine.connect() as conn, conn.begin() as transaction:
        try:
            _begin(conn, source, origin)
            result = work(conn)
            _forget_origin(conn, source, origin)
        except BaseException:
            if origin and source.dialect == "mysql":
                conn.invalidate()  # the session variable must not outlive the transaction
            raise
        if keep(result):
            transaction.commit()
        else:
            transaction.rollback()
    return result


def _begin(conn: sa.Connection, source: Source, origin: str) -> None:
    if source.dialect == "sqlite":
        conn.exec_driver_sql("BEGIN IMMEDIATE")  # the driver begins no transactions: `connection`
    if source.dialect == "postgresql":
        limit = f"{int(source.config.lock_timeout * 1000)}ms"
        settings = sa.select(
            sa.func.set_config("lock_timeout", limit, sa.true()), sa.func.set_config("syncd.origin", origin, sa.true())
        )
        conn.execute(settings)
    elif origin and source.dialect == "mysql":
        conn.execute(sa.text("SET @syncd_origin = :origin"), {"origin": origin})
    elif origin and source.config.change_log == "triggers":
        # SQLite has no session variables, but one writer at a time: no other one sees the origin before it is cleared.
        # Without a fence this fails, as it should: capture could not recognise the write as syncd's own
        conn.execute(source.fence.update().values(origin=origin))


def _forget_origin(conn: sa.Connection, source: Source, origin: str) -> None:
    if origin and source.dialect == "mysql":
        conn.execute(sa.text("SET @syncd_origin = NULL"))
    elif origin and source.dialect == "sqlite" and source.config.change_log == "triggers":
        conn.execute(source.fence.update().values(origin=None))

"""Where the model touches the code under test: every module of it that worlds, histories and oracle name stands here.

The model drives outer functions (one pass, the operator's commands) and the seams (adapters, transactions, clocks). A
module that moves is mended in this file and in nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

from syncd.core.guards import Guards
from syncd.core.model import Pair, State
from syncd.core.selection import Condition, Deleted, Watch
from syncd.engine import run
from syncd.engine.run import Options, run_cycle
from syncd.engine.worker import release_lanes
from syncd.operate import sync_one
from syncd.operate.erase import forget
from syncd.operate.recover import diagnose, recover
from syncd.operate.review import allowed, certain, decide, order_link, order_unlink
from syncd.reconcile.route import Route
from syncd.runtime.installation import Installation, Rhythm
from syncd.source import changelog, connection, customers, triggers, writing
from syncd.source.database import Source, SourceConfig, in_transaction
from syncd.source.describing import described
from syncd.source.shape import for_provider
from syncd.store import journal, mapping, progress, work
from syncd.store.database import State as StateDatabase
from syncd.store.database import Transaction, open_state
from syncd.store.journal import Review
from syncd.store.leases import Lease

__all__ = [
    "Condition",
    "Deleted",
    "Guards",
    "Installation",
    "Lease",
    "Options",
    "Review",
    "Rhythm",
    "Route",
    "Source",
    "SourceConfig",
    "StateDatabase",
    "Transaction",
    "Watch",
    "allowed",
    "certain",
    "changelog",
    "customers",
    "decide",
    "diagnose",
    "for_provider",
    "forget",
    "held_back",
    "in_transaction",
    "in_turn",
    "journal",
    "mapping",
    "open_source",
    "open_state",
    "order_link",
    "order_unlink",
    "pause",
    "progress",
    "recover",
    "release_lanes",
    "resume",
    "retry",
    "run_cycle",
    "staged",
    "sync_customer",
    "work",
    "written_rows",
]

sync_customer = sync_one.sync_customer


@contextmanager
def in_turn(order: Sequence[int]) -> Iterator[None]:
    """Lanes one after the other, in an order of the history's own, instead of beside each other."""

    def one_by_one(jobs: Sequence[Callable[[], None]]) -> None:
        ranked = sorted(range(len(jobs)), key=lambda place: order[place] if place < len(order) else place)
        for place in ranked:
            jobs[place]()

    modules = (run, sync_one)
    original = vars(run)["together"]
    for module in modules:
        vars(module)["together"] = one_by_one
    try:
        yield
    finally:
        for module in modules:
            vars(module)["together"] = original


@contextmanager
def written_rows(watch: Callable[..., Any]) -> Iterator[None]:
    """`watch` stands in for every transaction on the source."""
    for module in (writing, changelog):
        vars(module)["in_transaction"] = watch
    try:
        yield
    finally:
        for module in (writing, changelog):
            vars(module)["in_transaction"] = in_transaction


def open_source(config: SourceConfig, tables: Sequence[str]) -> Source:
    """A source in memory, one connection for all threads. `open_source` of the product wants the table to be there,
    and an SQLite in memory is there only once it is open."""
    engine = sa.create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    connection._prepare_sqlite(engine, config.lock_timeout)
    with engine.connect() as conn:
        for statement in tables:
            conn.exec_driver_sql(statement)
        conn.commit()
    source = described(config, engine)
    if config.change_log == "triggers":
        triggers.install(source)
    return source


# -- what operators do, as the commands do it ------------------------------------------------------------------------


def retry(state: StateDatabase, provider: str, key: str, now: datetime) -> None:
    """`syncd retry KEY`: due now where it is in retry, rejected or dead."""
    pair = Pair(provider, key)
    with state.begin() as tx:
        link, item = mapping.read(tx, pair), work.read(tx, pair)
        failed = link is not None and link.state in {State.REJECTED, State.DEAD}
        if failed or (item is not None and item.attempts):
            work.mark(tx, [pair], "person", now)


def pause(state: StateDatabase, provider: str, now: datetime) -> None:
    """`syncd pause PROVIDER`."""
    with state.begin() as tx:
        progress.save_provider_state(tx, provider, state="paused", reason="", since=now, until=None)


def resume(state: StateDatabase, provider: str) -> None:
    """`syncd resume PROVIDER`."""
    with state.begin() as tx:
        if progress.provider_state(tx, provider).state == "paused":
            progress.save_provider_state(tx, provider, state="ok", reason="", since=None, until=None, breaker="")


def held_back(state: StateDatabase) -> bool:
    """Whether a guard holds anything back, or the rules of a provider refuse anybody."""
    with state.read() as tx:
        refused = tx.exec_driver_sql("SELECT 1 FROM mapping WHERE state = 'rejected'").first()
    return refused is not None or bool(staged(state))


def staged(state: StateDatabase, verb: str = "") -> set[tuple[str, str]]:
    """Provider and key of every pair that a guard holds back; of one verb's guard, or of any."""
    with state.read() as tx:
        query = "SELECT provider, customer_key FROM work WHERE error_class LIKE ?"
        rows = tx.exec_driver_sql(query, (f"staged:{verb or '%'}",))
        return {(row[0], row[1]) for row in rows}

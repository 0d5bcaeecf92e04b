"""What syncd costs at growing tables, and in memory.

Figures of different machines, or of one machine at different hours, cannot be compared; ratios of one run can.
"""

from __future__ import annotations

import sqlite3
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import sqlalchemy as sa

from syncd.bootstrap import installation
from syncd.engine.run import Installation, Options, run_cycle
from syncd.sandbox import shop
from syncd.sandbox.five import provider_settings, write_secrets
from syncd.sandbox.kit import Server
from syncd.settings import load
from syncd.source import triggers
from tests.benchmarks.far import far_five


@dataclass(frozen=True)
class Cost:
    """Milliseconds for one of many: by the processor of this process, and by the clock on the wall."""

    cpu: float
    wall: float


@dataclass(frozen=True)
class Poll:
    rows: int
    cost: Cost
    statements: int


def polls(directory: Path, sizes: tuple[int, ...]) -> list[Poll]:
    """What one changed customer costs in tables of these sizes; the rest of the table is never looked at.

    Every size has sandboxes of its own: at a provider that holds the customers of the size before, each would be
    found there and wait for a person.
    """
    found = []
    for size in sizes:
        place = directory / f"shop-{size}"
        place.mkdir()
        with far_five() as server, installed(place, server, 10) as site:
            run_cycle(site, Options(mode="once"))
            grow(place, site, size)
            found.append(_poll(place, site, size))
    return found


def grow(place: Path, site: Installation, size: int) -> None:
    """Make the table larger behind the back of its triggers: only what a poll costs is wanted here."""
    with closing(sqlite3.connect(place / "shop.db")) as application, application:
        for (name,) in application.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            application.execute(f'DROP TRIGGER "{name}"')
        marks = ", ".join("?" * len(shop.FIELDS))
        rows = (row for at, row in enumerate(shop.customers(size)) if at >= 10)
        application.executemany(f"INSERT INTO customers ({', '.join(shop.FIELDS.values())}) VALUES ({marks})", rows)
    triggers.install(site.source)
    with closing(sqlite3.connect(place / "shop.db")) as application, application:
        application.execute("DELETE FROM syncd_change_log")  # else every customer were due once, as triggers were gone


def _poll(place: Path, site: Installation, size: int) -> Poll:
    counted: list[str] = []

    def executed(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        counted.append(statement)

    costs = []
    engines = (site.source.engine, site.state.writer, site.state.reader)
    for engine in engines:
        sa.event.listen(engine, "after_cursor_execute", executed)
    for turn in range(5):
        change(place, f"UPDATE customers SET email = 'p{turn}@example.com' WHERE id = 7")
        counted.clear()
        costs.append(cost(lambda: run_cycle(site, Options(mode="poll", look=False)), 1))
    return Poll(size, _median(costs), len(counted))


def memory(directory: Path, sizes: tuple[int, ...]) -> list[tuple[int, float]]:
    """Peak megabytes of Python objects while so many customers are looked at for the first time."""
    found = []
    with far_five() as server:
        for size in sizes:
            place = directory / f"memory-{size}"
            place.mkdir()
            with installed(place, server, size, create="never") as site:
                tracemalloc.start()
                run_cycle(site, Options(mode="once"))
                found.append((size, tracemalloc.get_traced_memory()[1] / 1e6))
                tracemalloc.stop()
    return found


@contextmanager
def installed(directory: Path, server: Server, count: int, create: str = "always") -> Iterator[Installation]:
    """A shop with so many customers, and aiotic as the one provider, without a pace."""
    shop.make_shop(directory / "shop.db", count)
    write_secrets(directory / "secrets")
    fields = "".join(f'{name} = "{column}"\n' for name, column in shop.FIELDS.items())
    common = f'create = "{create}"\nrate = "off"\nconcurrency = 1\n'
    (directory / "syncd.toml").write_text(
        f'[source]\nurl = "sqlite:///{directory}/shop.db"\ntable = "customers"\nkey = "id"\n[source.fields]\n{fields}'
        f'[state]\nurl = "sqlite:///{directory}/state.db"\n[guards]\nupdate = "100000/24h"\n'
        + provider_settings(server, directory / "secrets", common, ("aiotic",)),
        encoding="utf-8",
    )
    with installation(load(directory / "syncd.toml")) as site:
        triggers.install(site.source)
        yield site


def change(directory: Path, statement: str) -> None:
    """What the application does."""
    with closing(sqlite3.connect(directory / "shop.db")) as application, application:
        application.execute(statement)


def cost(work: Callable[[], object], count: int) -> Cost:
    """What `work` costs for one of `count`."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return Cost((time.process_time() - cpu) / count * 1000, (time.perf_counter() - wall) / count * 1000)


def _median(costs: list[Cost]) -> Cost:
    return Cost(median(c.cpu for c in costs), median(c.wall for c in costs))

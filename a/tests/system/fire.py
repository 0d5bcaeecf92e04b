"""An application under load: writers that commit out of order, roll back, wait, load in bulk and change keys.

Every writer has rows of its own and a few in common with all others, so that a lost last change shows in the end.
"""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from tests.contract.shop import Shop

COMMON_ROWS = range(1, 9)
HURRIED = (sa.exc.OperationalError, sa.exc.DBAPIError)  # deadlocks, lock timeouts: the application would try again


@dataclass
class Writer:
    """One connection of the application. `rows` are the keys that are certainly there and only ours; `two_phase`:
    the server takes prepared transactions."""

    number: int
    conn: sa.Connection
    dialect: str
    chance: random.Random
    two_phase: bool
    rows: list[int] = field(default_factory=list)
    commits: int = 0
    prepared: int = 0

    def __post_init__(self) -> None:
        self._fresh = itertools.count(self.number * 1_000_000 + 1)
        self._text = itertools.count(1)

    def transaction(self, least: int = 1) -> None:
        """Some statements, then a commit or not; now and then late."""
        before = list(self.rows)
        prepared = self.two_phase and self.chance.random() < 0.05
        name = f"w{self.number}x{next(self._text)}"
        try:
            self._begin(name if prepared else "")
            for _ in range(self.chance.randint(least, 3)):
                self._change()
            self._wait()
            done = self.chance.random() > 0.1
            self._end(name if prepared else "", commit=done)
        except HURRIED:
            done = False
            distributed = prepared and self.dialect == "mysql"
            self._say_if_possible(f"XA END '{name}'" if distributed else "")
            self._say_if_possible(f"XA ROLLBACK '{name}'" if distributed else "ROLLBACK")
        if done:
            self.commits += 1
            self.prepared += prepared
        else:
            self.rows = before

    def _begin(self, prepared: str) -> None:
        if prepared and self.dialect == "mysql":
            self._say(f"XA START '{prepared}'")
        else:
            self._say("BEGIN IMMEDIATE" if self.dialect == "sqlite" else "BEGIN")

    def _end(self, prepared: str, *, commit: bool) -> None:
        word = "COMMIT" if commit else "ROLLBACK"
        if not prepared:
            self._say(word)
            return
        if self.dialect == "mysql":
            self._say(f"XA END '{prepared}'")
            self._say(f"XA PREPARE '{prepared}'")
        else:
            self._say(f"PREPARE TRANSACTION '{prepared}'")
        time.sleep(self.chance.uniform(0, 0.3))
        self._say(f"XA {word} '{prepared}'" if self.dialect == "mysql" else f"{word} PREPARED '{prepared}'")

    def _wait(self) -> None:
        roll = self.chance.random()
        if self.dialect == "sqlite":  # whoever waits there holds up everybody
            time.sleep(0.05 if roll < 0.02 else 0.0)
        elif roll < 0.02:
            time.sleep(self.chance.uniform(0.5, 2.5))
        elif roll < 0.3:
            time.sleep(self.chance.uniform(0, 0.08))

    def _change(self) -> None:
        roll = self.chance.random()
        if roll < 0.3 or len(self.rows) < 5:
            self._insert(self.chance.randint(1, 2))
        elif roll < 0.32:
            self._load(20)
        elif roll < 0.72:
            self._update(self.chance.choice(self.rows))
        elif roll < 0.8:
            self._update(self.chance.choice(COMMON_ROWS))
        elif roll < 0.88:
            old = self.rows.pop(self.chance.randrange(len(self.rows)))
            new = next(self._fresh)
            self._say(f"UPDATE customers SET id = {new} WHERE id = {old}")
            self.rows.append(new)
        elif roll < 0.93:
            old = self.rows.pop(self.chance.randrange(len(self.rows)))
            self._say(f"DELETE FROM customers WHERE id = {old}")
        else:
            self._say("SAVEPOINT here")
            self._update(self.chance.choice(self.rows))
            self._say("ROLLBACK TO SAVEPOINT here")

    def _insert(self, count: int) -> None:
        for _ in range(count):
            self._load(1)

    def _load(self, count: int) -> None:
        """Many rows at once, by COPY where there is one."""
        keys = list(itertools.islice(self._fresh, count))
        if self.dialect == "postgresql" and count > 1:
            driver: Any = self.conn.connection.driver_connection
            with driver.cursor() as cursor, cursor.copy("COPY customers (id, number, company) FROM STDIN") as copy:
                for key in keys:
                    copy.write_row((key, f"N{key}", self._name()))
        else:
            rows = ", ".join(f"({key}, 'N{key}', '{self._name()}')" for key in keys)
            self._say(f"INSERT INTO customers (id, number, company) VALUES {rows}")
        self.rows += keys

    def _update(self, key: int) -> None:
        self._say(f"UPDATE customers SET company = '{self._name()}' WHERE id = {key}")

    def _name(self) -> str:
        return f"Writer {self.number} no {next(self._text)}"

    def _say(self, statement: str) -> None:
        self.conn.exec_driver_sql(statement)

    def _say_if_possible(self, statement: str) -> None:
        try:
            self._say(statement or "SELECT 1")
        except HURRIED:
            return


@contextmanager
def fire(shop: Shop, writers: int, pause: float, seed: int = 0) -> Iterator[list[Writer]]:
    """Writers at work as long as the block lasts; `pause` is how long one rests at most between transactions."""
    shop.run(*[f"INSERT INTO customers (id, number, company) VALUES ({key}, 'N{key}', 'All')" for key in COMMON_ROWS])
    engine = sa.create_engine(shop.url, isolation_level="AUTOCOMMIT", pool_size=writers)
    two_phase = shop.dialect == "mysql" or (
        shop.dialect == "postgresql" and shop.value("SHOW max_prepared_transactions") != "0"
    )
    stop = threading.Event()
    made: list[Writer] = []

    def work(number: int) -> None:
        with engine.connect() as conn:
            if shop.dialect == "mysql":
                conn.exec_driver_sql("SET innodb_lock_wait_timeout = 3")
            writer = Writer(number, conn, shop.dialect, random.Random(seed * 1000 + number), two_phase)
            made.append(writer)
            while not stop.is_set():
                writer.transaction()
                time.sleep(writer.chance.uniform(0, pause))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, writers + 1)]
    for thread in threads:
        thread.start()
    try:
        yield made
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
        engine.dispose()

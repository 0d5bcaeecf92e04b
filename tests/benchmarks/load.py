"""The first full load of five providers by a daemon that is killed on the way, while somebody edits a customer."""

from __future__ import annotations

import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx

from syncd.sandbox import aiotic
from syncd.sandbox.five import NAMES
from syncd.sandbox.kit import Server
from tests.benchmarks.far import far_five
from tests.benchmarks.process import daemon_of, megabytes
from tests.benchmarks.site import Wanted, at

SHORTEST = 3_000.0  # seconds until it is given up, however few they are
SLOWEST = 0.012  # seconds for one pair, beside other work of the machine; beyond that it is given up
FIRST = "SELECT number FROM customers WHERE id = 1"


@dataclass(frozen=True)
class Load:
    """Seconds in all; megabytes of the daemon when a fifth was done and at the end; seconds from an edit, made when
    half was done, until aiotic had it; whether everybody is there, once."""

    seconds: float
    low: float
    high: float
    overtook: float
    whole: bool

    @property
    def flat(self) -> bool:
        return self.high <= self.low * 1.3 + 10


def first_load(directory: Path, count: int) -> Load:
    """Load so many customers; killed after a quarter and started again."""
    directory.mkdir(parents=True)
    with far_five(kept=1000) as server:
        with at(directory, server, Wanted(NAMES, count, settle="5s")):
            pass  # the shop, its triggers, its settings: the daemon opens them anew
        pairs, began = count * len(NAMES), time.monotonic()
        end = began + patience(count)
        with daemon_of(directory) as daemon:
            _until(lambda: _linked(directory) >= pairs / 5, daemon, end)
            low = megabytes(daemon.pid)
            _until(lambda: _linked(directory) >= pairs / 4, daemon, end)
            daemon.kill()
        with daemon_of(directory) as daemon:
            _until(lambda: _linked(directory) >= pairs / 2, daemon, end)
            overtook = _edited(directory, server, daemon, end)
            _until(lambda: _linked(directory) >= pairs, daemon, end)
            seconds, high = time.monotonic() - began, megabytes(daemon.pid)
        return Load(seconds, low, high, overtook, all(_records(server, name) == count for name in NAMES))


def patience(count: int) -> float:
    """Seconds that a first load of so many customers may take in all."""
    return max(SHORTEST, count * len(NAMES) * SLOWEST)


def _edited(directory: Path, server: Server, daemon: subprocess.Popen[bytes], end: float) -> float:
    """Seconds until aiotic shows what the application wrote in the middle of the load."""
    with closing(sqlite3.connect(next(directory.glob("syncd_test_*.db")))) as shop, shop:
        (number,) = shop.execute(FIRST).fetchone()
        shop.execute("UPDATE customers SET email = 'live@example.com' WHERE id = 1")
    began, key = time.monotonic(), {"X-API-Key": aiotic.SYNC_KEY}

    def there() -> bool:
        answer = httpx.get(f"{server.url('aiotic')}/customer/{number}", headers=key, trust_env=False)
        return answer.is_success and answer.json().get("email") == "live@example.com"

    _until(there, daemon, end)
    return time.monotonic() - began


def _linked(directory: Path) -> int:
    """Pairs that the state calls linked."""
    with closing(sqlite3.connect(f"file:{directory}/state.db?mode=ro", uri=True, timeout=10)) as state:
        (number,) = state.execute("SELECT coalesce(sum(n_linked), 0) FROM provider_state").fetchone()
    return int(number)


def _records(server: Server, name: str) -> int:
    return int(httpx.get(f"{server.url(name)}/_control", trust_env=False).json()["records"])


def _until(condition: Callable[[], bool], daemon: subprocess.Popen[bytes], end: float) -> None:
    while not condition():
        if time.monotonic() > end or daemon.poll() is not None:
            raise TimeoutError("the daemon ended, or takes too long; see its log")
        time.sleep(0.2)

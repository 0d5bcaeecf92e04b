"""What all suites share: a shop in each database, a PostgreSQL server of our own, and how the laws draw their examples.

The gate always draws the same ones, a long run by hand new ones every time. A gate that draws anew turns red for
changes that have nothing to do with it; one that measures time turns red on a busy machine. New examples are looked for
by hand: `pytest --hypothesis-profile=long tests/unit`.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from syncd import log
from tests.cluster import Cluster, cluster
from tests.contract.shop import Shop, shop
from tests.databases import DIALECTS, database

# Some machines ask Python for no bytecode. Then every process that a test starts would compile syncd anew, half a
# second each, and every worker of every run rewrites all tests' assertions anew, some seconds each; that serves nobody
# here, where git ignores `__pycache__`.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Every state is synced to its disk at every commit, which a suite of thousands need not wait for: what tests write goes
# to memory where Linux offers it, there is room, and programs may be started from it.
MEMORY = "/dev/shm"
if os.path.isdir(MEMORY) and os.access(MEMORY, os.W_OK):
    facts = os.statvfs(MEMORY)
    if facts.f_bavail * facts.f_frsize > 2**31 and not facts.f_flag & os.ST_NOEXEC:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", MEMORY)

settings.register_profile("gate", derandomize=True, deadline=None, database=None)
settings.register_profile(
    "long", max_examples=20_000, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("gate")


OURS = ("courier-", "lane", "wake")  # how the threads are called that syncd starts
ENOUGH = 30.0  # seconds for what is under way to end


@pytest.fixture(autouse=True)
def _nobody_speaks_into_the_next_test() -> Iterator[None]:
    """A thread that outlives its test would tell its events to the next one's log: it is waited for, and fails its own
    test where it does not end. The log that a test set up ends with it."""
    before = set(threading.enumerate())
    yield
    left = [each for each in threading.enumerate() if each not in before and each.name.startswith(OURS)]
    for each in left:
        each.join(ENOUGH)
    log.stop()
    assert [each.name for each in left if each.is_alive()] == []


@pytest.fixture(params=DIALECTS)
def any_shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    """An empty database of each dialect in turn."""
    with database(request.param, tmp_path) as url, shop(url) as made:
        yield made


@pytest.fixture
def sqlite_shop(tmp_path: Path) -> Iterator[Shop]:
    with database("sqlite", tmp_path) as url, shop(url) as made:
        yield made


@pytest.fixture
def postgres_shop(tmp_path: Path) -> Iterator[Shop]:
    with database("postgresql", tmp_path) as url, shop(url) as made:
        yield made


@pytest.fixture
def mariadb_shop(tmp_path: Path) -> Iterator[Shop]:
    with database("mysql", tmp_path) as url, shop(url) as made:
        yield made


@pytest.fixture(scope="session")
def own_server() -> Iterator[Cluster]:
    """One private PostgreSQL for the whole session, started when the first test asks for it."""
    with cluster() as made:
        yield made


def pytest_collection_finish(session: pytest.Session) -> None:
    """What is imported stays, and garbage is looked for less often than usual: a worker holds a million objects, and
    CPython 3.11.7's collector has fallen over in long-lived workers (see below)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


_PLAYED_AGAIN: set[str] = set()


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str, report: pytest.TestReport, sched: Any) -> None:
    """A test whose worker process died of a signal is played once more, and shown as `rerun`; a second death fails.

    CPython 3.11.7's garbage collector fell over in a long-lived worker three times in some ten runs, with no other
    thread alive and never twice in one test. A test that kills its process does so again.
    """
    if crashitem not in _PLAYED_AGAIN:
        _PLAYED_AGAIN.add(crashitem)
        sched.mark_test_pending(crashitem)
        report.outcome = "rerun"  # type: ignore[assignment]

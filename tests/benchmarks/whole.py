"""Whole processes: a run with nothing to do, a daemon that idles, and how soon it hears of a commit."""

from __future__ import annotations

import compileall
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import syncd
from syncd.bootstrap import installation
from syncd.engine.run import Options, run_cycle
from syncd.sandbox.five import serve_five
from syncd.settings import load
from syncd.source import triggers
from tests.benchmarks.process import daemon_of, used
from tests.benchmarks.site import Wanted, at, shop_at

IMPORTS = "import sqlalchemy, httpx, structlog, click"


@dataclass(frozen=True)
class Daemon:
    """`latency`: median seconds from a commit to the provider's request; `idle`: the share of one core."""

    latency: float
    idle: float


def nothing_to_do(directory: Path, rounds: int = 11) -> float:
    """CPU of `syncd run-once` without work, as a multiple of importing what it stands on; compiled, as pip does."""
    directory.mkdir()
    compileall.compile_dir(str(Path(syncd.__file__).parent), quiet=2)
    with serve_five() as server, shop_at(directory, server, Wanted(customers=20)) as (settings, _):
        _synced(settings)
        ours = [sys.executable, "-m", "syncd", "run-once", "--config", str(settings)]
        _cpu(ours)
        lines = [(_cpu([sys.executable, "-c", IMPORTS]), _cpu(ours)) for _ in range(rounds)]
    return median(run / bare for bare, run in lines)


def daemon(directory: Path, source: str = "sqlite", changes: int = 15, idle: float = 8.0) -> Daemon:
    """A daemon as a process of its own, the provider in this one, so that its requests are seen as they come."""
    directory.mkdir()
    with ExitStack() as stack:
        server = stack.enter_context(serve_five())
        settings, change = stack.enter_context(shop_at(directory, server, Wanted(customers=20, source=source)))
        _synced(settings)
        twin = server.twins["aiotic"]
        process = stack.enter_context(daemon_of(settings.parent))
        _until(lambda: (settings.parent / "log").read_text().count("daemon.started"))
        time.sleep(3.0)
        before, began = used(process.pid), time.monotonic()
        time.sleep(idle)
        share = (used(process.pid) - before) / (time.monotonic() - began)
        took = []
        for turn in range(changes):
            seen = twin.writes()
            change(f"UPDATE customers SET email = 'd{turn}@example.com' WHERE id = {turn % 20 + 1}")
            committed = time.perf_counter()
            while twin.writes() == seen and time.perf_counter() - committed < 10:
                time.sleep(0.001)
            took.append(time.perf_counter() - committed)
            time.sleep(0.3)
    return Daemon(median(took), share)


def trigger_cost(directory: Path, source: str = "sqlite", writes: int = 300, rounds: int = 3) -> float:
    """One transaction an UPDATE of the application's, with the triggers against without, interleaved."""
    directory.mkdir()
    with ExitStack() as stack:
        server = stack.enter_context(serve_five())
        _, with_triggers = stack.enter_context(at(directory, server, Wanted(customers=50, source=source)))
        (directory / "bare").mkdir()
        wanted = Wanted(customers=50, source=source, triggers=False)
        _, without = stack.enter_context(at(directory / "bare", server, wanted))
        turns = [(_writes(without, writes), _writes(with_triggers, writes)) for _ in range(rounds)]
    return median(ours for _, ours in turns) / median(bare for bare, _ in turns)


def _writes(change: Callable[[str], None], count: int) -> float:
    began = time.perf_counter()
    for turn in range(count):
        change(f"UPDATE customers SET city = 'C{turn}' WHERE id = {turn % 50 + 1}")
    return time.perf_counter() - began


def _synced(settings: Path) -> None:
    """Everything is there already."""
    with installation(load(settings)) as site:
        triggers.install(site.source)
        run_cycle(site, Options(mode="once"))


def _cpu(command: Sequence[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)

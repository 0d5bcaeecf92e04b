"""A whole process with nothing to do, beside ever more rows in the source and links in the state."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import sqlalchemy as sa

from syncd.engine.run import Installation, Options, run_cycle
from tests.benchmarks.far import far_five
from tests.benchmarks.measure import grow, installed

ROUNDS = 5


@dataclass(frozen=True)
class Whole:
    """CPU seconds and peak megabytes of `syncd run-once` with so many rows and links."""

    rows: int
    cpu: float
    rss: float


def wholes(directory: Path, sizes: tuple[int, ...]) -> list[Whole]:
    """The same, in tables of these sizes. The links are made up: nothing is due, so nobody asks for them."""
    found = []
    for size in sizes:
        place = directory / f"whole-{size}"
        place.mkdir(parents=True)
        with far_five() as server:
            with installed(place, server, 10) as site:
                run_cycle(site, Options(mode="once"))
                grow(place, site, size)
                _link(site, size)
            command = [sys.executable, "-m", "syncd", "run-once", "--config", str(place / "syncd.toml")]
            spent(command)
            runs = [spent(command) for _ in range(ROUNDS)]
        found.append(Whole(size, median(cpu for cpu, _ in runs), median(rss for _, rss in runs)))
    return found


def _link(site: Installation, size: int) -> None:
    statement = """
        INSERT INTO mapping (provider, customer_key, provider_key, external_id, external_ids, base, state)
        WITH RECURSIVE n(i) AS (SELECT 11 UNION ALL SELECT i + 1 FROM n WHERE i < :size)
        SELECT 'aiotic', CAST(i AS TEXT), NULL, NULL, '{}', '{}', 'excluded' FROM n
    """
    with site.state.begin() as tx:
        tx.execute(sa.text(statement), {"size": size})


def spent(command: list[str]) -> tuple[float, float]:
    """CPU seconds and peak megabytes of one process. Raises `RuntimeError` where it fails."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"exit {process.returncode}: {' '.join(command)}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024

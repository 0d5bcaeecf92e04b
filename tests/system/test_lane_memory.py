"""What a lane learned about its provider outlives the process, also one that is killed: a restart storms nobody."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest

from syncd.engine.run import Options, run_cycle
from syncd.sandbox.faults import Fault
from syncd.sandbox.twin import Entry
from syncd.store import progress
from tests.clock import VirtualClock
from tests.contract.shop import Shop
from tests.system.landscape import Landscape, landscape
from tests.system.running import goes_on, running, until
from tests.system.shelf import NAME, Shelf, shelved

FAST = '[schedule]\npoll = "300ms"\n'
INTERVAL = 1 / (20 * 0.93)


def edit_all(land: Landscape, email: str) -> None:
    land.sql(f"UPDATE customers SET email = '{email}' || id || '@example.com'")


def gaps(log: Sequence[Entry]) -> list[float]:
    """Seconds between two requests."""
    return [(later.at - sooner.at).total_seconds() for sooner, later in pairwise(log)]


@pytest.mark.long
def test_a_pace_learned_from_429_outlives_a_kill(tmp_path: Path) -> None:
    """After three 429 in a row and SIGKILL, the next process waits out the pause and goes on at the slower pace."""
    with landscape(tmp_path, 8, ("aiotic",), head=FAST) as land:
        land.config.write_text(land.config.read_text().replace('rate = "off"', 'rate = "20/s"\nconcurrency = 1'))
        log = land.twin("aiotic").log
        with running(land.config, tmp_path) as daemon:
            assert until(lambda: land.remotes() == {"aiotic": 8})
            land.twin("aiotic").faults.add(Fault("status", status=429, headers={"Retry-After": "2"}, times=3))
            edit_all(land, "slow")
            assert until(lambda: len(daemon.events("provider.throttled")) == 3)
            daemon.send(signal.SIGKILL)
            daemon.process.wait(10)
        asked = len(log)
        usual = median(gaps(log[:8]))

        with running(land.config, tmp_path) as daemon:
            assert until(lambda: len(log) >= asked + 8)

        assert usual < 2 * INTERVAL
        assert (log[asked].at - log[asked - 1].at).total_seconds() >= 2.0
        assert median(gaps(log[asked : asked + 8])) > 4 * INTERVAL


@pytest.mark.parametrize(
    ("status", "times", "state"), [(401, 1, "blocked"), pytest.param(503, 5, "down", marks=pytest.mark.long)]
)
def test_a_pause_outlives_a_kill(tmp_path: Path, status: int, times: int, state: str) -> None:
    """A lane that was stopped by refused credentials or an outage sends nothing after SIGKILL and a new start."""
    with landscape(tmp_path, 8, ("aiotic",), head=FAST) as land:
        log = land.twin("aiotic").log
        with running(land.config, tmp_path) as daemon:
            assert until(lambda: land.remotes() == {"aiotic": 8})
            land.twin("aiotic").faults.add(Fault("status", status=status, times=times))
            edit_all(land, "stopped")
            assert until(lambda: daemon.events("lane.paused"))
            daemon.send(signal.SIGKILL)
            daemon.process.wait(10)
        asked, before = len(log), land.said("status", "--json").data["providers"][0]

        with running(land.config, tmp_path) as daemon:
            assert until(lambda: daemon.events("status.snapshot"))
            assert goes_on(land.pulse)
            after = land.said("status", "--json").data["providers"][0]

        assert len(log) == asked
        assert (before["state"], after["state"], after["since"]) == (state, state, before["since"])


def test_a_long_drain_writes_down_what_it_learns(sqlite_shop: Shop) -> None:
    """A first pass takes hours: calls, the last good answer and the pace are in the state long before it ends."""
    shelf, clock, seen = Shelf(), VirtualClock(), list[tuple[int, bool]]()
    sqlite_shop.tables()
    sqlite_shop.run(
        *(f"INSERT INTO customers (id, number, company) VALUES ({n}, 'N{n}', 'Firm')" for n in range(1, 91))
    )
    with sqlite_shop.source() as source, shelved(source, {NAME: shelf}, clock=clock) as made:

        def look(_key: str) -> None:
            clock.advance(2.0)
            with made.state.read() as tx:
                kept = progress.provider_state(tx, NAME)
            seen.append((kept.calls_month, kept.last_ok is not None and kept.pace != ""))

        shelf.before = look
        run_cycle(made, Options())

    in_the_middle = seen[len(seen) // 2]
    assert in_the_middle[0] > len(seen) // 4
    assert in_the_middle[1]

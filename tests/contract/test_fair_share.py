"""Lanes spread over the daemons that share a state, busy ones too."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from syncd.core.model import Pair
from syncd.engine.loop import dismiss, gather, poll, steady
from syncd.engine.run import Installation
from syncd.runtime.leadership import MEMBER, lane_name
from syncd.store import leases, work
from tests.contract.shop import shop
from tests.system.shelf import Shelf, shelved

ENOUGH = 30.0  # seconds: a bound, and no measure


def _endless(made: Installation, provider: str, shelf: Shelf) -> None:
    """Whatever is asked of this provider makes a customer due there once more."""

    def again(_key: str) -> None:
        with made.state.begin() as tx:
            work.mark(tx, [Pair(provider, "1"), Pair(provider, "2")], "scan", made.clock.now())

    shelf.before = again


def test_a_lane_that_is_never_idle_is_given_back(tmp_path: Path) -> None:
    """A daemon that joins gets its share of lanes whose work never ends, and the others go on."""
    shelves = {"one": Shelf(), "two": Shelf()}
    with shop(f"sqlite:///{tmp_path}/shop.db") as place:
        place.tables()
        place.run("INSERT INTO customers (id, number, company) VALUES (1, 'N1', 'Firm'), (2, 'N2', 'Firm')")
        with place.source() as source, shelved(source, shelves) as sole:
            made = replace(sole, sole=False)
            for name, shelf in shelves.items():
                _endless(made, name, shelf)
            at_work = steady(made)
            poll(at_work, 0.05)
            assert set(at_work.crew.busy()) == {"one", "two"}
            with made.state.begin() as tx:
                leases.acquire(tx, MEMBER + "another", "another", 90.0)

            end = time.monotonic() + ENOUGH
            while lane_name("two") in made.held and time.monotonic() < end:
                poll(at_work, 0.05)
            held, busy = set(made.held), at_work.crew.busy()
            for route in made.routes:
                route.lane.stop.set()
            while at_work.crew.busy():
                gather(at_work, 1.0)
            dismiss(at_work)

    assert lane_name("two") not in held
    assert lane_name("one") in held
    assert "one" in busy

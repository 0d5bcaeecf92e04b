"""A run that lost a lane in the middle of its work has not done it, whatever its successor did."""

from __future__ import annotations

import pytest

from syncd.engine.run import Options, run_cycle
from syncd.errors import LeaseLost
from tests.clock import VirtualClock
from tests.contract.shop import Shop
from tests.system.shelf import NAME, Shelf, shelved


@pytest.mark.parametrize("when", ["looks", "writes"])
def test_a_run_whose_lane_was_taken_is_no_success(sqlite_shop: Shop, when: str) -> None:
    """`run-once` says so (exit code 8) where the daemon goes on with the rest: the other one has the lane now."""
    shelf, clock = Shelf(), VirtualClock()
    sqlite_shop.tables()
    sqlite_shop.run("INSERT INTO customers (id, number, company) VALUES (1, 'N1', 'Firm')")
    with sqlite_shop.source() as source, shelved(source, {NAME: shelf}, clock=clock) as made:
        run_cycle(made, Options(mode="run-once", exclusive=True))
        if when == "writes":
            sqlite_shop.run("UPDATE customers SET company = 'Neu'")

        def taken(_key: str) -> None:
            with made.state.begin() as tx:
                tx.exec_driver_sql("UPDATE lease SET holder = 'other', epoch = epoch + 1 WHERE name LIKE 'lane:%'")
            shelf.before = lambda _key: None

        shelf.before = taken
        with pytest.raises(LeaseLost, match="lost a lane"):
            run_cycle(made, Options(mode="run-once", scan=when == "looks", exclusive=True))

        run_cycle(made, Options(scan=when == "looks"))

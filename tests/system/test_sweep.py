"""The rotating sweep: whatever nobody reported is found within one period, at one request a customer and no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from syncd.detect import walks
from syncd.engine.run import Installation, Options, run_cycle
from syncd.operate.dry_run import plan
from syncd.runtime.installation import Rhythm
from tests.clock import VirtualClock
from tests.contract.shop import Shop, shop
from tests.databases import database
from tests.system.shelf import NAME, Shelf, shelved
from tests.system.test_faults import add

CUSTOMERS = 60
PAGE = 20
PERIOD = 86_400.0
EVERY = 900.0
SWEEP_ALONE = Rhythm(reread=1e9)  # no other look comes to help


@contextmanager
def at_rest(place: Shop) -> Iterator[tuple[Installation, VirtualClock, Shelf]]:
    """All customers at a provider that cannot list, and a sweep in the middle of a period."""
    shelf, clock = Shelf(), VirtualClock()
    place.tables()
    with place.source() as source, shelved(source, {NAME: shelf}, clock=clock) as opened:
        made = replace(opened, rhythm=SWEEP_ALONE)
        add(place, 1, CUSTOMERS)
        days(made, clock, shelf, 1.5)
        yield made, clock, shelf


def days(made: Installation, clock: VirtualClock, shelf: Shelf, periods: float) -> list[int]:
    """Cycles every quarter of an hour for so many periods; the requests of each."""
    spent = []
    for _ in range(int(periods * PERIOD / EVERY)):
        before = shelf.requests
        run_cycle(made, Options())
        spent.append(shelf.requests - before)
        clock.advance(EVERY)
    return spent


def disabled_trigger(place: Shop) -> None:
    place.run(
        "ALTER TABLE customers DISABLE TRIGGER ALL",
        "UPDATE customers SET company = 'Unseen' WHERE id = 7",
        "DELETE FROM customers WHERE id = 8",
        "INSERT INTO customers (id, number, company) VALUES (900, 'N900', 'Unseen too')",
        "ALTER TABLE customers ENABLE TRIGGER ALL",
        "ALTER TABLE customers ENABLE ALWAYS TRIGGER syncd_row",
        "ALTER TABLE customers ENABLE ALWAYS TRIGGER syncd_truncate",
    )


def emptied_table(place: Shop) -> None:
    """TRUNCATE fires nothing, and rows that come back by LOAD DATA or a restore need not either."""
    place.run(
        "DROP TABLE addresses",
        "CREATE TABLE kept AS SELECT * FROM customers",
        "TRUNCATE customers",
        "UPDATE kept SET company = 'Unseen' WHERE id = 7",
        "DELETE FROM kept WHERE id = 8",
        "INSERT INTO kept (id, number, company, phone) VALUES (900, 'N900', 'Unseen too', '')",
        "INSERT INTO customers SELECT * FROM kept",
        "DELETE FROM syncd_change_log",
        "DROP TABLE kept",
    )


def cascade(place: Shop) -> None:
    """A foreign key changes and deletes children without their triggers."""
    place.run(
        "CREATE TABLE firms (name varchar(40) PRIMARY KEY, grp integer)",
        "CREATE TABLE members (id integer PRIMARY KEY)",
        "INSERT INTO members SELECT id FROM customers",
        "INSERT INTO firms (name) SELECT company FROM customers",
        "ALTER TABLE customers ADD FOREIGN KEY (company) REFERENCES firms (name) ON UPDATE CASCADE",
        "ALTER TABLE customers ADD FOREIGN KEY (id) REFERENCES members (id) ON DELETE CASCADE",
        "UPDATE firms SET name = 'Unseen' WHERE name = 'Firm 7'",
        "DELETE FROM members WHERE id = 8",
        "INSERT INTO members VALUES (900)",
        "INSERT INTO firms (name) VALUES ('Unseen too')",
        "INSERT INTO customers (id, number, company) VALUES (900, 'N900', 'Unseen too')",
    )


@pytest.mark.parametrize(
    ("dialect", "behind"),
    [
        ("postgresql", disabled_trigger),
        pytest.param("mysql", emptied_table, marks=pytest.mark.long),
        pytest.param("mysql", cascade, marks=pytest.mark.long),
    ],
)
def test_what_no_trigger_saw_is_found_within_a_period(
    dialect: str, behind: Callable[[Shop], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An update, a deletion and an insertion behind the triggers reach the provider in the next period, everybody else
    is looked at once and written never."""
    monkeypatch.setattr(walks, "ROWS", PAGE)
    with database(dialect, tmp_path) as url, shop(url) as place, at_rest(place) as (made, clock, shelf):
        writes = len(shelf.writes)
        behind(place)
        spent = days(made, clock, shelf, 1.0)
        assert shelf.records["N7"]["name"] == "Unseen"
        assert shelf.records["N900"]["name"] == "Unseen too"
        assert "N8" not in shelf.records
        assert sorted(shelf.writes[writes:]) == ["N7", "N900"]
        assert sum(spent) <= CUSTOMERS + 12


@pytest.mark.long
def test_an_edit_over_there_is_found_where_nothing_lists(sqlite_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A customer edited at a provider that cannot list comes back within a period: each customer costs one request, no
    cycle takes more than a page or two, and the next period costs the same again."""
    monkeypatch.setattr(walks, "ROWS", PAGE)
    with at_rest(sqlite_shop) as (made, clock, shelf):
        writes = len(shelf.writes)
        shelf.records["N7"]["name"] = "Edited there"
        spent = days(made, clock, shelf, 1.0)
        assert sqlite_shop.value("SELECT company FROM customers WHERE id = 7") == "Edited there"
        assert len(shelf.writes) == writes
        assert CUSTOMERS <= sum(spent) <= CUSTOMERS + 6
        assert max(spent) <= 2 * PAGE
        assert sum(days(made, clock, shelf, 1.0)) == CUSTOMERS


def test_a_plan_foretells_who_left_unseen(sqlite_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cycle whose sweep comes to the link of a customer without a row is foretold as the first of the two looks
    that prove a deletion, and the cycle of the second one as the deletion."""
    monkeypatch.setattr(walks, "ROWS", PAGE)
    with at_rest(sqlite_shop) as (made, clock, shelf):
        sqlite_shop.run("DELETE FROM customers WHERE id = 8", "DELETE FROM syncd_change_log")
        foretold = []
        while "N8" in shelf.records:
            seen = plan(made, made.routes)
            foretold.append([(op.key, op.verb) for op in seen.operations] + [(w.key, w.kind) for w in seen.waiting])
            days(made, clock, shelf, EVERY / PERIOD)
            assert len(foretold) < PERIOD / EVERY
        assert foretold[-2:] == [[("8", "absent")], [("8", "delete")]]
        assert not any(foretold[:-2])

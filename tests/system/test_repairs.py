"""A wrong bulk change that passed a guard, and its repair: what comes back to what was agreed before is not counted."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.system.landscape import Landscape, landscape
from tests.system.running import until

PEOPLE = 6
LIMITS = f'[guards]\nupdate = "{PEOPLE}/24h"\noverwrite = "{PEOPLE}/24h"\nblank = "{PEOPLE}/24h"\n'


def _cities(land: Landscape) -> list[str]:
    return [record["city"] for record in land.twin("aiotic").records.values()]


def _confirmed(land: Landscape) -> bool:
    """Whether no write of ours waits for its confirming reading, which would explain a value that comes back."""
    land.run(scan=True)
    with closing(sqlite3.connect(land.state)) as state:
        return not state.execute("SELECT count(*) FROM intent").fetchone()[0]


def test_a_repair_in_the_shop_is_not_held_back(tmp_path: Path) -> None:
    """All cities are changed, as many as the guard lets pass, and put back: the repair leaves at once, and the same
    wrong change again is held back."""
    with landscape(tmp_path, PEOPLE, ("aiotic",), head=LIMITS) as land:
        land.run()
        before, right = _cities(land), {row["id"]: row["city"] for row in land.rows()}
        land.sql("UPDATE customers SET city = 'Wrong'")
        assert land.said("run-once").code == 0
        assert set(_cities(land)) == {"Wrong"}

        land.transaction(*(f"UPDATE customers SET city = '{city}' WHERE id = {key}" for key, city in right.items()))
        assert land.said("run-once").code == 0
        assert _cities(land) == before

        land.sql("UPDATE customers SET city = 'Wrong'")
        assert land.said("run-once").code == 6
        assert _cities(land) == before


def test_a_repair_with_something_new_in_it_counts(tmp_path: Path) -> None:
    """Whoever gets another value beside the one that comes back is changed like anybody else."""
    with landscape(tmp_path, PEOPLE, ("aiotic",), head=LIMITS) as land:
        land.run()
        right = {row["id"]: row["city"] for row in land.rows()}
        land.sql("UPDATE customers SET city = 'Wrong'")
        land.run()
        land.transaction(*(f"UPDATE customers SET city = '{city}' WHERE id = {key}" for key, city in right.items()))
        land.sql("UPDATE customers SET phone = '+49 30 7654321' WHERE id = 1")
        assert land.said("run-once").code == 6
        (item,) = land.said("review", "list", "--json").data["items"]
        assert (item["kind"], item["count"]) == ("guard_update", 1)
        assert _cities(land).count("Wrong") == 1


def test_a_repair_at_a_provider_is_not_held_back(tmp_path: Path) -> None:
    """The other way round: what a provider takes back comes into the shop although the guard is full."""
    with landscape(tmp_path, PEOPLE, ("aiotic",), head=LIMITS) as land:
        land.run()
        assert until(lambda: _confirmed(land))
        right = [row["city"] for row in land.rows()]
        before = {key: record["city"] for key, record in land.twin("aiotic").records.items()}
        for key in before:
            land.twin("aiotic").edit(key, city="Wrong")
        land.run(scan=True)
        assert {row["city"] for row in land.rows()} == {"Wrong"}

        for key, city in before.items():
            land.twin("aiotic").edit(key, city=city)
        land.run(scan=True)
        assert [row["city"] for row in land.rows()] == right
        for key in before:
            land.twin("aiotic").edit(key, city="Wrong")
        land.run(scan=True)
        assert [row["city"] for row in land.rows()] == right

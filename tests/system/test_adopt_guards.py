"""First contact and the guards: what an accepted report showed is done as planned, and nothing else is let pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from syncd.operate.reading import chosen
from syncd.sandbox.faults import Fault
from tests.system.landscape import Landscape, landscape

CUSTOMERS = 24


def there_already(land: Landscape, **changed: Any) -> None:
    """Everybody is at aiotic under his number, but for what is changed."""
    with land.site(exclusive=False) as site:
        for route in chosen(site, ()):
            for row in land.rows():
                values = {name: value for name, value in row.items() if name != "id"} | changed
                route.adapter.create(row["number"], route.adapter.project(values))


def test_plan_and_run_agree_on_what_an_accepted_report_showed(tmp_path: Path) -> None:
    """Every update that the report announced is planned and done at once; the guard has nothing to add, and has its
    whole limit left for what comes after."""
    with landscape(
        tmp_path, CUSTOMERS, ("aiotic",), create="after-match", head='[guards]\nupdate = "50%/24h"\n'
    ) as land:
        there_already(land, city="Anderswo")
        assert land.said("adopt", "aiotic", "--yes", "--json").data["accepted"]["linked"] == CUSTOMERS
        plan = land.said("plan", "--json").data
        assert (plan["counts"], plan["guards"]) == ({"adopt": CUSTOMERS, "update": CUSTOMERS}, [])
        result = land.run()
        assert result.counts["aiotic"].get("updated") == CUSTOMERS
        assert land.said("review", "list", "--json").data["items"] == []
        land.sql("UPDATE customers SET email = 'neu' || id || '@x.example' WHERE id <= 10")
        assert land.run().counts["aiotic"].get("updated") == 10


def test_what_the_report_did_not_show_is_guarded_by_one_base(tmp_path: Path) -> None:
    """A field that changed after the report counts; its share is one of all who are linked or ordered to be, so that
    the plan and the run stage as many."""
    with landscape(
        tmp_path, CUSTOMERS, ("aiotic",), create="after-match", head='[guards]\nupdate = "50%/24h"\n'
    ) as land:
        there_already(land)
        land.said("adopt", "aiotic", "--yes")
        land.sql("UPDATE customers SET city = 'Neustadt'")
        plan = land.said("plan", "--json").data
        assert plan["counts"]["update"] == CUSTOMERS // 2
        result = land.run()
        assert result.counts["aiotic"]["updated"] == CUSTOMERS // 2
        assert result.counts["aiotic"]["staged"] == CUSTOMERS // 2


def test_an_approved_create_does_not_count_after_a_retry(tmp_path: Path) -> None:
    """Creates that `adopt` approved, and that the provider refused at first, pass the guard when they are retried."""
    with landscape(tmp_path, 8, ("aiotic",), create="after-match", head='[guards]\ncreate = "2/24h"\n') as land:
        assert land.said("adopt", "aiotic", "--yes").code == 0
        land.twin("aiotic").faults.add(Fault("status", status=422, times=0, method="PUT"))
        assert land.run().counts["aiotic"] == {"rejected": 8}
        land.twin("aiotic").faults.clear()
        assert "8 due now" in land.said("retry", "--failed").out
        assert land.run().counts["aiotic"] == {"created": 8}


def test_approved_creates_do_not_count_when_the_row_changes_first(tmp_path: Path) -> None:
    """Who waited for `adopt` and is edited before his turn is still approved."""
    with landscape(tmp_path, 8, ("aiotic",), create="after-match", head='[guards]\ncreate = "2/24h"\n') as land:
        land.run()
        assert land.said("adopt", "aiotic", "--yes").code == 0
        land.sql("UPDATE customers SET city = 'Neustadt'")
        assert land.run().counts["aiotic"] == {"created": 8}


def test_who_was_only_here_is_approved_although_the_log_has_him(tmp_path: Path) -> None:
    """Customers who were inserted since the triggers are there, and whom the report showed as only here, are created
    without the guard; one who came after the report is not approved by it."""
    with landscape(tmp_path, 2, ("aiotic",), create="after-match", head='[guards]\ncreate = "3/24h"\n') as land:
        land.run()
        insert = (
            "INSERT INTO customers (number, name, email, country) VALUES ('N{0}', 'Neu {0}', 'n{0}@x.example', 'DE')"
        )
        land.transaction(*(insert.format(n) for n in range(6)))
        assert land.said("adopt", "aiotic", "--yes", "--json").data["counts"]["only_here"] == 8
        land.transaction(*(insert.format(n) for n in range(10, 15)))
        assert land.run().counts["aiotic"] == {"created": 8 + 3, "staged": 2}


@pytest.mark.parametrize("approved", ["always", "after-match"])
def test_a_filter_that_was_taken_out_is_no_first_pass(tmp_path: Path, approved: str) -> None:
    """The first pass creates whoever a person approved. Where the settings let many more in afterwards, perhaps by
    mistake, the guard counts them, and the plan says so before."""
    head = '[guards]\ncreate = "3/24h"\n'
    with landscape(tmp_path, CUSTOMERS, ("aiotic",), create=approved, head=head) as land:
        land.change("[state]", '[source.where]\nid = ["1", "2", "3", "4", "5"]\n[state]')
        assert approved == "always" or land.said("adopt", "aiotic", "--yes").code == 0
        assert land.run().counts["aiotic"] == {"created": 5}
        land.change('[source.where]\nid = ["1", "2", "3", "4", "5"]\n', "")
        plan = land.said("plan", "--json").data
        assert (plan["counts"].get("create"), plan["guards"] != []) == (3, True)
        counts = land.run().counts["aiotic"]
        assert (counts["created"], counts["staged"]) == (3, CUSTOMERS - 8)
        assert land.remotes() == {"aiotic": 8}
        assert {item["kind"] for item in land.said("review", "list", "--json").data["items"]} == {"guard_create"}

"""What first contact says about customers whom a provider's rules refuse: the same in plan, run and list."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.landscape import landscape


@pytest.mark.parametrize("name", ["billbee", "jtl"])
def test_who_will_be_refused_is_not_planned_as_created(tmp_path: Path, name: str) -> None:
    """A customer whom the provider's rules refuse is planned as rejected, with the field, and the run rejects him."""
    with landscape(tmp_path, 3, (name,)) as land:
        land.sql("UPDATE customers SET country = 'Germany' WHERE id = 2")
        plan = land.said("plan", "--json").data
        assert plan["counts"] == {"create": 2}
        (waiting,) = plan["waiting"]
        assert (waiting["customer_key"], waiting["kind"], waiting["fields"]) == ("2", "rejected", ["country"])
        assert land.run().counts[name] == {"created": 2, "rejected": 1}


def test_an_empty_list_names_the_rejected(tmp_path: Path) -> None:
    """Where nothing is asked and a run ends with 5, the list says who is rejected and what leads on."""
    with landscape(tmp_path, 3, ("billbee",)) as land:
        land.sql("UPDATE customers SET country = 'Germany' WHERE id = 2")
        ended = land.said("run-once")
        assert (ended.code, "customer 2 rejected" in ended.out, "review list" in ended.out) == (5, True, False)
        answer = land.said("review", "list")
        assert answer.code == 0
        assert "1 rejected (2)" in answer.out
        assert "syncd explain 2" in answer.out


def test_many_rejected_customers_do_not_point_at_an_empty_list(tmp_path: Path) -> None:
    """Where more is wrong than is shown, the list of questions is named only where it holds any of it."""
    with landscape(tmp_path, 20, ("billbee",)) as land:
        land.sql("UPDATE customers SET country = 'Germany' || id")
        ended = land.said("run-once")
        assert (ended.code, "review list" in ended.out) == (5, False)

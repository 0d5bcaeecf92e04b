"""A field that is mapped after the customers were linked."""

from __future__ import annotations

from pathlib import Path

from syncd.operate.explain import look
from syncd.source import customers
from tests.system.landscape import landscape


def test_a_field_mapped_later_fills_what_is_empty_there(tmp_path: Path) -> None:
    """The source's value goes to every record that has none, planned and guarded like any change; what a record already
    holds is a question where the policy says so, and nobody is asked about the empty ones."""
    with landscape(tmp_path, 12, ("aiotic",), common='conflict = "review"\n') as land:
        fields = land.fields
        land.fields = {name: column for name, column in fields.items() if name != "city"}
        land.write()
        land.run()
        land.run(scan=True)
        land.twin("aiotic").edit("1003", city="Husum")
        land.fields = dict(fields)
        land.write()
        plan = land.said("plan", "--json").data
        assert (plan["counts"], plan["guards"]) == (
            {"update": 10},
            [{"provider": "aiotic", "verb": "update", "staged": 1}],
        )
        assert {tuple(operation["fields"]) for operation in plan["operations"]} == {("city",)}
        result = land.run()
        assert result.counts["aiotic"]["updated"] == 10
        items = land.said("review", "list", "--json").data["items"]
        assert sorted((item["kind"], item["customer_key"]) for item in items) == [
            ("guard_update", ""),
            ("no_base", "3"),
        ]
        assert land.twin("aiotic").records["1003"]["city"] == "Husum"


def test_a_lost_base_still_fills_nothing(tmp_path: Path) -> None:
    """Where nothing at all is agreed any more, an empty side is a question as before."""
    with landscape(tmp_path, 2, ("aiotic",)) as land:
        land.run()
        land.run(scan=True)
        land.twin("aiotic").edit("1001", city=None)
        with land.site() as site, site.state.begin() as tx:
            tx.exec_driver_sql("UPDATE mapping SET base = '{}'")
        land.sql("UPDATE customers SET email = 'neu@x.example' WHERE id = 1")
        land.run()
        items = land.said("review", "list", "--json").data["items"]
        assert ("no_base", ["city"]) in [(item["kind"], item["fields"]) for item in items]


def test_explain_says_of_a_field_mapped_later_what_a_run_does(tmp_path: Path) -> None:
    """Both know which fields were mapped since the customers were linked."""
    with landscape(tmp_path, 2, ("aiotic",), common='conflict = "review"\n') as land:
        fields = land.fields
        land.fields = {name: column for name, column in fields.items() if name != "city"}
        land.write()
        land.run()
        land.run(scan=True)
        land.fields = dict(fields)
        land.write()
        with land.site() as site:
            seen = look(site, site.routes[0], "1", customers.read(site.source, ["1"])["1"])
        assert seen.decisions["city"] == ("push", "filled")
        assert land.run().counts["aiotic"]["updated"] == 2

"""`syncd plan`: the list is what the next run does, and making it leaves no trace."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from syncd.sandbox.faults import Fault
from tests.system.landscape import Landscape, landscape

Deeds = dict[tuple[str, str, str], set[str]]
VERBS = {
    "pair.created": "create",
    "pair.pushed": "update",
    "pair.pulled": "pull",
    "pair.removed": "delete",
    "pair.unlinked": "unlink",
    "pair.adopted": "adopt",
}


@pytest.fixture
def land(tmp_path: Path) -> Iterator[Landscape]:
    """Fifteen customers at all five providers, in agreement; aiotic and JTL remove who is deleted."""
    extra = {"aiotic": 'on_delete = "delete"\n', "jtl": 'on_delete = "archive"\nconflict = "review"\n'}
    with landscape(tmp_path, 15, extra=extra) as made:
        made.run()
        made.run(scan=True)
        yield made


def everything(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as db:
        return list(db.iterdump())


def edit(land: Landscape, name: str, number: str, **changes: Any) -> None:
    twin = land.twin(name)
    for external_id, record in list(twin.records.items()):
        if str(record.get("Number") or record.get("number")) == number:
            nested = {k: {**record[k], **v} if isinstance(v, dict) else v for k, v in changes.items()}
            twin.edit(external_id, **nested)


def happened(land: Landscape, since: int) -> Deeds:
    """What the run noted: fields by (provider, key, verb). One row may be written in two goes, when a pull from one
    provider reaches another that is at work on it already."""
    found: Deeds = {}
    with closing(sqlite3.connect(land.state)) as state:
        query = "SELECT provider, customer_key, event, fields FROM event WHERE id > ?"
        for provider, key, event, fields in state.execute(query, (since,)):
            verb = VERBS.get(event)
            if verb is not None:
                verb = "archive" if (verb, provider) == ("delete", "jtl") else verb
                names = json.loads(fields) if verb in {"update", "pull"} else []
                found.setdefault((provider, key, verb), set()).update(names)
    return found


def last_event(land: Landscape) -> int:
    with closing(sqlite3.connect(land.state)) as state:
        return int(state.execute("SELECT coalesce(max(id), 0) FROM event").fetchone()[0])


def planned(land: Landscape, *words: str) -> Deeds:
    operations = land.said("plan", "--json", *words).data["operations"]
    return {
        (op["provider"], op["customer_key"], op["verb"]): set(op["fields"])
        if op["verb"] in {"update", "pull"}
        else set()
        for op in operations
    }


def trouble_of_all_kinds(land: Landscape) -> None:
    """An edit here, one there, both, a conflict, a new customer, a deletion, a re-key."""
    land.transaction(
        "UPDATE customers SET email = 'neu@example.com' WHERE id = 3",
        "UPDATE customers SET street = 'Neue Straße 7' WHERE id = 5",
        "UPDATE customers SET city = 'Bremen' WHERE id = 6",
        "DELETE FROM customers WHERE id = 8",
        "UPDATE customers SET id = 99, phone = '+49 30 7654321' WHERE id = 10",
        "INSERT INTO customers (number, name, email, country, vat_number)"
        " VALUES ('2001', 'Neu & Söhne', 'neu@e.example', 'DE', 'DE812345678')",
    )
    edit(land, "jtl", "1002", BillingAddress={"City": "Lübeck"})
    edit(land, "jtl", "1006", BillingAddress={"City": "Kiel"})
    edit(land, "aiotic", "1004", city="Husum")
    edit(land, "billbee", "1005", Email="bb@example.com")


def test_the_plan_is_what_the_next_run_does(land: Landscape) -> None:
    """Operations of the plan, provider by provider and field by field, equal what a following run notes."""
    trouble_of_all_kinds(land)
    expected = planned(land, "--scan")
    before = last_event(land)
    land.run(scan=True)
    assert happened(land, before) == expected
    verbs = {verb for _, _, verb in expected}
    assert verbs == {"create", "update", "pull", "delete", "archive", "unlink"}
    assert expected["jtl", "99", "update"] == {"phone"}
    assert expected["azotte", "5", "update"] == {"street", "email"}


def test_planning_leaves_no_trace(land: Landscape) -> None:
    """Neither state nor source nor a provider is another one after `plan`; the change log stays unread."""
    trouble_of_all_kinds(land)
    before = everything(land.state), everything(land.shop), land.writes()
    for words in (("plan",), ("plan", "--scan", "--values"), ("plan", "--json"), ("run-once", "--dry-run")):
        assert land.said(*words).code == 0
    assert (everything(land.state), everything(land.shop), land.writes()) == before


def test_planning_before_the_first_run_makes_no_state(tmp_path: Path) -> None:
    """Where there is no state yet, the plan is the whole first pass, and still no file appears."""
    with landscape(tmp_path, 4, ("aiotic", "billbee")) as land:
        answer = land.said("plan", "--json")
        assert answer.data["counts"] == {"create": 8}
        assert [path.name for path in tmp_path.glob("state*")] == []


def test_missing_triggers_are_said_before_anything_is_planned(tmp_path: Path) -> None:
    """Without a change log there is no plan: exit 2 and the command that installs it."""
    with landscape(tmp_path, 2, ("aiotic",), install=False) as land:
        answer = land.said("plan")
        assert answer.code == 2
        assert "syncd triggers install" in answer.err


def test_values_are_shown_only_when_asked_for(land: Landscape) -> None:
    """A plan names fields; old and new values appear with --values alone."""
    land.sql("UPDATE customers SET email = 'canary@example.com' WHERE id = 3")
    for words in (("plan",), ("plan", "--json")):
        assert "canary" not in land.said(*words).out
    assert "canary@example.com" in land.said("plan", "--values").out
    operation = land.said("plan", "--json", "--values").data["operations"][0]
    assert operation["fields"]["email"] == {"from": "kunde1003@example.com", "to": "canary@example.com"}


def test_differences_have_an_exit_code_of_their_own(land: Landscape) -> None:
    """`--exit-code`: 0 when a run would change nothing, 3 when it would; without it 0 either way."""
    assert land.said("plan", "--exit-code").code == 0
    land.sql("UPDATE customers SET email = 'neu@example.com' WHERE id = 3")
    assert land.said("plan", "--exit-code").code == 3
    assert land.said("plan").code == 0


def test_a_conflict_is_announced_as_review(land: Landscape) -> None:
    """What would go to a person is listed as waiting, not as an operation."""
    land.sql("UPDATE customers SET city = 'Bremen' WHERE id = 6")
    edit(land, "jtl", "1006", BillingAddress={"City": "Kiel"})
    found = land.said("plan", "--scan", "--json", "--provider", "jtl").data
    assert found["operations"] == []
    assert [(item["kind"], item["customer_key"], item["fields"]) for item in found["waiting"]] == [
        ("review", "6", ["city"])
    ]


def test_a_guard_that_would_trip_is_foretold(tmp_path: Path) -> None:
    """The plan counts operations as the guard does: those beyond the limit are staged, in the plan and in the run."""
    head = '[guards]\nupdate = "3/24h"\n'
    with landscape(tmp_path, 8, ("aiotic",), head=head) as land:
        land.run()
        land.sql("UPDATE customers SET city = 'Emden'")
        found = land.said("plan", "--json").data
        assert found["counts"] == {"update": 3}
        assert found["guards"] == [{"provider": "aiotic", "verb": "update", "staged": 5}]
        result = land.run()
        assert result.counts["aiotic"] == {"updated": 3, "staged": 5}
        assert land.said("plan", "--json").data["operations"] == []


def test_who_passes_a_guard_is_foretold_however_slow_a_reading_is(tmp_path: Path) -> None:
    """Of eight that are due a guard lets the first three through, though the first one's record is read last."""
    with landscape(tmp_path, 8, ("aiotic",), head='[guards]\nupdate = "3/24h"\n') as land:
        land.run()
        land.settle()
        land.run(scan=True)
        land.sql("UPDATE customers SET city = 'Emden'")
        expected = planned(land)
        before = last_event(land)
        land.twin("aiotic").faults.add(Fault("slow", method="GET", seconds=1.5))
        land.run()
        assert set(expected) == {("aiotic", key, "update") for key in ("1", "2", "3")}
        assert happened(land, before) == expected


def test_new_rows_are_foretold_with_what_follows_from_them(tmp_path: Path) -> None:
    """A record that would become a row is listed, with its creates at the others; what the guard would keep outside is
    listed as staged, and the run does the same."""
    head, extra = '[guards]\noverwrite = "2/24h"\n', {"aiotic": "inbound_create = true\n"}
    with landscape(tmp_path, 3, ("aiotic", "jtl", "billbee"), head=head, extra=extra) as land:
        land.run(scan=True)
        like = land.twin("aiotic").records["1001"]
        for number in ("7001", "7002", "7003"):
            own = {"number": number, "name": f"Neu {number}", "email": f"neu{number}@example.org", "vat_number": None}
            land.twin("aiotic").put(number, {**like, **own, "id": f"00000000-0000-0000-0000-00000000{number}"})
        found = land.said("plan", "--scan", "--json").data
        assert found["counts"] == {"insert": 2, "create": 4}
        assert found["guards"] == [{"provider": "aiotic", "verb": "insert", "staged": 1}]
        result = land.run(scan=True)
        assert (result.total("created"), len(land.rows())) == (4, 5)
        assert land.said("plan", "--scan", "--json").data["operations"] == []


def test_all_guards_of_an_operation_are_counted_as_the_run_counts_them(tmp_path: Path) -> None:
    """What one guard holds back spends nothing of the others, in the plan as in the run."""
    head = '[guards]\nblank = "1/24h"\nupdate = "3/24h"\n'
    with landscape(tmp_path, 8, ("aiotic", "jtl"), head=head) as land:
        land.run(scan=True)
        land.settle()  # a write confirmed between plan and run would change who comes first
        land.run(scan=True)
        land.transaction(
            "UPDATE customers SET city = NULL WHERE id <= 4", "UPDATE customers SET city = 'Emden' WHERE id > 5"
        )
        expected = land.said("plan", "--scan", "--json").data
        guards = {(each["provider"], each["verb"]): each["staged"] for each in expected["guards"]}
        before = last_event(land)
        land.run(scan=True)
        assert happened(land, before).keys() == {
            (op["provider"], op["customer_key"], op["verb"]) for op in expected["operations"]
        }
        items = land.said("review", "list", "--json").data["items"]
        assert guards == {(item["provider"], item["kind"].removeprefix("guard_")): item["count"] for item in items}
        assert set(guards) >= {("aiotic", "blank"), ("aiotic", "update")}


def test_other_settings_are_planned_and_guarded(tmp_path: Path) -> None:
    """Another column for a field drops its base, another direction keeps it: the plan shows what follows, the guard
    holds back what is too much, and the run does just that."""
    with landscape(tmp_path, 14, ("aiotic", "jtl"), head='[guards]\nupdate = "4/24h"\n') as land:
        land.run()
        land.settle()  # a write confirmed between plan and run would change who comes first
        land.run(scan=True)
        land.transaction(
            "ALTER TABLE customers ADD COLUMN mail2 TEXT", "UPDATE customers SET mail2 = 'neu' || id || '@x.example'"
        )
        land.fields = {**land.fields, "email": "mail2"}
        land.extra = {"jtl": '[providers.jtl.fields]\ncity = "push"\nemail = "off"\n'}
        land.write()
        with closing(sqlite3.connect(land.state)) as state:
            bases = dict(state.execute("SELECT customer_key, base FROM mapping WHERE provider = 'jtl'").fetchall())
        found = land.said("plan", "--json").data
        assert found["counts"] == {"update": 4}
        assert {op["provider"]: set(op["fields"]) for op in found["operations"]} == {"aiotic": {"email"}}
        assert found["guards"] == [{"provider": "aiotic", "verb": "update", "staged": 10}]
        before = last_event(land)
        assert land.said("run-once").code == 6
        assert happened(land, before).keys() == {
            (op["provider"], op["customer_key"], op["verb"]) for op in found["operations"]
        }
        with closing(sqlite3.connect(land.state)) as state:
            after = dict(state.execute("SELECT customer_key, base FROM mapping WHERE provider = 'jtl'").fetchall())
        assert {key: "city" in json.loads(base) for key, base in after.items()} == dict.fromkeys(bases, True)
        assert [json.loads(base)["city"] for base in after.values()] == [json.loads(b)["city"] for b in bases.values()]
        edit(land, "jtl", "1002", BillingAddress={"City": "Husum"})
        land.run(scan=True)
        assert land.row(2)["city"] != "Husum"
        (record,) = [record for record in land.twin("jtl").records.values() if record["Number"] == "1002"]
        assert record["BillingAddress"]["City"] == land.row(2)["city"]


def test_a_provider_that_cannot_be_read_is_not_planned_as_empty(land: Landscape) -> None:
    """A provider that fails is named, and exit 7 says that the plan is not whole; the others are planned."""
    land.sql("UPDATE customers SET email = 'neu@example.com' WHERE id = 3")
    land.twin("aiotic").faults.add(Fault("status", status=503, times=0))
    answer = land.said("plan", "--json")
    assert answer.code == 7
    assert set(answer.data["unreadable"]) == {"aiotic"}
    assert {op["provider"] for op in answer.data["operations"]} == set(land.names) - {"aiotic"}


def test_a_restored_source_is_not_planned(land: Landscape) -> None:
    """Where a run would stop for safety, so does the plan: exit 6."""
    land.sql("UPDATE syncd_fence SET acks = acks + 7")
    assert land.said("plan").code == 6

"""What waits for a person, and what each decision does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncd.core.model import Link, Pair
from syncd.store import mapping
from tests.system.landscape import Landscape, landscape

NAMES = ("aiotic", "jtl")


@pytest.fixture
def land(tmp_path: Path) -> Iterator[Landscape]:
    """Six customers at two providers whose conflicts go to a person; aiotic deletes, JTL keeps."""
    extra = {"aiotic": 'on_delete = "delete"\n'}
    with landscape(tmp_path, 6, NAMES, common='conflict = "review"\n', extra=extra) as made:
        made.run()
        yield made


def waiting(land: Landscape, **wanted: str) -> list[dict[str, Any]]:
    items = land.said("review", "list", "--json").data["items"]
    return [item for item in items if all(item[name] == value for name, value in wanted.items())]


def only(land: Landscape, **wanted: str) -> dict[str, Any]:
    (item,) = waiting(land, **wanted)
    return item


def decide(land: Landscape, item: dict[str, Any], *words: str) -> None:
    answer = land.said("review", "resolve", str(item["id"]), *words)
    assert answer.code == 0, answer.err


def link(land: Landscape, provider: str, key: str) -> Link | None:
    with land.site(exclusive=False) as site, site.state.read() as tx:
        return mapping.read(tx, Pair(provider, key))


def by_number(land: Landscape, name: str, number: str) -> list[str]:
    records = land.twin(name).records.items()
    return [id_ for id_, record in records if str(record.get("Number") or record.get("number")) == number]


def city(land: Landscape, name: str, number: str) -> Any:
    record = land.twin(name).records[by_number(land, name, number)[0]]
    return record["BillingAddress"]["City"] if name == "jtl" else record["city"]


def conflict(land: Landscape) -> dict[str, Any]:
    """City of customer 2: Bremen in the source, Husum at aiotic."""
    land.sql("UPDATE customers SET city = 'Bremen' WHERE id = 2")
    land.twin("aiotic").edit("1002", city="Husum")
    land.run(scan=True)
    return only(land, provider="aiotic", customer_key="2")


def test_nothing_waits(land: Landscape) -> None:
    """An empty list says so and exits 0."""
    answer = land.said("review")
    assert (answer.code, answer.out) == (0, "Nothing waits for a person.\n")


def test_the_list_names_fields_and_never_values(land: Landscape) -> None:
    """The list has the documented shape, exits 5, and holds no value; `show` has both values."""
    item = conflict(land)
    assert set(item) == {"id", "kind", "provider", "customer_key", "fields", "reason", "opened_at", "count"}
    assert (item["kind"], item["fields"], item["count"]) == ("conflict", ["city"], 1)
    answer = land.said("review", "list")
    assert answer.code == 5
    assert "Bremen" not in answer.out + land.said("review", "list", "--json").out
    shown = land.said("review", "show", str(item["id"]))
    assert {"Bremen", "Husum"} <= set(shown.out.split())
    assert f"syncd review resolve {item['id']} --take source" in shown.out
    assert "Bremen" not in land.said("review", "show", str(item["id"]), "--json").out


@pytest.mark.parametrize(("side", "winner"), [("source", "Bremen"), ("provider", "Husum")])
def test_a_person_takes_a_side(land: Landscape, side: str, winner: str) -> None:
    """The side that was taken wins everywhere, once, and the item is closed."""
    decide(land, conflict(land), "--take", side)
    land.run(scan=True)
    assert (land.row(2)["city"], city(land, "aiotic", "1002"), city(land, "jtl", "1002")) == (winner,) * 3
    assert waiting(land) == []
    writes = land.writes()
    land.run(scan=True)
    assert land.writes() == writes


def test_ignored_stays_as_it_is_until_it_changes(land: Landscape) -> None:
    """`--ignore` leaves both values where they are; a newer value asks again."""
    decide(land, conflict(land), "--ignore")
    land.run(scan=True)
    assert (land.row(2)["city"], city(land, "aiotic", "1002")) == ("Bremen", "Husum")
    assert waiting(land) == []
    land.sql("UPDATE customers SET city = 'Emden' WHERE id = 2")
    land.run(scan=True)
    assert only(land)["kind"] == "conflict"


def test_a_decision_counts_for_what_was_shown(land: Landscape) -> None:
    """When a value changed between the decision and the run, the decision is void and the question is asked again."""
    item = conflict(land)
    decide(land, item, "--take", "source")
    land.twin("aiotic").edit("1002", city="Tönning")
    land.run(scan=True)
    assert city(land, "aiotic", "1002") == "Tönning"
    assert only(land)["id"] == item["id"]


def test_decisions_that_do_not_fit_are_refused(land: Landscape) -> None:
    """An item takes the decisions of its kind; anything else exits 2 and names those that would do."""
    number = str(conflict(land)["id"])
    for words in (("--create",), ("--release",), ("--link", "1")):
        answer = land.said("review", "resolve", number, *words)
        assert answer.code == 2
        assert "--take source" in answer.err
    assert land.said("review", "resolve", number).code == 2
    assert land.said("review", "resolve", number, "--ignore", "--take", "source").code == 2
    assert land.said("review", "resolve", "4711", "--ignore").code == 2


# -- gone and archived over there ------------------------------------------------------------------------------------


def gone_there(land: Landscape) -> dict[str, Any]:
    land.twin("aiotic").drop("1003")
    land.run(scan=True)
    return only(land, provider="aiotic", customer_key="3", kind="remote_gone")


def test_a_record_that_is_gone_is_made_anew_only_when_told(land: Landscape) -> None:
    """A remote that somebody deleted waits; `--create` makes it once, linked, with all its values."""
    item = gone_there(land)
    land.sql("UPDATE customers SET city = 'Emden' WHERE id = 3")
    land.run(scan=True)
    assert by_number(land, "aiotic", "1003") == []
    decide(land, only(land, customer_key="3"), "--create")
    land.run()
    assert by_number(land, "aiotic", "1003") == ["1003"]
    assert city(land, "aiotic", "1003") == "Emden"
    assert waiting(land) == []
    assert item["kind"] == "remote_gone"


def test_a_record_that_is_gone_may_stay_gone(land: Landscape) -> None:
    """`--ignore` keeps the customer out of there: no create, no question, whatever changes here."""
    decide(land, gone_there(land), "--ignore")
    land.run(scan=True)
    land.sql("UPDATE customers SET city = 'Emden' WHERE id = 3")
    land.run(scan=True)
    assert by_number(land, "aiotic", "1003") == []
    assert waiting(land) == []
    assert city(land, "jtl", "1003") == "Emden"


def test_another_record_takes_the_place_of_one_that_is_gone(land: Landscape) -> None:
    """`--link X` links the customer to the record a person found, and compares its fields."""
    item = gone_there(land)
    land.twin("aiotic").put("9003", {**land.twin("aiotic").records["1004"], "number": "9003", "city": "Husum"})
    decide(land, item, "--link", "9003")
    land.run()
    linked = link(land, "aiotic", "3")
    assert linked is not None
    assert linked.external_id == "9003"
    assert by_number(land, "aiotic", "1003") == []


@pytest.mark.parametrize("how", ["archived", "gone"])
def test_a_record_that_is_back_is_no_question_any_more(land: Landscape, how: str) -> None:
    """Archived and restored, or deleted and brought back, over there: the next scan closes the question, and what was
    edited meanwhile goes out."""
    record = dict(land.twin("aiotic").records["1003"])
    if how == "archived":
        land.twin("aiotic").edit("1003", archived_at="2026-03-02T08:00:00+00:00")
    else:
        land.twin("aiotic").drop("1003")
    land.run(scan=True)
    assert only(land)["kind"] == f"remote_{how}"
    land.sql("UPDATE customers SET city = 'Emden' WHERE id = 3")
    land.run(scan=True)
    assert only(land)["kind"] == f"remote_{how}"
    land.twin("aiotic").put("1003", record)
    assert land.said("plan", "--scan", "--json").data["counts"] == {"update": 1}
    land.run(scan=True)
    assert waiting(land) == []
    assert city(land, "aiotic", "1003") == "Emden"


# -- deleted here, edited there ------------------------------------------------------------------------------------


def deleted_here(land: Landscape) -> dict[str, Any]:
    land.twin("aiotic").edit("1004", city="Husum")
    land.sql("DELETE FROM customers WHERE id = 4")
    land.run()
    assert by_number(land, "aiotic", "1004") == ["1004"]
    return only(land, provider="aiotic", customer_key="4", kind="delete_conflict")


def test_a_delete_conflict_removes_when_told(land: Landscape) -> None:
    """`--take source` removes the edited record all the same."""
    decide(land, deleted_here(land), "--take", "source")
    land.run()
    assert by_number(land, "aiotic", "1004") == []
    assert waiting(land) == []


def test_a_delete_conflict_keeps_when_told(land: Landscape) -> None:
    """`--take provider` keeps the record, unlinked, and a scan does not bring the customer back."""
    decide(land, deleted_here(land), "--take", "provider")
    land.run(scan=True)
    assert by_number(land, "aiotic", "1004") == ["1004"]
    assert link(land, "aiotic", "4") is None
    assert land.row(4) == {}
    assert waiting(land) == []


# -- link and unlink ------------------------------------------------------------------------------------


def test_unlinked_is_left_alone_until_it_is_linked(land: Landscape) -> None:
    """After `unlink` nothing is written, created or linked for the pair; `link` brings it back."""
    assert land.said("unlink", "aiotic", "5").code == 0
    land.run()
    writes = land.writes()["aiotic"]
    land.sql("UPDATE customers SET city = 'Emden' WHERE id = 5")
    land.run(scan=True)
    assert land.writes()["aiotic"] == writes
    assert city(land, "jtl", "1005") == "Emden"
    assert waiting(land) == []
    assert land.said("link", "aiotic", "5", "1005").code == 0
    land.run()
    item = only(land)
    assert (item["kind"], item["fields"]) == ("no_base", ["city"]), "no base: the policy asks"
    decide(land, item, "--take", "source")
    land.run()
    assert city(land, "aiotic", "1005") == "Emden"


def test_a_link_that_cannot_be_is_refused_at_once(land: Landscape) -> None:
    """A record that is not there, or is another customer's, and a customer that is linked: exit 2, nothing changed."""
    for words in (("5", "4711"), ("5", "1004"), ("77", "1004")):
        assert land.said("link", "aiotic", *words).code == 2
    assert land.said("link", "nobody", "5", "1005").code == 2
    land.said("unlink", "aiotic", "5")
    land.run()
    answer = land.said("link", "aiotic", "5", "1004")
    assert answer.code == 2
    assert "syncd unlink aiotic 4" in answer.err


def test_an_order_about_a_key_that_changed_hands_waits_for_the_capture(land: Landscape) -> None:
    """Customers 5 and 6 swapped their keys, and no run has read it: `link` and `unlink` say so and change nothing.
    After the run each order reaches the customer who has the key."""
    land.said("unlink", "aiotic", "5")
    land.said("unlink", "aiotic", "6")
    land.run()
    for old, new in ((5, 99), (6, 5), (99, 6)):
        land.sql(f"UPDATE customers SET id = {new} WHERE id = {old}")
    for words in (("link", "aiotic", "5", "1006"), ("unlink", "jtl", "5")):
        answer = land.said(*words)
        assert (answer.code, "changed hands" in answer.err, "syncd run-once" in answer.err) == (2, True, True)
    land.run()
    assert land.said("link", "aiotic", "5", "1006").code == 0
    land.run()
    linked = link(land, "aiotic", "5")
    assert linked is not None
    assert linked.external_id == "1006"
    other = link(land, "aiotic", "6")
    assert other is None or other.external_id is None, "left alone, as ordered before"


def test_a_link_needs_no_triggers(land: Landscape) -> None:
    """Where no change log is there, nothing speaks against an order."""
    assert land.said("unlink", "aiotic", "5").code == 0
    land.run()
    assert land.said("triggers", "remove", "--yes").code == 0
    answer = land.said("link", "aiotic", "5", "1005")
    assert answer.code == 0, answer.err


# -- guards ------------------------------------------------------------------------------------


def test_a_release_grants_exactly_what_was_staged(tmp_path: Path) -> None:
    """What a guard held back goes out after `--release`, planned anew; what comes later is held back again."""
    with landscape(tmp_path, 8, ("aiotic",), head='[guards]\nupdate = "3/24h"\n') as land:
        land.run()
        land.sql("UPDATE customers SET city = 'Emden'")
        land.run()
        item = only(land)
        assert (item["kind"], item["count"], item["customer_key"]) == ("guard_update", 5, "")
        assert len(land.said("review", "show", str(item["id"])).out.splitlines()) >= 5
        land.sql("UPDATE customers SET city = 'Berlin' WHERE id = 8")
        writes = land.writes()["aiotic"]
        answer = land.said("review", "resolve", str(item["id"]), "--release")
        assert "5 staged operations" in answer.out
        land.run()
        assert land.writes()["aiotic"] - writes in {4, 5}
        cities = [record["city"] for record in land.twin("aiotic").records.values()]
        assert sorted(set(cities)) == ["Berlin", "Emden"]
        land.sql("UPDATE customers SET city = 'Leer' WHERE id = 1")
        land.run()
        assert only(land)["count"] == 1


def test_a_release_grants_what_its_number_showed_and_nothing_that_came_since(tmp_path: Path) -> None:
    """Who looked and then releases lets pass what he saw, also when a daemon held back more meanwhile: that waits on,
    under a number of its own."""
    with landscape(tmp_path, 8, ("aiotic",), head='[guards]\nupdate = "3/24h"\n') as land:
        land.run()
        land.sql("UPDATE customers SET city = 'Emden'")
        land.run()
        seen = only(land)
        pairs = {line.split()[0] for line in land.said("review", "show", str(seen["id"])).out.splitlines()[2:7]}
        first = {str(key) for key in range(1, 9)} - pairs

        land.sql(f"UPDATE customers SET city = 'Leer' WHERE id IN ({', '.join(first)})")
        grown = min(pairs)
        land.sql(f"UPDATE customers SET phone = '+49 30 7654321' WHERE id = {grown}")
        assert land.said("run-once").code == 6
        now = only(land)
        assert (seen["count"], now["count"], now["id"] == seen["id"]) == (5, 8, False)
        assert len(land.said("review", "show", str(seen["id"])).out.splitlines()) < len(
            land.said("review", "show", str(now["id"])).out.splitlines()
        )
        answer = land.said("review", "resolve", str(seen["id"]), "--release")
        assert "4 staged operations" in answer.out
        land.run()
        cities = {str(key): land.twin("aiotic").records[str(1000 + key)]["city"] for key in range(1, 9)}
        assert {key for key in pairs if cities[key] == "Emden"} == pairs - {grown}
        assert {cities[key] for key in first} == {"Emden"}, "what came later waits"
        assert only(land)["count"] == 4
        assert land.said("review", "resolve", str(seen["id"]), "--release").code == 2, "a release is for once"
        decide(land, only(land), "--release")
        land.run()
        assert waiting(land) == []
        assert {land.twin("aiotic").records[str(1000 + int(key))]["city"] for key in first} == {"Leer"}


def test_what_is_looked_at_again_behind_a_guard_is_still_what_was_shown(tmp_path: Path) -> None:
    """A held back operation that is marked or looked at again, or has a newer value, stays under the number that
    showed it; one that is not true any more is not executed."""
    with landscape(tmp_path, 6, ("aiotic",), head='[guards]\nupdate = "1/24h"\n') as land:
        land.run()
        cities = {key: land.row(key)["city"] for key in range(1, 7)}
        land.sql("UPDATE customers SET city = 'Emden'")
        land.run()
        seen = only(land)
        held = [k for k in range(1, 7) if land.twin("aiotic").records[str(1000 + k)]["city"] != "Emden"]
        newer, repaired = held[:2]
        land.sql(f"UPDATE customers SET city = 'Leer' WHERE id = {newer}")
        land.run()
        assert only(land) == seen
        land.sql(f"UPDATE customers SET city = '{cities[repaired]}' WHERE id = {repaired}")
        land.run()
        assert (only(land)["id"], only(land)["count"]) == (seen["id"], 4)
        writes = land.writes()["aiotic"]
        decide(land, seen, "--release")
        land.run()
        assert land.writes()["aiotic"] - writes == 4
        assert land.twin("aiotic").records[str(1000 + newer)]["city"] == "Leer"
        assert land.twin("aiotic").records[str(1000 + repaired)]["city"] == cities[repaired]
        assert waiting(land) == []


# -- who is who ------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("--create",), ("--ignore",), ("--link", "9002")])
def test_a_probable_match_waits_for_one_of_three_answers(tmp_path: Path, words: tuple[str, ...]) -> None:
    """A candidate is neither created nor linked before a person says which; each answer does exactly that."""
    with landscape(tmp_path, 2, ("aiotic",), create="after-match") as land:
        row = land.row(2)
        record = {
            "name": row["name"],
            "email": row["email"],
            "postal_code": "99999",
            "phone_number": None,
            "address": None,
            "city": None,
            "contact_person": None,
            "vat_number": None,
            "coc_number": None,
            "home_page": None,
            "archived_at": None,
            "superseded_by": None,
        }
        land.twin("aiotic").put("9002", {**record, "number": "9002", "id": "00000000-0000-0000-0000-000000000901"})
        assert land.said("adopt", "aiotic", "--yes").code == 0
        land.run()
        item = only(land)
        assert (item["kind"], item["customer_key"], sorted(land.twin("aiotic").records)) == (
            "candidate",
            "2",
            ["1001", "9002"],
        )
        assert "9002" in land.said("review", "show", str(item["id"])).out
        decide(land, item, *words)
        land.run()
        land.sql("UPDATE customers SET email = 'neu@example.com' WHERE id = 2")
        land.run(scan=True)
        records = land.twin("aiotic").records
        expected = {"--create": ["1001", "1002", "9002"]}.get(words[0], ["1001", "9002"])
        assert sorted(records) == expected
        emails = {number: records[number]["email"] == "neu@example.com" for number in expected}
        assert [number for number, new in emails.items() if new] == {
            "--create": ["1002"],
            "--ignore": [],
            "--link": ["9002"],
        }[words[0]]
        assert waiting(land) == []

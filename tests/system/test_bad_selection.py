"""What cannot be meant in the settings of a real shop: place, reason and what to do next; and nothing is lost.

A value without an entry, a view that cannot be written and a short `id_column` stand in `test_joined_shop.py`, a
`db copy` into a full state in `test_state_moves.py`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.shop import Shop
from tests.system.test_joined_shop import PEOPLE, links, shop_of_four


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('parent_id = "null"', 'parent = "null"', ("source.where", '"parent"', "parent_id")),
        ('column = "deleted"', 'column = "removed"', ("source.deleted", '"removed"', "deleted")),
        (
            '[source.fields]\nname = "grp"',
            '[source.fields]\nx_debtor = "kind"\nname = "grp"',
            ("source.fields.x_debtor", "no provider", "[providers.jtl.extra]"),
        ),
        (
            'on = { city_id = "address.city_id" }',
            'on = { city_id = "address.city_ids" }',
            ("source.join", '"city_ids"', "city_id"),
        ),
    ],
    ids=["where", "deleted", "own field", "join"],
)
def test_what_the_table_does_not_have(
    sqlite_shop: Shop, tmp_path: Path, old: str, new: str, told: tuple[str, ...]
) -> None:
    """Exit 2 before anything is read or written; the links stand as they did."""
    with shop_of_four(sqlite_shop, tmp_path) as land:
        assert land.said("run-once").code == 0
        before = links(land)
        text = land.config.read_text(encoding="utf-8")
        assert old in text
        land.config.write_text(text.replace(old, new), encoding="utf-8")
        for words in (("doctor",), ("run-once",)):
            answer = land.said(*words)
            said = answer.out + answer.err
            assert answer.code == 2
            assert [each for each in told if each not in said] == [], said
        land.config.write_text(text, encoding="utf-8")
        assert links(land) == before
        writes = land.writes()
        assert land.said("run-once").code == 0
        assert land.writes() == writes


def test_a_join_with_two_rows_for_one_customer(sqlite_shop: Shop, tmp_path: Path) -> None:
    """`doctor` names the join, the customers and the way out (2); they alone are left alone, linked as they are, until
    there is one row again."""
    with shop_of_four(sqlite_shop, tmp_path) as land:
        assert land.said("run-once").code == 0
        before, text = links(land), land.config.read_text(encoding="utf-8")
        twin = '[[source.join]]\nname = "twin"\ntable = "address"\non = { kind = "customer.kind" }\nwrite = false\n'
        land.config.write_text(text.replace("[source.where]", f"{twin}[source.where]"), encoding="utf-8")
        land.install()
        sqlite_shop.run("UPDATE customer SET kind = 'billing' WHERE id IN (1, 2)")
        answer = land.said("doctor")
        assert answer.code == 2
        for told in ('the join "twin" gives more than one row for 2 customers (1, 2)', "source.join[3]"):
            assert told in answer.out, answer.out

        sqlite_shop.run("UPDATE customer SET email = 'new' || email WHERE id IN (1, 3)")
        land.said("run-once")
        emails = {record["email"] for record in land.twin("aiotic").records.values()}
        assert {"p1@example.com", "newp3@example.com"} <= emails
        assert "newp1@example.com" not in emails
        assert {n: len(held) for n, held in links(land).items()} == {n: len(held) for n, held in before.items()}
        assert "syncd doctor says which one" in land.said("explain", "1").out
        sqlite_shop.run("UPDATE customer SET kind = 'company' WHERE id IN (1, 2)")
        assert land.said("run-once").code == 0
        assert "newp1@example.com" in {record["email"] for record in land.twin("aiotic").records.values()}


def test_new_rows_and_joined_tables_go_not_together(sqlite_shop: Shop, tmp_path: Path) -> None:
    """A customer who comes from a provider would be without what joined tables hold: exit 2, with the fields and the
    tables. With those fields off he comes, and nothing of him is lost."""
    with shop_of_four(sqlite_shop, tmp_path) as land:
        assert land.said("run-once").code == 0
        land.extra = {"jtl": "inbound_create = true\n"}
        land.write()
        for words in (("doctor",), ("run-once",)):
            answer = land.said(*words)
            said = answer.out + answer.err
            assert answer.code == 2
            for told in ("providers.jtl.inbound_create", "street, postal_code, city, country", '"address"', "doctor"):
                assert told in said, said
        off = "".join(f'{name} = "off"\n' for name in ("street", "postal_code", "city", "country"))
        land.extra = {"jtl": f"inbound_create = true\n[providers.jtl.fields]\n{off}"}
        land.write()
        assert land.said("doctor").code == 0


def test_a_providers_new_customer_is_made_in_the_shop(sqlite_shop: Shop, tmp_path: Path) -> None:
    """Under the number he has there, with the joined rows that only the shop knows how to make: his record is asked
    about and linked, never doubled."""
    with shop_of_four(sqlite_shop, tmp_path) as land:
        assert land.said("run-once").code == 0
        like = next(iter(land.twin("jtl").records.values()))
        address = {**like["BillingAddress"], "Company": "Neu", "EmailAddress": "neu@example.org"}
        land.twin("jtl").put("913", {**like, "Id": 913, "Number": "13", "BillingAddress": address})
        assert land.said("run-once", "--scan").code == 0
        assert sqlite_shop.value("SELECT count(*) FROM customer") == PEOPLE + 1
        sqlite_shop.run(
            "INSERT INTO address VALUES (113, 'Weg 13', '10013', 'billing', 10)",
            "INSERT INTO customer (id, email, address_id, kind, grp)"
            " VALUES (13, 'neu@example.org', 113, 'company', 'Neu')",
        )
        assert land.said("run-once").code == 5
        (item,) = land.said("review", "list", "--json").data["items"]
        assert (item["provider"], item["customer_key"], item["kind"]) == ("jtl", "13", "found")
        assert land.said("review", "resolve", str(item["id"]), "--link", "913").code == 0
        assert land.said("run-once").code == 0
        assert "913" in {row["external_id"] for row in links(land)["jtl"]}
        assert land.remotes() == {"aiotic": PEOPLE + 1, "jtl": PEOPLE + 1}


def test_a_rule_that_sends_everybody_away_says_what_to_type(sqlite_shop: Shop, tmp_path: Path) -> None:
    """Exit 6; the question names the provider, the guard, how many, and the command that lets them go."""
    with shop_of_four(sqlite_shop, tmp_path) as land:
        assert land.said("run-once").code == 0
        land.extra = {"jtl": 'only = { kind = ["nobody"] }\n'}
        land.write()
        assert land.said("run-once").code == 6
        (item,) = land.said("review", "list", "--json").data["items"]
        assert (item["provider"], item["kind"], item["count"]) == ("jtl", "guard_unlink", PEOPLE)
        shown = land.said("review", "show", str(item["id"])).out
        assert f"syncd review resolve {item['id']} --release" in shown
        assert len(links(land)["jtl"]) == PEOPLE

"""Joined tables, filters, soft deletion, value maps, defaults over the three databases: read, watched, written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from syncd.core.model import Values
from syncd.core.selection import Condition, Deleted, Join, Watch
from syncd.errors import SettingsError
from syncd.source import changelog, customers, ids, lookup, soundness, triggers
from syncd.source.database import Source
from syncd.source.pointing import customer_marks
from syncd.source.shape import IdForm, for_provider
from syncd.source.writable import one_way, push_only
from tests.contract.shop import Shop

TABLES = (
    "CREATE TABLE country (country_id integer PRIMARY KEY, code varchar(40))",
    "CREATE TABLE city (city_id integer PRIMARY KEY, city varchar(40), country_id integer)",
    """CREATE TABLE address (address_id integer PRIMARY KEY, street varchar(60), zip varchar(10), kind varchar(10),
       city_id integer)""",
    """CREATE TABLE customer (id integer PRIMARY KEY, email varchar(60), address_id integer, parent_id integer,
       kind varchar(10), deleted integer NOT NULL DEFAULT 0, lang integer, grp varchar(10), shop_id varchar(8))""",
)
ROWS = (
    "INSERT INTO country VALUES (1, 'Germany'), (2, 'Austria'), (3, 'Atlantis')",
    "INSERT INTO city VALUES (10, 'Berlin', 1), (11, 'Wien', 2), (12, 'Poseidonia', 3)",
    """INSERT INTO address VALUES (100, 'Hauptstr. 1', '10115', 'billing', 10), (101, 'Ring 2', '1010', 'billing', 11),
       (102, 'Tiefe 3', '0', 'billing', 12), (103, 'Lager 4', '9', 'other', 10)""",
    """INSERT INTO customer (id, email, address_id, kind, lang) VALUES (1, 'a@x.de', 100, 'company', 1),
       (2, 'b@x.de', 101, 'person', 2), (3, 'c@x.de', 102, 'company', NULL), (4, 'd@x.de', NULL, 'company', 7),
       (5, 'e@x.de', 103, 'company', 1)""",
)
JOINS = (
    Join("address", "address", {"address_id": "customer.address_id"}, {"kind": Condition(("billing",))}),
    Join("city", "city", {"city_id": "address.city_id"}, write=False),
    Join("country", "country", {"country_id": "city.country_id"}, write=False),
)
FIELDS = {
    "email": "email",
    "street": "address.street",
    "postal_code": "address.zip",
    "city": "city.city",
    "country": "country.code",
    "language": "lang",
}
VALUES = {"country": {"DE": ("Germany", "Deutschland"), "AT": ("Austria",)}, "language": {"de": ("1",), "en": ("2",)}}


@contextmanager
def opened(made: Shop, **settings: Any) -> Iterator[Source]:
    """The shop with its four tables and some rows."""
    made.run(*TABLES, *ROWS)
    with made.source(**{"table": "customer", "fields": FIELDS, "joins": JOINS, "values": VALUES} | settings) as source:
        yield source


def marked(source: Source) -> list[str]:
    """Keys of the customers that the log tells of, acknowledged."""
    changelog.claim(source, "me")
    batch = changelog.read(source)
    changelog.acknowledge(source, batch, "me")
    return sorted(entry.key for entry in customer_marks(source, batch.entries))


def wrong(made: Shop, **settings: Any) -> dict[str, str]:
    """place -> sentence of everything that is wrong."""
    with pytest.raises(SettingsError) as caught, opened(made, **settings):
        pass
    return {problem.place: f"{problem.reason} {problem.remedy}" for problem in caught.value.problems}


# --- reading ---------------------------------------------------------------------------------------------------------


def test_a_customer_with_its_joined_rows(any_shop: Shop) -> None:
    """Chains are followed; a row that is not there, or not of the wanted kind, leaves its fields empty."""
    with opened(any_shop) as source:
        rows = customers.read(source, ["1", "4", "5"])
    assert rows["1"].values == {
        "email": "a@x.de",
        "street": "Hauptstr. 1",
        "postal_code": "10115",
        "city": "Berlin",
        "country": "DE",
        "language": "de",
    }
    empty = dict.fromkeys(("street", "postal_code", "city", "country"))
    assert rows["4"].values == {"email": "d@x.de", **empty}
    assert rows["4"].locked["street"] == "no row address"
    assert rows["5"].values == {"email": "e@x.de", "language": "de", **empty}
    assert not rows["1"].locked


def test_a_value_that_no_entry_names_is_unknown(any_shop: Shop) -> None:
    """Neither a value nor empty: it is missing, and said to be so."""
    with opened(any_shop) as source:
        rows = customers.read(source, ["3", "4"])
    assert "country" not in rows["3"].values
    assert rows["3"].unmapped == {"country"}
    assert rows["3"].values["language"] is None
    assert rows["4"].unmapped == {"language"}


def test_defaults_stand_where_the_column_is_empty(any_shop: Shop) -> None:
    """In a missing row too, never in the place of a value nobody knows."""
    with opened(any_shop, defaults={"country": "DE"}) as source:
        rows = customers.read(source, ["2", "3", "4"])
    assert [rows[key].values.get("country") for key in ("2", "3", "4")] == ["AT", None, "DE"]


def test_pages_count_customers(any_shop: Shop) -> None:
    """A page is full of customers, whatever the joins give; one with two joined rows cannot be read, and says why."""
    double = (Join("address", "address", {"kind": "customer.kind"}),)
    with opened(any_shop, joins=double, fields={"email": "email", "street": "address.street"}, values={}) as source:
        any_shop.run("UPDATE address SET kind = 'company' WHERE address_id < 102")
        pages = [[row.key for row in customers.page(source, None, 3)], [r.key for r in customers.page(source, "3", 3)]]
        one = customers.read(source, ["1"])["1"]
        assert customers.count(source) == 5
    assert pages == [["1", "2", "3"], ["4", "5"]]
    told = 'the joins "address" give several rows for this key: syncd doctor says which one'
    assert one.problems == {"": told}


@pytest.mark.parametrize(
    ("where", "left"),
    [
        ({"parent_id": Condition(null=True)}, "12345"),
        ({"parent_id": Condition(null=True, negated=True)}, ""),
        ({"kind": Condition(("company", "person"))}, "12345"),
        ({"kind": Condition(("person",), negated=True)}, "1345"),
        ({"lang": Condition(("1",), null=True)}, "135"),
        ({"lang": Condition(("1",), negated=True)}, "234"),
        ({"lang": Condition(("1",), null=True, negated=True)}, "24"),
        ({"kind": Condition(("company",)), "lang": Condition(("1", "7"))}, "145"),
        ({"address.kind": Condition(("billing",))}, "123"),
    ],
)
def test_filters(sqlite_shop: Shop, where: dict[str, Condition], left: str) -> None:
    """Every notation decides who is a customer."""
    with opened(sqlite_shop, where=where) as source:
        assert "".join(row.key for row in customers.page(source, None, 9)) == left
        assert customers.count(source) == len(left)


def test_who_is_filtered_out_or_marked_as_deleted(any_shop: Shop) -> None:
    """Both are no customers; where they stand is known at one look."""
    with opened(any_shop, where={"kind": Condition(("company",))}, deleted=Deleted("deleted", ("1", "true"))) as source:
        any_shop.run("UPDATE customer SET deleted = 1 WHERE id = 3", "DELETE FROM customer WHERE id = 5")
        assert [row.key for row in customers.page(source, None, 9)] == ["1", "4"]
        assert customers.read(source, ["2", "3"]) == {}
        standing = {key: customers.presence(source, key) for key in "1235"}
        assert lookup.matching(source, {"email": "c@x.de"}) == []
    assert standing["1"] == customers.Presence(in_view=True, in_table=True)
    assert standing["2"] == customers.Presence(in_view=False, in_table=True, outside=True)
    assert standing["3"] == customers.Presence(in_view=False, in_table=False, deleted=True)
    assert standing["5"] == customers.Presence(in_view=False, in_table=False)


def test_what_one_provider_gets(any_shop: Shop) -> None:
    """`only` narrows the source for that provider alone, by columns of joined tables too."""
    only = {"shop": {"city.city": Condition(("Berlin", "Wien")), "kind": Condition(("company",))}}
    with opened(any_shop, only=only) as source:
        narrow = for_provider(source, "shop")
        assert [row.key for row in customers.page(narrow, None, 9)] == ["1"]
        assert customers.count(narrow) == 1
        assert customers.presence(narrow, "2").outside
        assert customers.count(for_provider(source, "other")) == 5


# --- writing ---------------------------------------------------------------------------------------------------------


def test_a_joined_column_is_written_with_the_customer(any_shop: Shop) -> None:
    """One compare-and-set over both rows; a value map's first spelling goes back, and what means the same stays."""
    with opened(any_shop) as source:
        seen = customers.read(source, ["1"])["1"]
        changes = {"email": "new@x.de", "street": "Neue Str. 9", "postal_code": "10117", "language": "en"}
        written = customers.update(source, seen, changes, "syncd:test")
        assert isinstance(written, customers.Written)
        assert {name: written.customer.values[name] for name in changes} == changes
    assert any_shop.value("SELECT street FROM address WHERE address_id = 100") == "Neue Str. 9"
    assert any_shop.value("SELECT lang FROM customer WHERE id = 1") == 2
    assert any_shop.value("SELECT street FROM address WHERE address_id = 101") == "Ring 2"


def test_a_joined_row_that_moved(any_shop: Shop) -> None:
    """What anybody changed in a joined row meanwhile stops the whole write."""
    with opened(any_shop) as source:
        seen = customers.read(source, ["1"])["1"]
        any_shop.run("UPDATE address SET zip = '1' WHERE address_id = 100")
        assert customers.update(source, seen, {"email": "new@x.de"}, "o") == customers.Moved()
        assert any_shop.value("SELECT email FROM customer WHERE id = 1") == "a@x.de"


def test_what_cannot_be_written_beside(any_shop: Shop) -> None:
    """No row, a shared row, a table that is kept as it is, a value without an entry: refused by field, nothing done."""
    with opened(any_shop) as source:
        any_shop.run("UPDATE customer SET address_id = 101 WHERE id = 1")
        rows = customers.read(source, ["1", "4"])
        tries = [
            (rows["4"], {"email": "n@x.de", "street": "Neu 1"}, "street", 'no row of "address"'),
            (rows["1"], {"email": "n@x.de", "street": "Neu 1"}, "street", "that of other customers"),
            (rows["1"], {"city": "Linz"}, "city", "write = false"),
            (rows["1"], {"language": "fr"}, "language", "no entry of the value map"),
        ]
        for seen, changes, field, reason in tries:
            refused = customers.update(source, seen, changes, "o")
            assert isinstance(refused, customers.Refused)
            assert refused.field == field
            assert reason in refused.reason
        assert push_only(source) == {"city", "country"}
        assert one_way(source) == frozenset()
    assert any_shop.value("SELECT count(*) FROM customer WHERE email = 'n@x.de'") == 0


def test_a_new_row_is_a_customer(any_shop: Shop) -> None:
    """It gets what the filter asks for; a value for a joined table refuses the whole row, for nothing may be lost."""
    where = {"kind": Condition(("company", "person"))}
    with opened(any_shop, where=where, fields=FIELDS | {"number": "id"}) as source:
        values: Values = {"number": "9", "email": "z@x.de", "street": "Neu 1", "language": "de"}
        refused = customers.insert(source, values, "o")
        assert refused == customers.Refused("street", 'a new customer has no row of "address" to write it to')
        assert any_shop.value("SELECT count(*) FROM customer WHERE id = 9") == 0
        made = customers.insert(source, {**values, "street": None}, "o")
        assert isinstance(made, customers.Written)
        assert made.customer.values["street"] is None
    assert any_shop.value("SELECT kind FROM customer WHERE id = 9") == "company"
    assert any_shop.value("SELECT lang FROM customer WHERE id = 9") == 1


# --- watching --------------------------------------------------------------------------------------------------------


def test_a_joined_row_marks_its_customers(any_shop: Shop) -> None:
    """Along the whole chain, against the arrow, before and after the change; nobody else."""
    with opened(any_shop) as source:
        assert triggers.check(source) == []
        any_shop.run("UPDATE address SET street = 'X' WHERE address_id = 101")
        assert marked(source) == ["2"]
        any_shop.run("UPDATE city SET city = 'Vienna' WHERE city_id = 11")
        assert marked(source) == ["2"]
        any_shop.run("UPDATE country SET code = 'Deutschland' WHERE country_id = 1")
        assert marked(source) == ["1"]
        any_shop.run("UPDATE address SET address_id = 200 WHERE address_id = 100")
        assert marked(source) == ["1"]
        any_shop.run("UPDATE customer SET address_id = 200 WHERE id = 4")
        assert marked(source) == ["4"]
        any_shop.run("DELETE FROM address WHERE address_id = 200")
        assert marked(source) == ["4"]
        any_shop.run("INSERT INTO address VALUES (200, 'Neu', '1', 'billing', 10)")
        assert marked(source) == ["4"]
        assert marked(source) == []


def test_two_joins_over_one_table(any_shop: Shop) -> None:
    """A billing and a shipping address, and the customer's own parent: each table has one set of triggers."""
    any_shop.run(*TABLES, *ROWS, "ALTER TABLE customer ADD ship_id integer")
    joins = (
        Join("bill", "address", {"address_id": "customer.address_id"}),
        Join("ship", "address", {"address_id": "customer.ship_id"}),
        Join("parent", "customer", {"id": "customer.parent_id"}, write=False),
    )
    fields = {"street": "bill.street", "street2": "ship.street", "invoice_email": "parent.email", "email": "email"}
    with any_shop.source(table="customer", fields=fields, joins=joins) as source:
        assert triggers.check(source) == []
        any_shop.run("UPDATE customer SET ship_id = 103, parent_id = 2 WHERE id = 1")
        assert marked(source) == ["1"]
        any_shop.run("UPDATE address SET street = 'Y' WHERE address_id = 103")
        assert marked(source) == ["1", "5"]
        any_shop.run("UPDATE customer SET email = 'boss@x.de' WHERE id = 2")
        assert marked(source) == ["1", "2"]
        values = customers.read(source, ["1"])["1"].values
        triggers.remove(source)
    assert values == {"street": "Hauptstr. 1", "street2": "Y", "invoice_email": "boss@x.de", "email": "a@x.de"}
    any_shop.run("UPDATE address SET street = 'Z'")


def test_a_mark_of_a_join_that_is_gone(sqlite_shop: Shop) -> None:
    """Whose customers it meant nobody can tell any more: everybody is looked at."""
    with opened(sqlite_shop) as source:
        sqlite_shop.run("UPDATE city SET city = 'Vienna' WHERE city_id = 11")
        entries = changelog.read(source).entries
    fields = {"email": "email"}
    with sqlite_shop.source(table="customer", fields=fields, install=False) as source:
        assert [entry.op for entry in customer_marks(source, entries)] == ["T"]


# --- settings that do not fit ----------------------------------------------------------------------------------------


def test_names_that_are_not_there(any_shop: Shop) -> None:
    """Tables, columns, joins: each with its place and a "did you mean"."""
    joins = (
        Join("address", "adress", {"address_id": "customer.address_id"}),
        Join("city", "city", {"cityid": "customer.id", "city_id": "customer.idd"}),
        Join("country", "country", {"country_id": "customer.id"}, {"cod": Condition(("x",))}),
    )
    found = wrong(
        any_shop,
        joins=joins,
        fields={"email": "email", "street": "adress.street", "country": "country.kode"},
        values={},
        where={"parentid": Condition(null=True), "lang": Condition(("deutsch",))},
        deleted=Deleted("delete", ("1",)),
        only={"shop": {"kinds": Condition(("x",))}},
        id_columns={"shop": "shopid"},
    )
    assert 'Did you mean "address"?' in found["source.join[0].table"]
    assert 'Did you mean "city_id"?' in found["source.join[1].on.cityid"]
    assert 'Did you mean "id"?' in found["source.join[1].on.city_id"]
    assert 'Did you mean "code"?' in found["source.join[2].where.cod"]
    assert 'there is no join "adress"' in found["source.fields.street"]
    assert 'Did you mean "parent_id"?' in found["source.where.parentid"]
    assert 'Did you mean "deleted"?' in found["source.deleted.column"]
    assert 'Did you mean "kind"?' in found["providers.shop.only.kinds"]
    assert 'Did you mean "shop_id"?' in found["providers.shop.id_column"]
    assert ("source.where.lang" in found) == (any_shop.dialect != "sqlite")


# --- what doctor finds, ids, views -----------------------------------------------------------------------------------


def test_what_only_the_rows_can_tell(any_shop: Shop) -> None:
    """A join with two rows for a customer and values without an entry: counted, with place, reason and remedy."""
    double = (*JOINS, Join("twin", "address", {"kind": "customer.grp"}))
    with opened(any_shop, joins=double) as source:
        assert soundness.double_rows(source) == []
        any_shop.run("UPDATE customer SET grp = 'billing' WHERE id IN (1, 2)")
        (twice,) = soundness.double_rows(source)
        country, language = soundness.unmapped(source)
    assert twice.place == "source.join[3]"
    assert '"twin" gives more than one row for 2 customers (1, 2)' in twice.reason
    assert "1 customer (3)" in country.reason
    assert "1 customer (4)" in language.reason
    assert "[source.values.language]" in language.remedy


def test_ids_in_the_shops_own_column(any_shop: Shop) -> None:
    """Written once, without a mark for anybody; what does not fit is left out, never cut off."""
    with opened(any_shop, id_columns={"shop": "shop_id"}) as source:
        narrow = for_provider(source, "shop")
        marked(source)
        assert ids.write_ids(narrow, "shop", {"1": "abc", "2": "123456789", "3": None, "77": "x"}) == ["2"]
        assert marked(source) == []
        assert customers.read(narrow, ["1"])["1"].recorded == "abc"
        assert any_shop.value("SELECT shop_id FROM customer WHERE id = 2") is None
        ids.write_ids(narrow, "shop", {"1": None})
        assert any_shop.value("SELECT shop_id FROM customer WHERE id = 1") is None
        any_shop.run("UPDATE customer SET shop_id = 'me' WHERE id = 1")
        assert marked(source) == ["1"]


@pytest.mark.parametrize(
    ("column", "form", "told"),
    [
        ("varchar(8)", IdForm(10), "holds 8 characters; an id of shop may have 10."),
        ("varchar(10)", IdForm(10), ""),
        ("varchar(8)", IdForm(), ""),
        ("text", IdForm(36, digits=False), ""),
        (
            "integer",
            IdForm(36, digits=False),
            "holds numbers; an id of shop may have 36 characters that are no digits.",
        ),
        ("smallint", IdForm(10, digits=True), "holds 4 characters; an id of shop may have 10."),
        ("bigint", IdForm(19, digits=True), ""),
        ("integer", IdForm(10, digits=True), ""),
        ("varchar(3)", IdForm(ours=True), "holds 3 characters; an id of shop may have 6."),
        ("varchar(6)", IdForm(ours=True), ""),
        ("integer", IdForm(ours=True), "holds numbers; an id of shop may have 6 characters that are no digits."),
    ],
)
def test_an_id_column_is_measured_before_the_first_id(any_shop: Shop, column: str, form: IdForm, told: str) -> None:
    """By what a provider says of its ids, or by the source's own numbers where those are the ids."""
    if any_shop.dialect == "sqlite" and column == "smallint":
        column, told = "bigint", ""  # SQLite holds any number in any column
    with opened(any_shop) as source:
        assert ids.narrow_ids(source) == []
    any_shop.run(f"ALTER TABLE customer ADD held {column}", "UPDATE customer SET grp = 'K-1005' WHERE id = 4")
    fields = {"number": "grp", "email": "email"}
    with any_shop.source(
        table="customer", fields=fields, id_columns={"shop": "held"}, id_forms={"shop": form}
    ) as source:
        found = ids.narrow_ids(source)
    assert [problem.reason for problem in found] == ([f'column "held" {told}'] if told else [])
    for problem in found:
        assert problem.place == "providers.shop.id_column"
        assert "VARCHAR(" in problem.remedy
        assert "syncd doctor" in problem.remedy


def test_a_column_of_uuids_holds_uuids(postgres_shop: Shop) -> None:
    """An id that is none is left out, not refused again and again."""
    own = "8c9e2e8e-0d6f-4f0a-9a59-1f6f0f2f3a11"
    with opened(postgres_shop) as source:
        postgres_shop.run("ALTER TABLE customer ADD held uuid")
    with postgres_shop.source(table="customer", fields={"email": "email"}, id_columns={"shop": "held"}) as source:
        narrow = for_provider(source, "shop")
        assert ids.write_ids(narrow, "shop", {"1": own, "2": "cu.00.901"}) == ["2"]
        assert not ids.fits(narrow, "cu.00.901")
        assert ids.held_ids(narrow, ["1", "2"]) == {"1": own, "2": None}


VIEW = """CREATE VIEW shown AS SELECT c.id, c.email, a.street
  FROM customer c LEFT JOIN address a ON a.address_id = c.address_id"""


def test_a_view_is_written_where_the_database_says_so(any_shop: Shop) -> None:
    """Column by column: a plain column of a simple view, nothing of an expression, nothing of a view over a join unless
    a trigger stands in for the write."""
    made_up = "grp" if any_shop.dialect == "sqlite" else "upper(grp) AS grp"  # SQLite tells no type of an expression
    any_shop.run(*TABLES, *ROWS, f"CREATE VIEW plain AS SELECT id, email, {made_up} FROM customer", VIEW)
    fields = {"email": "email", "name": "grp"}
    watch = (Watch("customer", "id"),)
    with any_shop.source(table="plain", fields=fields, watch=watch) as source:
        expected = {"name"} if any_shop.dialect != "sqlite" else {"name", "email"}
        assert one_way(source) == expected
        seen = customers.read(source, ["1"])["1"]
        written = customers.update(source, seen, {"email": "n@x.de"}, "o")
        assert isinstance(written, customers.Written) == ("email" not in expected)
        (note,) = soundness.one_way_fields(source)
        assert note.reason.startswith("one way:")
    fields = {"email": "email", "street": "street"}
    with any_shop.source(table="shown", fields=fields, watch=watch) as source:
        assert one_way(source) == (set(fields) if any_shop.dialect != "mysql" else one_way(source))


INSTEAD = {
    "sqlite": (
        """CREATE TRIGGER instead INSTEAD OF UPDATE OF email ON shown BEGIN
             UPDATE customer SET email = NEW.email WHERE id = NEW.id; END""",
    ),
    "postgresql": (
        """CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             UPDATE customer SET email = NEW.email WHERE id = NEW.id; RETURN NEW; END $$""",
        "CREATE TRIGGER instead INSTEAD OF UPDATE ON shown FOR EACH ROW EXECUTE FUNCTION instead()",
    ),
}


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_a_view_with_a_trigger_in_its_place(dialect: str, request: pytest.FixtureRequest) -> None:
    """INSTEAD OF makes a view of several tables one that is written."""
    made: Shop = request.getfixturevalue("sqlite_shop" if dialect == "sqlite" else "postgres_shop")
    made.run(*TABLES, *ROWS, VIEW, *INSTEAD[dialect])
    fields = {"email": "email", "street": "street"}
    with made.source(table="shown", fields=fields, watch=(Watch("customer", "id"),)) as source:
        assert one_way(source) == ({"street"} if dialect == "sqlite" else set())
        seen = customers.read(source, ["1"])["1"]
        assert isinstance(customers.update(source, seen, {"email": "n@x.de"}, "o"), customers.Written)
    assert made.value("SELECT email FROM customer WHERE id = 1") == "n@x.de"

"""A shop of four tables, with countries as words and deletions as flags, in both directions through run-once."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from syncd.engine.run import Options, run_cycle
from syncd.sandbox.five import provider_settings, serve_five, write_secrets
from syncd.sandbox.kit import Server
from tests.contract.shop import Shop
from tests.contract.test_source_joins import TABLES
from tests.databases import SQLITE_FIRST
from tests.system.landscape import COMMON, Landscape

NAMES = ("aiotic", "jtl")
SOURCE = """table = "customer"
key = "id"
[[source.join]]
name = "address"
table = "address"
on = { address_id = "customer.address_id" }
[[source.join]]
name = "city"
table = "city"
on = { city_id = "address.city_id" }
write = false
[[source.join]]
name = "country"
table = "country"
on = { country_id = "city.country_id" }
write = false
[source.where]
parent_id = "null"
[source.deleted]
column = "deleted"
values = [1]
[source.values.country]
DE = ["Germany", "Deutschland"]
AT = "Austria"
[source.fields]
name = "grp"
email = "email"
street = "address.street"
postal_code = "address.zip"
city = "city.city"
country = "country.code"
"""
PEOPLE = 12


class Joined(Landscape):
    """The landscape over the joined shop, as `described` under `[source]`."""

    described = SOURCE

    def write(self) -> None:
        secrets = self.directory / "secrets"
        write_secrets(secrets)
        tables = "\n".join(
            provider_settings(
                self.server, secrets, f'create = "{self.create}"\n{COMMON}{self.extra.get(name, "")}', (name,)
            )
            for name in self.names
        )
        self.config.write_text(
            f'lease = "30s"\n[source]\nurl = "{self.source_url}"\n{self.described}'
            f'[state]\nurl = "sqlite:///{self.state}"\n{self.head}\n{tables}',
            encoding="utf-8",
        )


@contextmanager
def shop_of_four(
    any_shop: Shop,
    tmp_path: Path,
    *,
    added: Sequence[str] = (),
    names: Sequence[str] = NAMES,
    described: str = SOURCE,
    **more: Any,
) -> Iterator[Joined]:
    """Twelve customers with an address each, in two cities of two countries; one contact who is no customer. `added`
    is run before syncd looks."""
    any_shop.run(*TABLES)
    any_shop.run(
        "INSERT INTO country VALUES (1, 'Germany'), (2, 'Austria'), (3, 'Atlantis')",
        "INSERT INTO city VALUES (10, 'Berlin', 1), (11, 'Wien', 2), (12, 'Poseidonia', 3)",
    )
    for n in range(1, PEOPLE + 1):
        any_shop.run(
            f"INSERT INTO address VALUES ({100 + n}, 'Weg {n}', '{10000 + n}', 'billing', {10 + n % 2})",
            f"INSERT INTO customer (id, email, address_id, kind, grp)"
            f" VALUES ({n}, 'p{n}@example.com', {100 + n}, 'company', 'Firma {n}')",
        )
    any_shop.run("INSERT INTO customer (id, email, parent_id, grp) VALUES (99, 'contact@example.com', 1, 'Contact')")
    any_shop.run(*added)
    with serve_five() as server:
        land = _land(tmp_path, server, any_shop, tuple(names), **more)
        land.described = described
        land.write()
        land.install()
        yield land


def _land(tmp_path: Path, server: Server, any_shop: Shop, names: tuple[str, ...], **more: Any) -> Joined:
    url = sa.make_url(any_shop.url).render_as_string(hide_password=False)
    return Joined(tmp_path, server, names, source_url=url, **more)


def street(land: Joined, name: str, key: int) -> Any:
    """The street of a customer as this provider shows it."""
    record = land.twin(name).records[external_id(land, name, key)]
    return record["address"] if name == "aiotic" else record["BillingAddress"]["Street"]


def external_id(land: Joined, name: str, key: int) -> str:
    return str({row["customer_key"]: row["external_id"] for row in links(land)[name]}[str(key)])


def links(land: Joined) -> dict[str, list[dict[str, Any]]]:
    engine = sa.create_engine(f"sqlite:///{land.state}")
    with engine.connect() as conn:
        rows = [dict(row) for row in conn.execute(sa.text("SELECT * FROM mapping")).mappings()]
    engine.dispose()
    return {name: [row for row in rows if row["provider"] == name and row["external_id"]] for name in land.names}


@pytest.mark.parametrize("any_shop", SQLITE_FIRST, indirect=True)
def test_both_directions(any_shop: Shop, tmp_path: Path) -> None:
    """What stands in joined tables reaches the providers, an edit there comes back into them and goes on to the other
    provider; a deletion flag is a deletion, who is no customer never leaves the shop; then there is silence."""
    with shop_of_four(any_shop, tmp_path, extra={"aiotic": 'on_delete = "delete"\n'}) as land:
        assert land.said("run-once").code == 0
        assert land.remotes() == dict.fromkeys(NAMES, PEOPLE)
        one = land.twin("jtl").records[external_id(land, "jtl", 1)]["BillingAddress"]
        assert (one["Street"], one["City"], one["CountryIso"]) == ("Weg 1", "Wien", "AT")

        any_shop.run("UPDATE address SET street = 'Neuer Weg 1' WHERE address_id = 101")
        assert land.said("run-once").code == 0
        assert [street(land, name, 1) for name in NAMES] == ["Neuer Weg 1"] * 2

        land.twin("aiotic").edit(external_id(land, "aiotic", 2), address="Allee 2")
        assert land.said("run-once", "--scan").code == 0
        assert any_shop.value("SELECT street FROM address WHERE address_id = 102") == "Allee 2"
        assert street(land, "jtl", 2) == "Allee 2"

        before = land.writes()
        assert land.said("run-once", "--scan").code == 0
        assert land.writes() == before

        any_shop.run("UPDATE customer SET deleted = 1 WHERE id = 3")
        assert land.said("run-once").code == 0
        assert land.remotes() == {"aiotic": PEOPLE - 1, "jtl": PEOPLE}
        assert "3" not in {row["customer_key"] for row in links(land)["jtl"]}


@pytest.mark.parametrize("any_shop", SQLITE_FIRST, indirect=True)
def test_a_value_without_an_entry(any_shop: Shop, tmp_path: Path) -> None:
    """It parks the customer where the provider needs the field, and is never sent elsewhere."""
    with shop_of_four(any_shop, tmp_path) as land:
        any_shop.run("UPDATE address SET city_id = 12 WHERE address_id = 105")
        land.said("run-once")
        keys = {name: {row["customer_key"] for row in rows} for name, rows in links(land).items()}
        assert "5" not in keys["jtl"]
        assert len(keys["jtl"]) == PEOPLE - 1
        said = land.said("explain", "5").out
        assert "no entry of [source.values] names" in said
        found = land.said("doctor").out
        assert "country holds values that no entry of [source.values.country] names: 1 customer" in found


def test_a_value_from_a_provider_without_an_entry(sqlite_shop: Shop, tmp_path: Path) -> None:
    """A language that no entry of the value map names is a question, once, with the field; the shop's column keeps what
    it holds, and an entry answers the question."""
    described = SOURCE.replace(
        "[source.fields]\n", '[source.values.language]\nde = [1]\n[source.fields]\nlanguage = "lang"\n'
    )
    added = ("UPDATE customer SET lang = 1",)
    with shop_of_four(sqlite_shop, tmp_path, names=("jtl",), added=added, described=described) as land:
        assert land.said("run-once").code == 0
        land.twin("jtl").edit(external_id(land, "jtl", 2), LanguageIso="EN")
        for _ in range(2):
            assert land.said("run-once", "--scan").code == 5
            (item,) = land.said("review", "list", "--json").data["items"]
            assert (item["customer_key"], list(item["fields"])) == ("2", ["language"])
        assert sqlite_shop.value("SELECT lang FROM customer WHERE id = 2") == 1
        why = "language: no entry of the value map [source.values.language] names this value"
        assert why in land.said("review", "show", str(item["id"])).out

        land.described = described.replace("de = [1]\n", "de = [1]\nen = [2]\n")
        land.write()
        land.said("review", "resolve", str(item["id"]), "--take", "provider")
        assert land.said("run-once", "--scan").code == 0
        assert sqlite_shop.value("SELECT lang FROM customer WHERE id = 2") == 2


@pytest.mark.parametrize("any_shop", SQLITE_FIRST, indirect=True)
def test_a_default_is_never_written_back(any_shop: Shop, tmp_path: Path) -> None:
    """It reaches the providers where the column is empty, the column stays empty, and another value from there is
    written like any other."""
    described = SOURCE.replace("[source.fields]\n", '[source.defaults]\nstreet = "Postfach 1"\n[source.fields]\n')
    added = ("UPDATE address SET street = NULL WHERE address_id IN (103, 104)",)
    with shop_of_four(any_shop, tmp_path, added=added, described=described) as land:
        assert land.said("run-once").code == 0
        assert [street(land, name, 3) for name in NAMES] == ["Postfach 1"] * 2
        any_shop.run("UPDATE customer SET email = 'neu3@example.com' WHERE id = 3")
        land.twin("aiotic").edit(external_id(land, "aiotic", 4), address="Allee 4")
        assert land.said("run-once", "--scan").code == 0
        assert any_shop.value("SELECT street FROM address WHERE address_id = 103") is None
        assert any_shop.value("SELECT street FROM address WHERE address_id = 104") == "Allee 4"
        assert [street(land, name, 4) for name in NAMES] == ["Allee 4"] * 2


@pytest.mark.parametrize("any_shop", SQLITE_FIRST, indirect=True)
def test_own_fields_travel_both_ways(any_shop: Shop, tmp_path: Path) -> None:
    """A column that no provider knows by a common name: pushed, pulled, and asked about where both sides changed it."""
    added = ("ALTER TABLE customer ADD debtor_no varchar(20)", "UPDATE customer SET debtor_no = '1001' WHERE id < 4")
    more: dict[str, Any] = {
        "extra": {"jtl": 'conflict = "review"\n[providers.jtl.extra]\nAccountsReceivableNumber = "x_debtor"\n'},
        "described": SOURCE.replace("[source.fields]\n", '[source.fields]\nx_debtor = "debtor_no"\n'),
    }
    with shop_of_four(any_shop, tmp_path, names=("jtl",), added=added, **more) as land:
        assert land.said("run-once").code == 0

        def debtor(key: int) -> str:
            return str(land.twin("jtl").records[external_id(land, "jtl", key)]["AccountsReceivableNumber"])

        assert debtor(2) == "1001"
        any_shop.run("UPDATE customer SET debtor_no = '1002' WHERE id = 2")
        land.twin("jtl").edit(external_id(land, "jtl", 1), AccountsReceivableNumber=1007)
        assert land.said("run-once", "--scan").code == 0
        assert debtor(2) == "1002"
        assert any_shop.value("SELECT debtor_no FROM customer WHERE id = 1") == "1007"
        any_shop.run("UPDATE customer SET debtor_no = '1003' WHERE id = 3")
        land.twin("jtl").edit(external_id(land, "jtl", 3), AccountsReceivableNumber=1009)
        assert land.said("run-once", "--scan").code == 5
        (item,) = land.said("review", "list", "--json").data["items"]
        assert (item["kind"], list(item["fields"])) == ("conflict", ["x_debtor"])


@pytest.mark.parametrize("any_shop", SQLITE_FIRST, indirect=True)
def test_only_some_customers(any_shop: Shop, tmp_path: Path) -> None:
    """A provider gets the customers its rule names; who leaves is unlinked and nothing is deleted; their id stands in
    the shop's own column without an echo, and goes when the link goes."""
    more = {"jtl": 'only = { kind = ["company"] }\nid_column = "own_id"\n', "aiotic": ""}
    with shop_of_four(any_shop, tmp_path, extra=more, added=("ALTER TABLE customer ADD own_id varchar(60)",)) as land:
        any_shop.run("UPDATE customer SET kind = 'person' WHERE id = 1")
        assert land.said("run-once").code == 0
        assert "id_column" not in land.said("doctor").out
        assert land.remotes() == {"aiotic": PEOPLE, "jtl": PEOPLE - 1}
        assert any_shop.value("SELECT own_id FROM customer WHERE id = 2") == external_id(land, "jtl", 2)
        assert any_shop.value("SELECT own_id FROM customer WHERE id = 1") is None
        counts = land.said("run-once", "--json").data
        assert counts["counts"].get("unchanged", 0) == 0, counts

        any_shop.run("UPDATE customer SET kind = 'person' WHERE id = 2")
        assert land.said("run-once").code == 0
        assert land.remotes()["jtl"] == PEOPLE - 1
        assert "2" not in {row["customer_key"] for row in links(land)["jtl"]}
        assert any_shop.value("SELECT own_id FROM customer WHERE id = 2") is None


def test_who_left_and_is_back_with_another_number_is_made_once(sqlite_shop: Shop, tmp_path: Path) -> None:
    """The record of a customer who left `only` stays under his former number. Back with another one, which nothing
    there carries, he is asked about; the person who looks links the two, and nothing is asked any more."""
    numbers = ("ALTER TABLE customer ADD nr varchar(20)", "UPDATE customer SET nr = 'K' || id")
    described = SOURCE.replace("[source.fields]\n", '[source.fields]\nnumber = "nr"\n')
    rule = {"jtl": 'only = { kind = ["company"] }\n'}
    with shop_of_four(sqlite_shop, tmp_path, added=numbers, described=described, names=("jtl",), extra=rule) as land:
        land.said("run-once")
        before, record = land.remotes()["jtl"], external_id(land, "jtl", 2)
        for change in ("kind = 'person'", "nr = 'K9002'", "kind = 'company'"):
            sqlite_shop.run(f"UPDATE customer SET {change} WHERE id = 2")
            land.said("run-once")
        assert land.remotes()["jtl"] == before
        (asked,) = land.said("review", "list", "--json").data["items"]
        assert (asked["provider"], asked["customer_key"], asked["kind"]) == ("jtl", "2", "came_back")
        assert land.said("link", "jtl", "2", record).code == 0
        land.said("run-once")
        assert (land.remotes()["jtl"], external_id(land, "jtl", 2)) == (before, record)
        assert land.said("status").code == 0


def test_who_was_never_linked_is_not_unlinked(sqlite_shop: Shop, tmp_path: Path) -> None:
    """A customer whom the provider refused leaves `only`: neither plan nor run counts the end of a link that never
    was, and his history tells of none."""
    with shop_of_four(sqlite_shop, tmp_path, extra={"jtl": 'only = { kind = ["company"] }\n'}) as land:
        sqlite_shop.run("UPDATE address SET city_id = 12 WHERE address_id = 105")
        land.said("run-once")
        assert "5" not in {row["customer_key"] for row in links(land)["jtl"]}
        sqlite_shop.run("UPDATE customer SET kind = 'person' WHERE id IN (2, 5)")
        plan = land.said("plan", "--json").data["operations"]
        assert [(op["provider"], op["customer_key"], op["verb"]) for op in plan] == [("jtl", "2", "unlink")]
        assert land.said("run-once", "--json").data["counts"]["jtl"] == {"unlinked": 1, "excluded": 1}
        assert "5" not in {row["customer_key"] for row in links(land)["jtl"]}
        assert "unlinked" not in land.said("history", "5").out
        assert land.said("status").code == 0


@pytest.mark.parametrize("rule", ['only = { kind = ["nobody"] }\n'])
def test_a_rule_that_sends_everybody_away(sqlite_shop: Shop, tmp_path: Path, rule: str) -> None:
    """The guard holds it back: a person looks before more than a handful are unlinked."""
    with shop_of_four(sqlite_shop, tmp_path) as land:
        assert land.said("run-once").code == 0
        land.extra = {"jtl": rule}
        land.write()
        assert land.said("run-once").code == 6
        assert len(links(land)["jtl"]) >= 2
        assert land.remotes()["jtl"] == PEOPLE
        assert "unlink" in land.said("review", "list").out


def test_an_edit_for_a_row_that_is_not_there(sqlite_shop: Shop, tmp_path: Path) -> None:
    """It is a question, once, that nobody can answer with the provider's value; it stays until there is a row."""
    with shop_of_four(sqlite_shop, tmp_path) as land:
        sqlite_shop.run("UPDATE customer SET address_id = NULL WHERE id = 4")
        land.names = ("aiotic",)
        land.write()
        land.install()
        assert land.said("run-once").code == 0
        land.twin("aiotic").edit(external_id(land, "aiotic", 4), address="Nowhere 4")
        assert land.said("run-once", "--scan").code == 5
        (item,) = land.said("review", "list", "--json").data["items"]
        assert (item["kind"], list(item["fields"])) == ("no_row", ["street"])
        number = str(item["id"])
        assert "take:provider" not in str(land.said("review", "show", number, "--json").data["decisions"])
        refused = land.said("review", "resolve", number, "--take", "provider")
        assert refused.code == 2
        assert "no such joined row" in refused.err
        assert land.said("run-once", "--scan").code == 5
        assert len(land.said("review", "list", "--json").data["items"]) == 1
        assert land.said("review", "resolve", number, "--take", "source").code == 0
        assert land.said("run-once").code == 0
        assert not street(land, "aiotic", 4)


def test_a_view_that_cannot_be_written(sqlite_shop: Shop, tmp_path: Path) -> None:
    """`doctor` and `plan` say that it is one way; an edit at the provider stays a question that is not lost."""
    with shop_of_four(sqlite_shop, tmp_path) as land:
        sqlite_shop.run(
            "CREATE VIEW shown AS SELECT c.id, c.grp, c.email, a.street FROM customer c"
            " JOIN address a ON a.address_id = c.address_id"
        )
        land.names = ("aiotic",)
        land.write()
        text = land.config.read_text()
        start, end = text.index('table = "customer"'), text.index("[state]")
        view = (
            'table = "shown"\nkey = "id"\n[[source.watch]]\ntable = "customer"\nkey = "id"\n'
            '[source.fields]\nname = "grp"\nemail = "email"\nstreet = "street"\n'
        )
        land.config.write_text(text[:start] + view + text[end:])
        land.install()
        assert land.said("run-once").code == 0
        assert "one way" in land.said("doctor").out
        land.twin("aiotic").edit(external_id(land, "aiotic", 4), address="Elsewhere 4")
        assert "one way" in land.said("plan", "--scan").out
        for _ in range(2):
            assert land.said("run-once", "--scan").code == 5
        (item,) = land.said("review", "list", "--json").data["items"]
        assert (item["kind"], list(item["fields"])) == ("read_only", ["street"])
        shown = land.said("review", "show", str(item["id"]), "--json").data
        assert "take:provider" not in str(shown["decisions"])
        assert "--take provider" not in str(shown["decisions"])


def test_an_id_column_that_is_too_short(sqlite_shop: Shop, tmp_path: Path) -> None:
    """`doctor` names place, length and remedy; nothing is cut off, and the customers are synchronised all the same."""
    with shop_of_four(sqlite_shop, tmp_path) as land:
        sqlite_shop.run("ALTER TABLE customer ADD short varchar(1)")
        land.extra = {"jtl": 'id_column = "short"\n'}
        land.write()
        before = land.said("doctor")
        assert before.code == 2
        for told in (
            'providers.jtl.id_column: column "short" holds 1 character; an id of jtl may have 10.',
            "Make it VARCHAR(10) or wider, then: syncd doctor. Until then, what does not fit is left out.",
        ):
            assert told in before.out
        assert not land.state.exists(), "said before the first run"
        assert land.said("run-once").code == 0
        assert len(links(land)["jtl"]) == PEOPLE
        longest = max(len(row["external_id"]) for row in links(land)["jtl"])
        if longest > 1:
            said = land.said("doctor")
            assert f'providers.jtl.id_column: column "short" cannot hold an id of {longest} characters' in said.out
            assert said.code == 2
        assert sqlite_shop.value("SELECT count(*) FROM customer WHERE length(short) > 1") == 0


@pytest.mark.parametrize(
    ("name", "column", "told"),
    [
        ("aiotic", "varchar(3)", "holds 3 characters; an id of aiotic may have 4."),
        ("invisible_collector", "varchar(35)", "holds 35 characters; an id of invisible_collector may have 36."),
        ("invisible_collector", "integer", "an id of invisible_collector may have 36 characters that are no digits."),
        ("azotte", "varchar(20)", "holds 20 characters; an id of azotte may have 36."),
        ("jtl", "varchar(9)", "holds 9 characters; an id of jtl may have 10."),
        ("billbee", "varchar(18)", "holds 18 characters; an id of billbee may have 19."),
    ],
)
def test_each_provider_says_how_long_its_ids_are(
    sqlite_shop: Shop, tmp_path: Path, name: str, column: str, told: str
) -> None:
    """`doctor` measures the column before anything is written, by the provider's own facts or by the shop's numbers."""
    extra = {name: 'id_column = "short"\n'}
    added = (f"ALTER TABLE customer ADD short {column}", "UPDATE customer SET id = 1200 WHERE id = 12")
    with shop_of_four(sqlite_shop, tmp_path, names=(name,), extra=extra, added=added) as land:
        said = land.said("doctor")
        assert said.code == 2
        assert told in said.out, said.out
        assert "then: syncd doctor" in said.out


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("busy", [False, True])
def test_an_id_that_a_crash_kept_out_of_its_column(sqlite_shop: Shop, tmp_path: Path, busy: bool) -> None:
    """Killed between the link and the column, or kept out by a locked row: the next run writes the ids that are missing
    and touches nobody else."""
    with shop_of_four(sqlite_shop, tmp_path, extra={"jtl": 'id_column = "shop_id"\n'}) as land:
        land.names = ("jtl",)
        land.write()
        land.install()

        def end(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            if statement.startswith("UPDATE") and "shop_id" in statement:
                locked = sqlite3.OperationalError("database is locked")
                locked.sqlite_errorcode = sqlite3.SQLITE_BUSY
                raise locked if busy else Killed

        with land.site() as site:
            sa.event.listen(site.source.engine, "before_cursor_execute", end)
            with contextlib.suppress(Killed):
                run_cycle(site, Options(mode="run-once"))
        written = "SELECT count(*) FROM customer WHERE shop_id IS NOT NULL"
        assert (len(links(land)["jtl"]) > 0, sqlite_shop.value(written)) == (True, 0)
        assert land.said("run-once").code == 0
        assert sqlite_shop.value(written) == len(links(land)["jtl"]) == PEOPLE
        writes = land.writes()
        assert land.said("run-once").code == 0
        assert land.writes() == writes


@pytest.mark.parametrize(
    ("before", "after", "aiotic"),
    [
        ('[source.where]\nparent_id = "null"\n', '[source.where]\nparent_id = "null"\nkind = "company"\n', PEOPLE),
        ("values = [1]", "values = [1, 2]", PEOPLE - 1),
    ],
    ids=["where", "deleted"],
)
def test_a_changed_filter_is_noticed_at_once(
    sqlite_shop: Shop, tmp_path: Path, before: str, after: str, aiotic: int
) -> None:
    """Whom a new [source.where] or [source.deleted] sends away is looked at in the next run, not at night."""
    with shop_of_four(sqlite_shop, tmp_path, extra={"aiotic": 'on_delete = "delete"\n'}) as land:
        sqlite_shop.run("UPDATE customer SET kind = 'person', deleted = 2 WHERE id = 5")
        assert land.said("run-once").code == 0
        assert len(links(land)["aiotic"]) == PEOPLE
        text = land.config.read_text(encoding="utf-8")
        land.config.write_text(text.replace(before, after), encoding="utf-8")
        assert text != land.config.read_text(encoding="utf-8")
        assert land.said("run-once", "--wait", "70s").code == 0
        assert {name: "5" in {row["customer_key"] for row in rows} for name, rows in links(land).items()} == {
            "aiotic": False,
            "jtl": False,
        }
        assert land.remotes() == {"aiotic": aiotic, "jtl": PEOPLE}

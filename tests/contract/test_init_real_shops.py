"""`syncd init` on eleven schemas that nobody made for syncd: the golden proposal of each, and that it can be used."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from syncd.bootstrap import open_settings_source
from syncd.cli.proposal import masked, settings_text
from syncd.settings import load
from syncd.source import customers, soundness
from syncd.source.proposing import Proposal, candidates
from tests.databases import database
from tests.shops import SHOPS, statements

# shop -> table, key, joins, fields, what else is proposed
GOLDEN: dict[str, dict[str, Any]] = {
    "chinook": {
        "table": "Customer", "key": "CustomerId",
        "fields": {"name": "Company", "first_name": "FirstName", "last_name": "LastName", "email": "Email",
                   "phone": "Phone", "fax": "Fax", "street": "Address", "postal_code": "PostalCode", "city": "City",
                   "state": "State", "country": "Country"},
        "values": {"country": {"BR": ["Brazil"], "DE": ["Germany"], "US": ["USA"]}},
    },
    "northwind": {
        "table": "customers", "key": "customer_id",
        "fields": {"name": "company_name", "contact_person": "contact_name", "phone": "phone", "fax": "fax",
                   "street": "address", "postal_code": "postal_code", "city": "city", "state": "region",
                   "country": "country"},
        "values": {"country": {"DE": ["Germany"], "GB": ["UK"]}},
    },
    "pagila": {
        "table": "customer", "key": "customer_id",
        "joins": {"address": ("address", "address_id", "customer.address_id", True),
                  "city": ("city", "city_id", "address.city_id", False),
                  "country": ("country", "country_id", "city.country_id", False)},
        "fields": {"first_name": "first_name", "last_name": "last_name", "email": "email", "phone": "address.phone",
                   "street": "address.address", "street2": "address.address2", "postal_code": "address.postal_code",
                   "city": "city.city", "state": "address.district", "country": "country.country",
                   "active": "active"},
        "values": {"country": {"AT": ["Austria"], "DE": ["Germany"]}},
    },
    "odoo": {
        "table": "res_partner", "key": "id", "where": {"parent_id": "null"},
        "joins": {"state": ("res_country_state", "id", "customer.state_id", False),
                  "country": ("res_country", "id", "customer.country_id", False)},
        "fields": {"name": "name", "email": "email", "phone": "phone", "mobile": "mobile", "street": "street",
                   "street2": "street2", "postal_code": "zip", "city": "city", "state": "state.name",
                   "country": "country.code", "vat_number": "vat", "language": "lang", "website": "website",
                   "active": "active"},
    },
    "opencart": {
        "table": "oc_customer", "key": "customer_id",
        "joins": {"address": ("oc_address", "address_id", "customer.address_id", True),
                  "state": ("oc_zone", "zone_id", "address.zone_id", False),
                  "country": ("oc_country", "country_id", "address.country_id", False),
                  "language": ("oc_language", "language_id", "customer.language_id", False)},
        "fields": {"name": "address.company", "first_name": "firstname", "last_name": "lastname", "email": "email",
                   "phone": "telephone", "fax": "fax", "street": "address.address_1",
                   "street2": "address.address_2", "postal_code": "address.postcode", "city": "address.city",
                   "state": "state.name", "country": "country.iso_code_2", "language": "language.code",
                   "active": "status"},
    },
    "prestashop": {
        "table": "ps_customer", "key": "id_customer", "deleted": {"column": "deleted", "values": ["1"]},
        "joins": {"address": ("ps_address", "id_customer", "customer.id_customer", True),
                  "state": ("ps_state", "id_state", "address.id_state", False),
                  "country": ("ps_country", "id_country", "address.id_country", False),
                  "language": ("ps_lang", "id_lang", "customer.id_lang", False)},
        "fields": {"name": "address.company", "first_name": "firstname", "last_name": "lastname", "email": "email",
                   "phone": "address.phone", "mobile": "address.phone_mobile", "street": "address.address1",
                   "street2": "address.address2", "postal_code": "address.postcode", "city": "address.city",
                   "state": "state.name", "country": "country.iso_code", "vat_number": "address.vat_number",
                   "tax_number": "siret", "language": "language.language_code", "website": "website",
                   "birth_date": "birthday", "active": "active"},
    },
    "dolibarr": {
        "table": "llx_societe", "key": "rowid", "where": {"client": ["1", "3"]},
        "joins": {"state": ("llx_c_departements", "rowid", "customer.fk_departement", False),
                  "country": ("llx_c_country", "rowid", "customer.fk_pays", False)},
        "fields": {"number": "code_client", "name": "nom", "name2": "name_alias", "email": "email", "phone": "phone",
                   "mobile": "phone_mobile", "fax": "fax", "street": "address", "postal_code": "zip", "city": "town",
                   "state": "state.nom", "country": "country.code", "vat_number": "tva_intra",
                   "tax_number": "siret", "register_number": "siren", "language": "default_lang", "website": "url",
                   "active": "status"},
    },
    "woocommerce": {
        "table": "wp_wc_customer_lookup", "key": "customer_id", "write": False,
        "fields": {"first_name": "first_name", "last_name": "last_name", "email": "email", "postal_code": "postcode",
                   "city": "city", "state": "state", "country": "country"},
    },
    "shopware": {
        "table": "s_user", "key": "id",
        "joins": {"address": ("s_user_addresses", "id", "customer.default_billing_address_id", True),
                  "state": ("s_core_countries_states", "id", "address.state_id", False),
                  "country": ("s_core_countries", "id", "address.country_id", False)},
        "fields": {"number": "customernumber", "name": "address.company", "salutation": "salutation",
                   "first_name": "firstname", "last_name": "lastname", "email": "email", "phone": "address.phone",
                   "street": "address.street", "street2": "address.additional_address_line1",
                   "postal_code": "address.zipcode", "city": "address.city", "state": "state.name",
                   "country": "country.countryiso", "vat_number": "address.ustid", "birth_date": "birthday",
                   "active": "active"},
    },
    "erpnext": {
        "table": "tabCustomer", "key": "name",
        "joins": {"contact": ("tabContact", "name", "customer.customer_primary_contact", True),
                  "address": ("tabAddress", "name", "customer.customer_primary_address", True)},
        "fields": {"name": "customer_name", "first_name": "contact.first_name", "last_name": "contact.last_name",
                   "email": "email_id", "phone": "address.phone", "mobile": "mobile_no", "fax": "address.fax",
                   "street": "address.address_line1", "street2": "address.address_line2",
                   "postal_code": "address.pincode", "city": "address.city", "state": "address.state",
                   "country": "address.country", "tax_number": "tax_id", "language": "language",
                   "website": "website", "active": "disabled"},
        "values": {"country": {"DE": ["Germany"], "GB": ["United Kingdom"]}, "active": {"true": ["0"], "false": ["1"]}},
    },
    "suitecrm": {
        "table": "accounts", "key": "id", "deleted": {"column": "deleted", "values": ["1"]},
        "joins": {"mail_link": ("email_addr_bean_rel", "bean_id", "customer.id", False),
                  "mail": ("email_addresses", "id", "mail_link.email_address_id", True)},
        "fields": {"name": "name", "email": "mail.email_address", "phone": "phone_office", "fax": "phone_fax",
                   "street": "billing_address_street", "city": "billing_address_city",
                   "state": "billing_address_state", "postal_code": "billing_address_postalcode",
                   "country": "billing_address_country", "website": "website"},
        "values": {"country": {"AT": ["AUSTRIA"], "DE": ["Germany"]}},
    },
}  # fmt: skip
PLACES = [(shop, "sqlite") for shop in SHOPS] + [
    ("northwind", "postgresql"), ("pagila", "postgresql"), ("odoo", "postgresql"),
    ("opencart", "mysql"), ("prestashop", "mysql"), ("dolibarr", "mysql"), ("woocommerce", "mysql"),
    ("shopware", "mysql"), ("erpnext", "mysql"), ("suitecrm", "mysql"),
]  # fmt: skip


@contextmanager
def made(dialect: str, directory: Path, orders: list[str]) -> Iterator[str]:
    """A database with these statements run."""
    with database(dialect, directory) as url:
        engine = sa.create_engine(url)
        with engine.begin() as conn:
            for order in orders:
                conn.exec_driver_sql(order)
        engine.dispose()
        yield url


def written(proposal: Proposal, url: str, directory: Path) -> tuple[Path, dict[str, Any]]:
    """The file that `init` would write, with one provider filled in."""
    path, secret = directory / "syncd.toml", directory / "aiotic"
    secret.write_text("a" * 40, encoding="utf-8")
    secret.chmod(0o600)
    text = settings_text(url, "", proposal, path)
    path.write_text(
        f'{text}\n[providers.aiotic]\nurl = "https://acme.aiotic.ai"\napi_key = "file:{secret}"\n', encoding="utf-8"
    )
    return path, tomllib.loads(text)["source"]


@pytest.mark.parametrize(("shop", "dialect"), PLACES)
def test_golden_proposal(shop: str, dialect: str, tmp_path: Path) -> None:
    """Each schema gets the joins, filters and value maps it needs, and syncd can open and read what is written."""
    with made(dialect, tmp_path, statements(shop, dialect)) as url:
        _, found = candidates(url, None)
        path, source = written(found[0], url, tmp_path)
        joins = {
            j["name"]: (j["table"], *next(iter(j["on"].items())), j.get("write", True)) for j in source.get("join", [])
        }
        golden = GOLDEN[shop]
        assert (source["table"], source["key"], source["write"]) == (
            golden["table"], golden["key"], golden.get("write", True)
        )  # fmt: skip
        assert source["fields"] == golden["fields"]
        assert joins == golden.get("joins", {})
        assert source.get("values", {}) == golden.get("values", {})
        assert source.get("where", {}) == golden.get("where", {})
        assert source.get("deleted") == golden.get("deleted")

        opened = open_settings_source(load(path))
        try:
            assert soundness.double_rows(opened) == []
            assert soundness.unmapped(opened) == []
            people = customers.page(opened, None, 10)
            assert people
            assert not any(each.problems for each in people)
        finally:
            opened.close()


def test_shopware_leaves_shop_numbers_out(tmp_path: Path) -> None:
    """A language column that holds shop numbers is shown and left out, so that no "1" is ever sent."""
    with made("sqlite", tmp_path, statements("shopware", "sqlite")) as url:
        proposal = candidates(url, None)[1][0]
        assert "only you can say" in proposal.doubts["language"].doubt
        assert '# language = "language"' in settings_text(url, "", proposal, tmp_path / "x.toml")


def test_several_addresses_wait_for_a_person(tmp_path: Path) -> None:
    """A join that gives two rows for a customer is written as a comment, with its fields: the file still works."""
    orders = [*statements("prestashop", "sqlite"), "UPDATE ps_address SET deleted = 0"]
    with made("sqlite", tmp_path, orders) as url:
        proposal = candidates(url, None)[1][0]
        path, source = written(proposal, url, tmp_path)
        assert [join["name"] for join in source["join"]] == ["language"]
        assert "street" not in source["fields"]
        assert "several rows for some customers" in path.read_text(encoding="utf-8")
        open_settings_source(load(path)).close()


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql", "mysql"])
def test_a_view_watches_tables_that_are_there(dialect: str, tmp_path: Path) -> None:
    """A joined view is one way, and what it watches exists; one whose tables nobody can tell has no active watch."""
    view = (
        "CREATE VIEW shown AS SELECT c.customer_id, c.email, c.first_name, c.last_name, count(*) AS n FROM customer c"
        " JOIN address a ON a.address_id = c.address_id"
        " GROUP BY c.customer_id, c.email, c.first_name, c.last_name"
    )
    with made(dialect, tmp_path, [*statements("pagila", dialect), view]) as url:
        proposal = candidates(url, None, "shown")[1][0]
        path, source = written(proposal, url, tmp_path)
        assert (source["watch"], source["write"]) == ([{"table": "customer", "key": "customer_id"}], False)
        assert "one way" in path.read_text(encoding="utf-8")
        open_settings_source(load(path)).close()
        blind = candidates(url, None, "customer_list")[1][0]
        assert "watch" not in written(blind, url, tmp_path)[1]


def test_examples_show_no_value() -> None:
    """What a terminal shows of a value is its shape."""
    assert masked("Ada Berg 7") == "A** **** #"
    assert masked("0731-12") == "####-##"
    assert masked("ada@x.example") == "a**@*.*******"

"""The same customers as rows of six shops, as those shops write them: countries as words or foreign keys, addresses in
tables of their own, languages as numbers, and beside them who is no customer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from tests.shops import statements
from tests.system.shop_people import Person

Rows = Iterator[tuple[str, dict[str, Any]]]
_WORDS = {"DE": "Germany", "NL": "Netherlands", "AT": "Austria", "FR": "France"}
_COUNTRIES = ("DE", "NL", "AT", "FR")


def _country(person: Person) -> int:
    return 100 + _COUNTRIES.index(person.country)


def _chinook(people: Sequence[Person]) -> Rows:
    for p in people:
        yield "Customer", {
            "CustomerId": p.key, "FirstName": p.first, "LastName": p.last, "Company": p.company, "Address": p.street,
            "City": p.city, "Country": _WORDS[p.country], "PostalCode": p.postal_code, "Phone": p.phone,
            "Email": p.email, "SupportRepId": 1,
        }  # fmt: skip


def _pagila(people: Sequence[Person]) -> Rows:
    for number, code in enumerate(_COUNTRIES):
        yield "country", {"country_id": 100 + number, "country": _WORDS[code]}
        city = next((p.city for p in people if p.country == code), "-")
        yield "city", {"city_id": 100 + number, "city": city, "country_id": 100 + number}
    for p in people:
        yield "address", {
            "address_id": 1000 + p.key, "address": p.street, "district": "", "city_id": _country(p),
            "postal_code": p.postal_code, "phone": p.phone,
        }  # fmt: skip
        yield "customer", {
            "customer_id": p.key, "store_id": 1 + p.key % 2, "first_name": p.first.upper(),
            "last_name": p.last.upper(), "email": p.email, "address_id": 1000 + p.key, "active": 1,
        }  # fmt: skip


def _odoo(people: Sequence[Person]) -> Rows:
    for number, code in enumerate(_COUNTRIES):
        yield "res_country", {"id": 100 + number, "name": _WORDS[code], "code": code}
    for p in people:
        yield "res_partner", {
            "id": p.key, "name": p.name, "display_name": p.name, "lang": f"{p.language}_{p.country}", "vat": p.vat,
            "active": 1, "street": p.street, "zip": p.postal_code, "city": p.city, "country_id": _country(p),
            "email": p.email, "phone": p.phone, "is_company": int(bool(p.company)), "type": "contact",
            "customer_rank": 1,
        }  # fmt: skip
        if p.company:
            yield "res_partner", {
                "id": 100_000 + p.key, "name": f"{p.first} {p.last}", "parent_id": p.key, "active": 1, "is_company": 0,
                "display_name": f"{p.company}, {p.first} {p.last}", "email": p.email, "type": "contact",
            }  # fmt: skip


def _opencart(people: Sequence[Person]) -> Rows:
    for number, code in enumerate(_COUNTRIES):
        yield "oc_country", {"country_id": 100 + number, "name": _WORDS[code], "iso_code_2": code, "status": 1}
    for number, code in ((3, "nl-nl"), (4, "fr-fr")):
        yield "oc_language", {"language_id": number, "name": code, "code": code, "locale": code, "status": 1}
    languages = {"de": 2, "nl": 3, "fr": 4}
    for p in people:
        yield "oc_address", {
            "address_id": 1000 + p.key, "customer_id": p.key, "firstname": p.first, "lastname": p.last,
            "company": p.company or "", "address_1": p.street, "address_2": "", "city": p.city,
            "postcode": p.postal_code, "country_id": _country(p), "zone_id": 0, "custom_field": "",
        }  # fmt: skip
        yield "oc_address", {
            "address_id": 500_000 + p.key, "customer_id": p.key, "firstname": p.first, "lastname": p.last,
            "company": "", "address_1": "Packstation 1", "address_2": "", "city": "Ulm", "postcode": "89073",
            "country_id": 100, "zone_id": 0, "custom_field": "",
        }  # fmt: skip
        yield "oc_customer", {
            "customer_id": p.key, "customer_group_id": 1, "store_id": 0, "language_id": languages[p.language],
            "firstname": p.first, "lastname": p.last, "email": p.email, "telephone": p.phone, "fax": "",
            "password": "x", "salt": "y", "newsletter": 0, "address_id": 1000 + p.key, "ip": "", "status": 1, "safe": 0,
        }  # fmt: skip


def _prestashop(people: Sequence[Person]) -> Rows:
    for number, code in enumerate(_COUNTRIES):
        yield "ps_country", {"id_country": 100 + number, "id_zone": 1, "iso_code": code, "active": 1}
    yield "ps_lang", {"id_lang": 3, "name": "Nederlands", "active": 1, "iso_code": "nl", "language_code": "nl-nl"}
    languages = {"fr": 1, "de": 2, "nl": 3}
    for p in people:
        yield "ps_customer", {
            "id_customer": p.key, "id_shop_group": 1, "id_shop": 1, "id_gender": 1, "id_default_group": 3,
            "id_lang": languages[p.language], "company": "", "siret": "", "ape": "", "firstname": p.first,
            "lastname": p.last, "email": p.email, "passwd": "x", "birthday": None, "website": "", "active": 1,
            "is_guest": 0, "deleted": 0,
        }  # fmt: skip
        for key, gone in ((1000 + p.key, 0), (500_000 + p.key, 1)):
            yield "ps_address", {
                "id_address": key, "id_country": _country(p), "id_state": 0, "id_customer": p.key,
                "id_manufacturer": 0, "id_supplier": 0, "alias": "home", "company": p.company or "",
                "lastname": p.last, "firstname": p.first, "address1": "Rue Perdue 9" if gone else p.street,
                "address2": "", "postcode": p.postal_code, "city": p.city, "other": "", "phone": p.phone,
                "phone_mobile": "", "vat_number": p.vat or "", "dni": "", "active": 1, "deleted": gone,
            }  # fmt: skip


def _dolibarr(people: Sequence[Person]) -> Rows:
    for number, code in enumerate(_COUNTRIES):
        yield "llx_c_country", {"rowid": 100 + number, "code": code, "label": _WORDS[code], "active": 1}
    for p in people:
        yield "llx_societe", {
            "rowid": p.key, "nom": p.name, "entity": 1, "status": 1, "code_client": p.number, "address": p.street,
            "zip": p.postal_code, "town": p.city, "fk_pays": _country(p), "phone": p.phone, "email": p.email,
            "tva_intra": p.vat, "client": 1 if p.key % 4 else 3, "default_lang": f"{p.language}_{p.country}",
        }  # fmt: skip
    for p in people[:5]:
        yield "llx_societe", {"rowid": 100_000 + p.key, "nom": f"Fournisseur {p.key}", "entity": 1, "client": 0}


_PEOPLE = (
    "Customer", "customer", "address", "res_partner", "oc_customer", "oc_address", "ps_customer", "ps_address",
    "llx_societe",
)  # fmt: skip


@dataclass(frozen=True)
class Shop:
    """A shop: its database, how it writes a customer number (None where its key serves), and how to edit the street."""

    dialect: str
    rows: Callable[[Sequence[Person]], Rows]
    street: str  # an UPDATE of one customer's street, with :street and :key
    numbers: str = "{}"
    look: str = ""  # SELECT of one customer's street, with :key


def _edit(table: str, column: str, key: str, shift: str = "") -> dict[str, str]:
    return {
        "street": f"UPDATE {table} SET {column} = :street WHERE {key} = :key{shift}",
        "look": f"SELECT {column} FROM {table} WHERE {key} = :key{shift}",
    }


WALKED: Mapping[str, Shop] = {
    "chinook": Shop("sqlite", _chinook, **_edit("Customer", "Address", "CustomerId")),
    "pagila": Shop("postgresql", _pagila, **_edit("address", "address", "address_id", " + 1000")),
    "odoo": Shop("postgresql", _odoo, **_edit("res_partner", "street", "id")),
    "opencart": Shop("mysql", _opencart, **_edit("oc_address", "address_1", "address_id", " + 1000")),
    "prestashop": Shop("mysql", _prestashop, **_edit("ps_address", "address1", "id_address", " + 1000")),
    "dolibarr": Shop("mysql", _dolibarr, numbers="CU2401-{:05d}", **_edit("llx_societe", "address", "rowid")),
}


def fill(url: str, name: str, people: Sequence[Person]) -> None:
    """Make the shop in an empty database, with these customers and nobody else's rows but its countries and such."""
    shop = WALKED[name]
    engine = sa.create_engine(url)
    with engine.begin() as conn:
        for statement in statements(name, shop.dialect):
            if not any(statement.startswith(f"INSERT INTO {table} ") for table in _PEOPLE):
                conn.exec_driver_sql(statement)
        tables = sa.MetaData()
        tables.reflect(conn)
        by_table: dict[str, list[dict[str, Any]]] = {}
        for table, row in shop.rows(people):
            by_table.setdefault(table, []).append(row)
        for table, rows in by_table.items():
            names = dict.fromkeys(column for row in rows for column in row)
            conn.execute(tables.tables[table].insert(), [{column: row.get(column) for column in names} for row in rows])
    engine.dispose()

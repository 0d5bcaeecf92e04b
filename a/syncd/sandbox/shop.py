"""A small shop with the customers that shops have: umlauts, apostrophes, empty fields, shared e-mails, odd phones."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from types import MappingProxyType

FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "number": "number",
        "name": "name",
        "first_name": "first_name",
        "last_name": "last_name",
        "email": "email",
        "phone": "phone",
        "street": "street",
        "postal_code": "postal_code",
        "city": "city",
        "country": "country",
        "vat_number": "vat_number",
        "language": "language",
    }
)
_COLUMNS = ", ".join(f"{column} TEXT" for column in FIELDS.values())
_FIRST = ("Jörg", "Änne", "Siobhán", "Zoë", "Łukasz", "Inês", "Björn", "D'Arcy", "Renée", "Uğur")
_LAST = (
    "Groß",
    "O'Brien",
    "van 't Hof",
    "Müller-Lüdenscheidt",
    "Peña",
    "Çelik",
    "Ångström",
    "Weiß",
    "de Vries",
    "Ó Dálaigh",
)
_FIRMS = (
    "Kranbau Oster GmbH",
    "Noordzee Techniek B.V.",
    "Bäckerei Süß & Söhne",
    "Fa. »Zum Anker«",
    None,
    "’s-Gravenhage Bloemen",
)
_STREETS = ("Hafenweg 12a", "Straße des 17. Juni 135", "Kerkstraat 5-II", "Am Kürzel 7", "Kanaaldijk 8", None)
_TOWNS = (("DE", "10317", "Berlin"), ("NL", "1976 AB", "IJmuiden"), ("AT", "1010", "Wien"), ("DE", "80331", "München"))


def customers(count: int) -> Iterator[tuple[str | None, ...]]:
    """Rows in the order of `FIELDS`; the same every time."""
    for i in range(count):
        number = 1001 + i
        country, postal_code, city = _TOWNS[i % len(_TOWNS)]
        firm = _FIRMS[i % len(_FIRMS)]
        first, last = _FIRST[i % len(_FIRST)], _LAST[(i // 3) % len(_LAST)]
        yield (
            str(number),
            f"{firm} {number}" if firm else f"{first} {last}",
            first,
            last,
            f"kunde{number}@example.com",
            f"+49 30 12{number:05d}" if i % 7 else None,
            _STREETS[i % len(_STREETS)],
            postal_code,
            city,
            country,
            f"{country}{811000000 + number}",
            {"DE": "de", "AT": "de", "NL": "nl"}[country],
        )


def make_shop(path: Path, count: int) -> None:
    """Create the shop's database with `count` customers; keys run from 1, numbers from 1001."""
    names = ", ".join(FIELDS.values())
    marks = ", ".join("?" * len(FIELDS))
    with closing(sqlite3.connect(path)) as shop, shop:
        shop.execute(f"CREATE TABLE customers (id INTEGER PRIMARY KEY AUTOINCREMENT, {_COLUMNS})")
        shop.executemany(f"INSERT INTO customers ({names}) VALUES ({marks})", customers(count))  # noqa: S608 - our names

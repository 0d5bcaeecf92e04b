"""Five hundred customers as German and Dutch shops have them, and what each provider must hold for each of them.

The expectations are written down here a second time, from the providers' documentation, and never ask an adapter:
streets and telephone numbers stand beside what they must become.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

COLUMNS: Mapping[str, str] = {  # canonical field -> column of the shop
    "number": "customer_no",
    "name": "company",
    "first_name": "first_name",
    "last_name": "last_name",
    "email": "e_mail",
    "phone": "phone",
    "mobile": "mobile",
    "street": "street",
    "postal_code": "zip",
    "city": "city",
    "country": "country",
    "vat_number": "vat",
    "language": "lang",
}
SHARED = 25  # every so many customers two share one e-mail address
NO_EMAIL = 17  # every so many have none

_FIRMS = (
    "Kranbau Oster GmbH & Co. KG",
    None,
    "’s-Gravenhage Bloemen B.V.",
    "Bäckerei Süß & Söhne",
    "Fa. »Zum Anker« \U0001f680",
    None,
    "D’Arcy's 'Wolle' <b>&amp;</b>",
    "Z̷̢̛a̴͜l̵g̶o̸ UG",
    "מוסך אבן / كراج",
    "Mu\u0308ller NFD oHG",  # u and a combining diaeresis: one letter in NFC
    "IJsvogel%_\\; DROP TABLE customers--",
)
_FIRST = ("Jörg", "Änne", "Siobhán", "Zoë", "Łukasz", "Ine\u0302s", "Bjo\u0308rn", "D'Arcy", "Renée", "Uğur", "Maaike")
_LAST = ("Groß", "O'Brien", "van ’t Hof", "Müller-Lüdenscheidt", "Peña", "Çelik", "Ångström", "de Vries", "Ó Dálaigh")
_STREETS: tuple[tuple[str | None, tuple[str | None, str | None]], ...] = (  # as Billbee takes them apart
    ("Hafenweg 12a", ("Hafenweg", "12a")),
    ("Straße des 17. Juni 135", ("Straße des 17. Juni", "135")),
    ("Kerkstraat 5-II", ("Kerkstraat", "5-II")),
    ("’s-Gravendijkwal 8 hs", ("’s-Gravendijkwal", "8 hs")),
    ("12 Rue de la Paix", ("12 Rue de la Paix", None)),
    ("Am Kürzel", ("Am Kürzel", None)),
    ("Unter den Linden 77-79", ("Unter den Linden", "77-79")),
    (None, (None, None)),
)
_PLACES = (  # country, postal code, town, language; locale there, JTL's and Azotte's language, Billbee's id
    ("DE", "10317", "Berlin", "de", "de", "DE", "de", 1),
    ("nl", "1976 AB", "IJmuiden", "nl", "en", "NL", "nl", 3),
    ("AT", "1010", "Wien", "de-AT", "de", "DE", "de", 1),
    (None, "80331", "München", None, "en", "DE", "de", None),
    ("NL", "2511 ’s", "’s-Gravenhage", "en", "en", "EN", "en", 2),
)
_PHONES: tuple[tuple[str | None, str | None], ...] = (  # as people write them, and in E.164 (None: no valid number)
    ("+49 30 12{0}", "+493012{0}"),
    ("+49 (0)89/54{0}", "+498954{0}"),
    (None, None),
    ("0031 20 4{0}", "+31204{0}"),
    ("tel. 12", None),
    ("+49-30-13{0}", "+493013{0}"),
    ("  ", None),
    ("+31 (0)20 5{0}", "+31205{0}"),
)


@dataclass(frozen=True)
class Person:
    """A row of the shop and, beside it, the parts that only a reader of the documentation can know."""

    key: int
    row: Mapping[str, str | None]
    parts: tuple[str | None, str | None]
    e164: str | None
    place: tuple[Any, ...]

    def __getitem__(self, column: str) -> str | None:
        """The column's value in the form that every provider gets: NFC, trimmed, None for nothing."""
        raw = self.row[column]
        return unicodedata.normalize("NFC", raw).strip() or None if raw is not None else None

    @property
    def person(self) -> str:
        return f"{self['first_name']} {self['last_name']}"

    def changed(self, **columns: str | None) -> Person:
        return replace(self, row={**self.row, **columns})


def people(count: int) -> list[Person]:
    """The same customers every time; keys run from 1."""
    return [_person(i) for i in range(1, count + 1)]


def _person(i: int) -> Person:
    place = _PLACES[i % len(_PLACES)]
    street, parts = _STREETS[i % len(_STREETS)]
    phone, e164 = _PHONES[i % len(_PHONES)]
    firm = _FIRMS[i % len(_FIRMS)]
    shared = i - 1 if i % SHARED == 0 else i
    line = f"{100000 + i}"
    row = {
        "customer_no": f"K-{9000 - i}" if i % 50 == 33 else str(9000 - i),
        "company": f" {firm} {i} " if firm else None if i % 2 else "",
        "first_name": _FIRST[i % len(_FIRST)],
        "last_name": _LAST[i % len(_LAST)],
        "e_mail": None if i % NO_EMAIL == 0 else f"o'brien+{shared}@MAIL.example.com",
        "phone": phone.format(line) if phone else None,
        "mobile": f"+49 170 1{100000 + i}" if i % 3 == 0 else None,
        "street": street,
        "zip": place[1],
        "city": place[2],
        "country": place[0],
        "vat": f"DE{811000000 + i}" if firm and i % 4 else None,
        "lang": place[3],
    }
    # Numbers count down, so that those which Billbee gives are never one of ours.
    return Person(i, row, parts, e164.format(line) if e164 else None, place)


def shares_email(person: Person) -> bool:
    """Whether another customer has the same address, so that Azotte takes only one of the two."""
    other = person.key - 1 if person.key % SHARED == 0 else person.key + 1 if (person.key + 1) % SHARED == 0 else 0
    return bool(other) and bool(person.key % NO_EMAIL) and bool(other % NO_EMAIL)


def aiotic(p: Person) -> dict[str, Any]:
    return {
        "number": p["customer_no"],
        "name": p["company"] or p.person,
        "contact_person": p.person,
        "email": p["e_mail"],
        "phone_number": p["phone"],
        "address": p["street"],
        "postal_code": p["zip"],
        "city": p["city"],
        "vat_number": p["vat"],
        "coc_number": None,
        "home_page": None,
        "archived_at": None,
    }


def invisible_collector(p: Person) -> dict[str, Any]:
    return {
        "externalId": p["customer_no"],
        "name": p["company"] or p.person,
        "vatNumber": p["vat"],
        "address": p["street"],
        "zipCode": p["zip"],
        "city": p["city"],
        "country": (p["country"] or "DE").upper(),
        "email": p["e_mail"],
        "phone": p["phone"],
        "mobile": p["mobile"],
        "locale": p.place[4],
    }


def jtl(p: Person) -> dict[str, Any]:
    return {
        "Number": p["customer_no"],
        "LanguageIso": p.place[5],
        "IsLocked": False,
        "BillingAddress.Company": p["company"],
        "BillingAddress.FirstName": p["first_name"],
        "BillingAddress.LastName": p["last_name"],
        "BillingAddress.Street": p["street"],
        "BillingAddress.PostalCode": p["zip"],
        "BillingAddress.City": p["city"],
        "BillingAddress.CountryIso": (p["country"] or "DE").upper(),
        "BillingAddress.VatID": p["vat"],
        "BillingAddress.PhoneNumber": p["phone"],
        "BillingAddress.MobilePhoneNumber": p["mobile"],
        "BillingAddress.EmailAddress": p["e_mail"],
    }


def billbee(p: Person) -> dict[str, Any]:
    number = p["customer_no"] or ""
    own = (
        {"Number": int(number)} if number.isdigit() else {}
    )  # Billbee numbers the others itself, upwards from its last
    return own | {
        "Name": p["company"] or p.person,
        "Type": 1 if p["company"] else 0,
        "Email": p["e_mail"],
        "Tel1": p["phone"],
        "Tel2": p["mobile"],
        "VatId": p["vat"],
        "LanguageId": p.place[7],
        "ArchivedAt": None,
        "Addresses.Company": p["company"],
        "Addresses.FirstName": p["first_name"],
        "Addresses.LastName": p["last_name"],
        "Addresses.Street": p.parts[0],
        "Addresses.Housenumber": p.parts[1],
        "Addresses.Zip": p["zip"],
        "Addresses.City": p["city"],
        "Addresses.CountryCode": (p["country"] or "").upper() or None,
    }


def azotte(p: Person) -> dict[str, Any]:
    return {
        "externalIdentifier": p["customer_no"],
        "email": p["e_mail"],
        "phoneNumber": p.e164,
        "firstName": p["first_name"],
        "lastName": p["last_name"],
        "legalType": "Individual",
        "primaryBillingAddress.countryCode": (p["country"] or "DE").upper(),
        "primaryBillingAddress.street": p["street"],
        "primaryBillingAddress.postalCode": p["zip"],
        "primaryBillingAddress.city": p["city"],
        "claimedRegion.countryCode": (p["country"] or "DE").upper(),
        "claimedRegion.languageCode": p.place[6],
    }


EXPECTED: Mapping[str, Callable[[Person], dict[str, Any]]] = {
    "aiotic": aiotic,
    "invisible_collector": invisible_collector,
    "jtl": jtl,
    "billbee": billbee,
    "azotte": azotte,
}


def seen(record: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What a raw record shows at the places that are expected; an empty text counts as empty."""
    return {path: _at(record, path.split(".")) for path in wanted}


def _at(record: Any, path: list[str]) -> Any:
    for step in path:
        if isinstance(record, list):
            (record,) = record
        record = (record or {}).get(step)
    return None if record == "" else record

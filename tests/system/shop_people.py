"""Customers of a real shop, and what five providers hold of them before anybody synchronises: most are there already,
renamed, twice, under shared e-mail addresses, written in another way, moved, or as somebody else under the same number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from syncd.core.model import Value

BLIND = ("invisible_collector", "azotte")  # no listing: they are known by our number or not at all
_FIRST = ("Jörg", "Änne", "Maaike", "Zoë", "Łukasz", "Inês", "Björn", "Renée", "Uğur", "Siobhán", "Pauline", "Carl")
_HEAD = (
    "Stein",
    "Brunn",
    "Wald",
    "Kirch",
    "Ober",
    "Linden",
    "Rosen",
    "Eichen",
    "Feld",
    "Moor",
    "Hagen",
    "Sand",
    "Berg",
)
_TAIL = (
    "meyer",
    "huber",
    "hof",
    "graf",
    "mann",
    "beck",
    "schulz",
    "bauer",
    "vogt",
    "peters",
    "stra",
    "weiler",
    "müller",
)
_FORM = ("GmbH", "KG", "B.V.", "AG", "SARL")
_STREETS = ("Hafenweg", "Kerkstraat", "Rue du Moulin", "Lindenallee", "Am Kürzel", "Kanaaldijk", "Marktplatz")
_PLACES = (
    ("DE", "101", "Berlin", "de"),
    ("NL", "197", "IJmuiden", "nl"),
    ("AT", "10", "Wien", "de"),
    ("FR", "690", "Lyon", "fr"),
)
SAME, RENAMED, TWICE, STRANGER, SHARED, MOVED, NAMESAKE, ABSENT = (
    "same", "renamed", "twice", "stranger", "shared", "moved", "namesake", "absent",
)  # fmt: skip
_KINDS = (  # of 25, 20 are there
    (SAME,) * 12 + (RENAMED,) * 2 + (TWICE,) * 2 + (STRANGER, SHARED, SHARED, MOVED, MOVED, NAMESAKE) + (ABSENT,) * 3
)


@dataclass(frozen=True)
class Person:
    """One customer of the shop. `number` is what the shop calls him (its customer number, else its key)."""

    key: int
    number: str
    kind: str
    first: str
    last: str
    company: str | None
    email: str
    phone: str
    street: str
    postal_code: str
    city: str
    country: str
    language: str
    vat: str | None

    @property
    def name(self) -> str:
        return self.company or f"{self.first} {self.last}"

    @property
    def values(self) -> dict[str, Value]:
        """As a provider would have been told of him by hand, in canonical fields."""
        return {
            "number": self.number, "name": self.name, "first_name": self.first, "last_name": self.last,
            "email": self.email, "phone": self.phone, "street": self.street, "postal_code": self.postal_code,
            "city": self.city, "country": self.country, "language": self.language, "vat_number": self.vat,
        }  # fmt: skip


def people(count: int, number: str = "{}") -> list[Person]:
    """The same customers every time, 25 kinds in turn. `number` is how the shop writes its customer numbers."""
    return [_person(i, number) for i in range(1, count + 1)]


def _person(i: int, number: str) -> Person:
    kind = _KINDS[(i - 1) % len(_KINDS)]
    last = _HEAD[i % 13] + _TAIL[(i // 13) % 13] + ("" if i < 169 else f"-{_HEAD[(i // 169) % 13]}")
    country, code, city, language = _PLACES[i % 4]
    owner = i - 1 if kind == SHARED and _KINDS[(i - 2) % len(_KINDS)] == SHARED else i  # two of a family, one mailbox
    return Person(
        key=i, number=number.format(i), kind=kind, first=_FIRST[i % 12], last=last,
        company=f"{last.title()} {_TAIL[i % 13].title()} {_FORM[i % 5]}" if i % 3 == 0 else None,
        email=f"{last.lower()}.{owner}@example.com", phone=f"+49 30 55{i:05d}", street=f"{_STREETS[i % 7]} {i}",
        postal_code=f"{code}{i % 100:02d}", city=city, country=country, language=language,
        vat=f"DE8{i:08d}" if i % 3 == 0 else None,
    )  # fmt: skip


@dataclass(frozen=True)
class There:
    """A record that a provider has: whose it is (a customer's key, or None for a stranger's), number and values."""

    owner: int | None
    number: str
    values: dict[str, Value]


def existing(person: Person, provider: str) -> Iterator[There]:
    """What a provider has of a customer, or under his number."""
    values, own = person.values, str(90_000 + person.key)
    blind = provider in BLIND
    if person.kind == SAME:
        yield There(person.key, person.number, values | _noise(person))
    elif person.kind == RENAMED:
        number = person.number if blind else own
        yield There(
            person.key, number, values | {"number": number, "last_name": f"{person.last}-Neu", "name": _renamed(person)}
        )
    elif person.kind == TWICE:
        yield There(person.key, person.number, values)
        if not blind:
            yield There(person.key, own, values | {"number": own, "vat_number": None, "phone": None})
    elif person.kind == STRANGER:
        yield There(None, person.number, stranger(person.key, person.number))
    elif person.kind == SHARED:
        yield There(person.key, person.number, values | {"phone": None})
    elif person.kind == MOVED:
        yield There(
            person.key,
            person.number,
            values | {"street": f"Altgasse {person.key}", "phone": f"+49 40 99{person.key:05d}"},
        )
    elif person.kind == NAMESAKE and not blind:
        yield There(
            None,
            own,
            stranger(person.key, own) | {"name": person.name, "first_name": person.first, "last_name": person.last},
        )


def _noise(person: Person) -> dict[str, Value]:
    """The same values, as other people type them."""
    ways: tuple[dict[str, Value], ...] = (
        {},
        {"phone": person.phone.replace("+49 30 ", "0049 (0)30/")},
        {"email": person.email.replace("example.com", "EXAMPLE.com"), "city": f" {person.city} "},
        {"name": person.name.upper(), "last_name": person.last.upper()},
        {"street": person.street.replace(" ", "  "), "vat_number": person.vat and person.vat.replace("DE", "DE ")},
    )
    return ways[person.key % len(ways)]


def _renamed(person: Person) -> str:
    return f"{person.company} & Partner" if person.company else f"{person.first} {person.last}-Neu"


def stranger(which: int, number: str) -> dict[str, Value]:
    """Somebody whom the shop does not know."""
    return {
        "number": number, "name": f"Quaderstein Holding {which}", "first_name": "Ilse", "last_name": "Quaderstein",
        "email": f"quader{which}@elsewhere.example", "phone": f"+49 89 77{which:05d}", "street": f"Elsewhere {which}",
        "postal_code": "20095", "city": "Hamburg", "country": "DE", "language": "de", "vat_number": None,
    }  # fmt: skip

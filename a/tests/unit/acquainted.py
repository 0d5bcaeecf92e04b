"""Two sides of which it is known who is who: customers as shops and providers really hold them, with every trap that
first contact has met.

A case is a source customer, a provider's record, and the truth about the two. `corpus` draws cases of all kinds from
one seed into one pair of sides whose numbers come from one range; `strangers_that_count` draws two shops that both
count from 1 and share only a few customers.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from syncd.core.match import Here, There
from syncd.core.model import Value

Person = dict[str, Value]
TRADES = (
    "Elektro",
    "Hotel",
    "Bäckerei",
    "Gasthof",
    "Autohaus",
    "Garage",
    "Boulangerie",
    "Panadería",
    "Padaria",
    "Bakkerij",
)
FORMS = ("GmbH", "GmbH & Co. KG", "AG", "e.K.", "B.V.", "S.A.R.L.", "S.L.", "Lda.", "Ltd", "UG (haftungsbeschränkt)")
FIRST = ("Anna", "Bernd", "Çetin", "Dörte", "Émile", "Fadime", "Gijs", "Hélène", "Inês", "João", "Kees", "Łukasz")
STEMS = (
    "Ahr",
    "Bock",
    "Dorn",
    "Eich",
    "Falk",
    "Groß",
    "Hübn",
    "Jans",
    "Krön",
    "Lind",
    "Möll",
    "Oster",
    "Peñ",
    "Quast",
    "Röss",
)
ENDS = ("er", "mann", "ing", "berg", "sen", "haus", "egger", "ović", "eira", "stra", "inck", "ard", "ault", "ado")
STREETS = (
    "Hafenstraße",
    "Am Kürzel",
    "Kerkstraat",
    "Rue de la Paix",
    "Calle Mayor",
    "Rua Augusta",
    "High Street",
    "Marktplatz",
)


@dataclass
class Corpus:
    """Both sides and the truth: which record a customer is, for those who have one."""

    here: list[Here] = field(default_factory=list)
    there: list[There] = field(default_factory=list)
    truth: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)  # customer key -> the kind of case

    def add(self, kind: str, number: str, one: Person, other: Person, theirs: str, *, same: bool) -> None:
        key, external_id = f"c{len(self.here)}", f"r{len(self.there)}"
        self.here.append(Here(key, number, {**one, "number": number}))
        self.there.append(There(external_id, theirs, {**other, "number": theirs}))
        self.kinds[key] = kind
        if same:
            self.truth[key] = external_id


@dataclass
class Town:
    """Where customers are drawn from; no two draws share anything by chance but words, streets and postal codes."""

    dice: random.Random
    drawn: int = 0

    def name(self) -> str:
        return self.dice.choice(STEMS) + self.dice.choice(ENDS)

    def firm(self, name: str | None = None) -> str:
        return f"{self.dice.choice(TRADES)} {name or self.name()} {self.dice.choice(FORMS)}"

    def person(self) -> Person:
        first, last = self.dice.choice(FIRST), self.name()
        return self._at_home(f"{first} {last}") | {"first_name": first, "last_name": last, "vat_number": None}

    def company(self, name: str = "") -> Person:
        made = self._at_home(name or self.firm())
        return made | {"vat_number": f"DE{810_000_000 + self.drawn}"}

    def _at_home(self, name: str) -> Person:
        self.drawn += 1
        return {
            "name": name,
            "email": f"kontakt{self.drawn}@firma{self.drawn % 7}.example",
            "phone": f"+49 30 {2_000_000 + self.drawn * 7}",
            "street": f"{self.dice.choice(STREETS)} {self.drawn % 240 + 1}",
            "postal_code": f"{10_000 + self.dice.randrange(60)}",
            "city": "Berlin",
            "country": "DE",
        }

    def anybody(self) -> Person:
        return self.company() if self.dice.random() < 0.6 else self.person()


# -- the same customer -----------------------------------------------------------------------------------------------


def noisy(town: Town, person: Person) -> Person:
    """The same as a system keeps it that has habits of its own."""
    dice, made = town.dice, dict(person)
    habits: list[Callable[[], Mapping[str, Value]]] = [
        lambda: {"name": str(made["name"]).upper()},
        lambda: {"name": str(made["name"]).replace("ä", "ae").replace("ö", "oe").replace("ü", "ue").replace("ß", "ss")},
        lambda: {"email": str(made["email"]).capitalize()},
        lambda: {"phone": str(made["phone"]).replace("+49 ", "0").replace(" ", "/", 1)},
        lambda: {"phone": str(made["phone"]).replace("+49 ", "0049-")},
        lambda: {"street": str(made["street"]).replace("straße", "str.").replace("Street", "St")},
        lambda: {"name": f" {made['name']}  "},
        lambda: {"postal_code": f"D-{made['postal_code']}"},
        lambda: (
            {"vat_number": f"{str(made['vat_number'])[:2]} {str(made['vat_number'])[2:]}"} if made["vat_number"] else {}
        ),
        lambda: {"phone": None},
        lambda: {"email": None},
        lambda: {"vat_number": None},
        lambda: {"street": None, "postal_code": None, "city": None},
    ]
    for habit in dice.sample(habits, dice.randrange(4)):
        made |= {name: value for name, value in habit().items() if made[name] is not None}
    return made


def _plain(town: Town) -> tuple[Person, Person, bool]:
    person = town.anybody()
    return person, noisy(town, person), True


def _with_another_form(town: Town) -> tuple[Person, Person, bool]:
    """The legal form is left out on one side."""
    bare = f"{town.dice.choice(TRADES)} {town.name()}"
    company = town.company(f"{bare} {town.dice.choice(FORMS)}")
    return company, company | {"name": bare}, True


def _renamed(town: Town) -> tuple[Person, Person, bool]:
    company = town.company()
    return company, company | {"name": town.firm()}, True


def _moved(town: Town) -> tuple[Person, Person, bool]:
    person, elsewhere = town.anybody(), town.anybody()
    return person, person | {name: elsewhere[name] for name in ("street", "postal_code")}, True


def _new_email(town: Town) -> tuple[Person, Person, bool]:
    person = town.anybody()
    return person, person | {"email": f"neu-{person['email']}"}, True


# -- somebody else ---------------------------------------------------------------------------------------------------


def _stranger(town: Town) -> tuple[Person, Person, bool]:
    return town.anybody(), town.anybody(), False


def _one_trade(town: Town) -> tuple[Person, Person, bool]:
    """ "Hotel Adler" and "Hotel Post", "Groß & Söhne" and "Stein & Söhne"."""
    one, other = town.name(), town.name()
    while other == one:
        other = town.name()
    names = town.dice.choice([("Elektro {}", "Elektro {}"), ("{} & Söhne", "{} & Söhne"), ("Hotel {}", "Hotel {}")])
    return town.company(names[0].format(one)), town.company(names[1].format(other)), False


def _namesake(town: Town) -> tuple[Person, Person, bool]:
    """Two hotels of one name in two towns; two companies that differ by nothing but their legal form."""
    name, (form, other) = town.name(), town.dice.sample(FORMS, 2)
    return town.company(f"Hotel {name} {form}"), town.company(f"Hotel {name} {other}"), False


def _family(town: Town) -> tuple[Person, Person, bool]:
    """One household, one telephone, often one e-mail address."""
    one = town.person()
    first = town.dice.choice([name for name in FIRST if name != one["first_name"]])
    other = one | {"first_name": first, "name": f"{first} {one['last_name']}"}
    if town.dice.random() < 0.5:
        other["email"] = f"auch-{one['email']}"
    if town.dice.random() < 0.3:
        one, other = (side | {"name": side["last_name"]} for side in (one, other))
    return one, other, False


def _father_and_son(town: Town) -> tuple[Person, Person, bool]:
    one = town.person()
    other = {**one, "name": f"{one['name']} jun."}
    return one | {"name": f"{one['name']} sen."}, other, False


def _branch(town: Town) -> tuple[Person, Person, bool]:
    """One VAT id, one head office's e-mail, two houses."""
    one, elsewhere = town.company(), town.company()
    other = one | {name: elsewhere[name] for name in ("street", "postal_code", "phone")}
    if town.dice.random() < 0.5:
        one = one | {"name": f"{one['name']} Filiale Nord"}
        other = other | {"name": f"{other['name']} Filiale Süd"}
    return one, other, False


def _one_roof(town: Town) -> tuple[Person, Person, bool]:
    """Two companies at one address with one switchboard, or a company and the one that owns it."""
    one, other = town.company(), town.company()
    if town.dice.random() < 0.5:
        name = town.name()
        one, other = one | {"name": f"{name} GmbH"}, other | {"name": f"{name} Beteiligungs GmbH & Co. KG"}
    return one, other | {name: one[name] for name in ("street", "postal_code", "phone")}, False


def _agency(town: Town) -> tuple[Person, Person, bool]:
    """An agency's e-mail address on everybody it looks after."""
    shared = {"email": f"info@agentur{town.dice.randrange(9)}.example"}
    return town.anybody() | shared, town.anybody() | shared, False


def _bare(town: Town) -> tuple[Person, Person, bool]:
    """A row with nothing but a number and a country."""
    nothing: Person = {"country": "DE", "city": "Berlin"}
    return (nothing, town.anybody(), False) if town.dice.random() < 0.5 else (town.anybody(), nothing, False)


SAME = (_plain, _plain, _plain, _plain, _with_another_form, _renamed, _moved, _new_email)
OTHER = (_stranger, _one_trade, _namesake, _family, _father_and_son, _branch, _one_roof, _agency, _bare)


def corpus(seed: int, pairs: int = 2000) -> Corpus:
    """One number range: of every ten cases seven are one customer. A stranger carries the customer's number in half of
    the cases, and one customer in ten has another number over there."""
    dice = random.Random(seed)
    made, town = Corpus(), Town(dice)
    for each in range(pairs):
        draw = dice.choice(SAME if dice.random() < 0.7 else OTHER)
        one, other, same = draw(town)
        number = str(1001 + each)
        moved_on = dice.random() < (0.1 if same else 0.5)
        made.add(draw.__name__, number, one, other, str(900_001 + each) if moved_on else number, same=same)
    dice.shuffle(made.there)
    return made


def strangers_that_count(seed: int, pairs: int = 2000) -> Corpus:
    """Two shops that both count 1, 2, 3: every number is on both sides, one customer in ten is in both of them."""
    dice = random.Random(seed)
    made, town = Corpus(), Town(dice)
    known = [town.anybody() for _ in range(pairs)]
    met = dice.sample(range(pairs), pairs // 10)
    at = dict(zip(dice.sample(range(pairs), len(met)), met, strict=True))  # place over there -> place here
    for each, one in enumerate(known, 1):
        other = noisy(town, known[at[each - 1]]) if each - 1 in at else town.anybody()
        made.add("count", str(each), one, other, str(each), same=False)
    made.truth = {f"c{mine}": f"r{theirs}" for theirs, mine in at.items()}
    return made

"""Every identifying value that two records both hold, weighed: which of them agree, and which contradict.

    vat_number    letters and digits; one side may leave out the country
    email         without regard to capitals
    phone         any of phone, mobile against any of the other's
    name          `core.names`; a person's where there is no company
    contact       first and last name beside a company's name: they can only contradict
    address       street with postal code; another postal code contradicts, one without a street proves nothing
    birth_date    can only contradict

A value that several customers of one side share (an agency's e-mail address, a head office's phone) proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from syncd.core.model import Values
from syncd.core.names import Likeness, alike, apart
from syncd.core.normalise import equal

VAT = "vat_number"
_PHONES = ("phone", "mobile")
_NOT_WORD = re.compile(r"[\W_]+")
_COUNTRY = re.compile(r"^[A-Za-z]{1,3}-(?=\d)")
_STREET_WORDS: Mapping[str, str] = {
    "strasse": "str", "straße": "str", "straat": "str", "street": "st", "road": "rd", "avenue": "av", "ave": "av",
    "avenida": "av", "calle": "c", "rua": "r", "rue": "r", "platz": "pl", "plein": "pl", "place": "pl", "plaza": "pl",
    "weg": "w", "laan": "ln", "lane": "ln", "square": "sq", "praca": "pc", "praça": "pc",
}  # fmt: skip
_STREET_END = re.compile(r"(strasse|straße|straat|platz|plein)\b")
_WORD = re.compile(r"[^\W_]+")
_REAL_VAT = 5  # digits, not all the same: "DE999999999" and "none" are placeholders
_END = 5  # digits; what has fewer is no number to call


@dataclass(frozen=True, slots=True)
class Evidence:
    """Names of values that agree and that contradict. `sibling`: the names share a word and are two customers'."""

    agree: frozenset[str]
    against: frozenset[str]
    sibling: bool = False

    @property
    def doubtful(self) -> bool:
        """Whether as much contradicts as agrees, or more."""
        return len(self.against) > 0 and len(self.against) >= len(self.agree)


def weigh(one: Values, other: Values, shared: Collection[tuple[str, str]] = frozenset()) -> Evidence:
    """Compare two records. `shared` holds the (field, form) pairs that several customers of one side have."""
    name = _names(one, other)
    votes: dict[str, bool | None] = {
        VAT: _vats(one, other, shared),
        "email": _either(email_forms(one), email_forms(other), "email", shared),
        "phone": _phones(one, other, shared),
        "name": None if name is None else name is Likeness.AGREE,
        "contact": _contacts(one, other),
        "address": _addresses(one, other),
        "birth_date": _only_against(one.get("birth_date"), other.get("birth_date")),
    }
    agree = frozenset(field for field, vote in votes.items() if vote)
    against = frozenset(field for field, vote in votes.items() if vote is False)
    return Evidence(agree, against, sibling=name is Likeness.SIBLING)


def identifying(values: Values) -> set[tuple[str, str]]:
    """The values of a record that no other customer should have, as `weigh` takes them for `shared`."""
    phones = {("phone", end) for end in _ends(values)}
    return {(VAT, vat_form(values)), *(("email", form) for form in email_forms(values)), *phones} - {(VAT, "")}


def vat_form(values: Values) -> str:
    """A VAT id without blanks and punctuation; "" where it can be no customer's."""
    value = values.get(VAT)
    form = _NOT_WORD.sub("", value).upper() if isinstance(value, str) else ""
    digits = [letter for letter in form if letter.isdigit()]
    return form if len(digits) >= _REAL_VAT and len(set(digits)) > 1 else ""


def email_forms(values: Values) -> set[str]:
    """The e-mail address in comparison form."""
    return {form} if (form := _text(values, "email").casefold()) else set()


def _vats(one: Values, other: Values, shared: Collection[tuple[str, str]]) -> bool | None:
    mine, theirs = vat_form(one), vat_form(other)
    if mine and theirs and mine[:2].isalpha() != theirs[:2].isalpha():  # one side omits the country
        mine, theirs = sorted((mine, theirs), key=len)
        theirs = theirs[2:] if theirs[2:].isdigit() else theirs
    return _either({mine} - {""}, {theirs} - {""}, VAT, shared)


def _either(mine: set[str], theirs: set[str], field: str, shared: Collection[tuple[str, str]]) -> bool | None:
    if not mine or not theirs:
        return None
    same = mine & theirs
    if not same:
        return False
    return None if any((field, form) in shared for form in same) else True


def _phones(one: Values, other: Values, shared: Collection[tuple[str, str]]) -> bool | None:
    mine, theirs = _ends(one), _ends(other)
    if not mine or not theirs:
        return None
    place = _text(one, "country") or _text(other, "country") or None
    same = {end for end in mine.keys() & theirs.keys() if equal("phone", mine[end], theirs[end], place)}
    if not same:
        return False
    return None if any(("phone", end) in shared for end in same) else True


def _ends(values: Values) -> dict[str, str]:
    """Phone and mobile by the digits that every way of writing a number ends with."""
    numbers = {"".join(filter(str.isdigit, text))[-_END:]: text for name in _PHONES if (text := _text(values, name))}
    return {end: text for end, text in numbers.items() if len(end) == _END}


def _names(one: Values, other: Values) -> Likeness | None:
    """Compare company with company, or person with person; where only one record has a company's name, either of its
    two names may agree."""
    said = [alike(mine, theirs) for mine in _called(one, other) for theirs in _called(other, one)]
    return Likeness.AGREE if Likeness.AGREE in said else next((each for each in said if each is not None), None)


def _called(values: Values, other: Values) -> list[str]:
    """The customer's names in a record. A company name that only repeats the person's last name is no company's."""
    name, person = _text(values, "name"), _person(values)
    own = apart(name)
    if name and person and own.words < apart(person).words and not (own.legal or own.trades or own.which):
        return [person]
    names = [name] if name and _text(other, "name") else [name, person]
    return [each for each in names if each]


def _contacts(one: Values, other: Values) -> bool | None:
    """A company's contact person may change, but records with two different contacts are two customers more often than
    not."""
    firsts = _text(one, "first_name"), _text(other, "first_name")
    if not all(firsts):
        return None
    said = alike(_person(one), _person(other))
    return False if said in {Likeness.DIFFER, Likeness.SIBLING} else None


def _person(values: Values) -> str:
    return f"{_text(values, 'first_name')} {_text(values, 'last_name')}".strip()


def _addresses(one: Values, other: Values) -> bool | None:
    codes = [_NOT_WORD.sub("", _COUNTRY.sub("", _text(each, "postal_code"))).casefold() for each in (one, other)]
    if all(codes) and codes[0] != codes[1]:
        return False
    streets = [_street(_text(each, "street")) for each in (one, other)]
    if all(streets) and streets[0] != streets[1]:
        houses = [any(letter.isdigit() for letter in street) for street in streets]
        return (
            False
            if all(houses) or not (streets[0].startswith(streets[1]) or streets[1].startswith(streets[0]))
            else None
        )
    if all(codes):
        return True if all(streets) else None
    cities = [_text(each, "city").casefold() for each in (one, other)]
    return False if all(cities) and cities[0] != cities[1] and not any(codes) else None


def _street(street: str) -> str:
    """ "Hauptstraße 5 a" and "Hauptstr. 5A" are one."""
    words = _WORD.findall(_STREET_END.sub("str", street.casefold()) if street else "")
    return "".join(_STREET_WORDS.get(word, word) for word in words)


def _only_against(mine: object, theirs: object) -> bool | None:
    return False if mine and theirs and mine != theirs else None


def _text(values: Values, name: str) -> str:
    value = values.get(name)
    return value.strip() if isinstance(value, str) else ""

"""Canonical values, comparison forms and digests: what counts as the same, and what is remembered of it."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.digest import digest, digester
from syncd.core.model import FIELDS, Value
from syncd.core.normalise import (
    LONGEST,
    as_text,
    canonical,
    comparable,
    degraded,
    e164,
    equal,
    spelling,
    spellings,
    text,
)

KEY = b"k" * 32
values = st.none() | st.booleans() | st.dates() | st.text(max_size=40)


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        (None, None),
        ("", None),
        ("  \t\n ", None),
        ("\u00a0", None),
        (" Müller ", "Müller"),
        ("Mu\u0308ller", "Müller"),
        ("A  B", "A  B"),
    ],
)
def test_text_is_composed_and_trimmed(raw: str | None, kept: str | None) -> None:
    """Text is NFC and trimmed, nothing left is empty; blanks inside are the person's."""
    assert text(raw) == kept


@given(values)
def test_canonical_is_reached_at_once(value: Value) -> None:
    """Normalising twice changes nothing, and the comparison form is stable, too."""
    once = canonical(value)

    assert canonical(once) == once
    for name in FIELDS:
        assert equal(name, once, once)
        assert comparable(name, comparable(name, once)) == comparable(name, once)


@pytest.mark.parametrize(
    ("one", "other", "country"),
    [
        ("030 12345678", "+49 30 12345678", "DE"),
        ("(030) 123 456-78", "+493012345678", "DE"),
        ("0049 30 12345678", "030/12345678", "DE"),
        ("020 123 4567", "+31201234567", "NL"),
        ("06 12345678", "+31 6 1234 5678", "NL"),
        ("21 123 4567", "+351 211 234 567", "PT"),
        ("912 345 678", "00351912345678", "PT"),
        ("+49 30 12345678", "+493012345678", None),
        ("030 12345678#12", "+49 30 12345678 #12", "DE"),
        ("12 34", "1234", "DE"),
        ("+49 (0) 30 / 901820-0", "030 9018200", "DE"),
        ("0049 (0)30 901820-0", "+49.30.9018200", "DE"),
        ("+31 (0)20-1234567", "020 123 45 67", "NL"),
        ("0664 1234567", "+43 664 1234567", "at"),
        ("0031 20 123 45 67", "+31 20 1234567", None),
        ("030 9018200", "030-901820-0", "Deutschland"),
        ("030 9018200", "0309018200", "XX"),
    ],
)
def test_one_number_in_two_spellings(one: str, other: str, country: str | None) -> None:
    """A phone number is what is dialled, read with the customer's country; an invalid one is its digits."""
    assert equal("phone", one, other, country)
    assert equal("mobile", other, one, country)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("030 12345678", "030 12345679"),
        ("030 12345678", "+31 30 12345678"),
        ("030 12345678#12", "030 12345678#34"),
        ("030 12345678", "030 12345678#12"),
        ("030 12345678", "030 1234567#8"),
        ("030 1234567 ext. 12", "030 1234567 ext. 34"),
        ("030 1234567 (privat)", "030 1234567"),
        ("n/a", "unbekannt"),
        ("-", "n/a"),
        ("-", "?"),
        ("030 12345678", None),
        ("030 901820-0", "030 901820-1"),
        ("030 9018200 / 030 9018201", "030 9018200"),
    ],
)
def test_numbers_and_remarks_that_differ(one: str, other: str | None) -> None:
    """An extension, a remark in words, another country's number: changing it is an edit."""
    assert not equal("phone", one, other, "DE")


@pytest.mark.parametrize(
    ("name", "one", "other", "same"),
    [
        ("email", "Anna@Example.DE", "Anna@example.de", True),
        ("email", "anna@example.de", "Anna@example.de", True),
        ("email", "anna@example.de", "anne@example.de", False),
        ("email", "no-at-sign", "NO-AT-SIGN", True),
        ("country", "de", "DE", True),
        ("language", "de_at", "de-AT", True),
        ("language", "de", "de-AT", False),
        ("vat_number", "de 123 456 789", "DE123456789", True),
        ("tax_number", "12 345", "12345", True),
        ("register_number", "HRB 1", "HRB1", False),
        ("website", "https://Example.de/", "https://example.de", True),
        ("website", "https://example.de/a", "https://example.de/b", False),
        ("website", "HTTPS://WWW.Example.de/Shop", "https://www.example.de/Shop/", True),
        ("website", "https://example.de/Shop", "https://example.de/shop", False),
        ("website", "Example.de?A=1", "example.de?a=1", False),
        ("website", "Bäckerei.DE", "bäckerei.de", True),
        ("name", "Müller  GmbH", "Müller GmbH", True),
        ("name", "müller", "Müller", False),
        ("name", "Muller", "Müller", False),
        ("street", "Weg 1", "Weg 11", False),
        ("active", True, False, False),
        ("active", True, None, False),
        ("birth_date", date(1990, 1, 2), date(1990, 1, 2), True),
        ("birth_date", date(1990, 1, 2), date(1990, 2, 1), False),
        ("fax", None, None, True),
    ],
)
def test_what_means_the_same(name: str, one: Value, other: Value, same: bool) -> None:
    """Each field has its own idea of sameness, and no more generous one than its meaning allows."""
    assert equal(name, one, other, "DE") is same
    assert equal(name, other, one, "DE") is same


@pytest.mark.parametrize(
    ("sent", "stored", "made"),
    [
        ("Musterfirma GmbH & Co. KG", "Musterfirma GmbH", True),
        ("Musterfirma", "MUSTERFIRMA", True),
        ("Weg 1-3", "Weg 13", True),
        ("Straße", "STRASSE", True),
        ("Yıldız", "YILDIZ", True),
        ("Mu\u0308ller", "Müller", True),
        ("--", None, True),
        ("Musterfirma", None, False),
        ("Musterfirma", "Firma", False),
        ("Muster", "Musterfirma", False),
        ("Musterfirma", "-", False),
        (None, "x", False),
        (True, "true", False),
        (date(1990, 1, 2), None, False),
    ],
)
def test_what_a_careless_system_makes_of_a_text(sent: Value, stored: Value, made: bool) -> None:
    """A degraded form is a beginning of what was sent, but for case, blanks and punctuation; nothing else is."""
    assert degraded(sent, stored) is made


def test_e164_only_where_it_is_a_number() -> None:
    """Who must send E.164 gets it for valid numbers, and nothing for others."""
    assert e164("030 12345678", "DE") == "+493012345678"
    assert e164("030 12345678", "de") == "+493012345678"
    assert e164("12 34", "DE") is None
    assert e164("n/a", None) is None


def test_digests_are_written_for_years() -> None:
    """The digest of a value must never change: all bases would be lost. These two were computed by hand."""
    assert digest(KEY, "billbee", "17", "email", "anna@example.de") == GOLDEN_EMAIL
    assert digest(KEY, "billbee", "17", "email", None) == GOLDEN_EMPTY


GOLDEN_EMAIL = "def8388183883e4baa8ea4893b113cf6"
GOLDEN_EMPTY = "4ba8e715bf141cb5508360844552eab0"


@given(values, values)
def test_one_value_one_digest(one: Value, other: Value) -> None:
    """Equal canonical values have one digest, different ones two: True is not "true", None not "None"."""
    first, second = (digest(KEY, "p", "1", "name", value) for value in (one, other))
    same = canonical(one) == canonical(other) and type(canonical(one)) is type(canonical(other))

    assert (first == second) is same
    assert len(first) == 32


@given(st.text(max_size=20))
def test_a_digest_knows_its_place(value: str) -> None:
    """Key, provider, our key and field are part of it, and none can pass for its neighbour."""
    places = [(KEY, "p", "1", "name"), (b"x" * 32, "p", "1", "name"), (KEY, "q", "1", "name"), (KEY, "p", "2", "name")]
    places += [(KEY, "p", "1", "street"), (KEY, "p1", "", "name"), (KEY, "", "p1", "name"), (KEY, "p", "1n", "ame")]

    assert len({digest(*place, value) for place in places}) == len(places)


@given(st.lists(st.tuples(st.sampled_from(FIELDS), values), max_size=8))
def test_one_look_asks_in_any_order(asked: list[tuple[str, Value]]) -> None:
    """What a pair's digester answered before changes no later answer."""
    of_pair = digester(KEY, "p", "1")

    assert [of_pair(name, value) for name, value in [*asked, *asked]] == [
        digest(KEY, "p", "1", name, value) for name, value in [*asked, *asked]
    ]


@given(st.text(max_size=30))
def test_spelling_in_bytes_is_no_change(value: str) -> None:
    """NFC, NFD and blanks around have the digest of the text itself."""
    spellings = (value, unicodedata.normalize("NFD", value), unicodedata.normalize("NFC", value), f" {value}\n")

    assert len({digest(KEY, "p", "1", "name", spelling) for spelling in spellings}) == 1


def test_values_as_text() -> None:
    """What digests and terminals show of each type."""
    shown = [as_text(value) for value in (None, True, False, date(1990, 1, 2), "x")]

    assert shown == ["", "true", "false", "1990-01-02", "x"]


@given(st.text(max_size=60), st.text(max_size=60), st.integers(0, 60), st.sampled_from([str, str.upper, str.title]))
def test_the_forms_of_a_text_know_what_degrades_it(
    sent: str, other: str, cut: int, spell: Callable[[str], str]
) -> None:
    """A cut or re-spelled text shares a form with what was sent, where it is long enough to tell; another text does
    not."""
    for stored in (spell(sent)[:cut], other):
        whole, shown = spelling(sent), spelling(stored)
        long_enough = len(shown) == 2 or whole[:1] == shown[:1]
        known = bool(set(spelling(stored)) & set(spellings(sent)))
        assert known == (degraded(sent, stored) and bool(shown) and long_enough) or len(whole[0]) > LONGEST

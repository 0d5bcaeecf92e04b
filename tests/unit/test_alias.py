"""What a customer is called where others read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.alias import HASH, PLAIN, alias, is_alias, is_personal, namer, renamed
from syncd.core.model import former

SECRET = b"s" * 32


@pytest.mark.parametrize(
    ("key", "personal"),
    [
        ("41", False), ("-7", False), ("0", False), ("41†3", False), ("remote:K-1", False), ("", False),
        ("6f9619ff-8b86-d011-b42d-00c04fc964ff", False), ("6F9619FF8B86D011B42D00C04FC964FF", False),
        ("anna@example.com", True), ("Hans Meier", True), ("K-1002", True), ("0049301234", True), ("+4930", True),
        ("1.5", True), ("anna@example.com†3", True), ("٤١", True),
    ],
)  # fmt: skip
def test_text_that_is_no_number_and_no_uuid_may_be_a_person(key: str, personal: bool) -> None:
    """A number is in the form that a number column gives; with zeros in front it may be a telephone."""
    assert is_personal(key) is personal


@given(st.text(), st.text())
def test_an_alias_is_one_to_one_and_stands_for_itself(one: str, other: str) -> None:
    """Naming an alias again changes nothing, so whoever names first is right."""
    shown = namer("", SECRET)

    assert (alias(SECRET, one) == alias(SECRET, other)) is (one == other)
    assert is_alias(alias(SECRET, one))
    assert shown(shown(one)) == shown(one)


def test_another_secret_is_another_alias() -> None:
    """Nobody without the secret can test a guess."""
    assert alias(SECRET, "anna@example.com") != alias(b"t" * 32, "anna@example.com")


def test_who_had_a_key_before_stays_apart() -> None:
    """The mark of a former owner stays readable."""
    assert namer("", SECRET)(former("Anna", 41)) == alias(SECRET, "Anna") + "†41"


def test_modes() -> None:
    """`plain` shows all, `hash` none."""
    assert namer(PLAIN, SECRET)("Anna") == "Anna"
    assert is_alias(namer(HASH, SECRET)("41"))


def test_a_sentence_gets_the_name_in_whole_words_and_in_a_shells_quotes() -> None:
    """`Ann` is not `Anna`; and a key with an apostrophe is found in a command."""
    assert renamed("Anna is not Ann.", "Ann", "key-1") == "Anna is not key-1."
    assert renamed("syncd explain 'D'\\''Arcy'", "D'Arcy", "key-1") == "syncd explain 'key-1'"

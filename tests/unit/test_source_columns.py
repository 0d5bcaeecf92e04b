"""Single values between columns and canonical customers, without a database."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from syncd.source.columns import ColumnKind, MappedColumn, UnfitError, UnreadableError, canonical, clean, stored
from syncd.source.keys import KeyKind, bound, spelled


def column(field: str, kind: ColumnKind, **facts: Any) -> MappedColumn:
    """A mapped, nullable column."""
    usual: dict[str, Any] = {"nullable": True, "clears_to": None, "plain": False}
    return MappedColumn(field, sa.Column(field), kind, **(usual | facts))


@pytest.mark.parametrize(
    ("field", "raw", "value"),
    [
        ("name", " A\u0308 ", "Ä"),
        ("name", "\u00a0 \t", None),
        ("number", 17, "17"),
        ("number", Decimal("1E+3"), "1000"),
        ("number", UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ("active", 0, False),
        ("active", b"\x01", True),
        ("active", b"\x00", False),
        ("active", " Ja ", True),
        ("active", "", None),
        ("birth_date", "2001-02-03T00:00:00", date(2001, 2, 3)),
        ("birth_date", datetime(2001, 2, 3, 4, tzinfo=UTC), date(2001, 2, 3)),
        ("birth_date", "0000-00-00", None),
        ("email", None, None),
    ],
)
def test_reading(field: str, raw: object, value: object) -> None:
    """Whatever the column holds, the canonical value has one type and one form."""
    read = canonical(field, raw)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("field", "raw"),
    [("name", b"x"), ("name", 1.5), ("name", "a\0"), ("name", "\udcff"), ("name", True), ("active", "maybe"),
     ("active", 1.5), ("birth_date", "infinity"), ("birth_date", "2001-02-30"),
     ("birth_date", "0044-03-15 BC"), ("birth_date", 5)],
)  # fmt: skip
def test_unreadable(field: str, raw: object) -> None:
    """What has no canonical form says why, without the value."""
    with pytest.raises(UnreadableError) as caught:
        canonical(field, raw)
    assert str(raw) not in str(caught.value)


@given(st.text())
def test_clean_is_idempotent(text: str) -> None:
    """A cleaned text is clean."""
    try:
        once = clean(text)
    except UnreadableError:
        assert "\0" in text or any("\ud800" <= each <= "\udfff" for each in text)
        return
    assert once is None or clean(once) == once


def test_longest_text_counts_bytes() -> None:
    """64 kB are bytes, not characters."""
    assert clean("x" * 65_536)
    for text in ("x" * 65_537, "ü" * 32_769):
        with pytest.raises(UnreadableError):
            clean(text)


@pytest.mark.parametrize(
    ("before", "value", "word"),
    [("J", False, "N"), ("n", None, None), ("Yes", False, "No"), ("TRUE", False, "FALSE"), ("0", True, "1"),
     (None, True, "1"), ("y", False, "n"), (0, True, 1)],
)  # fmt: skip
def test_flags_keep_the_columns_words(before: object, value: bool | None, word: object) -> None:
    """A text column's own words for yes and no are kept, with their case."""
    assert stored(column("active", ColumnKind.TEXT), value, before) == word


def test_unknown_yes_is_refused() -> None:
    """Where "n" may be the opposite of "y" or of "j", nothing is guessed."""
    with pytest.raises(UnfitError):
        stored(column("active", ColumnKind.TEXT), True, "n")


@pytest.mark.parametrize(
    ("mapped", "value", "raw"),
    [
        (column("number", ColumnKind.INTEGER), "17", 17),
        (column("number", ColumnKind.DECIMAL), "1.50", Decimal("1.50")),
        (column("active", ColumnKind.BIT), True, 1),
        (column("active", ColumnKind.BOOLEAN), True, True),
        (column("active", ColumnKind.BOOLEAN, plain=True), True, 1),
        (column("birth_date", ColumnKind.DATE), date(2001, 2, 3), date(2001, 2, 3)),
        (column("birth_date", ColumnKind.DATE, plain=True), date(2001, 2, 3), "2001-02-03"),
        (column("birth_date", ColumnKind.MOMENT), date(2001, 2, 3), datetime(2001, 2, 3)),  # noqa: DTZ001
        (column("name", ColumnKind.TEXT, nullable=False, clears_to=""), None, ""),
        (column("name", ColumnKind.TEXT), "  ", None),
    ],
)
def test_writing(mapped: MappedColumn, value: Any, raw: object) -> None:
    """Canonical values become what the column's driver wants."""
    written = stored(mapped, value)
    assert written == raw
    assert type(written) is type(raw)


@pytest.mark.parametrize(
    ("mapped", "value"),
    [
        (column("number", ColumnKind.INTEGER), "K-17"),
        (column("number", ColumnKind.DECIMAL), "x"),
        (column("number", ColumnKind.UUID), "x"),
        (column("name", ColumnKind.TEXT, nullable=False), None),
        (column("name", ColumnKind.TEXT), "a\0"),
        (column("name", ColumnKind.TEXT), True),
        (column("active", ColumnKind.TEXT), "yes"),
        (column("birth_date", ColumnKind.DATE), "2001-02-03"),
        (column("name", ColumnKind.TEXT, fixed="the database computes this column"), "x"),
    ],
)
def test_unfit(mapped: MappedColumn, value: Any) -> None:
    """What the column cannot hold is refused before anything is sent."""
    with pytest.raises(UnfitError):
        stored(mapped, value)


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1))
def test_integer_keys_round_trip(number: int) -> None:
    """An integer key has one spelling and is found by it."""
    assert bound(KeyKind.INTEGER, spelled(KeyKind.INTEGER, number)) == number


@given(st.uuids())
def test_uuid_keys_round_trip(number: UUID) -> None:
    """A UUID key is lower case with hyphens, and found in other spellings."""
    key = spelled(KeyKind.UUID, number)
    assert key == str(number)
    assert {bound(KeyKind.UUID, text) for text in (key, key.upper(), f"{{{key}}}", number.hex)} == {number}


@pytest.mark.parametrize("key", ["", "x", "1.0", "1e3", "٣", "9223372036854775808", "1\0", "\ud800", "1_000"])
def test_impossible_integer_keys(key: str) -> None:
    """What no integer column can hold is no key."""
    assert bound(KeyKind.INTEGER, key) is None

"""What is doubted, and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.doubts import doubts
from syncd.core.model import FIELDS, Value


@pytest.mark.parametrize(
    ("field", "value", "country"),
    [
        ("vat_number", "DE 136 695 976", "DE"),
        ("vat_number", "de136695976", None),
        ("vat_number", "136695976", "DE"),
        ("vat_number", "NL004495445B01", "BE"),
        ("vat_number", "510205933", "PT"),
        ("vat_number", "EL094259216", "GR"),
        ("vat_number", "094259216", "GR"),
        ("vat_number", "ZZ 1", "ZZ"),
        ("vat_number", "12/345", None),
        ("register_number", "KvK 34102955", "NL"),
        ("register_number", "HRB 1", "DE"),
        ("register_number", "341", "DE"),
        ("email", "J.Oehe+einkauf@bäckerei.example", None),
        ("phone", "030 / 901820-0", "de"),
        ("phone", "+49 30 9018200", None),
        ("phone", "030 901820#12", "DE"),
        ("phone", "nur vormittags", "DE"),
        ("country", "nl", None),
        ("name", "'s-Gravenhage", None),
    ],
)
def test_a_sound_value_is_not_doubted(field: str, value: str, country: str | None) -> None:
    """Spelling, case and blanks are no reason, and of what nobody has a rule for nothing is said."""
    assert doubts({"country": country, field: value}).get(field, "") == ""


@pytest.mark.parametrize(
    ("field", "value", "country", "said"),
    [
        ("vat_number", "DE 136 695 977", "DE", "check digit"),
        ("vat_number", "136695977", "de", "check digit"),
        ("vat_number", "NL800000001B01", "NL", "check digit"),
        ("vat_number", "EL094259217", "GR", "check digit"),
        ("vat_number", "DE1", "DE", "form of a VAT number of DE"),
        ("register_number", "3410295", "NL", "eight digits"),
        ("email", "info(at)firma.example", None, "no e-mail"),
        ("email", "a..b@firma.example", None, "no e-mail"),
        ("phone", "030 1", "DE", "of DE"),
        ("mobile", "0176 123", None, "needs one in front"),
        ("fax", "12 34", "NL", "of NL"),
        ("country", "Deutschland", None, "ISO 3166-1"),
        ("country", "UK", None, "ISO 3166-1"),
    ],
)
def test_what_looks_wrong_is_named(field: str, value: str, country: str | None, said: str) -> None:
    """A check digit, a form or a code that does not fit, in words without the value."""
    doubt = doubts({"country": country, field: value})[field]

    assert said in doubt
    assert value not in doubt


strange = st.text(max_size=30) | st.from_regex(r"[A-Z]{0,2}[ .-]?[0-9٠-٩²]{1,14}[A-Z0-9]{0,4}", fullmatch=True)
countries = st.sampled_from(["DE", "nl", "PT", "AT", "CH", "GB", "FR", "GR", "IT", "ES", "PL", "SE", "BE", "XX", "é"])


@given(st.dictionaries(st.sampled_from(FIELDS), st.none() | st.booleans() | st.dates() | strange), countries)
def test_no_value_is_too_strange(values: dict[str, Value], country: str) -> None:
    """Whatever a source holds, there is an answer, about fields that hold text."""
    whole = {"country": country, **values}

    assert all(isinstance(whole[name], str) for name in doubts(whole))

"""Values that look wrong. `explain` and `doctor` show the doubt; no decision depends on it.

A wrong check digit is mostly a typing mistake, but the rules of numbers change. So a doubtful value is sent like any
other. The sentences never hold the value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from stdnum import get_cc_module
from stdnum.exceptions import InvalidChecksum, ValidationError

from syncd.core.model import Values
from syncd.core.normalise import PHONES, e164

_LETTER = re.compile(r"[^\W\d_]")
_GREEK = "EL"  # what a Greek VAT number begins with; the country is GR


def doubts(values: Values) -> dict[str, str]:
    """The doubt about each doubtful field, as a sentence."""
    held = {name: value for name, value in values.items() if isinstance(value, str)}
    found = {
        name: check(held[name], held.get("country", "").upper()) for name, check in _CHECKS.items() if name in held
    }
    return {name: doubt for name, doubt in found.items() if doubt}


def _country(value: str, _: str) -> str:
    return "" if value.upper() in phonenumbers.SUPPORTED_REGIONS else "is no ISO 3166-1 code of two letters"


def _phone(value: str, country: str) -> str:
    if _LETTER.search(value) or e164(value.partition("#")[0], country or None):
        return ""
    return f"is no phone number{f' of {country}' if country else '; without a country it needs one in front'}"


def _email(value: str, _: str) -> str:
    try:
        validate_email(value, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return "is no e-mail address"
    return ""


def _vat_number(value: str, country: str) -> str:
    prefix = value[:2].upper()
    named = {_GREEK: "GR"}.get(prefix, prefix) if prefix.isascii() and prefix.isalpha() else country
    try:
        module = get_cc_module(named.lower(), "vat") if named else None
        if module is not None:
            module.validate(value)
    except InvalidChecksum:
        return "has a check digit that does not fit"
    except ValidationError:
        return f"has not the form of a VAT number of {named}"
    return ""


def _register_number(value: str, country: str) -> str:
    digits = re.sub(r"[\s.]|kvk", "", value, flags=re.IGNORECASE)
    if country == "NL" and digits.isdecimal() and len(digits) != 8:
        return "is no KvK number: those have eight digits"
    return ""


_CHECKS: Mapping[str, Callable[[str, str], str]] = {
    "country": _country,
    "email": _email,
    "vat_number": _vat_number,
    "register_number": _register_number,
    **dict.fromkeys(sorted(PHONES), _phone),
}

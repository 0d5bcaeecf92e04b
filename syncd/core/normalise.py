"""Canonical values and their comparison forms.

Digests are made of the `canonical` form: typed, NFC, trimmed, empty text as None. The `comparable` form only finds two
spellings equal; it may change with a library version, because nothing stored depends on it.
"""

from __future__ import annotations

import re
import unicodedata

from syncd.core.model import Value

PHONES = frozenset({"phone", "mobile", "fax"})
EMAILS = frozenset({"email", "invoice_email"})
CODES = frozenset({"country", "language"})
UNSPACED = frozenset({"vat_number", "tax_number"})
SHORTEST, LONGEST = 8, 48  # letters and digits of a form that was cut off
_DIALLED_ABROAD = re.compile(r"^\s*00(?=[1-9])")  # where no country says how it is dialled there
_BLANKS = re.compile(r"\s+")
_NOT_WORD = re.compile(r"[^\w]+")
_LETTER = re.compile(r"[^\W\d_]")
_WEB_HOST = re.compile(r"^(?:[a-z][a-z0-9+.-]*://)?[^/?#]*", re.IGNORECASE)


def text(raw: str | None) -> str | None:
    """The text in NFC and trimmed; None where no character is left."""
    if raw is None:
        return None
    return unicodedata.normalize("NFC", raw).strip() or None


def canonical(raw: Value) -> Value:
    """The form in which a value is kept in memory and digested."""
    return text(raw) if isinstance(raw, str) else raw


def comparable(field: str, value: Value, country: str | None = None) -> Value:
    """The form in which two spellings of one field are compared.

    `country` (ISO alpha-2) is the customer's, for phone numbers without a country code.
    """
    if not isinstance(value, str):
        return value
    if field in PHONES:
        return _dialled(value, country)
    if field in EMAILS:
        return value.casefold()
    if field in CODES:
        return value.replace("_", "-").upper()
    if field in UNSPACED:
        return _BLANKS.sub("", value).upper()
    if field == "website":
        return _WEB_HOST.sub(lambda host: host[0].lower(), value.rstrip("/"))
    return _BLANKS.sub(" ", value)


def equal(field: str, one: Value, other: Value, country: str | None = None) -> bool:
    """Whether two values mean the same."""
    return one == other or comparable(field, one, country) == comparable(field, other, country)


def degraded(sent: Value, stored: Value) -> bool:
    """Whether `stored` is what a careless system makes of `sent`: cut off, other case, blanks or punctuation lost.

    Such a value is never an edit. An empty value counts as degraded only where nothing but punctuation was sent.
    """
    if not isinstance(sent, str) or not isinstance(stored, str | None):
        return False
    plain_sent, plain_stored = _plain(sent), _plain(stored or "")
    return plain_sent.startswith(plain_stored) if plain_stored else not plain_sent


def spellings(sent: Value) -> list[str]:
    """The plain forms that a careless system may make of a text: the whole text, and the text cut off anywhere from
    `SHORTEST` on. Digests of these forms recognise a `degraded` value when the text itself is not at hand any more."""
    plain = _plain(sent) if isinstance(sent, str) else ""
    cut = [f"~{plain[:length]}" for length in range(SHORTEST, min(len(plain), LONGEST + 1))]
    return [f"={plain}", *cut] if plain else []


def spelling(stored: Value) -> list[str]:
    """The plain forms of a stored text: `spellings` of a sent text has one where `stored` is degraded."""
    plain = _plain(stored) if isinstance(stored, str) else ""
    return [f"={plain}", *([f"~{plain[:LONGEST]}"] if len(plain) >= SHORTEST else [])] if plain else []


def _plain(value: str) -> str:
    """Letters and digits without case, by way of capitals, because two small letters may share one (ı and i)."""
    capitals = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", value).upper())
    return _NOT_WORD.sub("", capitals.casefold())


def _dialled(value: str, country: str | None) -> str:
    """The comparison form of a phone field: the number with its extension; a remark in words as it is."""
    if _LETTER.search(value) or not any(character.isdigit() for character in value):
        return _BLANKS.sub(" ", value).casefold()
    main, hash_sign, extension = value.partition("#")
    return _phone(main, country) + hash_sign + re.sub(r"\D", "", extension)


def _phone(value: str, country: str | None) -> str:
    import phonenumbers  # here, because a run that compares no numbers need not load it

    if not country:
        value = _DIALLED_ABROAD.sub("+", value)
    try:
        number = phonenumbers.parse(value, country.upper() if country else None)
    except phonenumbers.NumberParseException:
        return re.sub(r"\D", "", value)
    if phonenumbers.is_valid_number(number):
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return re.sub(r"\D", "", value)


def e164(value: str, country: str | None) -> str | None:
    """The E.164 form of a valid phone number, None where it is not one."""
    form = _phone(value, country)
    return form if form.startswith("+") else None


def as_text(value: Value) -> str:
    """A stable text of any value, for digests and for terminals."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat()

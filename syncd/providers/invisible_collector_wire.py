"""Invisible Collector's customer, field by field: the projection, the bodies of writes, and the provider's rules.

Everything here is pure. Three habits of the provider shape it: a `null` in an answer says nothing (the official
clients drop them), an omitted `locale` falls back to "pt", and whether a PUT replaces or merges is documented nowhere.
So nulls are read as unknown, and every PUT carries the whole record.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from syncd.core.model import Remote, Value, Values
from syncd.core.normalise import as_text, text
from syncd.errors import Rejected
from syncd.providers.strict import sendable

WIRE: Mapping[str, str] = {
    "name": "name",
    "vat_number": "vatNumber",
    "street": "address",
    "postal_code": "zipCode",
    "city": "city",
    "country": "country",
    "email": "email",
    "phone": "phone",
    "mobile": "mobile",
    "language": "locale",
}
LOCALES: Mapping[str, str] = {"pt": "pt", "es": "es", "en": "en", "fr": "fr-fr", "de": "de", "zh": "zh-CN"}
LANGUAGES: Mapping[str, str] = {locale.lower(): language for language, locale in LOCALES.items()}
UNCLEARABLE = frozenset({"name", "vat_number", "country", "language"})
_ALPHA2 = re.compile(r"[A-Z]{2}")


class Options(BaseModel):
    """The keys of `[providers.…]` that only this adapter knows.

    `default_locale` serves languages outside the six that exist there, because the provider's own default is
    Portuguese and it writes to real debtors. `vat_prefix` says whether the country's letters are added to or taken off
    the VAT number. `send_mobile` is off where an account refuses `mobile`, which PUT's own table does not list.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)

    token: SecretStr = Field(min_length=1)
    default_locale: Literal["pt", "es", "en", "fr-fr", "de", "zh-CN"] = "en"
    default_country: str | None = Field(default=None, pattern=r"^[A-Z]{2}$")
    require_vat: bool = True
    vat_prefix: Literal["keep", "add", "strip"] = "keep"
    send_mobile: bool = True

    @field_validator("default_country", mode="before")
    @classmethod
    def _accept_lower_case(cls, value: object) -> object:
        return value.upper() or None if isinstance(value, str) else value

    @field_validator("default_locale", mode="before")
    @classmethod
    def _accept_language(cls, value: object) -> object:
        return locale_of(value) or value if isinstance(value, str) else value


def locale_of(language: str) -> str | None:
    """The provider's locale for a language tag, None for a language that it does not speak."""
    return LOCALES.get(re.split("[-_]", language.strip())[0].lower())


def composed(known: frozenset[str], options: Options) -> frozenset[str]:
    """The fields that are put together here from what the source knows, and so are never read back into it."""
    fields = {"language"}
    if "name" not in known:
        fields.add("name")
    if "street2" in known:
        fields.add("street")
    if options.vat_prefix != "keep":
        fields.add("vat_number")
    return frozenset(fields)


def project(values: Values, options: Options) -> Values:
    """What the provider should hold for a source row. Raises `Rejected` for what its sanity checks would refuse."""
    projection: dict[str, Value] = {field: values[field] for field in WIRE if field in values}
    projection["name"] = _name(values)
    country = _country(values, options)
    if "country" in values:
        projection["country"] = country
    if "street" in values:
        projection["street"] = ", ".join(filter(None, (_text(values, "street"), _text(values, "street2")))) or None
    if "language" in values:
        projection["language"] = _language(_text(values, "language"), options)
    if "vat_number" in values or options.require_vat:
        projection["vat_number"] = _vat_number(values, country, options)
    if not options.send_mobile:
        projection.pop("mobile", None)
    if "@" not in (_text(projection, "email") or "@"):
        raise Rejected("email", "Invisible Collector takes only addresses with an @; correct it in the source")
    return sendable(projection)


def to_wire(values: Values) -> dict[str, str | None]:
    """Canonical fields as JSON members; None where it may be sent, left out where the provider must keep a value."""
    wire: dict[str, str | None] = {}
    for field, member in WIRE.items():
        if field not in values or (values[field] is None and field in UNCLEARABLE):
            continue
        value = _text(values, field)
        wire[member] = LOCALES.get(value or "") if field == "language" else value
    return wire


def from_wire(record: Mapping[str, Any]) -> Values:
    """A record's canonical fields. A member that is absent, null or not text is unknown; an empty text is empty."""
    values: dict[str, Value] = {}
    for field, member in WIRE.items():
        stored = record.get(member)
        if not isinstance(stored, str):
            continue
        if field == "language":
            if stored.lower() in LANGUAGES:
                values[field] = LANGUAGES[stored.lower()]
        elif field != "country" or _ALPHA2.fullmatch(stored):
            values[field] = text(stored)
    return values


def remote_of(record: Mapping[str, Any], *, provisional: bool = False) -> Remote:
    """A customer object as a remote; its `gid` must have been checked."""
    gid, key = record["gid"], record.get("externalId")
    own = key if isinstance(key, str) and key else None
    ids = {"gid": gid} | ({"externalId": own} if own else {})
    return Remote(gid, own, from_wire(record), external_ids=ids, provisional=provisional, raw=record)


def new_record(key: str, values: Values, options: Options) -> dict[str, str | None]:
    """The body of a POST: what is known and not empty, always with country and locale."""
    wire = {member: value for member, value in to_wire(values).items() if value is not None}
    return _completed(key, {}, wire, options)


def whole_record(current: Remote, values: Values, options: Options) -> dict[str, str | None]:
    """The body of a PUT: the stored record overlaid with `values`, so that replacing and merging come to the same.

    What an answer does not show (`locale` and `mobile` stand in none of the vendor's samples) is filled with what was
    agreed: a PUT without `locale` would write to a French debtor in the default language. Agreed emptiness fills
    nothing, because the member may have been filled over there since.
    """
    stored = current.raw
    shown = {member: stored[member] for member in WIRE.values() if isinstance(stored.get(member), str)}
    agreed = {member: value for member, value in to_wire(current.values).items() if value is not None}
    kept = agreed | shown
    if not options.send_mobile:
        kept.pop("mobile", None)
    return _completed(current.key, kept, to_wire(values), options)


def _completed(
    key: str | None, kept: Mapping[str, str], wire: Mapping[str, str | None], options: Options
) -> dict[str, str | None]:
    body: dict[str, str | None] = {**kept, **wire} | ({"externalId": key} if key else {})
    if not body.get("locale"):  # one that is there stays, also one that we do not know: it decides who reads what
        body["locale"] = options.default_locale
    if not body.get("country"):
        body["country"] = options.default_country
    if not body["country"]:
        raise Rejected("country", "Invisible Collector needs a country; fill it in the source or set default_country")
    return body


def _text(values: Values, field: str) -> str | None:
    return text(as_text(values.get(field)))


def _name(values: Values) -> str:
    person = " ".join(filter(None, (_text(values, "first_name"), _text(values, "last_name"))))
    name = _text(values, "name") or person
    if not name:
        raise Rejected("name", "Invisible Collector needs a name; fill name, first_name or last_name in the source")
    return name


def _country(values: Values, options: Options) -> str:
    country = (_text(values, "country") or options.default_country or "").upper()
    if not country:
        raise Rejected("country", "Invisible Collector needs a country; fill it in the source or set default_country")
    if not _ALPHA2.fullmatch(country):
        raise Rejected("country", "Invisible Collector needs an ISO 3166-1 code of two letters")
    return country


def _language(language: str | None, options: Options) -> str:
    """The language that comes back when the locale is read: en-GB is en there, and must not look like an edit."""
    return LANGUAGES[(locale_of(language or "") or options.default_locale).lower()]


def _vat_number(values: Values, country: str, options: Options) -> str | None:
    number = _text(values, "vat_number")
    if number is None:
        if options.require_vat:
            raise Rejected(
                "vat_number", "Invisible Collector needs a VAT number; fill it in the source or set require_vat = false"
            )
        return None
    prefix = "EL" if country == "GR" else country
    prefixed = number.upper().startswith(prefix)
    if options.vat_prefix == "add" and not prefixed:
        return prefix + number
    if options.vat_prefix == "strip" and prefixed:
        return number[len(prefix) :].lstrip() or number
    return number

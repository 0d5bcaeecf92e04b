"""JTL-Wawi's spelling of a customer (REST v1): one table, read both ways, all of it pure.

JTL writes PascalCase with slips of its own (`VatID`, `Shipmentaddress`) and camelCase in its second generation, so
members are read without regard to case and written exactly as documented. Facts: OpenAPI 1.0 of the JTL-Wawi API and
the create-customer page of developer.jtl-software.com.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from syncd.core.model import Remote, Value, Values
from syncd.core.normalise import canonical

ADDRESS = "BillingAddress"
LOCKED = "IsLocked"
UNCLEARABLE = frozenset({"number", "birth_date"})

TABLE: Mapping[str, tuple[str, ...]] = {
    "number": ("Number",),
    "name": (ADDRESS, "Company"),
    "name2": (ADDRESS, "Company2"),
    "salutation": (ADDRESS, "FormOfAddress"),
    "title": (ADDRESS, "Title"),
    "first_name": (ADDRESS, "FirstName"),
    "last_name": (ADDRESS, "LastName"),
    "email": (ADDRESS, "EmailAddress"),
    "phone": (ADDRESS, "PhoneNumber"),
    "mobile": (ADDRESS, "MobilePhoneNumber"),
    "fax": (ADDRESS, "Fax"),
    "street": (ADDRESS, "Street"),
    "street2": (ADDRESS, "Address2"),
    "postal_code": (ADDRESS, "PostalCode"),
    "city": (ADDRESS, "City"),
    "state": (ADDRESS, "State"),
    "country": (ADDRESS, "CountryIso"),
    "vat_number": (ADDRESS, "VatID"),
    "tax_number": ("TaxIdentificationNumber",),
    "register_number": ("CommercialRegisterNumber",),
    "language": ("LanguageIso",),
    "website": ("Website",),
    "birth_date": ("Birthday",),
    "active": (LOCKED,),
}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_NOON = 12
ADDRESS_MEMBERS = tuple(path[-1] for path in TABLE.values() if path[0] == ADDRESS)


class Malformed(ValueError):
    """An answer is not what JTL-Wawi's documentation promises; the text holds no value."""


# -- writing ----------------------------------------------------------------------------------------------------------


def to_wire(values: Values, languages: Mapping[str, str]) -> dict[str, Any]:
    """A request body that holds exactly `values`.

    Text is emptied with "" because JTL-Wawi takes a null for a member that was not sent. A number cannot be emptied,
    and neither can a birthday: a date has no empty text, and what a null does to it is written nowhere.
    """
    body: dict[str, Any] = {}
    for name, path in TABLE.items():
        if name not in values or (values[name] is None and name in UNCLEARABLE):
            continue
        place = body
        for step in path[:-1]:
            place = place.setdefault(step, {})
        place[path[-1]] = _written(name, values[name], languages)
    return body


def _written(name: str, value: Value, languages: Mapping[str, str]) -> str | bool:
    if name == "active":
        return not value
    if isinstance(value, date):
        return f"{value.isoformat()}T00:00:00.0000000+00:00"
    if value is None:
        return ""
    if name == "language":
        return language_iso(str(value), languages)
    return str(value).upper() if name == "country" else str(value)


def language_iso(tag: str, languages: Mapping[str, str]) -> str:
    """JTL's LanguageIso for a language tag: `de-AT` and `de_AT` become DE unless the settings say otherwise."""
    known = {_tag(ours): theirs.upper() for ours, theirs in languages.items()}
    language = _tag(tag).partition("-")[0]
    return known.get(_tag(tag)) or known.get(language) or language.upper()


def language_tag(iso: str, languages: Mapping[str, str]) -> str:
    """The tag of a LanguageIso, whose case differs between JTL's versions."""
    return next((ours for ours, theirs in languages.items() if theirs.upper() == iso.upper()), iso.lower())


def _tag(tag: str) -> str:
    return tag.strip().replace("_", "-").lower()


def full_name(values: Values) -> str | None:
    """First and last name as one text, None where there is neither."""
    parts = [str(values[name]) for name in ("first_name", "last_name") if values.get(name)]
    return " ".join(parts) or None


def with_company(values: Values, current: Values) -> Values:
    """`values` with `name` as JTL-Wawi's Company must hold it.

    A private person has no company there: the full name stands in FirstName and LastName alone.
    """
    if "name" not in values or values["name"] != full_name({**current, **values}):
        return values
    return {**values, "name": None}


# -- reading ----------------------------------------------------------------------------------------------------------


def from_wire(record: object, languages: Mapping[str, str], *, is_locked: str) -> Remote:
    """A customer as JTL-Wawi shows it. Members that are absent or of another type stay unknown; null and "" are empty.

    `is_locked` says what IsLocked means: "ignored", "archived" or "inactive" (the field `active`).
    """
    if not isinstance(record, Mapping):
        raise Malformed("a customer is not an object")
    identifier = integer(record, "Id")
    values: dict[str, Value] = {}
    for name, path in TABLE.items():
        found, raw = _member(record, path)
        if found and (name != "active" or is_locked == "inactive"):
            _read(values, name, raw, languages)
    if values.get("name") is None and (person := full_name(values)):
        values["name"] = person
    number = member(record, "Number")
    return Remote(
        external_id=str(identifier),
        key=number if isinstance(number, str) and number else None,
        values=values,
        external_ids=_identifiers(record, identifier),
        archived=is_locked == "archived" and locked(record),
        raw=record,
    )


def _read(values: dict[str, Value], name: str, raw: object, languages: Mapping[str, str]) -> None:
    if name == "active":
        if isinstance(raw, bool):
            values[name] = not raw
        return
    if raw is not None and not isinstance(raw, str):
        return
    text = canonical(raw)
    if name == "birth_date" and text is not None:
        if (day := _day(str(text))) is not None:
            values[name] = day if day.year > 1 else None
    elif name == "language" and text is not None:
        values[name] = language_tag(str(text), languages)
    elif name == "country" and text is not None:
        values[name] = str(text).upper()
    else:
        values[name] = text


def _day(text: str) -> date | None:
    """The day of a date-time, None where it cannot be read; the year 1 is .NET's way to say that there is none.

    The date part counts, without moving it between zones. Told in UTC, a midnight of the merchant's own zone stands
    some hours beside it (1984-12-31T23:00:00Z is the first of January in Germany): the nearest midnight is meant.
    """
    if not _DAY.match(text):
        return None
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return day
    late = moment.utcoffset() == timedelta(0) and moment.hour >= _NOON
    return day + timedelta(days=1) if late and day < date.max else day


def _identifiers(record: Mapping[str, Any], identifier: int) -> dict[str, str]:
    found = {"Id": str(identifier)}
    _, address = _member(record, (ADDRESS, "Id"))
    if isinstance(address, int) and not isinstance(address, bool):
        found[f"{ADDRESS}.Id"] = str(address)
    return found


def locked(record: Mapping[str, Any]) -> bool:
    """Whether the customer is locked for the online shops."""
    return member(record, LOCKED) is True


def is_whole(record: object) -> bool:
    """Whether an answer shows the whole customer, and not only its Id as the second generation does."""
    return all(_member(record, path)[0] for path in (("Id",), ("Number",), (ADDRESS, "CountryIso")))


def integer(data: object, name: str) -> int:
    """An integer member. 5123.0, "5123" and true are not integers: an id that was a float once has lost digits."""
    value = member(data, name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Malformed(f"{name} is missing or not an integer")
    return value


def member(data: object, name: str) -> Any:
    """A member by name without regard to case, None where there is none."""
    return _member(data, (name,))[1]


def members(data: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The members of these names that are there, under the names that were asked for."""
    found = {name: _member(data, (name,)) for name in names}
    return {name: value for name, (there, value) in found.items() if there}


def _member(data: object, path: tuple[str, ...]) -> tuple[bool, Any]:
    for step in path:
        if not isinstance(data, Mapping):
            return False, None
        spelling = step if step in data else next((key for key in data if key.lower() == step.lower()), None)
        if spelling is None:
            return False, None
        data = data[spelling]
    return True, data


# -- the billing address as a whole -----------------------------------------------------------------------------------


def whole_address(record: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    """The billing address of `record` with `sent` over it, without its Id, which JTL assigns.

    In documented spelling, however the record was spelled: a member in another case would have no effect.
    """
    spelled = {name.lower(): name for name in ADDRESS_MEMBERS}
    kept = {spelled.get(name.lower(), name): value for name, value in (member(record, ADDRESS) or {}).items()}
    return {name: value for name, value in kept.items() if name.lower() != "id"} | dict(sent)


def wiped(before: Mapping[str, Any], sent: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether a partial address has emptied everything else in it.

    That PATCH merges inside an address is what two production clients rely on and no page says.
    """
    if not sent:
        return False
    unsent = {name for name in whole_address(before, sent) if name not in sent}
    held = {name for name in unsent if member(member(before, ADDRESS), name)}
    return bool(held) and not any(member(member(after, ADDRESS), name) for name in held)

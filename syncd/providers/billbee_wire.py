"""Billbee's customer and invoice address, member by member: the projection, and the bodies of writes.

Everything here is pure. A Billbee customer is two resources: the *customer* (name, contacts, number) and its *invoice
address* (company, person, postal address). Four habits of the provider shape this file: a PUT of a customer replaces
it, a `null` in a number member is refused, each contact is stored twice (`Email` and an entry of `MetaData` that
`DefaultMailAddress` repeats), and an archived record shows anonymised values, which must never be read as an edit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from syncd.core.model import Remote, Value, Values
from syncd.core.normalise import as_text, equal, text
from syncd.errors import Rejected
from syncd.providers import own_fields
from syncd.providers.adapter import ExtraMember
from syncd.providers.billbee_contacts import CONTACTS, PURPOSES, changed_customer, new_contacts, whole_customer
from syncd.providers.billbee_text import is_person, joined, plain, split_person, split_street
from syncd.providers.strict import is_shown, sendable

CUSTOMER: Mapping[str, str] = {
    "name": "Name",
    "email": "Email",
    "phone": "Tel1",
    "mobile": "Tel2",
    "vat_number": "VatId",
}
ADDRESS: Mapping[str, str] = {
    "first_name": "FirstName",
    "last_name": "LastName",
    "name2": "Name2",
    "street2": "AddressAddition",
    "postal_code": "Zip",
    "city": "City",
    "state": "State",
    "country": "CountryCode",
    "fax": "Fax",  # write-only: comes back as null
}
NUMBERED: Mapping[str, str] = {"language": "LanguageId", "price_group": "PriceGroupId"}  # by the settings' numbers
# Converted on their way: number <-> Number (int32), street <-> Street and Housenumber, contact_person <-> FirstName and
# LastName, invoice_email <-> an entry that differs from the main address; name goes to Company and Type as well.
FIELDS = frozenset({*CUSTOMER, *ADDRESS, *NUMBERED, "number", "street", "contact_person", "invoice_email"})
EXTRA: Mapping[str, ExtraMember] = {member: ExtraMember() for member, field in PURPOSES.items() if not field}
WRITE_ONLY = frozenset({"fax"})
UNCLEARABLE = frozenset({"number", *NUMBERED})


@dataclass(frozen=True, slots=True)
class Words:
    """The settings of an account: its numbers for language tags and for the source's words of price groups, and the own
    fields (member -> field)."""

    languages: Mapping[str, int] = field(default_factory=dict)
    price_groups: Mapping[str, int] = field(default_factory=dict)
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def fields(self) -> frozenset[str]:
        """What this account can hold."""
        return FIELDS - (frozenset() if self.price_groups else {"price_group"}) | set(self.extra.values())


@dataclass(frozen=True, slots=True)
class Change:
    """The requests of an update: the body of a PUT, members of the address to PATCH, an address to POST; None: none."""

    customer: dict[str, Any] | None
    members: dict[str, Any] | None
    address: dict[str, Any] | None


BUSINESS, PERSON = 1, 0
INVOICE = 1
INT32, INT64 = 2**31 - 1, 2**63 - 1

_MEMBERS: Mapping[str, str] = {
    **{member: name for table in (CUSTOMER, ADDRESS) for name, member in table.items()},
    **{name: field for field, member in (("email", "Email"), ("phone", "Tel1"), ("mobile", "Tel2"))
       for name in (CONTACTS[member].default, *CONTACTS[member].copies)},
    **{member: field for member, field in PURPOSES.items() if field},
    **{member: name for name, member in NUMBERED.items()},
    "Number": "number", "Street": "street", "Housenumber": "street", "Company": "name", "Type": "name",
    "DefaultFax": "fax",
}  # fmt: skip
_KEY = re.compile(r"[1-9][0-9]{0,9}")
_ALPHA2 = re.compile(r"[A-Za-z]{2}")


def key_fits(key: str) -> bool:
    """`Number` is an int32: only plain integers from 1 on, without leading zeros, come back as they were."""
    return _KEY.fullmatch(key) is not None and int(key) <= INT32


def composed(known: frozenset[str]) -> frozenset[str]:
    """`Name` is put together from first and last name where the source knows no name, and then never read back."""
    return frozenset() if "name" in known else frozenset({"name"})


def project(values: Values, words: Words) -> Values:
    """What Billbee should hold for a source row.

    A number outside int32, a language and a price group without an id in the settings have no place there and are left
    out; so is an empty one of the three, because Billbee cannot clear them. Raises `Rejected` for a country that is no
    ISO code, and for text that no JSON or no text field can hold.
    """
    projection: dict[str, Value] = {name: text(as_text(values[name])) for name in FIELDS if name in values}
    projection |= own_fields.projected(values, words.extra, EXTRA)
    sendable(projection)
    for purpose in {"invoice_email", *words.extra.values()} & projection.keys():
        if equal("email", projection[purpose], projection.get("email")):
            projection[purpose] = None  # the main address is none of its own
    person = {"first_name", "last_name"} & values.keys()
    if person:
        projection.pop("contact_person", None)
        projection["name"] = _text(values, "name") or joined(_text(values, "first_name"), _text(values, "last_name"))
    if not key_fits(_text(values, "number") or ""):
        projection.pop("number", None)
    tag = _configured(_text(values, "language"), words.languages)
    projection.pop("language", None)
    if tag is not None:
        projection["language"] = tag
    if projection.get("price_group") not in words.price_groups:
        projection.pop("price_group", None)
    country = _text(values, "country")
    if country is not None:
        if not _ALPHA2.fullmatch(country):
            raise Rejected("country", "Billbee takes ISO 3166-1 codes of two letters; correct it in the source")
        projection["country"] = country.upper()
    return projection


def to_wire(values: Values, known: Values, words: Words) -> tuple[dict[str, Any], dict[str, Any]]:
    """The members of the customer and of the invoice address that `values` decide.

    `known` is all that is known of the customer, `values` included: whether a name is a company's depends on the
    person's name beside it. Raises `Rejected` for a number that is none.
    """
    customer: dict[str, Any] = {member: _text(values, name) for name, member in CUSTOMER.items() if name in values}
    address: dict[str, Any] = {member: _text(values, name) for name, member in ADDRESS.items() if name in values}
    number = _text(values, "number")
    if number is not None:
        if not key_fits(number):
            raise Rejected("number", "Billbee keeps only whole numbers from 1 to 2147483647")
        customer["Number"] = int(number)
    for name, numbers in (("language", words.languages), ("price_group", words.price_groups)):
        if (identity := numbers.get(_text(values, name) or "")) is not None:
            customer[NUMBERED[name]] = identity
    if "invoice_email" in values:
        customer["DefaultCommercialMailAddress"] = _text(values, "invoice_email")
    customer |= own_fields.written(values, words.extra, EXTRA)
    if "street" in values:
        address["Street"], address["Housenumber"] = split_street(_text(values, "street"))
    if "contact_person" in values and not {"first_name", "last_name"} & values.keys():
        address["FirstName"], address["LastName"] = split_person(_text(values, "contact_person"))
    if "name" in values:
        company = company_of({**known, **values})
        address["Company"] = company
        customer["Type"] = BUSINESS if company else PERSON
    return customer, address


def company_of(known: Values) -> str | None:
    """The company of a customer: its name, unless that is only the person's own."""
    name, first, last = (_text(known, field) for field in ("name", "first_name", "last_name"))
    if not (first or last):
        first, last = split_person(_text(known, "contact_person"))
    return None if is_person(name, first, last) else name


def new_customer(key: str, values: Values, words: Words) -> dict[str, Any]:
    """The body of a POST, without nulls. `Number` is our key where it fits, so that a lost answer can be looked up."""
    customer, address = to_wire(values, values, words)
    if key_fits(key):
        customer["Number"] = int(key)
    body = {member: value for member, value in new_contacts(customer).items() if value is not None}
    if needs_address(address):
        body["Address"] = new_address(address)
    return body


def needs_address(address: Mapping[str, Any]) -> bool:
    """Whether there is more to keep on an address than the company, which `Name` holds as well."""
    return any(value is not None for member, value in address.items() if member != "Company")


def change(current: Remote, values: Values, words: Words) -> Change:
    """The requests that change exactly `values`; none for a value that is stored already.

    A customer without an invoice address in use gets one when there is something to keep on it.
    """
    address = current.raw["found"].address
    known = {**current.values, **values}
    members, moved = to_wire(values, known, words)
    was_company = plain(address.get("Company")) if address is not None else company_of(current.values)
    if bool(was_company) == (members.get("Type") == BUSINESS):
        members.pop("Type", None)
    customer = None
    if members:
        whole = _completed(current, values, words)
        body = changed_customer(whole, members)
        customer = body if body != whole_customer(whole) else None
    if address is not None:
        return Change(customer, changed_members(address, moved) or None, None)
    if not needs_address(moved):
        return Change(customer, None, None)
    if current.raw["found"].hidden:
        # A new address with only some of the fields would make the others look emptied over there.
        place = next((field for field in sorted(values) if field in ADDRESS or field == "street"), "contact_person")
        raise Rejected(place, "the invoice address is archived at Billbee, which refuses changes; restore it there")
    return Change(customer, None, new_address({"Company": company_of(known), **moved}))


def _completed(current: Remote, values: Values, words: Words) -> Mapping[str, Any]:
    """The stored customer, whose PUT replaces, with what was agreed for each member that is not shown as text.

    Raises `Rejected` where a member is no text and nothing was agreed: a PUT would be refused or wipe it.
    """
    stored = current.raw["customer"]
    agreed, _ = to_wire(current.values, current.values, words)
    filled: dict[str, Any] = {}
    for name, member in CUSTOMER.items():
        if is_shown(stored, member) or name in values:
            continue
        if agreed.get(member) is not None:
            filled[member] = agreed[member]
        elif member in stored:
            raise Rejected(name, f"Billbee shows a {member} that is no text, and a PUT would wipe it; correct it there")
    return {**stored, **filled}


def new_address(members: Mapping[str, Any]) -> dict[str, Any]:
    """An invoice address as it is created: neither `Id` nor `CustomerId`, no nulls."""
    return {"AddressType": INVOICE, **{member: value for member, value in members.items() if value is not None}}


def changed_members(stored: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The members of an address that a PATCH must carry. What cannot be read back is always sent."""
    unread = {ADDRESS[field] for field in WRITE_ONLY}
    return {
        member: value for member, value in changes.items() if member in unread or plain(stored.get(member)) != value
    }


def field_of(place: str) -> str:
    """The canonical field of a `ModelState` key such as `model.Address.Zip`, '' where there is none."""
    parts = reversed(re.split(r"[.\[\]]+", place))
    return next((_MEMBERS[part] for part in parts if part in _MEMBERS), "")


def _configured(language: str | None, languages: Mapping[str, int]) -> str | None:
    """The tag of the settings that is read back for a language: exact, else by its main part (de-AT is de there)."""
    wanted = (language or "").replace("_", "-").lower()
    by_tag = {tag.lower(): identity for tag, identity in languages.items()}
    identity = by_tag.get(wanted, by_tag.get(wanted.split("-")[0]))
    return next((tag for tag, known in languages.items() if known == identity), None)


def _text(values: Values, field: str) -> str | None:
    return text(as_text(values.get(field)))

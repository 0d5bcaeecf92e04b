"""The rules of JTL-Wawi's stand-in for a customer: members, types, lengths, and the effect of a PATCH."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

from syncd.sandbox.kit import Record

GROUPS = ({"Id": 1, "Name": "Endkunden", "IsDefault": True}, {"Id": 2, "Name": "Händler", "IsDefault": False})
COMPANIES = ({"Id": 1, "Name": "Kontor Nord GmbH"}, {"Id": 2, "Name": "Kontor Süd GmbH"})
ADDRESS_MEMBERS = (
    "Company", "Company2", "FormOfAddress", "Title", "FirstName", "LastName", "Street", "Address2", "PostalCode",
    "City", "State", "CountryIso", "VatID", "PhoneNumber", "MobilePhoneNumber", "EmailAddress", "Fax",
)  # fmt: skip
ADDRESSES = ("BillingAddress", "Shipmentaddress", "CustomAddress")
_TEXTS = (
    "Number", "LanguageIso", "TaxIdentificationNumber", "CommercialRegisterNumber", "Website", "InitialContact",
    "EbayUsername",
)  # fmt: skip
_NUMBERS = ("CustomerGroupId", "InternalCompanyId", "CustomerCategoryId", "AccountsReceivableNumber")
_FLAGS = ("IsLocked", "IsCashRegisterBased")
_MOMENTS = ("CustomerSince", "Birthday")
_REQUIRED = ("City", "CountryIso")
_LENGTHS = {
    "City": 255, "CountryIso": 2, "Company": 128, "Company2": 60, "FormOfAddress": 30, "Title": 64, "Street": 255,
    "Address2": 255, "PostalCode": 24, "State": 255, "EmailAddress": 255, "PhoneNumber": 30, "MobilePhoneNumber": 30,
    "Fax": 30, "VatID": 20,
}  # fmt: skip
_LENGTHS_AT_CREATE = {**_LENGTHS, "City": 64, "FirstName": 126, "LastName": 126}
_TOP_LENGTHS = {"Number": 30, "Website": 255, "InitialContact": 255}
MEMBERS = (*_TEXTS, *_NUMBERS, *_FLAGS, *_MOMENTS)


def complaints(body: Record, *, new: bool) -> dict[str, str]:
    """The ValidationErrors of the body of a POST (`new`) or PATCH, all at once."""
    found = dict(_required(body)) if new else {}
    found |= dict(_types(body, _TEXTS, lambda value: isinstance(value, str)))
    found |= dict(_types(body, _NUMBERS, _is_int32))
    found |= dict(_types(body, _FLAGS, lambda value: isinstance(value, bool)))
    found |= dict(_types(body, _MOMENTS, _is_moment))
    found |= {member: f"{member} is no date." for member in _MOMENTS if member in body and body[member] is None}
    for member, known in (("CustomerGroupId", GROUPS), ("InternalCompanyId", COMPANIES)):
        if isinstance(body.get(member), int) and body[member] not in {item["Id"] for item in known}:
            found[member] = f"{member} does not exist."
    for member in ("Number", "LanguageIso"):
        if body.get(member) == "":
            found[member] = f"{member} must not be empty."
    for member, longest in _TOP_LENGTHS.items():
        if isinstance(body.get(member), str) and len(body[member]) > longest:
            found[member] = f"'{body[member]}' must have at most {longest} characters."
    for address in ADDRESSES:
        found |= dict(_address(address, body.get(address), _LENGTHS_AT_CREATE if new else _LENGTHS))
    return found


def _required(body: Record) -> Iterator[tuple[str, str]]:
    for member in ("CustomerGroupId", "InternalCompanyId", "LanguageIso", "BillingAddress"):
        if body.get(member) is None:
            yield member, f"{member} must not be empty."
    address = body.get("BillingAddress")
    for member in _REQUIRED:
        if isinstance(address, dict) and address.get(member) is None:
            yield f"BillingAddress.{member}", f"{member} must not be empty."


def _types(part: Record, members: tuple[str, ...], fits: Callable[[Any], bool]) -> Iterator[tuple[str, str]]:
    for member in members:
        if part.get(member) is not None and not fits(part[member]):
            yield member, f"{member} has the wrong type."


def _address(name: str, address: Any, lengths: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    if address is None:
        return
    if not isinstance(address, dict):
        yield name, f"{name} has the wrong type."
        return
    for member, sentence in _types(address, ADDRESS_MEMBERS, lambda value: isinstance(value, str)):
        yield f"{name}.{member}", sentence
    for member, longest in lengths.items():
        least = 1 if member in _REQUIRED else 0
        if isinstance(address.get(member), str) and not least <= len(address[member]) <= longest:
            # JTL's own sentences quote what was sent, so this one does, too: it must never reach a log.
            yield f"{name}.{member}", f"'{address[member]}' must have {least} to {longest} characters."


def _is_int32(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -(2**31) <= value < 2**31


def _is_moment(value: Any) -> bool:
    """A date-time; `"1985-01-01T"`, as one page prints it, is none."""
    try:
        return isinstance(value, str) and "T" in value and bool(datetime.fromisoformat(value))
    except ValueError:
        return False


def moment(at: datetime) -> str:
    """A moment with seven digits of a second, as .NET writes it."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}0+00:00"


def in_utc(day: str) -> str:
    """The beginning of a day in Germany (winter time), as a server writes it that keeps its dates in UTC."""
    begins = datetime.fromisoformat(day[:10]).replace(tzinfo=UTC) - timedelta(hours=1)
    return f"{begins:%Y-%m-%dT%H:%M:%SZ}"


def created(body: Record, number: str, at: datetime, next_id: Callable[[], int]) -> Record:
    """The stored record for an accepted POST; members that are not JTL's have no effect."""
    record: Record = {"Id": next_id(), **dict.fromkeys(MEMBERS)}
    record |= {name: value for name, value in body.items() if name in MEMBERS}
    for name in ADDRESSES:
        given = body.get(name)
        record[name] = None if given is None else {"Id": next_id(), **_address_members(given)}
    flags = {name: bool(record[name]) for name in _FLAGS}
    since = record["CustomerSince"] or moment(at)
    others = ("OtherBillingAddresses", "OtherShippingAddresses", "OtherCustomerAddresses")
    return record | flags | {
        "Number": number, "CustomerSince": since, "LastChange": moment(at),
        "OtherAddresses": {name: [] for name in others}, "PaymentSettings": None,
    }  # fmt: skip


def _address_members(given: Mapping[str, Any]) -> Record:
    return {name: given.get(name) for name in ADDRESS_MEMBERS}


def patched(record: Record, body: Record, *, nulls: bool, merge: bool) -> Record:
    """`record` after a PATCH. `nulls` clear a member or are overlooked; an address is merged or replaced."""
    after = deepcopy(record)
    after |= {name: value for name, value in body.items() if name in MEMBERS and (nulls or value is not None)}
    for name in ADDRESSES:
        given = body.get(name)
        if not isinstance(given, dict):
            continue
        before = after[name] or {"Id": record["Id"] + 1_000_000, **dict.fromkeys(ADDRESS_MEMBERS)}
        members = {key: given[key] for key in given if key in ADDRESS_MEMBERS and (nulls or given[key] is not None)}
        after[name] = (before if merge else {"Id": before["Id"], **dict.fromkeys(ADDRESS_MEMBERS)}) | members
    return after

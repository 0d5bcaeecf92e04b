"""The rules of Azotte's stand-in for a body: the documented keys in the documented forms, and no others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from syncd.sandbox.kit import Record, Refusal, Twin

PERSONAL = ("email", "phoneNumber", "salutation", "firstName", "lastName", "gender")
TEXTS = ("externalIdentifier", *PERSONAL, "legalType", "status")
OBJECTS = ("primaryBillingAddress", "corporationInfo", "privacy")
ADDRESS = ("street", "city", "postalCode", "countryCode")
_UNDOCUMENTED = ("state",)  # some snapshots show it: an adapter that reads it must not lose it
_STATUS = {
    "BAD_REQUEST": 400,
    "INVALID_REQUEST": 400,
    "CUSTOMER_NOT_FOUND": 404,
    "CUSTOMER_ALREADY_STORED": 409,
    "USER_WITH_SAME_EMAIL_EXISTS": 409,
    "USER_WITH_SAME_PHONE_NUMBER_EXISTS": 409,
}
_E164 = re.compile(r"\+[1-9]\d{6,14}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_LANGUAGE = re.compile(r"[a-z]{2}")


def status(code: str) -> Record:
    """The envelope around every answer."""
    return {"status": {"messageCode": code}}


def refusal(code: str) -> Refusal:
    """A documented refusal with its HTTP status."""
    return Refusal(_STATUS[code], status(code))


def customer_of(body: Mapping[str, Any]) -> Record:
    """The `customer` of a body; without it the request is a BAD_REQUEST."""
    customer = body.get("customer")
    if not isinstance(customer, dict):
        raise refusal("BAD_REQUEST")
    if set(body) - {"customer", "claimedRegion"}:
        raise refusal("INVALID_REQUEST")
    return customer


def check_store(body: Mapping[str, Any], customer: Mapping[str, Any]) -> None:
    """The rules of `store` alone: our key, no urn, no nulls, and a region."""
    if not isinstance(customer.get("externalIdentifier"), str) or not customer["externalIdentifier"].strip():
        raise refusal("INVALID_REQUEST")
    if "customerUrn" in customer or None in customer.values():
        raise refusal("INVALID_REQUEST")
    check_region(body.get("claimedRegion"))


def check_region(region: Any) -> None:
    """A region has country and language, in the documented case."""
    if not isinstance(region, dict) or set(region) != {"countryCode", "languageCode"}:
        raise refusal("INVALID_REQUEST")
    if not _fits(_COUNTRY, region["countryCode"]) or not _fits(_LANGUAGE, region["languageCode"]):
        raise refusal("INVALID_REQUEST")


def check_customer(twin: Twin, customer: Mapping[str, Any], record: Mapping[str, Any] | None = None) -> None:
    """The rules of both writes: known keys, their types and forms. `record` is the stored one for an update, None for a
    store."""
    if not _well_typed(customer) or (twin.toggle("empty") == "refuse" and "" in _leaves(customer)):
        raise refusal("INVALID_REQUEST")
    phone, email, legal = (customer.get(name) for name in ("phoneNumber", "email", "legalType"))
    address = customer.get("primaryBillingAddress") or {}
    corporation = customer.get("corporationInfo") or (record or {}).get("corporationInfo")
    if (
        (phone and not _fits(_E164, phone))
        or (email and email.count("@") != 1)
        or (legal is not None and legal not in {"Individual", "Corporate"})
        or (legal == "Corporate" and not corporation)
        or (address.get("countryCode") and not _fits(_COUNTRY, address["countryCode"]))
    ):
        raise refusal("INVALID_REQUEST")


def _well_typed(customer: Mapping[str, Any]) -> bool:
    if set(customer) - {*TEXTS, *OBJECTS, "customerUrn"}:
        return False
    texts = [value for name, value in customer.items() if name not in OBJECTS]
    objects = {name: value for name, value in customer.items() if name in OBJECTS and value is not None}
    if not all(isinstance(value, dict) for value in objects.values()):
        return False
    address = objects.get("primaryBillingAddress", {})
    return not set(address) - {*ADDRESS, *_UNDOCUMENTED} and all(
        isinstance(value, str | None) for value in [*texts, *address.values()]
    )


def _leaves(customer: Mapping[str, Any]) -> list[Any]:
    return [*customer.values(), *(customer.get("primaryBillingAddress") or {}).values()]


def _fits(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None

"""Makes a remote of a Billbee customer and its invoice address: the fields that each shows, and those that are unknown.

Pure. The tables are those of `billbee_wire`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from syncd.core.model import Remote, Value, Values
from syncd.providers.billbee_contacts import PURPOSES, of_its_own, shows_purpose
from syncd.providers.billbee_text import join_street, joined, plain
from syncd.providers.billbee_wire import ADDRESS, CUSTOMER, INVOICE, NUMBERED, WRITE_ONLY, Words
from syncd.providers.strict import is_shown

NO_ADDRESS: Mapping[str, Any] = dict.fromkeys((*ADDRESS.values(), "Company", "Street", "Housenumber"))


@dataclass(frozen=True, slots=True)
class Found:
    """A customer's invoice address; `hidden` where there are only archived ones, whose values say nothing."""

    address: Mapping[str, Any] | None
    hidden: bool = False


def remote_of(customer: Mapping[str, Any], found: Found, words: Words, *, provisional: bool = False) -> Remote:
    """A customer and its invoice address as a remote; `Id`s must have been checked to be whole numbers.

    Of an archived customer nothing but its key is taken over: what it shows may be anonymised.
    """
    number, archived = customer.get("Number"), is_archived(customer)
    address = None if found.hidden else found.address or {}
    ids = {"Id": str(customer["Id"])}
    if found.address is not None and "Id" in found.address:
        ids["AddressId"] = str(found.address["Id"])
    return Remote(
        external_id=ids["Id"],
        key=str(number) if type(number) is int else None,
        values={} if archived else from_wire(customer, address, words),
        external_ids=ids,
        archived=archived,
        provisional=provisional,
        raw={"customer": customer, "found": found},
    )


def from_wire(customer: Mapping[str, Any], address: Mapping[str, Any] | None, words: Words) -> Values:
    """The canonical fields. Where the address is hidden (None) its fields are unknown, and so is the name, whose
    company stands there; a customer without an address has them empty."""
    values: dict[str, Value] = {
        name: plain(customer[member]) for name, member in CUSTOMER.items() if is_shown(customer, member)
    }
    number = customer.get("Number", "not shown")
    if number is None or type(number) is int:
        values["number"] = None if number is None else str(number)
    for field, numbers in (("language", words.languages), ("price_group", words.price_groups)):
        shown_number = customer.get(NUMBERED[field], "not shown")
        word = next((word for word, identity in numbers.items() if identity == shown_number), None)
        if word is not None or shown_number is None:
            values[field] = word
    purposes = {**PURPOSES, **words.extra}
    values.update({f: of_its_own(customer, m) for m, f in purposes.items() if f and shows_purpose(customer, m)})
    name = values.pop("name", None)
    if address is None:
        return values
    address = address or NO_ADDRESS
    company = plain(address.get("Company"))
    if company or (is_shown(address, "Company") and is_shown(customer, "Name")):
        values["name"] = company or name
    shown = {name: member for name, member in ADDRESS.items() if name not in WRITE_ONLY and is_shown(address, member)}
    values.update({name: plain(address[member]) for name, member in shown.items()})
    if is_shown(address, "Street") and is_shown(address, "Housenumber"):
        values["street"] = join_street(address["Street"], address["Housenumber"])
    if {"first_name", "last_name"} <= shown.keys():
        values["contact_person"] = joined(address["FirstName"], address["LastName"])
    return values


def invoice_address(addresses: Iterable[Mapping[str, Any]]) -> Found:
    """The invoice address in use with the lowest id."""
    invoices = [address for address in addresses if address.get("AddressType") == INVOICE]
    live = [address for address in invoices if not is_archived(address)]
    return Found(min(live, key=lambda address: int(address["Id"]), default=None), bool(invoices and not live))


def is_archived(record: Mapping[str, Any]) -> bool:
    """Archived, and not restored since. A moment that cannot be read counts as archived: that writes nothing."""
    archived, restored = record.get("ArchivedAt"), record.get("RestoredAt")
    if not archived:
        return False
    since, until = _moment(archived), _moment(restored)
    return since is None or until is None or until < since


def _moment(raw: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(raw)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

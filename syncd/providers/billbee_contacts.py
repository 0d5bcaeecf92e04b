"""The body of a customer's PUT: everything that was read, with changes, and each contact in both of its homes.

Billbee keeps a contact as a plain member (`Email`) and as an entry of `MetaData`, which a `Default…` member repeats.
Which one wins when they differ is documented nowhere, so they are never made to differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from syncd.core.normalise import equal
from syncd.providers.billbee_text import plain
from syncd.providers.strict import is_shown


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact's second home: the `Default…` member, the members that may share its entry, and the entry's type."""

    default: str
    copies: tuple[str, ...]
    type_id: int


MAIN = "DefaultMailAddress"
CONTACTS: Mapping[str, Contact] = {
    "Email": Contact(MAIN, ("DefaultCommercialMailAddress", "DefaultStatusUpdatesMailAddress"), 1),
    "Tel1": Contact("DefaultPhone1", (), 2),
    "Tel2": Contact("DefaultPhone2", (), 2),
}
# Addresses for one purpose that differ from the main one: an entry alone, no plain member.
PURPOSES: Mapping[str, str] = {
    "DefaultCommercialMailAddress": "invoice_email",
    "DefaultStatusUpdatesMailAddress": "",  # an own field, where the settings say so
}
DEFAULTS = (*(name for one in CONTACTS.values() for name in (one.default, *one.copies)), "DefaultFax")
NUMBERS = frozenset({"Number", "LanguageId", "PriceGroupId", "Type"})  # null in one of them is refused
SERVERS = frozenset({"ArchivedAt", "RestoredAt"})  # never sent: what a write of them does is documented nowhere


def whole_customer(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A stored customer as a PUT must carry it to change nothing: all of it, without what only the server sets."""
    body = {
        member: value
        for member, value in stored.items()
        if member not in SERVERS and not (value is None and member in NUMBERS)
    }
    for member in DEFAULTS:
        if isinstance(body.get(member), dict):
            body[member] = _entry(body[member])
    if isinstance(body.get("MetaData"), list):
        body["MetaData"] = [_entry(entry) for entry in body["MetaData"] if isinstance(entry, dict)]
    return body


def changed_customer(stored: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a PUT: the whole stored customer with `changes`, each contact in both of its homes."""
    body = whole_customer(stored)
    for member, value in changes.items():
        if member in PURPOSES:
            continue  # after the main address, which it may repeat
        if member in CONTACTS:
            if plain(stored.get(member)) != value or _contradicts(stored, member, value):
                _set_contact(body, member, value)
        else:
            body[member] = value
    for member in PURPOSES.keys() & changes.keys():
        if of_its_own(stored, member) != changes[member]:
            _set_purpose(body, member, changes[member])
    return body


def new_contacts(members: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a new customer; where one purpose has an address of its own, those without one are told the main
    one: what the server fills in beside a named one is documented nowhere."""
    purposes = {member: members[member] for member in PURPOSES if members.get(member) is not None}
    body = {member: value for member, value in members.items() if member not in PURPOSES}
    if purposes:
        main = members.get("Email")
        told = {**(dict.fromkeys((MAIN, *PURPOSES), main) if main is not None else {}), **purposes}
        body |= {member: _new(CONTACTS["Email"].type_id, value) for member, value in told.items()}
    return body


def of_its_own(customer: Mapping[str, Any], member: str) -> str | None:
    """The address for one purpose where it is another one than the main address."""
    entry = customer.get(member)
    value = plain(entry.get("Value")) if isinstance(entry, dict) else None
    return None if equal("email", value, plain(customer.get("Email"))) else value


def shows_purpose(customer: Mapping[str, Any], member: str) -> bool:
    """Whether a record says what its address for one purpose is, or that it has none."""
    entry = customer.get(member, ...)
    return is_shown(customer, "Email") and (entry is None or (isinstance(entry, dict) and is_shown(entry, "Value")))


def _set_contact(body: dict[str, Any], member: str, value: str | None) -> None:
    """Change a contact in its plain member, in its `Default…` member, in the copies of its entry and in `MetaData`."""
    contact = CONTACTS[member]
    before = plain(body.get(member))
    follow = [name for name in contact.copies if _repeats(body, contact.default, name, before)]
    body[member] = value
    for name in (contact.default, *follow):
        _set_entry(body, name, contact.type_id, value, (contact.default, *follow))


def _set_purpose(body: dict[str, Any], member: str, value: str | None) -> None:
    """Give one purpose its own address, or the main one again."""
    if value is None and isinstance(body.get(MAIN), dict):
        _set_entry(body, member, CONTACTS["Email"].type_id, None, (member,))
        body[member] = dict(body[MAIN])
    else:
        _set_entry(body, member, CONTACTS["Email"].type_id, value, (member,))


def _set_entry(body: dict[str, Any], name: str, type_id: int, value: str | None, ours: tuple[str, ...]) -> None:
    """One `Default…` member and its entry in `MetaData`; an entry that others than `ours` use stays theirs."""
    entry = body.get(name)
    mark = _mark(entry)
    shared = mark is None or any(_mark(body.get(each)) == mark for each in DEFAULTS if each not in ours)
    if value is None:
        body[name] = None
    elif shared:
        body[name] = _new(type_id, value)
    else:
        body[name] = {**entry, "Value": value} if isinstance(entry, dict) else _new(type_id, value)
    if not shared and isinstance(body.get("MetaData"), list):
        kept = [one for one in body["MetaData"] if value is not None or _mark(one) != mark]
        body["MetaData"] = [{**one, "Value": value} if _mark(one) == mark else one for one in kept]


def _repeats(body: Mapping[str, Any], default: str, name: str, before: str | None) -> bool:
    """Whether a purpose uses the main address: by its entry, or by an entry that says the same."""
    entry, mark = body.get(name), _mark(body.get(default))
    if not isinstance(entry, dict):
        return False
    return (mark is not None and _mark(entry) == mark) or equal("email", plain(entry.get("Value")), before)


def _new(type_id: int, value: str) -> dict[str, Any]:
    return {"TypeId": type_id, "SubType": "", "Value": value}


def _contradicts(stored: Mapping[str, Any], member: str, value: str | None) -> bool:
    entry = stored.get(CONTACTS[member].default)
    return isinstance(entry, dict) and plain(entry.get("Value")) != value


def _mark(entry: Any) -> Any:
    return entry.get("Id") if isinstance(entry, dict) else None


def _entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        member: value
        for member, value in entry.items()
        if member != "TypeName" and not (value is None and member in {"Id", "TypeId"})
    }

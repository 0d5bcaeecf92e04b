"""The body of a customer's PUT: everything that was read, with changes, and each contact in both of its homes.

Billbee keeps a contact as a plain member (`Email`) and as an entry of `MetaData`, which a `Default…` member repeats.
Which one wins when they differ is documented nowhere, so they are never made to differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from syncd.providers.billbee_text import plain


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact's second home: the `Default…` member, the members that may share its entry, and the entry's type."""

    default: str
    copies: tuple[str, ...]
    type_id: int


CONTACTS: Mapping[str, Contact] = {
    "Email": Contact("DefaultMailAddress", ("DefaultCommercialMailAddress", "DefaultStatusUpdatesMailAddress"), 1),
    "Tel1": Contact("DefaultPhone1", (), 2),
    "Tel2": Contact("DefaultPhone2", (), 2),
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
        if member in CONTACTS:
            if plain(stored.get(member)) != value or _contradicts(stored, member, value):
                _set_contact(body, member, value)
        else:
            body[member] = value
    return body


def _set_contact(body: dict[str, Any], member: str, value: str | None) -> None:
    """Change a contact in its plain member, in its `Default…` member, in the copies of its entry and in `MetaData`."""
    contact = CONTACTS[member]
    entry = body.get(contact.default)
    mark = entry.get("Id") if isinstance(entry, dict) else None
    ours = [contact.default, *(name for name in contact.copies if mark is not None and _mark(body.get(name)) == mark)]
    shared = mark is None or any(_mark(body.get(name)) == mark for name in DEFAULTS if name not in ours)
    body[member] = value
    if value is None:
        body.update(dict.fromkeys(ours))
    elif shared:
        body.update({name: {"TypeId": contact.type_id, "SubType": "", "Value": value} for name in ours})
    else:
        body.update({name: {**body[name], "Value": value} for name in ours})
    if not shared and isinstance(body.get("MetaData"), list):
        kept = [one for one in body["MetaData"] if value is not None or _mark(one) != mark]
        body["MetaData"] = [{**one, "Value": value} if _mark(one) == mark else one for one in kept]


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

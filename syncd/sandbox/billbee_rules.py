"""What Billbee's stand-in knows of its models: types, ranges, which nulls it refuses, and how contacts are stored twice."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from syncd.sandbox.twin import Record, Refusal

INT32, INT64 = 2**31 - 1, 2**63 - 1
INVOICE, SHIPPING = 1, 2
MAIL, PHONE = 1, 2
META: Mapping[str, str] = {"Id": "int64", "TypeId": "int64", "TypeName": "text", "SubType": "text", "Value": "text"}
CUSTOMER: Mapping[str, str] = {
    "Id": "int64", "Name": "text", "Email": "text", "Tel1": "text", "Tel2": "text", "Number": "int32",
    "PriceGroupId": "int64", "LanguageId": "int32", "DefaultMailAddress": "meta", "DefaultCommercialMailAddress": "meta",
    "DefaultStatusUpdatesMailAddress": "meta", "DefaultPhone1": "meta", "DefaultPhone2": "meta", "DefaultFax": "meta",
    "VatId": "text", "Type": "int32", "MetaData": "metas", "ArchivedAt": "moment", "RestoredAt": "moment",
}  # fmt: skip
ADDRESS: Mapping[str, str] = {
    "Id": "int64", "AddressType": "kind", "CustomerId": "int64", "Company": "text", "FirstName": "text",
    "LastName": "text", "Name2": "text", "Street": "text", "Housenumber": "text", "Zip": "text", "City": "text",
    "State": "text", "CountryCode": "text", "Email": "text", "Tel1": "text", "Tel2": "text", "Fax": "text",
    "AddressAddition": "text", "ArchivedAt": "moment", "RestoredAt": "moment",
}  # fmt: skip
WRITE_ONLY = frozenset({"Email", "Tel1", "Tel2", "Fax"})
SERVERS = frozenset({"ArchivedAt", "RestoredAt"})
CONTACTS: Mapping[str, tuple[int, tuple[str, ...]]] = {
    "Email": (MAIL, ("DefaultMailAddress", "DefaultCommercialMailAddress", "DefaultStatusUpdatesMailAddress")),
    "Tel1": (PHONE, ("DefaultPhone1",)),
    "Tel2": (PHONE, ("DefaultPhone2",)),
}
_DEFAULTS = tuple(name for name, kind in CUSTOMER.items() if kind == "meta")
_NAMES = {MAIL: "EMail", PHONE: "Phone"}
_INT = re.compile(r"-?[0-9]{1,19}")


def envelope(data: Any, **more: Any) -> Record:
    """A successful answer."""
    return {**more, "ErrorMessage": None, "ErrorCode": 0, "ErrorDescription": 0, "Data": data}


def failure(code: int, sentence: str) -> Record:
    """An error in the envelope."""
    return {"ErrorMessage": sentence, "ErrorCode": code, "ErrorDescription": code, "Data": None}


def bound(place: str, sentence: str) -> Record:
    """ASP.NET's error of model binding."""
    return {"Message": "Die Anforderung ist ungültig.", "ModelState": {place: [sentence]}}


def bind(model: Mapping[str, str], body: Record, place: str = "model") -> Record:
    """The members of `body` that the model has, converted as Json.NET would. Refuses (400) what has the wrong type.

    Unknown members are overlooked, as Json.NET does; the log has them."""
    return {name: _bound(model[name], value, f"{place}.{name}") for name, value in body.items() if name in model}


def _bound(kind: str, value: Any, place: str) -> Any:
    if kind == "meta":
        return None if value is None else _entry(value, place)
    if kind == "metas":
        if value is not None and not isinstance(value, list):
            raise Refusal(400, bound(place, "Cannot deserialize the current JSON value into a list."))
        return [_entry(item, f"{place}[{index}]") for index, item in enumerate(value or ())]
    converted = _SCALARS[kind](value)
    if converted is _NO:
        raise Refusal(400, bound(place, f"Error converting value to type '{kind}'."))
    return converted


def _entry(value: Any, place: str) -> Record:
    if not isinstance(value, dict):
        raise Refusal(400, bound(place, "Cannot deserialize the current JSON value into an object."))
    return bind(META, value, place)


_NO = object()


def _text(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else _NO


def _whole(most: int) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        if isinstance(value, str) and _INT.fullmatch(value):
            value = int(value)
        return value if type(value) is int and -most <= value <= most else _NO

    return convert


def _kind(value: Any) -> Any:
    return value if type(value) is int and value in {INVOICE, SHIPPING} else _NO


def _moment(value: Any) -> Any:
    try:
        return None if value is None else datetime.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        return _NO


_SCALARS: Mapping[str, Callable[[Any], Any]] = {
    "text": _text, "int32": _whole(INT32), "int64": _whole(INT64), "kind": _kind, "moment": _moment,
}  # fmt: skip


def derive(record: Record, next_id: Callable[[], int]) -> None:
    """What the server makes of plain contacts that came without entries: one entry each, and the defaults that show it."""
    for member, (kind, defaults) in CONTACTS.items():
        if record[member] is None or any(record[name] is not None for name in defaults):
            continue
        entry = {"Id": next_id(), "TypeId": kind, "SubType": "", "Value": record[member]}
        record["MetaData"] = [*(record["MetaData"] or ()), entry]
        record.update({name: dict(entry) for name in defaults})


def complete(record: Record, next_id: Callable[[], int], *, default_wins: bool) -> None:
    """Give ids and type names to entries after a write; with `default_wins` the plain contacts follow the defaults."""
    entries = list(record["MetaData"] or ())
    for name in _DEFAULTS:
        entry = record[name]
        if entry is None:
            continue
        same = next((one for one in entries if one.get("Value") == entry.get("Value") and "Id" in one), None)
        entry.setdefault("Id", same["Id"] if same else next_id())
        if all(one.get("Id") != entry["Id"] for one in entries):
            entries.append(dict(entry))
    for entry in [*entries, *(record[name] for name in _DEFAULTS if record[name])]:
        entry.setdefault("Id", next_id())
        entry["TypeName"] = _NAMES.get(entry.get("TypeId", 0), "Other")
    record["MetaData"] = entries
    if default_wins:
        for member, (_, defaults) in CONTACTS.items():
            record[member] = record[defaults[0]]["Value"] if record[defaults[0]] else None


def contradictions(record: Record) -> list[str]:
    """Contacts whose two homes differ: what a careless PUT leaves behind."""
    wrong = [
        member
        for member, (_, defaults) in CONTACTS.items()
        if (record[defaults[0]] or {}).get("Value") != record[member]
    ]
    values = {entry["Id"]: entry.get("Value") for entry in record["MetaData"] or ()}
    return wrong + [
        name for name in _DEFAULTS if record[name] and values.get(record[name]["Id"]) != record[name].get("Value")
    ]

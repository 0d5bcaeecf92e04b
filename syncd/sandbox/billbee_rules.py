"""The models of Billbee's stand-in: types, ranges, refused nulls, and contacts that are stored twice."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue as Answer

from syncd.sandbox.twin import Record, Refusal, Twin

BASE = "/api/v1"
FIRST_CUSTOMER, FIRST_ADDRESS, FIRST_ENTRY = 30_000_000_015_123_457, 41_000_000_000_000_001, 20_871
INT32, INT64 = 2**31 - 1, 2**63 - 1
INVOICE, SHIPPING = 1, 2
MAIL, PHONE = 1, 2
META: Mapping[str, str] = {"Id": "int64", "TypeId": "int64", "TypeName": "text", "SubType": "text", "Value": "text"}
CUSTOMER: Mapping[str, str] = {
    "Id": "int64", "Name": "text", "Email": "text", "Tel1": "text", "Tel2": "text", "Number": "int32",
    "PriceGroupId": "int64", "LanguageId": "int32", "DefaultMailAddress": "meta",
    "DefaultCommercialMailAddress": "meta", "DefaultStatusUpdatesMailAddress": "meta",
    "DefaultPhone1": "meta", "DefaultPhone2": "meta", "DefaultFax": "meta",
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
    """Make an entry for each plain contact that came without one, and let the `Default…` member show it."""
    for member, (kind, defaults) in CONTACTS.items():
        if record[member] is None or any(record[name] is not None for name in defaults):
            continue
        entry = {"Id": next_id(), "TypeId": kind, "SubType": "", "Value": record[member]}
        record["MetaData"] = [*(record["MetaData"] or ()), entry]
        record.update({name: dict(entry) for name in defaults})


def complete(record: Record, next_id: Callable[[], int]) -> None:
    """Give ids and type names to the entries of a record after a write."""
    entries = [dict(entry) for entry in record["MetaData"] or ()]
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


def let_defaults_win(record: Record, before: Record) -> None:
    """Where a contact's plain member and its `Default…` member differ, take the default's value; a default that was
    taken away empties the plain member."""
    for member, (_, (default, *_)) in CONTACTS.items():
        if record[default] is not None:
            record[member] = record[default].get("Value")
        elif before[default] is not None:
            record[member] = None


def contradictions(record: Record) -> list[str]:
    """The contacts whose plain member and `Default…` member differ, as a careless PUT leaves them."""
    wrong = [
        member
        for member, (_, defaults) in CONTACTS.items()
        if (record[defaults[0]] or {}).get("Value") != record[member]
    ]
    values = {entry["Id"]: entry.get("Value") for entry in record["MetaData"] or ()}
    return wrong + [
        name for name in _DEFAULTS if record[name] and values.get(record[name]["Id"]) != record[name].get("Value")
    ]


# -- what all routes share


def own(given: Record) -> Record:
    """The members that a client may set: all but the id and the archive's dates."""
    return {name: value for name, value in given.items() if name != "Id" and name not in SERVERS}


def existing(twin: Twin, number: int) -> Record:
    """The customer with this id; answers 404."""
    if str(number) not in twin.records:
        raise no_such(twin)
    return twin.records[str(number)]


def no_such(twin: Twin) -> Refusal:
    """The 404 for an id, as the toggle wants it."""
    bodies = {"message": {"Message": "Not found"}, "empty": None, "envelope": failure(0, "Nicht gefunden")}
    return Refusal(404, bodies[twin.toggle("missing")])


def refuse_archived(record: Record) -> None:
    """Refuse a write to an archived record. Billbee documents the rule ("further modification is disabled"), but no
    code for it."""
    archived, restored = record["ArchivedAt"], record["RestoredAt"]
    if archived is not None and (restored is None or restored < archived):
        raise Refusal(400, failure(11, "Der Datensatz ist archiviert."))


def written(twin: Twin, stored: Record, sent: Record) -> Answer:
    """The answer of a PUT or PATCH, as the toggle wants it."""
    shown = {"stored": stored, "echo": sent, "none": None}
    return envelope(shown[twin.toggle("write_answer")])


def paged(twin: Twin, rows: list[Record], shown: Callable[[Record], Record]) -> Answer:
    """One page of rows as they are `shown`, as `page` and `pageSize` ask; what is out of range is clamped."""
    page = max(_number("page", 1), 1)
    size = min(max(_number("pageSize", 50), 1), int(twin.toggle("page_limit")))
    paging = {"Page": page, "TotalPages": -(-len(rows) // size), "TotalRows": len(rows), "PageSize": size}
    return envelope([shown(row) for row in rows[(page - 1) * size : page * size]], Paging=paging)


def _number(name: str, default: int) -> int:
    given = request.args.get(name, str(default))
    if not given.lstrip("-").isdecimal():
        raise Refusal(400, bound(name, "The value is not valid for Int32."))
    return int(given)

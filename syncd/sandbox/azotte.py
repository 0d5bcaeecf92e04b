"""A strict stand-in of Azotte's C2A customer API. Facts and gaps as in `providers/azotte.py`.

What Azotte does not say is a toggle:

    envelope    a refusal comes with its HTTP status, or with 200 and only the messageCode tells
    snapshot    `info` shows everything, or only the documented keys
    address     an update replaces the whole address, or merges its parts
    null        a null in an update is ignored, or clears
    empty       "" is stored as "", or refused
    key_case    `externalIdentifier` is found and unique as written, or whatever its case (a usual SQL Server collation)
    anonymised  `delete` masks personal data, blanks it, or marks the record as well
    erased_key  the externalIdentifier of an anonymised customer stays taken, or is free again

What a person must see, because no single record tells, is a switch:

    erased_as   `delete` leaves what `anonymised` says; or words that might be a name (Deleted, User, 00000); or words
                in some fields while city and phone stay

Two tenants with a key each; a key of another environment is refused like a wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from flask import Flask, Response, json, request

from syncd.clock import Clock, SystemClock
from syncd.sandbox import kit
from syncd.sandbox.azotte_rules import (
    ADDRESS,
    OBJECTS,
    PERSONAL,
    TEXTS,
    check_customer,
    check_region,
    check_store,
    customer_of,
    refusal,
    status,
)
from syncd.sandbox.index import Rows
from syncd.sandbox.kit import Answer, Fault, Record, Twin

BASE = "/api/v1/c2a"
API_KEY, TENANT = "sk_dev_noordzee_4f1c", "7d2c9a31-5b0e-4b8f-9a55-0c1f9e1d2a10"
OTHER_KEY, OTHER_TENANT = "sk_dev_bergland_77aa", "b1f0c7e2-93d4-4d1c-8f4e-6f7c5a2b9d01"
_TENANTS = {API_KEY: TENANT, OTHER_KEY: OTHER_TENANT}

TOGGLES = {
    "envelope": ("http", "always200"),
    "snapshot": ("full", "minimal"),
    "address": ("replace", "merge"),
    "null": ("ignore", "clear"),
    "empty": ("store", "refuse"),
    "key_case": ("exact", "ignored"),
    "anonymised": ("masked", "blank", "marked"),
    "erased_key": ("reserved", "free"),
}

SWITCHES = {"erased_as": ("anonymised", "words", "some")}

_DOCUMENTED = ("customerUrn", "externalIdentifier", "email", "status")
_LIMIT = 1000


def create_twin(clock: Clock | None = None) -> Twin:
    """A tenant without customers, with its own `clock`."""
    return Twin("azotte", {**TOGGLES, **SWITCHES}, clock=clock or SystemClock(), archive=_mark)


def create_app(twin: Twin) -> Flask:
    """The API over a twin."""
    app = kit.app(twin, authorised=_authorised, refused=_refused)
    _add_questions(app, twin)
    _add_store(app, twin)
    _add_update(app, twin)
    _add_delete(app, twin)
    app.after_request(lambda response: _dressed(twin, response))
    return app


def _add_questions(app: Flask, twin: Twin) -> None:
    @app.post(f"{BASE}/customer/validate")
    def validate() -> Answer:
        wanted = kit.json_body().get("externalId")
        if not isinstance(wanted, str) or not wanted:
            raise refusal("INVALID_REQUEST")
        return {"isAvailable": _by_key(twin, wanted) is None, **status("SUCCESS")}

    @app.get(f"{BASE}/customer/info")
    def info() -> Answer:
        urn, key = request.args.get("urn"), request.args.get("exId")
        if not urn and not key:
            raise refusal("INVALID_REQUEST")
        record = _by_urn(twin, urn) if urn else _by_key(twin, key or "")
        if record is None:
            raise refusal("CUSTOMER_NOT_FOUND")
        return {"result": _snapshot(twin, record), **status("SUCCESS")}


def _add_store(app: Flask, twin: Twin) -> None:
    @app.post(f"{BASE}/customer/store")
    def store() -> Answer:
        body = kit.json_body()
        customer = customer_of(body)
        check_store(body, customer)
        check_customer(twin, customer)
        _check_unique(twin, customer, None)
        urn = f"cu.00.{twin.next_id()}"
        record = dict.fromkeys([*TEXTS, *OBJECTS]) | {"status": "Active", "legalType": "Individual"} | customer
        twin.put(urn, record | {"customerUrn": urn, "claimedRegion": body["claimedRegion"], "tenant": _tenant()})
        return _written(twin.records[urn])


def _add_update(app: Flask, twin: Twin) -> None:
    @app.post(f"{BASE}/customer/update")
    def update() -> Answer:
        body = kit.json_body()
        customer = customer_of(body)
        record = _addressed(twin, customer)
        if body.get("claimedRegion") is not None:
            check_region(body["claimedRegion"])
        changes = {name: value for name, value in customer.items() if name not in {"customerUrn", "externalIdentifier"}}
        check_customer(twin, changes, record)
        _check_unique(twin, changes, record)
        changed = record | _applied(twin, record, changes)
        if body.get("claimedRegion") is not None:
            changed["claimedRegion"] = body["claimedRegion"]
        if changed != record:
            twin.put(record["customerUrn"], changed)
        return _written(changed)


def _add_delete(app: Flask, twin: Twin) -> None:
    @app.post(f"{BASE}/customer/delete")
    def delete() -> Answer:
        body = kit.json_body()
        record = _by_urn(twin, body.get("customerUuid"))
        if set(body) != {"customerUuid"}:
            raise refusal("INVALID_REQUEST")
        if record is None:
            raise refusal("CUSTOMER_NOT_FOUND")
        if not record.get("erased"):
            twin.put(record["customerUrn"], anonymise(twin, record))
        return status("SUCCESS")


def throttled(*, standard_header: bool) -> Fault:
    """One 429; Azotte's older pages name only `X-RateLimit-Retry-After`."""
    headers = {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "0", "X-RateLimit-Retry-After": "7"}
    return Fault("status", status=429, headers=headers | ({"Retry-After": "9"} if standard_header else {}))


def anonymise(twin: Twin, record: Mapping[str, Any]) -> Record:
    """Anonymise a record. What stands in place of personal data then is not documented: a toggle."""
    if twin.toggle("erased_as") != "anonymised":
        return _in_words(record, some=twin.toggle("erased_as") == "some")
    blank = twin.toggle("anonymised") == "blank"
    erased = dict(record) | dict.fromkeys(PERSONAL, None if blank else "***")
    if not blank:
        erased["email"] = f"{record['customerUrn']}@anonymized.invalid"
    erased |= {"primaryBillingAddress": None, "corporationInfo": None, "erased": True}
    if twin.toggle("anonymised") == "marked":
        erased["status"] = "Anonymized"
    return erased


def _in_words(record: Mapping[str, Any], *, some: bool) -> Record:
    number = str(record["customerUrn"]).rpartition(".")[2]
    person = {"firstName": "Deleted", "lastName": "User", "email": f"deleted-{number}@azotte.invalid"}
    if some:
        return {**record, **person, "erased": True}
    address = {"street": None, "postalCode": "00000", "city": None, "countryCode": "DE"}
    return {**record, **dict.fromkeys(PERSONAL), **person, "primaryBillingAddress": address, "erased": True}


def _mark(twin: Twin, record: Record) -> None:
    record.update(anonymise(twin, record))


# ------------------------------------------------------------------------------------------------- answers


def _authorised() -> bool:
    return _TENANTS.get(request.headers.get("x-api-key", "")) == request.headers.get("x-tn", "-")


def _tenant() -> str:
    return request.headers["x-tn"]


def _refused(status: int, sentence: str) -> Answer:
    """401 has no body at all; what ASP.NET refuses by itself has no envelope."""
    if status == 401:
        return Response(status=401)
    return Response(json.dumps({"title": sentence, "status": status}), status, content_type="application/problem+json")


def _written(record: Mapping[str, Any]) -> Answer:
    return {"result": {name: record.get(name) for name in _DOCUMENTED}, **status("SUCCESS")}


def _snapshot(twin: Twin, record: Mapping[str, Any]) -> Record:
    hidden = {"tenant", "erased", "claimedRegion", "privacy"}
    names = _DOCUMENTED if twin.toggle("snapshot") == "minimal" else [name for name in record if name not in hidden]
    shown = {name: record.get(name) for name in names}
    address = shown.get("primaryBillingAddress")
    if address is not None:
        shown["primaryBillingAddress"] = {**dict.fromkeys(ADDRESS), **address}
    return shown | {"options": {"availableChannels": ["Web"], "canSavePaymentMethod": True}}


def _dressed(twin: Twin, response: Response) -> Response:
    """Azotte's own content type and quota headers; in `always200` every envelope comes as a success."""
    if request.path.startswith("/_control"):
        return response
    if response.mimetype == "application/json":
        response.content_type = "application/clientOutput+Json"
        if twin.toggle("envelope") == "always200":
            response.status_code = 200
    response.headers["X-RateLimit-Limit"] = str(_LIMIT)
    response.headers["X-RateLimit-Remaining"] = str(_LIMIT - 1)
    response.headers["X-RateLimit-Reset"] = str(int(twin.now().timestamp()) + 60)
    return response


# ------------------------------------------------------------------------------------------------- records


def _mine(twin: Twin, rows: Rows, value: str) -> list[Record]:
    tenant = _tenant()
    return [record for record in twin.by(rows).at(value) if record.get("tenant", TENANT) == tenant]


def _keys(record: Record) -> Iterator[tuple[str, Record]]:
    yield (record.get("externalIdentifier") or "").casefold(), record


def _emails(record: Record) -> Iterator[tuple[str, Record]]:
    yield (record.get("email") or "").lower(), record


def _phones(record: Record) -> Iterator[tuple[str, Record]]:
    yield _digits(record.get("phoneNumber") or ""), record


def _by_urn(twin: Twin, urn: Any) -> Record | None:
    record = twin.records.get(urn) if isinstance(urn, str) else None
    return record if record is not None and record.get("tenant", TENANT) == _tenant() else None


def _by_key(twin: Twin, key: str) -> Record | None:
    exact, reserved = twin.toggle("key_case") == "exact", twin.toggle("erased_key") == "reserved"
    for record in _mine(twin, _keys, key.casefold()):
        held = record.get("externalIdentifier")
        if held is not None and (held == key or not exact) and (reserved or not record.get("erased")):
            return record
    return None


def _addressed(twin: Twin, customer: Mapping[str, Any]) -> Record:
    """The record that an update names. What an update with another externalIdentifier does is not documented:
    refused."""
    urn, key = customer.get("customerUrn"), customer.get("externalIdentifier")
    if not urn and not key:
        raise refusal("INVALID_REQUEST")
    record = _by_urn(twin, urn) if urn else _by_key(twin, str(key))
    if record is None:
        raise refusal("CUSTOMER_NOT_FOUND")
    if urn and key and record.get("externalIdentifier") != key:
        raise refusal("INVALID_REQUEST")
    return record


def _applied(twin: Twin, record: Mapping[str, Any], changes: Mapping[str, Any]) -> Record:
    """The record with the keys of an update changed, and no others."""
    clear = twin.toggle("null") == "clear"
    applied = {name: value for name, value in changes.items() if value is not None or clear}
    address = applied.get("primaryBillingAddress")
    if address is not None:
        parts = {name: value for name, value in address.items() if value is not None or clear}
        held = record.get("primaryBillingAddress") or {}
        applied["primaryBillingAddress"] = {**held, **parts} if twin.toggle("address") == "merge" else parts
    return applied


def _check_unique(twin: Twin, customer: Mapping[str, Any], record: Mapping[str, Any] | None) -> None:
    """One externalIdentifier, one e-mail address (any case), one phone number (its digits) per tenant."""
    own = record and record["customerUrn"]

    def taken(rows: Rows, value: str) -> bool:
        return any(other["customerUrn"] != own for other in _mine(twin, rows, value))

    key, email, phone = (customer.get(name) for name in ("externalIdentifier", "email", "phoneNumber"))
    if key and _by_key(twin, key) is not None:
        raise refusal("CUSTOMER_ALREADY_STORED")
    if email and taken(_emails, email.lower()):
        raise refusal("USER_WITH_SAME_EMAIL_EXISTS")
    if phone and taken(_phones, _digits(phone)):
        raise refusal("USER_WITH_SAME_PHONE_NUMBER_EXISTS")


def _digits(phone: str) -> str:
    return re.sub(r"\D", "", phone)

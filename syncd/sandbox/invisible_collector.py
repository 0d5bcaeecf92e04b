"""Invisible Collector's stand-in: registers debtors, refuses what the real one documents as refused.

Where the documentation is silent, and the official clients disagree, the answer is a toggle:

    put_semantics     are members that a PUT leaves out kept, or emptied?
    null_semantics    does a null empty a member, or is it overlooked?
    locale_missing    does a PUT without `locale` keep it, or fall back to "pt"?
    put_by_key        does PUT take an externalId in place of a gid?
    holder_on_409     does a conflict name the other customer, and as `gid` or `id`?
    post_status       200 or 201
    empty_members     are empty members left out of answers, or null?
    shown             does an answer show all members, or neither `locale` nor `mobile`, like the vendor's own samples?
    mobile            is it writable, or silently dropped?
    vat_number        is it mandatory?
    vat_check         is the check digit of Portuguese numbers verified?
    country           are ISO codes of three letters taken too?
    unknown_members   refused or overlooked?
    not_found         does a 404 speak of a customer, or in words of its own?
    code              is the `code` of an error a number, a text, or now this and now that?
"""

from __future__ import annotations

import re

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue as Answer
from stdnum.pt import nif

from syncd.clock import Clock, SystemClock
from syncd.providers.strict import Unreadable, parse_json
from syncd.sandbox import kit
from syncd.sandbox.index import texts
from syncd.sandbox.kit import Record, Refusal, Twin

NAME = "invisible_collector"
TOKEN = "5eed" * 16  # 64 hexadecimal digits, the form of a real one
TOGGLES = {
    "put_semantics": ("partial", "full"),
    "null_semantics": ("clear", "ignore"),
    "locale_missing": ("keep", "reset"),
    "put_by_key": ("yes", "no"),
    "holder_on_409": ("gid", "id", "omitted"),
    "post_status": ("200", "201"),
    "empty_members": ("absent", "null"),
    "shown": ("all", "samples"),
    "mobile": ("writable", "ignored"),
    "vat_number": ("mandatory", "optional"),
    "vat_check": ("off", "nif"),
    "country": ("alpha-2", "alpha-3"),
    "unknown_members": ("refused", "ignored"),
    "not_found": ("customer", "plain"),
    "code": ("mixed", "number", "text"),
}
IN_NO_SAMPLE = frozenset({"locale", "mobile"})
LOCALES = frozenset({"pt", "es", "en", "fr-fr", "de", "zh-CN"})
SHOWN = ("name", "externalId", "vatNumber", "address", "zipCode", "city", "country", "email", "phone", "locale")
_MEMBERS = (*SHOWN, "mobile")
_FILTERS = {"vat": "vatNumber", "email": "email", "phone": "phone", "externalId": "externalId"}
_MESSAGES = {
    400: "Invalid JSON",
    401: "Credentials are required to access this resource",
    422: "Unprocessable request",
}


def create_twin(clock: Clock | None = None) -> Twin:
    """One company without customers."""
    return Twin(NAME, TOGGLES, clock=clock or SystemClock())


def create_app(twin: Twin) -> Flask:
    """The app of one company, whose token is `TOKEN`."""

    def refused(status: int, sentence: str) -> Answer:
        return _error(twin, status, _MESSAGES.get(status, f"HTTP {status} {sentence}")), status

    app = kit.app(twin, authorised=_authorised, refused=refused)
    app.after_request(_with_charset)
    _customers(app, twin)
    _attributes(app, twin)
    _contacts(app, twin)

    @app.get("/companies")
    def company() -> Answer:
        return jsonify(
            name="Credores, S.A.", vatNumber="500100144", country="PT", gid=_gid(0), notificationsEnabled=True
        )

    return app


def _customers(app: Flask, twin: Twin) -> None:
    @app.post("/customers")
    def register() -> Answer:
        body = _body(twin, ("name", "country", *(["vatNumber"] if twin.toggle("vat_number") == "mandatory" else [])))
        body.setdefault("locale", "pt")
        for same in _holders(twin, body):
            if any(same.get(member) != value for member, value in body.items()):
                raise _conflict(twin, same)
            return _view(twin, same)
        record = body | {"gid": _gid(twin.next_id()), "contacts": [], "attributes": {}}
        twin.put(record["gid"], record)
        return _view(twin, record), int(twin.toggle("post_status"))

    @app.put("/customers/<address>")
    def update(address: str) -> Answer:
        record = _find(twin, address) if twin.toggle("put_by_key") == "yes" else twin.records.get(address)
        if record is None:
            raise _no_customer(twin)
        body = _body(twin, ("country",), record.get("locale"))
        for other in _holders(twin, body):
            if other is not record:
                raise _conflict(twin, other)
        _overwrite(twin, record, body)
        twin.touch(record["gid"])
        return _view(twin, record)

    @app.get("/customers/find")
    def search() -> Answer:
        if not request.args or set(request.args) - set(_FILTERS):
            raise _refusal(twin, 422)
        wanted = {_FILTERS[name]: value for name, value in request.args.items()}
        some = _with(twin, *next(iter(wanted.items())))
        found = [r for r in some if all(r.get(member) == value for member, value in wanted.items())]
        return jsonify([_view(twin, record) for record in found])

    @app.get("/customers/<address>")
    def read_without_contacts(address: str) -> Answer:
        return _view(twin, _known(twin, address))

    @app.get("/v1/customers/<address>")
    def read(address: str) -> Answer:
        return _full_view(twin, _known(twin, address))


def _attributes(app: Flask, twin: Twin) -> None:
    @app.get("/customers/<address>/attributes")
    def read_attributes(address: str) -> Answer:
        return jsonify(_known(twin, address).setdefault("attributes", {}))

    @app.post("/customers/<address>/attributes")
    def add_attributes(address: str) -> Answer:
        record = _known(twin, address)
        added = kit.json_body(unsupported=400)
        if not all(name and value and isinstance(value, str) for name, value in added.items()):
            raise _refusal(twin, 422)
        record["attributes"] = record.get("attributes", {}) | added
        twin.touch(record["gid"])
        return jsonify(record["attributes"])


def _contacts(app: Flask, twin: Twin) -> None:
    def by_gid(gid: str) -> Record:
        if gid not in twin.records:
            raise _no_customer(twin)
        return twin.records[gid]

    @app.get("/v1/customers/<gid>/contacts")
    def read_contacts(gid: str) -> Answer:
        return jsonify(by_gid(gid).setdefault("contacts", []))

    @app.post("/v1/customers/<gid>/contacts")
    def add_contacts(gid: str) -> Answer:
        record = by_gid(gid)
        contacts: list[Record] = record.setdefault("contacts", [])
        for contact in _contact_list(twin):
            same = next((known for known in contacts if known["name"] == contact["name"]), None)
            if same is None:
                contacts.append(contact | {"id": str(twin.next_id())})
            else:
                same.update(contact)
        twin.touch(record["gid"])
        return _full_view(twin, record)

    @app.delete("/customers/<gid>/contacts/<contact_id>")
    def drop_contact(gid: str, contact_id: str) -> Answer:
        record = by_gid(gid)
        gone = [contact for contact in record.get("contacts", []) if contact["id"] == contact_id]
        if not gone:
            raise _refusal(twin, 404, "Contact not found")
        record["contacts"].remove(gone[0])
        twin.touch(record["gid"])
        return jsonify(gone[0])


def _contact_list(twin: Twin) -> list[Record]:
    try:
        contacts = parse_json(request.get_data())
    except Unreadable:
        raise _refusal(twin, 400) from None
    if request.mimetype != "application/json" or not isinstance(contacts, list):
        raise _refusal(twin, 400)
    for contact in contacts:
        if (
            not isinstance(contact, dict)
            or set(contact) - {"name", "email", "phone", "mobile"}
            or not contact.get("name")
        ):
            raise _refusal(twin, 422)
    return contacts


def _body(twin: Twin, mandatory: tuple[str, ...], stored_locale: str | None = None) -> Record:
    """The request's customer after the sanity checks; a POST (which has a mandatory name) loses its nulls. A locale
    that is stored already is taken back, wherever it came from."""
    body = kit.json_body(unsupported=400)
    if set(body) - set(_MEMBERS) and twin.toggle("unknown_members") == "refused":
        raise _refusal(twin, 422)
    body = {member: body[member] for member in _MEMBERS if member in body}
    if "name" in mandatory:
        body = {member: value for member, value in body.items() if value is not None}
    given = {member: value for member, value in body.items() if value is not None}
    never_empty = {*mandatory, *({"name", "vatNumber", "externalId", "locale"} & set(body))}
    checks = (
        all(isinstance(value, str) for value in given.values()),
        all(given.get(member) for member in never_empty),
        re.fullmatch("[A-Z]{2}" if twin.toggle("country") == "alpha-2" else "[A-Z]{2,3}", str(body.get("country", ""))),
        body.get("locale", "pt") in {*LOCALES, stored_locale},
        "@" in str(given.get("email", "@")),
        twin.toggle("vat_check") == "off"
        or body["country"] != "PT"
        or nif.is_valid(given.get("vatNumber", "510205933")),
    )
    if not all(checks):
        raise _refusal(twin, 422)
    if twin.toggle("mobile") == "ignored":
        body.pop("mobile", None)
    return body


def _overwrite(twin: Twin, record: Record, body: Record) -> None:
    """What a PUT does to a stored customer, in the mode that the toggles set."""
    if twin.toggle("put_semantics") == "full":
        for member in set(_MEMBERS) - set(body) - {"locale"}:
            record.pop(member, None)
    if "locale" not in body and twin.toggle("locale_missing") == "reset":
        record["locale"] = "pt"
    for member, value in body.items():
        if value is not None:
            record[member] = value
        elif twin.toggle("null_semantics") == "clear":
            record.pop(member, None)


def _holders(twin: Twin, body: Record) -> list[Record]:
    """The customers that have this VAT number, then those that have this externalId."""
    return [
        record for name in ("vatNumber", "externalId") if body.get(name) for record in _with(twin, name, body[name])
    ]


def _find(twin: Twin, address: str) -> Record | None:
    """The customer with this gid, else with this externalId: both are in one namespace."""
    if address in twin.records:
        return twin.records[address]
    return next(iter(_with(twin, "externalId", address)), None)


def _with(twin: Twin, name: str, value: str) -> list[Record]:
    return twin.by(texts(name)).at(value)


def _known(twin: Twin, address: str) -> Record:
    record = _find(twin, address)
    if record is None:
        raise _no_customer(twin)
    return record


def _view(twin: Twin, record: Record, members: tuple[str, ...] = SHOWN) -> Record:
    unseen = IN_NO_SAMPLE if twin.toggle("shown") == "samples" else frozenset()
    shown = {member: record.get(member) for member in members if member not in unseen}
    if twin.toggle("empty_members") == "absent":
        shown = {member: value for member, value in shown.items() if value is not None}
    return shown | {"gid": record["gid"]}


def _full_view(twin: Twin, record: Record) -> Record:
    return _view(twin, record, _MEMBERS) | {"contacts": record.get("contacts", [])}


def _conflict(twin: Twin, holder: Record) -> Refusal:
    shown = twin.toggle("holder_on_409")
    error = _error(twin, 409, "Customer already registered")
    return Refusal(409, error if shown == "omitted" else error | {shown: holder["gid"]})


def _no_customer(twin: Twin) -> Refusal:
    return _refusal(
        twin, 404, {"customer": "Customer not found", "plain": "No such resource"}[twin.toggle("not_found")]
    )


def _refusal(twin: Twin, status: int, message: str = "") -> Refusal:
    return Refusal(status, _error(twin, status, message or _MESSAGES[status]))


def _error(twin: Twin, status: int, message: str) -> Record:
    text = {"mixed": len(twin.log) % 2 == 0, "number": False, "text": True}[twin.toggle("code")]
    return {"code": str(status) if text else status, "message": message}


def _authorised() -> bool:
    return request.headers.get("Authorization") == f"Bearer {TOKEN}"


def _with_charset(response: Response) -> Response:
    if response.mimetype == "application/json":
        response.headers["Content-Type"] = "application/json;charset=UTF-8"
    return response


def _gid(number: int) -> str:
    return f"061d2f00-0000-4000-8000-{number:012x}"

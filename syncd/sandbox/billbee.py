"""Billbee's stand-in: customers and their addresses, the envelope, the pages, the limits.

What its documents say is a rule here; where they are silent, the answer is a toggle:

    put           does a PUT of a customer replace it, or merge?
    contacts      when `Email` and `DefaultMailAddress` differ: are both kept, or does the default win?
    defaults      does the server make `Default…` entries of plain contacts?
    write_answer  does a PUT or PATCH show what is stored, what was sent, or nothing?
    missing       the body of a 404 for an unknown id
    dates         with or without an offset
    page_limit    the largest page
    order         oldest or newest customer first

`SWITCHES` are what makes customers fail; only a test that means it sets one. A record in `twin.records` is a customer
with its addresses under `Addresses`, the write-only members included.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import timedelta
from typing import Any

from flask import Flask, Response, request

from syncd.clock import Clock, SystemClock
from syncd.sandbox import billbee_rules as rules
from syncd.sandbox import kit
from syncd.sandbox.billbee_rules import bind, bound, envelope, failure
from syncd.sandbox.kit import Answer, Record, Refusal, Twin

NAME = "billbee"
API_KEY = "7c0a2f5e-1111-4222-8333-944445555666"
USER = "laden@syncd.example"
PASSWORD = "api-päss:wort"  # noqa: S105 - the sandbox's own
BASE = "/api/v1"
FIRST_CUSTOMER, FIRST_ADDRESS, FIRST_ENTRY = 30_000_000_015_123_457, 41_000_000_000_000_001, 20_871
TOGGLES: Mapping[str, tuple[str, ...]] = {
    "put": ("replace", "merge"),
    "contacts": ("both", "default"),
    "defaults": ("derived", "absent"),
    "write_answer": ("stored", "echo", "none"),
    "missing": ("message", "empty", "envelope"),
    "dates": ("offset", "naive"),
    "page_limit": ("250", "2"),
    "order": ("oldest", "newest"),
}
SWITCHES: Mapping[str, tuple[str, ...]] = {
    "account": ("open", "not-activated", "not-booked"),
    "throttle": ("off", "on"),
    "retry_after": ("absent", "seconds"),
    "index_lag": ("2", "0", "60"),
    "number_on_create": ("kept", "ignored"),
}
LIMITS = ((50, "key"), (10, "user"), (2, "endpoint"))  # requests a second, counted by


def create_twin(clock: Clock | None = None) -> Twin:
    """An account without customers."""
    return Twin(NAME, {**TOGGLES, **SWITCHES}, clock=clock or SystemClock(), archive=archive)


def create_app(twin: Twin) -> Flask:
    """The API over `twin`."""
    made = kit.app(twin, authorised=lambda: _authorised(twin), refused=_refused)
    _add_customers(made, twin)
    _add_addresses(made, twin)
    _add_others(made, twin)

    @made.after_request
    def negotiate(response: Response) -> Response:
        accepted = request.headers.get("Accept", "")
        if not request.path.startswith("/_control") and "json" not in accepted:
            response.set_data("<ApiResult/>")
            response.mimetype = "application/xml"
        return response

    return made


# -- what people and rules do at Billbee


def archive(twin: Twin, record: Record) -> None:
    """The account's rules archive a customer with its addresses."""
    for one in (record, *record["Addresses"]):
        one |= {"ArchivedAt": _moment(twin), "RestoredAt": None}


def anonymise(twin: Twin, record: Record) -> None:
    """Archive, and show placeholders from now on."""
    archive(twin, record)
    record |= {"Name": "Anonymisiert", "Email": "anonym@billbee.example", "Tel1": None, "Tel2": None, "VatId": None}
    for address in record["Addresses"]:
        address |= {"Company": "Anonymisiert", "FirstName": "XXX", "LastName": "XXX", "Street": "XXX", "Zip": "00000"}


def restore(twin: Twin, record: Record) -> None:
    """Bring a customer back from the archive."""
    for one in (record, *record["Addresses"]):
        one["RestoredAt"] = _moment(twin)


def merge(twin: Twin, winner: str, loser: str) -> None:
    """A person joins two customers: the loser's addresses move, its id is unknown afterwards."""
    with twin.lock:
        twin.records[winner]["Addresses"] += [
            {**address, "CustomerId": int(winner)} for address in twin.records[loser]["Addresses"]
        ]
        twin.drop(loser)


def unknown_members(twin: Twin) -> set[str]:
    """Members in requests so far that no model has: Billbee overlooks them, a test should not."""
    known = {*rules.CUSTOMER, *rules.META, *rules.ADDRESS, "Address", "Type", "Term", "SearchMode"}
    return {key for entry in twin.log for key in entry.keys if key.rpartition(".")[2] not in known}


def calls(twin: Twin) -> int:
    """Requests of this month."""
    month = twin.now().strftime("%Y%m")
    return sum(entry.at.strftime("%Y%m") == month for entry in twin.log)


# -- the door


def _authorised(twin: Twin) -> bool:
    key, scheme, login = request.headers.get("X-Billbee-Api-Key"), *_authorization()
    if key != API_KEY or scheme != "basic" or login != f"{USER}:{PASSWORD}".encode():
        return False
    if twin.toggle("account") != "open":
        code = 1 if twin.toggle("account") == "not-activated" else 17
        raise Refusal(200, failure(code, "API nicht freigeschaltet"))
    if twin.toggle("throttle") == "on":
        _throttle(twin)
    return True


def _authorization() -> tuple[str, bytes]:
    scheme, _, coded = request.headers.get("Authorization", "").partition(" ")
    try:
        return scheme.lower(), base64.b64decode(coded, validate=True)
    except (binascii.Error, ValueError):
        return scheme.lower(), b""


def _throttle(twin: Twin) -> None:
    """Sliding windows of a second; a request that was refused does not count."""
    since = twin.now() - timedelta(seconds=1)
    recent = [entry for entry in twin.log if entry.at > since and entry.status not in {401, 429}]
    route = request.url_rule.rule if request.url_rule else ""
    here = [entry for entry in recent if (entry.method, entry.route) == (request.method, route)]
    if any(len(here if by == "endpoint" else recent) >= limit for limit, by in LIMITS):
        told = {"Retry-After": "1"} if twin.toggle("retry_after") == "seconds" else {}
        raise Refusal(429, {"Message": "Too many requests"}, told)


def _refused(status: int, sentence: str) -> Answer:
    if status == 401:
        return {"Message": "Authorization has been denied for this request."}, 401
    if status == 400:
        return bound("model", "Unexpected character encountered while parsing value."), 400
    if status == 404:
        detail = "No type was found that matches the controller."
        return {"Message": "No HTTP resource was found that matches the request.", "MessageDetail": detail}, 404
    return {"Message": sentence}, status


# -- customers


def _add_customers(made: Flask, twin: Twin) -> None:
    @made.get(f"{BASE}/customers")
    def listing() -> Answer:
        return _paged(twin, [_customer(record) for record in _ordered(twin)])

    @made.post(f"{BASE}/customers")
    def create() -> Answer:
        body = kit.json_body()
        given = _bound_customer(body)
        address = _bound_address(body["Address"], "model.Address") if body.get("Address") is not None else None
        record = dict.fromkeys(rules.CUSTOMER) | {"Type": 0} | _own(given)
        record |= {"Id": FIRST_CUSTOMER + 2 * twin.next_id(), "Addresses": [], **dict.fromkeys(rules.SERVERS)}
        if given.get("Number") is None or twin.toggle("number_on_create") == "ignored":
            record["Number"] = max((one["Number"] or 0 for one in twin.records.values()), default=1000) + 1
        if address is not None:
            record["Addresses"] = [_new_address(twin, record["Id"], address)]
        if twin.toggle("defaults") == "derived":
            rules.derive(record, lambda: FIRST_ENTRY + twin.next_id())
        rules.complete(record, lambda: FIRST_ENTRY + twin.next_id(), default_wins=False)
        record["SandboxSince"] = twin.now().timestamp()
        twin.put(str(record["Id"]), record)
        return envelope(_customer(record))

    @made.get(f"{BASE}/customers/<int:number>")
    def read(number: int) -> Answer:
        return envelope(_customer(_existing(twin, number)))

    @made.put(f"{BASE}/customers/<int:number>")
    def write(number: int) -> Answer:
        body = kit.json_body()
        record, given = _existing(twin, number), _bound_customer(body)
        if given.get("Id") != number:
            raise Refusal(400, bound("model.Id", "The id in the body differs from the one in the path."))
        _refuse_archived(record)
        kept = {} if twin.toggle("put") == "replace" else record
        changed = {name: given.get(name, kept.get(name)) for name in rules.CUSTOMER}
        record |= {**changed, **{name: record[name] for name in rules.SERVERS}}
        rules.complete(record, lambda: FIRST_ENTRY + twin.next_id(), default_wins=twin.toggle("contacts") == "default")
        record["SandboxSince"] = twin.now().timestamp()
        twin.touch()
        return _written(twin, _customer(record), {**dict.fromkeys(rules.CUSTOMER), **given})


def _bound_customer(body: Record) -> Record:
    return deepcopy(bind(rules.CUSTOMER, body))


def _own(given: Record) -> Record:
    return {name: value for name, value in given.items() if name != "Id" and name not in rules.SERVERS}


def _customer(record: Record) -> Record:
    return deepcopy({name: record[name] for name in rules.CUSTOMER})


def _existing(twin: Twin, number: int) -> Record:
    if str(number) not in twin.records:
        raise _no_such(twin)
    return twin.records[str(number)]


def _no_such(twin: Twin) -> Refusal:
    bodies = {"message": {"Message": "Not found"}, "empty": None, "envelope": failure(0, "Nicht gefunden")}
    return Refusal(404, bodies[twin.toggle("missing")])


def _refuse_archived(record: Record) -> None:
    """The real code is unknown; the rule is not: further modification is disabled."""
    archived, restored = record["ArchivedAt"], record["RestoredAt"]
    if archived is not None and (restored is None or restored < archived):
        raise Refusal(400, failure(11, "Der Datensatz ist archiviert."))


def _written(twin: Twin, stored: Record, sent: Record) -> Answer:
    shown = {"stored": stored, "echo": sent, "none": None}
    return envelope(shown[twin.toggle("write_answer")])


def _moment(twin: Twin) -> str:
    now = twin.now()
    return (now if twin.toggle("dates") == "offset" else now.replace(tzinfo=None)).isoformat()


# -- addresses


def _add_addresses(made: Flask, twin: Twin) -> None:
    @made.get(f"{BASE}/customers/<int:number>/addresses")
    def of_customer(number: int) -> Answer:
        return _paged(twin, [_address(address) for address in _existing(twin, number)["Addresses"]])

    @made.post(f"{BASE}/customers/<int:number>/addresses")
    def add(number: int) -> Answer:
        return _added(twin, number, kit.json_body())

    @made.get(f"{BASE}/customer-addresses")
    def all_addresses() -> Answer:
        found = [_address(address) for record in twin.records.values() for address in record["Addresses"]]
        return _paged(twin, sorted(found, key=lambda address: int(address["Id"])))

    @made.post(f"{BASE}/customer-addresses")
    def add_anywhere() -> Answer:
        body = kit.json_body()
        owner = bind(rules.ADDRESS, body).get("CustomerId")
        return _added(twin, owner if isinstance(owner, int) else 0, body)

    def one(number: int) -> Answer:
        return envelope(_address(_existing_address(twin, number)))

    def replace(number: int) -> Answer:
        body = kit.json_body()
        return _changed(twin, number, {**dict.fromkeys(rules.ADDRESS), **_bound_address(body)})

    for path in (f"{BASE}/customers/addresses/<int:number>", f"{BASE}/customer-addresses/<int:number>"):
        made.add_url_rule(path, f"one {path}", one, methods=["GET"])
        made.add_url_rule(path, f"replace {path}", replace, methods=["PUT"])

    @made.patch(f"{BASE}/customers/addresses/<int:number>")
    def patch(number: int) -> Answer:
        return _changed(twin, number, bind(rules.ADDRESS, kit.json_body()))


def _bound_address(body: Any, place: str = "model") -> Record:
    if not isinstance(body, dict):
        raise Refusal(400, bound(place, "Cannot deserialize the current JSON value into an object."))
    given = bind(rules.ADDRESS, body, place)
    if "AddressType" not in given:
        raise Refusal(400, bound(f"{place}.AddressType", "Required."))
    return given


def _new_address(twin: Twin, owner: int, given: Record) -> Record:
    address = dict.fromkeys(rules.ADDRESS) | _own(given)
    return address | {"Id": FIRST_ADDRESS + 2 * twin.next_id(), "CustomerId": owner}


def _added(twin: Twin, owner: int, body: Record) -> Answer:
    given, record = _bound_address(body), _existing(twin, owner)
    if given.get("Id") is not None:
        raise Refusal(400, failure(11, "Id darf nicht gesetzt sein."))
    _refuse_archived(record)
    address = _new_address(twin, owner, given)
    record["Addresses"].append(address)
    twin.touch()
    return envelope(_address(address))


def _changed(twin: Twin, number: int, given: Record) -> Answer:
    address = _existing_address(twin, number)
    _refuse_archived(address)
    address |= {name: value for name, value in _own(given).items() if name != "CustomerId"}
    twin.touch()
    return _written(twin, _address(address), {**given, "Id": number})


def _existing_address(twin: Twin, number: int) -> Record:
    for record in twin.records.values():
        for address in record["Addresses"]:
            if address["Id"] == number:
                return dict_of(address)
    raise _no_such(twin)


def dict_of(address: Any) -> Record:
    """The stored address itself, not a copy."""
    assert isinstance(address, dict)  # noqa: S101 - for the type checker
    return address


def _address(address: Record) -> Record:
    return {**address, **dict.fromkeys(rules.WRITE_ONLY)}


# -- pages, search, usage


def _ordered(twin: Twin) -> list[Record]:
    records = sorted(twin.records.values(), key=lambda record: int(record["Id"]))
    return records if twin.toggle("order") == "oldest" else records[::-1]


def _paged(twin: Twin, rows: list[Record]) -> Answer:
    page = max(_whole("page", 1), 1)
    size = min(max(_whole("pageSize", 50), 1), int(twin.toggle("page_limit")))
    paging = {"Page": page, "TotalPages": -(-len(rows) // size), "TotalRows": len(rows), "PageSize": size}
    return envelope(rows[(page - 1) * size : page * size], Paging=paging)


def _whole(name: str, default: int) -> int:
    given = request.args.get(name, str(default))
    if not given.lstrip("-").isdecimal():
        raise Refusal(400, bound(name, "The value is not valid for Int32."))
    return int(given)


def _add_others(made: Flask, twin: Twin) -> None:
    @made.get(f"{BASE}/customers/<int:number>/orders")
    def orders(number: int) -> Answer:
        _existing(twin, number)
        return _paged(twin, [])

    @made.post(f"{BASE}/search")
    def search() -> Answer:
        term = str(kit.json_body().get("Term") or "").lower()
        indexed = twin.now().timestamp() - float(twin.toggle("index_lag"))
        hits = [_hit(one) for one in twin.records.values() if one["SandboxSince"] <= indexed]
        found = [hit for hit in hits if term and any(term in str(value).lower() for value in hit.values())]
        return envelope({"Products": [], "Orders": [], "Customers": found})

    @made.get(f"{BASE}/apiusage")
    def usage() -> Answer:
        return envelope({"Month": twin.now().strftime("%Y%m"), "Calls": calls(twin)})


def _hit(record: Record) -> Record:
    lines = [
        f"{address['Street'] or ''} {address['Housenumber'] or ''}, {address['Zip'] or ''} {address['City'] or ''}"
        for address in record["Addresses"]
    ]
    return {"Id": record["Id"], "Name": record["Name"], "Addresses": "; ".join(lines), "Number": str(record["Number"])}


Hook = Callable[[Twin, Record], None]

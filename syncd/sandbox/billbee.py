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
from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import timedelta

from flask import Flask, Response, request

from syncd.clock import Clock, SystemClock
from syncd.sandbox import billbee_rules as rules
from syncd.sandbox import kit
from syncd.sandbox.billbee_addresses import add_addresses, bound_address, new_address
from syncd.sandbox.billbee_rules import BASE, FIRST_CUSTOMER, FIRST_ENTRY, bind, bound, envelope, failure
from syncd.sandbox.kit import Answer, Record, Refusal, Twin

NAME = "billbee"
API_KEY = "7c0a2f5e-1111-4222-8333-944445555666"
USER = "laden@syncd.example"
PASSWORD = "api:p@ss/wort"  # noqa: S105 - the sandbox's own
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
    add_addresses(made, twin)
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


def _moment(twin: Twin) -> str:
    now = twin.now()
    return (now if twin.toggle("dates") == "offset" else now.replace(tzinfo=None)).isoformat()


def merge(twin: Twin, winner: str, loser: str) -> None:
    """A person joins two customers: the loser's addresses move, its id is unknown afterwards."""
    with twin.lock:
        twin.records[winner]["Addresses"] += [
            {**address, "CustomerId": int(winner)} for address in twin.records[loser]["Addresses"]
        ]
        twin.read_again(winner)
        twin.drop(loser)


def unknown_members(twin: Twin) -> set[str]:
    """Members in requests so far that no model has: Billbee overlooks them, a test should not."""
    known = {*rules.CUSTOMER, *rules.META, *rules.ADDRESS, "Address", "Type", "Term", "SearchMode"}
    return {key for entry in twin.log for key in entry.keys if key.rpartition(".")[2] not in known}


def calls(twin: Twin) -> int:
    """The number of requests in this month, which Billbee counts as calls."""
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
        return rules.paged(twin, _ordered(twin), _customer)

    @made.post(f"{BASE}/customers")
    def create() -> Answer:
        body = kit.json_body()
        given = bind(rules.CUSTOMER, body)
        address = bound_address(body["Address"], "model.Address") if body.get("Address") is not None else None
        record = dict.fromkeys(rules.CUSTOMER) | {"Type": 0} | rules.own(given)
        number = FIRST_CUSTOMER + 2 * twin.next_id()
        record |= {"Id": number, "Addresses": [], **dict.fromkeys(rules.SERVERS)}
        if given.get("Number") is None or twin.toggle("number_on_create") == "ignored":
            record["Number"] = max((one["Number"] or 0 for one in twin.records.values()), default=1000) + 1
        if address is not None:
            record["Addresses"] = [new_address(twin, number, address)]
        if twin.toggle("defaults") == "derived":
            rules.derive(record, lambda: FIRST_ENTRY + twin.next_id())
        rules.complete(record, lambda: FIRST_ENTRY + twin.next_id())
        record["SandboxSince"] = twin.now().timestamp()
        twin.put(str(record["Id"]), record)
        return envelope(_customer(record))

    @made.get(f"{BASE}/customers/<int:number>")
    def read(number: int) -> Answer:
        return envelope(_customer(rules.existing(twin, number)))

    @made.put(f"{BASE}/customers/<int:number>")
    def write(number: int) -> Answer:
        body = kit.json_body()
        record, given = rules.existing(twin, number), bind(rules.CUSTOMER, body)
        if given.get("Id") != number:
            raise Refusal(400, bound("model.Id", "The id in the body differs from the one in the path."))
        rules.refuse_archived(record)
        before, kept = deepcopy(record), {} if twin.toggle("put") == "replace" else record
        changed = {name: deepcopy(given.get(name, kept.get(name))) for name in rules.CUSTOMER}
        record |= {**changed, **{name: record[name] for name in rules.SERVERS}}
        if twin.toggle("contacts") == "default":
            rules.let_defaults_win(record, before)
        rules.complete(record, lambda: FIRST_ENTRY + twin.next_id())
        record["SandboxSince"] = twin.now().timestamp()
        twin.touch(str(number))
        return rules.written(twin, _customer(record), {**dict.fromkeys(rules.CUSTOMER), **given})


def _customer(record: Record) -> Record:
    return {name: record[name] for name in rules.CUSTOMER}


# -- search, usage


def _id(record: Record) -> Iterator[tuple[int, Record]]:
    yield int(record["Id"]), record


def _ordered(twin: Twin) -> list[Record]:
    records = twin.by(_id).rows
    return records if twin.toggle("order") == "oldest" else records[::-1]


def _add_others(made: Flask, twin: Twin) -> None:
    @made.get(f"{BASE}/customers/<int:number>/orders")
    def orders(number: int) -> Answer:
        rules.existing(twin, number)
        return rules.paged(twin, [], _customer)

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

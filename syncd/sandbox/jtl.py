"""JTL-Wawi's stand-in: the REST API v1 in the cloud (`/erp`, OAuth 2) and on premise (`/api/eazybusiness`, API key).

What JTL documents is a rule here; where it is silent, or its pages differ, the answer is a toggle:

    version           1.5 knows LastChange and lastChangeFrom; 1.0 overlooks the filter without a word
    number_filter     does `number` mean exactly, "contains", or nothing?
    unique_numbers    may two customers have one number? If not, is the answer 409 or 400?
    null_patch        does a null in a PATCH count as not sent, or does it clear?
    address_patch     does a PATCH merge inside an address, or replace it?
    patch_answer      201 as the page says, 200 as the guide says, or 204 without a customer
    create_answer     the whole customer, or only its Id
    spelling          PascalCase, or the second generation's camelCase
    unset             are empty members null or left out?
    no_birthday       is an empty date null, or .NET's year 1?
    birthday          is a date told as midnight, or as that midnight of the merchant's zone in UTC?
    language_case     is LanguageIso shown in capitals?
    last_page         does the last page name itself as the next one, or null?
    envelope          does a page tell HasNextPage, TotalPages and the like, or only what is promised?
    page_size         the largest page
    order             oldest or newest customer first
    identity          Hydra, or Zitadel, which wants a scope
    token_life        seconds that a token is good
    missing_header    the status for a request without a required header
    not_found         the body of a 404 for a customer: the code NOT_FOUND, another code, or a sentence without any
    complaints        where a refusal names members: ValidationErrors, Errors, or ASP.NET's own `errors`

`SWITCHES` are what makes every customer fail; only a test that means it sets one. Workflows that a write would have
started (e-mails!) are counted by `workflows`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue as Answer

from syncd.clock import Clock, SystemClock
from syncd.sandbox import jtl_door as door
from syncd.sandbox import jtl_rules as rules
from syncd.sandbox import jtl_views as views
from syncd.sandbox import kit
from syncd.sandbox.kit import Record, Refusal, Twin

NAME = "jtl"
TOGGLES = {
    "version": ("1.5", "1.0"),
    "number_filter": ("exact", "contains", "ignored"),
    "unique_numbers": ("off", "409", "400"),
    "null_patch": ("ignored", "clears"),
    "address_patch": ("merge", "replace"),
    "patch_answer": ("201", "200", "204"),
    "create_answer": ("whole", "id"),
    "spelling": ("pascal", "camel"),
    "unset": ("null", "absent"),
    "no_birthday": ("null", "year-one"),
    "birthday": ("midnight", "utc"),
    "language_case": ("upper", "lower"),
    "last_page": ("repeats", "null"),
    "envelope": ("whole", "promised"),
    "page_size": ("100", "3"),
    "order": ("oldest", "newest"),
    "identity": ("hydra", "zitadel"),
    "token_life": ("3600", "2"),
    "missing_header": ("412", "401", "400"),
    "not_found": ("code", "other", "sentence"),
    "complaints": ("ValidationErrors", "Errors", "aspnet"),
}
SWITCHES = {
    "paths": ("documented", "other"),
    "licence": ("booked", "missing"),
    "scopes": ("all", "read", "none"),
    "in_use": ("no", "yes"),
    "rate_limit": ("off", "on"),
}


def create_twin(clock: Clock | None = None) -> Twin:
    """One mandant without customers."""
    return Twin(NAME, {**TOGGLES, **SWITCHES}, clock=clock or SystemClock(), archive=_lock, edited=_stamp)


def workflows(twin: Twin) -> int:
    """How many writes started the merchant's automatic workflows."""
    switch = "disableAutomaticWorkflows=true"
    return sum(entry.wrote and entry.method != "DELETE" and switch not in entry.query for entry in twin.requests())


def create_app(twin: Twin) -> Flask:
    """The app: token endpoint, cloud gateway and the server on premise in one."""
    tokens: dict[str, datetime] = {}

    def authorised() -> bool:
        if request.path == door.TOKEN_ROUTE:
            return True
        if door.is_elsewhere(twin):
            raise Refusal(404)
        if twin.toggle("rate_limit") == "on" and door.used(twin) >= door.LIMIT:
            raise Refusal(429)
        if request.path.startswith(door.CLOUD):
            return door.cloud_headers(twin, tokens)
        return request.path.startswith(door.ONPREM + "/") and door.onprem_headers(twin)

    def refused(status: int, sentence: str) -> Answer:
        if status in {401, 404, 405}:
            return Response(status=status)
        return views.error(twin, "BAD_REQUEST", sentence), status

    app = kit.app(twin, authorised=authorised, refused=refused)
    door.add_tokens(app, twin, tokens)
    for base in (f"{door.CLOUD}/v1", door.CLOUD, f"{door.ONPREM}/v1", door.ONPREM):
        _reading(app, twin, base)
        _writing(app, twin, base)
        _surroundings(app, twin, base)

    @app.after_request
    def limits(response: Response) -> Response:
        left = door.LIMIT - 1 - door.used(twin) if twin.toggle("rate_limit") == "on" else door.LIMIT
        response.headers["X-RateLimit-Limit"] = str(door.LIMIT)
        response.headers["X-RateLimit-Interval-Length-Seconds"] = str(door.INTERVAL)
        response.headers["X-RateLimit-Remaining"] = str(max(left, 0))
        return response

    return app


def _reading(app: Flask, twin: Twin, base: str) -> None:
    def page() -> Answer:
        door.scoped(twin, writing=False)
        return jsonify(views.spelled(twin, views.page_of(twin, views.selected(twin))))

    def read(customer_id: str) -> Answer:
        door.scoped(twin, writing=False)
        return jsonify(views.spelled(twin, views.view(twin, _known(twin, customer_id))))

    def last_change(customer_id: str) -> Answer:
        record = _known(twin, customer_id)
        if twin.toggle("version") == "1.0":
            raise Refusal(404)
        return jsonify(views.spelled(twin, {"Id": record["Id"], "LastChangeDate": record["LastChange"]}))

    _route(app, base, "GET", "/customers", page)
    _route(app, base, "GET", "/customers/<customer_id>", read)
    _route(app, base, "GET", "/customers/<customer_id>/lastChange", last_change)


def _writing(app: Flask, twin: Twin, base: str) -> None:
    def create() -> Answer:
        door.scoped(twin, writing=True)
        body = _checked(twin, new=True)
        number = body.get("Number") or f"C{9_000_000 + twin.next_id()}"
        _unique(twin, number, None)
        record = rules.created(body, number, twin.now(), twin.next_id)
        twin.put(str(record["Id"]), record)
        shown = views.view(twin, record) if twin.toggle("create_answer") == "whole" else {"Id": record["Id"]}
        return jsonify(views.spelled(twin, shown)), 201

    def update(customer_id: str) -> Answer:
        door.scoped(twin, writing=True)
        record = _known(twin, customer_id)
        body = _checked(twin, new=False)
        if body.get("Number"):
            _unique(twin, body["Number"], record)
        nulls, merge = twin.toggle("null_patch") == "clears", twin.toggle("address_patch") == "merge"
        after = rules.patched(record, body, nulls=nulls, merge=merge)
        if after != record:
            twin.put(customer_id, after | {"LastChange": rules.moment(twin.now())})
        status = int(twin.toggle("patch_answer"))
        if status == 204:
            return Response(status=204)
        return jsonify(views.spelled(twin, views.view(twin, twin.records[customer_id]))), status

    def delete(customer_id: str) -> Answer:
        door.scoped(twin, writing=True)
        _known(twin, customer_id)
        if twin.toggle("in_use") == "yes":
            raise Refusal(400, views.error(twin, "IN_USE", "The customer has orders."))
        twin.drop(customer_id)
        return Response(status=204)

    _route(app, base, "POST", "/customers", create)
    _route(app, base, "PATCH", "/customers/<customer_id>", update)
    _route(app, base, "DELETE", "/customers/<customer_id>", delete)


def _surroundings(app: Flask, twin: Twin, base: str) -> None:
    def info() -> Answer:
        stamp = rules.moment(twin.now())
        version = f"{twin.toggle('version')}.10.0"
        shown = {"Version": version, "Timestamp": stamp, "Tenant": "eazybusiness", "Type": "WAWI-Api"}
        return jsonify(views.spelled(twin, shown))

    def groups() -> Answer:
        return jsonify(views.spelled(twin, list(rules.GROUPS)))

    def companies() -> Answer:
        return jsonify(views.spelled(twin, list(rules.COMPANIES)))

    _route(app, base, "GET", "/info", info)
    _route(app, base, "GET", "/customerGroups", groups)
    _route(app, base, "GET", "/companies", companies)


def _route(app: Flask, base: str, method: str, path: str, handler: Callable[..., Answer]) -> None:
    app.add_url_rule(base + path, f"{method} {base}{path}", handler, methods=[method])


# -- customers --------------------------------------------------------------------------------------------------------


def _checked(twin: Twin, *, new: bool) -> Record:
    body = kit.json_body()
    wrong = rules.complaints(body, new=new)
    if wrong:
        raise Refusal(400, views.error(twin, "VALIDATION_ERROR", "One or more validation errors occurred.", wrong))
    return body


def _unique(twin: Twin, number: str, own: Record | None) -> None:
    how = twin.toggle("unique_numbers")
    if how == "off" or all(r is own for r in views.with_number(twin, number)):
        return
    if how == "409":
        raise Refusal(409, views.error(twin, "CONFLICT", "The customer exists already."))
    wrong = {"Number": f"'{number}' exists already."}
    raise Refusal(400, views.error(twin, "VALIDATION_ERROR", "One or more validation errors occurred.", wrong))


def _known(twin: Twin, customer_id: str) -> Record:
    if customer_id not in twin.records:
        code = {"code": "NOT_FOUND", "other": "CUSTOMER_MISSING", "sentence": None}[twin.toggle("not_found")]
        raise Refusal(404, views.error(twin, code, "The customer does not exist."))
    return twin.records[customer_id]


def _lock(twin: Twin, record: Record) -> None:
    record["IsLocked"] = True
    _stamp(twin, record)


def _stamp(twin: Twin, record: Record) -> None:
    record["LastChange"] = rules.moment(twin.now())

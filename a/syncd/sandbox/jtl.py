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
    page_size         the largest page
    order             oldest or newest customer first
    identity          Hydra, or Zitadel, which wants a scope
    token_life        seconds that a token is good
    missing_header    the status for a request without a required header

`SWITCHES` are what makes every customer fail; only a test that means it sets one. Workflows that a write would have
started (e-mails!) are counted by `workflows`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue as Answer

from syncd.clock import Clock, SystemClock
from syncd.sandbox import jtl_rules as rules
from syncd.sandbox import kit
from syncd.sandbox.kit import Record, Refusal, Twin

NAME = "jtl"
CLIENT_ID = "7d0f6f0c-syncd"
CLIENT_SECRET = "p4ss/w+rd%jtl"  # noqa: S105 - the sandbox's own
TENANT = "7c0f7d6c-7a53-4a52-8f0c-0f5a3b3d9e11"
API_KEY = "FB622234-98A7-4D5C-9E6B-1B2E3D4C5F60"
APP_ID, APP_VERSION = "syncd/1.0.0", "1.0.0"
CLOUD, ONPREM = "/erp", "/api/eazybusiness"
TOKEN_ROUTE = "/oauth2/token"  # noqa: S105 - an address
LIMIT, INTERVAL = 10, 45
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
    "page_size": ("100", "3"),
    "order": ("oldest", "newest"),
    "identity": ("hydra", "zitadel"),
    "token_life": ("3600", "2"),
    "missing_header": ("412", "401", "400"),
}
SWITCHES = {
    "licence": ("booked", "missing"),
    "scopes": ("all", "read", "none"),
    "in_use": ("no", "yes"),
    "rate_limit": ("off", "on"),
}
_SEARCHED = ("Company", "FirstName", "LastName", "City", "EmailAddress")


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
        if request.path == TOKEN_ROUTE:
            return True
        if twin.toggle("rate_limit") == "on" and _used(twin) >= LIMIT:
            raise Refusal(429)
        if request.path.startswith(CLOUD):
            return _cloud_headers(twin, tokens)
        return request.path.startswith(ONPREM + "/") and _onprem_headers(twin)

    def refused(status: int, sentence: str) -> Answer:
        return Response(status=status) if status in {401, 404, 405} else (_error(twin, "BAD_REQUEST", sentence), status)

    app = kit.app(twin, authorised=authorised, refused=refused)
    _token_endpoint(app, twin, tokens)
    for base in (f"{CLOUD}/v1", CLOUD, f"{ONPREM}/v1", ONPREM):
        _reading(app, twin, base)
        _writing(app, twin, base)
        _surroundings(app, twin, base)

    @app.after_request
    def limits(response: Response) -> Response:
        left = LIMIT - 1 - _used(twin) if twin.toggle("rate_limit") == "on" else LIMIT
        response.headers["X-RateLimit-Limit"] = str(LIMIT)
        response.headers["X-RateLimit-Interval-Length-Seconds"] = str(INTERVAL)
        response.headers["X-RateLimit-Remaining"] = str(max(left, 0))
        return response

    return app


def _reading(app: Flask, twin: Twin, base: str) -> None:
    def page() -> Answer:
        _scoped(twin, writing=False)
        return jsonify(_spelled(twin, _page(twin, [_view(twin, r) for r in _selected(twin)])))

    def read(customer_id: str) -> Answer:
        _scoped(twin, writing=False)
        return jsonify(_spelled(twin, _view(twin, _known(twin, customer_id))))

    def last_change(customer_id: str) -> Answer:
        record = _known(twin, customer_id)
        if twin.toggle("version") == "1.0":
            raise Refusal(404)
        return jsonify(_spelled(twin, {"Id": record["Id"], "LastChangeDate": record["LastChange"]}))

    _route(app, base, "GET", "/customers", page)
    _route(app, base, "GET", "/customers/<customer_id>", read)
    _route(app, base, "GET", "/customers/<customer_id>/lastChange", last_change)


def _writing(app: Flask, twin: Twin, base: str) -> None:
    def create() -> Answer:
        _scoped(twin, writing=True)
        body = _checked(twin, new=True)
        number = body.get("Number") or f"C{9_000_000 + twin.next_id()}"
        _unique(twin, number, None)
        record = rules.created(body, number, twin.now(), twin.next_id)
        twin.put(str(record["Id"]), record)
        shown = _view(twin, record) if twin.toggle("create_answer") == "whole" else {"Id": record["Id"]}
        return jsonify(_spelled(twin, shown)), 201

    def update(customer_id: str) -> Answer:
        _scoped(twin, writing=True)
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
        return jsonify(_spelled(twin, _view(twin, twin.records[customer_id]))), status

    def delete(customer_id: str) -> Answer:
        _scoped(twin, writing=True)
        _known(twin, customer_id)
        if twin.toggle("in_use") == "yes":
            raise Refusal(400, _error(twin, "IN_USE", "The customer has orders."))
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
        return jsonify(_spelled(twin, shown))

    def groups() -> Answer:
        return jsonify(_spelled(twin, list(rules.GROUPS)))

    def companies() -> Answer:
        return jsonify(_spelled(twin, list(rules.COMPANIES)))

    _route(app, base, "GET", "/info", info)
    _route(app, base, "GET", "/customerGroups", groups)
    _route(app, base, "GET", "/companies", companies)


def _route(app: Flask, base: str, method: str, path: str, handler: Callable[..., Answer]) -> None:
    app.add_url_rule(base + path, f"{method} {base}{path}", handler, methods=[method])


# -- who asks ---------------------------------------------------------------------------------------------------------


def _token_endpoint(app: Flask, twin: Twin, tokens: dict[str, datetime]) -> None:
    basic = "Basic " + base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()

    @app.post(TOKEN_ROUTE)
    def token() -> Answer:
        if request.mimetype != "application/x-www-form-urlencoded":
            raise Refusal(400, {"error": "invalid_request"})
        if request.headers.get("Authorization") != basic:
            raise Refusal(401, {"error": "invalid_client", "error_description": "Client authentication failed"})
        if request.form.get("grant_type") != "client_credentials":
            raise Refusal(400, {"error": "unsupported_grant_type"})
        if twin.toggle("identity") == "zitadel" and not request.form.get("scope"):
            raise Refusal(400, {"error": "invalid_scope"})
        life = int(twin.toggle("token_life"))
        made = f"eyJhbGciOiJSUzI1NiJ9.{len(tokens)}.sandbox"
        tokens[made] = twin.now() + timedelta(seconds=life)
        answer = {"access_token": made, "token_type": "Bearer", "expires_in": life, "scope": "openid"}
        return jsonify(answer)


def _cloud_headers(twin: Twin, tokens: Mapping[str, datetime]) -> bool:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind != "Bearer" or token not in tokens or tokens[token] <= twin.now():
        return False
    _demand(twin, "X-Tenant-ID")
    return request.headers["X-Tenant-ID"].lower() == TENANT and _registered(twin)


def _onprem_headers(twin: Twin) -> bool:
    return request.headers.get("Authorization") == f"Wawi {API_KEY}" and _registered(twin)


def _registered(twin: Twin) -> bool:
    for header in ("X-AppID", "X-AppVersion", "api-version"):
        _demand(twin, header)
    given = (request.headers["X-AppID"], request.headers["X-AppVersion"])
    return given == (APP_ID, APP_VERSION) and request.headers["api-version"] == "1.0"


def _demand(twin: Twin, header: str) -> None:
    if not request.headers.get(header):
        status = int(twin.toggle("missing_header"))
        raise Refusal(status, None if status == 401 else _error(twin, "HEADER_MISSING", f"{header} is required."))


def _scoped(twin: Twin, *, writing: bool) -> None:
    if twin.toggle("licence") == "missing":
        raise Refusal(402)
    if twin.toggle("scopes") == "none" or (writing and twin.toggle("scopes") == "read"):
        raise Refusal(403)


def _used(twin: Twin) -> int:
    """How much of the cloud's limit is used up: so many requests an interval, and no word about when to come back."""
    since = twin.now() - timedelta(seconds=INTERVAL)
    return sum(entry.at > since and entry.status != 429 and entry.path != TOKEN_ROUTE for entry in twin.log)


# -- customers --------------------------------------------------------------------------------------------------------


def _checked(twin: Twin, *, new: bool) -> Record:
    body = kit.json_body()
    wrong = rules.complaints(body, new=new)
    if wrong:
        raise Refusal(400, _error(twin, "VALIDATION_ERROR", "One or more validation errors occurred.", wrong))
    return body


def _unique(twin: Twin, number: str, own: Record | None) -> None:
    how = twin.toggle("unique_numbers")
    if how == "off" or all(r is own or r["Number"] != number for r in twin.records.values()):
        return
    if how == "409":
        raise Refusal(409, _error(twin, "CONFLICT", "The customer exists already."))
    wrong = {"Number": f"'{number}' exists already."}
    raise Refusal(400, _error(twin, "VALIDATION_ERROR", "One or more validation errors occurred.", wrong))


def _known(twin: Twin, customer_id: str) -> Record:
    if customer_id not in twin.records:
        raise Refusal(404, _error(twin, "NOT_FOUND", "The customer does not exist."))
    return twin.records[customer_id]


def _selected(twin: Twin) -> list[Record]:
    """Who fits the query. Filters that a version does not know are overlooked without a word."""
    found = sorted(twin.records.values(), key=lambda record: int(record["Id"]))
    if twin.toggle("order") == "newest":
        found.reverse()
    number, word = request.args.get("number"), request.args.get("searchKeyWord", "").lower()
    if number and twin.toggle("number_filter") != "ignored":
        exact = twin.toggle("number_filter") == "exact"
        found = [r for r in found if (r["Number"] == number if exact else number.lower() in r["Number"].lower())]
    if word:
        found = [r for r in found if word in _text(r).lower()]
    if twin.toggle("version") != "1.0":
        for name, fits in (("lastChangeFrom", datetime.__ge__), ("lastChangeTo", datetime.__le__)):
            if at := request.args.get(name):
                limit = _moment(twin, name, at)
                found = [r for r in found if fits(datetime.fromisoformat(r["LastChange"]), limit)]
    return found


def _moment(twin: Twin, name: str, text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise Refusal(400, _error(twin, "VALIDATION_ERROR", "Wrong type.", {name: "Wrong type."})) from None


def _text(record: Record) -> str:
    return " ".join([record["Number"], *(str(record["BillingAddress"].get(name) or "") for name in _SEARCHED)])


def _page(twin: Twin, found: list[Record]) -> Record:
    try:
        number, size = int(request.args.get("pageNumber", 1)), int(request.args.get("pageSize", 100))
    except ValueError:
        raise Refusal(400, _error(twin, "VALIDATION_ERROR", "Wrong type.", {"pageNumber": "Wrong type."})) from None
    size = min(size, int(twin.toggle("page_size")))
    pages = max(-(-len(found) // size), 1)
    following = min(number + 1, pages) if number < pages or twin.toggle("last_page") == "repeats" else None
    before = max(number - 1, 1) if number > 1 or twin.toggle("last_page") == "repeats" else None
    return {
        "TotalItems": len(found), "PageNumber": number, "PageSize": size, "Items": found[(number - 1) * size :][:size],
        "TotalPages": pages, "HasPreviousPage": number > 1, "HasNextPage": number < pages,
        "NextPageNumber": following, "PreviousPageNumber": before,
    }  # fmt: skip


def _view(twin: Twin, record: Record) -> Record:
    shown = {name: value for name, value in record.items() if name != "LastChange" or twin.toggle("version") != "1.0"}
    if shown["Birthday"] is None and twin.toggle("no_birthday") == "year-one":
        shown["Birthday"] = "0001-01-01T00:00:00.0000000+00:00"
    if shown["Birthday"] and twin.toggle("birthday") == "utc":
        shown["Birthday"] = rules.in_utc(shown["Birthday"])
    if shown["LanguageIso"] and twin.toggle("language_case") == "lower":
        shown["LanguageIso"] = shown["LanguageIso"].lower()
    return _without_nulls(shown) if twin.toggle("unset") == "absent" else shown


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    return value


def _spelled(twin: Twin, value: Any) -> Any:
    """An answer in the spelling of the toggle."""
    if twin.toggle("spelling") == "pascal":
        return value
    if isinstance(value, list):
        return [_spelled(twin, item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name[:1].lower() + name[1:]: _spelled(twin, item) for name, item in value.items()}


def _error(twin: Twin, code: str, sentence: str, wrong: Mapping[str, str] | None = None) -> Record:
    body = {"ErrorCode": code, "ValidationErrors": dict(wrong or {}), "ErrorMessage": sentence, "Stacktrace": None}
    spelled = _spelled(twin, body if twin.toggle("version") == "1.0" else body | {"Errors": {}})
    assert isinstance(spelled, dict)  # noqa: S101 - for the type checker
    return spelled


def _lock(twin: Twin, record: Record) -> None:
    record["IsLocked"] = True
    _stamp(twin, record)


def _stamp(twin: Twin, record: Record) -> None:
    record["LastChange"] = rules.moment(twin.now())

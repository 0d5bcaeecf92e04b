"""What all sandboxes share. A sandbox is a Flask app over a `Twin`: the records of one pretended provider.

How to write one, in a page:

    TOGGLES = {"semantics": ("replace", "merge")}            # the first value is the default

    def create_twin(clock: Clock | None = None) -> Twin:
        return Twin("acme", TOGGLES, clock=clock)

    def create_app(twin: Twin) -> Flask:
        app = kit.app(twin, authorised=_authorised, refused=_refused)
        @app.get("/customer/<number>")
        def read(number: str) -> Answer:
            record = twin.records.get(number)
            return (record, 200) if record else ({"detail": "not found"}, 404)
        @app.put("/customer/<number>")
        def write(number: str) -> Answer:
            body = kit.json_body()                           # strict; Refusal(400) for what is no JSON object
            twin.put(number, {**body, "number": number})     # every change goes through put, drop or touch
            return twin.records[number], 202
        return app

* `authorised() -> bool` runs before each request; `refused(status, sentence) -> Answer` gives every error of the kit
  (401, 404, 405, 415, 400, 500) the provider's own shape. Raise `Refusal(status, body, headers)` anywhere to answer.
* A rule is in a sandbox because breaking the adapter must turn the contract suite red. What the real provider does
  and what nobody knows becomes a toggle; the adapter has to pass under every value.
* Handlers run one at a time under `twin.lock`; faults wait outside of it. `twin.now()` is the only clock.
* Everything is deterministic: ids come from `twin.next_id()`, nothing from `random`.
* `twin.by(texts("number")).at("K-7")` finds by a value; where the twin is `indexed`, in a time that does not grow with
  the records. A handler that changes a record in place tells so: `twin.touch(external_id)`.

In a test: `with serve([app]) as server:` gives real sockets; `server.url("acme")` is the base URL. `twin.records`,
`twin.log` and `twin.faults` are looked at and changed directly; other processes use the control API of the same port:

    GET    /_control                       toggles, counters
    POST   /_control/faults                one fault or a list: {"kind": "reset-after", "method": "PUT", "times": 2}
    DELETE /_control/faults                forget all faults
    POST   /_control/toggles               {"semantics": "merge"}
    POST   /_control/idle                  {"seconds": 0.5}: how long a silent connection is kept; 0: not at all
    POST   /_control/reset                 no records, no log, no faults, default toggles
    GET    /_control/log                   requests: method, route, body keys, status, whether a record changed
    GET    /_control/records               all records by id
    PUT, PATCH, DELETE /_control/records/<id>     what a person at the provider does: add, edit, delete
    POST   /_control/archive/<id>          a person archives
    POST   /_control/late                  let the late effects happen now

Faults are in `sandbox/faults.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue as Answer
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule

from syncd.providers.strict import Unreadable, parse_json
from syncd.sandbox.brought import Sandbox
from syncd.sandbox.control import add_control
from syncd.sandbox.faults import Fault
from syncd.sandbox.index import texts
from syncd.sandbox.server import Server, serve, twin_of
from syncd.sandbox.twin import Entry, Record, Refusal, Twin
from syncd.sandbox.wire import FaultyWire

__all__ = [
    "Answer", "Entry", "Fault", "Record", "Refusal", "Sandbox", "Server", "Twin", "app", "body_keys",
    "json_body", "serve", "texts", "twin_of",
]  # fmt: skip


class Refused(Protocol):
    """The provider's own shape of an error that the kit found: 401, 404, 405, 400, 415, 500."""

    def __call__(self, status: int, sentence: str) -> Answer: ...


class _Route(Rule):
    """A rule that answers requests and builds no address: werkzeug writes and compiles two functions a rule for that,
    which is most of a sandbox's start."""

    def _compile_builder(self, *_: object, **_more: object) -> Callable[..., tuple[str, str]]:
        def build(_rule: Rule, **_values: object) -> tuple[str, str]:
            raise LookupError("a sandbox builds no addresses")

        return build


class _Sandbox(Flask):
    url_rule_class = _Route


def app(twin: Twin, *, authorised: Callable[[], bool], refused: Refused) -> Flask:
    """A Flask app with the kit's log, faults, errors and control API; the provider adds its routes.

    `authorised` reads `flask.request`; where its answer depends on more than yes or no, it raises `Refusal`.
    """
    made = _Sandbox(f"syncd.sandbox.{twin.name}", static_folder=None)
    made.json.sort_keys = False  # type: ignore[attr-defined]
    made.url_map.strict_slashes = True
    made.url_map.merge_slashes = False
    made.extensions["twin"] = twin

    @made.before_request
    def check() -> Answer | None:
        if request.path.startswith("/_control") or authorised():
            return None
        return refused(401, "not authorised")

    @made.errorhandler(Refusal)
    def answer(refusal: Refusal) -> Answer:
        if refusal.body is None:
            return Response(status=refusal.status, headers=refusal.headers)
        return jsonify(refusal.body), refusal.status, refusal.headers

    @made.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Answer:
        response = made.make_response(refused(error.code or 500, error.name))
        if error.code == 405 and (allowed := getattr(error, "valid_methods", None)):
            response.headers["Allow"] = ", ".join(sorted(allowed))
        return response

    add_control(made, twin)
    made.wsgi_app = FaultyWire(made, twin.faults, twin.now, _recorder(twin))  # type: ignore[method-assign]
    return made


def json_body(*, content_type: str = "application/json", unsupported: int = 415, malformed: int = 400) -> Record:
    """The request's body as a strictly parsed JSON object. Answers `unsupported` for another content type and
    `malformed` for what is no object, both in the app's own error shape."""
    if request.mimetype != content_type:
        raise _abort(unsupported)
    try:
        value = parse_json(request.get_data())
    except Unreadable:
        raise _abort(malformed) from None
    if not isinstance(value, dict):
        raise _abort(malformed)
    return value


def body_keys(value: Any, prefix: str = "") -> tuple[str, ...]:
    """All keys in a JSON value, nested ones as `a.b`; list items share their list's name."""
    if isinstance(value, list):
        return tuple(dict.fromkeys(key for item in value for key in body_keys(item, prefix)))
    if not isinstance(value, dict):
        return ()
    keys: list[str] = []
    for name, item in value.items():
        path = f"{prefix}{name}"
        keys += [path, *body_keys(item, f"{path}.")]
    return tuple(dict.fromkeys(keys))


def _abort(status: int) -> HTTPException:
    error = HTTPException()
    error.code = status
    return error


def _recorder(twin: Twin) -> Callable[[Mapping[str, Any], str, bytes, Callable[[], int]], None]:
    """Runs one request under the twin's lock and writes it down."""

    def run(environ: Mapping[str, Any], route: str, body: bytes, execute: Callable[[], int]) -> None:
        with twin.lock:
            before = twin.version
            status = execute()
            twin.note(_entry(environ, route, body, twin.now(), (status, twin.version != before)))

    return run


def _entry(environ: Mapping[str, Any], route: str, body: bytes, at: datetime, outcome: tuple[int, bool]) -> Entry:
    try:
        keys = body_keys(parse_json(body))
    except Unreadable:
        keys = ()
    headers = {name[5:].replace("_", "-").lower(): str(value) for name, value in environ.items() if name[:5] == "HTTP_"}
    return Entry(
        method=environ["REQUEST_METHOD"],
        route=route,
        path=environ["PATH_INFO"],
        query=environ.get("QUERY_STRING", ""),
        headers=headers | {"content-type": environ.get("CONTENT_TYPE", "")},
        body=body,
        keys=keys,
        at=at,
        status=outcome[0],
        wrote=outcome[1],
    )

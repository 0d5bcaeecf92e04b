"""Faults on demand: what goes wrong between a provider and us, and where exactly.

A fault hits the next request that fits it (`method`, `route`, after `skip` others), `times` times (0: until cleared).

    kind            executed?  what the client sees
    status          no         `status` (503) with `headers` and `body`
    status-after    yes        the same, although the write took effect
    reset           no         a TCP reset before any answer
    reset-after     yes        a TCP reset before any answer
    reset-body      yes        a TCP reset in the middle of the answer
    hang            no         nothing for `seconds`, then a closed connection
    hang-after      yes        the same
    slow            yes        the true answer after `seconds`
    trickle         yes        the true answer, `seconds` between two bytes of its body
    trickle-head    yes        the true answer, `seconds` between two bytes of its head
    endless         yes        a body that never ends, as fast as it goes
    truncated       yes        half of the body that Content-Length promised
    cut             yes        a complete answer whose JSON is cut in half
    html            yes        a page, with the true status (or `status`)
    body            yes        `body` instead of the true one, with the true status (or `status`)
    merge           yes        the true answer with `patch` merged into it (RFC 7396), e.g. another customer's id
    gzip            yes        the true answer, compressed although nobody asked
    late            later      a TCP reset, or `status`; the request takes effect before the `after`-th next request,
                               after `seconds` of the sandbox's clock, or with `release_late`: whatever comes first
"""

from __future__ import annotations

import gzip
import json
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any, NoReturn, cast

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.test import run_wsgi_app

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

KINDS = frozenset({
    "status", "status-after", "reset", "reset-after", "reset-body", "hang", "hang-after", "slow", "trickle",
    "trickle-head", "endless", "truncated", "cut", "html", "body", "merge", "gzip", "late",
})  # fmt: skip
_NOT_EXECUTED = frozenset({"status", "reset", "hang", "late"})
_PAGE = b"<!DOCTYPE html><html><body><h1>Bad gateway</h1></body></html>"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to go wrong; see the module for the kinds. `route` is a Flask rule such as `/customer/<number>`."""

    kind: str
    method: str = ""
    route: str = ""
    times: int = 1
    skip: int = 0
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    patch: Any = None
    seconds: float | None = None
    after: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no fault is called {self.kind}")

    def fits(self, method: str, route: str) -> bool:
        return self.method in {"", method} and self.route in {"", route}


@dataclass(frozen=True, slots=True)
class _Late:
    run: Callable[[], None]
    at: datetime | None
    after: int | None


class Wire:
    """The faults that are due, and the effects that are late. Safe to use from all threads."""

    def __init__(self) -> None:
        self.queue: list[Fault] = []
        self.hit: list[Fault] = []
        self._late: list[_Late] = []
        self._lock = threading.RLock()
        self.released = threading.Event()

    def add(self, *faults: Fault) -> None:
        """Queue faults; the first that fits a request is used."""
        with self._lock:
            self.released.clear()
            self.queue.extend(faults)

    def clear(self) -> None:
        """Forget all faults and late effects, and let go what hangs."""
        with self._lock:
            self.queue.clear()
            self.hit.clear()
            self._late.clear()
            self.released.set()

    def take(self, method: str, route: str) -> Fault | None:
        """The fault for this request, if any; counts it."""
        with self._lock:
            for place, fault in enumerate(self.queue):
                if not fault.fits(method, route):
                    continue
                if fault.skip:
                    self.queue[place] = replace(fault, skip=fault.skip - 1)
                    continue
                if fault.times == 1:
                    del self.queue[place]
                elif fault.times:
                    self.queue[place] = replace(fault, times=fault.times - 1)
                self.hit.append(fault)
                return fault
        return None

    def postpone(self, fault: Fault, run: Callable[[], None], now: datetime) -> None:
        """Let `run` happen later."""
        at = None if fault.seconds is None else now + timedelta(seconds=fault.seconds)
        with self._lock:
            self._late.append(_Late(run, at, fault.after))

    def release_late(self, now: datetime | None = None) -> None:
        """Run the late effects that are due at `now`, all of them for None; each request counts one down."""
        with self._lock:
            waiting = self._late
            if now is not None:
                waiting = [replace(late, after=None if late.after is None else late.after - 1) for late in waiting]
            due = [late for late in waiting if now is None or _is_due(late, now)]
            self._late = [late for late in waiting if late not in due]
        for late in due:
            late.run()


def _is_due(late: _Late, now: datetime) -> bool:
    return (late.at is not None and late.at <= now) or (late.after is not None and late.after <= 0)


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


Recorder = Callable[["Mapping[str, Any]", str, bytes, Callable[[], int]], None]


class FaultyWire:
    """WSGI middleware that lets an app answer, and then does to the answer what the fault says."""

    def __init__(self, app: Flask, wire: Wire, now: Callable[[], datetime], record: Recorder) -> None:
        self._app = app
        self._plain = app.wsgi_app
        self._wire = wire
        self._now = now
        self._record = record

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith("/_control"):
            return self._plain(environ, start_response)
        body = _read_body(environ)
        route = self._route(environ)
        method = str(environ["REQUEST_METHOD"])
        self._wire.release_late(self._now())
        fault = self._wire.take(method, route)
        if fault is None:
            return self._send(self._run(environ, route, body), start_response)
        if fault.kind == "late":
            kept = dict(environ)
            self._wire.postpone(fault, lambda: void(self._run(kept, route, body)), self._now())
            if fault.status is None:
                _reset(environ)
        if fault.kind in _NOT_EXECUTED:
            self._record(environ, route, body, lambda: fault.status or 0)
            reply = _Reply(fault.status or 503, tuple(fault.headers.items()), fault.body.encode())
        else:
            reply = self._run(environ, route, body)
        return self._send(self._spoil(fault, reply, environ), start_response)

    def _send(self, reply: _Reply, start_response: StartResponse) -> Iterable[bytes]:
        """The ordinary way. The sandbox's clock makes the `Date`, as a provider's own would."""
        headers = _headers(reply)
        if not any(name.lower() == "date" for name, _ in headers):
            headers.append(("Date", format_datetime(self._now(), usegmt=True)))
        start_response(f"{reply.status} {HTTP_STATUS_CODES.get(reply.status, 'Unknown')}", headers)
        return [reply.body]

    def _route(self, environ: WSGIEnvironment) -> str:
        try:
            rule, _ = self._app.url_map.bind_to_environ(environ).match(return_rule=True)
        except HTTPException:
            return ""
        return str(rule.rule)

    def _run(self, environ: Mapping[str, Any], route: str, body: bytes) -> _Reply:
        reply: list[_Reply] = []

        def execute() -> int:
            copy = cast("WSGIEnvironment", {**environ, "wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))})
            chunks, status, headers = run_wsgi_app(self._plain, copy, buffered=True)
            reply.append(_Reply(int(status.split()[0]), tuple(headers.items()), b"".join(chunks)))
            return reply[0].status

        self._record(environ, route, body, execute)
        return reply[0]

    def _spoil(self, fault: Fault, reply: _Reply, environ: WSGIEnvironment) -> _Reply:
        """The reply to send the ordinary way; the kinds that need the bare connection never return."""
        kind = fault.kind
        if kind in {"reset", "reset-after"}:
            _reset(environ)
        if kind in {"hang", "hang-after"}:
            self._hang(environ, fault.seconds or 60.0)
        if kind in {"trickle", "trickle-head", "endless", "truncated", "reset-body"}:
            _drip(fault, reply, environ, self._wire.released)
        if kind == "slow":
            self._wire.released.wait(fault.seconds or 1.0)
        return _altered(fault, reply)

    def _hang(self, environ: WSGIEnvironment, seconds: float) -> NoReturn:
        """Say nothing until the time is over, the client goes away or the sandbox stops."""
        connection = _connection(environ)
        waited = 0.0
        while waited < seconds and not self._wire.released.wait(0.02):
            waited += 0.02
            if select.select([connection], [], [], 0)[0]:
                break
        _end(connection, reset=False)


def void(_: object) -> None:
    """Drop a value that nobody waits for."""


def _altered(fault: Fault, reply: _Reply) -> _Reply:
    status = fault.status or reply.status
    if fault.kind == "status-after":
        return _Reply(fault.status or 503, tuple(fault.headers.items()), fault.body.encode())
    if fault.kind == "cut":
        return replace(reply, body=reply.body[: len(reply.body) // 2])
    if fault.kind == "html":
        return _Reply(status, (("Content-Type", "text/html; charset=utf-8"),), _PAGE)
    if fault.kind == "body":
        content = (("Content-Type", "application/json"), *fault.headers.items())
        return _Reply(status, content, fault.body.encode("utf-8", "surrogateescape"))
    if fault.kind == "merge":
        return replace(reply, body=json.dumps(merged(json.loads(reply.body), fault.patch)).encode())
    if fault.kind == "gzip":
        return replace(reply, body=gzip.compress(reply.body), headers=(*reply.headers, ("Content-Encoding", "gzip")))
    return reply


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396 without its deletions: objects are merged, everything else is replaced; lists item by item."""
    if isinstance(patch, dict) and isinstance(target, list):
        return [merged(item, patch) for item in target]
    if not isinstance(patch, dict) or not isinstance(target, dict):
        return patch
    return target | {name: merged(target.get(name), value) for name, value in patch.items()}


def _read_body(environ: WSGIEnvironment) -> bytes:
    length = environ.get("CONTENT_LENGTH") or "0"
    return cast("bytes", environ["wsgi.input"].read(int(length)))


def _headers(reply: _Reply) -> list[tuple[str, str]]:
    kept = [(name, value) for name, value in reply.headers if name.lower() != "content-length"]
    return kept if reply.status in {204, 304} else [*kept, ("Content-Length", str(len(reply.body)))]


def _connection(environ: WSGIEnvironment) -> socket.socket:
    connection = environ.get("werkzeug.socket")
    if not isinstance(connection, socket.socket):
        raise RuntimeError("this fault needs a real connection: use serve()")  # noqa: TRY004 - not about a type
    return connection


def _reset(environ: WSGIEnvironment) -> NoReturn:
    _end(_connection(environ), reset=True)


def _end(connection: socket.socket, *, reset: bool) -> NoReturn:
    """Close the connection now, under the feet of the server, which takes it for a client that went away."""
    bare = socket.socket(fileno=connection.detach())
    if reset:
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    bare.close()
    raise ConnectionAbortedError


def _drip(fault: Fault, reply: _Reply, environ: WSGIEnvironment, stop: threading.Event) -> NoReturn:
    """Write the answer by hand, as the fault wants it."""
    connection = _connection(environ)
    lines = [f"HTTP/1.1 {reply.status} {HTTP_STATUS_CODES.get(reply.status, 'Unknown')}"]
    kept = [pair for pair in _headers(reply) if fault.kind != "endless" or pair[0].lower() != "content-length"]
    head = "\r\n".join([*lines, *(f"{name}: {value}" for name, value in kept), "Connection: close", "", ""]).encode()
    half = reply.body[: max(len(reply.body) // 2, 1)]
    pause = fault.seconds or 0.1
    try:
        if fault.kind == "trickle-head":
            _slowly(connection, head, pause, stop)
            connection.sendall(reply.body)
        elif fault.kind == "trickle":
            connection.sendall(head)
            _slowly(connection, reply.body, pause, stop)
        elif fault.kind == "endless":
            connection.sendall(head)
            while not stop.is_set():
                connection.sendall(b" " * 65_536)
        else:
            connection.sendall(head + half)
    except OSError:
        pass  # the client had enough
    _end(connection, reset=fault.kind == "reset-body")


def _slowly(connection: socket.socket, data: bytes, pause: float, stop: threading.Event) -> None:
    for place in range(len(data)):
        connection.sendall(data[place : place + 1])
        if stop.wait(pause):
            return

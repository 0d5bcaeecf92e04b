"""Plays the faults of a sandbox: WSGI middleware that writes to the bare connection where a fault needs it."""

from __future__ import annotations

import gzip
import json
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import format_datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any, NoReturn, cast

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.test import run_wsgi_app

from syncd.sandbox.faults import NOT_EXECUTED, SERVED, Fault, Wire

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_PAGE = b"<!DOCTYPE html><html><body><h1>Bad gateway</h1></body></html>"


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


Recorder = Callable[["Mapping[str, Any]", str, bytes, Callable[[], int]], None]


class FaultyWire:
    """WSGI middleware that lets an app answer, and spoils the answer as the fault says."""

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
        fault = self._wire.take(method, route, kept=environ.get(SERVED, 0) > 0)
        if fault is None:
            return self._send(self._run(environ, route, body), start_response)
        if fault.kind == "stale":
            _end(_connection(environ), reset=False)
        if fault.kind == "late":
            kept = dict(environ)
            self._wire.postpone(fault, lambda: void(self._run(kept, route, body)), self._now())
            if fault.status is None:
                _reset(environ)
        if fault.kind in NOT_EXECUTED:
            self._record(environ, route, body, lambda: fault.status or 0)
            reply = _Reply(fault.status or 503, tuple(fault.headers.items()), fault.body.encode())
        else:
            reply = self._run(environ, route, body)
        return self._send(self._spoil(fault, reply, environ), start_response)

    def _send(self, reply: _Reply, start_response: StartResponse) -> Iterable[bytes]:
        """Send a reply through WSGI, with a `Date` by the sandbox's clock, as a provider's answer has its own."""
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
        """Send nothing until the time is over, the client closes the connection, or the sandbox stops."""
        connection = _connection(environ)
        waited = 0.0
        while waited < seconds and not self._wire.released.wait(0.02):
            waited += 0.02
            if select.select([connection], [], [], 0)[0]:
                break
        _end(connection, reset=False)


def void(_: object) -> None:
    """Take a value and do nothing with it."""


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
    """Close the connection at once. The server takes that for a client that closed it."""
    bare = socket.socket(fileno=connection.detach())
    if reset:
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    bare.close()
    raise ConnectionAbortedError


def _drip(fault: Fault, reply: _Reply, environ: WSGIEnvironment, stop: threading.Event) -> NoReturn:
    """Write the answer to the bare connection, as the fault wants it."""
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

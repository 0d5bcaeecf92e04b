"""Serves sandboxes on loopback, with connections that are kept as real providers keep them.

werkzeug's own handler ends a connection after each answer. Then no test would meet a kept connection that was closed
while it was idle, or just as the next request comes (fault `stale`). `Twin.idle` is how long a silent connection is
kept, in seconds; with 0 every answer ends its connection.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from flask import Flask
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.test import run_wsgi_app

from syncd.sandbox.faults import SERVED
from syncd.sandbox.twin import IDLE, Twin

_NO_BODY = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class Server:
    """Running sandboxes, one loopback port each, as the real providers are one host each."""

    twins: Mapping[str, Twin]
    ports: Mapping[str, int]

    def url(self, name: str) -> str:
        """`http://127.0.0.1:PORT`, without a path."""
        return f"http://127.0.0.1:{self.ports[name]}"


@contextmanager
def serve(apps: Iterable[Flask], port: int = 0) -> Iterator[Server]:
    """Serve all apps on loopback until the block ends: on `port`, `port + 1` …, or on free ports for 0.

    Requests that still hang are ended with the block. Raises OSError where a port is taken.
    """
    running: list[tuple[_Listener, threading.Thread]] = []
    try:
        for offset, made in enumerate(apps):
            listener = _Listener(made, port + offset if port else 0)
            thread = threading.Thread(
                target=listener.serve_forever, args=(0.02,), name=f"sandbox-{made.name}", daemon=True
            )
            thread.start()
            running.append((listener, thread))
        yield Server(
            {listener.twin.name: listener.twin for listener, _ in running},
            {listener.twin.name: listener.port for listener, _ in running},
        )
    finally:
        for listener, thread in running:
            listener.twin.faults.clear()
            listener.shutdown()
            thread.join()
            listener.hang_up()
            listener.server_close()


def twin_of(made: Flask) -> Twin:
    """The twin an app was made with."""
    found = made.extensions["twin"]
    assert isinstance(found, Twin)  # noqa: S101 - for the type checker
    return found


class _Listener(ThreadedWSGIServer):
    """The listener of one sandbox. It ends open connections with the sandbox: a kept one would outlive it."""

    def __init__(self, made: Flask, port: int) -> None:
        self.twin = twin_of(made)
        self._open: set[Any] = set()
        with socket.create_server(("127.0.0.1", port)) as bound:  # werkzeug itself would end the process
            super().__init__("127.0.0.1", port, made, _Handler, fd=bound.fileno())

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Close the open connections."""
        for connection in list(self._open):
            with suppress(OSError):  # the other side was first
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener
    served = 0

    def handle_one_request(self) -> None:
        """Wait for a request as long as a silent connection is kept; a new one has not been silent yet."""
        self.connection.settimeout((self.server.twin.idle if self.served else IDLE) or None)
        super().handle_one_request()

    def run_wsgi(self) -> None:
        """Send one answer in one piece. The connection is kept, unless one side wants it closed."""
        self.connection.settimeout(None)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))  # unread, it would begin the next request
        environ = {**self.make_environ(), "wsgi.input": BytesIO(body), SERVED: self.served}
        self.served += 1
        try:
            chunks, status, headers = run_wsgi_app(self.server.app, environ, buffered=True)
            answer = b"".join(chunks)
            self.close_connection = self.close_connection or not self.server.twin.idle
            self.wfile.write(self._head(status, list(headers.items()), answer) + answer)
        except ConnectionError:  # a fault closed the connection, or the client has gone
            self.close_connection = True

    def _head(self, status: str, headers: list[tuple[str, str]], body: bytes) -> bytes:
        """The head of an answer: its headers, `Date` by the twin's clock, and its length."""
        if int(status[:3]) not in _NO_BODY and not any(name.lower() == "content-length" for name, _ in headers):
            headers.append(("Content-Length", str(len(body))))
        if self.close_connection:
            headers.append(("Connection", "close"))
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), "", ""]
        return "\r\n".join(lines).encode("latin-1")

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - the parent's name
        """Print nothing: requests are in `twin.log`."""

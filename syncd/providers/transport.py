"""The transport under `Http`: kept connections, one deadline a request, a cap on every answer, and foreign errors
mapped in one place.

httpx's own transport times out a single read, so a server that sends a byte a second holds a request for ever, and it
costs a multiple of the sockets below it. Here every "timeout" that travels with a request is the *moment* (monotonic
seconds) at which the whole request must be over. This covers trickling headers, bodies and TLS handshakes alike; only
the resolver of the operating system keeps its own limit.

A server may close a kept connection at any time, also in the instant in which a request is sent on it. A write whose
last byte the socket never took was not executed: no server runs a JSON body that it does not have whole. Where the
socket took all and the connection ends without an answer, a server that gave up an idle connection cannot be told from
one that died after its work: the outcome is unknown and the request is not repeated. To keep that rare, a connection is
used again only within `KEPT` of its last answer, sooner than the known servers close it (gunicorn 2 s; Apache, Node and
uvicorn 5 s), and a closed one not at all. To let it happen once, a provider that closes a kept connection under a
request gets a fresh connection for every request for as long as `DISTRUST`.
"""

from __future__ import annotations

import ipaddress
import ssl
import time
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import h11
import httpx

from syncd.errors import OutcomeUnknown, Problem, ProviderError, SettingsError, Temporary
from syncd.providers.connection import HEADERS, Connection, connect, tls, valid
from syncd.providers.way import OPEN_WAY, PrivateAddressError, Way

MAX_BODY = 5_000_000
KEPT = 1.5
DISTRUST = 3600.0
TOKEN = "syncd.token"  # noqa: S105 - marks a request of an auth object: it never carries a customer
READING = "syncd.reading"
WHAT = "syncd.what"
_FAILURES = (OSError, h11.RemoteProtocolError)


def checked_url(url: str, *, allow_http: bool) -> httpx.URL:
    """`url`, parsed, where credentials may be sent to it: https, or http to loopback and where it is allowed.

    Raises `SettingsError` for any other, and for one with a user name, a query or a fragment.
    """
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError, ValueError):
        raise SettingsError([Problem("url", "This is not a URL.")]) from None
    if parsed.userinfo or parsed.query or parsed.fragment:
        raise SettingsError([Problem("url", "A URL has no user, query or fragment here.")])
    if not parsed.host or parsed.scheme not in {"http", "https"}:
        raise SettingsError([Problem("url", "A URL with https:// and a host is needed.")])
    if parsed.scheme == "http" and not (allow_http or _is_loopback(parsed.host)):
        raise SettingsError([Problem("url", "Only https is allowed, except on loopback.")])
    return parsed


def same_origin(one: httpx.URL, other: httpx.URL) -> bool:
    """Scheme, host and port are equal; a default port equals none."""
    return (one.raw_host, one.scheme, _port(one)) == (other.raw_host, other.scheme, _port(other))


def _port(url: httpx.URL) -> int | None:
    return url.port or {"http": 80, "https": 443}.get(url.scheme)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def extensions(*, deadline: float, reading: bool, what: str, target: bytes = b"") -> dict[str, Any]:
    """The `extensions` of an httpx request: `deadline` is a moment, `target` the path to ask for at the URL's origin
    (the URL's own path where it is empty)."""
    moments = dict.fromkeys(("connect", "read", "write", "pool"), deadline)
    return {"timeout": moments, "target": target, READING: reading, WHAT: what}


class Transport(httpx.BaseTransport):
    """Sends a request to the configured origin only, and raises `ProviderError`s instead of httpx's errors.

    Idle connections are a stack that all threads share: the one used last is taken first, and the rest grows old.
    """

    def __init__(self, origin: httpx.URL, way: Way = OPEN_WAY) -> None:
        self._origin = origin
        self._way = way
        self._idle: list[Connection] = []
        self._context: ssl.SSLContext | None = None
        self._distrusted_until = 0.0
        self._closed = False
        self._valid = lru_cache(256)(valid)  # most requests of a provider differ in their length alone

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if TOKEN not in request.extensions and not same_origin(request.url, self._origin):
            raise Temporary("a request for another origin was stopped")
        deadline = float(request.extensions["timeout"]["read"])
        connection = self._kept(request) or self._connected(request, deadline)
        try:
            status, headers = self._exchange(connection, request, deadline)
        except BaseException:
            connection.close()
            raise
        return httpx.Response(status, headers=headers, stream=_Body(self, connection, request, headers))

    def close(self) -> None:
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def give_back(self, connection: Connection, request: httpx.Request) -> None:
        """Keep a connection whose answer was read to its end; close any other. Token servers are asked too seldom."""
        trusted = not self._closed and time.monotonic() >= self._distrusted_until
        if trusted and TOKEN not in request.extensions and connection.rest():
            self._idle.append(connection)
        else:
            connection.close()

    def _kept(self, request: httpx.Request) -> Connection | None:
        """An idle connection that the server still holds, as far as that can be seen."""
        while self._idle and TOKEN not in request.extensions:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread was faster
                return None
            if time.monotonic() - connection.idle_since < KEPT and connection.is_silent():
                return connection
            connection.close()
        return None

    def _connected(self, request: httpx.Request, deadline: float) -> Connection:
        url = request.url
        if url.scheme == "https" and self._context is None:
            self._context = tls()
        context = self._context if url.scheme == "https" else None
        try:
            return connect(url.raw_host.decode("ascii"), _port(url) or 0, context, deadline, self._way)
        except PrivateAddressError as error:
            raise Temporary(f"{_what(request)}: {error}; private = true in its settings allows that") from None
        except (OSError, ValueError) as error:
            raise Temporary(f"{_what(request)}: no connection ({type(error).__name__})") from None

    def _exchange(self, connection: Connection, request: httpx.Request, deadline: float) -> tuple[int, HEADERS]:
        """Status and headers of the answer to a request that leaves now."""
        target = request.extensions.get("target") or request.url.raw_path
        try:
            head = (request.method.encode("ascii"), target, self._valid(tuple(request.headers.raw)))
            whole = connection.send(head, request.read(), deadline)
        except h11.LocalProtocolError:
            raise Temporary(f"{_what(request)}: the request is not valid HTTP and was not sent") from None
        try:
            return connection.head(deadline)
        except _FAILURES as error:
            name = type(error).__name__
            if connection.used and not isinstance(error, TimeoutError):
                self._distrusted_until = time.monotonic() + DISTRUST
            if not whole:
                raise Temporary(f"{_what(request)}: the request did not leave whole ({name})") from None
            raise lost(request, f"no readable answer ({name})") from None


def _what(request: httpx.Request) -> str:
    return str(request.extensions.get(WHAT, request.method))


def lost(request: httpx.Request, why: str, *, status: int | None = None) -> ProviderError:
    """The error for a request that left and got no usable answer: `Temporary` for a reading, `OutcomeUnknown` for a
    write."""
    kind = Temporary if request.extensions.get(READING, True) else OutcomeUnknown
    return kind(f"{_what(request)}: {why}", status=status)


class _Body(httpx.SyncByteStream):
    """The raw body of an answer, `MAX_BODY` bytes at most, and never a compressed one, which could unfold to more."""

    def __init__(self, transport: Transport, connection: Connection, request: httpx.Request, headers: HEADERS) -> None:
        self._transport = transport
        self._connection = connection
        self._request = request
        self._headers = headers

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        codings = {value.strip().lower() for name, value in self._headers if name.lower() == b"content-encoding"}
        if codings - {b"", b"identity"}:
            raise lost(self._request, "a compressed answer, which was not asked for")
        try:
            for chunk in self._connection.body(float(self._request.extensions["timeout"]["read"])):
                size += len(chunk)
                if size > MAX_BODY:
                    raise lost(self._request, f"an answer of more than {MAX_BODY} bytes")
                yield chunk
        except _FAILURES as error:
            raise lost(self._request, f"no readable answer ({type(error).__name__})") from None

    def close(self) -> None:
        self._transport.give_back(self._connection, self._request)

"""The wire under `Http`: connections with a deadline, a cap on every answer, and foreign errors mapped in one place.

httpx and httpcore time out a single read, so a server that sends a byte a second holds a request for ever. Here every
"timeout" that travels with a request is the *moment* (monotonic seconds) at which the whole request must be over, and
the network backend turns it into the time that is left before each read and write. This covers trickling headers,
bodies and TLS handshakes alike; only the resolver of the operating system keeps its own limit.

A kept connection may be closed by the server at any time, also in the instant in which we send on it. A write whose
last byte the socket never took was not executed: no server runs a JSON body that it does not have whole. If it took
all and the connection ends without an answer, nobody can tell an idle connection that was given up from a server that
died after its work, so the outcome is unknown and the request is not repeated. To keep that rare, a connection is
used again only within `KEPT` of its last answer, sooner than any server we know gives it up (gunicorn 2 s; Apache,
Node and uvicorn 5 s), and one that is already closed is not used at all. To keep it single, a provider that ends a
kept connection under a request gets a fresh connection for every request for as long as `DISTRUST`.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx

from syncd.errors import OutcomeUnknown, Problem, ProviderError, SettingsError, Temporary

MAX_BODY = 5_000_000
KEPT = 1.5
DISTRUST = 3600.0
TOKEN = "syncd.token"  # noqa: S105 - marks a request of an auth object: it never carries a customer
READING = "syncd.reading"
WHAT = "syncd.what"
_WRITE_SIZE = 65_536
_CUT_SHORT = frozenset({"http11.send_request_headers.failed", "http11.send_request_body.failed"})
_CONNECTED = "connection.connect_tcp.started"
_NEVER_LEFT = (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout, httpcore.UnsupportedProtocol)


def checked_url(url: str, *, allow_http: bool) -> httpx.URL:
    """`url` as an origin we may send credentials to: https, or http for loopback and where it is allowed.

    Raises `SettingsError` for anything else, and for user names, queries and fragments in it.
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
    return (one.scheme, one.host, _port(one)) == (other.scheme, other.host, _port(other))


def _port(url: httpx.URL) -> int | None:
    return url.port or {"http": 80, "https": 443}.get(url.scheme)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def extensions(*, deadline: float, timeout: float, reading: bool, what: str) -> dict[str, Any]:
    """What travels beside a request: `deadline` is a moment, `timeout` (seconds) the wait for a connection."""
    moments = {"connect": deadline, "read": deadline, "write": deadline, "pool": timeout}
    return {"timeout": moments, READING: reading, WHAT: what}


class Transport(httpx.BaseTransport):
    """Sends a request to the configured origin only, and raises `ProviderError`s instead of httpx's errors."""

    def __init__(self, origin: httpx.URL, *, connections: int) -> None:
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._origin = origin
        self._keeping = _pool(context, connections, kept=connections)
        self._fresh = _pool(context, connections, kept=0)
        self._distrusted_until = 0.0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if TOKEN not in request.extensions and not same_origin(request.url, self._origin):
            raise Temporary("a request for another origin was stopped")
        pool = self._fresh if time.monotonic() < self._distrusted_until else self._keeping
        passed: set[str] = set()
        with _mapped(request, passed):
            try:
                answer = pool.handle_request(_plain(request, passed))
            except (httpcore.NetworkError, httpcore.RemoteProtocolError):
                if _CONNECTED not in passed:
                    self._distrusted_until = time.monotonic() + DISTRUST
                raise
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(request, answer))

    def close(self) -> None:
        self._keeping.close()
        self._fresh.close()


def _pool(context: ssl.SSLContext, connections: int, *, kept: int) -> httpcore.ConnectionPool:
    return httpcore.ConnectionPool(
        ssl_context=context,
        max_connections=connections,
        max_keepalive_connections=kept,
        keepalive_expiry=KEPT,
        retries=0,
        network_backend=_Backend(),
    )


def _plain(request: httpx.Request, passed: set[str]) -> httpcore.Request:
    """The request as httpcore takes it; the stations that it passes on its way are added to `passed`."""
    return httpcore.Request(
        method=request.method,
        url=httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        ),
        headers=request.headers.raw,
        content=request.stream,
        extensions=request.extensions | {"trace": lambda station, _: passed.add(station)},
    )


def lost(request: httpx.Request, why: str, *, status: int | None = None) -> ProviderError:
    """No usable answer came to a request that left: harmless for a reading, unknown for a write."""
    kind = Temporary if request.extensions.get(READING, True) else OutcomeUnknown
    return kind(f"{request.extensions.get(WHAT, request.method)}: {why}", status=status)


@contextmanager
def _mapped(request: httpx.Request, passed: Collection[str] = ()) -> Iterator[None]:
    what = request.extensions.get(WHAT, request.method)
    try:
        yield
    except _NEVER_LEFT as error:
        raise Temporary(f"{what}: no connection ({type(error).__name__})") from None
    except httpcore.LocalProtocolError:
        raise Temporary(f"{what}: the request is not valid HTTP and was not sent") from None
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
        if not _CUT_SHORT.isdisjoint(passed):
            raise Temporary(f"{what}: the request did not leave whole ({type(error).__name__})") from None
        raise lost(request, f"no readable answer ({type(error).__name__})") from None


class _Body(httpx.SyncByteStream):
    """The raw answer: never more than `MAX_BODY` bytes of it, and never a compressed one: it could unfold to more."""

    def __init__(self, request: httpx.Request, answer: httpcore.Response) -> None:
        self._request = request
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        codings = {value.strip().lower() for name, value in self._answer.headers if name.lower() == b"content-encoding"}
        if codings - {b"", b"identity"}:
            raise lost(self._request, "a compressed answer, which was not asked for")
        with _mapped(self._request):
            for chunk in self._answer.iter_stream():
                size += len(chunk)
                if size > MAX_BODY:
                    raise lost(self._request, f"an answer of more than {MAX_BODY} bytes")
                yield chunk

    def close(self) -> None:
        self._answer.close()


class _Backend(httpcore.NetworkBackend):
    """Plain sockets; each `timeout` is a moment."""

    def __init__(self) -> None:
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception = httpcore.ConnectError("no address")
        for address in addresses(host, port):
            try:
                left = _left(timeout, httpcore.ConnectTimeout)
                return _Stream(self._plain.connect_tcp(address, port, left, local_address, socket_options))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


class _Stream(httpcore.NetworkStream):
    """A socket whose every `timeout` is a moment."""

    def __init__(self, plain: httpcore.NetworkStream) -> None:
        self._plain = plain

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._plain.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _WRITE_SIZE):
            self._plain.write(buffer[start : start + _WRITE_SIZE], _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._plain.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._plain.start_tls(ssl_context, server_hostname, _left(timeout, httpcore.ConnectTimeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._plain.get_extra_info(info)


def _left(moment: float | None, error: type[httpcore.TimeoutException]) -> float | None:
    if moment is None:
        return None
    left = moment - time.monotonic()
    if left <= 0:
        raise error
    return left


def addresses(host: str, port: int) -> list[str]:
    """Where `host` lives. Link-local addresses are left out: that is where clouds keep their metadata."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise httpcore.ConnectError("the name does not resolve") from None
    addresses = [str(entry[4][0]) for entry in found]
    return [address for address in addresses if not _is_link_local(address)]


def _is_link_local(address: str) -> bool:
    plain = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    mapped = plain.ipv4_mapped if isinstance(plain, ipaddress.IPv6Address) else None
    return (mapped or plain).is_link_local

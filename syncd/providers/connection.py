"""One HTTP/1.1 connection: a socket, perhaps under TLS, and h11's account of what both ends may say next.

Every `deadline` is a moment (monotonic seconds) at which the whole request must be over, so that a server that sends a
byte now and then cannot hold it longer. Raises `OSError` (`TimeoutError` among them) and `h11.ProtocolError`; their
meaning for a customer depends on whether the request had left, and `transport` decides it.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Iterator
from functools import cache
from typing import Any

import h11

from syncd.providers.way import OPEN_WAY, Way

HEADERS = list[tuple[bytes, bytes]]
MAX_HEAD = 100_000
_CHUNK = 65_536


class Connection:
    """The client's end. `used` says whether it has served a request before, `idle_since` when it last did."""

    def __init__(self, plain: socket.socket) -> None:
        self._socket = plain
        self._talk = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self._silence = select.poll()
        self._silence.register(plain, select.POLLIN)
        self.used = False
        self.idle_since = 0.0

    def send(self, head: tuple[bytes, bytes, Any], body: bytes, deadline: float) -> bool:
        """Send a request; whether its last byte left. `head` is method, target and headers as `valid` gives them.

        A server may refuse before it has read all and close its end: then an answer may be there all the same.
        Raises `h11.LocalProtocolError`, with nothing sent, for a request that is no HTTP.
        """
        method, target, headers = head
        parts = [self._talk.send(h11.Request(method=method, target=target, headers=headers))]
        if body:
            parts.append(self._talk.send(h11.Data(data=body)))
        parts.append(self._talk.send(h11.EndOfMessage()))
        data = memoryview(b"".join(part for part in parts if part))
        try:
            for start in range(0, len(data), _CHUNK):
                rest = data[start : start + _CHUNK]
                while rest:
                    self._wait_at_most(deadline)
                    rest = rest[self._socket.send(rest) :]
        except OSError:
            return False
        return True

    def head(self, deadline: float) -> tuple[int, HEADERS]:
        """Status and headers of the answer. Raises `ConnectionError` where the server has gone without one."""
        while isinstance(event := self._event(deadline), h11.InformationalResponse):
            pass
        if not isinstance(event, h11.Response):
            raise ConnectionError("no answer")
        return event.status_code, list(event.headers.raw_items())

    def body(self, deadline: float) -> Iterator[bytes]:
        """The parts of the answer's body as they come."""
        while isinstance(event := self._event(deadline), h11.Data):
            yield bytes(event.data)
        if not isinstance(event, h11.EndOfMessage):
            raise ConnectionError("half an answer")

    def rest(self) -> bool:
        """Whether this connection can take another request; it is then ready for it."""
        if self._talk.our_state is not h11.DONE or self._talk.their_state is not h11.DONE:
            return False
        if self._talk.trailing_data[0]:
            return False  # something came that nobody asked for
        self._talk.start_next_cycle()
        self.used, self.idle_since = True, time.monotonic()
        return True

    def is_silent(self) -> bool:
        """Whether the server has neither closed an idle connection nor sent a byte on it."""
        return not self._silence.poll(0)

    def close(self) -> None:
        self._socket.close()

    def _event(self, deadline: float) -> object:
        while (event := self._talk.next_event()) is h11.NEED_DATA:
            self._wait_at_most(deadline)
            self._talk.receive_data(self._socket.recv(_CHUNK))
        return event

    def _wait_at_most(self, deadline: float) -> None:
        self._socket.settimeout(_left(deadline))


def valid(headers: tuple[tuple[bytes, bytes], ...]) -> Any:
    """The headers of a request as h11 keeps them, found to be HTTP. Raises `h11.LocalProtocolError` for others."""
    return h11.Request(method=b"GET", target=b"/", headers=list(headers)).headers


def connect(host: str, port: int, context: ssl.SSLContext | None, deadline: float, way: Way = OPEN_WAY) -> Connection:
    """A new connection to the first address of `host` that takes one; with a context, after a verified handshake."""
    plain = _relayed(way.socket_of(host), deadline) if way.sockets else _direct(host, port, deadline, way)
    try:
        plain.settimeout(_left(deadline))  # for all steps of the handshake together
        return Connection(plain if context is None else context.wrap_socket(plain, server_hostname=host))
    except BaseException:
        plain.close()
        raise


def _direct(host: str, port: int, deadline: float, way: Way) -> socket.socket:
    failure: OSError = ConnectionError("no address")
    for address in way.addresses(host, port):
        try:
            plain = socket.create_connection((address, port), _left(deadline))
        except OSError as error:
            failure = error
        else:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return plain
    raise failure


def _relayed(path: str, deadline: float) -> socket.socket:
    """A connection through the local socket of a relay (`[network]`); TLS goes through the relay to the host itself."""
    plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        plain.settimeout(_left(deadline))
        plain.connect(path)
    except BaseException:
        plain.close()
        raise
    return plain


def tls() -> ssl.SSLContext:
    """Verified certificates and names, TLS 1.2 or newer. Unlike `ssl.create_default_context` this never writes the
    session's keys into the file that `SSLKEYLOGFILE` names. One for the whole process: reading the certificates that a
    machine trusts costs as much as hundreds of requests."""
    return _trusting(ssl.get_default_verify_paths())


@cache
def _trusting(_places: ssl.DefaultVerifyPaths) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    return context


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left

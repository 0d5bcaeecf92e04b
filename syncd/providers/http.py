"""The HTTP client of all adapters. It answers a request, or raises a `ProviderError` that says what became of it:

    nothing left us (refused, DNS, TLS, no connection in time)      Temporary
    429                                                             Throttled
    425                                                             Temporary
    401, 402, 403                                                   Unauthorized
    3xx, 408, 5xx, no answer, an answer that cannot be read         Temporary for a reading, OutcomeUnknown for a write
    everything else                                                 an `Answer` for the adapter to judge

It does not wait, retry or log. The pace comes from the `Gate` that the lane hands in. Messages name method, template
and status, never a URL, a header or a body: those carry customers and credentials.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Generator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, NoReturn, Protocol
from urllib.parse import quote, urlencode

import httpx

from syncd import __version__
from syncd.errors import OutcomeUnknown, ProviderError, Rejected, Temporary, Throttled, Unauthorized
from syncd.providers.strict import Unreadable, parse_json, retry_after
from syncd.providers.transport import Transport, checked_url, extensions, lost, same_origin
from syncd.providers.way import OPEN_WAY, Way

USER_AGENT = f"syncd/{__version__}"
_PLACE = re.compile(r"\{(\w+)\}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BODILESS = frozenset({"GET", "HEAD", "DELETE"})


class Gate(Protocol):
    """The lane's pace, as an adapter's client sees it."""

    def admit(self, endpoint: str) -> None:
        """Returns when a request to `endpoint` may leave; may raise `Stopped`, `LeaseLost` or `Temporary`."""

    def observe(self, endpoint: str, status: int, headers: Mapping[str, str]) -> None:
        """Called after every answer; header names are lower case."""


class _OpenGate:
    def admit(self, endpoint: str) -> None:
        """Admit every request at once."""

    def observe(self, endpoint: str, status: int, headers: Mapping[str, str]) -> None:
        """Do nothing: there is no pace to keep."""


OPEN_GATE: Gate = _OpenGate()


class Answer(NamedTuple):
    """A provider's answer. `data` is strictly parsed JSON, None for an empty body; `text`: the body was no JSON (only
    with a 4xx). `headers` have lower-case names. `reading`: the request was one, so an unreadable answer is
    `Temporary`."""

    status: int
    headers: Mapping[str, str]
    data: Any
    text: bool = False
    reading: bool = True
    what: str = ""

    @property
    def wait(self) -> float | None:
        """The seconds that the provider wants to be left alone; None where the headers name none."""
        return retry_after(self.headers, datetime.now(UTC))

    @property
    def ok(self) -> bool:
        """Any 2xx."""
        return 200 <= self.status < 300

    def unreadable(self, why: str) -> ProviderError:
        """The error for a 2xx without what it must have: `raise answer.unreadable("no id")`."""
        kind = Temporary if self.reading else OutcomeUnknown
        return kind(f"{self.what}: {why}", status=self.status)

    def record(self) -> dict[str, Any]:
        """`data` as an object. Raises `unreadable` for anything else."""
        if not isinstance(self.data, dict):
            raise self.unreadable("the answer is no object")
        return self.data


class _OriginHeaders(httpx.Auth):
    """Adds credential headers to requests to the configured origin, and to no others."""

    def __init__(self, origin: httpx.URL, headers: Mapping[str, str]) -> None:
        self._origin = origin
        self._headers = dict(headers)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if same_origin(request.url, self._origin):
            for name, value in self._headers.items():
                request.headers[name] = value
        yield request


class Http:
    """A client for one configured provider. Safe to share between the threads of its lane.

    `url` may have a path, to which templates are appended. `timeout` (seconds) is the total deadline of one request,
    from the connection to the last byte, a token request included. `credentials` are headers or an `httpx.Auth`;
    `headers` go with every request and must hold no secret. Raises `SettingsError` for a URL that is not allowed.
    `way` is what the settings say about where it may lead.
    """

    def __init__(  # noqa: PLR0913 - one argument a fact of the provider
        self,
        *,
        url: str,
        timeout: float,
        gate: Gate,
        credentials: Mapping[str, str] | httpx.Auth,
        headers: Mapping[str, str] | None = None,
        allow_http: bool = False,
        way: Way = OPEN_WAY,
    ) -> None:
        self._url = checked_url(url, allow_http=allow_http)
        self._path = self._url.raw_path.rstrip(b"/")
        self._timeout = timeout
        self._gate = gate
        self._auth = credentials if isinstance(credentials, httpx.Auth) else _OriginHeaders(self._url, credentials)
        host = self._url.netloc.decode("ascii")
        fixed = {"Host": host, "accept": "application/json", "accept-encoding": "identity", "user-agent": USER_AGENT}
        self._headers = httpx.Headers({**fixed, **(headers or {})})
        self._with_body = httpx.Headers({**self._headers, "content-type": "application/json"})
        self._transport = Transport(self._url, way)

    def request(
        self,
        method: str,
        template: str,
        *,
        ids: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        body: object = None,
        reading: bool | None = None,
    ) -> Answer:
        """One request. `template` is a path with `{name}` for each of `ids`; `body` is sent as JSON unless None.

        `reading` (default: the method is GET) says whether a lost answer does harm. See the module for what is raised.
        """
        what = f"{method} {template}"
        reading = method == "GET" if reading is None else reading
        path = _path(template, ids or {}) + ("?" + urlencode(params, quote_via=quote) if params else "")
        content = None if body is None else _encoded(body)
        self._gate.admit(what)
        request = httpx.Request(  # with a stream httpx works out no headers of its own
            method,
            self._url,
            headers=self._headers if content is None else self._with_body,
            stream=httpx.ByteStream(content or b""),
            extensions=extensions(
                target=self._path + path.encode("ascii"),
                deadline=time.monotonic() + self._timeout,
                reading=reading,
                what=what,
            ),
        )
        if content is not None or method not in _BODILESS:
            request.headers["Content-Length"] = str(len(content or b""))
        return self._send(request, what, reading=reading)

    def close(self) -> None:
        """Close all connections; the client cannot be used afterwards."""
        self._transport.close()

    def answered(self, request: httpx.Request) -> httpx.Response:
        """The answer as httpx's client gets it, its body unread, without the client's redirects, cookies, hooks and
        log of addresses: nothing of these is wanted here, and they cost as much as deciding about a customer."""
        flow = self._auth.sync_auth_flow(request)
        try:
            asked = next(flow)
            while True:
                response = self._transport.handle_request(asked)
                try:
                    asked = flow.send(response)
                    response.read()
                except StopIteration:
                    return response
                except BaseException:
                    response.close()
                    raise
        finally:
            flow.close()

    def _send(self, request: httpx.Request, what: str, *, reading: bool) -> Answer:
        response = self.answered(request)
        try:
            status, headers = response.status_code, _plain(response.headers)
            self._gate.observe(what, status, headers)
            if not (200 <= status < 300 or 400 <= status < 500) or status in _REFUSALS:
                _refuse(request, what, status, headers)
            data, text = _body(request, response)
            return Answer(status, headers, data, text, reading, what)
        finally:
            response.close()


def _plain(headers: httpx.Headers) -> dict[str, str]:
    """The headers by lower-case name; the values of a repeated header are joined."""
    plain: dict[str, str] = {}
    for raw, value in headers.raw:
        name, text = raw.decode("latin-1").lower(), value.decode("latin-1")
        plain[name] = f"{plain[name]}, {text}" if name in plain else text
    return plain


_REFUSALS = frozenset({401, 402, 403, 408, 425, 429})


def _refuse(request: httpx.Request, what: str, status: int, headers: Mapping[str, str]) -> NoReturn:
    """Raise what a status alone decides; its body would add nothing but a customer's values."""
    wait = retry_after(headers, datetime.now(UTC))
    said = f"{what}: answered {status}"
    if status == 429:
        raise Throttled(said, status=status, retry_after=wait)
    if status == 425:
        raise Temporary(said, status=status, retry_after=wait)
    if status in {401, 402, 403}:
        raise Unauthorized(said, status=status)
    error = lost(request, f"answered {status}", status=status)
    if isinstance(error, Temporary):
        error.retry_after = wait
    raise error


def _body(request: httpx.Request, response: httpx.Response) -> tuple[Any, bool]:
    """The parsed body, and whether there was one that is no JSON. A 4xx has said enough without a readable body."""
    refusal = response.status_code >= 400
    try:
        assert isinstance(response.stream, httpx.SyncByteStream)  # noqa: S101 - our transport's
        return parse_json(b"".join(response.stream)), False
    except Unreadable as error:
        if refusal:
            return None, True
        raise lost(request, str(error), status=response.status_code) from None
    except (Temporary, OutcomeUnknown):
        if refusal:
            return None, True
        raise


def _path(template: str, ids: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda place: _segment(place.group(1), ids[place.group(1)]), template)


def _segment(name: str, text: str) -> str:
    """`text` as exactly one path segment. Raises `Rejected` for what no quoting can keep in one."""
    if text in {"", ".", ".."} or _CONTROL.search(text):
        raise Rejected(name, "cannot be part of an address")
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        raise Rejected(name, "holds half a surrogate pair") from None


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _encoded(body: object) -> bytes:
    try:
        return _ENCODER.encode(body).encode("utf-8")
    except UnicodeEncodeError:
        raise Rejected("", "a value holds half a surrogate pair") from None

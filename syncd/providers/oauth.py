"""OAuth 2 client credentials (RFC 6749 4.4) for httpx; no maintained library offers them for synchronous code.

One token serves all threads of a lane: the thread that finds it missing or old fetches the next while the others wait.
The token request shares the deadline of the request that needs it, so a slow token server costs no more than a slow
provider. Its failures are `Temporary` or `Unauthorized`, never an unknown outcome: no customer was sent.
"""

from __future__ import annotations

import threading
import time
from base64 import b64encode
from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import httpx

from syncd.errors import Temporary, Throttled, Unauthorized
from syncd.providers.strict import Unreadable, parse_json, retry_after
from syncd.providers.transport import READING, TOKEN, WHAT, checked_url, same_origin

EARLY = 60.0
_WHAT = "POST token"
_ASSUMED_LIFETIME = 300.0


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    good_until: float


class ClientCredentials(httpx.Auth):
    """Puts `Authorization: Bearer …` on requests to `url`'s origin, and nowhere else.

    `token_url` may be on another origin. The client authenticates there with HTTP Basic. A token is given up 60
    seconds before it expires (half its life for a short one), and once after a 401; a second 401 is the answer.
    """

    requires_request_body = False
    requires_response_body = False

    def __init__(
        self,
        *,
        url: str,
        token_url: str,
        client_id: str,
        client_secret: str,
        scope: str = "",
        allow_http: bool = False,
    ) -> None:
        self._origin = checked_url(url, allow_http=allow_http)
        self._token_url = checked_url(token_url, allow_http=allow_http)
        # RFC 6749 2.3.1 would quote both first; the servers we know compare them as they are.
        self._basic = "Basic " + b64encode(f"{client_id}:{client_secret}".encode()).decode("ascii")
        form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
        self._form = urlencode(form).encode("ascii")
        self._lock = threading.Lock()
        self._token: _Token | None = None

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Called by httpx around every request; see `httpx.Auth`."""
        if not same_origin(request.url, self._origin):
            yield request
            return
        token = yield from self._current(request, None)
        request.headers["authorization"] = f"Bearer {token.text}"
        response = yield request
        if response.status_code == 401:
            token = yield from self._current(request, token)
            request.headers["authorization"] = f"Bearer {token.text}"
            yield request

    def _current(
        self, request: httpx.Request, refused: _Token | None
    ) -> Generator[httpx.Request, httpx.Response, _Token]:
        """A token that is still good and is not `refused`; fetched by one thread at a time."""
        deadline = float(request.extensions["timeout"]["read"])
        if not self._lock.acquire(timeout=max(deadline - time.monotonic(), 0)):
            raise Temporary(f"{_WHAT}: another thread still waits for the token")
        try:
            token = self._token
            if token is None or token is refused or token.good_until <= time.monotonic():
                self._token = None
                response = yield self._request(request)
                self._token = token = self._read(response)
            return token
        finally:
            self._lock.release()

    def _request(self, request: httpx.Request) -> httpx.Request:
        return httpx.Request(
            "POST",
            self._token_url,
            headers={
                "accept": "application/json",
                "accept-encoding": "identity",
                "authorization": self._basic,
                "content-type": "application/x-www-form-urlencoded",
                "user-agent": request.headers.get("user-agent", ""),
            },
            content=self._form,
            extensions={"timeout": request.extensions["timeout"], TOKEN: True, READING: True, WHAT: _WHAT},
        )

    def _read(self, response: httpx.Response) -> _Token:
        status = response.status_code
        if status == 200:
            try:
                return self._parsed(parse_json(response.read()))
            except Unreadable as error:
                raise Temporary(f"{_WHAT}: {error}", status=status) from None
        headers = {name.lower(): value for name, value in response.headers.items()}
        wait = retry_after(headers, datetime.now(UTC))
        if status == 429:
            raise Throttled(f"{_WHAT}: answered 429", status=status, retry_after=wait)
        if 400 <= status < 500 and status not in {408, 425}:
            raise Unauthorized(f"{_WHAT}: answered {status}", status=status)
        raise Temporary(f"{_WHAT}: answered {status}", status=status, retry_after=wait)

    def _parsed(self, data: Any) -> _Token:
        text = data.get("access_token") if isinstance(data, dict) else None
        if not isinstance(text, str) or not text or not all("!" <= letter <= "~" for letter in text):
            raise Temporary(f"{_WHAT}: answered without a usable token", status=200)
        life = data.get("expires_in", _ASSUMED_LIFETIME)
        if isinstance(life, str) and life.isascii() and life.isdigit() and len(life) < 12:
            life = float(life)
        if isinstance(life, bool) or not isinstance(life, int | float) or life <= 0:
            life = _ASSUMED_LIFETIME  # no length of a life: the token is good until somebody refuses it
        return _Token(text, time.monotonic() + max(life - EARLY, life / 2))

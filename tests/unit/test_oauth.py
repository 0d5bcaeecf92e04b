"""OAuth 2 client credentials: one token for all threads, renewed in time, and never more than needed."""

from __future__ import annotations

import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask, request

from syncd.errors import OutcomeUnknown, ProviderError, Temporary, Throttled, Unauthorized
from syncd.providers.http import OPEN_GATE, Http
from syncd.providers.oauth import ClientCredentials
from syncd.sandbox import kit
from syncd.sandbox.kit import Answer, Fault, Refusal, Server, Twin

SECRET = "cl1ent-s3cret+/="


def _token_server(life: Any = 3600) -> Flask:
    twin = Twin("auth")
    made = kit.app(twin, authorised=lambda: True, refused=lambda s, t: ({"error": t}, s))

    @made.post("/oauth2/token")
    def token() -> Answer:
        pair = b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
        if pair != f"client:{SECRET}":
            raise Refusal(401, {"error": "invalid_client", "error_description": pair})
        assert request.form["grant_type"] == "client_credentials"
        text = f"token-{twin.next_id()}-{request.form.get('scope', '')}"
        twin.records[text] = {}
        return {"access_token": text, "token_type": "Bearer", "expires_in": life}

    return made


def _api(tokens: Twin) -> Flask:
    twin = Twin("api")

    def authorised() -> bool:
        return request.headers.get("Authorization", "").removeprefix("Bearer ") in tokens.records

    made = kit.app(twin, authorised=authorised, refused=lambda s, t: ({"error": t}, s))

    @made.route("/v1/customers", methods=["GET", "POST"])
    def customers() -> Answer:
        twin.touch()
        return {"token": request.headers["Authorization"]}

    return made


@contextmanager
def running(
    *, life: Any = 3600, secret: str = SECRET, scope: str = "", timeout: float = 1.0
) -> Iterator[tuple[Http, Server]]:
    auth = _token_server(life)
    with kit.serve([auth, _api(kit.twin_of(auth))]) as server:
        credentials = ClientCredentials(
            url=server.url("api"),
            token_url=server.url("auth") + "/oauth2/token",
            client_id="client",
            client_secret=secret,
            scope=scope,
        )
        http = Http(url=server.url("api"), timeout=timeout, gate=OPEN_GATE, credentials=credentials)
        try:
            yield http, server
        finally:
            http.close()


def test_one_token_serves_many_requests() -> None:
    """A token is fetched once, from another origin, and used until it is old."""
    with running(scope="customers") as (http, server):
        said = {http.request("GET", "/v1/customers").record()["token"] for _ in range(3)}
        assert said == {"Bearer token-1-customers"}
        assert len(server.twins["auth"].log) == 1
        assert server.twins["auth"].log[0].headers["content-type"] == "application/x-www-form-urlencoded"


def test_threads_share_one_refresh() -> None:
    """Many threads that need a token at once cause one token request."""
    with running() as (http, server):
        server.twins["auth"].faults.add(Fault("slow", seconds=0.1))
        threads = [threading.Thread(target=http.request, args=("GET", "/v1/customers")) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(server.twins["auth"].log) == 1
        assert len(server.twins["api"].requests()) == 8


def test_a_refused_token_is_renewed_once() -> None:
    """After a 401 there is one new token and one more try."""
    with running() as (http, server):
        http.request("GET", "/v1/customers")
        server.twins["auth"].records.clear()
        assert http.request("POST", "/v1/customers", body={}).record() == {"token": "Bearer token-2-"}
        assert server.twins["api"].writes() == 2


def test_a_second_401_is_the_answer() -> None:
    """A 401 with a fresh token is about us: no storm of tokens."""
    with running() as (http, server):
        server.twins["api"].faults.add(Fault("status", status=401, times=0))
        with pytest.raises(Unauthorized):
            http.request("POST", "/v1/customers", body={})
        assert len(server.twins["auth"].log) == 2
        assert len(server.twins["api"].log) == 2


def test_an_old_token_is_not_used() -> None:
    """`expires_in` is obeyed: a token that is over is fetched anew."""
    with running(life=1e-9) as (http, server):
        for _ in range(3):
            http.request("GET", "/v1/customers")
        assert len(server.twins["auth"].log) == 3


@pytest.mark.parametrize("life", [0, -5, -0.001, "0"])
def test_a_life_that_is_over_at_birth_says_nothing(life: Any) -> None:
    """Zero or less is no length of a life: the token serves until it is refused; no call fetches its own."""
    with running(life=life) as (http, server):
        for _ in range(3):
            http.request("GET", "/v1/customers")
        assert len(server.twins["auth"].log) == 1


@pytest.mark.parametrize("life", [None, "never", "3600", 10**30, True, []])
def test_a_strange_life_is_no_failure(life: Any) -> None:
    """A missing or odd `expires_in` counts as a few minutes."""
    with running(life=life) as (http, server):
        http.request("GET", "/v1/customers")
        http.request("GET", "/v1/customers")
        assert len(server.twins["auth"].log) == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("status", status=500), Temporary),
        (Fault("status", status=429, headers={"Retry-After": "9"}), Throttled),
        (Fault("status", status=400, body='{"error": "invalid_scope"}'), Unauthorized),
        (Fault("status", status=302, headers={"Location": "http://127.0.0.1:9"}), Temporary),
        (Fault("reset-after"), Temporary),
        (Fault("html"), Temporary),
        (Fault("gzip"), Temporary),
        (Fault("truncated"), Temporary),
        (Fault("body", body="{}"), Temporary),
        (Fault("body", body='{"access_token": "a\\nb"}'), Temporary),
        (Fault("hang"), Temporary),
        (Fault("trickle", seconds=0.3), Temporary),
    ],
)
def test_a_failing_token_server(fault: Fault, error: type[ProviderError]) -> None:
    """Without a token no customer travels: a write has not been executed, and its outcome is known."""
    with running(timeout=0.5) as (http, server):
        server.twins["auth"].faults.add(fault)
        with pytest.raises(ProviderError) as caught:
            http.request("POST", "/v1/customers", body={"name": "x"})
        assert type(caught.value) is error
        assert not server.twins["api"].log
        assert http.request("POST", "/v1/customers", body={}).ok


def test_nobody_waits_longer_for_another_threads_token_than_for_an_answer() -> None:
    """While one thread fetches the token, however long that takes, the others give up at their own deadline."""
    with running(timeout=0.3) as (http, server):
        assert isinstance(http._auth, ClientCredentials)
        with http._auth._lock, pytest.raises(Temporary, match="another thread"):
            http.request("GET", "/v1/customers")
        assert not server.twins["auth"].log


def test_a_lost_answer_stays_unknown() -> None:
    """The provider's own failures are judged as ever."""
    with running() as (http, server):
        server.twins["api"].faults.add(Fault("reset-after"))
        with pytest.raises(OutcomeUnknown):
            http.request("POST", "/v1/customers", body={})


def test_the_secret_stays_secret() -> None:
    """A refusal that quotes the secret does not pass it on, and the provider never sees it."""
    with running(secret="wr0ng-secret") as (http, server):
        with pytest.raises(Unauthorized) as caught:
            http.request("GET", "/v1/customers")
        assert "wr0ng" not in repr(caught.value)
        assert not server.twins["api"].log

"""The entrance of JTL-Wawi's stand-in: the paths of the cloud and of an installation on premise, the token endpoint,
headers, scopes, and the cloud's limit."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime, timedelta

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue as Answer

from syncd.sandbox import jtl_views as views
from syncd.sandbox.kit import Refusal, Twin

CLIENT_ID = "7d0f6f0c-syncd"
CLIENT_SECRET = "p4ss/w+rd%jtl"  # noqa: S105 - the sandbox's own
TENANT = "7c0f7d6c-7a53-4a52-8f0c-0f5a3b3d9e11"
API_KEY = "FB622234-98A7-4D5C-9E6B-1B2E3D4C5F60"
APP_ID, APP_VERSION = "syncd/1.0.0", "1.0.0"
CLOUD, ONPREM = "/erp", "/api/eazybusiness"
TOKEN_ROUTE = "/oauth2/token"  # noqa: S105 - an address
LIMIT, INTERVAL = 10, 45


def is_elsewhere(twin: Twin) -> bool:
    """Whether this installation serves the other paths: documented are `/customers` in the cloud, `/v1/customers` on
    premise."""
    versioned = request.path.startswith((f"{CLOUD}/v1/", f"{ONPREM}/v1/"))
    documented = request.path.startswith(f"{ONPREM}/") == versioned
    return documented == (twin.toggle("paths") == "other")


def add_tokens(app: Flask, twin: Twin, tokens: dict[str, datetime]) -> None:
    """The token endpoint of the cloud; `tokens` are those given out and how long each is good."""
    basic = "Basic " + base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()

    @app.post(TOKEN_ROUTE)
    def token() -> Answer:
        if request.mimetype != "application/x-www-form-urlencoded":
            raise Refusal(400, {"error": "invalid_request"})
        if request.headers.get("Authorization") != basic:
            raise Refusal(401, {"error": "invalid_client", "error_description": "Client authentication failed"})
        if request.form.get("grant_type") != "client_credentials":
            raise Refusal(400, {"error": "unsupported_grant_type"})
        if twin.toggle("identity") == "zitadel" and not request.form.get("scope"):
            raise Refusal(400, {"error": "invalid_scope"})
        life = int(twin.toggle("token_life"))
        made = f"eyJhbGciOiJSUzI1NiJ9.{len(tokens)}.sandbox"
        tokens[made] = twin.now() + timedelta(seconds=life)
        answer = {"access_token": made, "token_type": "Bearer", "expires_in": life, "scope": "openid"}
        return jsonify(answer)


def cloud_headers(twin: Twin, tokens: Mapping[str, datetime]) -> bool:
    """Whether a request to the cloud has a good token and the required headers."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind != "Bearer" or token not in tokens or tokens[token] <= twin.now():
        return False
    _demand(twin, "X-Tenant-ID")
    return request.headers["X-Tenant-ID"].lower() == TENANT and _registered(twin)


def onprem_headers(twin: Twin) -> bool:
    """Whether a request to an installation on premise has the API key and the required headers."""
    return request.headers.get("Authorization") == f"Wawi {API_KEY}" and _registered(twin)


def _registered(twin: Twin) -> bool:
    for header in ("X-AppID", "X-AppVersion", "api-version"):
        _demand(twin, header)
    given = (request.headers["X-AppID"], request.headers["X-AppVersion"])
    return given == (APP_ID, APP_VERSION) and request.headers["api-version"] == "1.0"


def _demand(twin: Twin, header: str) -> None:
    if not request.headers.get(header):
        status = int(twin.toggle("missing_header"))
        raise Refusal(status, None if status == 401 else views.error(twin, "HEADER_MISSING", f"{header} is required."))


def scoped(twin: Twin, *, writing: bool) -> None:
    """Refuse a request that the licence or the scopes do not cover."""
    if twin.toggle("licence") == "missing":
        raise Refusal(402)
    if twin.toggle("scopes") == "none" or (writing and twin.toggle("scopes") == "read"):
        raise Refusal(403)


def used(twin: Twin) -> int:
    """How much of the cloud's limit is used up: so many requests an interval; an answer does not say when to try
    again."""
    since = twin.now() - timedelta(seconds=INTERVAL)
    return sum(entry.at > since and entry.status != 429 and entry.path != TOKEN_ROUTE for entry in twin.log)

"""A dead man's switch: somebody else's monitor hears from us regularly, and calls a person when it does not.

The addresses are those of healthchecks.io and its like: `url` is well, `url/start` begins, `url/fail` is not. A ping
that fails never hurts: it is one warning.
"""

from __future__ import annotations

import json
import urllib.request
from http.client import HTTPException
from urllib.parse import urlsplit

from syncd.log import emit
from syncd.status.codes import OK, PERSON, RETRY
from syncd.status.report import Report

TIMEOUT = 5.0  # seconds: a silent monitor must not hold up the daemon
_WELL = frozenset({OK, RETRY, PERSON})  # what waits for a person is on the status page; a call at night is for a stop


def started(url: str) -> None:
    """The daemon begins."""
    _ping(url, "/start")


def reported(url: str, report: Report) -> None:
    """The daemon lives; where it cannot do its work, the monitor is told, with counts and no customer."""
    if report.exit_code in _WELL:
        _ping(url, "")
        return
    told = {"state": report.state, "exit_code": report.exit_code, "problems": report.problems_total}
    kinds = sorted({f"{problem.provider} {problem.kind}".strip() for problem in report.problems})[:10]
    failed(url, {**told, "kinds": kinds})


def failed(url: str, told: dict[str, object]) -> None:
    """The daemon cannot do its work."""
    _ping(url, "/fail", json.dumps(told).encode())


def _ping(url: str, what: str, body: bytes | None = None) -> None:
    if not url:
        return
    parts = urlsplit(url)
    address = parts._replace(path=parts.path.rstrip("/") + what).geturl()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(address, data=body), timeout=TIMEOUT):  # noqa: S310 - http(s) only
            pass
    except (OSError, ValueError, HTTPException) as error:  # refused, no such host, 4xx, 5xx, no HTTP at all
        emit("alert.failed", error_type=type(error).__name__, status=getattr(error, "code", None))

"""A dead man's switch: an outside monitor hears from the daemon regularly, and calls a person when it does not.

The addresses are those of healthchecks.io and its like: `url` is well, `url/start` begins, `url/fail` is not. A ping
that fails never hurts: it is one warning. Pings go by a courier, so that a slow monitor holds up no cycle.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from syncd.clock import SystemClock
from syncd.errors import ProviderError
from syncd.log import emit
from syncd.providers.ping import ping
from syncd.status.codes import OK, PERSON, RETRY
from syncd.status.facts import Report

TIMEOUT = 5.0  # seconds for a whole ping, whatever the monitor does
_WELL = frozenset({OK, RETRY, PERSON})  # review items wait on the status page; only a stop is worth a call at night


@dataclass(frozen=True, slots=True)
class Ping:
    """One call; an address may itself be a secret. Without an address no call is made."""

    address: str = field(repr=False)
    body: bytes | None = None


def started(url: str) -> Ping:
    """The daemon begins."""
    return Ping(_at(url, "/start"))


def reported(url: str, report: Report) -> Ping:
    """The daemon lives; where it cannot do its work, the monitor is told, with counts and no customer."""
    if report.exit_code in _WELL:
        return Ping(_at(url, ""))
    told = {"state": report.state, "exit_code": report.exit_code, "problems": report.problems_total}
    kinds = sorted({f"{problem.provider} {problem.kind}".strip() for problem in report.problems})[:10]
    return failed(url, {**told, "kinds": kinds})


def failed(url: str, told: dict[str, object]) -> Ping:
    """The daemon cannot do its work."""
    return Ping(_at(url, "/fail"), json.dumps(told).encode())


def send(call: Ping, sockets: str = "") -> None:
    """Call the monitor, within `TIMEOUT`; `sockets` as in `[network]`."""
    if not call.address:
        return
    try:
        status = ping(call.address, call.body, deadline=SystemClock().monotonic() + TIMEOUT, sockets=sockets)
    except (ProviderError, ValueError) as error:
        emit("alert.failed", action="ping", error_type=type(error).__name__)
        return
    if not 200 <= status < 300:
        emit("alert.failed", action="ping", status=status)


def _at(url: str, what: str) -> str:
    if not url:
        return ""
    parts = urlsplit(url)
    return parts._replace(path=parts.path.rstrip("/") + what).geturl()

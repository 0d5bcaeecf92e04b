"""Faults on demand: what goes wrong between syncd and a provider, and at which point.

A fault hits the next request that fits it (`method`, `route`, after `skip` others), `times` times (0: until cleared).

    kind            executed?  what the client sees
    status          no         `status` (503) with `headers` and `body`
    status-after    yes        the same, although the write took effect
    reset           no         a TCP reset before any answer
    reset-after     yes        a TCP reset before any answer
    reset-body      yes        a TCP reset in the middle of the answer
    stale           no         a kept connection that is closed as if it had been idle for too long, just as the request
                               comes: nobody reads it, and it is in no log; waits for a request on a kept connection
    hang            no         nothing for `seconds`, then a closed connection
    hang-after      yes        the same
    slow            yes        the true answer after `seconds`
    trickle         yes        the true answer, `seconds` between two bytes of its body
    trickle-head    yes        the true answer, `seconds` between two bytes of its head
    endless         yes        a body that never ends, as fast as it goes
    truncated       yes        half of the body that Content-Length promised
    cut             yes        a complete answer whose JSON is cut in half
    html            yes        a page, with the true status (or `status`)
    body            yes        `body` instead of the true one, with the true status (or `status`)
    merge           yes        the true answer with `patch` merged into it (RFC 7396), e.g. another customer's id
    gzip            yes        the true answer, compressed although nobody asked
    late            later      a TCP reset, or `status`; the request takes effect before the `after`-th next request,
                               after `seconds` of the sandbox's clock, or with `release_late`: whatever comes first
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

KINDS = frozenset({
    "status", "status-after", "reset", "reset-after", "reset-body", "stale", "hang", "hang-after", "slow", "trickle",
    "trickle-head", "endless", "truncated", "cut", "html", "body", "merge", "gzip", "late",
})  # fmt: skip
NOT_EXECUTED = frozenset({"status", "reset", "hang", "late"})
SERVED = "syncd.served"  # in a WSGI environment: how many requests this connection brought before


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; see the module for the kinds. `route` is a Flask rule such as `/customer/<number>`."""

    kind: str
    method: str = ""
    route: str = ""
    times: int = 1
    skip: int = 0
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    patch: Any = None
    seconds: float | None = None
    after: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no fault is called {self.kind}")

    def fits(self, method: str, route: str, *, kept: bool) -> bool:
        return self.method in {"", method} and self.route in {"", route} and (kept or self.kind != "stale")


@dataclass(frozen=True, slots=True)
class _Late:
    run: Callable[[], None]
    at: datetime | None
    after: int | None


class Wire:
    """The faults that are due, and the effects that are late. Safe to use from all threads."""

    def __init__(self) -> None:
        self.queue: list[Fault] = []
        self.hit: list[Fault] = []
        self._late: list[_Late] = []
        self._lock = threading.RLock()
        self.released = threading.Event()

    def add(self, *faults: Fault) -> None:
        """Queue faults; the first that fits a request is used."""
        with self._lock:
            self.released.clear()
            self.queue.extend(faults)

    def clear(self) -> None:
        """Forget all faults and late effects, and end requests that hang."""
        with self._lock:
            self.queue.clear()
            self.hit.clear()
            self._late.clear()
            self.released.set()

    def take(self, method: str, route: str, *, kept: bool) -> Fault | None:
        """The fault for this request, if any; counts it. `kept`: its connection has brought a request before."""
        with self._lock:
            for place, fault in enumerate(self.queue):
                if not fault.fits(method, route, kept=kept):
                    continue
                if fault.skip:
                    self.queue[place] = replace(fault, skip=fault.skip - 1)
                    continue
                if fault.times == 1:
                    del self.queue[place]
                elif fault.times:
                    self.queue[place] = replace(fault, times=fault.times - 1)
                self.hit.append(fault)
                return fault
        return None

    def postpone(self, fault: Fault, run: Callable[[], None], now: datetime) -> None:
        """Let `run` happen later."""
        at = None if fault.seconds is None else now + timedelta(seconds=fault.seconds)
        with self._lock:
            self._late.append(_Late(run, at, fault.after))

    def release_late(self, now: datetime | None = None) -> None:
        """Run the late effects that are due at `now`, all of them for None; each request counts one down."""
        with self._lock:
            waiting = self._late
            if now is not None:
                waiting = [replace(late, after=None if late.after is None else late.after - 1) for late in waiting]
            due = [late for late in waiting if now is None or _is_due(late, now)]
            self._late = [late for late in waiting if late not in due]
        for late in due:
            late.run()


def _is_due(late: _Late, now: datetime) -> bool:
    return (late.at is not None and late.at <= now) or (late.after is not None and late.after <= 0)

"""The gate that every request of a provider passes (lease, pace, fresh reading), and the breaker that shuts it while
the provider is in trouble."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from syncd.clock import Clock
from syncd.core.backoff import clamp_retry_after
from syncd.errors import LeaseLost, Stopped, SyncdError
from syncd.lanes.breaker import Breaker
from syncd.lanes.pace import Pace, Repeats
from syncd.lanes.processor import Cpu
from syncd.lanes.stride import Stride
from syncd.lanes.tenure import Tenure
from syncd.lanes.trace import Trace
from syncd.lanes.turns import Turns
from syncd.providers.strict import retry_after

SLICE = 5.0  # seconds between two looks at the lease while waiting
PATIENCE = 2.0  # seconds a request may wait inside; longer pauses give the thread back
OPENING = 30.0  # first pause of the breaker, seconds
LONGEST_OPENING = 600.0
REFUSED_PAUSE = 900.0  # one probe every 15 minutes while credentials are refused


class LanePaused(SyncdError):
    """The lane takes no requests until `until` (wall clock); the pair whose look ends with this error stays due,
    unharmed."""

    def __init__(self, reason: str, until: datetime) -> None:
        super().__init__(reason)
        self.until = until


class Outdated(LanePaused):
    """The write was not sent: by the time its pace allows, its reading would be older than `FRESH`, and the write would
    overwrite what a person types meanwhile. `Lane.book` reserves the slots, then the pair is read and judged anew."""


@dataclass
class Lane:
    """The gate of one provider. `keep` renews the lease and answers whether it is still ours; `on_state` hears of each
    new state of the breaker. `trace` is what the calling thread has read and written, `stride` how many pairs a thread
    takes at once, `turns` which group asks the guards first. `leave`: another daemon is to have the lane."""

    name: str
    clock: Clock
    pace: Pace
    concurrency: int
    timeout: float
    stop: threading.Event
    jitter: Callable[[], float]
    keep: Callable[[], bool] = lambda: True
    lease: float = 90.0
    on_state: Callable[[str], None] = lambda _state: None
    breaker: Breaker = field(default_factory=Breaker)
    calls: int = 0
    last_ok: datetime | None = None
    leave: bool = False
    distance: float | None = None  # seconds between wall clock and monotonic clock when last compared
    processor: Cpu = field(default_factory=Cpu)
    seen: float = 0.0  # when the lane last showed life, monotonic seconds; the daemon's watchdog reads it

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._tenure = Tenure(self.clock.monotonic)
        self._recent: deque[bool] = deque(maxlen=20)
        self._repeats = Repeats(self.clock.monotonic())
        self._probing = threading.local()
        self.trace = Trace()
        self.stride = Stride()
        self.turns = Turns()

    # -- the gate that every request passes ---------------------------------------------------------------------

    def admit(self, endpoint: str) -> None:
        """Wait for the pace. Raises `Stopped`, `LeaseLost` or `LanePaused`; then no request was sent."""
        if not getattr(self._probing, "on", False):
            self._refuse_while_paused()
        self._hold_lease()
        if not self.trace.use_booking(endpoint):
            self._refuse_outdated(endpoint, self.pace.ahead(endpoint, self.clock.monotonic()))
            self._wait(self.pace.reserve(endpoint, self.clock.monotonic()))
        if self.stop.is_set():
            raise Stopped("asked to end")
        self._hold_lease()
        self._refuse_outdated(endpoint, 0.0)
        self.trace.requests += 1
        with self._lock:
            self.calls += 1

    def _wait(self, pause: float) -> None:
        while pause > 0:
            if self.stop.is_set():
                raise Stopped("asked to end")
            step = min(pause, SLICE)
            self.clock.wait(step, self.stop)
            pause -= step
            self.seen = self.clock.monotonic()
            self._hold_lease()  # a slow pace must not outlast the lease

    def _refuse_outdated(self, endpoint: str, pause: float) -> None:
        now = self.clock.monotonic()
        if self.trace.outdated(endpoint, now + pause):
            raise Outdated("the reading is too old for this write", self.clock.now())

    def book(self) -> None:
        """Begin a look anew that ended with `Outdated`: wait for the slots of its reading and of its write before
        anything is read. Both requests then leave without a wait, so that the reading is one request old."""
        wanted, now = self.trace.wanted, self.clock.monotonic()
        self.trace.begin_look()
        self._wait(max(self.pace.reserve(endpoint, now) for endpoint in wanted))
        self.trace.booked = list(wanted)

    def observe(self, endpoint: str, status: int, headers: Mapping[str, str]) -> None:
        """Learn the pace from an answer. A 503 with `Retry-After` pauses the whole lane. A 429 does not do so here: it
        becomes the error `Throttled`, and the code that catches the error calls `throttled`."""
        self.seen = self.clock.monotonic()
        self.trace.answered(endpoint, status, self.clock.monotonic())
        self.pace.learn(endpoint, headers, self.clock.monotonic(), self.clock.now())
        self.pace.judge(status, paused=self.paused_until() is not None)
        wait = retry_after(headers, self.clock.now()) if status == 503 and headers.get("retry-after") else None
        if wait is not None:
            self.throttled(wait, "answered 503 and said when to come back")

    def _hold_lease(self) -> None:
        """Raise `LeaseLost` unless a request that leaves now ends, deadline included, while the lease is still ours."""
        if not self._tenure.extend(self.lease, self.timeout, self.keep):
            raise LeaseLost(f"{self.name}: the lease ran out or was taken over", remedy="syncd status")

    def owned(self) -> bool:
        """Whether a row of the source may be written now. The source knows no leases: only this keeps a process that
        slept from writing a row that its successor has judged anew."""
        return self._tenure.covers(self.lease)

    def renewed(self, at: float) -> None:
        """The lease was last taken or renewed at this moment (monotonic)."""
        self._tenure.renewed(at)

    def group(self) -> int:
        """How many pairs one thread takes at once: those it works off in about a second, by pace and measurement."""
        paced = 2 * self.pace.interval(self.clock.monotonic()) * self.concurrency
        return self.stride.group(paced)

    def threads(self) -> int:
        """How many of its threads the lane uses now: one while several lanes keep the processor busy."""
        return 1 if self.processor.crowded() else self.concurrency

    # -- what happened, and what follows for the whole lane ---------------------------------------------------

    def succeeded(self) -> None:
        """A request was answered: failures are forgotten, an open breaker closes. A pause that the provider asked for
        is kept: the answer may be to a request that left before it."""
        with self._lock:
            self._recent.append(True)
            self._repeats.earn()
            self.last_ok = self.clock.now()
            if self.breaker.state in {"throttled", "blocked"} and self.paused_until() is not None:
                return
            changed = self.breaker.state != "ok"
            self.breaker = Breaker(credentials=self.breaker.credentials)
        if changed:
            self.on_state("ok")

    def failed(self, reason: str) -> None:
        """Note a failure of a provider that may be down (5xx, no answer). Five in a row, or half of the last twenty,
        open the breaker."""
        with self._lock:
            if self.breaker.state == "down" and self.paused_until() is not None:
                return  # the request left before the breaker opened
            between, self.trace.got_through = self.trace.got_through, False
            self._recent.extend([True, False] if between else [False])
            failures = 1 if between else self.breaker.failures + 1
            self.breaker = self.breaker._replace(failures=failures)
            many = len(self._recent) == 20 and self._recent.count(False) >= 10
            if failures < 5 and not many and self.breaker.state in {"ok", "throttled"}:
                return
            opened = self.breaker.opened + 1
            pause = min(OPENING * 2.0 ** (opened - 1), LONGEST_OPENING) * (0.9 + 0.2 * self.jitter())
            self._recent.clear()
        self._pause("down", reason, pause, opened)

    def throttled(self, seconds: float | None, reason: str = "the provider asks to slow down") -> None:
        """A 429: the whole lane waits, and no pair uses up an attempt."""
        pause = clamp_retry_after(seconds) or 2.0
        self._pause("throttled", reason, pause * (1.0 + 0.1 * self.jitter()), self.breaker.opened)

    def refused(self, reason: str) -> None:
        """The provider refused the credentials (401, 402, 403): the lane is blocked after this one request."""
        self._pause("blocked", reason, REFUSED_PAUSE, self.breaker.opened)

    def _pause(self, state: str, reason: str, seconds: float, opened: int) -> None:
        now = self.clock.now()
        until = now + timedelta(seconds=seconds)
        with self._lock:
            again = self.breaker.state == state and not self.breaker.set_back(now)
            standing = self.paused_until() if again else None
            self.breaker = self.breaker._replace(
                state=state,
                reason=reason,
                since=self.breaker.since if again else now.isoformat(),
                until=max(until, standing or until).isoformat(),
                failures=0,
                opened=opened,
            )
        self.on_state(state)

    def healthy(self) -> bool:
        """Whether other pairs got through lately: only then does a failure use up an attempt of its pair."""
        with self._lock:
            return self.breaker.state == "ok" and any(self._recent)

    def may_retry(self) -> bool:
        """Spend one retry of the budget, which holds retries near a tenth of the traffic in an outage."""
        with self._lock:
            return self._repeats.spend(self.clock.monotonic())

    def paused_until(self) -> datetime | None:
        """When the next request may go out; None when it may now."""
        return self.breaker.paused_until(self.clock.now())

    def needs_probe(self) -> bool:
        """Whether the lane was down or blocked and its pause is over: one cheap request then tests the provider."""
        return self.breaker.state in {"down", "blocked"} and self.paused_until() is None

    def probe(self, call: Callable[[], object]) -> None:
        """Run one call through the gate although the breaker is open."""
        self._probing.on = True
        try:
            call()
        finally:
            self._probing.on = False

    def _refuse_while_paused(self) -> None:
        until = self.paused_until()
        if until is None:
            return
        remaining = (until - self.clock.now()).total_seconds()
        if self.breaker.state != "throttled" or remaining > PATIENCE:
            raise LanePaused(f"{self.name}: {self.breaker.reason}", until)
        self.clock.sleep(max(remaining, 0.0))

    # -- kept over restarts -----------------------------------------------------------------------------------

    def dump(self) -> str:
        """The breaker as text for the state database."""
        return json.dumps(self.breaker._asdict())

    def load(self, text: str, credentials: str) -> None:
        """Go on with the breaker that the last process stored. A block ends where the credentials are others now."""
        kept = Breaker.of(text)
        if kept.state == "blocked" and kept.credentials != credentials:
            kept = Breaker()
        self.breaker = kept._replace(credentials=credentials)

    def dump_pace(self) -> str:
        """The learned pace and the rest of the budget for repeats, as text for the state database."""
        kept = self.pace.kept(self.clock.monotonic())
        with self._lock:
            budget = self._repeats.left(self.clock.monotonic())
        return json.dumps({"at": self.clock.now().isoformat(), "budget": budget, **kept})

    def load_pace(self, text: str) -> None:
        """Go on at the stored pace: a restart is no way round a limit. With a clock set back, no time has passed."""
        if not text:
            return
        kept = json.loads(text)
        ago = max((self.clock.now() - datetime.fromisoformat(kept["at"])).total_seconds(), 0.0)
        self.pace.resume(kept, self.clock.monotonic(), ago)
        with self._lock:
            self._repeats.resume(kept["budget"], self.clock.monotonic(), ago)

    def take_calls(self) -> int:
        """How many requests left since this was last asked."""
        with self._lock:
            calls, self.calls = self.calls, 0
        return calls

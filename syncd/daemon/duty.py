"""The daemon's repeated jobs (poll, status, signs of life) and their errors: an error is told once, and the daemon
stays.

The poll and the snapshot of the status never wait for each other. No customer is known here.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from syncd.core.guards import Guards
from syncd.daemon import alerts, metrics
from syncd.daemon.courier import Courier
from syncd.daemon.notify import Notifier
from syncd.daemon.trouble import AGAIN, Trouble, stand, status_line
from syncd.detect.unseen import require_triggers
from syncd.engine.loop import dismiss, finish, gather, poll, steady
from syncd.engine.run import Installation
from syncd.errors import SafetyStop, StateUnreachable, Stopped, SyncdError
from syncd.log import emit
from syncd.operate.status import Known, survey, tell
from syncd.status.facts import Report
from syncd.status.snapshot import dated
from syncd.store import pulse
from syncd.store.pulse import Pulse

PATIENCE = 3.0  # seconds a poll waits for lanes, so that quick work is told as one cycle
SNAPSHOT = 60.0  # seconds between two snapshots of the status
CHECK = 600.0  # seconds between two looks at the triggers
BEAT = 1.0  # seconds between two signs of life at least
FAREWELL = 2.0  # seconds that outsiders have for the last word


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the settings ask of the daemon itself. Times in seconds; `timeout` is the longest of any provider;
    `sockets` as in `[network]`."""

    poll: float
    timeout: float
    watchdog: float
    textfile: str
    ping_url: str
    providers: tuple[Known, ...]
    sockets: str
    page: Callable[[], None]
    pulse: Pulse


class Duty:
    """The jobs of one installation, until it is reloaded or the daemon ends."""

    def __init__(self, site: Installation, wanted: Wanted, notifier: Notifier) -> None:
        self.site = site
        self.trouble = Trouble()
        self._wanted = wanted
        self._notifier = notifier
        self._steady = steady(site)
        self._lock = threading.Lock()
        self._telling = threading.Lock()
        self._first: dict[tuple[str, str], datetime] = {}
        self._monitor = Courier("monitor", partial(alerts.send, sockets=wanted.sockets))
        self._meter = Courier("metrics", partial(metrics.write, wanted.textfile))
        self._beaten = float("-inf")
        self._ending = False
        self._polled = self._checked = site.clock.monotonic()
        self._complained = float("-inf")

    # -- the jobs ----------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """The monitor hears that the daemon begins."""
        self._monitor.hand(alerts.started(self._wanted.ping_url))

    def poll(self) -> None:
        """One poll; while a trouble stands, only a try now and then."""
        with self._lock:
            if self._ending:
                return
            before = self.trouble.event
            if self.site.clock.monotonic() >= self.trouble.until:
                self._guarded_poll()
            with contextlib.suppress(StateUnreachable):  # the next poll meets the same, and says so
                self._beat(at_once=self.trouble.event != before)
            self._polled = self.site.clock.monotonic()
        if self.trouble.event != before:  # page and monitor are told at once
            self.snapshot()

    def _beat(self, *, at_once: bool = False) -> None:
        """Write the daemon's sign of life and its trouble into the state, at most once a second."""
        now = self.site.clock.monotonic()
        if at_once or now - self._beaten >= BEAT:
            told = self._wanted.pulse._replace(trouble=self.trouble.event, reason=self.trouble.reason)
            with self.site.state.begin() as tx:
                if self._beaten == float("-inf"):
                    pulse.delete_dead(tx, told.holder, self.site.lease_clock(), sole=self.site.sole)
                pulse.beat(tx, told, self.site.lease_clock())
            self._beaten = now

    def _poll(self) -> None:
        self._beat()
        if self.trouble.event or self.site.clock.monotonic() - self._checked >= CHECK:
            require_triggers(self.site)
            emit("capture.checked")
            self._checked = self.site.clock.monotonic()
        polled = poll(self._steady, min(PATIENCE, self._wanted.poll))
        doors = [error for error in polled.errors.values() if isinstance(error, SyncdError)]
        for provider, error in polled.errors.items():
            if not isinstance(error, SyncdError):
                emit("job.failed", action="lane", provider=provider, exc=error)
        if doors:
            raise doors[0]

    def snapshot(self) -> None:
        """Tell the whole status, to the log and to every outsider of the settings. A snapshot waits for no poll,
        because it must be told, too, that a poll hangs."""
        with self._telling:
            if not self._ending:
                self._guarded_snapshot()

    def last_word(self) -> None:
        """Tell the last status, for readers of the page after the daemon has ended."""
        if not self._telling.acquire(timeout=FAREWELL):
            return
        try:
            self._tell()
        except SyncdError as error:
            emit("state.unreachable", reason=error.message)
        finally:
            self._telling.release()
        self._monitor.close(FAREWELL)
        self._meter.close(FAREWELL)

    def _tell(self) -> Report:
        site = self.site
        guards = site.routes[0].guards if site.routes else Guards()
        report = survey(site.state, site.source, self._wanted.providers, guards, site.clock)
        report = dated(report, self._first)
        tell(report)
        return report

    def _snapshot(self) -> None:
        wanted, report = self._wanted, self._tell()
        self._notifier.status(status_line(report, self.trouble))
        wanted.page()
        if wanted.textfile:
            self._meter.hand(report)
        if not self.trouble.event:
            self._monitor.hand(alerts.reported(wanted.ping_url, report))
        else:
            self._monitor.hand(alerts.failed(wanted.ping_url, {"state": report.state, "reason": self.trouble.event}))

    # -- errors ------------------------------------------------------------------------------------------------------

    def _guarded_poll(self) -> None:
        """The boundary of the poll: any error inside is told, and the daemon goes on."""
        try:
            self._poll()
        except Stopped:
            return
        except SafetyStop as error:
            self._halt_lanes()
            self._stand(error)
        except Exception as error:  # noqa: BLE001 - a bug in one job is logged with its frames and ends nothing else
            self._stand(error)
        else:
            self._recovered()

    def _guarded_snapshot(self) -> None:
        """The boundary of the snapshot: an error in telling the status stops no poll."""
        now = self.site.clock.monotonic()
        try:
            self._snapshot()
        except StateUnreachable as error:  # the poll meets the same, and says so
            self._notifier.status(f"STOPPED {error.message}")
            self._monitor.hand(alerts.failed(self._wanted.ping_url, {"reason": "state.unreachable"}))
        except Exception as error:  # noqa: BLE001 - as above
            if now - self._complained >= AGAIN:
                self._complained = now
                emit("job.failed", action="snapshot", exc=error)

    def _stand(self, error: Exception) -> None:
        """Remember the trouble that keeps the daemon from working."""
        before = self.trouble.event
        self.trouble = stand(self.trouble, error, self.site.clock.monotonic(), self._wanted.poll)
        if self.trouble.event != before:
            self._notifier.status(f"STOPPED {self.trouble.reason}")

    def _recovered(self) -> None:
        if self.trouble.event:
            emit("daemon.recovered", reason=f"{self.trouble.event} is over")
            self.trouble = Trouble()
            self._notifier.status("working again")

    def _halt_lanes(self) -> None:
        """Stop all lanes: each ends its present work and writes nothing more."""
        self.site.stop.set()
        while self._steady.crew.busy():
            gather(self._steady, 1.0)
        if not self._ending:
            self.site.stop.clear()

    # -- what the main thread asks -----------------------------------------------------------------------------------

    def alive(self) -> bool:
        """Whether cycles make progress: polls end, and no lane that is at work has been silent for too long."""
        now = self.site.clock.monotonic()
        bound = 2 * (self._wanted.poll + PATIENCE + self._wanted.timeout) + self._wanted.watchdog
        lanes = {route.provider: route.lane.seen for route in self.site.routes}
        moments = [self._polled, *(lanes[name] for name in self._steady.crew.busy())]
        return now - min(moments) < bound

    def ended(self) -> bool:
        """Ask all jobs and lanes to end. Answers whether they have; writes under way end by themselves, and their
        outcomes are recorded."""
        self._ending = True
        self.site.stop.set()
        if not self._lock.acquire(blocking=False):
            return False
        try:
            return finish(self._steady)
        finally:
            self._lock.release()

    def leave(self, *, for_good: bool = True) -> None:
        """Give the leases back, if the state can still be written; `for_good` also deletes our sign of life."""
        try:
            dismiss(self._steady)
            if for_good:
                with self.site.state.begin() as tx:
                    pulse.end(tx, self._wanted.pulse.holder)
        except StateUnreachable as error:
            emit("state.unreachable", reason=error.message)

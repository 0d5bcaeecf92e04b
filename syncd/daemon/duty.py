"""What the daemon does again and again, and what becomes of an error: it is told once, the daemon stays.

Two jobs share one lock: the poll, and the snapshot of the status. Nothing here knows a customer.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from syncd.daemon import alerts, metrics
from syncd.daemon.notify import Notifier
from syncd.engine.loop import dismiss, finish, gather, poll, steady
from syncd.engine.run import Installation
from syncd.errors import (
    SafetyStop,
    SettingsError,
    SetupNeeded,
    SourceUnreachable,
    StateUnreachable,
    Stopped,
    SyncdError,
)
from syncd.log import emit
from syncd.operate.status import Known, survey, tell
from syncd.reconcile.route import Guards
from syncd.source import triggers
from syncd.status.report import Report

PATIENCE = 3.0  # seconds a poll waits for lanes, so that what is quick is told as one cycle
SNAPSHOT = 60.0  # seconds between two snapshots of the status
CHECK = 600.0  # seconds between two looks at the triggers
AGAIN = 600.0  # seconds after which a standing trouble is told once more
LONGEST_PAUSE = 60.0  # seconds between two tries while a database is away
PERSON_PAUSE = 10.0  # the same while a person must act: what he did is noticed soon
_COMMAND = re.compile(r"syncd [^`\n]+")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the settings ask of the daemon itself. Times in seconds; `timeout` is the longest of any provider."""

    poll: float
    timeout: float
    watchdog: float
    textfile: str
    ping_url: str
    providers: tuple[Known, ...]
    page: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Trouble:
    """What keeps the daemon from working. `pause` in seconds; times monotonic."""

    event: str = ""
    reason: str = ""
    pause: float = 0.0
    until: float = 0.0
    told: float = 0.0


class Duty:
    """The jobs of one installation, until it is reloaded or the daemon ends."""

    def __init__(self, site: Installation, wanted: Wanted, notifier: Notifier) -> None:
        self.site = site
        self.trouble = Trouble()
        self._wanted = wanted
        self._notifier = notifier
        self._steady = steady(site)
        self._lock = threading.Lock()
        self._ending = False
        self._polled = self._checked = site.clock.monotonic()
        self._complained = float("-inf")

    # -- the jobs ----------------------------------------------------------------------------------------------------

    def poll(self) -> None:
        """One poll; while something is in the way, a try now and then."""
        with self._lock:
            if not self._ending and self.site.clock.monotonic() >= self.trouble.until:
                before = self.trouble.event
                self._guarded_poll()
                if self.trouble.event != before:  # the page and the monitor hear of it at once
                    self._guarded_snapshot()
            self._polled = self.site.clock.monotonic()

    def _poll(self) -> None:
        if self.trouble.event or self.site.clock.monotonic() - self._checked >= CHECK:
            triggers.require(self.site.source)
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
        """Tell the whole status: to the log, and to whoever else the settings name."""
        with self._lock:
            if not self._ending:
                self._guarded_snapshot()

    def last_word(self) -> None:
        """How things stand at the end, for whoever looks at the page after the daemon has gone."""
        try:
            self._tell()
        except SyncdError as error:
            emit("state.unreachable", reason=error.message)

    def _tell(self) -> Report:
        site = self.site
        guards = site.routes[0].guards if site.routes else Guards()
        report = survey(site.state, site.source, self._wanted.providers, guards, site.clock.now())
        tell(report)
        return report

    def _snapshot(self) -> None:
        wanted, report = self._wanted, self._tell()
        self._notifier.status(status_line(report, self.trouble))
        wanted.page()
        if wanted.textfile:
            metrics.write(wanted.textfile, report)
        if self.trouble.event:
            alerts.failed(wanted.ping_url, {"state": report.state, "reason": self.trouble.event})
        else:
            alerts.reported(wanted.ping_url, report)

    # -- errors ------------------------------------------------------------------------------------------------------

    def _guarded_poll(self) -> None:
        """The boundary of the poll: whatever goes wrong inside is told, and the daemon goes on."""
        try:
            self._poll()
        except Stopped:
            return
        except SafetyStop as error:
            self._halt_lanes()
            self._stand(*_told(error), error)
        except SyncdError as error:
            self._stand(*_told(error), error)
        except Exception as error:  # noqa: BLE001 - a bug in one job is logged with its frames and ends nothing else
            self._stand("job.failed", type(error).__name__, error)
        else:
            self._recovered()

    def _guarded_snapshot(self) -> None:
        """The boundary of the snapshot: a status that cannot be told keeps nobody from working."""
        now = self.site.clock.monotonic()
        try:
            self._snapshot()
        except StateUnreachable as error:  # the poll meets the same, and says so
            self._notifier.status(f"STOPPED {error.message}")
        except Exception as error:  # noqa: BLE001 - as above
            if now - self._complained >= AGAIN:
                self._complained = now
                emit("job.failed", action="snapshot", exc=error)

    def _stand(self, event: str, reason: str, error: Exception) -> None:
        """Remember what is in the way; say it when it is new and every ten minutes; wait longer each time."""
        now, before = self.site.clock.monotonic(), self.trouble
        longest = PERSON_PAUSE if event == "capture.broken" else LONGEST_PAUSE
        pause = min(before.pause * 2 or self._wanted.poll, longest)
        told = before.told
        if before.event != event or now - told >= AGAIN:
            told = now
            command = _COMMAND.search(getattr(error, "remedy", ""))
            emit(event, reason=reason, command=command.group() if command else None, exc=_bug(error))
            self._notifier.status(f"STOPPED {reason}")
        self.trouble = Trouble(event, reason, pause, now + pause, told)

    def _recovered(self) -> None:
        if self.trouble.event:
            emit("daemon.recovered", reason=f"{self.trouble.event} is over")
            self.trouble = Trouble()
            self._notifier.status("working again")

    def _halt_lanes(self) -> None:
        """Nothing more is written: lanes end what they are at."""
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
        """Ask everything to end; whether it has. Work in flight ends by itself, its outcome recorded."""
        self._ending = True
        self.site.stop.set()
        if not self._lock.acquire(blocking=False):
            return False
        try:
            return finish(self._steady)
        finally:
            self._lock.release()

    def leave(self) -> None:
        """Give the leases back, where that can still be said."""
        try:
            dismiss(self._steady)
        except StateUnreachable as error:
            emit("state.unreachable", reason=error.message)


def _told(error: SyncdError) -> tuple[str, str]:
    """Under which name an error is told, and how."""
    words: Sequence[tuple[type[SyncdError], str]] = (
        (SourceUnreachable, "source.unreachable"),
        (StateUnreachable, "state.unreachable"),
        (SafetyStop, "capture.broken"),
        (SetupNeeded, "capture.broken"),
        (SettingsError, "capture.broken"),
    )
    event = next((word for kind, word in words if isinstance(error, kind)), "job.failed")
    return event, error.message


def _bug(error: Exception) -> Exception | None:
    return None if isinstance(error, SyncdError) else error


def status_line(report: Report, trouble: Trouble) -> str:
    """The truth in one line: the worst problem, or that there is none."""
    if trouble.event:
        return f"STOPPED {trouble.reason}"
    well = sum(line.state == "ok" for line in report.providers)
    told = [f"{report.state}: {well} of {len(report.providers)} providers answer, {report.due()} customers due"]
    if report.problems:
        worst = report.problems[0]
        where = " ".join(word for word in (worst.provider, worst.customer_key, worst.kind) if word)
        told.append(f"worst: {where} ({report.problems_total} in all)")
    return ", ".join(told)

"""The daemon from its start to its end: open, serve, read the settings again, end.

The main thread waits for signals and feeds the watchdog; one thread of the scheduler polls, another tells the status,
a third listens for commits; each lane works in its own.
"""

from __future__ import annotations

import os
import secrets
import socket
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event
from typing import Protocol

from syncd import __version__, log
from syncd.clock import Clock, SystemClock
from syncd.daemon import metrics, signals
from syncd.daemon.courier import Courier
from syncd.daemon.duty import FAREWELL, SNAPSHOT, Duty, Wanted
from syncd.daemon.fresh_page import FreshPage
from syncd.daemon.notify import Notifier
from syncd.daemon.schedule import Schedule
from syncd.daemon.wake import woken
from syncd.detect.unseen import require_triggers
from syncd.engine.run import Installation
from syncd.errors import SettingsError, SyncdError
from syncd.operate.status import Known
from syncd.settings import Environment, Settings, load
from syncd.source import triggers
from syncd.store.pulse import Pulse

DRAIN = 28.0  # seconds for work in flight after SIGTERM; what takes longer is recorded as unknown and settles later
PAGE = 15.0  # seconds between two pages: silence is news, too
RETRY = 5.0  # seconds between two tries to open after a reload


class Opening(Protocol):
    """How an installation is opened: `bootstrap.installation`, handed in because this module knows no providers."""

    def __call__(
        self, settings: Settings, *, stop: Event | None = None, exclusive: bool = True
    ) -> AbstractContextManager[Installation]: ...


@dataclass(frozen=True, slots=True)
class Host:
    """What stays the same over reloads; `life` names this process for as long as it lives."""

    config: Path
    opening: Opening
    environment: Environment
    notifier: Notifier
    clock: Clock
    life: str

    @property
    def watchdog(self) -> float:
        """Seconds within which systemd wants to hear from us; 0 when it does not."""
        wanted = self.environment.watchdog_usec
        return int(wanted) / 1_000_000 if wanted.isdecimal() else 0.0

    @property
    def pause(self) -> float:
        """Seconds between two signs to systemd: two of them in the time that it allows, so that one may come late."""
        return self.watchdog / 2 or 3600.0


def serve(config: Path, opening: Opening) -> None:
    """Run until SIGTERM or SIGINT. SIGHUP reads the settings again: all new settings are taken, or none.

    Raises `SettingsError`, `SetupNeeded`, `LeaseHeld`, `SourceUnreachable` or `StateUnreachable` before the daemon is
    ready. Once ready, the daemon stays, also without its databases.
    """
    environment, clock = Environment(), SystemClock()
    life = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    host = Host(config, opening, environment, Notifier(environment.notify_socket, clock), clock, life)
    settings: Settings | None = load(config)
    with signals.held_back():
        first = True
        while settings is not None:
            settings, first = _serve_with(host, settings, first=first), False


def _serve_with(host: Host, settings: Settings, *, first: bool) -> Settings | None:
    """Serve with these settings; the next ones after a reload, None at the end."""
    page = _prepare(host, settings)
    painter = Courier("page", lambda _: page.write() if page is not None else None)
    try:
        return _serve_until(host, settings, painter, first=first)
    finally:
        if page is not None:
            painter.close(FAREWELL)
            page.leave()


def _serve_until(host: Host, settings: Settings, painter: Courier, *, first: bool) -> Settings | None:
    """Open, however long that takes after a reload, and serve."""
    stop, told = Event(), False
    while True:
        try:
            with host.opening(settings, stop=stop) as site:
                require_triggers(site)
                return _serve(host, settings, (site, painter), first=first)
        except SyncdError as error:
            if first:
                raise
            if not told:
                log.emit("source.unreachable", reason=error.message)
            told = True
        if _asked_to_end(signals.next_signal(RETRY)):
            log.emit("daemon.stopped", outcome="drained")
            return None


def _prepare(host: Host, settings: Settings) -> FreshPage | None:
    """The log as these settings want it, and the page that listens to it."""
    metrics.require(settings.metrics.textfile)
    wanted, page = settings.log, None
    if wanted.status_page:
        page = FreshPage(wanted.status_page, host.clock)
        if wanted.file:
            page.remember(wanted.file)
    hear = page.hear if page is not None else None
    log.setup(wanted.level, wanted.format, wanted.file, journal=host.environment.journal_stream, listener=hear)
    return page


def _serve(host: Host, settings: Settings, opened: tuple[Installation, Courier], *, first: bool) -> Settings | None:
    site, painter = opened
    wanted = _wanted(host, settings, painter)
    duty = Duty(site, wanted, host.notifier)
    jobs = [("poll", duty.poll, wanted.poll), ("snapshot", duty.snapshot, SNAPSHOT), ("page", wanted.page, PAGE)]
    schedule = Schedule(jobs, site.clock.now())
    names = [provider.name for provider in settings.providers]
    log.emit(
        "daemon.started",
        version=__version__,
        pid=os.getpid(),
        holder=site.holder,
        providers=names,
        method=settings.source.change_log,
    )
    host.notifier.ready("working")
    if first:
        duty.begin()
    schedule.start()
    try:
        with woken(site.source, duty.poll):
            fresh = _attend(host, duty)
    finally:
        schedule.stop()
    if not _end(host, duty, for_good=fresh is None):
        return fresh
    duty.last_word()
    log.emit("daemon.stopped", outcome="drained")
    painter.hand(None)
    painter.close(FAREWELL)
    return None


def _wanted(host: Host, settings: Settings, painter: Courier) -> Wanted:
    return Wanted(
        poll=settings.schedule.poll,
        timeout=max((provider.timeout for provider in settings.providers), default=0.0),
        watchdog=host.watchdog,
        textfile=settings.metrics.textfile,
        ping_url=settings.alerts.ping_url,
        sockets=settings.network.sockets,
        providers=tuple(Known(p.name, p.adapter, p.provider.capabilities.monthly) for p in settings.providers),
        page=partial(painter.hand, None),
        pulse=Pulse(host.life, socket.gethostname(), os.getpid(), settings.schedule.poll),
    )


def _attend(host: Host, duty: Duty) -> Settings | None:
    """Wait for signals and feed the watchdog; settings to go on with, or None to end."""
    while True:
        heard = signals.next_signal(host.pause)
        if _asked_to_end(heard):
            return None
        if heard == signals.RELOAD:
            fresh = _reloaded(host)
            if fresh is not None:
                return fresh
        if host.watchdog and duty.alive():
            host.notifier.alive()


def _asked_to_end(heard: int | None) -> bool:
    return heard in signals.ENDING


def _reloaded(host: Host) -> Settings | None:
    """The new settings, once everything they name has been opened for a try; None when anything is wrong with them."""
    host.notifier.reloading()
    try:
        fresh = load(host.config)
        metrics.require(fresh.metrics.textfile)
        with host.opening(fresh, exclusive=False) as trial:
            triggers.require(trial.source)
    except SettingsError as error:
        for problem in error.problems[:10]:
            log.emit("config.rejected", place=problem.place, reason=problem.reason, count=len(error.problems))
    except SyncdError as error:
        log.emit("config.rejected", reason=error.message)
    else:
        log.emit("config.loaded", config_hash=fresh.config_hash[:16])
        return fresh
    host.notifier.ready("working with the settings from before: the new ones are not right")
    return None


def _end(host: Host, duty: Duty, *, for_good: bool) -> bool:
    """Let the work in flight end. For good: within `DRAIN` seconds, or at once at a second signal.

    Whether it is for good: a reload turns into an end when it is overtaken by one.
    """
    if for_good:
        log.emit("daemon.stopping")
        host.notifier.stopping()
    deadline = host.clock.monotonic() + DRAIN
    while not duty.ended():
        again = _asked_to_end(signals.next_signal(0.1))
        if for_good and (again or host.clock.monotonic() >= deadline):
            _leave_at_once(duty)
        for_good = for_good or again
    duty.leave(for_good=for_good)
    return for_good


def _leave_at_once(duty: Duty) -> None:
    """End with requests still on the way: their intents are on disk, and the next start looks up what became of them.

    The interpreter would wait for the lanes' threads, so it is not asked.
    """
    duty.leave()
    log.emit("daemon.stopped", outcome="unfinished", level="warning")
    os._exit(0)

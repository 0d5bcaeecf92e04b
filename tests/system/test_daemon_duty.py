"""The daemon's jobs in virtual time: what an error does, what the watchdog believes, and who hears of it."""

from __future__ import annotations

import io
import json
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from syncd import log
from syncd.bootstrap import installation, known
from syncd.clock import SystemClock
from syncd.daemon import alerts
from syncd.daemon.duty import Duty, Wanted
from syncd.daemon.fresh_page import FreshPage
from syncd.daemon.notify import Notifier
from syncd.engine.run import Installation
from syncd.engine.worker import Tally
from syncd.sandbox.faults import Fault
from syncd.source import changelog
from syncd.store.pulse import Pulse
from tests.clock import VirtualClock
from tests.system.landscape import Landscape, landscape
from tests.system.running import until

NAMES = ("aiotic", "jtl")


@dataclass
class Post:
    """Duty on a landscape, with the log in memory."""

    land: Landscape
    site: Installation
    clock: VirtualClock
    duty: Duty
    text: io.StringIO
    broken: list[Exception]

    def told(self, name: str) -> list[dict[str, Any]]:
        events = [json.loads(line) for line in self.text.getvalue().splitlines()]
        return [event for event in events if event["event"] == name]


@contextmanager
def post(directory: Path, *, exclusive: bool = True) -> Iterator[Post]:
    """A daemon's jobs that a test calls by hand; an error put into `broken` is what the next poll meets."""
    clock, text, broken = VirtualClock(SystemClock().now()), io.StringIO(), list[Exception]()

    def run_id() -> str:
        if broken:
            raise broken.pop()
        return secrets.token_hex(4)

    with (
        landscape(directory, 3, NAMES) as land,
        installation(land.settings, clock=clock, exclusive=exclusive) as opened,
    ):
        log.setup("info", "json", stream=text, clock=clock)
        site = replace(opened, run_id=run_id)
        wanted = Wanted(5.0, 3.0, 60.0, "", "", known(land.settings), "", lambda: None, Pulse("life", "host", 1, 5.0))
        duty = Duty(site, wanted, Notifier("", clock))
        try:
            yield Post(land, site, clock, duty, text, broken)
        finally:
            while not duty.ended():
                pass
            duty.leave()
            log.stop()


def test_a_bug_in_a_poll_ends_nothing(tmp_path: Path) -> None:
    """An error that nobody expected is told with its frames and without its words; later polls work again."""
    with post(tmp_path) as at:
        at.broken.append(RuntimeError("secret@example.com"))
        at.duty.poll()
        at.duty.poll()  # rests
        first = at.land.remotes()
        at.clock.advance(5.0)
        at.duty.poll()

        assert first == {"aiotic": 0, "jtl": 0}
        assert at.land.remotes() == {"aiotic": 3, "jtl": 3}
        (failed,) = at.told("job.failed")
        assert (failed["error_type"], len(at.told("daemon.recovered"))) == ("RuntimeError", 1)
        assert "secret" not in at.text.getvalue()
        assert failed["frames"]


def test_a_standing_trouble_is_told_once_and_then_every_ten_minutes(tmp_path: Path) -> None:
    """Tries come less and less often, up to a minute apart, and lines far less often than tries."""
    with post(tmp_path) as at:
        tries = 0
        while at.clock.elapsed < 1300.0:
            at.broken[:] = [RuntimeError()]
            at.duty.poll()
            tries += not at.broken
            at.clock.advance(5.0)

    assert len(at.told("job.failed")) == 3
    assert 20 < tries < 30


def test_the_watchdog_believes_progress_only(tmp_path: Path) -> None:
    """Alive is a daemon whose polls end and whose busy lanes move; hours of idle polls are alive, too."""
    with post(tmp_path) as at:
        at.duty.poll()
        fresh = at.duty.alive()
        at.clock.advance(200.0)
        stale = at.duty.alive()
        at.duty.poll()
        again = at.duty.alive()

        stuck = threading.Event()
        crew = at.duty._steady.crew
        at.duty._steady.tallies["jtl"] = Tally()

        def hang() -> None:
            stuck.wait(10)

        crew.start("jtl", hang)
        at.site.routes[1].lane.seen = at.clock.monotonic()
        busy = at.duty.alive()
        at.clock.advance(200.0)
        at.duty.poll()
        hung = at.duty.alive()
        stuck.set()

    assert (fresh, stale, again, busy, hung) == (True, False, True, True, False)


def test_a_slow_lane_keeps_nobody_waiting(tmp_path: Path) -> None:
    """A poll ends while a lane is still at work, and the others' customers have arrived."""
    with post(tmp_path) as at:
        at.land.twin("aiotic").faults.add(Fault("hang", times=3, seconds=2.5))
        at.duty.poll()
        assert at.duty._steady.crew.busy() >= {"aiotic"}
        assert until(lambda: at.land.remotes()["jtl"] == 3)
        assert at.land.remotes()["aiotic"] < 3

        def later() -> bool:
            at.clock.advance(5.0)
            at.duty.poll()
            return at.land.remotes()["aiotic"] == 3

        assert until(later, 60.0)


def test_a_lost_capture_lease_makes_nobody_stop(tmp_path: Path) -> None:
    """While another process captures, this one works its lanes off and reads no change."""
    from syncd.store import leases

    with post(tmp_path, exclusive=False) as at:
        at.duty.poll()
        with at.site.state.begin() as tx:
            tx.exec_driver_sql("UPDATE lease SET holder = 'other', epoch = epoch + 1 WHERE name = 'capture'")
        at.land.sql("UPDATE customers SET email = 'other@example.com'")
        at.clock.advance(60.0)
        at.duty.poll()
        with at.site.state.read() as tx:
            holders = {held.name: held.holder for held in leases.holders(tx)}

        assert holders["capture"] == "other"
        assert changelog.backlog(at.site.source).rows == 3
        assert at.told("job.failed") == []


def test_a_monitor_that_does_not_answer_hurts_nobody() -> None:
    """A failing ping is one warning, without the address, which may itself be a secret."""
    text = io.StringIO()
    log.setup("info", "json", stream=text)
    alerts.send(alerts.started("http://127.0.0.1:9/capability-in-the-path"))
    log.stop()

    event = json.loads(text.getvalue())
    assert (event["event"], event["level"]) == ("alert.failed", "warning")
    assert "capability" not in text.getvalue()


@contextmanager
def trickling(answer: bytes, *, whole: list[bool] | None = None) -> Iterator[tuple[str, list[bytes]]]:
    """A monitor that sends its answer byte by byte; its address, and what it was asked. `whole` says of each answer
    that is over whether all of it was taken."""
    heard: list[bytes] = []
    ends = [] if whole is None else whole
    stop = threading.Event()

    def serve(listener: socket.socket) -> None:
        while not stop.is_set():
            try:
                line, _ = listener.accept()
            except OSError:
                return
            with line:
                heard.append(line.recv(4096))
                for byte in answer:
                    if stop.wait(0.1):
                        return
                    try:
                        line.sendall(bytes([byte]))
                    except OSError:
                        ends.append(False)
                        break
                else:
                    ends.append(True)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.5)
        thread = threading.Thread(target=serve, args=(listener,))
        listener.settimeout(None)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/abc", heard
        finally:
            stop.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_monitor_that_trickles_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Polls go on and the end comes while it answers byte by byte."""
    answer, whole = b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 10_000, list[bool]()
    monkeypatch.setattr(alerts, "TIMEOUT", 60.0)
    with trickling(answer, whole=whole) as (url, heard), post(tmp_path) as at:
        at.duty._wanted = replace(at.duty._wanted, ping_url=url)
        at.duty.begin()
        at.duty.snapshot()
        assert until(lambda: heard)
        at.duty.poll()
        assert until(at.duty.ended)
        assert (len(heard), whole) == (1, []), "all of that happened while the first ping was still under way"
        assert heard[0].startswith(b"GET /abc/start ")
    at.duty._monitor.close(60.0)  # the monitor is gone, so that both pings fail: here, and not into a later test's log


def test_a_ping_has_one_deadline_and_follows_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slowly it trickles, a ping ends in time; a redirect is an answer that is not well."""
    text = io.StringIO()
    monkeypatch.setattr(alerts, "TIMEOUT", 1.0)
    log.setup("info", "json", stream=text)
    whole: list[bool] = []
    with trickling(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 1000, whole=whole) as (url, _):
        alerts.send(alerts.started(url))
        assert until(lambda: whole)
    with trickling(b"HTTP/1.1 302 F\r\nLocation: http://127.0.0.1:9/x\r\n\r\n") as (url, heard):
        monkeypatch.setattr(alerts, "TIMEOUT", 20.0)
        alerts.send(alerts.started(url))
    log.stop()

    assert whole == [False], "it was taken to its end, a minute and a half"
    assert len(heard) == 1
    events = [json.loads(line) for line in text.getvalue().splitlines()]
    assert [event["event"] for event in events] == ["alert.failed"] * 2
    assert events[1]["status"] == 302


def test_the_page_remembers_what_the_log_file_holds(tmp_path: Path) -> None:
    """After a restart the page shows the day, because the log file is folded again."""
    told = {"event": "lane.paused", "level": "error", "timestamp": f"{SystemClock().now():%Y-%m-%dT%H:%M:%SZ}"}
    (tmp_path / "log").write_text(json.dumps({**told, "provider": "marked-lane", "reason": "down"}) + "\nforeign\n")
    page = FreshPage(str(tmp_path / "page.html"), SystemClock())
    page.remember(str(tmp_path / "log"))
    page.remember(str(tmp_path / "not-there"))
    page.write()
    page.leave()

    assert "marked-lane" in (tmp_path / "page.html").read_text()

"""The daemon's jobs in virtual time: what an error does, what the watchdog believes, and who hears of it."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

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
from tests.clock import VirtualClock
from tests.system.landscape import Landscape, landscape

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
        return "run"

    with (
        landscape(directory, 3, NAMES) as land,
        installation(land.settings, clock=clock, exclusive=exclusive) as opened,
    ):
        log.setup("info", "json", stream=text, clock=clock)
        site = replace(opened, run_id=run_id)
        wanted = Wanted(5.0, 3.0, 60.0, "", "", known(land.settings), lambda: None)
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
        at.land.twin("aiotic").faults.add(Fault("hang", times=1, seconds=2.5))
        clock = SystemClock()
        began = clock.monotonic()
        at.duty.poll()
        first = clock.monotonic() - began

        assert at.land.remotes()["jtl"] == 3
        assert first < 4.5
        while at.land.remotes()["aiotic"] < 3 and clock.monotonic() - began < 20.0:
            at.clock.advance(5.0)
            at.duty.poll()
        assert at.land.remotes()["aiotic"] == 3


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
    alerts.started("http://127.0.0.1:9/capability-in-the-path")
    log.stop()

    event = json.loads(text.getvalue())
    assert (event["event"], event["level"]) == ("alert.failed", "warning")
    assert "capability" not in text.getvalue()


def test_the_page_remembers_what_the_log_file_holds(tmp_path: Path) -> None:
    """After a restart the page shows the day, because the log file is folded again."""
    told = {"event": "lane.paused", "level": "error", "timestamp": f"{SystemClock().now():%Y-%m-%dT%H:%M:%SZ}"}
    (tmp_path / "log").write_text(json.dumps({**told, "provider": "marked-lane", "reason": "down"}) + "\nforeign\n")
    page = FreshPage(str(tmp_path / "page.html"), SystemClock())
    page.remember(str(tmp_path / "log"))
    page.remember(str(tmp_path / "not-there"))
    page.write()

    assert "marked-lane" in (tmp_path / "page.html").read_text()

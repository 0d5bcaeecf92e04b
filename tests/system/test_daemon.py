"""`syncd run` as a real process: what systemd hears, what signals do, and what outlives a database."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from syncd.bootstrap import installation
from syncd.clock import SystemClock
from syncd.daemon.notify import Notifier
from syncd.daemon.serving import Host
from syncd.sandbox.faults import Fault
from syncd.settings import Environment
from tests.system.landscape import Landscape, landscape
from tests.system.running import Running, goes_on, running, until
from tests.system.soak import soak

TWO = ("aiotic", "jtl")
FAST = '[schedule]\npoll = "500ms"\n'


@contextmanager
def working(
    directory: Path, head: str = FAST, customers: int = 5, **environment: str
) -> Iterator[tuple[Landscape, Running]]:
    """A daemon that has done its first pass."""
    with (
        landscape(directory, customers, TWO, head=head) as land,
        running(land.config, directory, environment) as daemon,
    ):
        assert until(lambda: set(land.remotes().values()) == {customers}), daemon.log.read_text()
        yield land, daemon


def email_at(land: Landscape, name: str, number: str) -> object:
    """The e-mail that a provider has for a customer number."""
    records = land.twin(name).records
    if name == "aiotic":
        return records[number].get("email")
    found = next(record for record in records.values() if str(record.get("Number")) == number)
    return found["BillingAddress"].get("EmailAddress")


def arrived(land: Landscape, email: str, names: tuple[str, ...] = TWO) -> bool:
    """Whether customer 1 has this e-mail everywhere."""
    number = str(land.row(1)["number"])
    return all(email_at(land, name, number) == email for name in names)


def change_email(land: Landscape, email: str) -> None:
    """An edit in the shop."""
    land.sql(f"UPDATE customers SET email = '{email}' WHERE id = 1")


def test_a_daemon_is_ready_delivers_and_ends_in_order(tmp_path: Path) -> None:
    """READY comes once everything is fine, an edit arrives within seconds, SIGTERM ends with 0 and gives all back."""
    with working(tmp_path) as (land, daemon):
        ready = daemon.heard()
        change_email(land, "first@example.com")

        assert until(lambda: arrived(land, "first@example.com"))
        assert until(lambda: bool(daemon.events("cycle.finished")))
        code = daemon.end()
        stopping = daemon.heard()

    names = [event["event"] for event in daemon.events()]
    with closing(sqlite3.connect(land.state)) as state:
        holders = {row[0] for row in state.execute("SELECT holder FROM lease")}
    assert (code, holders) == (0, {""})
    assert any(told.startswith("READY=1") for told in ready)
    assert any(told.startswith("STOPPING=1") for told in stopping)
    assert (names[0], names[-1]) == ("daemon.started", "daemon.stopped")
    assert {"daemon.stopping", "status.snapshot"} <= set(names)


def test_a_commit_is_heard_at_once(tmp_path: Path) -> None:
    """A change reaches every provider although the next poll is an hour away."""
    with landscape(tmp_path, 5, TWO, head='[schedule]\npoll = "1h"\n') as land:
        land.change('timeout = "3s"', 'timeout = "9s"')  # what a busy machine lets fail is tried again by a poll only
        heard_at_once(land, tmp_path)


def heard_at_once(land: Landscape, directory: Path) -> None:
    """Two edits in a row arrive."""
    with running(land.config, directory) as daemon:
        assert until(lambda: set(land.remotes().values()) == {5}), daemon.log.read_text()
        for email in ("first@example.com", "second@example.com"):
            change_email(land, email)
            assert until(lambda email=email: arrived(land, email))  # type: ignore[misc]
        assert daemon.end() == 0


def test_the_watchdog_is_fed_in_time(tmp_path: Path) -> None:
    """systemd hears from a working daemon again and again."""
    with working(tmp_path, WATCHDOG_USEC="1000000") as (_, daemon):
        told = daemon.heard()

        def fed() -> bool:
            told.extend(daemon.heard())
            return told.count("WATCHDOG=1") >= 4

        assert until(fed)
        assert daemon.end() == 0


@pytest.mark.parametrize(("allowed", "pause"), [("30000000", 15.0), ("1000000", 0.5), ("", 3600.0), ("x", 3600.0)])
def test_the_watchdog_may_miss_one_sign(monkeypatch: pytest.MonkeyPatch, allowed: str, pause: float) -> None:
    """Between two signs lies half of the time that systemd allows; where it asks for none, a signal alone wakes us."""
    monkeypatch.setenv("WATCHDOG_USEC", allowed)
    clock = SystemClock()
    host = Host(Path("syncd.toml"), installation, Environment(), Notifier("", clock), clock, "life")

    assert host.pause == pause


@pytest.mark.long
def test_a_second_signal_does_not_wait(tmp_path: Path) -> None:
    """SIGTERM lets a request in flight end; a second one leaves at once, and the next start settles what was open."""
    with working(tmp_path) as (land, daemon):
        land.twin("aiotic").faults.add(Fault("hang-after", method="PUT", seconds=2.9))
        change_email(land, "in-flight@example.com")
        assert until(lambda: arrived(land, "in-flight@example.com"))
        daemon.send(signal.SIGTERM)
        assert until(lambda: daemon.events("daemon.stopping"))
        assert daemon.end() == 0
        assert daemon.events("daemon.stopped")[0]["outcome"] == "unfinished"
        writes = land.twin("aiotic").writes()

        with running(land.config, tmp_path) as again:
            assert until(land.settled)
            assert again.end() == 0
    assert land.twin("aiotic").writes() == writes


def test_a_quiet_daemon_is_silent(tmp_path: Path) -> None:
    """Polls with nothing to do leave no line, no run, and no request at a provider."""
    with working(tmp_path) as (land, daemon):
        assert until(lambda: len(daemon.events("status.snapshot")) == 1)
        assert until(land.settled)  # every write was confirmed
        assert goes_on(land.pulse)
        before = (len(daemon.events()), {name: len(land.twin(name).log) for name in TWO})
        assert goes_on(land.pulse)

        assert (len(daemon.events()), {name: len(land.twin(name).log) for name in TWO}) == before


def test_a_second_daemon_leaves_with_8(tmp_path: Path) -> None:
    """On one SQLite state there is one daemon; the other names its process."""
    with working(tmp_path) as (land, daemon):
        again = subprocess.run(
            [sys.executable, "-m", "syncd", "run", "--config", str(land.config)],
            capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip

    assert (again.returncode, str(daemon.process.pid) in again.stderr) == (8, True)


def test_a_reload_takes_all_or_nothing(tmp_path: Path) -> None:
    """SIGHUP with a wrong file keeps the old settings and says so; with a right one the new ones are in force."""
    with working(tmp_path) as (land, daemon):
        right = land.config.read_text()
        land.config.write_text(right.replace('table = "customers"', 'table = "custommers"') + "\nnonsense = 1\n")
        daemon.send(signal.SIGHUP)
        assert until(lambda: daemon.events("config.rejected"))
        change_email(land, "old-settings@example.com")
        assert until(lambda: arrived(land, "old-settings@example.com"))

        land.config.write_text(right.replace("500ms", "400ms"))
        daemon.heard()
        daemon.send(signal.SIGHUP)
        assert until(lambda: daemon.events("config.loaded"))
        assert until(lambda: len(daemon.events("daemon.started")) == 2)
        change_email(land, "new-settings@example.com")
        assert until(lambda: arrived(land, "new-settings@example.com"))
        told = daemon.heard()
        code = daemon.end()

    assert code == 0
    assert [word for word in ("RELOADING=1", "READY=1") if any(line.startswith(word) for line in told)] == [
        "RELOADING=1",
        "READY=1",
    ]


def test_a_pause_is_noticed_within_seconds(tmp_path: Path) -> None:
    """`pause` and `resume` go through the state; the running daemon obeys at its next poll."""
    with working(tmp_path) as (land, _):
        assert land.said("pause", "aiotic", "--reason", "test").code == 0
        change_email(land, "paused@example.com")
        assert until(lambda: arrived(land, "paused@example.com", ("jtl",)))
        assert goes_on(land.pulse)
        waiting = not arrived(land, "paused@example.com", ("aiotic",))
        assert land.said("resume", "aiotic").code == 0

        assert waiting
        assert until(lambda: arrived(land, "paused@example.com"))


def test_a_provider_that_is_down_slows_nobody(tmp_path: Path) -> None:
    """While one provider hangs, the other gets its customers at once; the first catches up by itself."""
    with working(tmp_path, customers=8) as (land, _):  # fewer than a guard's limit
        land.twin("aiotic").faults.add(Fault("hang", times=1000, seconds=2.0))
        land.sql("UPDATE customers SET email = 'all@example.com'")

        assert until(lambda: arrived(land, "all@example.com", ("jtl",)))
        assert not arrived(land, "all@example.com", ("aiotic",))
        land.twin("aiotic").faults.clear()
        assert until(lambda: arrived(land, "all@example.com", ("aiotic",)), 150.0)


def test_a_restored_source_stops_every_write(tmp_path: Path) -> None:
    """A fence that went back is told once as an error; nothing is written until it is mended, and then all is."""
    with working(tmp_path) as (land, daemon):
        assert until(lambda: len(daemon.events("status.snapshot")) == 1)
        acks = fence(land, None)
        fence(land, acks + 7)
        assert until(lambda: daemon.events("capture.broken"))
        before = land.writes()
        change_email(land, "after@example.com")
        assert goes_on(land.pulse)
        stood = (land.writes() == before, len(daemon.events("capture.broken")), daemon.process.poll())
        fence(land, acks)

        assert stood == (True, 1, None)
        assert until(lambda: arrived(land, "after@example.com"))
        assert until(lambda: daemon.events("daemon.recovered"))
        assert daemon.events("capture.broken")[0]["command"] == "syncd recover"


def fence(land: Landscape, acks: int | None) -> int:
    """Set the source's count of acknowledgements as a restored backup would; with None, only tell it."""
    with closing(sqlite3.connect(land.shop)) as shop, shop:
        table = next(
            name
            for (name,) in shop.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if any(column[1] == "acks" for column in shop.execute(f"PRAGMA table_info({name})"))
        )
        if acks is not None:
            shop.execute(f"UPDATE {table} SET acks = ?", (acks,))
        return int(shop.execute(f"SELECT acks FROM {table}").fetchone()[0])


class Monitor(BaseHTTPRequestHandler):
    """A healthchecks.io of our own."""

    paths: list[str]

    def do_GET(self) -> None:
        """Note who called."""
        self.paths.append(self.path)
        self.send_response(200)
        self.end_headers()

    def do_POST(self) -> None:
        """A failure comes with words."""
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Be quiet."""


def test_monitor_page_and_metrics_are_kept_fresh(tmp_path: Path) -> None:
    """The monitor hears start and ok, the page is written, the metrics file holds the figures."""
    pytest.importorskip("prometheus_client")
    paths: list[str] = []
    with HTTPServer(("127.0.0.1", 0), type("Own", (Monitor,), {"paths": paths})) as monitor:
        threading.Thread(target=monitor.serve_forever, daemon=True).start()
        head = (
            f'{FAST}[log]\nstatus_page = "{tmp_path}/page.html"\n[metrics]\ntextfile = "{tmp_path}/syncd.prom"\n'
            f'[alerts]\nping_url = "http://127.0.0.1:{monitor.server_port}/ping/abc"\n'
        )
        with working(tmp_path, head) as (_, daemon):
            assert until(lambda: len(paths) >= 2)
            assert daemon.end() == 0
        monitor.shutdown()

    assert paths[:2] == ["/ping/abc/start", "/ping/abc"]
    assert 'syncd_customers{provider="aiotic",state="linked"}' in (tmp_path / "syncd.prom").read_text()
    assert "<!doctype html>" in (tmp_path / "page.html").read_text().lower()


@pytest.mark.long
def test_some_seconds_of_the_soak(tmp_path: Path) -> None:
    """The hour that `python -m tests.system.soak` runs, in small: faults, edits on both sides, nothing lost."""
    watch, wrong, code = soak(tmp_path, 10.0, seed=3, customers=30)

    assert (code, wrong, watch.lies) == (0, [], [])
    assert watch.edits > 10
    assert watch.faults > 0

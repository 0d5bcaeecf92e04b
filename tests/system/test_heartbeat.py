"""Never green while nothing works: a dead, a hung and a full installation, asked by everybody who may ask."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from syncd.daemon.page_guard import Guard
from syncd.store import database
from tests.system.landscape import Landscape, landscape
from tests.system.running import Running, running, until
from tests.system.test_daemon import change_email, working
from tests.system.test_daemon_duty import post


def aged(land: Landscape, seconds: float) -> None:
    """As if the last sign of life were older."""
    with closing(sqlite3.connect(land.state, timeout=10)) as state, state:
        state.execute("UPDATE pulse SET seen = seen - ?", (seconds,))


def beating(land: Landscape) -> bool:
    with closing(sqlite3.connect(land.state)) as state:
        return bool(state.execute("SELECT count(*) FROM pulse").fetchone()[0])


def test_status_names_the_daemon(tmp_path: Path) -> None:
    """One command answers whether it lives: process, machine, since when, last sign; after an end there is none."""
    with working(tmp_path) as (land, daemon):
        assert until(lambda: beating(land))
        answer = land.said("status", "--json").data
        words = land.said("status").out
        (told,) = answer["daemons"]

        assert (told["pid"], told["state"], answer["storage"]["ok"]) == (daemon.process.pid, "working", True)
        assert told["since"] <= told["pulse"]
        assert f"daemon: pid {daemon.process.pid} on {told['host']} since " in words
        assert land.said("status", "--ready").code == 0
        assert until(lambda: daemon.events("status.snapshot"))
        assert daemon.events("status.snapshot")[-1]["daemons"] != []
        assert daemon.end() == 0
        assert land.said("status", "--json").data["daemons"] == []
        assert land.said("status", "--ready").code == 7


def test_a_pulse_beats_at_most_once_a_second(tmp_path: Path) -> None:
    """A daemon that polls four times a second writes its sign once a second, and goes on writing it."""
    with post(tmp_path) as at, closing(sqlite3.connect(at.land.state, isolation_level=None)) as state:
        at.duty.poll()
        beats = []
        for _ in range(20):
            state.execute("UPDATE pulse SET poll = 0")  # which a beat overwrites
            at.clock.sleep(0.25)
            at.duty.poll()
            beats.append(state.execute("SELECT max(poll) FROM pulse").fetchone()[0] > 0)
    assert beats == [False, False, False, True] * 5


def strike(land: Landscape, daemon: Running, blow: signal.Signals) -> None:
    """Kill it, or stop it outside of a transaction in either database."""
    daemon.send(blow)
    if blow == signal.SIGKILL:
        daemon.process.wait(10)
        return
    for _ in range(100):
        assert until(lambda: Path(f"/proc/{daemon.process.pid}/stat").read_text().rpartition(") ")[2][0] in "Tt")
        with (
            closing(sqlite3.connect(land.state, timeout=0.2)) as state,
            closing(sqlite3.connect(land.shop, timeout=0.2)) as shop,
            contextlib.suppress(sqlite3.OperationalError),
        ):
            state.execute("BEGIN IMMEDIATE")
            shop.execute("BEGIN EXCLUSIVE")
            return
        daemon.send(signal.SIGCONT)
        time.sleep(0.05)
        daemon.send(blow)
    pytest.fail("it was in a transaction at every stop")


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
def test_a_dead_or_hung_daemon_is_told(tmp_path: Path, blow: signal.Signals) -> None:
    """Killed or stopped with a change waiting: status says attention and why, it is not ready, doctor names it."""
    with working(tmp_path) as (land, daemon):
        assert until(lambda: beating(land))
        strike(land, daemon, blow)
        change_email(land, "waits@example.com")
        aged(land, 31.0)
        answer = land.said("status", "--json")

        assert (answer.code, answer.data["state"]) == (7, "attention")
        assert answer.data["problems"][0]["kind"] == "daemon_silent"
        assert "SILENT" in land.said("status").out
        assert land.said("status", "--ready").code == 7
        doctor = land.said("doctor", "--json")
        assert doctor.code == 7
        assert [check["exit_code"] for check in doctor.data["checks"] if check["check"] == "daemon"] == [7]


SILENT = "No recent events: is syncd running?"


@contextmanager
def drawing(directory: Path) -> Iterator[tuple[Running, Path]]:
    """A daemon that keeps its page fresh, once the page says that all is well."""
    page = directory / "page.html"
    with landscape(directory, 2) as land:
        land.run()
        config = land.config.read_text(encoding="utf-8")
        land.config.write_text(f'{config}\n[log]\nstatus_page = "{page}"\n', encoding="utf-8")
        with running(land.config, directory) as daemon:
            assert until(lambda: page.exists() and SILENT not in page.read_text(encoding="utf-8"))
            yield daemon, page


def test_the_page_of_a_killed_daemon_is_red(tmp_path: Path) -> None:
    """Its guard has the last word: at once, not when somebody looks at the clock."""
    with drawing(tmp_path) as (daemon, page):
        daemon.send(signal.SIGKILL)
        assert until(lambda: SILENT in page.read_text(encoding="utf-8"))


def test_the_page_of_a_daemon_that_ended_says_so(tmp_path: Path) -> None:
    """An end in order is told by the daemon itself, and its guard leaves with it."""
    with drawing(tmp_path) as (daemon, page):
        assert daemon.end() == 0
        assert "The daemon was stopped" in page.read_text(encoding="utf-8")
        assert SILENT not in page.read_text(encoding="utf-8")


def test_the_page_of_a_hung_daemon_is_red(tmp_path: Path) -> None:
    """Silence counts, too, once; and the next word takes it back into the daemon's hands."""
    page, guard = tmp_path / "page.html", Guard(tmp_path / "page.html", 0.3)
    guard.hold("the last word")
    assert until(lambda: page.exists() and page.read_text() == "the last word")
    page.unlink()
    guard.hold("another one")
    assert until(page.exists)
    assert page.read_text() == "another one"
    guard.dismiss()


def test_a_guard_that_was_ended_is_replaced(tmp_path: Path) -> None:
    """And it heeds no signal that is meant for the daemon."""
    page, guard = tmp_path / "page.html", Guard(tmp_path / "page.html")
    guard.hold("first")
    process = guard._process
    assert process is not None
    process.send_signal(signal.SIGKILL)
    process.wait(20)
    guard.hold("second")
    assert guard._process is not process
    assert guard._process is not None
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        guard._process.send_signal(number)
    guard.hold("third")
    guard.dismiss()
    assert not page.exists()


def test_a_daemon_that_starts_again_buries_the_dead(tmp_path: Path) -> None:
    """After a crash and a restart there is one daemon, and it lives."""
    with working(tmp_path) as (land, daemon):
        daemon.send(signal.SIGKILL)
        daemon.process.wait(10)
        with running(land.config, tmp_path) as again:
            assert until(lambda: pids(land) == [again.process.pid])
            assert land.said("status", "--ready").code == 0


def pids(land: Landscape) -> list[int]:
    with closing(sqlite3.connect(land.state)) as state:
        return [row[0] for row in state.execute("SELECT pid FROM pulse")]


def test_a_full_disk_is_said_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the state cannot be written, neither status, nor doctor, nor readiness calls it well."""
    with landscape(tmp_path, 3, ("aiotic",)) as land:
        land.run()
        assert land.said("status").code == 0
        monkeypatch.setattr(database, "LEAST_SPACE", 1 << 62)
        answer, doctor = land.said("status", "--json"), land.said("doctor", "--json")

        assert (answer.code, answer.data["state"]) == (7, "stopped")
        assert [problem["kind"] for problem in answer.data["problems"]] == ["state"]
        assert "disk is full" in answer.data["storage"]["reason"]
        assert doctor.code == 7
        assert any("disk is full" in check["what"] for check in doctor.data["checks"])


def test_a_strict_doctor_lets_no_note_pass(tmp_path: Path) -> None:
    """What is only worth a note leaves 0, and 2 for whoever asks for it."""
    with landscape(tmp_path, 3, ("aiotic",)) as land:
        land.run()
        plain, strict = land.said("doctor", "--json"), land.said("doctor", "--json", "--strict")

    noted = any(check["remedy"] for check in plain.data["checks"])
    assert (plain.code, strict.code) == (0, 2 if noted else 0)
    assert noted  # a check digit of the sample shop


@contextmanager
def small_disk(directory: Path) -> Iterator[Path]:
    """A file system of two megabytes; a visible skip where none may be mounted."""
    place = directory / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system may be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_fills_up_under_a_daemon(tmp_path: Path) -> None:
    """The daemon, its snapshot, its page and everybody beside it say so; with space again all is well by itself."""
    with small_disk(tmp_path) as disk:
        page = tmp_path / "page.html"
        head = f'[schedule]\npoll = "300ms"\n[log]\nstatus_page = "{page}"\n'
        with landscape(tmp_path, 5, ("aiotic", "jtl"), head=head) as land:
            text = land.config.read_text().replace(f"sqlite:///{land.state}", f"sqlite:///{disk}/state.db")
            land.config.write_text(text)
            with running(land.config, tmp_path) as daemon:
                assert until(lambda: set(land.remotes().values()) == {5}), daemon.log.read_text()
                fill(disk)
                change_email(land, "full@example.com")
                assert until(lambda: stopped(daemon)), daemon.log.read_text()
                answer = land.said("status", "--json")
                assert (answer.code, answer.data["state"]) == (7, "stopped")
                assert until(lambda: page.exists() and "cannot write its state" in page.read_text())
                (disk / "fill").unlink()
                assert until(lambda: daemon.events("daemon.recovered"))
                assert until(lambda: land.said("status").code == 0)


def fill(disk: Path) -> None:
    with (disk / "fill").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return


def stopped(daemon: Running) -> bool:
    """Whether the last snapshot says that the state cannot be written."""
    told = daemon.events("status.snapshot")
    return bool(told) and told[-1]["state"] == "stopped" and "full" in json.dumps(told[-1]["storage"])

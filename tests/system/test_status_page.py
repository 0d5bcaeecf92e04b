"""`syncd status-page`: the same answer as `syncd status`, from real runs' log lines, on a page that a browser shows."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.bootstrap import installation
from syncd.engine.run import Options, run_cycle
from syncd.log.keys import sentence
from syncd.sandbox.faults import Fault
from syncd.settings import load
from syncd.status.facts import Item, ProviderFacts, SourceFacts
from syncd.status.report import build
from syncd.status.shape import iso
from syncd.status.snapshot import snapshot_event
from tests.system.browser import browse, first_pixel, served, widths
from tests.system.landscape import Landscape, landscape
from tests.system.running import until

PASSING = {"at", "oldest_due_s", "lag_s"}  # these go on while nobody does anything


@pytest.fixture
def land(tmp_path: Path) -> Iterator[Landscape]:
    """Three providers, one of which asks a person about conflicts, and a log file."""
    with landscape(tmp_path, 30, ("aiotic", "jtl", "billbee")) as land:
        land.change('lease = "30s"\n', f'lease = "30s"\n[log]\nfile = "{log(land)}"\n[guards]\nupdate = "10/24h"\n')
        land.change("[providers.jtl]\n", '[providers.jtl]\nconflict = "review"\n')
        yield land


def log(land: Landscape) -> Path:
    return land.directory / "syncd.log"


def page(land: Landscape, *words: str) -> Any:
    """What `status-page --json` makes of the log."""
    answer = land.said("status-page", str(log(land)), "--json", "--exit-code", *words)
    assert answer.code == answer.data["exit_code"]
    return answer.data


def standing(answer: Any) -> Any:
    """An answer without what time alone changes; reasons as the log may show them."""
    if isinstance(answer, dict):
        return {
            word: sentence(value)[0] if word == "reason" else standing(value)
            for word, value in answer.items()
            if word not in PASSING
        }
    return [standing(item) for item in answer] if isinstance(answer, list) else answer


def trouble(land: Landscape) -> None:
    """A customer that rules refuse, a conflict, a provider that is down, one that refuses us, a guard that trips."""
    twins = land.server.twins
    land.sql("UPDATE customers SET country = 'XX' WHERE id = 3")
    land.sql("UPDATE customers SET city = 'Bremen' WHERE id = 15")
    for external_id, record in list(twins["jtl"].records.items()):
        if record["Number"] == "1015":
            twins["jtl"].edit(external_id, BillingAddress=dict(record["BillingAddress"]) | {"City": "Kiel"})
    land.sql("UPDATE customers SET name = 'Neu ' || name WHERE id > 16")
    twins["aiotic"].faults.add(Fault("status", status=503, times=0))
    twins["billbee"].faults.add(Fault("status", status=401, times=0))


def test_both_views_agree_after_every_run(land: Landscape) -> None:
    """`status` asks the state database, the page only the log: after a real run they say the same, in all its parts."""
    for troubled in (False, False, True, False):
        if troubled:
            trouble(land)
        land.said("run-once", "--scan", "--wait", "0")
        seen = land.said("status", "--json")
        assert standing(page(land)) == standing(seen.data)
        assert page(land)["exit_code"] == seen.code
    kinds = {(problem["provider"], problem["kind"]) for problem in page(land)["problems"]}
    assert {("aiotic", "down"), ("billbee", "blocked"), ("jtl", "conflict"), ("jtl", "guard_update")} <= kinds


def test_no_customer_is_on_the_page(land: Landscape) -> None:
    """Whatever happened, neither the log nor the page holds a value of the source."""
    land.said("run-once")
    trouble(land)
    land.said("run-once", "--scan", "--wait", "0")
    out = land.directory / "page.html"
    page(land, "-o", str(out))
    texts = log(land).read_text() + out.read_text()
    for row in land.sql("SELECT name, email, phone, street, city FROM customers"):
        for value in row:
            assert value is None or str(value) not in texts


def test_a_line_a_delivery_and_none_for_nothing(land: Landscape) -> None:
    """The log grows with what happened: about a line a delivered customer, and not at all with an idle poll."""
    land.said("run-once")
    lines = log(land).read_text().splitlines()
    assert 90 <= len(lines) <= 90 + 5
    with installation(load(land.config)) as site:

        def idle() -> bool:
            before = log(land).stat().st_size
            run_cycle(site, Options(mode="poll"))
            return log(land).stat().st_size == before

        def confirmed() -> bool:
            run_cycle(site, Options(mode="poll"))
            with site.state.read() as tx:
                return not tx.exec_driver_sql("SELECT id FROM intent").all()

        assert until(confirmed)  # what was created is read once more after the settle time
        assert all(idle() for _ in range(3))
    assert len(log(land).read_text().splitlines()) <= 90 + 20


# -- in a browser ------------------------------------------------------------------------------------------------------


def written(tmp_path: Path, lines: list[dict[str, Any]], *words: str) -> str:
    """The page that real `syncd status-page` makes of some lines on stdin."""
    out = tmp_path / "page.html"
    text = "".join(json.dumps(line) + "\n" for line in lines)
    command = [sys.executable, "-m", "syncd", "status-page", "-o", str(out), *words]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return out.read_text(encoding="utf-8")


def day(ago: float = 2.0, *, hostile: str = "") -> list[dict[str, Any]]:
    """A snapshot full of trouble and an hour of events before it; `hostile` words wherever words may stand."""
    now = datetime.now(UTC) - timedelta(seconds=ago)
    names = ("aiotic", f"a_provider_with_a_rather_long_name{hostile}", "billbee")
    facts = [
        ProviderFacts(names[0], "aiotic", "down", f"answered 503 {hostile}", now, due=120_345, oldest=now),
        ProviderFacts(names[1], "jtl", "blocked", f"answered 401 {hostile}", now, calls_month=1_234_567, last_ok=now),
        ProviderFacts(names[2], "billbee", reviews=70),
    ]
    items = [Item(names[2], f"K{n:05}{hostile}", "conflict", ("postal_code", "city"), "", now, n) for n in range(1, 70)]
    event = snapshot_event(build(now, SourceFacts("triggers", hostile, 4, now), facts, items))
    lines = [
        {"event": "pair.pushed", "timestamp": iso(now - timedelta(minutes=n)), "provider": name, "customer_key": str(n),
         "wait_s": n / 3}
        for n in range(60) for name in names
    ]  # fmt: skip
    lines.append({"event": "lane.paused", "timestamp": iso(now), "provider": names[1], "reason": hostile})
    return [*lines, {"event": "status.snapshot", "timestamp": iso(now), **event}]


HOSTILE = "<script>document.title='taken'</script><img src='/leak'><style>body{background:url(/leak)}</style>"


def test_a_browser_asks_for_nothing_else(tmp_path: Path) -> None:
    """One file is the whole page; markup in a provider's words stays text, and if not nothing came of it."""
    text = written(tmp_path, day(hostile=HOSTILE))
    with served(text) as (url, asked):
        shown = browse(tmp_path, url, "--dump-dom")
        assert set(asked) == {"/"}
    assert re.search(r"<title>(.*)</title>", shown)[1] == "✖ syncd: Stopped"  # type: ignore[index]
    assert "What is wrong now" in shown
    assert shown.count("&lt;script&gt;") > 5
    with served(text.replace("</body>", f"{HOSTILE}</body>")) as (url, asked):
        shown = browse(tmp_path, url, "--dump-dom")
        assert set(asked) == {"/"}
    assert "<title>✖ syncd: Stopped</title>" in shown


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_sticks_out(tmp_path: Path, width: int) -> None:
    """At a phone's width, and with words that nobody can break, the page never scrolls sideways."""
    assert widths(tmp_path, written(tmp_path, day(hostile="x" * 200)), width) == (width, width)


def test_light_and_dark(tmp_path: Path) -> None:
    """The page follows the reader's colours."""
    (tmp_path / "page.html").write_text(written(tmp_path, day()), encoding="utf-8")
    corners = []
    for scheme in ("1", "0"):
        picture = tmp_path / f"{scheme}.png"
        flags = (
            f"--blink-settings=preferredColorScheme={scheme}",
            "--window-size=1280,1400",
            f"--screenshot={picture}",
        )
        browse(tmp_path, f"file://{tmp_path}/page.html", *flags)
        corners.append(sum(first_pixel(picture.read_bytes())))
    assert corners[0] > 3 * 230
    assert corners[1] < 3 * 40


def test_silence_is_said(tmp_path: Path) -> None:
    """An old log makes a page that doubts, in its title already; a timer that runs seldom may allow more."""
    old = written(tmp_path, day(ago=400))
    assert "<title>✖ syncd: No recent events: is syncd running?</title>" in old
    assert "<title>✖ syncd: Stopped</title>" in written(tmp_path, day(ago=400), "--silent-after", "10m")


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_the_commands_manners(tmp_path: Path) -> None:
    """A page goes to stdout or to a file, 0 when written, the status's code on demand; a missing log is said so."""
    logged = tmp_path / "syncd.log"
    logged.write_text("".join(f"Nov 22 03:04:05 shop syncd[9]: {json.dumps(line)}\n" for line in day()))

    def run(*words: str) -> tuple[int, str, str]:
        command = [sys.executable, "-m", "syncd", "status-page", *words]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60
        )
        return done.returncode, done.stdout, done.stderr

    code, out, err = run(str(logged))
    assert (code, out.startswith("<!doctype html>"), err) == (0, True, "")
    assert run(str(logged), "--exit-code", "--json")[0] == 2  # triggers are missing: the worst of this day
    assert run(str(tmp_path / "none.log"))[0] == 2
    assert run("--watch", str(logged))[0] == 2
    assert run(str(logged), "-o", str(tmp_path / "none" / "page.html"))[0] == 2
    assert json.loads(run("--json")[1])["problems"][0]["kind"] == "silent"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["syncd.log"]


def test_watching_a_log(tmp_path: Path) -> None:
    """--watch keeps the page fresh through growth, a torn line and rotation, in one step each, and ends on SIGTERM."""
    logged, out = tmp_path / "syncd.log", tmp_path / "page.html"
    lines = [json.dumps(line) for line in day()]
    logged.write_text("\n".join(lines[:60]) + "\n" + lines[60][:20])
    command = [sys.executable, "-m", "syncd", "status-page", "--watch", "-o", str(out), str(logged)]
    with subprocess.Popen(command) as process:
        try:
            assert until(lambda: out.exists() and "60 log lines" in out.read_text())
            with logged.open("a") as more:
                more.write(lines[60][20:] + "\n" + "\n".join(lines[61:100]) + "\n")
            assert until(lambda: "100 log lines" in out.read_text())
            os.replace(logged, tmp_path / "syncd.log.1")
            logged.write_text("\n".join(lines[100:]) + "\n")
            assert until(lambda: f"{len(lines)} log lines" in out.read_text())
            assert "Stopped" in out.read_text()
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.html", "syncd.log", "syncd.log.1"]


def test_watching_a_pipe(tmp_path: Path) -> None:
    """With a pipe the page appears while the writer lives, and the command ends with it."""
    out = tmp_path / "page.html"
    command = [sys.executable, "-m", "syncd", "status-page", "--watch", "-o", str(out)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        process.stdin.write("".join(json.dumps(line) + "\n" for line in day()))
        process.stdin.flush()
        assert until(lambda: out.exists() and "181 log lines" not in out.read_text() and "182 log" in out.read_text())
        process.stdin.close()
        assert process.wait(20) == 0

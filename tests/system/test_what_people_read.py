"""What a person reads says what is so, how many it touches, and what to type next."""

from __future__ import annotations

import os
import pty
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from syncd.cli import syncd
from syncd.cli.exits import leave
from syncd.sandbox.faults import Fault
from tests.system.landscape import Landscape, landscape


@pytest.fixture
def land(tmp_path: Path) -> Iterator[Landscape]:
    """Six customers in agreement at two providers; conflicts wait for a person, two updates a day are free."""
    with landscape(
        tmp_path, 6, ("aiotic", "jtl"), head='[guards]\nupdate = "2/24h"\n', common='conflict = "review"\n'
    ) as made:
        made.run()
        yield made


def edit_at_jtl(land: Landscape, number: str, city: str) -> None:
    """Somebody edits an address there."""
    twin = land.twin("jtl")
    for external_id, record in list(twin.records.items()):
        if record["Number"] == number:
            twin.edit(external_id, BillingAddress=dict(record["BillingAddress"]) | {"City": city})


def problems(land: Landscape) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = land.said("status", "--json").data["problems"]
    return found


def test_explain_does_not_say_agreed_of_what_differs(land: Landscape) -> None:
    """An edit that no scan has seen yet: both sides differ, and the command that looks at once."""
    edit_at_jtl(land, str(land.row(1)["number"]), "Kiel")

    lines = land.said("explain", "1").out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("jtl"))

    assert "differ by now" in lines[at]
    assert "next: pull city" in lines[at + 3]
    assert lines[at + 4].strip() == "syncd sync 1"
    assert "Both sides agree." in land.said("explain", "2").out


def test_nobody_agrees_while_a_change_waits(land: Landscape) -> None:
    """A change that nobody has picked up yet, be the provider well or paused, stands beside no "agree"."""
    assert land.said("pause", "jtl").code == 0
    calm = land.said("explain", "1").out
    land.sql("UPDATE customers SET city = 'Bremen' WHERE id = 1")
    told = land.said("explain", "1").out

    assert "Both sides agree." in calm
    assert "Agreed at the last look" in calm
    assert "gree" not in told
    assert told.count("due: A change in the source waits to be picked up.") >= 1


def test_the_next_look_never_lies_in_the_past(land: Landscape) -> None:
    """A retry whose time has come, and that nobody makes, is told as the next thing and not as history."""
    slower = land.config.read_text().replace('backoff = "200ms"', 'backoff = "1h"')
    land.config.write_text(slower)  # the run itself makes no retry
    land.twin("aiotic").faults.add(Fault("status", status=503, times=1))
    land.sql("UPDATE customers SET city = 'Bremen' WHERE id = 1")
    land.run(wait=0.0)
    with closing(sqlite3.connect(land.state)) as state, state:
        assert state.execute("UPDATE work SET due_at = since WHERE error_class = 'Temporary'").rowcount == 1
    told = land.said("explain", "1").out

    assert "as soon as its turn comes" in told


def test_a_conflict_is_told_in_a_sentence(land: Landscape) -> None:
    """status and review say what happened, not the name of the kind twice."""
    edit_at_jtl(land, str(land.row(1)["number"]), "Kiel")
    land.sql("UPDATE customers SET city = 'Bremen' WHERE id = 1")
    land.run(scan=True)
    (item,) = [problem for problem in problems(land) if problem["kind"] == "conflict"]
    listed, shown = land.said("review", "list").out, land.said("review", "show", item["command"].split()[-1]).out

    assert (item["reason"], item["fields"]) == ("Both sides changed the same field.", ["city"])
    assert "city: Both sides changed the same field." in listed
    assert "jtl 1" in shown.splitlines()[3]
    assert "1 open review item:" in land.said("plan").out


def test_a_guard_says_how_many_it_holds(land: Landscape) -> None:
    """A tripped guard's problem counts what waits, and the run that tripped it is not called ok."""
    land.sql("UPDATE customers SET name = 'Neu ' || name")
    land.run()
    status = land.said("status", "--json").data
    held = {problem["provider"]: problem["reason"] for problem in status["problems"]}

    assert held == dict.fromkeys(("aiotic", "jtl"), "4 held back: update limit reached")
    assert status["last_run"]["outcome"] == "partial"


@pytest.mark.parametrize(
    ("url", "why", "place"),
    [
        ("postgresql+psycopg://a@127.0.0.1:1/x", "connection refused", "[source]"),
        ("mysql+pymysql://a@127.0.0.1:1/x", "connection refused", "[source]"),
        ("postgresql+psycopg://a@nowhere.invalid/x", "no such host", "[source]"),
    ],
)
def test_an_unreachable_source_says_why(land: Landscape, url: str, why: str, place: str) -> None:
    """Which database, what is wrong with the way there, and what to check; nothing of the driver's text."""
    land.source_url = url
    land.write()
    answer = land.said("plan")

    assert answer.code == 7
    assert answer.err.splitlines() == [
        f"error: the source database does not answer as it should ({why}).",
        f"next:  check url under {place}, the network and the server, then: syncd doctor",
    ]


@pytest.mark.parametrize(("environment", "plain"), [({"NO_COLOR": "1"}, True), ({}, False)])
def test_no_color_is_honoured_on_a_terminal(land: Landscape, environment: dict[str, str], plain: bool) -> None:
    """With NO_COLOR a terminal gets letters alone; without, the head of a table is bold."""
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "syncd", "status", "--config", str(land.config)]
    known = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    subprocess.run(words, stdout=theirs, stderr=theirs, env=known | {"TERM": "xterm"} | environment, check=True)
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)

    assert "PROVIDER" in shown
    assert ("\x1b" not in shown) is plain


def test_explain_tells_an_ordered_link_from_a_lost_create(land: Landscape) -> None:
    """A person ordered this link: no create was lost."""
    number = str(land.row(2)["number"])
    assert land.said("unlink", "aiotic", "2").code == 0
    land.run()
    assert land.said("link", "aiotic", "2", number).code == 0
    said = land.said("explain", "2").out
    assert (f"link the record {number}" in said, "lost create" in said) == (True, False), said


def test_a_command_to_copy_takes_any_key(land: Landscape) -> None:
    """A key that a shell would split or run stands quoted in the next command."""
    assert "syncd forget 'x; y' --yes" in land.said("forget", "x; y").err
    assert "syncd explain 'x; y'" in land.said("link", "aiotic", "x; y", "1").err


def test_a_directory_of_secrets_that_cannot_be_written_is_no_taken_port(tmp_path: Path) -> None:
    """`syncd sandbox` names the directory."""
    (tmp_path / "file").write_text("")
    with CliRunner().isolation() as (_out, err, _both):
        code = leave(lambda: syncd.main(["sandbox", "--port", "0", "--secrets", str(tmp_path / "file" / "secrets")]))
        said = err.getvalue().decode()
    assert (code, "port" in said, str(tmp_path / "file" / "secrets") in said) == (2, False, True), said

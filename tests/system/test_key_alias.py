"""A key that is a person (an e-mail address, a name) stands in the clear on a terminal only, and commands take both."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.landscape import Landscape, landscape

ANNA, HANS = "anna.canary@example.com", "Hans Canary O'Neil"
MORE = ("sync", "retry", "history")
ALIAS = re.compile(r"key-[0-9a-f]{12}")


@pytest.fixture
def land(tmp_path: Path) -> Iterator[Landscape]:
    """Two customers under a login, whom Invisible Collector refuses: no country. Logs, page and metrics are on."""
    with landscape(tmp_path, 1, ("invisible_collector",)) as land:
        land.sql("CREATE TABLE people (login TEXT PRIMARY KEY, company TEXT, country TEXT)")
        land.sql("INSERT INTO people VALUES (?, 'Eins', NULL), (?, 'Zwei', NULL), ('4711', 'Drei', NULL)", ANNA, HANS)
        text = re.sub(r"\[source\.fields\]\n(.+\n)+?\[", "[source.fields]\nname = 'company'\ncountry = 'country'\n[",
                      land.config.read_text(encoding="utf-8"))  # fmt: skip
        text = text.replace('table = "customers"', 'table = "people"').replace('key = "id"', 'key = "login"')
        text = re.sub(r'default_country = "\w+"\n', "", text)
        text += f'\n[log]\nlevel = "debug"\nfile = "{tmp_path}/log.jsonl"\n[metrics]\ntextfile = "{tmp_path}/s.prom"\n'
        land.config.write_text(text, encoding="utf-8")
        assert land.said("triggers", "install").code == 0
        yield land


def on_a_terminal(land: Landscape, *words: str) -> str:
    """What a person sees."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "syncd", *words, "--config", str(land.config)]
    child = subprocess.Popen(command, stdout=theirs, stdin=theirs, stderr=subprocess.DEVNULL)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # the other end is closed: Linux says so with EIO
        pass
    finally:
        os.close(ours)
        child.wait(30)
    return shown.decode()


def test_no_log_page_or_pipe_tells_who_it_is(land: Landscape) -> None:
    """Every command, the log at debug level and the page built of it: no key in the clear, whoever is refused."""
    said = [land.said("run-once"), *(land.said(*words) for words in (
        ("status",), ("status", "--json"), ("doctor",), ("plan",), ("plan", "--json"), ("review",),
        ("verify", "--json"),
        ("explain", ANNA), ("explain", HANS, "--json"), ("history", HANS, "--json"), ("sync", HANS),
        ("sync", ANNA, "--json"), ("retry", HANS), ("run-once", "--json"),
    ))]  # fmt: skip
    told = (land.directory / "log.jsonl").read_text(encoding="utf-8")
    page = land.said("status-page", str(land.directory / "log.jsonl"), "-o", str(land.directory / "page.html"))
    shown = (land.directory / "page.html").read_text(encoding="utf-8")

    for text in (told, shown, page.out, *(answer.out + answer.err for answer in said)):
        assert "canary" not in text.lower(), text
    assert len(set(ALIAS.findall(told))) == 2
    assert set(ALIAS.findall(shown)) == set(ALIAS.findall(told)) == set(ALIAS.findall(said[2].out))
    assert '"customer_key":"4711"' in told
    commands = [problem["command"] for problem in said[2].data["problems"]]
    assert "syncd explain 4711" in commands
    assert sum(ALIAS.search(command) is not None for command in commands) == 2


@pytest.mark.long
def test_a_terminal_shows_the_key_itself(land: Landscape) -> None:
    """Who sits at the machine reads the names that the shop uses."""
    land.said("run-once")

    assert ANNA in on_a_terminal(land, "status", "--json")
    assert HANS in on_a_terminal(land, "explain", HANS)


@pytest.mark.parametrize(
    "words", [("explain",), ("forget", "--yes"), *(pytest.param((word,), marks=pytest.mark.long) for word in MORE)]
)
def test_commands_take_an_alias(land: Landscape, words: tuple[str, ...]) -> None:
    """What stands in a log line can be typed."""
    land.said("run-once")
    (alias,) = set(ALIAS.findall(land.said("explain", HANS).out))
    assert alias in {problem["customer_key"] for problem in land.said("status", "--json").data["problems"]}
    answer = land.said(words[0], alias, *words[1:], *(["--json"] if words[0] in {"explain", "history"} else []))

    assert answer.code in {0, 5}, answer.err
    assert "canary" not in (answer.out + answer.err).lower()
    if words[0] == "forget":
        assert land.recalled("SELECT count(*) FROM mapping WHERE customer_key = ?", HANS) == [(0,)]


def test_an_alias_of_nobody_is_said_to_be_unknown(land: Landscape) -> None:
    """It is looked for, and not taken for a key."""
    assert land.said("explain", "key-000000000000").code == 2


@pytest.mark.parametrize(
    ("setting", "noted", "anna", "number"),
    [
        ("", False, False, True),
        ('customer_key = "plain"', True, True, True),
        ('customer_key = "hash"', False, False, False),
    ],
)  # fmt: skip
def test_the_setting_rules_and_doctor_names_it(
    land: Landscape, setting: str, noted: bool, anna: bool, number: bool
) -> None:
    """By default what is no number and no UUID is hidden; `plain` hides nothing and is noted, `hash` hides all."""
    land.change("[log]\n", f"[log]\n{setting}\n")
    land.said("run-once")
    told = (land.directory / "log.jsonl").read_text(encoding="utf-8")
    (row,) = [check for check in land.said("doctor", "--json").data["checks"] if check["check"] == "keys"]

    assert (bool(row["remedy"]), ANNA in told, '"customer_key":"4711"' in told) == (noted, anna, number)
    assert "login" in row["what"]

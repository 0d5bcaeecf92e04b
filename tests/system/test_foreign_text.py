"""What strangers typed reaches a terminal, a spreadsheet and a program as text, whichever command shows it."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import unicodedata
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from syncd.cli import syncd
from syncd.cli.output import document, echo, json_text, visible
from syncd.cli.spreadsheet import cell, guarded, unguarded
from tests.system.landscape import Landscape, landscape

HOSTILE = "=\x1b[2J\x1b]0;owned\x07\x9b31m\x7f\u202e\u2066\u2028\r\nnext:  syncd forget x --yes\t[red]"
KEY = f"k{HOSTILE}"
ACTING = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}

NOT_WALKED = {
    "demo": "shows what it made itself",
    "init": "writes a file that must not be there yet",
    "run": "the daemon: it logs, and prints nothing",
    "sandbox": "stays until it is ended",
}
WALK: tuple[tuple[str, ...], ...] = (
    ("run-once",),
    ("status",),
    ("doctor",),
    ("doctor", "--gdpr"),
    ("explain", KEY),
    ("explain", "--values", KEY),
    ("sync", KEY),
    ("plan",),
    ("plan", "--values"),
    ("review",),
    ("review", "list"),
    ("review", "show", "1"),
    ("review", "show", "2"),
    ("review", "resolve", "1", "--take", "source"),
    ("links",),
    ("links", "--format", "json"),
    ("history", KEY),
    ("match", "--all"),
    ("match", "jtl", "--out", "{directory}/report.csv"),
    ("adopt", "jtl", "{directory}/report.csv", "--yes"),
    ("verify",),
    ("mark", "jtl", HOSTILE),
    ("pause", "jtl"),
    ("retry", KEY),
    ("retry", "--failed"),
    ("resume", "jtl"),
    ("resume", HOSTILE),
    ("unlink", "jtl", KEY),
    ("link", "jtl", KEY, HOSTILE),
    ("triggers", "check"),
    ("triggers", "install"),
    ("triggers", "install", "--print-sql"),
    ("triggers", "remove", "--print-sql"),
    ("db", "info"),
    ("db", "upgrade"),
    ("db", "backup", "{directory}/backup.db"),
    ("db", "copy", "--to", "sqlite:///{directory}/copy.db"),
    ("recover",),
    ("provider", "rename", "jtl", HOSTILE),
    ("provider", "remove", "jtl"),
    ("status-page", "{directory}/log"),
    ("forget", KEY),
    ("forget", KEY, "--yes"),
)


@pytest.fixture
def land(tmp_path: Path) -> Iterator[Landscape]:
    """Five customers whose keys and names are hostile, at two providers where somebody typed the like."""
    with landscape(tmp_path, 5, ("billbee", "jtl"), install=False, common='conflict = "review"\n') as made:
        text = made.config.read_text(encoding="utf-8").replace('key = "id"', 'key = "code"')
        made.config.write_text(text, encoding="utf-8")
        with closing(sqlite3.connect(made.shop)) as shop, shop:
            columns = [row[1] for row in shop.execute("PRAGMA table_info(customers)") if row[1] != "id"]
            rows = shop.execute(f"SELECT {', '.join(columns)} FROM customers ORDER BY id").fetchall()
            shop.execute("DROP TABLE customers")
            shop.execute(f"CREATE TABLE customers (code TEXT PRIMARY KEY NOT NULL, {' TEXT, '.join(columns)} TEXT)")
            marks = ", ".join("?" * (len(columns) + 1))
            keys = (KEY, *(f"{HOSTILE}{number}" for number in range(len(rows) - 1)))
            shop.executemany(
                f"INSERT INTO customers VALUES ({marks})", [(key, *row) for key, row in zip(keys, rows, strict=True)]
            )
        made.install()
        made.run()
        with closing(sqlite3.connect(made.shop)) as shop, shop:
            shop.execute("UPDATE customers SET city = ?, email = ?", (f"here{HOSTILE}", f"a@b{HOSTILE}"))
        twin = made.twin("jtl")
        for external_id, record in list(twin.records.items()):
            twin.edit(external_id, BillingAddress=dict(record["BillingAddress"]) | {"City": f"there{HOSTILE}"})
        yield made


def acting(text: str, *, csv_rows: bool = False) -> list[str]:
    """The characters of an answer that a terminal would obey, but for line feeds."""
    text = text.replace("\r\n", "\n") if csv_rows else text
    return sorted({letter for letter in text if letter != "\n" and unicodedata.category(letter) in ACTING})


@pytest.mark.long
def test_no_command_lets_a_stranger_steer_the_terminal(land: Landscape) -> None:
    """Every command, with and without --json, over hostile keys and values of both sides: no control character comes
    out, and no line is one that a value forged."""
    (land.directory / "log").write_text(json.dumps({"event": "pair.pushed", "customer_key": KEY}) + "\n")
    for words in WALK:
        typed = [word.format(directory=land.directory) if "{directory}" in word else word for word in words]
        for line in (typed, [*typed, "--json"]):
            said = land.said(*line)
            for text in (said.out, said.err):
                assert acting(text, csv_rows=words[0] == "links") == [], line
                assert not any(each.startswith("next:  syncd forget x") for each in text.splitlines()), line
            assert '"event": "exit.internal"' not in said.err


def test_the_walk_meets_every_command() -> None:
    """A command that is added is walked, too, or says why not."""
    context = click.Context(syncd)

    assert {words[0] for words in WALK} | set(NOT_WALKED) == set(syncd.list_commands(context))


@given(st.text(st.characters(codec=None)))
def test_nothing_that_acts_is_left_and_nothing_readable_is_lost(text: str) -> None:
    """An escape for what acts; letters of any script stay; JSON gives back what went in."""
    shown = visible(text)

    assert acting(shown) == []
    assert "\n" not in shown
    assert visible("Änne Łukasz ’s-Gravenhage 漢字") == "Änne Łukasz ’s-Gravenhage 漢字"
    assert acting(json_text({"value": text})) == []
    assert json.loads(json_text({"value": text})) == {"value": text}
    assert acting(cell(text)) == []
    assert unguarded(guarded(text)) == text


def test_a_line_is_a_line_whatever_it_holds() -> None:
    """Two arguments are two lines; a line feed within one is shown as `\\n`. A document keeps its own line feeds."""
    runner = CliRunner()
    with runner.isolation() as (out, _err, _both):
        echo("one\ntwo", "three")
        document("SELECT 1;\n\tSELECT '\x1b';\n")

        assert out.getvalue().decode() == "one\\ntwo\nthree\nSELECT 1;\n\tSELECT '\\x1b';\n"


def test_a_spreadsheet_computes_nothing(land: Landscape) -> None:
    """Cells that begin like a formula, after blanks and controls too, begin with an apostrophe."""
    rows = list(csv.reader(io.StringIO(land.said("links").out)))

    assert rows[1:]
    assert all(value[:1] not in set("=+-@\t\r") or value.lstrip("-").isdigit() for row in rows for value in row)
    for start in ("=", "+", "-", "@", "\t", "\r", "\n", " =", "\x0b=", "＝"):
        assert guarded(f"{start}1+1").startswith("'")
    assert (guarded("-5"), guarded("1001"), guarded("O'Brien")) == ("-5", "1001", "O'Brien")

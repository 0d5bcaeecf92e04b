"""One decision about many items: exactly what was shown, and nothing that came later."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from syncd.clock import SystemClock
from syncd.operate.reading import chosen
from syncd.operate.review import decide_all, waiting
from syncd.store import review
from tests.system.landscape import Landscape, landscape


@pytest.fixture
def land(tmp_path: Path) -> Iterator[Landscape]:
    """Six customers whom aiotic has under numbers of its own: each a candidate, by e-mail and name."""
    with landscape(tmp_path, 6, ("aiotic",), create="after-match") as made:
        with closing(sqlite3.connect(made.shop)) as shop:
            shop.row_factory = sqlite3.Row
            rows = [dict(row) for row in shop.execute("SELECT * FROM customers")]
        with made.site(exclusive=False) as site:
            (route,) = chosen(site, ())
            for row in rows:
                number = str(9000 + row.pop("id"))
                route.adapter.create(number, route.adapter.project(row | {"number": number, "vat_number": None}))
        assert made.said("adopt", "aiotic", "--yes", "--json").data["accepted"]["review"] == 6
        yield made


def items(land: Landscape) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = land.said("review", "list", "--json").data["items"]
    return found


def test_all_candidates_are_linked_by_one_command(land: Landscape) -> None:
    """Each is linked to the record that its item names; the count is said, and nothing is decided without a yes."""
    command = ("review", "resolve", "--kind", "candidate", "--provider", "aiotic", "--link")
    asked = land.said(*command)
    assert (asked.code, "6 candidate of aiotic" in asked.out, "--yes" in asked.err) == (5, True, True)
    assert len(items(land)) == 6
    done = land.said(*command, "--yes")
    assert (done.code, "6 resolved" in done.out) == (0, True)
    assert items(land) == []
    result = land.run()
    assert land.remotes() == {"aiotic": 6}, result.counts


def test_what_came_after_the_list_is_not_decided(land: Landscape) -> None:
    """An item that was opened, or changed what it is about, after the list was read stays open."""
    with land.site(exclusive=False) as site:
        now = SystemClock().now()
        shown = waiting(site.state, "aiotic", "candidate")
        with site.state.begin() as tx:
            review.open_review(tx, "aiotic", "4077", "candidate", {}, "probable match with 9001: email+name", now)
            review.open_review(
                tx, "aiotic", shown[0].customer_key, "candidate", {"name": ["0" * 32, None]}, shown[0].reason, now
            )
        done = decide_all(site.state, shown, "ignore", now)
    assert (done.items, done.skipped) == (5, 1)
    assert {item["customer_key"] for item in items(land)} == {"4077", shown[0].customer_key}


def test_a_record_that_is_not_named_or_not_free_is_not_linked(land: Landscape) -> None:
    """With --link an item that names several records, or one that another customer has by now, stays open."""
    with land.site(exclusive=False) as site:
        now = SystemClock().now()
        shown = waiting(site.state, "aiotic", "candidate")
        with site.state.begin() as tx:
            review.open_review(
                tx, "aiotic", shown[0].customer_key, "candidate", {}, "ambiguous match with 9001, 9002: several", now
            )
        done = decide_all(site.state, waiting(site.state, "aiotic", "candidate"), "link", now)
    assert (done.items, done.skipped) == (5, 1)


@pytest.mark.parametrize(
    "words",
    [
        ("--kind", "candidate", "--ignore"),
        ("3", "--kind", "candidate", "--provider", "aiotic", "--ignore"),
        ("--kind", "candidate", "--provider", "aiotic", "--link", "9001"),
        ("--kind", "candidate", "--provider", "aiotic", "--take", "source", "--yes"),
        ("3", "--link"),
    ],
)
def test_what_makes_no_sense_is_refused(land: Landscape, words: tuple[str, ...]) -> None:
    """One item or a kind at a provider, and a decision that the kind takes: everything else is a usage error."""
    assert land.said("review", "resolve", *words).code == 2
    assert len(items(land)) == 6


def test_nothing_of_that_kind_is_no_error(land: Landscape) -> None:
    """Where no such item is open, the command says so."""
    answer = land.said("review", "resolve", "--kind", "conflict", "--provider", "aiotic", "--take", "source", "--yes")
    assert (answer.code, "No open item" in answer.out) == (0, True)


def test_a_value_that_cannot_come_here_is_not_taken(tmp_path: Path) -> None:
    """Where the source may not be written, `--take provider` is refused with the reason, and the item stays open."""
    with landscape(tmp_path, 2, ("aiotic",)) as land:
        land.run()
        land.config.write_text(land.config.read_text().replace("[source]\n", "[source]\nwrite = false\n", 1))
        land.twin("aiotic").edit("1001", city="Husum")
        with land.site() as site:
            from syncd.engine.run import Options, run_cycle

            run_cycle(site, Options(mode="run-once", scan=True, exclusive=True))
        (item,) = items(land)
        answer = land.said("review", "resolve", str(item["id"]), "--take", "provider")
        assert (answer.code, "may not be written" in answer.err) == (2, True)
        assert "--take provider" not in land.said("review", "show", str(item["id"])).out
        many = land.said(
            "review", "resolve", "--kind", item["kind"], "--provider", "aiotic", "--take", "provider", "--yes"
        )
        assert many.code == 2
        assert [each["id"] for each in items(land)] == [item["id"]]


@pytest.mark.parametrize(
    "words",
    [
        ("review", "resolve", "--kind", "candidate", "--provider", "aiotic", "--ignore", "--yes"),
        pytest.param(("adopt", "aiotic", "--yes"), marks=pytest.mark.long),
        pytest.param(("retry", "--failed"), marks=pytest.mark.long),
    ],
)
def test_events_stand_behind_the_sentences(land: Landscape, words: tuple[str, ...]) -> None:
    """Where stderr is no terminal, what is told to the log comes after all that is told to the person."""
    command = [sys.executable, "-m", "syncd", *words, "--config", str(land.config)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True)
    lines = done.stdout.splitlines()
    events = [line.startswith("{") for line in lines]
    assert any(events)
    assert not all(events)
    assert events == sorted(events), done.stdout

"""Words of `doctor` and `explain` that would send a person the wrong way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from syncd.cli.explain import verdict
from syncd.core.model import Pair, Work
from syncd.operate.explain import Look
from tests.system.landscape import Landscape, landscape

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def land(tmp_path: Path) -> Iterator[Landscape]:
    """Three customers; nobody is linked before a match report."""
    with landscape(tmp_path, 3, ("aiotic", "jtl")) as land:
        yield land


def test_doctor_counts_the_customers_that_there_are(land: Landscape) -> None:
    """Three rows are not "the first 1000", and what a provider refuses is not "sent all the same"."""
    land.sql("UPDATE customers SET email = 'nobody' WHERE id = 2")
    said = land.said("doctor").out

    assert "looks wrong in 1 of 3: 2" in said
    assert "first 1000" not in said
    assert "sent all the same" not in said


def test_doctor_says_who_refuses_a_doubtful_value(land: Landscape) -> None:
    """An adapter knows without a request that its provider takes no country of this kind."""
    land.sql("UPDATE customers SET country = 'Deutschland' WHERE id = 2")
    said = land.said("doctor").out

    assert "country looks wrong in 1 of 3: 2" in said
    assert "Refused before sending by" in said


def test_a_pair_that_is_not_linked_has_no_field_lines(land: Landscape) -> None:
    """What nobody can see over there is no decision about a field."""
    said = land.said("explain", "2").out

    assert "settle" not in said
    assert "the provider does not show it" not in said


def test_a_link_that_is_gone_is_not_due_for_ever(land: Landscape) -> None:
    """Row and link are gone: nothing is left to do, and nothing is announced."""
    assert land.said("run-once").code == 0
    land.sql("DELETE FROM customers WHERE id = 2")
    for _ in range(3):
        land.said("run-once")
    land.recalled("DELETE FROM mapping WHERE customer_key = '2'")
    land.recalled("DELETE FROM work WHERE customer_key = '2'")
    said = land.said("explain", "2").out

    assert "forget the link" not in said
    assert "due" not in said.split("last events")[0].replace("residue", "")


def test_a_moment_is_no_reason() -> None:
    """A row that is gone waits for a second look; the moment at which it was missed first is not told as a reason."""
    work = Work(Pair("aiotic", "2"), 1, "changed", NOW, NOW, 1, "absent", NOW.isoformat())
    word, why, _ = verdict(Look("aiotic", "ok", None, work, ()), [])

    assert (word, why) == ("waiting", "The row is gone from the source; a second look makes sure.")

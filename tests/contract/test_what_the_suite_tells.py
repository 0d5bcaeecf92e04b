"""What the contract suite says to whoever writes an adapter: what was tried, and what to do about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncd.providers import aiotic
from syncd.testing import Breakage, Row, opened, suite
from syncd.testing.failures import failed_reading, throttled
from syncd.testing.spelling import projection_is_pure
from tests.contract.providers.aiotic import ROW


def test_a_failing_check_says_what_it_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks try many faults at many requests in one loop, whose lines look the same for all."""
    monkeypatch.setattr(aiotic.Aiotic, "fetch", lambda *_: None)
    told = []
    for check in (failed_reading, throttled):
        with opened(ROW, {}) as world, pytest.raises(pytest.fail.Exception) as failed:
            check(world)
        told += failed.value.__notes__

    assert told == [
        'tried: GET /customer/<number> under the fault status 500 {"detail": "boom"}',
        "tried: GET /customer/<number> answered 429",
    ]


def test_a_field_that_syncd_does_not_know_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt one would never be sent, and nobody would be told."""
    facts = aiotic.CAPABILITIES
    monkeypatch.setattr(aiotic.Aiotic, "capabilities", facts._replace(fields=facts.fields | {"nmae"}))
    with opened(ROW, {}) as world, pytest.raises(AssertionError, match="nmae"):
        projection_is_pure(world)


def test_a_breakage_that_nobody_notices_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the row that lacks something, or the suite; the adapter is sound."""
    nothing: Row = replace(ROW, breakages=(Breakage("breaks-nothing", lambda _: None),))
    made = suite(nothing)()
    with pytest.raises(AssertionError) as failed:
        made.test_breakage_is_noticed(nothing, nothing.breakages[0], monkeypatch)

    assert "every check passes with breaks-nothing" in str(failed.value)
    assert "Row.checks" in str(failed.value)

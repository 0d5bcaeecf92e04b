"""A walk is begun anew while a lane is in its middle: the lane must not store its old position over the new one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from syncd.core.model import Cursor, Page
from syncd.detect import walks
from syncd.detect.resync import look_at_everything
from syncd.engine.run import Options
from syncd.source import customers
from syncd.store import progress
from tests.model.test_sequences import LIST, SEARCH, run
from tests.model.world import Profile, Setting, World

SCAN = Options(scan=True)


def _at_the_nth(call: int, happens: Callable[[], None], real: Callable[..., Any]) -> Callable[..., Any]:
    """`real`, before whose n-th call something happens."""
    calls = [0]

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        if calls[0] == call:
            happens()
        return real(*args, **kwargs)

    return wrapped


def _anew(made: World) -> Callable[[], None]:
    def happens() -> None:
        with made.state.begin() as tx:
            look_at_everything(tx, made.site)

    return happens


def _backfilled(made: World) -> bool:
    with made.state.read() as tx:
        return progress.provider_state(tx, "p0").backfilled


def test_a_first_pass_that_was_begun_anew_does_not_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Capture reads a TRUNCATE while a lane has marked half of the rows: the other pass begins with the first row."""
    monkeypatch.setattr(walks, "ROWS", 2)
    made = World(Setting((Profile(SEARCH),), 7))
    with monkeypatch.context() as patch:
        patch.setattr(customers, "page", _at_the_nth(3, _anew(made), customers.page))
        run(made)
    with made.state.read() as tx:
        assert [progress.cursor(tx, f"{walk}:p0") for walk in ("backfill", "left")] == ["", ""]
    assert not _backfilled(made)
    run(made)
    assert _backfilled(made)


def test_a_sweep_that_was_begun_anew_does_not_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process captures a TRUNCATE while this one sweeps: the sweep begins with the first row again."""
    monkeypatch.setattr(walks, "ROWS", 2)
    made = World(Setting((Profile(SEARCH),), 7))
    run(made)
    made.clock.advance(made.site.rhythm.verify)
    made.run(Options())
    with made.state.read() as tx:
        assert progress.cursor(tx, "verify:source") == "=2"
    with monkeypatch.context() as patch:
        patch.setattr(customers, "page", _at_the_nth(1, _anew(made), customers.page))
        made.run(Options())
    with made.state.read() as tx:
        assert progress.cursor(tx, "verify:source") == ""


def test_a_listing_whose_position_was_taken_away_is_not_done() -> None:
    """A person releases newcomers while a listing runs: the next listing is complete and begins at once."""
    made = World(Setting((Profile(LIST),), 3))
    run(made)
    adapter = made.site.routes[0].adapter
    real = adapter.scan

    def scan(cursor: Cursor | None) -> Iterator[Page]:
        for page in real(cursor):
            with made.state.begin() as tx:
                for name in ("scan:p0", "scan:p0:at"):
                    progress.set_cursor(tx, name, "")
            yield page

    adapter.scan = scan  # type: ignore[method-assign]
    made.run(SCAN)
    with made.state.read() as tx:
        assert [progress.cursor(tx, name) for name in ("scan:p0", "scan:p0:at")] == ["", ""]

"""Fixtures of the contract suites."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.store.database import State, open_state, upgrade
from syncd.testing import Row
from syncd.testing.checks import CHECKS
from tests.contract.behind import close_all
from tests.databases import database

STATE_KEY = b"a state key of at least 32 characters"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """An adapter under the defaults and under the last value of every toggle at once is everybody's. Of each toggle
    alone the gate plays every third check, another third under the next toggle; the rest is `rare`. One adapter broken
    on purpose of each provider is everybody's, and the others are the gate's: they try the checks and no adapter."""
    for item in items:
        chosen = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        row = chosen.get("row")
        if not isinstance(row, Row):
            continue
        if "toggles" in chosen:
            variants, checks = row.all_variants(), (*CHECKS, *row.checks)
            place = variants.index(chosen["toggles"])
            if 0 < place < len(variants) - 1:
                in_the_gate = (place + checks.index(chosen["check"])) % 3 == 0
                item.add_marker(pytest.mark.long if in_the_gate else pytest.mark.rare)
        elif "breakage" in chosen and chosen["breakage"] is not row.breakages[0]:
            item.add_marker(pytest.mark.long)


@pytest.fixture(autouse=True)
def _nothing_stays_open() -> Iterator[None]:
    yield
    close_all()


@pytest.fixture
def postgres_database(tmp_path: Path) -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    with database("postgresql", tmp_path) as url:
        yield url


@pytest.fixture(params=("sqlite-file", "sqlite-memory", "postgresql"))
def state_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place for a new state, on each kind of database in turn."""
    if request.param == "sqlite-file":
        return f"sqlite:///{tmp_path}/state.db"
    if request.param == "sqlite-memory":
        return "sqlite://"
    return str(request.getfixturevalue("postgres_database"))


@pytest.fixture
def state(state_url: str) -> Iterator[State]:
    """A new, migrated state on each kind of database in turn."""
    if state_url.startswith("postgresql"):
        blank = open_state(state_url, key=STATE_KEY, check=False)
        upgrade(blank)
        blank.close()
    opened = open_state(state_url, key=STATE_KEY)
    yield opened
    opened.close()

"""Fixtures of the system tests: a shop in each database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.shop import Shop, shop
from tests.databases import DIALECTS, database


@pytest.fixture(params=DIALECTS)
def any_shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    """An empty database of each dialect in turn."""
    with database(request.param, tmp_path) as url, shop(url) as made:
        yield made


@pytest.fixture
def sqlite_shop(tmp_path: Path) -> Iterator[Shop]:
    with database("sqlite", tmp_path) as url, shop(url) as made:
        yield made


@pytest.fixture
def postgres_shop(tmp_path: Path) -> Iterator[Shop]:
    with database("postgresql", tmp_path) as url, shop(url) as made:
        yield made


@pytest.fixture
def mariadb_shop(tmp_path: Path) -> Iterator[Shop]:
    with database("mysql", tmp_path) as url, shop(url) as made:
        yield made

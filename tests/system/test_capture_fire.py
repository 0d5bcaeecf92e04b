"""Capture under fire: an application that writes with many connections at once, and cycles that poll meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from syncd.clock import SystemClock
from syncd.engine.run import Installation, Options, run_cycle
from syncd.source import changelog
from syncd.source.changelog import Batch
from syncd.source.database import Source
from syncd.store import work
from tests.cluster import Cluster
from tests.contract.shop import Shop, shop
from tests.databases import database
from tests.system.fire import Writer, fire
from tests.system.shelf import NAME, Shelf, shelved

POLL = Options(mode="poll", look=False, limit=50, rounds=0)
REST = Options(mode="poll", look=False)
FIELDS = {"number": "number", "name": "company", "email": "email"}
LOADS = {"postgresql": (16, 6.0, 0.3), "mysql": (16, 6.0, 0.3), "sqlite": (16, 6.0, 0.3)}


class Ahead(SystemClock):
    """The real clock, put forward at the end."""

    ahead = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.ahead)


def _few(writers: Sequence[Writer]) -> bool:
    """Whether less was committed than a test is worth."""
    prepared, two_phase = (any(each) for each in zip(*((w.prepared, w.two_phase) for w in writers), strict=True))
    return sum(writer.commits for writer in writers) <= 6 * len(writers) or prepared is not two_phase


@contextmanager
def burning(place: Shop, writers: int, seconds: float, pause: float) -> Iterator[tuple[Installation, Shelf]]:
    """Poll every 50 ms while the writers write, and work off the rest; no sweep and no listing comes to help."""
    place.tables()
    shelf, clock = Shelf(), Ahead()
    with place.source(fields=FIELDS) as source, shelved(source, {NAME: shelf}, clock=clock) as site:
        if place.dialect == "postgresql":
            place.run("ALTER SEQUENCE syncd.change_log_seq_seq CACHE 50")
        with fire(place, writers, pause) as made:
            end = time.monotonic() + seconds
            while time.monotonic() < end or (_few(made) and time.monotonic() < end + 60.0):
                run_cycle(site, POLL)
                time.sleep(0.05)
        assert not _few(made)
        run_cycle(site, REST)
        clock.ahead = 90.0  # the second look at keys that rows had before they were changed
        run_cycle(site, REST)
        yield site, shelf


def wrong(place: Shop, shelf: Shelf) -> set[str]:
    """Numbers whose last committed row is not what the provider has, and those it has too many."""
    with place.app.connect() as conn:
        rows = {row.number: row.company for row in conn.execute(sa.text("SELECT number, company FROM customers"))}
    there = {key: record["name"] for key, record in shelf.records.items()}
    return {number for number in rows.keys() | there.keys() if rows.get(number) != there.get(number)}


@pytest.mark.long
@pytest.mark.parametrize("dialect", LOADS)
def test_every_last_change_arrives(dialect: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Out-of-order commits, rollbacks, savepoints, bulk loads, two-phase commits and key changes: the provider ends
    with what was committed last, and with nothing else; no mark and no due pair is left behind."""
    where: Cluster | None = request.getfixturevalue("own_server") if dialect == "postgresql" else None
    with (
        database(dialect, tmp_path, where.url() if where else None) as url,
        shop(url) as place,
        burning(place, *LOADS[dialect]) as (site, shelf),
    ):
        assert len(shelf.records) > 50
        assert wrong(place, shelf) == set()
        assert changelog.backlog(site.source).rows == 0
        with site.state.read() as tx:
            assert work.next_due(tx, NAME, site.clock.now()) is None


def test_reading_on_from_the_last_number_does_not_survive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof that the fire burns: who reads `seq > last` loses customers in seconds."""
    honest = changelog.read
    last = 0

    def onwards(source: Source, limit: int = 1000) -> Batch:
        nonlocal last
        batch = honest(source, limit)
        entries = tuple(entry for entry in batch.entries if entry.seq > last)
        last = max([last, *(entry.seq for entry in entries)])
        return Batch(entries, batch.acks, batch.owner)

    monkeypatch.setattr(changelog, "read", onwards)
    with (
        database("postgresql", tmp_path) as url,
        shop(url) as place,
        burning(place, 16, 3.0, 0.1) as (_site, shelf),
    ):
        assert wrong(place, shelf)

"""The two ways without consuming: the snapshot of a read-only account, and the polled timestamp."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from syncd.source import changelog, snapshot, timestamps, triggers
from tests.contract.shop import Shop

ROW = "INSERT INTO customers (id, company) VALUES ({0}, 'A')"


def test_snapshot_reads_each_mark_once_and_writes_nothing(postgres_shop: Shop) -> None:
    """Every mark is seen once; log and fence stay as they are."""
    postgres_shop.tables()
    with postgres_shop.source(change_log="snapshot", write=False) as source:
        postgres_shop.run(ROW.format(1))
        first = snapshot.read(source, "")
        assert [entry.key for entry in first.entries] == ["1"]
        postgres_shop.run(ROW.format(2), "UPDATE customers SET id = 3 WHERE id = 2")
        second = snapshot.read(source, first.cursor)
        assert [(entry.op, entry.key, entry.was) for entry in second.entries] == [("I", "2", None), ("U", "3", "2")]
        assert snapshot.read(source, second.cursor).entries == ()
        assert changelog.backlog(source).rows == 3
        assert triggers.check(source) == []


@pytest.mark.parametrize("part", range(4))
def test_another_incarnation_restarts(postgres_shop: Shop, part: int) -> None:
    """Another server, timeline, database or log table voids the position: everything must be looked at."""
    postgres_shop.tables()
    with postgres_shop.source(change_log="snapshot", write=False) as source:
        postgres_shop.run(ROW.format(1))
        cursor = json.loads(snapshot.read(source, "").cursor)
        assert snapshot.read(source, json.dumps(cursor)).restart == ""
        cursor["identity"][part] = "0"
        changes = snapshot.read(source, json.dumps(cursor))
        assert "another one" in changes.restart
        assert [entry.key for entry in changes.entries] == ["1"]
        assert snapshot.read(source, changes.cursor).restart == ""


def test_horizon_from_the_future_restarts(postgres_shop: Shop) -> None:
    """A position beyond what the server has reached was taken before a restore."""
    postgres_shop.tables()
    with postgres_shop.source(change_log="snapshot", write=False) as source:
        cursor = json.loads(snapshot.read(source, "").cursor)
        cursor["horizon"] = 2**60
        assert "back in time" in snapshot.read(source, json.dumps(cursor)).restart


def test_a_new_log_restarts(postgres_shop: Shop) -> None:
    """Triggers removed and installed again are another log."""
    postgres_shop.tables()
    with postgres_shop.source(change_log="snapshot", write=False) as source:
        cursor = snapshot.read(source, "").cursor
        triggers.remove(source)
        triggers.install(source)
        assert snapshot.read(source, cursor).restart


def stamped(made: Shop) -> None:
    kind = {"sqlite": "datetime", "postgresql": "timestamptz", "mysql": "datetime(6)"}[made.dialect]
    made.run(f"CREATE TABLE customers (id integer PRIMARY KEY, company varchar(20), changed {kind})")


def put(made: Shop, key: int, seconds: float, company: str = "A") -> None:
    """A row stamped so many seconds before now, with a fraction: two edits never share a stamp."""
    now = {
        "sqlite": f"strftime('%Y-%m-%d %H:%M:%S', 'now', '-{seconds} seconds') || '.5'",
        "postgresql": f"now() - interval '{seconds} seconds'",
        "mysql": f"UTC_TIMESTAMP(6) - INTERVAL {seconds} SECOND",
    }[made.dialect]
    made.run(f"DELETE FROM customers WHERE id = {key}", f"INSERT INTO customers VALUES ({key}, '{company}', {now})")


def test_timestamps_see_new_stamps_once(any_shop: Shop) -> None:
    """Rows from before the first look are the backfill's; later stamps are seen once, also late ones in the overlap."""
    stamped(any_shop)
    put(any_shop, 1, 60)
    with any_shop.source(
        install=False, change_log="updated_at", updated_at="changed", fields={"name": "company"}
    ) as source:
        assert triggers.check(source) == []
        assert "not loss-free" in str(triggers.advice(source)[0])
        first = timestamps.read(source, "")
        assert first.entries == ()
        put(any_shop, 2, 10)
        put(any_shop, 3, 120)  # committed late: older than what was seen
        second = timestamps.read(source, first.cursor)
        assert sorted(entry.key for entry in second.entries) == ["2", "3"]
        put(any_shop, 1, 5, "B")
        put(any_shop, 4, 7200)  # beyond the overlap: lost until the sweep, which is why this mode is labelled
        third = timestamps.read(source, second.cursor)
        assert [entry.key for entry in third.entries] == ["1"]
        assert timestamps.read(source, third.cursor).entries == ()


def test_stamps_from_the_future_and_none_at_all(any_shop: Shop) -> None:
    """A stamp far ahead neither stops the others nor is believed; a row without a stamp is no error."""
    stamped(any_shop)
    with any_shop.source(
        install=False, change_log="updated_at", updated_at="changed", fields={"name": "company"}
    ) as source:
        cursor = timestamps.read(source, "").cursor
        any_shop.run("INSERT INTO customers VALUES (1, 'A', '2199-01-01 00:00:00'), (2, 'B', NULL)")
        put(any_shop, 3, 1)
        changes = timestamps.read(source, cursor, timedelta(minutes=1))
        assert [entry.key for entry in changes.entries] == ["3"]
        put(any_shop, 4, 0)
        assert "4" in [entry.key for entry in timestamps.read(source, changes.cursor).entries]

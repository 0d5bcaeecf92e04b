"""What a status asks of the state, on every database that may hold it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from syncd.core.effects import Later, Note
from syncd.core.model import Pair
from syncd.store import events, overview, review, work
from syncd.store.database import State

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def later(seconds: float) -> datetime:
    """A moment after NOW."""
    return NOW + timedelta(seconds=seconds)


def test_backlog_by_error_class(state: State) -> None:
    """Due and later rows are counted apart, by class; the oldest is that of the due ones."""
    with state.begin() as tx:
        work.mark(tx, [Pair("jtl", "1"), Pair("jtl", "2"), Pair("jtl", "3")], "changed", NOW)
        for item in work.take(tx, "jtl", NOW, 2):
            work.postpone(tx, [(item, Later(later(60), 1, "Temporary", "503"))])
        rows = {row.error_class: row for row in overview.waiting(tx, later(1))}
        after = {row.error_class: row for row in overview.waiting(tx, later(61))}
    assert (rows[""].now, rows[""].later, rows[""].oldest) == (1, 0, NOW)
    assert (rows["Temporary"].now, rows["Temporary"].later, rows["Temporary"].oldest) == (0, 2, None)
    assert (after["Temporary"].now, after["Temporary"].oldest) == (2, NOW)


def test_rows_of_a_class_page_by_key(state: State) -> None:
    """A page begins behind the last key and never shows another class or provider."""
    with state.begin() as tx:
        work.mark(tx, [Pair("jtl", str(key)) for key in range(1, 6)], "changed", NOW)
        for item in work.take(tx, "jtl", NOW, 4):
            work.postpone(tx, [(item, Later(later(60), 1, "Temporary", "503"))])
        first = overview.of_class(tx, "jtl", "Temporary", "", 3)
        rest = overview.of_class(tx, "jtl", "Temporary", first[-1].pair.key, 3)
        none = overview.of_class(tx, "billbee", "Temporary", "", 3)
    assert [[row.pair.key for row in page] for page in (first, rest, none)] == [["1", "2", "3"], ["4"], []]


def test_open_items_come_with_those_for_many_first(state: State) -> None:
    """Only open items count; a guard's item stands before those of single customers."""
    with state.begin() as tx:
        review.open_review(tx, "jtl", "7", "conflict", {}, "both", NOW)
        review.open_review(tx, "jtl", "", "guard_update", {}, "limit", later(1), count=9)
        review.open_review(tx, "jtl", "8", "found", {}, "there", NOW)
        review.close_reviews(tx, "jtl", "8", None, NOW, "settled")
        counts, items = overview.open_items(tx), overview.oldest_items(tx, "jtl", 5)
    assert counts == {"jtl": 2}
    assert [item.kind for item in items] == ["guard_update", "conflict"]


def test_last_event_of_a_pair(state: State) -> None:
    """The newest event under one of the names, of this pair alone."""
    pair = Pair("jtl", "7")
    with state.begin() as tx:
        events.record(tx, [Note(pair, "pair.rejected", ("city",), "old")], NOW)
        events.record(tx, [Note(pair, "pair.rejected", ("city",), "new")], later(1))
        events.record(tx, [Note(pair, "pair.pushed", ("name",))], later(2))
        events.record(tx, [Note(Pair("aiotic", "7"), "pair.rejected", (), "other")], later(3))
        last = overview.last_event(tx, pair, ["pair.rejected"])
        none = overview.last_event(tx, pair, ["pair.dead_lettered"])
    assert last is not None
    assert (last.detail, last.fields, none) == ("new", ("city",), None)

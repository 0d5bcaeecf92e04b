"""What a guard holds back and what a person who saw it lets go, on every database that may hold the state."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from syncd.core.model import Pair
from syncd.reconcile import staging
from syncd.store import overview, review, waiting, work
from syncd.store.database import State as Database
from syncd.store.database import Transaction
from tests.contract.test_store import undone

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KIND, HELD = "guard_blank", "staged:blank"
ORDINARY = "changed"

steps = st.lists(
    st.one_of(
        st.tuples(st.just("hold"), st.sampled_from("abcd"), st.sets(st.sampled_from(["city", "email"]), min_size=1)),
        st.tuples(st.sampled_from(["mark", "done"]), st.sampled_from("abcd")),
        st.tuples(st.sampled_from(["recount", "look"])),
        st.tuples(st.just("release"), st.integers(0, 5)),
    ),
    max_size=30,
)


@dataclass
class Expected:
    """What is held back, by key: a number that is new whenever the operation is, and its fields; what people saw."""

    held: dict[str, tuple[int, frozenset[str]]] = field(default_factory=dict)
    seen: list[tuple[int, dict[str, int]]] = field(default_factory=list)
    serial: int = 0

    def hold(self, key: str, fields: frozenset[str]) -> None:
        number, before = self.held.get(key, (0, frozenset()))
        if not number or not fields <= before:
            self.serial += 1
            number = self.serial
        self.held[key] = (number, fields)


def _class_of(tx: Transaction, error_class: str, shown: int | None = None) -> set[str]:
    return {row.pair.key for row in overview.of_class(tx, "p", error_class, "", 99, shown)}


def _hold(tx: Transaction, key: str, fields: frozenset[str]) -> None:
    pair = Pair("p", key)
    if work.read(tx, pair) is None:
        work.mark(tx, [pair], ORDINARY, NOW)
    item = work.read(tx, pair)
    assert item is not None
    waiting.stage(tx, item, NOW, HELD, sorted(fields))
    staging.announce(tx, "p", KIND, "limit reached", NOW)


def _look(tx: Transaction, expected: Expected) -> None:
    """What `review list` and `review show` print right now."""
    item = staging.standing(tx, "p", KIND)
    if item is not None:
        keys = _class_of(tx, HELD, item.id)
        expected.seen.append((item.id, {key: expected.held[key][0] for key in keys}))


def _release(tx: Transaction, expected: Expected, which: int) -> None:
    number, shown = expected.seen[which % len(expected.seen)]
    item = review.review(tx, number)
    before = _class_of(tx, HELD)
    if item is None or (item.closed_at is not None and item.decision != review.RENEWED):
        return  # that number stands for nothing any more
    count = staging.release(tx, item, NOW)
    released = before - _class_of(tx, HELD)
    wanted = {key for key, serial in shown.items() if expected.held.get(key, (0,))[0] == serial}
    assert released == wanted
    assert count == len(wanted)
    for key in released:
        row = work.read(tx, Pair("p", key))
        assert row is not None
        assert row.error_class == "granted:blank"
        work.drop(tx, row.pair)
        del expected.held[key]
    _counts_all(tx, expected)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=steps)
@example(
    history=[("hold", "a", {"city"}), ("recount",), ("look",), ("hold", "b", {"city"}), ("recount",), ("release", 0)]
)
@example(history=[("hold", "a", {"city"}), ("look",), ("hold", "a", {"city", "email"}), ("recount",), ("release", 0)])
@example(history=[("hold", "a", {"city"}), ("look",), ("done", "a"), ("hold", "a", {"city"}), ("release", 0)])
def test_a_release_grants_exactly_what_was_on_the_screen(state: Database, history: list[tuple[object, ...]]) -> None:
    """Whatever is held back, marked, looked at again, done or grown between the moment in which a person looked and his
    word: what he saw and is still so is granted, nothing else is; and one open item counts what is held back."""
    with undone(state) as tx:
        expected = Expected()
        for word, *more in history:
            match word, more:
                case "hold", [key, fields]:
                    _hold(tx, str(key), frozenset(fields))  # type: ignore[call-overload]
                    expected.hold(str(key), frozenset(fields))  # type: ignore[call-overload]
                case "mark", [key] if key in expected.held:
                    work.mark(tx, [Pair("p", str(key))], "scan", NOW)
                case "done", [key] if key in expected.held:
                    work.drop(tx, Pair("p", str(key)))
                    del expected.held[str(key)]
                case "recount", _:
                    staging.recount(tx, "p", NOW)
                    _counts_all(tx, expected)
                case "look", _:
                    _look(tx, expected)
                case "release", [which] if expected.seen:
                    _release(tx, expected, int(which))  # type: ignore[call-overload]


def _counts_all(tx: Transaction, expected: Expected) -> None:
    items = review.reviews(tx, provider="p", key="")
    assert [item.count for item in items] == ([len(expected.held)] if expected.held else [])

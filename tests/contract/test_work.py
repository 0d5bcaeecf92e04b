"""The due pairs, on every database that may hold them: what is released, moved, judged and waited for, and what not."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from syncd.core.effects import Later
from syncd.core.model import Pair, Stage, Verb
from syncd.store import journal, waiting, work
from syncd.store.database import State as Database
from syncd.store.database import Transaction
from tests.contract.test_store import NOW, PAIR, later

OTHERS = (Pair("billbee", "18"), Pair("jtl", "17"))


def put_off(tx: Transaction, pair: Pair, error_class: str, reason: str = "changed") -> None:
    """A pair that waits for an hour under this class."""
    work.mark(tx, [pair], reason, NOW)
    read = work.read(tx, pair)
    assert read is not None
    assert work.postpone(tx, [(read, Later(later(3600), 3, error_class, "held back"))])


def look(tx: Transaction, pair: Pair) -> tuple[str, str, bool]:
    """Reason, error class, and whether it is due within the first minute."""
    read = work.read(tx, pair)
    assert read is not None
    return read.reason, read.error_class, read.due_at < later(60)


def test_nothing_to_mark_takes_no_generation(state: Database) -> None:
    """Marking nobody changes nothing."""
    with state.begin() as tx:
        before = work.next_generation(tx)
        assert work.mark(tx, [], "changed", NOW) == 0
        assert work.next_generation(tx) == before + 1


def test_one_row_is_read_dropped_and_finished(state: Database) -> None:
    """What is done to one pair is not done to its neighbours, be it the same customer or the same provider."""
    with state.begin() as tx:
        work.mark(tx, [OTHERS[1], PAIR, OTHERS[0]], "changed", NOW)
        assert [row.pair for row in work.of_customer(tx, "17")] == [PAIR, OTHERS[1]]
        assert work.read(tx, Pair("jtl", "18")) is None
        for pair in (PAIR, *OTHERS):
            read = work.read(tx, pair)
            assert read is not None
            assert read.pair == pair
        assert work.drop(tx, PAIR)
        assert work.read(tx, PAIR) is None
        rest = work.read(tx, OTHERS[0])
        assert rest is not None
        assert work.finish(tx, [rest])
        assert not work.finish(tx, [rest])
        assert [row.pair for row in work.of_customer(tx, "17")] == [OTHERS[1]]
        assert work.of_customer(tx, "18") == []


def test_a_release_lets_go_what_waits_under_its_class(state: Database) -> None:
    """Exactly the rows of one provider and class become due, under the class that says who let them go; whoever holds
    one from before can neither finish it nor put it off again."""
    with state.begin() as tx:
        for pair in (PAIR, *OTHERS):
            put_off(tx, pair, "staged:update")
        put_off(tx, Pair("billbee", "19"), "Temporary")
        held = work.read(tx, PAIR)
        assert held is not None
        assert waiting.count_class(tx, "billbee", "staged:update") == 2

        assert waiting.release(tx, "billbee", "staged:update", "granted:update", later(5)) == 2

        assert look(tx, PAIR) == look(tx, OTHERS[0]) == ("changed", "granted:update", True)
        assert look(tx, OTHERS[1]) == ("changed", "staged:update", False)
        assert look(tx, Pair("billbee", "19")) == ("changed", "Temporary", False)
        assert (
            waiting.count_class(tx, "billbee", "staged:update"),
            waiting.count_class(tx, "jtl", "staged:update"),
        ) == (
            0,
            1,
        )
        assert not work.postpone(tx, [(held, Later(later(9000), 4, "Temporary", ""))])
        assert not work.finish(tx, [held])


def test_who_waited_for_adopt_belongs_to_the_first_pass(state: Database) -> None:
    """Creates that a person approved with `adopt` are the backfill's; adoptions and deletions keep their reason."""
    reasons = {"1": "changed", "2": "inserted", "3": "adopted", "4": "deleted", "5": "backfill"}
    with state.begin() as tx:
        for key, reason in reasons.items():
            put_off(tx, Pair("billbee", key), "adopt", reason)
        waiting.release(tx, "billbee", "adopt", "", NOW)
        found = {key: look(tx, Pair("billbee", key))[0] for key in reasons}
        assert found == {"1": "backfill", "2": "backfill", "3": "adopted", "4": "deleted", "5": "backfill"}


def test_an_inserted_row_is_judged_once(state: Database) -> None:
    """From then on it is a changed row like any other, also where its deletion came just before; a newer mark, another
    reason and a neighbour stay."""
    with state.begin() as tx:
        work.mark(tx, [PAIR, *OTHERS], "inserted", NOW)
        read, stale = work.read(tx, PAIR), work.read(tx, OTHERS[0])
        assert read is not None
        assert stale is not None
        work.mark(tx, [OTHERS[0]], "changed", NOW)
        work.note_seen(tx, [read])
        work.note_seen(tx, [stale])
        assert [look(tx, pair)[0] for pair in (PAIR, *OTHERS)] == ["changed", "inserted", "inserted"]

        for reason, after in (("adopted", "adopted"), ("deleted", "changed")):
            work.mark(tx, [PAIR], reason, NOW)
            read = work.read(tx, PAIR)
            assert read is not None
            work.note_seen(tx, [read])
            assert look(tx, PAIR)[0] == after


@pytest.mark.parametrize(
    ("live", "backfill", "limit", "order"),
    [
        (10, 20, 3, "llb"),
        (10, 20, 1, "l"),
        (2, 20, 8, "llbbbbbb"),
        (10, 1, 100, "lllblllllll"),
        (0, 3, 2, "bb"),
        (3, 0, 2, "ll"),
        (4, 4, 8, "lllblbbb"),
        (9, 2, 8, "lllblllb"),
    ],
)
def test_shares_of_live_and_backfill(state: Database, live: int, backfill: int, limit: int, order: str) -> None:
    """Three live ones to one of the backfill, and whatever one of them leaves free is the other's."""
    with state.begin() as tx:
        work.mark(tx, [Pair("billbee", f"b{number}") for number in range(backfill)], "backfill", NOW)
        work.mark(tx, [Pair("billbee", f"l{number}") for number in range(live)], "changed", later(1))
        work.mark(tx, [Pair("jtl", "l0"), Pair("jtl", "b0")], "changed", NOW)
        assert "".join(row.pair.key[0] for row in work.take(tx, "billbee", later(2), limit)) == order


def test_marks_of_one_moment_go_in_their_order(state: Database) -> None:
    """Whatever the keys are called, and whoever is busy."""
    with state.begin() as tx:
        for key in "zam":
            work.mark(tx, [Pair("billbee", key)], "changed", NOW)
        assert [row.pair.key for row in work.take(tx, "billbee", NOW, 9)] == ["z", "a", "m"]
        assert [row.pair.key for row in work.take(tx, "billbee", NOW, 1, {"z", "q"})] == ["a"]


def ready(tx: Transaction, provider: str, seconds: float) -> bool:
    return bool(tx.execute(sa.select(work.is_ready(provider)), {"now": later(seconds)}).scalar_one())


def test_when_there_will_be_something_to_do(state: Database) -> None:
    """The earliest moment of both queues, settle times included, is when `take` finds something, and not before."""
    with state.begin() as tx:
        assert (work.next_due(tx, "billbee", NOW), ready(tx, "billbee", 9)) == (None, False)
        work.mark(tx, [PAIR], "changed", NOW, due_at=later(30))
        work.mark(tx, [OTHERS[0]], "backfill", NOW, due_at=later(20))
        work.mark(tx, [OTHERS[1]], "changed", NOW, due_at=later(10))
        assert (work.next_due(tx, "billbee", NOW), ready(tx, "billbee", 19)) == (later(20), False)
        assert (ready(tx, "billbee", 20), ready(tx, "jtl", 10), ready(tx, "jtl", 9)) == (True, True, False)
        assert [row.pair for row in work.take(tx, "billbee", later(20), 9)] == [OTHERS[0]]
        work.drop(tx, OTHERS[0])
        assert (work.next_due(tx, "billbee", NOW), ready(tx, "billbee", 29)) == (later(30), False)
        assert ready(tx, "billbee", 30)

        intent = journal.open_intent(tx, PAIR, Verb.CREATE, {}, 1, NOW, later(180))
        journal.open_intent(tx, OTHERS[1], Verb.CREATE, {}, 1, NOW, later(5))
        assert (work.next_due(tx, "billbee", NOW), ready(tx, "billbee", 179)) == (later(180), False)
        assert work.settling(tx, "billbee", later(179)) == ["17"]
        assert (work.settling(tx, "billbee", later(180)), ready(tx, "billbee", 180)) == ([], True)
        assert work.next_due(tx, "jtl", NOW) == later(10)
        journal.update_intent(tx, intent, stage=Stage.CONFIRM)
        assert (work.settling(tx, "billbee", NOW), work.next_due(tx, "billbee", NOW)) == ([], later(30))


def test_the_earliest_of_many(state: Database) -> None:
    """Among many rows the earliest counts, whatever came first; a settle time holds its own pair and no other."""
    with state.begin() as tx:
        for key, reason, seconds in (
            ("1", "changed", 50),
            ("2", "scan", 40),
            ("3", "backfill", 90),
            ("4", "backfill", 80),
        ):
            work.mark(tx, [Pair("billbee", key)], reason, NOW, due_at=later(seconds))
        assert work.next_due(tx, "billbee", NOW) == later(40)
        for pair, settled in ((Pair("billbee", "9"), 1), (Pair("jtl", "2"), 41), (Pair("billbee", "1"), 45)):
            journal.open_intent(tx, pair, Verb.UPDATE, {}, 1, NOW, later(settled))
        assert work.next_due(tx, "billbee", NOW) == later(40)
        journal.open_intent(tx, Pair("billbee", "2"), Verb.UPDATE, {}, 1, NOW, later(500))
        assert work.next_due(tx, "billbee", NOW) == later(50)
        assert (ready(tx, "billbee", 49), ready(tx, "billbee", 50)) == (False, True)
        for key in ("1", "3", "4"):
            work.drop(tx, Pair("billbee", key))
        assert work.next_due(tx, "billbee", NOW) == later(500)


def test_a_pair_with_two_open_intents_waits_for_the_later_one(state: Database) -> None:
    """And one whose own time comes after them waits for that."""
    with state.begin() as tx:
        work.mark(tx, [PAIR], "changed", NOW)
        for seconds in (60, 90):
            journal.open_intent(tx, PAIR, Verb.UPDATE, {}, 1, NOW, later(seconds))
        assert work.next_due(tx, "billbee", NOW) == later(90)
        work.mark(tx, [OTHERS[0]], "changed", NOW)
        journal.open_intent(tx, OTHERS[0], Verb.UPDATE, {}, 1, NOW, later(30))
        assert work.next_due(tx, "billbee", NOW) == later(30)
        work.drop(tx, OTHERS[0])
        work.mark(tx, [PAIR], "changed", NOW, due_at=later(500))
        assert work.next_due(tx, "billbee", NOW) == later(500)


def test_rows_that_meet_become_one(state: Database) -> None:
    """A re-key onto a due row keeps the earlier time, the older mark and the stronger reason, newly numbered."""
    target = Pair("billbee", "new")
    with state.begin() as tx:
        work.mark(tx, [PAIR, OTHERS[1]], "deleted", later(5), due_at=later(50))
        work.mark(tx, [target], "changed", later(9), due_at=later(40))
        work.mark(tx, [Pair("azotte", "new")], "changed", later(1), due_at=later(1))
        met = work.read(tx, target)

        work.move_key(tx, "17", "new")

        rows = {row.pair.provider: row for row in work.of_customer(tx, "new")}
        assert work.of_customer(tx, "17") == []
        one = rows["billbee"]
        assert (one.reason, one.since, one.due_at) == ("deleted", later(5), later(40))
        assert met is not None
        assert one.generation > max(met.generation, rows["jtl"].generation)
        assert (rows["jtl"].since, rows["jtl"].due_at) == (later(5), later(50))
        assert (rows["azotte"].since, rows["azotte"].due_at) == (later(1), later(1))


def test_the_older_mark_of_two_stays(state: Database) -> None:
    """A standing row that was marked before the moved one keeps that, and takes the other's earlier due time."""
    with state.begin() as tx:
        work.mark(tx, [Pair("billbee", "new")], "changed", later(1), due_at=later(40))
        work.mark(tx, [PAIR], "changed", later(5), due_at=later(20))
        work.move_key(tx, "17", "new")
        (one,) = work.of_customer(tx, "new")
        assert (one.since, one.due_at) == (later(1), later(20))

"""The state's nouns, on every database that may hold them: mapping, work, intents, review, events, progress."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncd.core.effects import Later, Note
from syncd.core.model import FieldBase, Link, Pair, Sent, Stage, State, Verb
from syncd.errors import AlreadyLinked
from syncd.store import events, journal, mapping, progress, schema, tombstones, waiting, work
from syncd.store.database import State as Database
from syncd.store.database import Transaction

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PAIR = Pair("billbee", "17")
KEY = b"a state key of at least 32 characters"
CANARY = "canary-c0ffee@example.com"


def later(seconds: float) -> datetime:
    """A moment after NOW."""
    return NOW + timedelta(seconds=seconds)


def link(key: str = "17", provider: str = "billbee", state: State = State.LINKED, external_id: str | None = "") -> Link:
    """A mapping row; by default linked to an external id of its own."""
    remote = f"x-{key}" if external_id == "" else external_id
    return Link(Pair(provider, key), f"n-{key}", remote, {}, {}, state, created_at=NOW)


def digest(number: int) -> str:
    """Something that looks like a digest."""
    return f"{number:032x}"


# -- work ----------------------------------------------------------------------------------------------------------


def test_finish_deletes_what_was_read(state: Database) -> None:
    """A look that nobody disturbed ends the work."""
    with state.begin() as tx:
        work.mark(tx, [PAIR], "changed", NOW)
        (taken,) = work.take(tx, "billbee", NOW, 10)

        assert work.finish(tx, [taken])
        assert work.read(tx, PAIR) is None


def test_a_newer_mark_survives_a_finish(state: Database) -> None:
    """A sleeper that wakes after the pair was finished and marked anew deletes nothing."""
    with state.begin() as tx:
        work.mark(tx, [PAIR], "changed", NOW)
        (slept,) = work.take(tx, "billbee", NOW, 10)
        (other,) = work.take(tx, "billbee", NOW, 10)
        assert work.finish(tx, [other])
        work.mark(tx, [PAIR], "changed", later(5))

        assert not work.finish(tx, [slept])
        assert not work.postpone(tx, [(slept, Later(later(900), 3, "Temporary", "late"))])
        left = work.read(tx, PAIR)
        assert left is not None
        assert (left.due_at, left.attempts) == (later(5), 0)


def test_a_mark_during_work_keeps_the_pair_due(state: Database) -> None:
    """Every mark takes a new generation, also on a pair that is due already."""
    with state.begin() as tx:
        work.mark(tx, [PAIR], "changed", NOW)
        (taken,) = work.take(tx, "billbee", NOW, 10)
        work.mark(tx, [PAIR], "changed", later(1))

        assert not work.finish(tx, [taken])
        (again,) = work.take(tx, "billbee", later(1), 10)
        assert again.generation > taken.generation
        assert again.since == NOW


def test_one_counter_for_all_marks(state: Database) -> None:
    """Generations never repeat, whoever takes them and however many at once."""
    pairs = [Pair("billbee", str(number)) for number in range(50)]
    with state.begin() as tx:
        first = work.next_generation(tx)
        assert work.mark(tx, [*pairs, *pairs], "scan", NOW) == 50
        taken = work.take(tx, "billbee", NOW, 50)
        last = work.next_generation(tx)

    assert sorted(item.generation for item in taken) == list(range(first + 1, first + 51))
    assert last == first + 51


def test_a_mark_keeps_failures_and_its_place(state: Database) -> None:
    """A mark resets neither attempts nor the queue, so an often edited customer is not pushed back for ever."""
    other = Pair("billbee", "18")
    with state.begin() as tx:
        work.mark(tx, [PAIR], "changed", NOW)
        (taken,) = work.take(tx, "billbee", NOW, 10)
        work.postpone(tx, [(taken, Later(later(1), 4, "Temporary", "503"))])
        work.mark(tx, [other], "changed", later(2))
        work.mark(tx, [PAIR], "changed", later(3))

        first, second = work.take(tx, "billbee", later(3), 10)
        assert (first.pair, first.attempts, first.error, first.due_at) == (PAIR, 4, "503", later(1))
        assert second.pair == other


def test_a_mark_brings_a_postponed_pair_forward(state: Database) -> None:
    """What waited for its next attempt is due at once when it changes; a given time is taken literally."""
    with state.begin() as tx:
        work.mark(tx, [PAIR], "changed", NOW)
        (taken,) = work.take(tx, "billbee", NOW, 10)
        work.postpone(tx, [(taken, Later(later(900), 1, "Temporary", "503"))])
        work.mark(tx, [PAIR], "changed", later(1))
        assert [item.due_at for item in work.take(tx, "billbee", later(1), 10)] == [later(1)]

        work.mark(tx, [PAIR], "absent", later(1), due_at=later(61))
        assert work.take(tx, "billbee", later(60), 10) == []
        assert len(work.take(tx, "billbee", later(61), 10)) == 1


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ("changed", "scan", "scan"),
        ("scan", "changed", "scan"),
        ("backfill", "changed", "changed"),
        ("changed", "backfill", "changed"),
        ("scan", "verify", "verify"),
        ("deleted", "scan", "deleted"),
        ("scan", "deleted", "deleted"),
        ("adopted", "verify", "adopted"),
        ("adopted", "deleted", "deleted"),
        ("deleted", "adopted", "deleted"),
        ("adopted", "inserted", "adopted"),
        ("inserted", "scan", "inserted"),
    ],
)
def test_the_stronger_reason_stays(state: Database, first: str, second: str, kept: str) -> None:
    """`changed` says less than any other reason, `backfill` least; a seen deletion and an adoption are never lost."""
    with state.begin() as tx:
        work.mark(tx, [PAIR], first, NOW)
        work.mark(tx, [PAIR], second, NOW)

        found = work.read(tx, PAIR)
        assert found is not None
        assert (found.reason, work.stronger(first, second)) == (kept, kept)


def test_an_open_intent_holds_its_pair(state: Database) -> None:
    """No mark jumps a settle time; a write that only waits for its confirmation holds nothing."""
    other = Pair("jtl", "17")
    with state.begin() as tx:
        intent = journal.open_intent(tx, PAIR, Verb.CREATE, {}, 1, NOW, later(180))
        work.mark(tx, [PAIR, other], "changed", later(1))

        assert work.take(tx, "billbee", later(179), 10) == []
        assert len(work.take(tx, "jtl", later(1), 10)) == 1
        assert work.next_due(tx, "billbee", later(1)) == later(180)
        assert len(work.take(tx, "billbee", later(180), 10)) == 1

        journal.update_intent(tx, intent, stage=Stage.CONFIRM)
        assert len(work.take(tx, "billbee", later(1), 10)) == 1


def test_live_before_backfill_three_to_one(state: Database) -> None:
    """A first pass over the source goes on behind live changes: it has every fourth place and what is left over."""
    with state.begin() as tx:
        work.mark(tx, [Pair("billbee", f"b{number}") for number in range(20)], "backfill", NOW)
        work.mark(tx, [Pair("billbee", f"l{number}") for number in range(10)], "changed", later(1))

        order = "".join(item.pair.key[0] for item in work.take(tx, "billbee", later(2), 8))
        assert order == "lllblllb"
        assert "".join(item.pair.key[0] for item in work.take(tx, "billbee", later(2), 2)) == "lb"
        assert "".join(item.pair.key[0] for item in work.take(tx, "billbee", later(2), 1)) == "l"
        everything = Counter(item.pair.key[0] for item in work.take(tx, "billbee", later(2), 100))
        assert everything == {"b": 20, "l": 10}


def test_take_is_oldest_first_and_spares_the_busy(state: Database) -> None:
    """What has waited longest goes first; what somebody works on is not handed out twice."""
    with state.begin() as tx:
        for moment, key in ((3, "a"), (1, "c"), (2, "b")):
            work.mark(tx, [Pair("billbee", key)], "changed", later(moment))

        assert [item.pair.key for item in work.take(tx, "billbee", later(9), 2)] == ["c", "b"]
        assert [item.pair.key for item in work.take(tx, "billbee", later(9), 2, {"c"})] == ["b", "a"]
        assert [item.pair.key for item in work.take(tx, "billbee", later(1), 2)] == ["c"]


def test_the_backlog_in_figures(state: Database) -> None:
    """Due and waiting pairs are told apart, with the oldest mark among the due ones."""
    with state.begin() as tx:
        work.mark(tx, [PAIR, Pair("billbee", "18")], "changed", NOW)
        work.mark(tx, [Pair("jtl", "17")], "changed", later(1), due_at=later(60))
        taken = work.take(tx, "billbee", NOW, 1)[0]
        work.postpone(tx, [(taken, Later(later(30), 1, "Temporary", "503"))])
        work.mark(tx, [Pair("billbee", "19")], "changed", later(2))

        assert work.counts(tx, later(2)) == {"billbee": work.Due(2, 1), "jtl": work.Due(0, 1)}
        assert waiting.count_class(tx, "billbee", "Temporary") == 1
        assert work.next_due(tx, "jtl", later(2)) == later(60)
        assert work.next_due(tx, "azotte", later(2)) is None
        assert [item.pair.provider for item in work.of_customer(tx, "17")] == ["billbee", "jtl"]
        assert work.drop(tx, PAIR)
        assert not work.drop(tx, PAIR)


# -- mapping -------------------------------------------------------------------------------------------------------


def test_a_link_comes_back_as_it_was_saved(state: Database) -> None:
    """Every column survives, times as aware UTC; a save without `created_at` keeps the first one."""
    vienna = timezone(timedelta(hours=2))
    base = {
        "email": FieldBase(digest(1), digest(2)),
        "phone": FieldBase(digest(3), None, provisional=True, pulled=True, frozen=True),
    }
    saved = Link(
        PAIR, "K-17", "4711", {"Id": "4711", "Number": "K-17"}, base, State.REVIEW, NOW, NOW.astimezone(vienna), None
    )
    with state.begin() as tx:
        mapping.save(tx, saved)
        mapping.save(tx, saved._replace(created_at=None, state=State.LINKED))

        found = mapping.read(tx, PAIR)
        assert found == saved._replace(state=State.LINKED)
        assert found is not None
        assert found.synced_at is not None
        assert found.synced_at.utcoffset() == timedelta(0)
        assert mapping.by_external_id(tx, "billbee", ["4711", "none"]) == {"4711": found}
        assert mapping.by_provider_key(tx, "billbee", ["K-17"]) == {"K-17": found}
        assert mapping.by_provider_key(tx, "jtl", ["K-17"]) == {}
        assert mapping.of_customer(tx, "17") == [found]


def test_a_naive_datetime_is_refused(state: Database) -> None:
    """A moment without a zone is a bug of ours and never reaches a column."""
    with pytest.raises(sa.exc.StatementError), state.begin() as tx:
        mapping.save(tx, link()._replace(synced_at=NOW.replace(tzinfo=None)))


def test_a_reserved_key_has_one_holder(state: Database) -> None:
    """A key of ours is claimed before anything is sent under it; the second one learns who holds it."""
    other = Pair("billbee", "18")
    with state.begin() as tx:
        assert mapping.reserve(tx, "billbee", {"17": "1001"}, NOW) == {}
        assert mapping.reserve(tx, "billbee", {"17": "1001"}, NOW) == {}
        assert mapping.reserve(tx, "billbee", {"18": "1001"}, NOW) == {"18": "17"}
        assert mapping.read(tx, other) is None
        assert mapping.reserve(tx, "jtl", {"18": "1001"}, NOW) == {}

        assert mapping.reserve(tx, "billbee", {"17": "1002"}, NOW) == {}
        assert mapping.reserve(tx, "billbee", {"18": "1001"}, NOW) == {}
        assert mapping.counts(tx)["billbee"][State.DUE] == 2


def test_a_remote_has_one_customer(state: Database) -> None:
    """A save that would share an external id or a key is refused, and nothing is half written."""
    with state.begin() as tx:
        mapping.save(tx, link("17"))
        with pytest.raises(AlreadyLinked) as shared:
            mapping.save(tx, link("18")._replace(external_id="x-17"))
        with pytest.raises(AlreadyLinked) as taken:
            mapping.save(tx, link("18")._replace(provider_key="n-17"))
        mapping.save(tx, link("17", "jtl")._replace(pair=Pair("jtl", "18")))

        assert (shared.value.external_id, shared.value.holder_key) == ("x-17", "17")
        assert (taken.value.external_id, taken.value.holder_key) == ("n-17", "17")
        assert mapping.read(tx, Pair("billbee", "18")) is None
        assert mapping.counts(tx)["billbee"][State.LINKED] == 1


def test_pages_cover_everything_once(state: Database) -> None:
    """A walk over the mapping can stop and resume at any key; states narrow it."""
    keys = ["1", "10", "2", "a", "B", "ä"]
    with state.begin() as tx:
        for key in keys:
            mapping.save(tx, link(key, state=State.DEAD if key == "2" else State.LINKED))
        walked: list[str] = []
        while chunk := mapping.page(tx, "billbee", walked[-1] if walked else "", 2):
            walked += [found.pair.key for found in chunk]

        assert sorted(walked) == sorted(keys)
        assert [found.pair.key for found in mapping.page(tx, "billbee", "", 9, {State.DEAD})] == ["2"]


def test_many_links_in_one_look(state: Database) -> None:
    """More keys than one statement takes are read all the same."""
    keys = [str(number) for number in range(1300)]
    with state.begin() as tx:
        for key in keys[::100]:
            mapping.save(tx, link(key))

        assert set(mapping.read_many(tx, "billbee", keys)) == set(keys[::100])


def test_a_rekey_moves_everything(state: Database) -> None:
    """A key that changes does so at all providers, whatever was under way; its new owner begins with nothing."""
    with state.begin() as tx:
        for provider in ("billbee", "jtl"):
            mapping.save(tx, link("17", provider))
        work.mark(tx, [PAIR, Pair("jtl", "18")], "changed", NOW)
        work.mark(tx, [Pair("jtl", "17")], "deleted", later(-5))
        intent = journal.open_intent(tx, PAIR, Verb.UPDATE, {}, 1, NOW, later(9))
        item = journal.open_review(tx, "billbee", "17", "conflict", {"email": [digest(1)]}, "both changed", NOW)
        events.record(tx, [Note(PAIR, "pair.pushed", ("email",))], NOW)
        slept = work.of_customer(tx, "18")[0]

        mapping.move_key(tx, "17", "18")

        assert mapping.of_customer(tx, "17") == []
        assert [found.external_id for found in mapping.of_customer(tx, "18")] == ["x-17", "x-17"]
        assert work.of_customer(tx, "17") == []
        billbee, jtl = work.of_customer(tx, "18")
        assert (billbee.since, jtl.since, jtl.reason) == (NOW, later(-5), "deleted")
        assert not work.finish(tx, [slept])
        assert [found.id for found in journal.intents(tx, "billbee", ["17", "18"])["18"]] == [intent]
        assert [found.id for found in journal.reviews(tx, key="18")] == [item]
        assert [found.event for found in journal.events(tx, "18")] == ["pair.pushed"]
        assert mapping.read(tx, PAIR) is None


def test_a_rekey_takes_an_empty_place_only(state: Database) -> None:
    """A row of the new key makes room while nothing hangs on it; a link or a create under way stops the move."""
    new = Pair("billbee", "18")
    with state.begin() as tx:
        mapping.save(tx, link("17"))
        mapping.save(tx, link("17", "jtl"))
        mapping.reserve(tx, new.provider, {new.key: "1001"}, NOW)
        journal.open_review(tx, "billbee", "18", "conflict", {}, "asked of the empty row", NOW)
        kept = journal.open_review(tx, "billbee", "17", "conflict", {}, "asked of the linked row", NOW)

        create = journal.open_intent(tx, new, Verb.CREATE, {}, 1, NOW, later(9))
        with pytest.raises(AlreadyLinked):
            mapping.move_key(tx, "17", "18")
        assert len(mapping.of_customer(tx, "17")) == 2
        journal.close_intent(tx, create)

        mapping.move_key(tx, "17", "18")
        assert [found.external_id for found in mapping.of_customer(tx, "18")] == ["x-17", "x-17"]
        assert [found.id for found in journal.reviews(tx)] == [kept]
        assert mapping.counts(tx)["billbee"] == dict.fromkeys(State, 0) | {State.LINKED: 1}

        mapping.save(tx, link("17")._replace(external_id="x-99", provider_key="n-99"))
        with pytest.raises(AlreadyLinked) as linked:
            mapping.move_key(tx, "17", "18")
        assert linked.value.holder_key == "18"


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["save", "save", "unlink", "move", "reserve", "show", "forget"]),
        st.sampled_from(["billbee", "jtl"]),
        st.sampled_from("abcd"),
        st.sampled_from("abcd"),
        st.sampled_from(list(State)),
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_kept_counts_are_right_after_any_history(
    state: Database, steps: list[tuple[str, str, str, str, State]]
) -> None:
    """The counts that status shows without counting equal a recount, whatever happened before."""
    with undone(state) as tx:
        for name, provider, key, other, shown in steps:
            try:
                _step(tx, name, Pair(provider, key), other, shown)
            except AlreadyLinked:
                continue
            counted = tx.execute(
                sa.select(schema.mapping.c.provider, schema.mapping.c.state, sa.func.count()).group_by(
                    schema.mapping.c.provider, schema.mapping.c.state
                )
            )
            recount = {(found, State(value)): number for found, value, number in counted}
            kept = {
                (found, value): number for found, row in mapping.counts(tx).items() for value, number in row.items()
            }
            assert {place: number for place, number in kept.items() if number} == recount


def _step(tx: Transaction, name: str, pair: Pair, other: str, shown: State) -> None:
    if name == "save":
        mapping.save(tx, Link(pair, f"n-{other}", f"x-{other}", {}, {}, shown))
    elif name == "unlink":
        mapping.unlink(tx, pair)
    elif name == "move" and other != pair.key:
        mapping.move_key(tx, pair.key, other)
    elif name == "reserve":
        mapping.reserve(tx, pair.provider, {pair.key: f"n-{other}"}, NOW)
    elif name == "show":
        mapping.set_state(tx, pair, shown)
    elif name == "forget":
        mapping.forget(tx, pair.key)


class _Undo(Exception):
    pass


@contextmanager
def undone(state: Database) -> Iterator[Transaction]:
    """A transaction of which nothing stays."""
    try:
        with state.begin() as tx:
            yield tx
            raise _Undo  # noqa: TRY301  (every example begins with an empty state)
    except _Undo:
        return


def test_a_forgotten_customer_leaves_nothing(state: Database) -> None:
    """Erasing a person empties every table of that key and touches nobody else."""
    with state.begin() as tx:
        for key in ("17", "18"):
            mapping.save(tx, link(key))
            work.mark(tx, [Pair("billbee", key)], "changed", NOW)
            journal.open_intent(tx, Pair("billbee", key), Verb.UPDATE, {}, 1, NOW, NOW)
            journal.open_review(tx, "billbee", key, "conflict", {}, "", NOW)
            events.record(tx, [Note(Pair("billbee", key), "pair.pushed", ())], NOW)

        mapping.forget(tx, "17")

        for table in (schema.mapping, schema.work, schema.intent, schema.review, schema.event):
            assert tx.execute(sa.select(table.c.customer_key)).scalars().all() == ["18"]


# -- intents and tombstones ----------------------------------------------------------------------------------------


def test_an_intent_comes_back_as_it_was_opened(state: Database) -> None:
    """Verb, digests, epoch and times of a write survive the process that began it."""
    fields = {"email": Sent(digest(1), digest(2)), "fax": Sent(None, digest(3))}
    with state.begin() as tx:
        number = journal.open_intent(tx, PAIR, Verb.INSERT, fields, 7, NOW, later(180), "remote 4711")

        (found,) = journal.intents(tx, "billbee", ["17", "18"])["17"]
        assert (found.id, found.pair, found.verb, found.stage) == (number, PAIR, Verb.INSERT, Stage.OPEN)
        assert (found.fields, found.epoch, found.note) == (fields, 7, "remote 4711")
        assert (found.at, found.settle_until) == (NOW, later(180))
        assert journal.insert_intents(tx, "billbee") == [found]

        assert journal.update_intent(tx, number, stage=Stage.CONFIRM, fields={}, settle_until=later(9))
        assert journal.intents(tx, "billbee", ["17"])["17"] == [
            found._replace(stage=Stage.CONFIRM, fields={}, settle_until=later(9))
        ]
        assert journal.close_intent(tx, number)
        assert not journal.update_intent(tx, number, stage=Stage.OPEN)


def test_an_intent_number_never_comes_back(state: Database) -> None:
    """A late update of a closed intent can never hit a younger one."""
    with state.begin() as tx:
        first = journal.open_intent(tx, PAIR, Verb.UPDATE, {}, 1, NOW, NOW)
        journal.close_intent(tx, first)

        assert journal.open_intent(tx, PAIR, Verb.UPDATE, {}, 1, NOW, NOW) > first


def test_confirmable_once_settled(state: Database) -> None:
    """A write that executed is read once more, but not before its settle time."""
    with state.begin() as tx:
        for key, settle in (("17", 5), ("18", 3), ("19", 9)):
            number = journal.open_intent(tx, Pair("billbee", key), Verb.UPDATE, {}, 1, NOW, later(settle))
            journal.update_intent(tx, number, stage=Stage.CONFIRM)
        journal.open_intent(tx, Pair("billbee", "20"), Verb.UPDATE, {}, 1, NOW, NOW)

        assert journal.confirmable(tx, "billbee", later(5), 9) == [Pair("billbee", "18"), PAIR]
        assert journal.close_all(tx, [PAIR], [Verb.CREATE]) == 0
        assert journal.close_all(tx, [PAIR]) == 1
        assert journal.confirmable(tx, "billbee", later(5), 1) == [Pair("billbee", "18")]


def test_a_tombstone_is_found_by_either_name(state: Database) -> None:
    """Neither the external id nor the key brings a buried customer back; another provider or key is another grave."""
    with state.begin() as tx:
        tombstones.bury(tx, KEY, "billbee", "4711", "17", "keep", NOW)
        tombstones.bury(tx, KEY, "billbee", "4711", "17", "delete", NOW)

        assert tombstones.buried(tx, KEY, "billbee", external_id="4711")
        assert tombstones.buried(tx, KEY, "billbee", key="17")
        assert not tombstones.buried(tx, KEY, "billbee", external_id="17", key="4711")
        assert not tombstones.buried(tx, KEY, "jtl", external_id="4711", key="17")
        assert not tombstones.buried(tx, b"another key of more than 32 characters", "billbee", key="17")
        assert not tombstones.buried(tx, KEY, "billbee")
        assert tombstones.buried_ids(tx, KEY, "billbee", ["4710", "4711"]) == {"4711"}
        assert tombstones.exhume(tx, KEY, "billbee", key="17") == 1
        assert not tombstones.buried(tx, KEY, "billbee", key="17")
        assert tombstones.buried(tx, KEY, "billbee", external_id="4711")
        assert tombstones.exhume(tx, KEY, "billbee", external_id="4711") == 1
        assert not tombstones.buried(tx, KEY, "billbee", external_id="4711")


# -- review, events, runs ------------------------------------------------------------------------------------------


def test_one_open_item_per_question(state: Database) -> None:
    """The same question keeps number and decision; another one keeps the number and voids the decision."""
    with state.begin() as tx:
        number = journal.open_review(tx, "billbee", "17", "conflict", {"email": [digest(1), None]}, "both", NOW)
        assert journal.decide(tx, number, "take:source", later(1))
        again = journal.open_review(tx, "billbee", "17", "conflict", {"email": [digest(1), None]}, "still", later(2), 3)
        same = journal.review(tx, number)
        other = journal.open_review(tx, "billbee", "17", "conflict", {"email": [digest(2), None]}, "new", later(3))
        changed = journal.review(tx, number)

        assert number == again == other
        assert same is not None
        assert (same.decision, same.reason, same.count, same.opened_at) == ("take:source", "still", 3, NOW)
        assert same.decided_at == later(1)
        assert changed is not None
        assert (changed.decision, changed.decided_at) == ("", None)
        assert changed.fields == {"email": (digest(2), None)}
        assert journal.open_review(tx, "billbee", "17", "taken", {}, "", NOW) != number
        assert journal.open_review(tx, "jtl", "17", "conflict", {}, "", NOW) != number


def test_a_decision_waits_until_it_was_acted_on(state: Database) -> None:
    """A decided item stays open and is found at once; closing keeps the person's word, and reopening asks anew."""
    with state.begin() as tx:
        one = journal.open_review(tx, "billbee", "17", "conflict", {}, "", NOW)
        two = journal.open_review(tx, "billbee", "", "guard_delete", {}, "", NOW, 12)
        assert journal.decided(tx) == []
        journal.decide(tx, one, "take:provider", NOW)
        assert [item.id for item in journal.decided(tx)] == [one]

        assert journal.close_reviews(tx, "billbee", "17", ["taken"], NOW, "settled") == 0
        assert journal.close_reviews(tx, "billbee", "17", None, later(1), "settled") == 1
        assert journal.close_reviews(tx, "billbee", "", ["guard_delete"], later(1), "settled") == 1
        assert journal.reviews(tx) == []
        assert not journal.decide(tx, one, "ignore", NOW)
        assert [(item.decision, item.closed_at) for item in journal.reviews(tx, open_only=False)] == [
            ("take:provider", later(1)),
            ("settled", later(1)),
        ]
        assert [item.count for item in journal.reviews(tx, open_only=False, key="")] == [12]
        assert journal.open_review(tx, "billbee", "17", "conflict", {}, "", NOW) > two


def test_what_a_person_ignored_stays_known(state: Database) -> None:
    """An ignored item counts after it closed, until a later item of its kind is decided otherwise."""
    with state.begin() as tx:
        number = journal.open_review(tx, "billbee", "17", "found", {}, "", NOW)
        assert not journal.ignored(tx, "billbee", "17", "found")
        journal.decide(tx, number, "ignore", NOW)
        journal.close_reviews(tx, "billbee", "17", None, NOW, "settled")
        journal.open_review(tx, "billbee", "18", "found", {}, "", NOW)
        journal.close_reviews(tx, "billbee", "18", None, NOW, "settled")

        assert journal.ignored(tx, "billbee", "17", "found")
        assert not journal.ignored(tx, "billbee", "17", "taken")
        assert list(journal.reviews_of(tx, "billbee", ["17", "18"])) == ["17"]


def test_the_last_fifty_events_stay(state: Database) -> None:
    """A pair keeps its newest events and never many more than fifty; other pairs keep theirs."""
    with state.begin() as tx:
        events.record(tx, [Note(Pair("jtl", "17"), "pair.created", ("email",), "201")], NOW)
        for number in range(137):
            events.record(tx, [Note(PAIR, "pair.pushed", (), str(number))], later(number))

        kept = journal.events(tx, "17", 1000)
        assert [event.detail for event in kept[:50]] == [str(number) for number in range(136, 86, -1)]
        assert 51 <= len(kept) <= 61
        assert kept[-1] == journal.Event(NOW, "jtl", "pair.created", ("email",), "201")
        assert len(journal.events(tx, "17")) == 20


def test_runs_are_noted_and_trimmed(state: Database) -> None:
    """One row a cycle, the newest thousand stay; a killed one stays unfinished."""
    with state.begin() as tx:
        old = [{"run_id": f"r{number}", "mode": "daemon", "started_at": later(number)} for number in range(1000)]
        tx.execute(schema.run.insert(), [{**row, "outcome": "", "counts": {}} for row in old])
        for number in range(1000, 1003):
            journal.start_run(tx, f"r{number}", later(number), "daemon")
        journal.finish_run(tx, "r1002", later(2000), "ok", {"pushed": 3})

        newest, before = journal.runs(tx, 2)
        assert newest == journal.Run("r1002", "daemon", later(1002), later(2000), "ok", {"pushed": 3})
        assert (before.finished_at, before.outcome) == (None, "")
        assert len(journal.runs(tx, 5000)) == 1000


# -- progress ------------------------------------------------------------------------------------------------------


def test_positions_and_facts(state: Database) -> None:
    """A position is "" before it was set, and survives as text; facts do not disturb the counter beside them."""
    with state.begin() as tx:
        assert (progress.cursor(tx, "scan:jtl"), progress.meta(tx, "identity")) == ("", "")
        for value in ("page 2", "page 3"):
            progress.set_cursor(tx, "scan:jtl", value)
            progress.set_meta(tx, "identity", value)
        before = work.next_generation(tx)
        progress.set_meta(tx, "generation", "a clash of names does no harm")

        assert (progress.cursor(tx, "scan:jtl"), progress.meta(tx, "identity")) == ("page 3", "page 3")
        assert work.next_generation(tx) == before + 1


def test_a_condition_changes_only_where_named(state: Database) -> None:
    """Lane and cycle save different columns of one provider without undoing each other, nor the kept counts."""
    with state.begin() as tx:
        assert progress.provider_state(tx, "jtl") == progress.ProviderState("jtl")
        mapping.save(tx, link("17", "jtl"))
        progress.save_provider_state(tx, "jtl", state="paused", reason="401", since=NOW, until=later(900))
        progress.save_provider_state(tx, "jtl", backfilled=True, config_hash="abc")
        progress.save_provider_state(tx, "jtl", until=None, breaker="{}")
        progress.save_provider_state(tx, "azotte")

        found = progress.provider_state(tx, "jtl")
        assert (found.state, found.reason, found.since, found.until) == ("paused", "401", NOW, None)
        assert (found.backfilled, found.config_hash, found.breaker) == (True, "abc", "{}")
        assert progress.provider_states(tx) == {"jtl": found}
        assert mapping.counts(tx)["jtl"][State.LINKED] == 1


def test_calls_are_counted_per_month(state: Database) -> None:
    """A new month begins at nothing."""
    with state.begin() as tx:
        for month, number in (("2026-02", 5), ("2026-02", 6), ("2026-03", 7)):
            progress.add_calls(tx, "azotte", month, number)

        found = progress.provider_state(tx, "azotte")
        assert (found.month, found.calls_month) == ("2026-03", 7)


def test_a_window_never_counts_too_little(state: Database) -> None:
    """The rolling window counts whole hours, its first included; what no window can reach is thrown away."""
    with state.begin() as tx:
        progress.spend(tx, "jtl", "delete", 4, NOW - timedelta(days=80))
        progress.spend(tx, "jtl", "delete", 1, NOW)
        progress.spend(tx, "jtl", "delete", 2, NOW + timedelta(minutes=59))
        progress.spend(tx, "jtl", "delete", 8, NOW + timedelta(hours=2))
        progress.spend(tx, "jtl", "update", 16, NOW)

        assert progress.spent(tx, "jtl", "delete", NOW + timedelta(minutes=30)) == 11
        assert progress.spent(tx, "jtl", "delete", NOW + timedelta(hours=1)) == 8
        assert progress.spent(tx, "jtl", "delete", NOW - timedelta(days=99)) == 11
        assert progress.spent(tx, "jtl", "create", NOW) == 0


# -- no values -----------------------------------------------------------------------------------------------------


def test_only_digests_get_in(state: Database) -> None:
    """Where a value could be passed by mistake, all but digests and names of fields is refused before it is stored."""
    attempts = (
        lambda tx: mapping.save(tx, link()._replace(base={"email": FieldBase(CANARY, None)})),
        lambda tx: mapping.save(tx, link()._replace(base={"email": FieldBase(digest(1), CANARY)})),
        lambda tx: mapping.save(tx, link()._replace(base={CANARY: FieldBase(digest(1), None)})),
        lambda tx: journal.open_intent(tx, PAIR, Verb.UPDATE, {"email": Sent(None, CANARY)}, 1, NOW, NOW),
        lambda tx: journal.open_intent(tx, PAIR, Verb.UPDATE, {"email": Sent(CANARY, digest(1))}, 1, NOW, NOW),
        lambda tx: journal.open_intent(tx, PAIR, Verb.UPDATE, {CANARY: Sent(None, digest(1))}, 1, NOW, NOW),
        lambda tx: journal.update_intent(tx, 1, fields={"email": Sent(None, CANARY)}),
        lambda tx: journal.open_review(tx, "billbee", "17", "conflict", {"email": [CANARY]}, "", NOW),
        lambda tx: journal.open_review(tx, "billbee", "17", "conflict", {CANARY: []}, "", NOW),
        lambda tx: events.record(tx, [Note(PAIR, "pair.pushed", (CANARY,))], NOW),
    )
    for attempt in attempts:
        with pytest.raises(ValueError, match=r"digest|field") as refused, state.begin() as tx:
            attempt(tx)
        assert CANARY not in str(refused.value)
    with state.begin() as tx:
        tombstones.bury(tx, KEY, "billbee", CANARY, CANARY, "keep", NOW)
        work.mark(tx, [PAIR], "changed", NOW)
        for table in schema.metadata.sorted_tables:
            assert CANARY not in repr(tx.execute(sa.select(table)).all())

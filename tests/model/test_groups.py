"""Many pairs of one lane at once: what one of them meets, and where the process dies, costs none of the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from syncd.core.model import Link, Pair, State, Verb
from syncd.errors import SourceUnreachable
from syncd.lanes import Pace
from syncd.providers.adapter import Identity
from syncd.store import events, journal, mapping, review, work
from syncd.store.database import Transaction
from tests.model.effects import WatchedState
from tests.model.hostile import Fault, Nature
from tests.model.test_sequences import SCAN, SEARCH, SETTLED, kinds, run, source, type_there
from tests.model.world import SETTLE, Profile, Setting, World

MANY = 8


def _world(nature: Nature = SEARCH, customers: int = MANY) -> World:
    """Customers whom nobody at the provider knows yet, in a lane that takes them all at once."""
    made = World(Setting((Profile(nature),), customers))
    _haste(made)
    return made


def _haste(made: World) -> None:
    """What was measured of the lane lets it take many at once."""
    for _ in range(9):
        made.site.routes[0].lane.stride.took(1, 0.0)


def _commits(made: World, since: int) -> int:
    return made.effects.trace[since:].count("state, after commit")


def _linked(made: World) -> set[str]:
    with made.state.read() as tx:
        return {link.pair.key for link in mapping.page(tx, "p0", "", 99) if link.external_id is not None}


def _open_intents(made: World) -> int:
    with made.state.read() as tx:
        keys = [str(person.key) for person in made.people]
        return sum(len(found) for found in journal.intents(tx, "p0", keys).values())


def test_a_group_costs_two_commits_and_not_two_a_customer() -> None:
    """All intents are durable before the first request, all outcomes after the last."""
    made = _world()
    before = len(made.effects.trace)
    made.run()
    few, linked = _commits(made, before), len(_linked(made))
    more = _world(customers=5 * MANY)
    before = len(more.effects.trace)
    more.run()

    assert (linked, len(_linked(more))) == (MANY, 5 * MANY)
    assert _commits(more, before) <= few + 2


def test_no_transaction_holds_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other lanes wait for the writer only while rows are written: no request leaves, and no pace is waited for, while
    a transaction is open. A provider that takes 0.7 s for an answer makes no transaction longer."""
    made = _world()
    made.providers[0].latency = 0.7
    open_at_requests: list[int] = []
    seconds: list[float] = []
    point, begin = made.effects.point, WatchedState.begin

    def seen(name: str, *, locked: bool = False) -> None:
        if name.startswith("p0 "):
            open_at_requests.append(made.effects.busy)
        point(name, locked=locked)

    @contextmanager
    def timed(state: WatchedState) -> Iterator[Transaction]:
        with begin(state) as tx:
            started = made.clock.monotonic()
            yield tx
            seconds.append(made.clock.monotonic() - started)

    monkeypatch.setattr(made.effects, "point", seen)
    monkeypatch.setattr(WatchedState, "begin", timed)
    started = made.clock.monotonic()
    made.run()
    assert made.clock.monotonic() - started >= MANY * 0.7
    assert len(_linked(made)) == MANY
    assert set(open_at_requests) == {0}
    assert set(seconds) == {0.0}


def test_one_taken_record_leaves_the_rest_of_its_group_alone() -> None:
    """The record that a create came to is linked to another customer: he is asked about, the others are linked, and
    no intent stays open."""
    made = _world()
    with made.state.begin() as tx:
        thief = Link(Pair("p0", "999"), "k-999", "p0-3", {}, {}, State.LINKED)
        mapping.save(tx, thief)
    made.run()
    with made.state.read() as tx:
        asked = [item.kind for item in review.reviews(tx, provider="p0") if item.customer_key]
        left = [row for person in made.people for row in work.of_customer(tx, str(person.key))]
    assert len(_linked(made) - {"999"}) == MANY - 1
    assert asked == ["key_taken"]
    assert _open_intents(made) == 0
    assert left == []


@pytest.mark.parametrize("kind", ["lost", "late", "refused", "throttled"])
def test_one_lost_answer_holds_nobody_else_up(kind: str) -> None:
    """The third of a group's creates ends badly: what was written is recorded all the same, and in the end everybody
    has one record."""
    made = _world()
    made.providers[0].faults.append(Fault(kind, "write", skip=2))
    made.run()
    assert len(_linked(made)) >= 2
    for _ in range(3):
        made.clock.advance(SETTLED)
        made.run()
    assert len(_linked(made)) == MANY
    assert len(made.providers[0].records) == MANY


@pytest.mark.parametrize("write", range(1, MANY, 3))
def test_a_process_that_dies_within_a_group_doubles_nobody(write: int) -> None:
    """SIGKILL at one of the group's requests: the group's intents stand, settle, and everybody gets one record."""
    made = _world()
    before = len(made.effects.trace)
    made.run()
    name = next(name for name in made.effects.trace[before:] if name.startswith("p0 POST"))
    again = _world()
    places = [at for at, each in enumerate(made.effects.trace[before:], 1) if each == name]
    assert not again.run(crash_at=places[write])
    assert _open_intents(again) == MANY
    for _ in range(4):
        again.clock.advance(SETTLED)
        again.run()
    assert len(_linked(again)) == MANY
    assert len(again.providers[0].records) == MANY
    assert _open_intents(again) == 0


@pytest.mark.parametrize("created", [(), ("create K1011",)], ids=["pull-first", "create-first"])
def test_a_source_that_goes_away_in_a_pull_makes_no_create_unknown(created: tuple[str, ...]) -> None:
    """One customer's row is to be written when the source is gone, and another one's create at a provider without a
    look-up was answered before, or is still to be sent: the answer is stored, or the create is not sent. Neither is one
    of unknown outcome, about which a person would be asked."""
    nature = Nature(identity=Identity.SCAN, narrow=True)
    made = World(Setting((Profile(nature),), 1, lettered=True))
    made.run()
    _haste(made)
    typed = type_there(made, "city")
    if not created:
        with made.state.begin() as tx:
            work.mark(tx, [Pair("p0", "1")], "scan", made.clock.now())
    made.clock.advance(1.0)
    made.insert()
    before = len(made.providers[0].log)

    def gone() -> None:
        with made.state.read() as tx:
            if any(each.verb is Verb.PULL for each in journal.intents(tx, "p0", ["1"]).get("1", ())):
                raise SourceUnreachable("the source database does not answer")
        made.effects.at("source, before", gone)

    made.effects.at("source, before", gone)
    with pytest.raises(SourceUnreachable):
        made.run(SCAN)
    assert tuple(made.providers[0].log[before:]) == created
    made.restart()
    run(made, pause=SETTLED)
    run(made, pause=SETTLED)
    assert (kinds(made), source(made, "city")) == ([], typed)
    assert _linked(made) == {"1", "2"}
    assert len(made.providers[0].records) == 2


def test_what_was_typed_while_a_group_waited_is_not_written_over() -> None:
    """A slow provider: the last of a group is written seconds after it was read. A person who typed meanwhile keeps
    what he typed, and it is nobody's failure."""
    made = _world(Nature(replaces=True))
    made.run()
    made.clock.advance(SETTLED)
    made.run()
    provider, last = made.providers[0], made.people[-1]
    for person in made.people:
        made.write(person, "city", made.value(person.tag, "city"))
    provider.latency = 0.7
    record = next(each for each in provider.records.values() if each.of == last.tag)
    typed = made.value(last.tag, "name")
    made.effects.at("p0 PUT, answered", lambda: made.type_there(provider, record, "name", typed))
    made.run()
    made.clock.advance(SETTLED)
    made.run()
    row = made.row(last)
    assert row is not None
    assert (row["name"], record.values["name"], record.values["city"]) == (typed, typed, row["city"])
    with made.state.read() as tx:
        assert not [event for event in events.events(tx, str(last.key)) if event.event == "pair.retried"]


def test_a_group_is_as_large_as_the_pace_allows() -> None:
    """What a thread gets through in about a second, 1 to 100 pairs: a crash leaves no more ambiguous ones."""
    lane = _world().site.routes[0].lane
    assert lane.group() > 50
    sizes = []
    for rate in (None, 200.0, 20.0, 2.0, 0.2):
        lane.pace = Pace(rate)
        sizes.append(lane.group())
    assert sizes[-2:] == [1, 1]
    assert sizes == sorted(sizes, reverse=True)
    lane.pace = Pace(None)
    for _ in range(9):
        lane.stride.took(10, 5.0)
    assert lane.group() == 2


def test_a_provider_that_names_a_time_is_left_alone_until_then() -> None:
    """A 503 with Retry-After: no request before that, and no attempt is counted."""
    made = _world(customers=2)
    provider = made.providers[0]
    provider.faults.append(Fault("busy", "read", delay=45.0))
    made.run()
    asked = len(provider.log)
    made.clock.advance(30)
    made.run()
    assert len(provider.log) == asked
    made.clock.advance(SETTLE)
    made.run()
    assert len(_linked(made)) == 2

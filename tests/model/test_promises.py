"""The promise where it is easily broken: what is stored too early, counted from a wrong moment, judged one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from syncd.core.guards import Guards, Limit
from syncd.core.model import Pair, Policy, Removal
from syncd.engine.run import Options, run_cycle
from syncd.lanes import Pace
from syncd.reconcile import held as staging
from syncd.store import journal, mapping, progress, work
from tests.model.hostile import Fault, Nature
from tests.model.test_sequences import (
    SCAN,
    SEARCH,
    SETTLED,
    calm,
    kinds,
    only,
    run,
    source,
    type_here,
    type_there,
    world,
)
from tests.model.world import LEASE, SETTLE, TIMEOUT, Profile, Setting, World

TOGETHER = pytest.mark.parametrize(
    "pushed", [pytest.param(False, id="pull", marks=pytest.mark.long), pytest.param(True, id="pull-and-push")]
)


def pulling(*, pushed: bool = False, policy: Policy = Policy.SOURCE) -> tuple[World, str]:
    """A world in which a person typed at the provider, and where `pushed` another field in the source."""
    made = world(Profile(policy=policy))
    if pushed:
        type_here(made, "city")
    return made, type_there(made, "name")


def writing(*, pushed: bool) -> range:
    """The points of such a run from its first answer of the provider on, where something can be half done."""
    made, _ = pulling(pushed=pushed)
    return half_done(made)


def half_done(made: World) -> range:
    """As `writing`, of this world's next run, from the reading before its first write on."""
    before = len(made.effects.trace)
    run(made)
    trace = made.effects.trace[before:]
    pushed = trace.index("p0 PUT, before") if "p0 PUT, before" in trace else len(trace)
    return range(max(place for place in range(pushed) if trace[place] == "p0 GET, answered") + 2, len(trace) + 1)


def _type(made: World, typed: list[str]) -> None:
    typed.append(type_there(made, "name"))


# -- a pull is explained by its intent until its base is stored ------------------------------------------------------


@TOGETHER
def test_a_pull_that_was_not_recorded_never_lets_the_older_value_win(*, pushed: bool) -> None:
    """Crash anywhere in a pull, then a newer edit at the provider: that one stands on both sides in the end."""
    for place in writing(pushed=pushed):
        made, _ = pulling(pushed=pushed)
        made.run(SCAN, crash_at=place)
        newer = type_there(made, "name")
        run(made, pause=SETTLED)
        run(made, pause=SETTLED)
        assert (only(made)[2].values["name"], source(made, "name")) == (newer, newer), made.effects.trace[-1]


@TOGETHER
def test_a_lease_lost_in_a_pull_never_lets_the_older_value_win(*, pushed: bool) -> None:
    """A process freezes anywhere in a pull and loses its lane; a newer edit at the provider stands in the end."""
    for place in writing(pushed=pushed):
        made, _ = pulling(pushed=pushed)
        typed: list[str] = []
        made.run(
            SCAN, planned={place: [made.overtake, lambda seen=typed, made=made: seen.append(type_there(made, "name"))]}
        )
        typed = typed or [type_there(made, "name")]
        for _ in range(3):
            run(made, pause=SETTLED + LEASE)
        assert only(made)[2].values["name"] == source(made, "name") == typed[0], place


def test_a_lease_lost_before_the_row_is_written_writes_no_row() -> None:
    """A process freezes in a pull and loses its lane; the value is taken back at the provider, the successor finds both
    sides agreed and ends the pull's intent. The sleeper wakes: it does not bring the older value back."""
    for place in writing(pushed=False):
        made, _ = pulling()
        agreed = str(source(made, "name"))
        back = partial(type_there, made, "name", value=agreed)
        made.run(SCAN, planned={place: [back, partial(made.overtake, SCAN)]})
        for _ in range(3):
            run(made, pause=SETTLED + LEASE)
        assert only(made)[2].values["name"] == source(made, "name") == agreed, place


@pytest.mark.parametrize("policy", list(Policy))
def test_an_edit_over_a_pull_that_was_not_recorded_is_never_taken_back(policy: Policy) -> None:
    """v1 is pulled and the process dies before its base is stored; v2, typed over it in the source, is the newer one:
    it goes out, or a person is asked, but v1 never comes back."""
    for place in writing(pushed=False):
        made, older = pulling(policy=policy)
        made.run(SCAN, crash_at=place)
        if source(made, "name") != older:
            continue
        newer = type_here(made, "name")
        stands_here(made, newer, place)


def stands_here(made: World, newer: str, place: int) -> None:
    """What a person typed in the source stands there two nights later; over there too, or a person is asked."""
    run(made, pause=SETTLED)
    run(made, pause=SETTLED)
    assert source(made, "name") == newer, place
    assert only(made)[2].values["name"] == newer or kinds(made) == ["conflict"], place


def without_base() -> World:
    """A world in which nothing is agreed yet, and the provider, whose value counts then, shows another one."""
    made, _ = pulling(policy=Policy.PROVIDER)
    with made.state.begin() as tx:
        tx.exec_driver_sql("UPDATE mapping SET base = '{}'")
        work.mark(tx, [Pair("p0", "1")], "verify", made.clock.now())
    return made


def test_an_edit_over_a_first_pull_that_was_not_recorded_is_never_taken_back() -> None:
    """As above, where no base was agreed before: the provider's value counts at the first look, not at the next one."""
    for place in half_done(without_base()):
        made = without_base()
        older = only(made)[2].values["name"]
        made.run(SCAN, crash_at=place)
        if source(made, "name") != older:
            continue
        newer = type_here(made, "name")
        stands_here(made, newer, place)


IN_A_PULL = [pytest.param(place, marks=[] if place == 3 else pytest.mark.long) for place in range(5)]
"""Places of a pull from the answer of its reading on; at 1 its intent alone is durable, at 3 the row is written."""


def killed_once(first: int, policy: Policy) -> World:
    """A pull was killed at this point; now another value is to be pulled, and another field to be pushed."""
    made, _ = pulling(policy=policy)
    made.run(SCAN, crash_at=first)
    type_there(made, "name")
    type_here(made, "city")
    made.clock.advance(SETTLED)
    return made


@pytest.mark.parametrize("place", IN_A_PULL)
def test_a_killed_pull_and_its_killed_successor_are_no_edit(place: int) -> None:
    """A pull is killed, and so is the next one with its push, anywhere. Nobody but the provider's people edits the
    field: their last value stands on both sides, and nobody is asked."""
    first = writing(pushed=False)[place]
    for second in half_done(killed_once(first, Policy.SOURCE)):
        made = killed_once(first, Policy.SOURCE)
        made.run(SCAN, crash_at=second)
        run(made, pause=SETTLED)
        newest = type_there(made, "name")
        run(made, pause=SETTLED)
        run(made, pause=SETTLED)
        stands = (only(made)[2].values["name"], source(made, "name"), kinds(made))
        assert stands == (newest, newest, []), second


@pytest.mark.parametrize("place", IN_A_PULL)
def test_an_edit_after_a_killed_pull_and_its_killed_successor_is_asked_about(place: int) -> None:
    """As above, but both sides are edited after that: each keeps its own value, and a person is asked."""
    first = writing(pushed=False)[place]
    for second in half_done(killed_once(first, Policy.REVIEW)):
        made = killed_once(first, Policy.REVIEW)
        made.run(SCAN, crash_at=second)
        here, there = type_here(made, "name"), type_there(made, "name")
        run(made, pause=SETTLED)
        run(made, pause=SETTLED)
        stands = (source(made, "name"), only(made)[2].values["name"], kinds(made))
        assert stands == (here, there, ["conflict"]), second


@pytest.mark.parametrize("place", IN_A_PULL)
def test_an_edit_over_the_second_of_two_killed_pulls_is_never_taken_back(place: int) -> None:
    """As above, but only the source is edited: its value stands there, whoever has the say."""
    first = writing(pushed=False)[place]
    for second in half_done(killed_once(first, Policy.PROVIDER)):
        made = killed_once(first, Policy.PROVIDER)
        pulled = only(made)[2].values["name"]
        made.run(SCAN, crash_at=second)
        if source(made, "name") != pulled:
            continue
        here = type_here(made, "name")
        stands_here(made, here, second)


PROMISING = Nature(echo="early")


def unconfirmed(pause: float) -> World:
    """A record whose create was only promised; so much later another value is to be pulled, and a field pushed."""
    made = world(Profile(PROMISING))
    made.clock.advance(pause)
    type_there(made, "name")
    type_here(made, "city")
    return made


def test_a_pull_read_after_a_settled_create_ends_what_the_create_explains() -> None:
    """The pull or the push behind it is killed anywhere, before the create is confirmed in the state. The next edit at
    the provider is no remains of that create: it is pulled, and nobody is asked."""
    for place in half_done(unconfirmed(SETTLED)):
        made = unconfirmed(SETTLED)
        made.run(SCAN, crash_at=place)
        newest = type_there(made, "name")
        run(made, pause=SETTLED)
        run(made, pause=SETTLED)
        stands = (only(made)[2].values["name"], source(made, "name"), kinds(made))
        assert stands == (newest, newest, []), place


def test_a_pull_read_before_a_create_settled_leaves_what_the_create_explains() -> None:
    """As above, but the create may still take effect when the record is read: what it leaves after the pull never
    flows back unasked."""
    for place in half_done(unconfirmed(PROMISING.delay + 1)):
        made = unconfirmed(PROMISING.delay + 1)
        created, record = source(made, "name"), only(made)[2]
        pulled = record.values["name"]
        made.run(SCAN, crash_at=place)
        record.values["name"] = str(created)[: len(str(created)) // 2]
        run(made, pause=SETTLED)
        run(made, pause=SETTLED)
        if source(made, "name") == pulled:
            assert kinds(made) == ["conflict"], place
        else:
            assert source(made, "name") == created, place


@pytest.mark.parametrize("policy", [Policy.PROVIDER, Policy.REVIEW])
def test_a_dispute_ends_where_both_sides_show_what_was_agreed(policy: Policy) -> None:
    """A pull is killed behind its write and a person types over it: asked. Both sides go back to the value before it,
    so nothing is asked any more, and the next edit at the provider is pulled."""
    first = writing(pushed=False)[3]
    made, _ = pulling(policy=policy)
    agreed = str(source(made, "name"))
    made.run(SCAN, crash_at=first)
    assert source(made, "name") == only(made)[2].values["name"]
    type_here(made, "name")
    run(made, pause=SETTLED)
    assert kinds(made) == ["conflict"]
    type_here(made, "name", agreed)
    type_there(made, "name", value=agreed)
    run(made, pause=SETTLED)
    assert kinds(made) == []
    newest = type_there(made, "name")
    run(made, pause=SETTLED)
    assert (source(made, "name"), kinds(made)) == (newest, [])


# -- settle counts from the end of the request ------------------------------------------------------------------------


def slowed(made: World, rate: float) -> None:
    """From now on the pace of the first provider is this many requests a second."""
    made.site.routes[0].lane.pace = Pace(rate)


def test_a_create_that_waited_for_its_pace_and_was_killed_settles_from_the_restart() -> None:
    """The pace makes a create wait longer than the settle time, it is sent, and the process dies: the next one does not
    look it up before it has had its settle time."""
    made = world(Profile(SEARCH), run=False)
    provider = made.providers[0]
    slowed(made, 0.005)
    provider.faults.append(Fault("die", "write", SETTLE - 15))
    made.run()
    assert made.clock.elapsed > SETTLE + TIMEOUT
    with made.state.begin() as tx:
        progress.save_provider_state(tx, "p0", pace="")  # a SIGKILL leaves nothing that was not written before it
    for _ in range(12):
        run(made, pause=10)
    assert len(provider.records) == 1
    calm(made)


def test_a_create_whose_answer_was_lost_settles_from_the_end_of_its_request() -> None:
    """The pace makes a create wait longer than the settle time, and its answer is lost: the settle time begins then."""
    made = world(Profile(SEARCH), run=False)
    provider = made.providers[0]
    slowed(made, 0.005)
    provider.faults.append(Fault("late", "write", SETTLE - 15))
    made.run()
    slowed(made, 100.0)
    with made.state.begin() as tx:
        progress.save_provider_state(tx, "p0", pace="")
    type_here(made, "city")
    for _ in range(12):
        run(made, pause=10)
    assert len(provider.records) == 1
    calm(made)


@pytest.mark.parametrize("policy", list(Policy))
def test_an_answer_that_only_promises_explains_what_is_still_there(policy: Policy) -> None:
    """A 202: the provider stores what we sent some seconds later. Until then it shows the former value, which is no
    edit of anybody."""
    made = world(Profile(Nature(echo="early"), policy=policy))
    run(made, pause=SETTLED)
    run(made, pause=SETTLED)
    ours = type_here(made, "name")
    run(made)
    run(made, pause=5)
    assert (source(made, "name"), kinds(made)) == (ours, [])
    run(made, pause=SETTLED)
    assert (source(made, "name"), only(made)[2].values["name"]) == (ours, ours)
    calm(made)


@pytest.mark.parametrize("restart", [False, True], ids=["running", "restarted"])
def test_a_clock_set_forward_while_a_create_settles_makes_no_second_record(*, restart: bool) -> None:
    """Settle times are wall times; a clock that is set 5 minutes forward ends none of them."""
    made = world(Profile(SEARCH), run=False)
    provider = made.providers[0]
    provider.faults.append(Fault("late", "write", SETTLE - 15))
    made.run()
    made.clock.step_wall(300)
    if restart:
        made.restart()
    for _ in range(12):
        run(made, pause=10)
    assert len(provider.records) == 1
    made.clock.step_wall(-300)
    calm(made)
    assert len(provider.records) == 1


@pytest.mark.parametrize("restart", [False, True], ids=["running", "restarted"])
def test_a_clock_set_forward_confirms_no_promise(*, restart: bool) -> None:
    """A provider that cuts a value seconds after its 202 is no editor, also where the clock was set meanwhile: whoever
    saw the whole value before asks, and nothing is pulled."""
    made = world(Profile(Nature(keeps=(("name", "cut"),), echo="late")), run=False)
    made.run()
    made.clock.step_wall(300)
    if restart:
        made.restart()
    for _ in range(12):
        run(made, pause=10)
    assert made.effects.source_writes == 0
    assert set(kinds(made)) <= {"conflict"}


def test_a_write_that_was_not_sent_leaves_neither_an_intent_nor_a_count() -> None:
    """Stopped while it waits for its pace, a create is closed and given back to the guard."""
    made = world(Profile(SEARCH), run=False, guards=Guards(create=Limit(None, 1, 86_400.0)))
    slowed(made, 0.005)
    made.effects.at("p0 POST, before", made.site.stop.set)
    run(made)
    with made.state.read() as tx:
        assert not journal.intents(tx, "p0", ["1"])
    made.restart()
    run(made)
    assert len(made.providers[0].records) == 1


# -- a shorter form of what we sent: the provider's own, or somebody's edit ------------------------------------------

PROMISES = Nature(echo="early")
SHORTER = pytest.mark.parametrize("shorter", [lambda text: text[:8], str.upper], ids=["cut", "re-cased"])
VERBS = pytest.mark.parametrize("verb", ["create", "update"])


def promised(verb: str, nature: Nature, policy: Policy) -> tuple[World, str]:
    """A world whose provider has just stored the name that it had only promised to store, and what was sent."""
    made = world(Profile(nature, policy=policy))
    if verb == "update":
        run(made, pause=SETTLED)
        type_here(made, "name")
        run(made)
        made.clock.advance(nature.delay)
    return made, str(source(made, "name"))


def look(made: World, pause: float = 0.0) -> None:
    """The pair is read once more, although nobody changed anything."""
    made.clock.advance(pause)
    with made.state.begin() as tx:
        work.mark(tx, [Pair("p0", "1")], "reread", made.clock.now())
    run(made)


@VERBS
@SHORTER
@pytest.mark.parametrize("policy", list(Policy))
@pytest.mark.parametrize("pause", [0.0, SETTLED], ids=["before settle", "after settle"])
def test_an_edit_that_shortens_what_was_shown_is_asked_about(
    verb: str, shorter: Callable[[str], str], policy: Policy, pause: float
) -> None:
    """A 202, a reading that shows the whole value, then a person shortens it: he is no provider that cuts. Somebody is
    asked, also long afterwards, and what is decided arrives."""
    made, ours = promised(verb, PROMISES, policy)
    look(made)
    edited = type_there(made, "name", value=shorter(ours))
    made.happened.add("conflict")
    run(made, pause=pause)
    run(made, pause=SETTLED)
    look(made, pause=SETTLED)
    assert kinds(made) == ["conflict"]
    assert (source(made, "name"), only(made)[2].values["name"]) == (ours, edited)
    calm(made)


@VERBS
@SHORTER
def test_an_edit_that_shortens_what_was_confirmed_is_an_edit(verb: str, shorter: Callable[[str], str]) -> None:
    """After the reading that confirmed a 202, whatever a person types there is pulled; also where that very look sent
    another field."""
    for between in (False, True):
        made, ours = promised(verb, PROMISES, Policy.SOURCE)
        if between:
            type_here(made, "city")
        run(made, pause=SETTLED)
        edited = type_there(made, "name", value=shorter(ours))
        run(made)
        assert source(made, "name") == edited
        calm(made)


@VERBS
@pytest.mark.parametrize("keeps", ["cut", "upper"])
@pytest.mark.parametrize("policy", list(Policy))
def test_a_provider_that_cuts_what_it_promised_is_no_editor(verb: str, keeps: str, policy: Policy) -> None:
    """However often its changed form is read after a 202, nobody is asked and nothing reaches the source."""
    made, ours = promised(verb, replace(PROMISES, keeps=(("name", keeps),)), policy)
    for _ in range(3):
        look(made, pause=5.0)
    look(made, pause=SETTLED)
    look(made, pause=SETTLED)
    assert (kinds(made), source(made, "name")) == ([], ours)
    assert made.effects.source_writes == 0
    calm(made)


# -- what is only half known ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", list(Policy))
def test_what_half_an_update_left_at_a_provider_that_cuts_is_no_edit(policy: Policy) -> None:
    """Of two requests the first arrived and was cut off: its form there is ours, and the second one follows."""
    made = world(Profile(Nature(split=True, keeps=(("city", "cut"),)), policy=policy))
    city, name = type_here(made, "city"), type_here(made, "name")
    made.providers[0].faults.append(Fault("refused", "write", skip=1))
    run(made)
    run(made, pause=2.0)
    assert (source(made, "city"), only(made)[2].values["name"]) == (city, name)
    assert (kinds(made), made.effects.source_writes) == ([], 0)
    calm(made)


def test_one_look_that_finds_nothing_proves_no_absence() -> None:
    """A provider answers 404 once about a record that it has: the change goes out, and nobody is asked."""
    made = world()
    _, provider, record = only(made)
    value = type_here(made, "city")

    def missing() -> None:
        del provider.records[record.id]
        made.effects.at("p0 GET, answered", lambda: provider.records.update({record.id: record}))

    made.effects.at("p0 GET, before", missing)
    made.run()
    assert (kinds(made), only(made)[2].values["city"]) == ([], value)
    calm(made)


def test_a_lost_lease_is_forgotten_at_once() -> None:
    """Another process takes over in the middle of a look: ours writes nothing more, and asks for the lane anew before
    it works again, however young its own lease had been."""
    made = world()
    value = type_here(made, "city")
    made.effects.at("p0 GET, answered", lambda: _overtaken(made))
    made.run()
    assert only(made)[2].values["city"] == value
    newer = type_here(made, "city")
    assert made.run() is False  # capture was taken over, too
    made.run()
    assert only(made)[2].values["city"] == newer
    calm(made)


def _overtaken(made: World) -> None:
    run_cycle(made.process(sole=True), Options())


# -- the window between reading and writing is one request long --------------------------------------------------------


def test_an_edit_typed_while_the_write_waits_for_its_pace_is_seen() -> None:
    """A provider that replaces and is asked once in 5 seconds: whoever types between our reading and the slot of our
    write loses nothing."""
    made = world(Profile(Nature(replaces=True)))
    slowed(made, 0.2)
    ours = type_here(made, "name")
    typed: list[str] = []
    made.clock.call_later(
        8.0, partial(_type_city, made, typed)
    )  # between the reading, at 5.4 s, and the write, at 10.8 s
    run(made)
    run(made, pause=SETTLED)
    record = only(made)[2]
    assert (record.values["name"], record.values["city"]) == (ours, typed[0])
    assert (source(made, "name"), source(made, "city")) == (ours, typed[0])


def _type_city(made: World, typed: list[str]) -> None:
    typed.append(type_there(made, "city"))


# -- a record or key that another customer's link holds ----------------------------------------------------------------


def test_a_create_answered_with_another_customers_record_is_a_question_that_ends_with_its_cause() -> None:
    """The provider answers a create with a record that is linked to somebody else: one question, the lane goes on, and
    once the other link is gone the question is."""
    made = world(Profile(SEARCH))
    provider = made.providers[0]
    first = next(iter(provider.records.values()))
    newcomer, third = made.insert(), made.insert()
    post = provider.post
    provider.post = lambda key, *rest, **more: first if key == newcomer.number else post(key, *rest, **more)  # type: ignore[method-assign]
    run(made)
    assert kinds(made) == ["key_taken"]
    with made.state.read() as tx:
        assert mapping.read(tx, Pair("p0", str(third.key))) is not None
    provider.post = post  # type: ignore[method-assign]
    made.write(newcomer, "name", "somebody else")
    run(made, pause=SETTLED)
    assert kinds(made) == []
    assert len(provider.records) == 3


def test_a_key_that_another_customers_link_holds_never_ends_the_lane() -> None:
    """A link without a key meets one that is somebody else's: however the look ends, the pair is parked."""
    made = world(Profile(SEARCH), customers=2)
    with made.state.begin() as tx:
        link = mapping.read(tx, Pair("p0", "1"))
        assert link is not None
        mapping.unlink(tx, link.pair)
        other = mapping.read(tx, Pair("p0", "2"))
        assert other is not None
        mapping.save(tx, link._replace(provider_key=None, base={}))
    made.write(made.people[0], "number", str(other.provider_key))
    late = made.insert()
    run(made)
    assert "key_taken" in kinds(made)
    with made.state.read() as tx:
        assert mapping.read(tx, Pair("p0", str(late.key))) is not None


# -- deletions are judged together -------------------------------------------------------------------------------------


def shrinking(gone: int) -> World:
    """39 customers, of whom some are deleted; the provider removes what the source has lost, 2 % a day."""
    limit = Guards(delete=Limit(0.02, None, 86_400.0))
    made = World(Setting((Profile(on_delete=Removal.DELETE),), 39, guards=limit))
    made.run()
    for person in made.people[:gone]:
        made.delete(person)
    return made


def test_of_too_many_deletions_none_is_executed() -> None:
    """12 deletions of 39 customers, 10 allowed: none is executed, one item shows all, its release executes exactly
    those, and one that comes later is held back again."""
    made = shrinking(12)
    run(made)
    assert len(made.providers[0].records) == 39
    with made.state.read() as tx:
        (item,) = journal.reviews(tx)
    assert (item.kind, item.count) == ("guard_delete", 12)
    made.delete(made.people[20])
    with made.state.begin() as tx:
        assert staging.release(tx, item, made.clock.now()) == 12
    run(made)
    assert sorted(
        made.people.index(p) for p in made.people for r in made.providers[0].records.values() if r.of == p.tag
    ) == [*range(12, 39)]
    assert kinds(made) == ["guard_delete"]


def test_deletions_within_the_limit_are_executed_all() -> None:
    """10 deletions of 39 customers pass; a customer who was deleted and inserted again is no deletion."""
    made = shrinking(10)
    for person in made.people[20:25]:
        made.delete(person)
        made.insert(key=person.key, number=person.number, tag=person.tag)
    run(made)
    assert len(made.providers[0].records) == 29
    assert "guard_delete" not in kinds(made)


def _left_scope(gone: int) -> World:
    """39 customers, of whom some fall out of the view that the source is; at most 2 % a day may be unlinked."""
    limit = Guards(delete=Limit(0.02, None, 86_400.0))
    made = World(Setting((Profile(SEARCH),), 39, guards=limit, view=True))
    made.run()
    for person in made.people[:gone]:
        made.sql("DELETE FROM addresses WHERE customer_id = ?", person.key)
    for _ in range(3):
        run(made, pause=SETTLED)
    return made


def _linked(made: World) -> int:
    with made.state.read() as tx:
        return sum(1 for link in mapping.page(tx, "p0", "", 99) if link.external_id is not None)


def test_of_too_many_customers_that_a_filter_sends_away_nobody_is_unlinked() -> None:
    """12 of 39 customers leave the source's scope, 10 allowed: nobody is unlinked, one item shows all, and its release
    unlinks exactly those."""
    made = _left_scope(12)
    assert _linked(made) == 39
    with made.state.read() as tx:
        (item,) = journal.reviews(tx)
    assert (item.kind, item.count) == ("guard_unlink", 12)
    with made.state.begin() as tx:
        assert staging.release(tx, item, made.clock.now()) == 12
    run(made)
    assert (_linked(made), kinds(made), len(made.providers[0].records)) == (27, [], 39)


def test_customers_that_a_filter_sends_away_within_the_limit_are_unlinked_all() -> None:
    """10 of 39 customers leave the source's scope, 10 allowed."""
    made = _left_scope(10)
    assert (_linked(made), kinds(made)) == (29, [])

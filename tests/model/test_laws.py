"""Laws of two-way sync that no single history shows: each of them over every order, clock, direction or policy."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial

import pytest

from syncd.core.guards import Guards, Limit
from syncd.core.model import Direction, Pair, Policy, Removal
from syncd.operate.review import decide, order_unlink
from syncd.store import events, journal, mapping, tombstones
from tests.model.hostile import Fault, Nature
from tests.model.test_sequences import (
    LIST,
    NATURES,
    POLICIES,
    SCAN,
    SEARCH,
    SETTLED,
    calm,
    kinds,
    only,
    run,
    source,
    told,
    type_here,
    type_there,
    world,
)
from tests.model.world import OVERNIGHT, Profile, Setting, World

# -- identity --------------------------------------------------------------------------------------------------------


def links(made: World) -> dict[Pair, str | None]:
    """Which record every customer is."""
    pairs = [Pair(provider.name, str(person.key)) for provider in made.providers for person in made.people]
    with made.state.read() as tx:
        found = {pair: mapping.read(tx, pair) for pair in pairs}
    return {pair: link.external_id if link is not None else None for pair, link in found.items()}


@pytest.mark.parametrize("nature", [Nature(), SEARCH, LIST], ids=["our-key", "findable", "scan"])
@pytest.mark.parametrize("side", ["source", "provider"])
def test_swapped_addresses_relink_nobody(nature: Nature, side: str) -> None:
    """Two customers swap their e-mail addresses: both follow to every side, and everybody stays who he was."""
    made = world(Profile(nature), Profile(SEARCH), customers=2)
    before = links(made)
    one, two = made.people
    records = [next(r for r in made.providers[0].records.values() if r.of == person.tag) for person in (one, two)]
    addresses = [str(record.values["email"]) for record in records]
    if side == "source":
        made.sql("UPDATE customers SET email = ? WHERE id = ?", addresses[1], one.key)
        made.sql("UPDATE customers SET email = ? WHERE id = ?", addresses[0], two.key)
    else:
        made.providers[0].edit(records[0], "email", addresses[1])
        made.providers[0].edit(records[1], "email", addresses[0])
    for _ in range(3):
        run(made, pause=SETTLED)
    assert links(made) == before
    assert kinds(made) == []
    for provider in made.providers:
        emails = {record.of: record.values["email"] for record in provider.records.values()}
        assert emails == {one.tag: addresses[1], two.tag: addresses[0]}


@pytest.mark.parametrize("winner", [0, 1])
def test_merged_records_are_asked_about(winner: int) -> None:
    """A person merges two records: the lost one is a question, never made again, never linked to what is left; the
    other customer goes on."""
    made = world(Profile(SEARCH, inbound=True), customers=2)
    provider = made.providers[0]
    stays, goes = made.people[winner], made.people[1 - winner]
    kept, gone = (next(r for r in provider.records.values() if r.of == p.tag) for p in (stays, goes))
    del provider.records[gone.id]
    made.type_there(provider, kept, "city", str(gone.values["city"]))
    for _ in range(3):
        made.write(goes, "name", made.value(goes.tag, "name"))
        run(made, pause=OVERNIGHT)
    assert [(r.id, r.values["city"]) for r in provider.records.values()] == [(kept.id, gone.values["city"])]
    with made.state.read() as tx:
        assert [(item.kind, item.customer_key) for item in journal.reviews(tx)] == [("remote_gone", str(goes.key))]
    assert made.sql("SELECT count(*) FROM customers")[0][0] == 2


@pytest.mark.parametrize("nature", [Nature(), SEARCH, LIST], ids=["our-key", "findable", "scan"])
def test_a_removal_that_a_person_orders_and_the_provider_refuses_is_asked_about_again(nature: Nature) -> None:
    """The order is used up by the refusal: the question is open again, and takes the other answer."""
    made = world(Profile(nature, on_delete=Removal.DELETE), customers=2)
    person, provider, _ = only(made)
    type_there(made, "city")
    made.delete(person)
    run(made)
    for decision in ("take:source", "take:source", "take:provider"):
        with made.state.read() as tx:
            (item,) = journal.reviews(tx)
        assert (item.kind, item.decision) == ("delete_conflict", "")
        decide(made.state, item, decision, made.clock.now())
        provider.faults.append(Fault("forbidden", "write"))
        run(made, pause=SETTLED)
    assert kinds(made) == []
    assert (provider.removed, len(provider.records)) == ([], 2)
    assert links(made)[Pair("p0", str(person.key))] is None


# -- merge -----------------------------------------------------------------------------------------------------------

ORDERS = list(itertools.permutations(range(3)))
MIXES = [
    (Policy.SOURCE, Policy.SOURCE, Policy.SOURCE),
    (Policy.PROVIDER, Policy.PROVIDER, Policy.PROVIDER),
    (Policy.SOURCE, Policy.PROVIDER, Policy.SOURCE),
    (Policy.PROVIDER, Policy.SOURCE, Policy.PROVIDER),
]


def _end(mix: tuple[Policy, ...], order: tuple[int, ...], here: bool) -> tuple[object, ...]:
    """Three providers change one field, two of them another, and the source a third one or one of these."""
    made = world(*(Profile(policy=policy) for policy in mix))
    made.order = list(order)
    for place in range(3):
        type_there(made, "city", place, f"ct1v{place} there")
    for place in (1, 2):
        type_there(made, "email", place, f"et1v{place} there")
    type_here(made, "name", "nt1v9 here")
    if here:
        type_here(made, "city", "ct1v9 here")
    for _ in range(4):
        run(made, pause=SETTLED)
    sides = [made.row(made.people[0]), *(dict(only(made, place)[2].values) for place in range(3))]
    with made.state.read() as tx:
        asked = sorted((item.provider, item.kind, *sorted(item.fields)) for item in journal.reviews(tx))
    return sides, asked


@pytest.mark.parametrize("here", [True, pytest.param(False, marks=pytest.mark.long)])
@pytest.mark.parametrize("mix", MIXES, ids="-".join)
def test_the_order_of_lanes_changes_nothing(mix: tuple[Policy, ...], here: bool) -> None:
    """Three providers and the source edit the same fields between two cycles: in each of the six orders in which lanes
    can run, the end is the same on every side."""
    ends = [_end(mix, order, here) for order in ORDERS]

    assert [end for end in ends if end != ends[0]] == []


@pytest.mark.parametrize("order", ORDERS)
def test_who_wants_to_be_asked_is_asked_in_any_order(order: tuple[int, ...]) -> None:
    """Where one of the providers that changed a field wants a person to decide, a person is asked, whichever lane ran
    first; whoever is asked about keeps what was typed there."""
    made = world(Profile(), Profile(policy=Policy.REVIEW), Profile())
    made.order = list(order)
    typed = [type_there(made, "city", place) for place in range(3)]
    for _ in range(4):
        run(made, pause=SETTLED)
    with made.state.read() as tx:
        asked = {item.provider: item.kind for item in journal.reviews(tx) if "city" in item.fields}
    assert set(asked.values()) == {"conflict"}
    for name in asked:
        place = int(name[1:])
        assert only(made, place)[2].values["city"] == typed[place]
    assert source(made, "city") in typed
    assert "p1" in asked or source(made, "city") == typed[1]


@pytest.mark.parametrize("policy", [Policy.SOURCE, Policy.PROVIDER])
def test_a_losing_value_leaves_a_trace(policy: Policy) -> None:
    """A conflict that a policy decides is told with field, winner and loser, and only the loser's side is written; with
    `review` nothing is."""
    made = world(Profile(policy=policy))
    _, _, record = only(made)
    here, there = type_here(made, "city"), type_there(made, "city")
    run(made)
    winner = here if policy is Policy.SOURCE else there
    assert (source(made, "city"), record.values["city"]) == (winner, winner)
    with made.state.read() as tx:
        (said,) = [each for each in events.events(tx, "1", limit=50) if each.event == "conflict.resolved"]
    sides = ("source", "p0") if policy is Policy.SOURCE else ("p0", "source")
    assert (said.fields, said.detail) == (("city",), f"{sides[0]} before {sides[1]}, by {policy}")


def test_a_conflict_in_review_keeps_both_values() -> None:
    """With `review` nothing is written on either side, however often it is looked at, until a person says so (14)."""
    made = world(Profile(policy=Policy.REVIEW), Profile())
    _, provider, record = only(made)
    here, there = type_here(made, "city"), type_there(made, "city")
    written = provider.writes
    for _ in range(3):
        run(made, pause=OVERNIGHT)
    assert (source(made, "city"), record.values["city"], provider.writes) == (here, there, written)
    assert only(made, 1)[2].values["city"] == here


CLOCKS: dict[str, Callable[[World], None]] = {
    "frozen": lambda made: made.clock.advance(0.0),
    "slow": lambda made: made.clock.advance(0.001),
    "backward": lambda made: made.clock.step_wall(-3600.0),
    "leaping": lambda made: made.clock.advance(9 * OVERNIGHT),
}


@pytest.mark.parametrize("clock", sorted(CLOCKS))
@POLICIES
def test_no_clock_decides(clock: str, policy: Policy) -> None:
    """Who wins depends on states and policy alone, whatever our clock does between two looks."""
    made = world(Profile(policy=policy), Profile())
    here, there = type_here(made, "city"), type_there(made, "city")
    email, name = type_there(made, "email"), type_here(made, "name")
    for _ in range(4):
        CLOCKS[clock](made)
        run(made)
    record = only(made)[2].values
    ends = {Policy.SOURCE: (here, here), Policy.PROVIDER: (there, there), Policy.REVIEW: (here, there)}
    assert (source(made, "city"), record["city"]) == ends[policy]
    assert (source(made, "email"), record["name"]) == (email, name)
    assert only(made, 1)[2].values["email"] == email


@pytest.mark.parametrize("direction", [Direction.PUSH, Direction.OFF])
@NATURES
def test_what_a_provider_does_not_own_never_reaches_the_source(direction: Direction, nature: Nature) -> None:
    """An edit of a field that is pushed only, or off, never changes the source nor another provider; pushed only, it is
    answered once an edit."""
    made = world(Profile(nature, Policy.PROVIDER, directions=(("city", direction), ("email", direction))), Profile())
    _, provider, record = only(made)
    before = made.row(made.people[0])
    other = dict(only(made, 1)[2].values)
    for turn in range(3):
        written = provider.writes
        type_there(made, "city")
        email = type_there(made, "email")
        run(made, pause=SETTLED)
        run(made, pause=SETTLED)
        assert made.row(made.people[0]) == before, turn
        assert only(made, 1)[2].values == other
        assert provider.writes - written == (1 if direction is Direction.PUSH else 0)
        if direction is Direction.OFF:
            assert record.values["email"] == email
    assert made.effects.source_writes == 0
    calm(made)


# -- echo ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["city", "email"])
@POLICIES
def test_an_edit_in_the_moment_of_our_write_gets_through(name: str, policy: Policy) -> None:
    """A person who edits the very record, or the very field, in the moment in which our write is answered is no echo:
    what he typed arrives everywhere."""
    made = world(Profile(policy=policy), Profile())
    type_here(made, "city")
    edited: list[str] = []
    made.effects.at("p0 PUT, answered", lambda: edited.append(type_there(made, name)))
    run(made)
    for _ in range(2):
        run(made, pause=1.0)
    assert [source(made, name), only(made)[2].values[name], only(made, 1)[2].values[name]] == edited * 3
    calm(made)


@pytest.mark.parametrize("origin", range(5))
def test_one_edit_one_write_each_and_silence(origin: int) -> None:
    """One edit at one of five providers: one source write, four provider writes, none at its origin, silence (19)."""
    natures = (Nature(), SEARCH, LIST, Nature(replaces=True), Nature(lists=False))
    made = world(*(Profile(nature) for nature in natures))
    run(made, pause=OVERNIGHT)
    before, rows = [provider.writes for provider in made.providers], made.effects.source_writes
    value = type_there(made, "city", origin)
    run(made)
    assert [only(made, place)[2].values["city"] for place in range(5)] == [value] * 5
    assert made.effects.source_writes - rows == 1
    assert [p.writes - b for p, b in zip(made.providers, before, strict=True)] == [int(i != origin) for i in range(5)]
    calm(made)


# -- oscillation -----------------------------------------------------------------------------------------------------


def _swing(made: World, turns: int, *, again: bool = False) -> None:
    """The source and a robot at the first provider contradict each other about the city, one a run."""
    for turn in range(turns):
        if turn % 2 == 0:
            type_here(made, "city")
        else:
            type_there(made, "city")
        if again:
            made.restart()
        run(made, pause=600.0)


@pytest.mark.parametrize("again", [False, True])
def test_a_field_that_swings_is_frozen_with_its_writers_named(again: bool) -> None:
    """Push, pull, push, pull in a day: the fourth is not carried out, a person hears who swings the field, everything
    else goes on, and a restart makes nobody forget."""
    made = world(Profile(), Profile())
    _swing(made, 3, again=again)
    assert kinds(made) == []
    stays = source(made, "city")
    _swing_back = type_there(made, "city")
    if again:
        made.restart()
    run(made, pause=600.0)
    with made.state.read() as tx:
        (item,) = journal.reviews(tx)
    assert (item.kind, item.provider, list(item.fields)) == ("frozen", "p0", ["city"])
    assert item.reason == "city swings between p0, source"
    assert (source(made, "city"), only(made)[2].values["city"]) == (stays, _swing_back)
    email, written = type_there(made, "email"), made.providers[0].writes
    for _ in range(3):
        run(made, pause=OVERNIGHT)
    assert source(made, "email") == email == only(made, 1)[2].values["email"]
    assert made.providers[0].writes == written
    with made.state.read() as tx:
        (still,) = journal.reviews(tx)
    assert (still.id, still.reason) == (item.id, item.reason)
    decide(made.state, still, "take:provider", made.clock.now())
    run(made, pause=1.0)
    assert source(made, "city") == _swing_back == only(made, 1)[2].values["city"]
    assert kinds(made) == []
    later = type_there(made, "city")
    run(made, pause=OVERNIGHT)
    assert source(made, "city") == later, "once decided, the field moves again"
    calm(made)


def test_two_providers_that_contradict_each_other_are_stopped() -> None:
    """Pulls that alternate between two providers: the fourth is not carried out, and both are named."""
    made = world(Profile(), Profile())
    values = []
    for turn in range(4):
        values.append(type_there(made, "city", turn % 2))
        run(made, pause=600.0)
    with made.state.read() as tx:
        (item,) = journal.reviews(tx)
    assert (item.kind, item.provider, item.reason) == ("frozen", "p1", "city swings between p0, p1")
    assert source(made, "city") == values[2]
    assert told(made, "field.frozen") == [("city",)]


def test_a_slow_swing_is_two_people_at_work() -> None:
    """Reversals a day apart never freeze anything, and neither do many edits of one side in an hour."""
    made = world(Profile(), Profile())
    for turn in range(8):
        value = type_here(made, "city") if turn % 2 == 0 else type_there(made, "city")
        run(made, pause=OVERNIGHT)
        assert source(made, "city") == value
    for _ in range(12):
        value = type_there(made, "email")
        run(made, pause=60.0)
        assert source(made, "email") == value
    assert kinds(made) == []
    calm(made)


# -- deletes ---------------------------------------------------------------------------------------------------------


def _leave(made: World, act: str) -> None:
    """One of three ways in which the first customer stops being one of this provider's."""
    person, now = made.people[0], made.clock.now()
    if act == "left scope":
        made.sql("DELETE FROM addresses WHERE customer_id = ?", person.key)
    elif act == "unlinked":
        order_unlink(made.state, Pair("p0", str(person.key)), now)
    else:
        made.delete(person)


@pytest.mark.parametrize("how", list(Removal))
@pytest.mark.parametrize("act", ["left scope", "unlinked", "deleted"])
def test_leaving_scope_unlinking_and_deleting_are_three_acts(act: str, how: Removal) -> None:
    """Out of the view: unlinked, and back it is asked about. Unlinked by a person: left alone. Deleted: what the
    settings say, and nobody comes back by himself. Only a deletion ever touches the record."""
    made = World(Setting((Profile(SEARCH, on_delete=how),), 2, view=act == "left scope"))
    made.run()
    person, provider, record = only(made)
    _leave(made, act)
    for _ in range(3):
        run(made, pause=SETTLED)
    removed = act == "deleted" and how is Removal.DELETE
    assert (record.id in provider.records) is not removed
    assert record.archived is (act == "deleted" and how is Removal.ARCHIVE)
    assert links(made)[Pair("p0", str(person.key))] is None
    assert len(provider.records) == (1 if removed else 2)
    with made.state.read() as tx:
        assert tombstones.buried(tx, made.state.key, "p0", key=str(person.key)) is (act != "unlinked")
    if act == "left scope":
        made.sql("INSERT INTO addresses VALUES (?)", person.key)
    elif act == "unlinked":
        made.write(person, "city", made.value(person.tag, "city"))
    for _ in range(3):
        run(made, pause=SETTLED)
    assert kinds(made) == (["found"] if act == "left scope" else [])
    assert len(provider.records) == (1 if removed else 2)


@pytest.mark.parametrize("renumbered", [False, True])
@pytest.mark.parametrize("nature", [Nature(), SEARCH, LIST, Nature(identity=LIST.identity, narrow=True)])
def test_whoever_left_the_selection_gets_no_second_record_when_he_is_back(nature: Nature, *, renumbered: bool) -> None:
    """The record of a customer whom a filter left out stays. Back in the selection he is asked about also where nobody
    can look his record up: the provider cannot carry his number, or he got another one meanwhile."""
    made = World(Setting((Profile(nature),), 2, view=True))
    person = made.insert(number="K17")
    for _ in range(3):
        run(made, pause=SETTLED)
    assert len(made.providers[0].records) == 3
    made.sql("DELETE FROM addresses WHERE customer_id = ?", person.key)
    for _ in range(3):
        run(made, SCAN, pause=SETTLED)
    if renumbered:
        made.renumber(person)
    made.sql("INSERT INTO addresses VALUES (?)", person.key)
    for _ in range(3):
        run(made, SCAN, pause=SETTLED)
    assert len(made.providers[0].records) == 3
    assert kinds(made) == (["came_back"] if renumbered or nature.narrow else ["found"])


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize("nature", [Nature(), SEARCH, LIST])
def test_an_order_that_cannot_be_carried_out_gives_no_record_up(nature: Nature, *, gone: bool) -> None:
    """A person orders an archived or missing record to be linked, mostly the very one that is. The customer keeps the
    link that he has, and the question; so a new number later makes no second record of him."""
    made = World(Setting((Profile(nature),), 2))
    run(made, pause=SETTLED)
    person, record = made.people[0], min(made.providers[0].records.values(), key=lambda record: record.id)
    if gone:
        del made.providers[0].records[record.id]
    else:
        record.archived = True
    made.write(person, "city", made.value(person.tag, "city"))
    run(made, SCAN, pause=SETTLED)
    with made.state.read() as tx:
        (item,) = journal.reviews(tx)
    decide(made.state, item, f"link:{record.id}", made.clock.now())
    run(made, SCAN, pause=SETTLED)
    made.renumber(person)
    for _ in range(3):
        run(made, SCAN, pause=SETTLED)
    assert len(made.providers[0].records) == (1 if gone else 2)
    assert kinds(made) in (["remote_gone"], ["remote_archived"], ["ambiguous"])


@pytest.mark.parametrize("nature", [Nature(), SEARCH, LIST, Nature(identity=LIST.identity, narrow=True)])
def test_a_row_made_anew_under_another_key_gets_no_second_record(nature: Nature) -> None:
    """A deleted customer's record stays with `on_delete = "keep"`. His row made anew under another key and the same
    number is asked about, also where the provider cannot carry the number, so that no look-up finds the record."""
    made = world(Profile(nature))
    person = made.insert(number="K17")
    run(made, pause=SETTLED)
    made.delete(person)
    for _ in range(3):
        run(made, SCAN, pause=SETTLED)
    made.insert(key=77, number="K17", tag=person.tag)
    for _ in range(3):
        run(made, SCAN, pause=SETTLED)
    assert len(made.providers[0].records) == 2
    assert kinds(made) == (["came_back"] if nature.narrow else ["found"])


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("how", [Removal.DELETE, Removal.ARCHIVE])
def test_edited_there_and_deleted_here_keeps_the_edit(how: Removal, lost: bool) -> None:
    """A deletion never takes a person's edit with it unasked, also after a failed look; a retry brings nobody back."""
    made = world(Profile(SEARCH, on_delete=how), customers=2)
    person, provider, record = only(made)
    value = type_there(made, "city")
    made.delete(person)
    if lost:
        provider.faults.append(Fault("dropped", "read"))
    for _ in range(3):
        run(made, pause=SETTLED)
    assert (record.id in provider.records, record.archived, record.values["city"]) == (True, False, value)
    assert kinds(made) == ["delete_conflict"]
    with made.state.read() as tx:
        (item,) = journal.reviews(tx)
    decide(made.state, item, "take:source", made.clock.now())
    made.effects.at("p0 DELETE, answered", partial(made.restart))
    for _ in range(3):
        run(made, pause=SETTLED)
    assert (record.id in provider.records and not record.archived) is False
    assert len([r for r in provider.records.values() if not r.archived]) == 1
    assert kinds(made) == []


# -- guards ----------------------------------------------------------------------------------------------------------

DAY = 86_400.0


def staged(made: World) -> dict[str, int]:
    """What each guard holds back, as people see it."""
    with made.state.read() as tx:
        return {item.kind: item.count for item in journal.reviews(tx) if not item.customer_key}


def pushed(made: World) -> int:
    """How many records hold what the source holds."""
    cities = {str(key): city for key, city in made.sql("SELECT id, city FROM customers")}
    records = {record.of: record.values["city"] for record in made.providers[0].records.values()}
    return sum(records[person.tag] == cities[str(person.key)] for person in made.people if person.tag in records)


def edit_all(made: World, *, name: str = "city") -> None:
    """A new value for everybody."""
    for person in made.people:
        made.write(person, name, made.value(person.tag, name))


@pytest.mark.parametrize("again", [False, True])
def test_only_executed_operations_count_and_restarts_forget_nothing(again: bool) -> None:
    """The window rolls over restarts: what was executed yesterday no longer counts, what was refused or staged never
    did, and a slow drip trips like a flood."""
    made = world(customers=6, guards=Guards(update=Limit(None, 4, DAY)))
    provider = made.providers[0]
    provider.faults += [Fault("refused", "write")] * 2
    for hour in range(8):
        person = made.people[hour % 6]
        made.write(person, "city", made.value(person.tag, "city"))
        if again:
            made.restart()
        for _ in range(3):
            run(made, pause=20.0)
        made.clock.advance(3600.0)
    assert staged(made) == {"guard_update": 4}
    assert pushed(made) == 2, "four were executed, and two of these customers were edited again since"
    run(made, pause=DAY + 3600.0)
    run(made, pause=DAY + 3600.0)
    assert staged(made) == {}
    assert pushed(made) == 6


@pytest.mark.parametrize("customers", [9, 10, 11, 14])
def test_a_share_never_trips_below_ten(customers: int) -> None:
    """However small the share and the shop: the first ten operations of a window pass."""
    made = world(customers=customers, guards=Guards(update=Limit(0.01, None, DAY)))
    edit_all(made)
    run(made)
    assert pushed(made) == min(customers, 10)
    assert staged(made) == ({"guard_update": customers - 10} if customers > 10 else {})


def test_a_backfill_that_a_person_approved_is_not_guarded() -> None:
    """Creates of a first pass do not count, and do not use up what later creates may: the next new customers do."""
    made = world(customers=30, guards=Guards(create=Limit(None, 2, DAY)), run=False)
    made.sql("DELETE FROM syncd_change_log")  # rows that were there before the triggers
    run(made)
    assert (len(made.providers[0].records), staged(made)) == (30, {})
    for _ in range(3):
        made.insert()
    run(made)
    assert len(made.providers[0].records) == 32
    assert staged(made) == {"guard_create": 1}


def test_blank_outs_are_counted_by_field_and_not_by_customer() -> None:
    """Two fields of one customer emptied are two blank-outs; what would pass the limit waits as a whole."""
    made = world(customers=2, guards=Guards(blank=Limit(None, 3, DAY)))
    for person in made.people:
        made.write(person, "city", None)
        made.write(person, "email", None)
    run(made)
    blanks = [[record.values[name] for name in ("city", "email")] for record in made.providers[0].records.values()]
    assert sorted(each == [None, None] for each in blanks) == [False, True]
    assert staged(made) == {"guard_blank": 1}


def test_what_the_source_refuses_uses_up_no_guard() -> None:
    """A value that does not fit is tried with every scan and never executed: it takes nothing from those that fit."""
    made = world(customers=3, guards=Guards(overwrite=Limit(None, 2, DAY), blank=Limit(None, 1, DAY)))
    made.sql(
        """CREATE TRIGGER fits BEFORE UPDATE OF email, city ON customers WHEN NEW.email = 'too much' OR NEW.city IS NULL
           BEGIN SELECT RAISE(ABORT, 'no'); END"""
    )
    provider = made.providers[0]
    unfit, *others = sorted(provider.records.values(), key=lambda record: record.id)
    provider.edit(unfit, "email", "too much")
    provider.edit(unfit, "city", None)
    for _ in range(5):
        run(made, pause=900.0)
    assert kinds(made) == ["does_not_fit"]
    for record in others:
        made.type_there(provider, record, "city", made.value(record.of, "city"))
        made.type_there(provider, record, "email", made.value(record.of, "email"))
    run(made, pause=900.0)
    assert kinds(made) == ["does_not_fit"]
    stored = {(str(row[0]), str(row[1])) for row in made.sql("SELECT city, email FROM customers")}
    assert {(record.values["city"], record.values["email"]) for record in others} <= stored


def test_the_source_is_guarded_against_a_provider_gone_mad() -> None:
    """Pulls beyond the limit wait, the source keeps what it has, and a release brings exactly what was shown."""
    made = world(customers=5, guards=Guards(overwrite=Limit(None, 2, DAY)))
    provider = made.providers[0]
    for record in provider.records.values():
        made.type_there(provider, record, "city", made.value(record.of, "city"))
    run(made)
    assert pushed(made) == 2
    with made.state.read() as tx:
        (item,) = journal.reviews(tx)
    assert (item.kind, item.count) == ("guard_overwrite", 3)
    run(made, pause=900.0)
    with made.state.read() as tx:
        assert [(each.id, each.count) for each in journal.reviews(tx)] == [(item.id, 3)], "a scan shows nothing new"
    decide(made.state, item, "release", made.clock.now())
    run(made)
    assert (pushed(made), staged(made)) == (5, {})

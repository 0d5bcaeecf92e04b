"""Histories of keys that change hands: shops merge customers, swap keys and give them again."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable

import pytest

from syncd.core.model import Pair, Policy, Removal, State
from syncd.detect.capture import capture
from syncd.errors import LeaseLost
from syncd.operate.review import decide
from syncd.source import changelog
from syncd.store import mapping, progress, review
from tests.model.effects import die
from tests.model.history import _keys_change_hands
from tests.model.hostile import Nature, Record, tag_of
from tests.model.test_sequences import LIST, SCAN, SEARCH, SETTLED, calm, kinds, run, world
from tests.model.world import OVERNIGHT, Person, Profile, Setting, World

KINDS = pytest.mark.parametrize("nature", [Nature(), SEARCH, LIST], ids=["our-key", "findable", "scan"])
REMOVALS = pytest.mark.parametrize("how", [Removal.KEEP, Removal.DELETE])


def two(nature: Nature, how: Removal, *, numbered: bool, shared: bool = False) -> World:
    """Two customers with a record each; `shared`: they have one e-mail address, as duplicates do."""
    made = world(Profile(nature, policy=Policy.PROVIDER, on_delete=how), Profile(SEARCH), customers=2, run=False)
    if not numbered:
        made.sql("UPDATE customers SET customer_no = NULL")
        for person in made.people:
            person.number = ""
            made.typed[person.tag, "number"].add(None)
    if shared:
        made.sql("UPDATE customers SET email = ?", f"e{made.people[0].tag}v0@shop.example")
    made.run()
    made.happened |= {"rekeyed", "deleted", "reinserted"}
    return made


def records(made: World, place: int = 0) -> dict[str, Record]:
    """Each person's record, by tag."""
    return {record.of: record for record in made.providers[place].records.values()}


def linked(made: World, key: int | str) -> str | None:
    """The external id of the record that a key is linked to at the first provider."""
    with made.state.read() as tx:
        link = mapping.read(tx, Pair("p0", str(key)))
    return link.external_id if link is not None else None


def merge(made: World, pause: Callable[[], object]) -> tuple[Person, Person]:
    """Customer 2 goes, and customer 1 gets his key."""
    first, second = made.people
    made.delete(second)
    pause()
    made.rekey(first, second.key)
    return first, second


@KINDS
@REMOVALS
@pytest.mark.parametrize("numbered", [True, False])
@pytest.mark.parametrize("captures", ["one", pytest.param("two", marks=pytest.mark.long)])
def test_merged_customers_keep_their_own_records(nature: Nature, how: Removal, numbered: bool, captures: str) -> None:
    """Delete 2, then 1 becomes 2: the living customer keeps his record, and of the other one's nothing is written or
    removed unasked."""
    made = two(nature, how, numbered=numbered)
    own, other = (records(made)[person.tag] for person in made.people)
    before = dict(other.values)
    first, _ = merge(made, lambda: capture(made.site) if captures == "two" else None)
    for _ in range(3):
        run(made, SCAN, pause=SETTLED)
    run(made, SCAN, pause=OVERNIGHT)
    assert linked(made, first.key) == own.id
    assert (other.values, other.archived) == (before, False)
    assert {own.id, other.id} <= set(made.providers[0].records)
    assert not own.archived
    edited = made.value(first.tag, "name")
    made.write(first, "name", edited)
    run(made, SCAN, pause=SETTLED)
    assert (own.values["name"], other.values) == (edited, before)
    assert kinds(made) == ([] if how is Removal.KEEP else ["delete_conflict"])
    calm(made)


def test_a_value_in_common_tells_nothing_of_whose_a_record_is() -> None:
    """The model knows a record's owner from most of its values, in whatever order they come: an e-mail that two people
    share makes it nobody else's."""
    values = {"email": "et1v0@shop.example", "name": "nt8v9-Äb", "city": "ct8v11-Äb", "first_name": None}
    assert {tag_of(dict(order)) for order in itertools.permutations(values.items())} == {"t8"}
    assert tag_of({"city": "Köln"}) == ""


@pytest.mark.parametrize("point", range(2, 20, 3))
def test_duplicates_are_merged_behind_the_back_of_capture(point: int) -> None:
    """Duplicates share their e-mail address; a look between the merge and its capture still writes to nobody's record
    but the customer's own."""
    made = two(SEARCH, Removal.DELETE, numbered=True, shared=True)
    own, other = (records(made)[person.tag] for person in made.people)
    before = dict(other.values)
    first, second = made.people
    made.sql("UPDATE customers SET city = ? WHERE id = ?", f"c{second.tag}v9", second.key)

    def at_once() -> None:
        made.sql("DELETE FROM customers WHERE id = ?", second.key)
        second.alive = False
        made.rekey(first, second.key)

    made.run(SCAN, planned={point: [at_once]})
    for _ in range(3):
        run(made, SCAN, pause=SETTLED)
    assert linked(made, second.key) == own.id
    assert other.id in made.providers[0].records
    assert other.values | {"city": ""} == before | {"city": ""}


@pytest.mark.parametrize("crash", [False, True])
@pytest.mark.parametrize("captures", ["one", "each"])
def test_swapped_keys_swap_no_records(captures: str, crash: bool) -> None:
    """1 and 2 change keys by way of a third; also where the process dies before it acknowledged what it had read."""
    made = two(SEARCH, Removal.DELETE, numbered=False)
    first, second = made.people
    own = {person.tag: records(made)[person.tag].id for person in made.people}
    before = {tag: dict(record.values) for tag, record in records(made).items()}
    for person, key in ((first, 99), (second, 1), (first, 2)):
        made.rekey(person, key)
        if captures == "each":
            capture(made.site)
    if crash:
        made.effects.at("source, before", die)
        made.run()
    for _ in range(3):
        run(made, SCAN, pause=SETTLED)
    assert [linked(made, 2), linked(made, 1)] == [own[first.tag], own[second.tag]]
    assert {tag: record.values for tag, record in records(made).items()} == before
    assert kinds(made) == []
    calm(made)


def test_the_first_owner_goes_when_a_person_says_so() -> None:
    """The record of a customer whose key another one has now is removed on a person's word, and only that one."""
    made = two(SEARCH, Removal.DELETE, numbered=True)
    own, other = (records(made)[person.tag] for person in made.people)
    merge(made, lambda: None)
    run(made, SCAN, pause=SETTLED)
    with made.state.read() as tx:
        (item,) = [each for each in review.reviews(tx, provider="p0") if each.kind == "delete_conflict"]
    decide(made.state, item, "take:source", made.clock.now())
    run(made, SCAN, pause=SETTLED)
    assert other.id not in made.providers[0].records
    assert own.id in made.providers[0].records
    calm(made)


def test_an_unreported_deletion_needs_two_looks() -> None:
    """A row that is absent, and that no trigger reported, is removed at the provider after a second look a minute
    later, and stays where it is back by then."""
    made = world(Profile(SEARCH, on_delete=Removal.DELETE), customers=2)
    first = made.people[0]
    (row,) = made.sql("SELECT * FROM customers WHERE id = ?", first.key)
    made.sql("DELETE FROM customers WHERE id = ?", first.key)
    made.sql("DELETE FROM syncd_change_log")
    run(made, SCAN, pause=OVERNIGHT)
    run(made, SCAN, pause=1.0)
    assert len(made.providers[0].records) == 2
    made.sql(f"INSERT INTO customers VALUES ({', '.join('?' * len(row))})", *row)
    for _ in range(2):
        run(made, SCAN, pause=SETTLED)
    assert len(made.providers[0].records) == 2
    assert kinds(made) == []
    made.sql("DELETE FROM customers WHERE id = ?", first.key)
    made.sql("DELETE FROM syncd_change_log")
    first.alive = False
    for _ in range(4):
        run(made, SCAN, pause=OVERNIGHT)
    assert len(made.providers[0].records) == 1


def test_a_resumed_listing_is_not_complete() -> None:
    """A listing that goes on where the last one stopped has not shown everything: nothing counts as complete."""
    made = world(Profile(SEARCH), customers=3)
    with made.state.begin() as tx:
        progress.set_cursor(tx, "scan:p0", json.dumps({"position": "2", "since": ""}))
        progress.set_cursor(tx, "scan:p0:full", "")
    run(made, SCAN)
    with made.state.read() as tx:
        assert progress.cursor(tx, "scan:p0:full") == ""
    run(made, SCAN, pause=OVERNIGHT)
    with made.state.read() as tx:
        assert progress.cursor(tx, "scan:p0:full") > ""


def test_an_acknowledge_counts() -> None:
    """Who read before somebody else acknowledged deletes nothing: his rows may have gone, and their numbers come
    again."""
    made = world(Profile(SEARCH))
    made.write(made.people[0], "city", made.value(made.people[0].tag, "city"))
    stale = changelog.read(made.source)
    capture(made.site)
    overtaken = False
    try:
        changelog.acknowledge(made.source, stale, stale.owner)
    except LeaseLost:
        overtaken = True
    assert overtaken


@pytest.mark.parametrize("place", range(0, 40, 2))
def test_a_swap_while_the_first_records_are_made_asks_nobody(place: int) -> None:
    """The change log tells of a swap that the rows showed already when their records were made: a link that has the
    new key is not moved once more."""
    made = World(Setting((Profile(LIST, on_delete=Removal.DELETE),), 2))
    made.happened |= {"rekeyed", "deleted", "reinserted"}
    made.run(planned={place: [lambda: _keys_change_hands(made, "swap", 0, 1)]})
    for _ in range(4):
        run(made, SCAN, pause=SETTLED)
    calm(made)
    assert kinds(made) == []
    for person in made.living():
        record = made.providers[0].records[str(linked(made, person.key))]
        assert record.of == person.tag


@pytest.mark.parametrize("place", range(0, 24, 2))
def test_a_swap_with_somebody_left_out_unlinks_nobody_else(place: int) -> None:
    """A filter leaves customer 2 out. He swaps keys with customer 1, who keeps his link: for a moment the row with key
    1 is not selected, and the change log says why."""
    made = World(Setting((Profile(Nature()),), 3, filters=("where",)))
    made.happened |= {"rekeyed", "deleted", "reinserted"}
    made.leave(made.people[1], "where")
    run(made, SCAN, pause=SETTLED)
    made.write(made.people[0], "city", made.value(made.people[0].tag, "city"))
    made.run(planned={place: [lambda: _keys_change_hands(made, "swap", 0, 1)]})
    for _ in range(4):
        run(made, SCAN, pause=SETTLED)
    calm(made)
    assert kinds(made) == []
    assert linked(made, made.people[0].key) == made.people[0].number


@REMOVALS
@KINDS
def test_a_deleted_customers_key_with_somebody_left_out_is_asked_about(nature: Nature, how: Removal) -> None:
    """A customer is deleted, and his key is given to somebody whom a filter leaves out: he has not just left the
    selection, and his record is treated as one of a deleted customer."""
    made = World(Setting((Profile(nature, on_delete=how),), 2, filters=("where",)))
    run(made, SCAN, pause=SETTLED)
    first = made.people[0]
    made.delete(first)
    made.leave(made.insert(key=first.key), "where")
    for _ in range(3):
        run(made, SCAN, pause=SETTLED)
    assert kinds(made) == ([] if how is Removal.KEEP else ["delete_conflict"])
    assert len(made.providers[0].records) == 2


@KINDS
@REMOVALS
@pytest.mark.parametrize("then", ["edit", "delete"])
def test_an_id_that_leads_to_another_customers_record(nature: Nature, how: Removal, then: str) -> None:
    """Two records are merged over there, and the id of the one leads to the other. The first customer's next edit is
    not written over the second one's record, nor is that record removed with the first customer; a person is told."""
    made = two(nature, how, numbered=True)
    run(made, pause=SETTLED)
    first, second = made.people
    theirs = records(made)
    provider = made.providers[0]
    del provider.records[theirs[first.tag].id]
    provider.leads_to[theirs[first.tag].id] = theirs[second.tag].id
    made.befall(first.tag, "remote-deleted")
    before = dict(theirs[second.tag].values)
    if then == "edit":
        made.write(first, "city", made.value(first.tag, "city"))
    else:
        made.delete(first)
    for pause in (0.0, OVERNIGHT, OVERNIGHT):
        run(made, pause=pause)
    assert theirs[second.tag].values == before
    assert list(provider.records.values()) == [theirs[second.tag]]
    row = made.row(second)
    assert row is not None
    assert row["name"] == before["name"]
    with made.state.read() as tx:
        link = mapping.read(tx, Pair("p0", str(first.key)))
    assert (link is not None and link.state is State.REJECTED) or (then == "delete" and how is Removal.KEEP)

"""Histories of keys that change their owner, and of customers who come from a provider.

Databases give keys a second time (SQLite the highest one, others after a restart or by hand). Whatever syncd knows of
the first owner must never be written over by the second one's values, nor bring the first one back.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from syncd.core.model import Direction, Pair, Removal
from syncd.errors import Rejected, Temporary
from syncd.operate.dry_run import plan
from syncd.operate.reading import chosen
from syncd.operate.review import decide
from syncd.store import journal, mapping
from tests.model.hostile import Adapter, Fault, Nature
from tests.model.test_sequences import LIST, NATURES, SCAN, SEARCH, SETTLED, calm, kinds, only, run, type_there, world
from tests.model.world import OVERNIGHT, Person, Profile, World


def succeed(made: World, *, key: int | None = None) -> Person:
    """The first person's row goes, and somebody else gets his key."""
    first = made.people[0]
    made.delete(first)
    made.happened.add("reinserted")
    return made.insert(key=key or first.key)


def of_whom(made: World, place: int = 0) -> dict[str, str]:
    """Whose e-mail each record holds: `e`, the owner's tag, `v` and a number."""
    provider = made.providers[place]
    return {record.of: str(record.values["email"])[1:].partition("v")[0] for record in provider.records.values()}


@NATURES
@pytest.mark.parametrize("how", list(Removal))
@pytest.mark.parametrize("point", [pytest.param(p, marks=[pytest.mark.long] * (p % 2)) for p in range(3, 25, 3)])
def test_a_key_is_given_again_behind_the_back_of_capture(nature: Nature, how: Removal, point: int) -> None:
    """A pair that is due for another reason waits until capture has told who its row belongs to now."""
    made = world(Profile(nature, on_delete=how))
    person, provider, record = only(made)
    type_there(made, "first_name")
    made.write(person, "city", made.value(person.tag, "city"))
    made.run(SCAN, planned={point: [lambda: succeed(made)]})
    assert set(of_whom(made).items()) <= {(person.tag, person.tag)}
    for _ in range(2):
        run(made, pause=SETTLED)
    assert of_whom(made).get(person.tag, person.tag) == person.tag
    asked = "delete_conflict" in kinds(made)  # he was edited over there, and that edit had not been pulled yet
    assert record.archived == (how is Removal.ARCHIVE and not asked)
    assert (record.id in provider.records) == (how is not Removal.DELETE or asked)
    calm(made)


def test_the_first_owner_goes_as_the_settings_say() -> None:
    """`on_delete` holds for somebody whose key has a new owner, too; edited over there, a person decides."""
    made = world(Profile(SEARCH, on_delete=Removal.DELETE))
    _, provider, record = only(made)
    type_there(made, "city")
    succeed(made)
    run(made)
    assert kinds(made) == ["delete_conflict"]
    for _ in range(3):  # looks that nobody reported anything for: the question still knows whose record it is
        run(made, pause=90_000.0)
    assert kinds(made) == ["delete_conflict"]
    assert of_whom(made) == {record.of: record.of}
    assert provider.writes == 1


def test_a_new_owner_whom_the_rules_refuse() -> None:
    """The first owner's link does not wait for the second one to become acceptable."""
    made = world(Profile(Nature(identity=SEARCH.identity, demands=frozenset({"email"}))))
    person, _, _ = only(made)
    second = succeed(made)
    made.sql("UPDATE customers SET email = NULL WHERE id = ?", second.key)
    run(made)
    made.write(second, "email", made.value(second.tag, "email"))
    run(made)
    run(made, pause=SETTLED)
    assert of_whom(made) == {person.tag: person.tag}
    calm(made)


@NATURES
@pytest.mark.parametrize("how", ["dead", "refused"])
def test_the_first_owner_is_remembered_through_failures(
    nature: Nature, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look that fails at the provider until it is given up, or is refused, still knows that the key changed hands."""
    made = world(Profile(nature), customers=2)
    person = made.people[0]
    fetch = Adapter.fetch

    def failing(adapter: Adapter, external_id: str) -> object:
        record = adapter._world.records.get(external_id)
        if record is not None and record.of == person.tag:
            adapter._request("GET", lambda: None)
            raise Temporary("no") if how == "dead" else Rejected("", "shows another customer")
        return fetch(adapter, external_id)

    succeed(made)
    second = made.people[-1]
    monkeypatch.setattr(Adapter, "fetch", failing)
    for turn in range(14):
        made.write(made.people[1], "city", made.value(made.people[1].tag, "city"))  # others get through meanwhile
        run(made, pause=1000.0 + turn)
    monkeypatch.undo()
    assert "delete_conflict" in kinds(made)
    made.write(second, "email", made.value(second.tag, "email"))
    for _ in range(2):
        run(made, pause=SETTLED)
    assert of_whom(made)[person.tag] == person.tag
    calm(made)


def test_a_new_owner_moves_on_to_another_key() -> None:
    """Deleted, given again and changed between two captures: the link of the first owner does not travel along."""
    made = world(Profile(SEARCH))
    person, _, _ = only(made)
    second = succeed(made)
    made.happened.add("rekeyed")
    made.rekey(second, 7)
    for _ in range(3):
        run(made, pause=SETTLED)
    assert of_whom(made)[person.tag] == person.tag
    calm(made)


def test_whoever_was_buried_stays_buried() -> None:
    """A person lets the new owner of a key be created; the first one's record is still not brought back by a scan."""
    made = world(Profile(SEARCH, inbound=True))
    succeed(made)
    run(made)
    with made.state.read() as tx:
        (item,) = journal.reviews(tx)
    decide(made.state, item, "create", made.clock.now())
    for _ in range(2):
        run(made, pause=SETTLED)
    assert made.sql("SELECT count(*) FROM customers")[0][0] == 1
    assert len(made.providers[0].records) == 2
    calm(made)


@NATURES
def test_a_newcomer_keeps_his_number(nature: Nature) -> None:
    """A remote that becomes a row brings the number that is our key there, and everybody else gets him under it."""
    made = world(Profile(nature, inbound=True), Profile(SEARCH))
    made.arrive_there(made.providers[0])
    for _ in range(3):
        run(made, pause=SETTLED)
    made.discover()
    newcomer = made.people[-1]
    assert newcomer.number.startswith("5")
    assert [each.key for each in made.providers[1].records.values() if each.of == newcomer.tag] == [newcomer.number]
    calm(made)


def test_a_remote_with_the_number_of_a_row_is_nobody_new() -> None:
    """Where our number is the address over there, a record under the number of a row that is not linked yet is no
    newcomer: a person decides."""
    made = world(Profile(Nature(), inbound=True), run=False)
    person = made.people[0]
    made.happened |= {"inbound", "stranger"}
    made.foreign(made.providers[0], f"s{person.tag}", person.number)
    made.run(SCAN)
    assert made.sql("SELECT count(*) FROM customers")[0][0] == 1
    assert kinds(made) == ["candidate"]


def test_a_field_switched_off_does_not_arrive() -> None:
    """What is not to travel is not inserted either."""
    made = world(Profile(SEARCH, inbound=True, directions=(("city", Direction.OFF),)))
    made.arrive_there(made.providers[0])
    run(made)
    made.discover()
    row = made.row(made.people[-1])
    assert row is not None
    assert (row["city"], row["email"] is None) == (None, False)
    calm(made)


def test_two_holders_insert_one_row() -> None:
    """A process that slept between its intent and the insert finds what its successor inserted meanwhile."""
    for at in range(1, _points_of_an_arrival() + 1):
        made = world(Profile(SEARCH, inbound=True))
        made.arrive_there(made.providers[0])
        made.run(SCAN, planned={at: [partial(made.overtake, SCAN)]})
        for _ in range(2):
            run(made, pause=SETTLED)
        made.discover()
        assert made.second_rows == [], f"overtaken at point {at}"
        assert made.sql("SELECT count(*) FROM customers")[0][0] == 2


def test_two_holders_insert_one_row_of_a_newcomer_who_has_nothing_but_a_name() -> None:
    """As above; no number and no e-mail tells the sleeper that the row came meanwhile."""
    for at in range(1, _points_of_an_arrival() + 1):
        made = world(Profile(SEARCH, inbound=True))
        provider = made.providers[0]
        provider.post(None, {"name": "nst9v1 visitor", "city": "cst9v1 town"}, "st9", ours=False)
        made.run(SCAN, planned={at: [partial(made.overtake, SCAN)]})
        for _ in range(2):
            run(made, pause=SETTLED)
        assert made.sql("SELECT count(*) FROM customers")[0][0] == 2, f"overtaken at point {at}"
        assert len(provider.records) == 2


def test_a_row_that_appears_right_before_the_insert_is_that_of_the_newcomer() -> None:
    """The shop's people type the newcomer, with his number, while his record is on its way into the source: he gets no
    second row, and a person is asked about his record."""
    made = world(Profile(SEARCH, inbound=True))
    made.arrive_there(made.providers[0])
    number = max(made.owners)

    def typed() -> None:
        with made.state.read() as tx:
            under_way = journal.insert_intents(tx, "p0")
        if under_way:
            made.insert(number=number)
        else:
            made.effects.at("source, before", typed)

    made.effects.at("source, before", typed)
    run(made)
    run(made, pause=SETTLED)
    assert made.sql("SELECT count(*) FROM customers WHERE customer_no = ?", number)[0][0] == 1
    assert len(made.providers[0].records) == 2
    assert kinds(made) != []


def test_an_edit_after_an_insert_that_a_crash_interrupted_is_kept() -> None:
    """A newcomer's row was inserted and the process died before it was linked; a person edits the record at the
    provider: what was inserted is what was agreed, so the edit reaches the row, whoever wins conflicts."""
    interrupted = 0
    for at in range(1, _points_of_an_arrival() + 1):
        made = world(Profile(SEARCH, inbound=True))
        made.arrive_there(made.providers[0])
        made.run(SCAN, crash_at=at)
        made.discover()
        if len(made.people) < 2:
            continue
        interrupted += 1
        newcomer = made.people[-1]
        record = next(each for each in made.providers[0].records.values() if each.of == newcomer.tag)
        typed = made.value(newcomer.tag, "first_name")
        made.type_there(made.providers[0], record, "first_name", typed)
        for _ in range(2):
            run(made, SCAN, pause=SETTLED)
        row = made.row(newcomer)
        assert row is not None
        assert (row["first_name"], record.values["first_name"]) == (typed, typed), f"died at point {at}"
    assert interrupted


def test_a_row_that_may_be_under_way_is_awaited() -> None:
    """An insert whose process died before it knew may still be executed: no successor inserts that record again before
    the settle time is over, and then one does."""
    under_way = 0
    for at in range(1, _points_of_an_arrival() + 1):
        made = world(Profile(SEARCH, inbound=True))
        made.arrive_there(made.providers[0])
        made.run(SCAN, crash_at=at)
        rows = made.sql("SELECT count(*) FROM customers")[0][0]
        with made.state.read() as tx:
            if rows > 1 or not journal.insert_intents(tx, "p0"):
                continue
        under_way += 1
        made.run(SCAN)
        assert made.sql("SELECT count(*) FROM customers")[0][0] == 1, f"died at point {at}"
        run(made, SCAN, pause=SETTLED)
        assert made.sql("SELECT count(*) FROM customers")[0][0] == 2
    assert under_way


def _points_of_an_arrival() -> int:
    made = world(Profile(SEARCH, inbound=True))
    made.arrive_there(made.providers[0])
    before = len(made.effects.trace)
    made.run(SCAN)
    return len(made.effects.trace) - before


def test_our_own_lost_create_is_no_candidate() -> None:
    """A record that is most likely our own create, still settling, is nothing to ask a person about."""
    made = world(Profile(LIST, inbound=True), run=False)
    made.providers[0].faults.append(Fault("lost", "write"))
    made.run()
    made.run(SCAN)
    assert kinds(made) == []
    run(made, pause=SETTLED)
    assert len(made.providers[0].records) == 1
    calm(made)


@pytest.mark.parametrize("point", range(3, 30, 3))
def test_a_newcomer_under_a_key_that_is_given_again(point: int) -> None:
    """A row inserted under the key of somebody whose deletion nobody noticed yet does not bring that one back: SQLite
    gives the highest key again."""
    made = world(Profile(SEARCH, inbound=True), customers=2)
    last = made.people[-1]
    made.arrive_there(made.providers[0])
    made.run(SCAN, planned={point: [lambda: made.delete(last)]})
    for _ in range(2):
        run(made, pause=90_000.0)
    made.discover()
    assert made.second_rows == []
    assert len(made.living()) == 2
    calm(made)


@NATURES
@pytest.mark.parametrize("how", [Removal.KEEP, Removal.DELETE])
def test_a_newcomer_under_the_key_of_a_lost_create(nature: Nature, how: Removal) -> None:
    """A customer is deleted before anybody knows what became of his create, and a newcomer's row would get his key: the
    newcomer waits, and the late record goes as the settings say and never becomes a row."""
    made = world(Profile(nature, on_delete=how, inbound=True))
    provider = made.providers[0]
    provider.faults.append(Fault("die", "write", 30.0))
    last = made.insert()
    run(made)
    made.arrive_there(provider)
    made.delete(last)
    for pause in (SETTLED, *[90_000.0] * 3):
        run(made, pause=pause)
    made.discover()
    assert made.second_rows == []
    assert [person.tag[0] for person in made.living()] == ["t", "r"]
    assert (last.tag in of_whom(made)) == (how is Removal.KEEP)
    calm(made)


@NATURES
def test_a_newcomer_under_a_key_that_a_row_gave_up(nature: Nature) -> None:
    """A row gets another key before capture has told of it, and a newcomer's row gets the key that it had: the
    newcomer keeps his record, and nobody is asked about either."""
    made = world(Profile(nature, inbound=True), customers=2)
    made.arrive_there(made.providers[0])
    made.happened.add("rekeyed")
    made.effects.at("p0 GET, before", lambda: made.rekey(made.insert(), -7))
    made.run(SCAN)
    assert made.people[-1].key == -7
    run(made, pause=SETTLED)
    made.discover()
    newcomer = made.people[-1]
    assert newcomer.key == 3
    assert kinds(made) == []
    with made.state.read() as tx:
        links = {key: mapping.read(tx, Pair("p0", str(key))) for key in (newcomer.key, -7)}
    owners = {key: made.providers[0].records[str(link and link.external_id)].of for key, link in links.items()}
    assert owners == {newcomer.key: newcomer.tag, -7: made.people[-2].tag}
    calm(made)


def lost_without_key(how: Removal, *, edited: bool = False) -> tuple[World, Person]:
    """A customer whose number the provider cannot carry; his create was lost, and made a record all the same."""
    made = world(Profile(Nature(identity=LIST.identity, narrow=True), on_delete=how, inbound=True), customers=2)
    made.happened.add("narrow")
    made.providers[0].faults.append(Fault("lost", "write"))
    person = made.insert(number="K17")
    made.run()
    record = next(each for each in made.providers[0].records.values() if each.of == person.tag)
    if edited:
        made.type_there(made.providers[0], record, "city", made.value(person.tag, "city"))
    return made, person


@pytest.mark.parametrize("edited", [False, True])
@pytest.mark.parametrize("how", [Removal.KEEP, Removal.DELETE])
def test_a_lost_create_without_our_key_does_not_come_back_as_a_row(how: Removal, *, edited: bool) -> None:
    """A customer is deleted whose lost create made a record that can carry no key of ours: no scan takes the record for
    a newcomer's, also where others have higher keys and a person edited it."""
    made, person = lost_without_key(how, edited=edited)
    made.delete(person)
    made.insert(key=40)
    for pause in (1.0, SETTLED, *[90_000.0] * 2):
        run(made, pause=pause)
    assert made.sql("SELECT count(*) FROM customers")[0][0] == len(made.living())
    assert kinds(made) == ([] if how is Removal.KEEP else ["delete_conflict"])


PLAIN_NARROW = Nature(identity=LIST.identity, narrow=True)
SPELLS = replace(PLAIN_NARROW, keeps=(("city", "upper"), ("email", "upper")))


@pytest.mark.parametrize("typed", [(), ("city",), ("city", "email")], ids="+".join)
@pytest.mark.parametrize("nature", [SPELLS, PLAIN_NARROW], ids=["spells", "keeps"])
def test_a_lost_create_without_our_key_is_no_newcomer(nature: Nature, typed: tuple[str, ...]) -> None:
    """The record of a lost create that can carry no key of ours never becomes a second row of a customer who is there,
    also where the provider spells his values in its own way and a person edited most of them: his question is open."""
    made = world(Profile(nature, inbound=True), customers=2)
    made.happened.add("narrow")
    made.providers[0].faults.append(Fault("lost", "write"))
    person = made.insert(number="K17")
    made.run()
    record = next(each for each in made.providers[0].records.values() if each.of == person.tag)
    for name in typed:
        made.type_there(made.providers[0], record, name, made.value(person.tag, name))
    for pause in (1.0, SETTLED, *[90_000.0] * 2):
        run(made, pause=pause)
    assert made.sql("SELECT count(*) FROM customers")[0][0] == len(made.living())
    assert kinds(made) == ["unknown_create"]


@pytest.mark.parametrize("edited", [False, True])
@pytest.mark.parametrize("decision", ["take:source", "take:provider"])
def test_what_a_person_says_of_a_lost_create_without_our_key(decision: str, *, edited: bool) -> None:
    """Whether the record goes, where settings remove, a person says: it goes then where it holds what was sent and
    nothing else, for it may be a relative's, and otherwise stays, and he is asked again."""
    made, person = lost_without_key(Removal.DELETE, edited=edited)
    made.delete(person)
    for pause in (SETTLED, 90_000.0):
        run(made, pause=pause)
    with made.state.read() as tx:
        (item,) = journal.reviews(tx)
    decide(made.state, item, decision, made.clock.now())
    for _ in range(3):
        run(made, pause=90_000.0)
    assert made.sql("SELECT count(*) FROM customers")[0][0] == len(made.living())
    assert (person.tag in of_whom(made)) == (decision == "take:provider" or edited)
    assert kinds(made) == ["delete_conflict"] * (decision == "take:source" and edited)


def test_a_lost_create_without_our_key_is_no_second_row_beside_an_edited_one() -> None:
    """A customer's lost create is asked about, and his row gets another e-mail address meanwhile: the record that the
    create made is no newcomer's."""
    made, person = lost_without_key(Removal.KEEP)
    run(made, pause=SETTLED)
    made.write(person, "email", made.value(person.tag, "email"))
    for _ in range(2):
        run(made, pause=90_000.0)
    assert made.sql("SELECT count(*) FROM customers")[0][0] == len(made.living())
    assert kinds(made) == ["unknown_create"]


@NATURES
def test_an_open_question_about_the_highest_key_keeps_no_newcomer_waiting(nature: Nature) -> None:
    """The last row is deleted, and a person is asked about its record, for weeks perhaps. SQLite would give its key to
    the next row: a newcomer gets another key meanwhile, and the plan says what the run does."""
    made = world(Profile(nature, on_delete=Removal.DELETE, inbound=True), customers=2)
    provider, last = made.providers[0], made.people[-1]
    record = next(each for each in provider.records.values() if each.of == last.tag)
    made.delete(last)
    made.happened.add("conflict")
    made.type_there(provider, record, "city", made.value(last.tag, "city"))
    run(made, pause=SETTLED)
    assert kinds(made) == ["delete_conflict"]
    made.arrive_there(provider)
    made.clock.advance(OVERNIGHT)
    expected = plan(made.site, chosen(made.site, ()), scan=True).operations
    assert [each.verb for each in expected] == ["insert"]
    made.run(SCAN)
    made.discover()
    newcomer = made.people[-1]
    assert newcomer.tag[0] == "r"
    assert newcomer.key != last.key
    assert kinds(made) == ["delete_conflict"]
    with made.state.read() as tx:
        (item,) = journal.reviews(tx)
    decide(made.state, item, "take:source", made.clock.now())
    for _ in range(2):
        run(made, pause=OVERNIGHT)
    made.discover()
    assert [person.tag for person in made.living()] == [made.people[0].tag, newcomer.tag]
    assert set(of_whom(made)) == {made.people[0].tag, newcomer.tag}
    assert kinds(made) == []
    calm(made)


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("how", [Removal.KEEP, Removal.DELETE])
def test_a_key_given_away_while_a_lost_create_without_our_key_is_asked_about(how: Removal, *, asked: bool) -> None:
    """The customer of such a create is deleted, and his key is another's before anybody looks: what the create made is
    no newcomer's, and its customer does not come back as a row."""
    made, person = lost_without_key(how)
    if asked:
        run(made, pause=SETTLED)
        assert kinds(made) == ["unknown_create"]
    made.delete(person)
    made.happened.add("reinserted")
    second = made.insert(key=person.key, number="K18")
    for _ in range(4):
        run(made, pause=OVERNIGHT)
    made.discover()
    assert made.second_rows == []
    assert [each.tag for each in made.living()] == [*[each.tag for each in made.people[:2]], second.tag]
    assert kinds(made) == (["came_back"] if how is Removal.KEEP else ["delete_conflict"])

"""Histories of creates whose answer was lost: which record under our key is ours, and which is a person's own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncd.core.model import Pair, Policy, Remote, Removal, Value
from syncd.operate.review import decide, order_link
from syncd.providers.adapter import Identity
from syncd.store import journal, mapping
from tests.model.hostile import Adapter, Fault, Hostile, Nature, Record
from tests.model.product import Options
from tests.model.test_sequences import LIST, POLICIES, SCAN, SEARCH, SETTLED, calm, kinds, run, source, world
from tests.model.world import OVERNIGHT, SETTLE, Profile, World

IDENTITIES = pytest.mark.parametrize(
    "nature",
    [Nature(), SEARCH, replace(SEARCH, renumbers=True), LIST, replace(LIST, renumbers=True)],
    ids=["our-key", "external-id", "number", "scan", "scan-number"],
)


def lost(nature: Nature, policy: Policy, *, made: bool) -> tuple[World, Hostile]:
    """A world whose only create got no answer; `made` says whether the provider carried it out."""
    there = world(Profile(nature, policy=policy), run=False)
    there.providers[0].faults.append(Fault("lost" if made else "dropped", "write"))
    run(there)
    assert len(there.providers[0].records) == int(made)
    return there, there.providers[0]


@pytest.mark.parametrize("made", [True, False], ids=["executed", "not"])
def test_one_listing_tells_of_all_lost_creates(monkeypatch: pytest.MonkeyPatch, made: bool) -> None:
    """At a provider that can only be listed: once their settle times are over, the records that four lost creates made
    are found in one listing, and where they made none, it proves that for all four. A create that is lost after it
    needs another."""
    there = world(Profile(LIST), customers=6, run=False)
    provider = there.providers[0]
    provider.faults += [Fault("lost" if made else "dropped", "write") for _ in range(4)]
    run(there, Options())
    begun: list[int] = []
    sliced = Adapter._slice

    def counted(adapter: Adapter, start: int) -> tuple[tuple[Remote, ...], int]:
        begun.extend([start] if start == 0 else [])
        return sliced(adapter, start)

    monkeypatch.setattr(Adapter, "_slice", counted)
    run(there, Options(), pause=SETTLED)
    assert len(provider.records) == 6
    assert len(begun) == 1
    calm(there)

    there.insert()
    provider.faults.append(Fault("lost", "write"))
    run(there, Options())
    run(there, Options(), pause=SETTLED)
    assert len(provider.records) == 7
    calm(there)


def stranger(made: World, provider: Hostile, **shared: Value) -> Record:
    """A person makes another customer under our key; he shares some values with ours."""
    values: dict[str, Value] = {name: f"{name[0]}s1v1 of somebody else" for name in provider.nature.fields}
    if provider.nature.renumbers:
        values["number"] = made.people[0].number
    return provider.post(made.people[0].number, values | shared, "s1", ours=False)


@IDENTITIES
@POLICIES
@pytest.mark.parametrize("shared", [("city",), ("city", "email"), ("name",)], ids=str)
def test_a_stranger_is_not_taken_for_our_lost_create(nature: Nature, policy: Policy, shared: tuple[str, ...]) -> None:
    """What neighbours and families share proves nothing: a person's own record under our key is asked about, and
    neither side takes anything from the other."""
    made, provider = lost(nature, policy, made=False)
    row = made.row(made.people[0])
    assert row is not None
    there = stranger(made, provider, **{name: row[name] for name in shared})
    before = dict(there.values)
    for _ in range(3):
        run(made, SCAN, pause=SETTLED)
    assert made.row(made.people[0]) == row
    assert there.values == before
    assert kinds(made) == ["found"]
    with made.state.read() as tx:
        link = mapping.read(tx, Pair("p0", "1"))
    assert link is None or link.external_id is None


@pytest.mark.parametrize(
    "nature", [Nature(), SEARCH, replace(SEARCH, renumbers=True)], ids=["our-key", "find", "number"]
)
def test_one_empty_answer_does_not_prove_that_a_create_was_not_executed(nature: Nature) -> None:
    """A lost create was executed. Its record is not found once, as behind a proxy that answers for a moment with a
    404, and the customer lost a value meanwhile: neither a second record, nor a question."""
    made, provider = lost(nature, Policy.SOURCE, made=True)
    made.write(made.people[0], "name", None)
    made.clock.advance(SETTLE + 11)
    provider.faults.append(Fault("absent", "read"))
    run(made, Options(look=False))  # no listing before: the look-up meets the fault
    assert not provider.faults
    assert provider.log.count("create 1001") == 1
    for _ in range(3):
        run(made, SCAN, pause=SETTLED)
    assert len(provider.records) == 1
    assert kinds(made) == []
    assert provider.records[min(provider.records)].values["name"] is None


@IDENTITIES
@POLICIES
@pytest.mark.parametrize("name", ["email", "city"])
def test_our_lost_create_is_linked_although_it_was_edited(nature: Nature, policy: Policy, name: str) -> None:
    """A record that our create did make, and that a person edited before we looked, is linked without a question
    about whose it is; only the edit is asked about, and nothing of it reaches the source by itself."""
    made, provider = lost(nature, policy, made=True)
    (record,) = provider.records.values()
    made.happened.add("conflict")
    edited = made.value(record.of, name)
    made.type_there(provider, record, name, edited)
    before = source(made, name)
    for _ in range(3):
        run(made, SCAN, pause=SETTLED)
    with made.state.read() as tx:
        link = mapping.read(tx, Pair("p0", "1"))
    assert link is not None
    assert link.external_id == record.id
    assert kinds(made) == ["conflict"]
    assert (source(made, name), record.values[name]) == (before, edited)
    calm(made)


@pytest.mark.parametrize("nature", [SEARCH, replace(SEARCH, renumbers=True), LIST, replace(LIST, renumbers=True)])
@pytest.mark.parametrize(
    ("how", "said"), [(Removal.KEEP, ""), (Removal.DELETE, "take:source"), (Removal.DELETE, "take:provider")]
)
@pytest.mark.parametrize("cut", [False, True])
def test_a_lost_create_beside_a_record_with_its_number_brings_nobody_back(
    nature: Nature, how: Removal, said: str, *, cut: bool
) -> None:
    """A customer is deleted whose create was lost and made one of two records with his number: it never becomes a row,
    whatever a person says about it."""
    nature = replace(nature, keeps=(("name", "cut"), ("email", "cut"))) if cut else nature
    made = world(Profile(nature, on_delete=how, inbound=True))
    provider, person = made.providers[0], made.insert()
    provider.faults.append(Fault("lost", "write"))
    made.run(SCAN)
    made.befall(person.tag, "stranger")
    made.foreign(provider, f"s{person.tag}", person.number)
    made.delete(person)
    for pause in (SETTLED, *[OVERNIGHT] * 3):
        run(made, SCAN, pause=pause)
        with made.state.read() as tx:
            asked = [item for item in journal.reviews(tx) if item.kind == "delete_conflict"]
        for item in asked:
            decide(made.state, item, said, made.clock.now())
    names = [str(name) for (name,) in made.sql("SELECT company FROM customers")]
    assert not [name for name in names if name.startswith(f"n{person.tag}v")]
    assert person.tag in {record.of for record in provider.records.values()}


@IDENTITIES
@POLICIES
def test_our_lost_create_is_known_in_the_providers_own_spelling(nature: Nature, policy: Policy) -> None:
    """What a provider cut off or wrote in capitals is no contradiction: the record is linked and nothing is asked."""
    keeps = (("name", "cut"), ("email", "upper"), ("city", "squeeze"))
    made, provider = lost(replace(nature, keeps=keeps), policy, made=True)
    for _ in range(3):
        run(made, SCAN, pause=SETTLED)
    assert kinds(made) == []
    assert len(provider.records) == 1
    assert made.effects.source_writes == 0
    calm(made)


@pytest.mark.parametrize("nature", [Nature(), SEARCH, LIST], ids=["our-key", "findable", "scan"])
def test_a_version_spares_no_create_its_settle_time(nature: Nature) -> None:
    """A create has no record whose version could keep it from taking effect late: where writes carry versions, too, it
    is not repeated before its settle time is over."""
    made = world(Profile(replace(nature, conditional=True)), run=False)
    made.providers[0].faults.append(Fault("late", "write", 30.0))
    for pause in (0.0, 2.0, 2.0, 5.0, SETTLED, SETTLED):
        run(made, pause=pause)
    assert made.providers[0].log == ["create 1001"]
    assert len(made.providers[0].records) == 1


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize("made", [True, False])
def test_an_ordered_create_whose_answer_is_lost_is_not_repeated(*, gone: bool, made: bool) -> None:
    """The answer to a create is lost, the record carries no number of ours, and a person who looked there orders
    the create; that answer is lost as well, and it is asked about anew instead of creating a third time. `gone`: the
    first record was linked and deleted there."""
    there = world(Profile(replace(LIST, narrow=True)))
    provider, person = there.providers[0], there.insert(number="K17")
    provider.faults += [] if gone else [Fault("dropped", "write")]
    run(there)
    if gone:
        (record,) = (each for each in provider.records.values() if each.of == person.tag)
        del provider.records[record.id]
    run(there, pause=SETTLED)
    answered(there, "remote_gone" if gone else "unknown_create", "create")
    provider.faults.append(Fault("lost" if made else "dropped", "write"))
    for pause in (0.0, SETTLED, SETTLED, OVERNIGHT):
        run(there, pause=pause)
        there.write(person, "city", there.value(person.tag, "city"))
    assert provider.log.count("create K17") == 2
    answered(there, "unknown_create", "create")
    run(there)
    assert provider.log.count("create K17") == 3
    assert kinds(there) == []


def answered(made: World, kind: str, decision: str) -> None:
    """A person answers the one question that is open."""
    with made.state.read() as tx:
        (item,) = journal.reviews(tx)
    assert (item.kind, item.decision) == (kind, "")
    decide(made.state, item, decision, made.clock.now())


@IDENTITIES
@pytest.mark.parametrize("made", [True, False])
@pytest.mark.parametrize("fits", [True, False])
def test_a_link_ordered_to_another_record_tells_of_what_the_lost_create_made(
    nature: Nature, *, made: bool, fits: bool
) -> None:
    """While nobody knows whether our create arrived, a person orders the customer to be linked to another record. The
    order is obeyed; where the create did arrive, the second record is told of, and is nobody's newcomer, also once the
    customer is deleted. The question ends when that record is gone."""
    fits = fits or nature.identity is not Identity.SCAN
    there = world(Profile(replace(nature, narrow=not fits), inbound=True), Profile(SEARCH))
    provider, person = there.providers[0], there.insert(number=None if fits else "K17")
    provider.faults.append(Fault("lost" if made else "dropped", "write"))
    run(there)
    values: dict[str, Value] = {name: there.value(person.tag, name) for name in provider.nature.fields}
    named = provider.post("4711", values | ({"number": "4711"} if nature.renumbers else {}), person.tag, ours=False)
    order_link(there.state, Pair("p0", str(person.key)), named.id, there.clock.now())
    for pause in (SETTLED, SETTLED, OVERNIGHT, OVERNIGHT):
        run(there, pause=pause)
    with there.state.read() as tx:
        link = mapping.read(tx, Pair("p0", str(person.key)))
        asked = [(item.kind, item.customer_key) for item in journal.reviews(tx) if not item.fields]
    assert link is not None
    assert link.external_id == named.id
    assert asked == [("twice", str(person.key))] * made
    second = [each.id for each in provider.records.values() if each.of == person.tag and each is not named]
    assert len(second) == made
    there.delete(person)
    for pause in (SETTLED, OVERNIGHT):
        run(there, pause=pause)
    assert there.second_rows == []
    assert there.sql("SELECT count(*) FROM customers") == [(1,)]
    for each in second:
        del provider.records[each]
    run(there, pause=OVERNIGHT)
    assert "twice" not in kinds(there)


@pytest.mark.parametrize("nature", [SEARCH, LIST], ids=["find", "scan"])
def test_a_link_ordered_while_a_create_is_under_way_is_told_of(nature: Nature) -> None:
    """A person orders the customer to be linked to a record after our create has left, and its answer comes next: what
    the create made is linked, and the person learns that there are two."""
    there = world(Profile(nature))
    provider, person = there.providers[0], there.insert()
    values: dict[str, Value] = {name: there.value(person.tag, name) for name in provider.nature.fields}
    named = provider.post("4711", values, person.tag, ours=False)
    pair = Pair("p0", str(person.key))
    there.effects.at("p0 POST, before", lambda: order_link(there.state, pair, named.id, there.clock.now()))
    there.run()
    with there.state.read() as tx:
        link = mapping.read(tx, pair)
    assert link is not None
    assert link.external_id not in {None, named.id}
    for _ in range(2):
        assert kinds(there) == ["twice"]
        run(there, pause=OVERNIGHT)
    del provider.records[named.id]
    run(there, pause=OVERNIGHT)
    assert kinds(there) == []


@pytest.mark.parametrize(
    "keeps",
    [
        (("name", "upper"), ("city", "cut")),
        (("name", "cut"), ("email", "upper")),
        (("name", "upper"), ("email", "cut"), ("city", "squeeze")),
        (("name", "squeeze"), ("email", "cut"), ("city", "upper"), ("first_name", "cut")),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("how", "said"), [(Removal.KEEP, ""), (Removal.DELETE, "source"), (Removal.DELETE, "provider")]
)
def test_a_deleted_customers_lost_create_is_known_in_the_providers_own_spelling(
    keeps: tuple[tuple[str, str], ...], how: Removal, said: str
) -> None:
    """A create is lost whose record carries no number of ours, the provider writes what it was told its own way, and
    the row is deleted: nobody can compare with the row any more. The record is no newcomer, and is removed where a
    person says so."""
    there = world(Profile(replace(LIST, narrow=True, keeps=keeps), on_delete=how, inbound=True))
    provider, person = there.providers[0], there.insert(number="K17")
    provider.faults.append(Fault("lost", "write"))
    run(there)
    there.delete(person)
    for pause in (SETTLED, OVERNIGHT):
        run(there, pause=pause)
    if said:
        answered(there, "delete_conflict", f"take:{said}")
    for pause in (0.0, OVERNIGHT, OVERNIGHT):
        run(there, pause=pause)
    assert there.sql("SELECT count(*) FROM customers") == [(1,)]
    assert kinds(there) == []
    assert (person.tag in {record.of for record in provider.records.values()}) is (said != "source")


def test_a_removal_that_finds_no_sure_record_is_asked_about_again() -> None:
    """The record of a deleted customer's lost create carries no number of ours, and somebody edited it since. A person
    orders the removal: the record stays, and he is told so; once he has removed it himself, he keeps the rest."""
    there = world(Profile(replace(LIST, narrow=True), on_delete=Removal.DELETE, inbound=True))
    provider, person = there.providers[0], there.insert(number="K17")
    provider.faults.append(Fault("lost", "write"))
    run(there)
    (record,) = (each for each in provider.records.values() if each.of == person.tag)
    there.type_there(provider, record, "city", there.value(record.of, "city"))
    there.delete(person)
    run(there, pause=SETTLED)
    answered(there, "delete_conflict", "take:source")
    for pause in (0.0, OVERNIGHT):
        run(there, pause=pause)
    assert record.id in provider.records
    answered(there, "delete_conflict", "take:provider")
    for pause in (0.0, OVERNIGHT):
        run(there, pause=pause)
    assert kinds(there) == []
    assert there.sql("SELECT count(*) FROM customers") == [(1,)]


@pytest.mark.parametrize("nature", [SEARCH, LIST], ids=["find", "scan"])
def test_an_ordered_removal_that_several_records_stand_against_is_asked_about_again(nature: Nature) -> None:
    """One of two records with a deleted customer's number may be what his lost create made. A person orders the
    removal: nothing is removed, and the question is open again, not decided for ever."""
    there = world(Profile(nature, on_delete=Removal.DELETE))
    provider, person = there.providers[0], there.insert()
    provider.faults.append(Fault("lost", "write"))
    there.run(SCAN)
    there.foreign(provider, f"s{person.tag}", person.number)
    there.delete(person)
    run(there, pause=SETTLED)
    for said in ("take:source", "take:source", "take:provider"):
        answered(there, "delete_conflict", said)
        run(there, pause=SETTLED)
    assert kinds(there) == []
    assert len(provider.records) == 3

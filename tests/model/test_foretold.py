"""Over many histories: what `syncd plan` lists is what the next run does, pair by pair, field by field."""

from __future__ import annotations

import itertools
import json
import random

import pytest

from syncd.core.guards import Guards, Limit
from syncd.core.model import Pair, Policy, Removal
from syncd.detect.unseen import require_triggers
from syncd.engine.run import Options
from syncd.errors import SetupNeeded
from syncd.operate.dry_run import plan
from syncd.operate.planned import Plan
from syncd.operate.reading import chosen
from syncd.operate.review import order_link, order_unlink
from syncd.source import triggers
from syncd.store import mapping
from tests.model import product
from tests.model.hostile import Nature
from tests.model.test_sequences import LIST, SEARCH, SETTLED
from tests.model.world import Person, Profile, Setting, World

Deeds = dict[tuple[str, str, str], set[str]]
SCAN = Options(scan=True)
NATURES = (Nature(), SEARCH, LIST, Nature(lists=False), Nature(replaces=True))
VERBS = {
    "pair.created": "create",
    "pair.pushed": "update",
    "pair.pulled": "pull",
    "pair.removed": "remove",
    "pair.unlinked": "unlink",
    "pair.adopted": "adopt",
}
FIELDS = ("city", "email", "name")


def _world(dice: random.Random) -> World:
    """Three customers in agreement with two or three providers."""
    profiles = tuple(
        Profile(dice.choice(NATURES), policy=dice.choice(list(Policy)), on_delete=dice.choice(list(Removal)))
        for _ in range(dice.choice((2, 3)))
    )
    made = World(Setting(profiles, 3))
    made.run()
    made.clock.advance(SETTLED)
    made.run(SCAN)
    return made


def _edits(made: World, dice: random.Random) -> None:
    """What people do between two runs: edits here and there, fields emptied, newcomers, deletions."""
    for _ in range(dice.randrange(1, 8)):
        person, what = dice.choice(made.living()), dice.randrange(6)
        if what <= 1:
            name = dice.choice(FIELDS)
            made.write(person, name, dice.choice([None, made.value(person.tag, name)]))
        elif what <= 3:
            provider = dice.choice(made.providers)
            record, name = dice.choice(list(provider.records.values())), dice.choice(FIELDS)
            made.type_there(provider, record, name, dice.choice([None, made.value(record.of, name)]))
        elif what == 4:
            made.insert()
        elif len(made.living()) > 1:
            made.delete(person)


def planned(made: World) -> Deeds:
    """The writes that a plan lists."""
    return deeds(plan(made.site, chosen(made.site, ()), scan=True))


def deeds(listed: Plan) -> Deeds:
    """The writes of a plan, as `noted` tells those of a run."""
    found: Deeds = {}
    for operation in listed.operations:
        verb = {"archive": "remove", "delete": "remove"}.get(operation.verb, operation.verb)
        names = operation.fields if verb in {"update", "pull"} else ()
        found.setdefault((operation.provider, operation.key, verb), set()).update(names)
    return found


def noted(made: World, since: int) -> Deeds:
    found: Deeds = {}
    query = "SELECT provider, customer_key, event, fields FROM event WHERE id > ?"
    with made.state.read() as tx:
        rows = tx.exec_driver_sql(query, (since,)).all()
    for provider, key, event, fields in rows:
        verb = VERBS.get(event)
        if verb is not None:
            names = json.loads(fields) if verb in {"update", "pull"} else ()
            found.setdefault((provider, key, verb), set()).update(names)
    return found


def last_event(made: World) -> int:
    with made.state.read() as tx:
        return int(tx.exec_driver_sql("SELECT coalesce(max(id), 0) FROM event").scalar_one())


SEEDS = [pytest.param(seed, marks=[pytest.mark.long] * (seed >= 15)) for seed in range(60)]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_run_does_what_was_foretold(seed: int) -> None:
    """Edits, conflicts under every policy, emptied fields, new and deleted customers, at providers of every kind: plan
    and run name the same writes, and a plan writes nothing."""
    dice = random.Random(seed)
    made = _world(dice)
    _edits(made, dice)
    before, written = last_event(made), [provider.writes for provider in made.providers]
    expected = planned(made)
    assert (last_event(made), [provider.writes for provider in made.providers]) == (before, written)
    made.run(SCAN)
    assert noted(made, before) == expected


@pytest.mark.parametrize("here", [False, True])
@pytest.mark.parametrize("policies", list(itertools.product(Policy, Policy)), ids="-".join)
def test_two_editors_of_one_field_are_foretold(policies: tuple[Policy, ...], here: bool) -> None:
    """Two providers, and the source too, changed one field: the plan knows who wins as the run will."""
    made = World(Setting(tuple(Profile(policy=policy) for policy in policies), 2))
    made.run()
    made.run(SCAN)
    for provider in made.providers:
        record = next(iter(provider.records.values()))
        made.type_there(provider, record, "city", made.value(record.of, "city"))
    if here:
        made.write(made.people[0], "city", made.value(made.people[0].tag, "city"))
    before, expected = last_event(made), planned(made)
    made.run(SCAN)
    assert noted(made, before) == expected


def unnumbered(deeds: Deeds) -> Deeds:
    """Without the numbers of those who had a key before: only the capture gives them."""
    return {(provider, key.partition("†")[0], verb): names for (provider, key, verb), names in deeds.items()}


@pytest.mark.parametrize("seed", SEEDS)
def test_keys_that_change_hands_are_foretold(seed: int) -> None:
    """Customers get another key, are merged, or swap their keys, between edits: the plan knows whose record is whose
    after the capture that it does not make."""
    dice = random.Random(seed)
    made = _world(dice)
    if dice.random() < 0.5:
        made.insert()
    for _ in range(dice.randrange(1, 3)):
        living = made.living()
        one, other = dice.sample(living, 2)
        match dice.randrange(4):
            case 0:
                made.rekey(one, made.new_key())
            case 1 if len(living) > 2:
                made.delete(other)
                made.rekey(one, other.key)
            case 2:
                first, second = one.key, other.key
                made.rekey(one, made.new_key())
                made.rekey(other, first)
                made.rekey(one, second)
            case _:
                key = one.key
                made.delete(one)
                made.insert(key=key)
    if dice.random() < 0.5:
        _edits(made, dice)
    before, expected = last_event(made), planned(made)
    made.run(SCAN)
    assert unnumbered(noted(made, before)) == unnumbered(expected)


def test_a_forgotten_customer_with_another_key_is_foretold() -> None:
    """Somebody is forgotten whose row lives on, in a shop without numbers, and the row gets another key: the record
    that is still at the provider gets no second one beside it; a person is asked, and the plan says so."""
    made = World(Setting((Profile(),), 1, numbered=False))
    made.run()
    made.clock.advance(SETTLED)
    person = made.people[0]
    product.forget(made.site, str(person.key))
    made.rekey(person, made.new_key())
    before, expected = last_event(made), planned(made)
    made.run(SCAN)
    assert noted(made, before) == expected
    assert [each.of for each in made.providers[0].records.values()] == [person.tag]
    with made.state.read() as tx:
        assert [item.kind for item in product.journal.reviews(tx)] == ["came_back"]


def _ordered_anew(made: World, person: Person) -> Pair:
    """Everybody is linked; then this one is unlinked on order, and ordered to be linked to the same record again."""
    made.run()
    made.clock.advance(SETTLED)
    pair = Pair("p0", str(person.key))
    with made.state.read() as tx:
        link = mapping.read(tx, pair)
    assert link is not None
    assert link.external_id is not None
    order_unlink(made.state, pair, made.clock.now())
    made.run()
    order_link(made.state, pair, link.external_id, made.clock.now())
    return pair


def test_a_row_replaced_while_an_order_to_link_waits_is_foretold() -> None:
    """A person ordered a link for a key; its row is deleted, and the next customer gets the key: nobody is linked."""
    made = World(Setting((Profile(SEARCH),), 2))
    person = made.people[0]
    pair = _ordered_anew(made, person)
    made.delete(person)
    made.insert(key=person.key)
    before, expected = last_event(made), planned(made)
    made.run(SCAN)
    assert noted(made, before) == expected
    with made.state.read() as tx:
        link = mapping.read(tx, pair)
    assert link is None or link.external_id is None


@pytest.mark.parametrize("linked", [0, 1])
def test_an_adoption_and_its_write_meet_the_guard_where_they_stand(linked: int) -> None:
    """One update is allowed. A customer who is linked and written to, and one who is written to: whoever is due first
    is written to, in the plan and in the run."""
    made = World(Setting((Profile(SEARCH),), 2, guards=Guards(update=Limit(None, 1, 86_400.0))))
    pair = _ordered_anew(made, made.people[linked])
    for each in made.people:
        made.write(each, "name", made.value(each.tag, "name"))
    before, expected = last_event(made), planned(made)
    made.run(SCAN)
    assert noted(made, before) == expected
    assert ("p0", pair.key, "adopt") in expected
    assert sum(verb == "update" for _, _, verb in expected) == 1


@pytest.mark.parametrize("nature", [SEARCH, LIST])
def test_what_nobody_saw_without_triggers_is_foretold(nature: Nature) -> None:
    """Triggers were missing for a while: a customer was deleted and another got the key, and one was changed. Where
    they are missing, a plan refuses as a run does; where they are back, it knows what the run will look at."""
    made = World(Setting((Profile(nature),), 3))
    made.run()
    made.clock.advance(SETTLED)
    made.run(SCAN)
    for (name,) in made.sql("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'customers'"):
        made.sql(f"DROP TRIGGER {name}")
    with pytest.raises(SetupNeeded):
        require_triggers(made.site)
    with pytest.raises(SetupNeeded):
        planned(made)
    first, _, third = made.people
    made.delete(first)
    made.insert(key=first.key)
    made.write(third, "city", made.value(third.tag, "city"))
    triggers.install(made.source)
    before, expected = last_event(made), planned(made)
    assert expected
    require_triggers(made.site)
    made.run(SCAN)
    assert noted(made, before) == expected


@pytest.mark.parametrize("providers", [1, 2])
def test_two_records_of_one_newcomer_are_foretold(providers: int) -> None:
    """Two unlinked records share an e-mail, at one provider or at two: one row is inserted, and the plan says so."""
    made = World(Setting(tuple(Profile(LIST, inbound=True) for _ in range(providers)), 1))
    made.run()
    made.clock.advance(SETTLED)
    made.run(SCAN)
    for place in (0, providers - 1):
        made.arrive_there(made.providers[place])
        newcomer = list(made.providers[place].records.values())[-1]
        newcomer.values["email"] = "same@example.com"
    before = len(made.sql("SELECT id FROM customers"))
    inserts = [op for op in plan(made.site, chosen(made.site, ()), scan=True).operations if op.verb == "insert"]
    made.run(SCAN)
    assert len(made.sql("SELECT id FROM customers")) - before == len(inserts) == 1

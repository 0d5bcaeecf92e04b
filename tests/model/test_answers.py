"""A person's answer is carried out or asked for again, whatever happened since the question."""

from __future__ import annotations

import pytest

from syncd.core.model import Direction
from syncd.errors import UsageError
from syncd.operate.review import decide
from syncd.store import journal
from tests.model.answers import QUESTIONS, some
from tests.model.history import live
from tests.model.hostile import Nature
from tests.model.test_lost_creates import answered
from tests.model.test_sequences import LIST, NATURES, SEARCH, calm, kinds, run, source, world
from tests.model.world import OVERNIGHT, Profile, Setting, World

SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.long if seed < 3 else pytest.mark.rare) for seed in range(1, 5))]


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_late_answer(question: str, seed: int) -> None:
    """Rows and records come, go and change hands, providers leave the settings, requests get lost: nothing is lost,
    doubled, stale or echoed, and no answer stands for ever without being acted upon."""
    for history in some(question, 5, seed):
        assert live(history) == [], history


@NATURES
def test_a_number_that_the_provider_cannot_change_is_taken_from_there(nature: Nature) -> None:
    """The number changed here, and the provider cannot follow. A person says that the provider's is the right one: the
    row has it again. The source's cannot be sent, so nobody may order that."""
    made = world(Profile(nature))
    person = made.people[0]
    before = person.number
    made.renumber(person)
    run(made)
    with made.state.read() as tx:
        (item,) = journal.reviews(tx)
    assert item.kind == "renumbered"
    with pytest.raises(UsageError, match="--take provider"):
        decide(made.state, item, "take:source", made.clock.now())
    decide(made.state, item, "take:provider", made.clock.now())
    run(made)
    assert source(made, "number") == before
    assert kinds(made) == []
    calm(made)


@pytest.mark.parametrize("said", ["take:source", "take:provider"])
def test_an_answer_about_a_field_that_the_provider_does_not_show(said: str) -> None:
    """The source changed a field that only the provider may change, and the provider does not show it. The source's
    value is sent where a person says so; the provider's cannot be had, and the person is asked again."""
    made = world(Profile(Nature(hidden=frozenset({"city"})), directions=(("city", Direction.PULL),)))
    person, provider = made.people[0], made.providers[0]
    before = next(iter(provider.records.values())).values["city"]
    city = made.value(person.tag, "city")
    made.write(person, "city", city)
    run(made)
    answered(made, "pull_only", said)
    for _ in range(3):
        run(made, pause=OVERNIGHT)
    there = next(iter(provider.records.values())).values["city"]
    with made.state.read() as tx:
        asked = [(item.kind, item.decision) for item in journal.reviews(tx)]
    assert (there, asked) == ((city, []) if said == "take:source" else (before, [("pull_only", "")]))


@pytest.mark.parametrize("nature", [Nature(), SEARCH, LIST])
def test_a_customer_who_shall_be_created_and_whose_key_a_stranger_has(nature: Nature) -> None:
    """A listing shows a record that looks like the customer and carries its key. A person says that it is not this
    customer's; no second record with the key is created, and one question is open then: whose record it is."""
    made = World(Setting((Profile(nature, inbound=True),), 1))
    made.happened |= {"stranger", "found"}
    person, provider = made.people[0], made.providers[0]
    made.foreign(provider, "s1", person.number or str(person.key))
    run(made)
    with made.state.read() as tx:
        (item,) = journal.reviews(tx)
    decide(made.state, item, "create", made.clock.now())
    run(made)
    run(made, pause=OVERNIGHT)
    with made.state.read() as tx:
        assert [(each.kind, each.decision) for each in journal.reviews(tx)] == [("found", "")]
    assert len(provider.records) == 1

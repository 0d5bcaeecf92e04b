"""Histories of people who are erased at a provider while they are customers here."""

from __future__ import annotations

import pytest

from syncd.core.model import Direction, Policy, Value
from syncd.operate.review import decide
from syncd.store import review
from tests.model.hostile import Nature
from tests.model.test_sequences import LIST, POLICIES, SCAN, SEARCH, kinds, only, run, world
from tests.model.world import OVERNIGHT, Profile, World

FORMS = pytest.mark.parametrize(
    "form",
    [
        {"name": "Deleted", "first_name": "User", "email": "deleted-482@azotte.invalid", "city": None},
        {"name": "Quokka", "email": "somebody@nowhere.example"},
        {"email": "***"},
    ],
    ids=["all", "odd-words", "one-sign"],
)


def erase(made: World, form: dict[str, Value]) -> None:
    """The provider takes a person out of a record; what it does not touch stays."""
    record = only(made)[2]
    made.happened.add("erased")
    record.values |= {name: value for name, value in form.items() if name in record.values}


@pytest.mark.parametrize("nature", [Nature(), SEARCH, LIST], ids=["our-key", "findable", "scan"])
@POLICIES
@FORMS
def test_an_erased_person_is_never_pulled(nature: Nature, policy: Policy, form: dict[str, Value]) -> None:
    """Neither the source nor another provider takes the placeholders; one question is open, and stays the same one."""
    made = world(Profile(nature, policy=policy), Profile(SEARCH))
    row, other = made.row(made.people[0]), dict(only(made, 1)[2].values)
    erase(made, form)
    run(made, SCAN, pause=OVERNIGHT)
    assert kinds(made) == ["erased"]
    with made.state.read() as tx:
        (item,) = review.reviews(tx)
    for _ in range(2):
        run(made, SCAN, pause=OVERNIGHT)
    with made.state.read() as tx:
        assert review.reviews(tx) == [item]
    assert (made.row(made.people[0]), only(made, 1)[2].values) == (row, other)
    assert item.kind == "erased"
    assert not any(str(value) in item.reason for value in form.values() if value)


@pytest.mark.parametrize("decision", ["take:source", "take:provider", "ignore"])
def test_a_person_says_what_an_erasure_means(decision: str) -> None:
    """Each decision ends the question: the source's values go out, the provider's come in, or both stay."""
    made = world(Profile(SEARCH))
    person, _, record = only(made)
    before = made.row(person)
    erase(made, {"email": "***"})
    run(made, SCAN, pause=OVERNIGHT)
    with made.state.read() as tx:
        (item,) = review.reviews(tx)
    made.typed[person.tag, "email"].add("***")
    decide(made.state, item, decision, made.clock.now())
    for _ in range(2):
        run(made, SCAN, pause=OVERNIGHT)
    assert kinds(made) == []
    row = made.row(person)
    assert row is not None
    assert before is not None
    ends = {
        "take:source": (before["email"], before["email"]),
        "take:provider": ("***", "***"),
        "ignore": (before["email"], "***"),
    }
    assert (row["email"], record.values["email"]) == ends[decision]


def test_our_own_push_takes_no_sign_of_an_erasure_away() -> None:
    """Name and city change at once over there, where the city goes only to the provider: pushed over, it would leave
    the name alone as an ordinary edit, and the question would end without a person."""
    made = world(Profile(SEARCH, directions=(("city", Direction.PUSH),)), Profile(SEARCH))
    row, other = made.row(made.people[0]), dict(only(made, 1)[2].values)
    erase(made, {"name": "Quokka", "city": "Nowhere"})
    for _ in range(3):
        run(made, SCAN, pause=OVERNIGHT)
    assert kinds(made) == ["erased"]
    assert (made.row(made.people[0]), only(made, 1)[2].values) == (row, other)
    with made.state.read() as tx:
        (item,) = review.reviews(tx)
    for name, typed in (("name", "Quokka"), ("city", "Nowhere")):
        made.typed[made.people[0].tag, name].add(typed)
    decide(made.state, item, "take:provider", made.clock.now())
    for _ in range(3):
        run(made, SCAN, pause=OVERNIGHT)
    after = made.row(made.people[0])
    assert row is not None
    assert after is not None
    assert (after["name"], after["city"], only(made)[2].values["city"]) == ("Quokka", "Nowhere", "Nowhere")
    assert kinds(made) == []


def _denied_in_part() -> World:
    """Name and city changed at once; a person said that the source's values stand. Then the e-mail was changed over
    there, too, which nobody was asked about."""
    made = world(Profile(SEARCH))
    erase(made, {"name": "Quokka", "city": "Nowhere"})
    run(made, SCAN, pause=OVERNIGHT)
    with made.state.read() as tx:
        (item,) = review.reviews(tx)
    erase(made, {"email": "somebody@nowhere.example"})
    decide(made.state, item, "take:source", made.clock.now())
    return made


def _places(made: World) -> range:
    """The places of a run from its beginning to its end."""
    before = len(made.effects.trace)
    run(made, SCAN, pause=OVERNIGHT)
    return range(1, len(made.effects.trace) - before + 1)


@pytest.mark.long
def test_an_erasure_denied_in_part_is_asked_about_whatever_crashes() -> None:
    """The push of the denied fields takes the signs of the erasure away. A crash between this push and its record does
    not let the e-mail be pulled unasked."""
    for place in _places(_denied_in_part()):
        made = _denied_in_part()
        row = made.row(made.people[0])
        made.clock.advance(OVERNIGHT)
        made.run(SCAN, crash_at=place)
        for _ in range(3):
            run(made, SCAN, pause=OVERNIGHT)
        assert made.row(made.people[0]) == row, place
        assert kinds(made) in (["erased"], ["conflict"]), place

"""How much may happen in a window, what a write would take away, and when a field swings."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.guards import ACCEPTED, Limit, Move, accepted, blanked, flips, guts, same_person, trips, writers
from syncd.core.writes import renewed, returning
from tests.unit.pairs import agreed, digest, linked

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
DAY = 86_400.0


@pytest.mark.parametrize(
    ("limit", "spent", "total", "more", "tripped"),
    [
        (None, 10**6, 10, 1, False),
        (Limit(0.1, None, DAY), 99, 1000, 1, False),
        (Limit(0.1, None, DAY), 100, 1000, 1, True),
        (Limit(0.1, None, DAY), 98, 1000, 3, True),
        (Limit(0.1, None, DAY), 9, 3, 1, False),
        (Limit(0.1, None, DAY), 10, 3, 1, True),
        (Limit(0.0, None, DAY), 9, 10**6, 1, False),
        (Limit(0.0, None, DAY), 10, 10**6, 1, True),
        (Limit(0.1, None, DAY), 0, 0, 11, True),
        (Limit(None, 3, DAY), 2, 10**6, 1, False),
        (Limit(None, 3, DAY), 3, 10**6, 1, True),
        (Limit(None, 0, DAY), 0, 10**6, 1, True),
    ],
)
def test_a_limit_allows_exactly_its_share(
    limit: Limit | None, spent: int, total: int, more: int, tripped: bool
) -> None:
    """A share is of the total and never trips below ten; a count is exact, and zero allows nothing."""
    assert trips(limit, spent, total, more) is tripped


@given(st.integers(0, 50), st.integers(0, 500), st.floats(0, 1), st.integers(1, 20))
def test_a_guard_only_tightens(spent: int, total: int, share: float, more: int) -> None:
    """What trips stays tripped with more spent or more wanted, and a larger total never trips earlier."""
    limit = Limit(share, None, DAY)
    if trips(limit, spent, total, more):
        assert trips(limit, spent + 1, total, more)
        assert trips(limit, spent, total, more + 1)
    else:
        assert not trips(limit, spent, total + 100, more)
    if spent + more <= 10:
        assert not trips(limit, spent, total, more)


def test_a_slow_drip_is_counted_by_its_window() -> None:
    """One delete an hour trips a daily limit in the hour that passes it, and never again once the window moved on."""
    limit = Limit(None, 12, DAY)
    executed: list[datetime] = []
    tripped: list[int] = []
    for hour in range(60):
        now = NOW + timedelta(hours=hour)
        spent = sum(1 for at in executed if now - at < timedelta(seconds=limit.window))
        if trips(limit, spent, 1000):
            tripped.append(hour)
        else:
            executed.append(now)

    assert tripped == [*range(12, 24), *range(36, 48)]


def test_blanks_are_what_held_something() -> None:
    """Emptying an empty or unknown field takes nothing away."""
    before = {"name": "Muster", "email": None, "active": False}

    assert blanked(before, {"name": None, "email": None, "phone": None, "active": None}) == ("name", "active")
    assert blanked(before, {"name": "Neu", "active": True}) == ()


@pytest.mark.parametrize(
    ("lost", "gutted"),
    [
        (("name", "email"), False),
        (("name", "email", "phone"), True),
        (("email", "phone", "street"), True),
        (("name", "email", "fax", "city"), False),
        (("name", "email", "phone", "street"), True),
    ],
)
def test_three_vital_fields_are_too_many(lost: tuple[str, ...], gutted: bool) -> None:
    """Name, e-mail, phone and street: losing three of them at once is no edit of a person."""
    before = dict.fromkeys(("name", "email", "phone", "street", "fax", "city"), "x")

    assert guts(before, dict.fromkeys(lost)) is gutted


def _two(word: str) -> tuple[str, str]:
    direction, provider = word.split()
    return direction, provider


def moves(*steps: str, every: float = 1.0) -> tuple[list[Move], Move]:
    """Moves as words (`push a`, `pull b`), so many hours apart; the last one is about to happen."""
    made = [Move(*_two(word), NOW + timedelta(hours=every * number)) for number, word in enumerate(steps)]
    return made[:-1], made[-1]


@pytest.mark.parametrize(
    ("steps", "swings"),
    [
        (("push a",), False),
        (("push a", "pull a", "push a"), False),
        (("push a", "pull a", "push a", "pull a"), True),
        (("pull a", "push a", "pull a", "push a"), True),
        (("push a", "push a", "pull a", "pull a", "push a", "pull a"), True),
        # a flag toggled at one provider, and its fan-out to another
        (("pull a",) * 8, False),
        (("push a",) * 8, False),
        (("pull a", "push b") * 5, False),
        (("pull a", "push b") * 5 + ("pull a",), False),
        # two providers that contradict each other through the source
        (("pull a", "pull b", "pull a"), False),
        (("pull a", "pull b", "pull a", "pull b"), True),
        (("pull a", "push b", "pull b", "push a", "pull a", "push b", "pull b"), True),
        # others' quarrel is not this field's swing over here
        (("push a", "push b", "push a", "push b", "push a"), False),
    ],
)
def test_what_swings(steps: tuple[str, ...], swings: bool) -> None:
    """Three reversals of direction, or of the pulling provider; edits one way never count, however many (31)."""
    assert flips(*moves(*steps)) is swings


@pytest.mark.parametrize(
    ("steps", "who"),
    [
        (("pull b", "pull a", "pull b", "pull a"), ("a", "b")),
        (("pull b", "push a", "pull a", "push b", "pull b", "pull a"), ("a", "b")),
        (("push a", "pull a", "push a", "pull a"), ("a", "source")),
        (("pull b", "push a", "pull a", "push b", "push a", "push b", "pull a"), ("a", "source")),
        (("pull a", "pull b", "pull a"), ("a", "source")),
    ],
)
def test_who_swings_a_field(steps: tuple[str, ...], who: tuple[str, str]) -> None:
    """Two providers whose pulls alternate, else the coming one against the source; pushes name nobody."""
    assert writers(*moves(*steps)) == who


def test_yesterday_is_forgotten() -> None:
    """Reversals count within 24 hours."""
    swing = ("push a", "pull a", "push a", "pull a")

    assert flips(*moves(*swing, every=8.0))
    assert not flips(*moves(*swing, every=8.1))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"number": "1"}, {"number": "1"}, True),
        ({"email": "a@x.de", "number": "1"}, {"email": "a@x.de", "number": "2"}, True),
        ({"vat_number": "DE1"}, {"vat_number": "DE1"}, True),
        ({"email": "a@x.de", "name": "Eva"}, {"email": "a@x.de", "name": "Ute"}, False),
        ({"email": "a@x.de", "name": "Eva"}, {"email": "a@x.de", "name": "EVA"}, True),
        ({"number": "1", "name": "Eva", "email": "a@x.de"}, {"number": "1", "name": "Ute", "email": "b@x.de"}, False),
        ({"number": "1", "name": "Eva", "email": "a@x.de"}, {"number": "1", "name": "Eva", "email": "b@x.de"}, True),
        ({"vat_number": "DE1", "name": "Eva"}, {"vat_number": "DE1", "name": "Ute"}, True),
        ({"email": "a@x.de", "name": "Eva", "last_name": "Adam"}, {"email": "a@x.de", "last_name": "Adam"}, True),
        ({"email": "a@x.de", "name": "Eva"}, {"email": "a@x.de", "name": None}, True),
        ({"email": "a@x.de", "number": "1", "name": "Eva"}, {"email": "a@x.de", "number": "1", "name": "Ute"}, True),
        ({"name": "Muster", "phone": "1"}, {"name": "Muster", "phone": "1"}, False),
        ({"number": None}, {"number": None}, False),
        ({}, {}, False),
        ({"number": ""}, {"number": ""}, False),
    ],
)
def test_who_is_the_same_person(one: dict[str, str], other: dict[str, str], same: bool) -> None:
    """Number, e-mail or VAT number identify; a name or a phone does not."""
    assert same_person(one, other) is same


STEPS = [Move(direction, provider, NOW) for direction in ("push", "pull") for provider in ("a", "b")]


def test_no_history_of_six_moves_swings_without_three_reversals() -> None:
    """Every history of up to six moves of two providers. One way at each provider, or pulls of one provider with pushes
    to the other: never. A repeated move never swings. Pushes to others, its fan-out, change no verdict (21, 31)."""
    for length in range(1, 7):
        for trail in itertools.product(STEPS, repeat=length):
            *before, coming = trail
            swings = flips(before, coming)
            own = [move.direction for move in trail if move.provider == coming.provider]
            pulls = [move.provider for move in trail if move.direction == "pull"]
            assert not (swings and length < 4)
            assert not (swings and len(set(own)) == 1 and len(set(pulls)) <= 1)
            assert flips([*before, coming], coming) == swings, "the same once more is no reversal"
            other = Move("push", "c", NOW)
            assert flips([other, *before, other], coming) == swings
            if swings:
                assert len(writers(before, coming)) >= 2
                assert set(writers(before, coming)) <= {"a", "b", "source"}


def test_only_what_was_shown_is_accepted() -> None:
    """A create, and updates and pulls of fields that the report named; never a removal, a blank-out, another field."""
    assert accepted(ACCEPTED, "", "create", ())
    assert accepted(ACCEPTED, "city,phone", "update", ["phone"])
    assert accepted(ACCEPTED, "city,phone", "overwrite", ["city"])
    assert not accepted(ACCEPTED, "city,phone", "update", ["city", "email"])
    assert not accepted(ACCEPTED, "city,phone", "blank", ["city"])
    assert not accepted(ACCEPTED, "", "delete", ())
    assert not accepted("staged:update", "city", "update", ["city"])


@pytest.mark.parametrize(
    ("source", "there", "reason", "back"),
    [
        ("old", "wrong", "source-changed", True),
        ("other", "wrong", "source-changed", False),
        ("wrong", "OLD", "provider-changed", True),
        ("wrong", "old", "provider-changed", False),
        ("old", "edited", "conflict", False),
    ],
)
def test_what_comes_back_to_what_was_agreed_before_is_not_counted(
    source: str, there: str, reason: str, *, back: bool
) -> None:
    """Each side in its own spelling, and only where nobody else edited: the provider writes in capitals."""
    entry = agreed("wrong", "WRONG")._replace(earlier=(digest("email", "old"), digest("email", "OLD")))
    facts = linked({"email": source}, {"email": there}, {"email": entry})
    assert returning(facts, {"email": reason}) == ({"email"} if back else set())


def test_going_to_and_fro_counts_again() -> None:
    """Old, wrong, old: the repair is free, and the same wrong once more is not."""
    base, trail = agreed("old"), []
    for value in ("wrong", "old", "wrong"):
        facts = linked({"email": value}, {"email": value}, {"email": base})
        trail.append(bool(returning(facts, {"email": "source-changed"})))
        base = renewed(facts, {"email": value}, frozenset({"email"}), provisional=False)["email"]
    assert trail == [False, True, False]

"""The promise where it is easily broken: what is stored too early, counted from a wrong moment, judged one by one."""

from __future__ import annotations

import pytest

from syncd.core.model import Policy
from tests.model.test_sequences import SCAN, SETTLED, kinds, only, run, source, type_here, type_there, world
from tests.model.world import LEASE, Profile, World

TOGETHER = pytest.mark.parametrize("pushed", [False, True], ids=["pull", "pull-and-push"])


def pulling(*, pushed: bool = False, policy: Policy = Policy.SOURCE) -> tuple[World, str]:
    """A world in which a person typed at the provider, and where `pushed` another field in the source."""
    made = world(Profile(policy=policy))
    if pushed:
        type_here(made, "city")
    return made, type_there(made, "name")


def writing(*, pushed: bool) -> range:
    """The points of such a run from its first answer of the provider on, where something can be half done."""
    made, _ = pulling(pushed=pushed)
    before = len(made.effects.trace)
    run(made)
    trace = made.effects.trace[before:]
    return range(max(place for place, name in enumerate(trace) if name == "p0 GET, answered") + 2, len(trace) + 1)


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
        run(made, pause=SETTLED)
        run(made, pause=SETTLED)
        assert source(made, "name") == newer, place
        assert only(made)[2].values["name"] == newer or kinds(made) == ["conflict"], place

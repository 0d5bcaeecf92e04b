"""Several daemons on one state, and a daemon that dies with an edit typed before the next one begins."""

from __future__ import annotations

import pytest

from syncd.engine.loop import dismiss, poll, steady
from tests.model.history import History, live
from tests.model.hostile import Fault, Nature
from tests.model.named import EDIT, FINDABLE, RUN, SETTLED, THERE
from tests.model.product import release_lanes, run_cycle
from tests.model.test_sequences import calm, kinds, type_here, world
from tests.model.world import Profile, Setting, World

EFFECTS = range(1, 42, 5)  # a run that exchanges both ways has not more


def test_a_lost_lease_is_taken_anew() -> None:
    """Somebody took over and gave back: whoever had the lease before captures again at once, under a new one."""
    made = World(Setting(sole=False, customers=1))
    state = steady(made.site)
    poll(state, 5.0)
    successor = made.process(sole=True)
    made.guarded(lambda: run_cycle(successor))
    release_lanes(successor, successor.routes)
    type_here(made, "name")
    poll(state, 5.0)
    poll(state, 5.0)
    dismiss(state)
    assert made.sql("SELECT count(*) FROM syncd_change_log")[0][0] == 0


@pytest.mark.parametrize("nature", [Nature(replaces=True), FINDABLE], ids=["replaces", "findable"])
@pytest.mark.parametrize(
    "wait", [pytest.param(0.0, marks=pytest.mark.long, id="at once"), pytest.param(71.0, id="settled")]
)
def test_killed_edited_restarted(nature: Nature, wait: float) -> None:
    """Killed at any effect of an exchange both ways, edited at the provider, started again: nothing is lost, nothing
    older wins."""
    setting = Setting((Profile(nature),), customers=1)
    for point in EFFECTS:
        killed = ("run", point, (), True, (0, 1, 2))
        steps = (RUN, SETTLED, THERE, EDIT, killed, THERE, ("wait", wait), RUN)
        assert live(History(setting, steps)) == [], f"killed at point {point}"


@pytest.mark.parametrize("stalls", [0.0, 0.05])
def test_daemons_beside_each_other(stalls: float) -> None:
    """Three daemons that hand lanes over at any effect, and sleep through their leases, keep every promise."""
    setting = Setting((Profile(FINDABLE), Profile()), customers=2, sole=False)
    for seed in range(3):
        beside = ("daemons", 3, seed, stalls, True, 0, ((20 + seed, EDIT), (30 + seed, THERE)))
        assert live(History(setting, (("insert",), beside, EDIT, beside))) == [], f"seed {seed}"


def test_one_answer_is_no_proof() -> None:
    """A record that is not found once is neither gone nor a question."""
    made = world(Profile(FINDABLE))
    type_here(made, "name")
    made.providers[0].faults.append(Fault("absent", "read"))
    made.run()
    assert kinds(made) == []
    calm(made)

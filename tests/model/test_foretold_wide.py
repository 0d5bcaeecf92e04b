"""Over the wide world's histories: what `syncd plan` lists is what the next run does, where nothing comes between."""

from __future__ import annotations

import pytest

from syncd.engine.run import Options
from syncd.errors import SyncdError
from tests.model.history import Step, make, take
from tests.model.test_foretold import Deeds, last_event, noted, planned, unnumbered
from tests.model.world import World

AT_ONCE = 20.0  # seconds: a plan or a run that takes longer sees another world than the other one
SEEDS = [pytest.param(seed, marks=[pytest.mark.long] * (seed >= 8)) for seed in range(60)]


def _compared(made: World, *, scan: bool) -> tuple[Deeds, Deeds] | None:
    """The writes that a plan lists and those of the run after it. None where they cannot be compared: a provider
    failed, asked for time or refused a write, another process holds a lane, or a clock was set."""
    options, before, start = Options(scan=scan), last_event(made), made.clock.now()
    quiet = _undisturbed(made)
    try:
        expected = planned(made, options)
    except SyncdError:
        quiet = False
    quiet = quiet and (made.clock.now() - start).total_seconds() < AT_ONCE
    begun = made.clock.now()
    made.run(options)
    made.discover()
    quiet = quiet and (made.clock.now() - begun).total_seconds() < AT_ONCE and not _refused(made, before)
    return (expected, noted(made, before)) if quiet and not _inserts(expected) else None


def _undisturbed(made: World) -> bool:
    with made.state.read() as tx:
        leases = tx.exec_driver_sql("SELECT holder, until FROM lease").all()
    told = made.site.lease_clock()
    now = made.clock.now().timestamp() if told is None else told
    alone = all(holder == made.site.holder or until < now for holder, until in leases)
    steady = abs((made.site.clock.now() - made.clock.now()).total_seconds()) < 1.0
    return alone and steady and not any(each.faults for each in made.providers)


def _refused(made: World, since: int) -> bool:
    with made.state.read() as tx:
        query = "SELECT count(*) FROM event WHERE id > ? AND event = 'pair.rejected'"
        return bool(tx.exec_driver_sql(query, (since,)).scalar_one())


def _inserts(deeds: Deeds) -> bool:
    """Whether rows would be inserted: only the source chooses their keys."""
    return any(verb == "insert" for _, _, verb in deeds)


def _is_quiet_run(step: Step) -> bool:
    return step[0] == "run" and step[1:3] == (0, ())


@pytest.mark.parametrize("seed", SEEDS)
def test_runs_of_the_wide_world_are_foretold(seed: int) -> None:
    """Edits, merges, keys that change hands, lost answers, crashes, filters, decisions: before every run that nothing
    disturbs, the plan names each write and each field of it."""
    history = make(seed, wide=True)
    made = World(history.setting)
    for step in history.steps:
        if not _is_quiet_run(step):
            take(made, step)
            continue
        made.order = list(step[4])
        both = _compared(made, scan=step[3])
        if both is not None:
            assert unnumbered(both[1]) == unnumbered(both[0])

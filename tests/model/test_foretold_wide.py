"""Over the wide world's histories: what `syncd plan` lists is what the next run does, where nothing comes between."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from syncd.engine.run import Options
from syncd.errors import SyncdError
from syncd.operate.dry_run import plan
from syncd.operate.reading import chosen
from tests.model.history import make, take
from tests.model.test_foretold import Deeds, deeds, last_event, noted, unnumbered
from tests.model.world import LOOK, World

WAITS = ("absent", "back", "empty", "retry", "unread")
AT_ONCE = 20.0  # seconds: a plan or a run that takes longer sees another world than the other one
SEEDS = [pytest.param(seed, marks=[pytest.mark.long] * (seed >= 12)) for seed in range(48)]


class Foretold(World):
    """The world, with a plan before each run. `compared` holds the writes of the plan and those of the run, where they
    can be compared: no provider failed or refused a write, no other process held a lane, nothing came due while they
    looked, and no clock was set."""

    compared: list[tuple[Deeds, Deeds]]

    def run(self, options: Options = LOOK, *, crash_at: int = 0, planned: Mapping[int, Any] | None = None) -> bool:
        """One cycle, as `World.run`."""
        if crash_at or planned or not _undisturbed(self):
            return super().run(options, crash_at=crash_at, planned=planned)
        before, start = last_event(self), self.clock.now()
        expected = _foretold(self, options)
        moments, begun = _moments(self), self.clock.now()
        ended = super().run(options)
        at_once = max(begun - start, self.clock.now() - begun).total_seconds() < AT_ONCE + options.wait
        between = any(start < moment <= self.clock.now() for moment in moments)
        if expected is not None and at_once and not between and not _refused(self, before):
            self.compared.append((unnumbered(expected), unnumbered(noted(self, before))))
        return ended


def _foretold(made: World, options: Options) -> Deeds | None:
    """The plan's writes. None where a provider cannot be read, where a pair waits for a second look that the run would
    wait for, or where rows would be inserted: only the source chooses their keys."""
    try:
        found = plan(made.site, chosen(made.site, ()), scan=options.scan, wait=options.wait)
    except SyncdError:
        return None
    waits = options.wait and any(item.kind in WAITS for item in found.waiting)
    inserts = any(operation.verb == "insert" for operation in found.operations)
    return None if found.troubles or waits or inserts else deeds(found)


def _moments(made: World) -> list[datetime]:
    """When pairs come due, and when writes have settled."""
    with made.state.read() as tx:
        rows = tx.exec_driver_sql("SELECT due_at FROM work UNION ALL SELECT settle_until FROM intent").scalars()
        return [datetime.fromisoformat(moment).replace(tzinfo=UTC) for moment in rows]


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


@pytest.mark.parametrize("seed", SEEDS)
def test_runs_of_the_wide_world_are_foretold(seed: int) -> None:
    """Edits, merges, keys that change hands, lost answers, crashes, filters, decisions: before every run that nothing
    disturbs, the plan names each write and each field of it."""
    history = make(seed, wide=True)
    made = Foretold(history.setting)
    made.compared = []
    for step in (*history.steps, ("rest",)):
        take(made, step)
    assert [did for _, did in made.compared] == [expected for expected, _ in made.compared]

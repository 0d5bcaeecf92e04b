"""Machines that share a state go by its server's clock, whatever their own say."""

from __future__ import annotations

from datetime import timedelta

import pytest

from syncd import clock as clocks
from syncd.cli.doctor_state import _state_clock
from syncd.clock import SystemClock
from syncd.core.guards import Guards
from syncd.errors import SourceUnreachable
from syncd.operate.status import survey
from syncd.store.database import State
from syncd.store.server_clock import AGAIN, ServerClock, clock_of
from tests.clock import VirtualClock


@pytest.mark.parametrize("off", [60.0, -3600.0])
def test_every_machine_goes_by_the_servers_clock(state: State, off: float) -> None:
    """A machine that is a minute ahead, or an hour behind, or set meanwhile, stores the same times as all others."""
    true = SystemClock().now()
    machine = VirtualClock(true + timedelta(seconds=off))
    clock = clock_of(state, machine)
    if state.writer.dialect.name == "sqlite":
        assert clock is machine
        return
    assert isinstance(clock, ServerClock)
    assert abs((clock.now() - true).total_seconds()) < 30
    assert abs(clock.ahead() - off) < 30
    before = clock.now()
    machine.step_wall(300)
    assert clock.now() == before
    machine.advance(AGAIN - 1)
    assert clock.now() - before == timedelta(seconds=AGAIN - 1)


@pytest.mark.parametrize("off", [60.0, -60.0])
def test_status_and_doctor_name_a_clock_that_is_off(state: State, off: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine a minute beside the server's clock: both say so; one that is right, or alone with its file, hears
    nothing. The status is of the server's time."""

    def told(seconds: float) -> list[str]:
        machine = VirtualClock(SystemClock().now() + timedelta(seconds=seconds))
        report = survey(state, SourceUnreachable("away"), (), Guards(), clock_of(state, machine))
        assert not server or abs((report.at - SystemClock().now()).total_seconds()) < 30
        return [problem.reason for problem in report.problems if problem.kind == "clock_off"]

    server = state.writer.dialect.name == "postgresql"
    word = "ahead of" if off > 0 else "behind"
    assert [word in reason for reason in told(off)] == ([True] if server else [])
    assert told(0.0) == []
    machine = VirtualClock(SystemClock().now() + timedelta(seconds=off))
    monkeypatch.setattr(clocks, "SystemClock", lambda: machine)
    checks = list(_state_clock(state))
    assert [check.name for check in checks] == (["clock"] if server else [])
    assert all("NTP" in check.remedy for check in checks)

"""Machines that share a state go by its server's clock, whatever their own say."""

from __future__ import annotations

from datetime import timedelta

import pytest

from syncd.clock import SystemClock
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

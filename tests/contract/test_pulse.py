"""Signs of life, on every database that may hold the state."""

from __future__ import annotations

from syncd.store.database import State
from syncd.store.pulse import FORGOTTEN, Pulse, beat, delete_dead, end, pulses

ONE = Pulse("host1:17:aa", "host1", 17, 5.0)
TWO = Pulse("host2:18:bb", "host2", 18, 5.0)


def test_a_pulse_tells_since_when_and_how_long_ago(state: State) -> None:
    """The first beat says since when, every one says that somebody lives; the youngest stands first."""
    with state.begin() as tx:
        beat(tx, ONE, 1000.0)
        beat(tx, TWO, 1010.0)
        beat(tx, ONE._replace(trouble="source.unreachable", reason="no answer"), 1030.0)
        found = pulses(tx, 1042.5)
    assert found == [
        ONE._replace(trouble="source.unreachable", reason="no answer", since=1000.0, seen=1030.0, age=12.5),
        TWO._replace(since=1010.0, seen=1010.0, age=32.5),
    ]


def test_time_is_the_databases_own(state: State) -> None:
    """Without another clock the age of a fresh beat is next to nothing, whatever this machine thinks."""
    with state.begin() as tx:
        beat(tx, ONE)
    with state.read() as tx:
        (found,) = pulses(tx)
    assert 0.0 <= found.age < 5.0
    assert found.since == found.seen


def test_who_ends_in_order_is_gone_and_the_dead_are_buried(state: State) -> None:
    """A row that grows old is a daemon that died or hangs; the next one takes it away when it can be sure."""
    with state.begin() as tx:
        beat(tx, ONE, 1000.0)
        end(tx, ONE.holder)
        assert pulses(tx, 1000.0) == []
        beat(tx, ONE, 1000.0)
        delete_dead(tx, TWO.holder, 1000.0 + FORGOTTEN)
        assert [pulse.holder for pulse in pulses(tx, 1000.0)] == [ONE.holder]
        delete_dead(tx, TWO.holder, 1001.0 + FORGOTTEN)
        assert pulses(tx, 1000.0) == []
        beat(tx, ONE, 1000.0)
        beat(tx, TWO, 1000.0)
        delete_dead(tx, TWO.holder, 1000.0, sole=True)
        assert [pulse.holder for pulse in pulses(tx, 1000.0)] == [TWO.holder]

"""One lane per provider: its pace, its breaker, its threads. One provider's trouble stays in its lane.

A `Lane` is the gate that every request of its provider passes (`admit`, `observe`). `drain` takes due pairs until none
is left. A `Crew` is the lanes that work beside each other. Pairs are worked off in no other threads.
"""

from syncd.lanes.breaker import Breaker
from syncd.lanes.crew import Crew, Report, drain, together
from syncd.lanes.gate import Lane, LanePaused, Outdated
from syncd.lanes.pace import Pace
from syncd.lanes.processor import Cpu
from syncd.lanes.trace import Reading

__all__ = ["Breaker", "Cpu", "Crew", "Lane", "LanePaused", "Outdated", "Pace", "Reading", "Report", "drain", "together"]

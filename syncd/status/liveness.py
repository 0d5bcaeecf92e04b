"""Whether a daemon lives: what its last sign of life means. Pure; ages are told by the state database's clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

POLLS, LEAST = 3, 30.0  # a daemon is silent after so many of its polls, but not before so many seconds


class Daemon(NamedTuple):
    """A daemon that has not ended in order: who and where it is, since when, and its last sign of life.

    `age` is in seconds. `state` is working, failing (it says why it cannot work) or silent.
    """

    host: str
    pid: int
    since: datetime | None
    pulse: datetime | None
    age: float
    state: str = "working"
    reason: str = ""


def state_of(age: float, poll: float, trouble: str) -> str:
    """The word for a daemon whose last sign of life is `age` seconds old; `poll` is its own period."""
    if age > max(POLLS * poll, LEAST):
        return "silent"
    return "failing" if trouble else "working"


def alive(daemons: Sequence[Daemon]) -> bool:
    """Whether work goes on: one living daemon is enough."""
    return any(daemon.state != "silent" for daemon in daemons)

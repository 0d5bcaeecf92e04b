"""Whether a daemon lives, judged by the age of its last sign of life. Pure; callers measure ages by the state
database's clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

POLLS, LEAST = 3, 30.0  # polls without a sign of life that make a daemon silent, and the seconds that it has at least


class Daemon(NamedTuple):
    """A daemon that has not ended in order: machine and process, its start, and its last sign of life (`pulse`), with
    the `age` of that in seconds. `state` is working, failing (`reason` says why) or silent."""

    host: str
    pid: int
    since: datetime | None
    pulse: datetime | None
    age: float
    state: str = "working"
    reason: str = ""


def state_of(age: float, poll: float, trouble: str) -> str:
    """The state of a daemon whose last sign of life is `age` seconds old; `poll` is its own period in seconds."""
    if age > max(POLLS * poll, LEAST):
        return "silent"
    return "failing" if trouble else "working"


def alive(daemons: Sequence[Daemon]) -> bool:
    """Whether any daemon lives, failing or not."""
    return any(daemon.state != "silent" for daemon in daemons)

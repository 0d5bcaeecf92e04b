"""The stop switch of a lane, as a value that survives restarts."""

from __future__ import annotations

import json
from datetime import datetime
from typing import NamedTuple


class Breaker(NamedTuple):
    """The stop switch as a value that survives restarts. `until` is wall time; `opened` counts openings in a row."""

    state: str = "ok"  # ok | down | blocked | throttled
    reason: str = ""
    since: str = ""
    until: str = ""
    failures: int = 0
    opened: int = 0
    credentials: str = ""

    @classmethod
    def of(cls, text: str) -> Breaker:
        """What `Lane.dump` wrote; a closed one when nothing was written yet."""
        return cls(**json.loads(text)) if text else cls()

    def set_back(self, now: datetime) -> bool:
        """The wall clock was set to before the pause began: nobody knows how much of it is over."""
        return bool(self.since) and now < datetime.fromisoformat(self.since)

    def paused_until(self, now: datetime) -> datetime | None:
        """The end of a pause that is not over."""
        if self.state == "ok" or not self.until or self.set_back(now):
            return None
        until = datetime.fromisoformat(self.until)
        return until if until > now else None

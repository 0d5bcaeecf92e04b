"""The breaker of a lane as a value: it stops all requests of a provider in trouble, and survives restarts."""

from __future__ import annotations

import json
from datetime import datetime
from typing import NamedTuple


class Breaker(NamedTuple):
    """`since` and `until` are wall time (ISO 8601). `failures` counts failed requests in a row, `opened` how often the
    breaker opened in a row. `credentials` is a fingerprint of those in use."""

    state: str = "ok"  # ok | down | blocked | throttled
    reason: str = ""
    since: str = ""
    until: str = ""
    failures: int = 0
    opened: int = 0
    credentials: str = ""

    @classmethod
    def of(cls, text: str) -> Breaker:
        """The breaker from the text that `Lane.dump` wrote; a closed breaker from an empty text."""
        return cls(**json.loads(text)) if text else cls()

    def set_back(self, now: datetime) -> bool:
        """Whether the wall clock was set to a moment before the pause began, so that the rest of the pause is
        unknown."""
        return bool(self.since) and now < datetime.fromisoformat(self.since)

    def paused_until(self, now: datetime) -> datetime | None:
        """When the pause ends; None where no pause is under way."""
        if self.state == "ok" or not self.until or self.set_back(now):
            return None
        until = datetime.fromisoformat(self.until)
        return until if until > now else None

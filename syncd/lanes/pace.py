"""How fast requests may leave, and how many may be repeats: learned from a provider's answers, kept over restarts."""

from __future__ import annotations

import bisect
import math
import threading
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

MARGIN = 0.93  # the share of a limit that is used: at 100 % sliding windows hold one request too many
LONGEST_INTERVAL = 3600.0  # seconds of a quota; a longer interval in the provider's headers is not believed
BUDGET_CAP, BUDGET_GAIN, BUDGET_TRICKLE = 10.0, 0.1, 0.1  # retries: one per ten successes, one per ten seconds


class Pace:
    """GCRA without burst: requests of one endpoint leave at least `1/rate` seconds apart.

    `rate` is per second, None for no limit of ours; what the provider's own headers say only makes it slower. Where a
    provider counts per endpoint and in sum, all departures are at least `1/in_sum` seconds apart as well.
    """

    def __init__(self, rate: float | None, *, per_endpoint: bool = False, in_sum: float | None = None) -> None:
        self._interval = 1.0 / (rate * MARGIN) if rate else 0.0
        self._apart = 1.0 / (in_sum * MARGIN) if in_sum and rate else 0.0
        self._leaving: list[float] = []  # moments of departure, sorted, without past ones
        self._per_endpoint = per_endpoint
        self._next: dict[str, float] = {}
        self._spread: dict[str, tuple[float, float]] = {}  # endpoint -> (interval, valid until)
        self._slow = 1.0
        self._lock = threading.Lock()

    def reserve(self, endpoint: str, now: float) -> float:
        """Take the next slot. Answers the seconds to wait for it. All times are monotonic."""
        name = endpoint if self._per_endpoint else ""
        with self._lock:
            spread, until = self._spread.get(endpoint, (0.0, 0.0))
            interval = max(self._interval * self._slow, spread if now < until else 0.0)
            start = self._between(max(now, self._next.get(name, 0.0)), now)
            self._next[name] = start + interval
            if self._apart:
                bisect.insort(self._leaving, start)
            return start - now

    def interval(self, now: float) -> float:
        """Seconds between two requests at the present rate; the slowest endpoint's where each has its own."""
        with self._lock:
            spread = max((each for each, until in self._spread.values() if now < until), default=0.0)
            return max(self._interval * self._slow, spread)

    def ahead(self, endpoint: str, now: float) -> float:
        """The seconds that `reserve` would answer; nothing is taken."""
        with self._lock:
            return self._between(max(self._next.get(endpoint if self._per_endpoint else "", 0.0), now), now) - now

    def _between(self, start: float, now: float) -> float:
        """The first moment from `start` on that lies far enough from all other departures."""
        self._leaving = [moment for moment in self._leaving if moment + self._apart > now]
        for moment in self._leaving:
            if abs(moment - start) < self._apart:
                start = moment + self._apart
        return start

    def learn(self, endpoint: str, headers: Mapping[str, str], now: float, wall: datetime) -> None:
        """Spread the requests left in a quota (`X-RateLimit-*`), one kept in reserve, over the quota's interval.

        JTL sends the length of the interval, Azotte the moment of the reset. With none left, the next request waits.
        """
        remaining, limit = _number(headers.get("x-ratelimit-remaining")), _number(headers.get("x-ratelimit-limit"))
        if remaining is None or not limit:
            return
        length = _number(headers.get("x-ratelimit-interval-length-seconds")) or _until_reset(headers, wall)
        length = min(length, LONGEST_INTERVAL)
        name = endpoint if self._per_endpoint else ""
        with self._lock:
            scarce = remaining < limit / 2
            self._spread[endpoint] = (length / max(remaining - 1.0, 1.0) / MARGIN if scarce else 0.0, now + length)
            if remaining < 1:
                self._next[name] = max(self._next.get(name, 0.0), now + length)

    def judge(self, status: int, *, paused: bool) -> None:
        """Slow down or speed up by an answer. An answer to a request that left before the lane was `paused` says
        nothing new."""
        if status == 429:
            if not paused:
                self.slower()
        elif status < 500:
            self.faster()

    def slower(self) -> None:
        """Halve the rate, after a 429."""
        with self._lock:
            self._slow = min(self._slow * 2.0, 64.0)

    def faster(self) -> None:
        """Raise the rate by 2 %, after a clean answer, until it is the full rate again."""
        with self._lock:
            self._slow = max(self._slow * 0.98, 1.0)

    def kept(self, now: float) -> dict[str, Any]:
        """The learned pace for the next process. Moments are seconds from now: a monotonic clock ends with its
        process."""
        with self._lock:
            spread = {name: [each, until - now] for name, (each, until) in self._spread.items() if each and until > now}
            return {"slow": self._slow, "next": _ahead(self._next, now), "spread": spread}

    def resume(self, kept: Mapping[str, Any], now: float, ago: float) -> None:
        """Go on with the pace that was kept `ago` seconds ago. It may make this process slower, never faster."""
        with self._lock:
            self._slow = max(self._slow, float(kept.get("slow", 1.0)))
            for name, wait in kept.get("next", {}).items():
                self._next[name] = max(self._next.get(name, 0.0), now + wait - ago)
            for name, (each, left) in kept.get("spread", {}).items():
                if left > ago:
                    self._spread.setdefault(name, (each, now + left - ago))


def _ahead(moments: Mapping[str, float], now: float) -> dict[str, float]:
    return {name: moment - now for name, moment in moments.items() if moment > now}


def _number(raw: str | None) -> float | None:
    try:
        number = float(raw or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _until_reset(headers: Mapping[str, str], wall: datetime) -> float:
    """Seconds until the quota's reset, by the provider's clock (its `Date` header, else `wall`); a minute where the
    headers name no reset."""
    reset = _number(headers.get("x-ratelimit-reset"))
    if reset is None:
        return 60.0
    try:
        said = parsedate_to_datetime(headers["date"])
    except (KeyError, ValueError):
        said = wall
    return max(reset - said.timestamp(), 1.0)


class Repeats:
    """The budget for repeated requests: ten at once, then one more for every ten successes and every ten seconds. Times
    are monotonic."""

    def __init__(self, now: float) -> None:
        self._left, self._at = BUDGET_CAP, now

    def left(self, now: float) -> float:
        """The budget now, with the repeats that time has added since the last call."""
        self._left = min(BUDGET_CAP, self._left + (now - self._at) * BUDGET_TRICKLE)
        self._at = now
        return self._left

    def earn(self) -> None:
        """A success adds a tenth of a repeat."""
        self._left = min(BUDGET_CAP, self._left + BUDGET_GAIN)

    def spend(self, now: float) -> bool:
        """Spend one repeat; False where none is left."""
        if self.left(now) < 1.0:
            return False
        self._left -= 1.0
        return True

    def resume(self, kept: float, now: float, ago: float) -> None:
        """Go on with the budget that was kept `ago` seconds ago, or with this process's own where that is smaller."""
        self._left = min(self.left(now), kept + ago * BUDGET_TRICKLE)

"""What a day looked like at one provider: a bar an hour, and how long customers waited."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from syncd.status.fold import GROWTH, Folded, Hour

BARS = 24


@dataclass(frozen=True, slots=True)
class Bar:
    """One hour: how many ended well, are tried again, or need a person; heights in parts of 100."""

    label: str
    done: int
    retried: int
    failed: int
    heights: tuple[float, float, float] = (0.0, 0.0, 0.0)


def window(folded: Folded, now: datetime) -> list[Hour | None]:
    """The last 24 hours, the one that goes on included; None for an hour without events."""
    last = int(now.timestamp()) // 3600
    return [folded.hours.get(number) for number in range(last - BARS + 1, last + 1)]


def waits(name: str, hour: Hour) -> Counter[int]:
    """One provider's waiting times of an hour, by step of the scale."""
    return Counter({step: number for (who, step), number in hour.waits.items() if who == name})


def quantile(steps: Counter[int], share: float) -> float | None:
    """Seconds that this share of the waiting times did not pass, as far as the scale's steps of a fifth tell."""
    left = share * steps.total()
    for step in sorted(steps):
        left -= steps[step]
        if left <= 0:
            return math.exp(step * GROWTH)
    return None


def bars_of(name: str, hours: Sequence[Hour | None], now: datetime) -> tuple[Bar, ...]:
    """One provider's bars, the highest of them 100."""
    first = int(now.timestamp()) // 3600 - BARS + 1
    bars = []
    for place, hour in enumerate(hours):
        label = datetime.fromtimestamp((first + place) * 3600, UTC).strftime("%H:%M")
        done, retried, failed = ((hour.done[name, word] if hour else 0) for word in ("done", "retried", "failed"))
        bars.append(Bar(label, done, retried, failed))
    most = max((bar.done + bar.retried + bar.failed for bar in bars), default=0)
    return tuple(replace(bar, heights=_heights(bar, most)) for bar in bars)


def _heights(bar: Bar, most: int) -> tuple[float, float, float]:
    """Shares of 100; what happened at all can be seen."""
    parts = [100 * number / most if most else 0.0 for number in (bar.done, bar.retried, bar.failed)]
    seen = [max(part, 6.0) if part else 0.0 for part in parts]
    scale = 100 / max(sum(seen), 100.0)
    done, retried, failed = (round(part * scale, 1) for part in seen)
    return done, retried, failed


def summary(name: str, bars: Sequence[Bar]) -> str:
    """The graph in a sentence, for those who cannot see it."""
    done, retried, failed = (sum(getattr(bar, word) for bar in bars) for word in ("done", "retried", "failed"))
    if not done + retried + failed:
        return f"{name}: nothing happened in the last 24 hours"
    busiest = max(bars, key=lambda bar: bar.done + bar.retried + bar.failed)
    words = f"{done:,} done, {retried:,} tried again, {failed:,} need a person"
    return f"{name}, last 24 hours: {words}; most at {busiest.label} UTC"

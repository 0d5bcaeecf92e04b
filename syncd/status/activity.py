"""One provider's day for the status page: a bar an hour, outages, and how many customers waited for how long."""

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
    """One hour: how many pairs ended well, are tried again, or need a person; heights in parts of 100. `out` is the
    share of the hour in which the provider did not work, `mute`: no line was logged, `backlog` the most pairs that
    waited, `delay` the 95 % quantile of the waiting times in seconds."""

    label: str
    done: int
    retried: int
    failed: int
    out: float = 0.0
    mute: bool = False
    backlog: int = 0
    delay: float | None = None
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
    """One provider's bars, the highest of them 100. A missing hour between others is one in which no daemon was at
    work; before the first one the log did not begin."""
    first = int(now.timestamp()) // 3600 - BARS + 1
    known = [place for place, hour in enumerate(hours) if hour is not None]
    bars = []
    for place, hour in enumerate(hours):
        label = datetime.fromtimestamp((first + place) * 3600, UTC).astimezone().strftime("%H:%M")
        if hour is None:
            mute = bool(known) and known[0] < place < len(hours) - 1
            bars.append(Bar(label, 0, 0, 0, mute=mute))
            continue
        done, retried, failed = (hour.done[name, word] for word in ("done", "retried", "failed"))
        out = max(hour.out[name], hour.out[""]) / hour.snapshots if hour.snapshots else 0.0
        delay = quantile(waits(name, hour), 0.95)
        bars.append(Bar(label, done, retried, failed, out, backlog=hour.backlog[name], delay=delay))
    most = max((bar.done + bar.retried + bar.failed for bar in bars), default=0)
    return tuple(replace(bar, heights=_heights(bar, most)) for bar in bars)


def curve(values: Sequence[float], height: float, least: float) -> str:
    """The points of a line through one value an hour; as high as the graph is the highest of them, but `least` at
    least. "" for nothing at all."""
    most = max(values, default=0.0)
    if not most:
        return ""
    most = max(most, least)
    return " ".join(f"{place * 10 + 4},{height - height * value / most:.1f}" for place, value in enumerate(values))


def _heights(bar: Bar, most: int) -> tuple[float, float, float]:
    """Shares of 100; what happened at all can be seen."""
    parts = [100 * number / most if most else 0.0 for number in (bar.done, bar.retried, bar.failed)]
    seen = [max(part, 6.0) if part else 0.0 for part in parts]
    scale = 100 / max(sum(seen), 100.0)
    done, retried, failed = (round(part * scale, 1) for part in seen)
    return done, retried, failed


def summary(name: str, bars: Sequence[Bar]) -> str:
    """The graph in a sentence, for readers who cannot see it."""
    done, retried, failed = (sum(getattr(bar, word) for bar in bars) for word in ("done", "retried", "failed"))
    words = [f"{done:,} done, {retried:,} tried again, {failed:,} need a person"]
    if not done + retried + failed:
        words = ["nothing happened in the last 24 hours"]
    else:
        words.append(f"most at {max(bars, key=lambda bar: bar.done + bar.retried + bar.failed).label}")
    out = [bar.label for bar in bars if bar.out]
    if out:
        words.append(f"out of order in {len(out)} hours, from {out[0]} to {out[-1]}")
    if mute := sum(bar.mute for bar in bars):
        words.append(f"nobody at work in {mute} hours")
    return f"{name}, last 24 hours: {'; '.join(words)}"


def backlog_summary(name: str, bars: Sequence[Bar]) -> str:
    """The line below it in a sentence."""
    worst = max(bars, key=lambda bar: bar.backlog)
    slow = max(bars, key=lambda bar: bar.delay or 0.0)
    told = f"{name}: most waiting {worst.backlog:,} at {worst.label}" if worst.backlog else f"{name}: nobody waited"
    return told + (f"; slowest {slow.delay:.0f} s at {slow.label}" if slow.delay else "")

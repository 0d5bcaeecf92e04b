"""The status page's graph of one provider over 24 hours: a bar for each hour with its outages, and lines for the number
of waiting pairs and for their waiting times."""

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
    """One hour at one provider: how many looks ended well (`done`), are tried again, or need a person (`failed`), with
    the heights of these three in parts of 100. `out` is the share of the hour's snapshots in which the provider did not
    work; `mute`: syncd logged nothing; `backlog` is the largest number of waiting pairs, `delay` the 95 % quantile of
    the waiting times in seconds."""

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
    """The last 24 hours, the present one included; None for an hour without events."""
    last = int(now.timestamp()) // 3600
    return [folded.hours.get(number) for number in range(last - BARS + 1, last + 1)]


def waits(name: str, hour: Hour) -> Counter[int]:
    """How many of one provider's pairs waited how long in this hour, by step of the scale of `fold.GROWTH`."""
    return Counter({step: number for (who, step), number in hour.waits.items() if who == name})


def quantile(steps: Counter[int], share: float) -> float | None:
    """The seconds within which this share (0 to 1) of the pairs was done; exact to a step of the scale, a fifth. None
    where no pair waited."""
    left = share * steps.total()
    for step in sorted(steps):
        left -= steps[step]
        if left <= 0:
            return math.exp(step * GROWTH)
    return None


def bars_of(name: str, hours: Sequence[Hour | None], now: datetime) -> tuple[Bar, ...]:
    """One provider's bars, the highest of them 100. An hour without events between others was one without a daemon at
    work; hours before the first event lie before the beginning of the log."""
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
    """The points of an SVG line through one value an hour. The top of the graph (`height`) stands for the highest
    value, or for `least` where all values are lower. "" where all values are 0."""
    most = max(values, default=0.0)
    if not most:
        return ""
    most = max(most, least)
    return " ".join(f"{place * 10 + 4},{height - height * value / most:.1f}" for place, value in enumerate(values))


def _heights(bar: Bar, most: int) -> tuple[float, float, float]:
    """The three heights of a bar. A part that is not 0 is high enough to be seen."""
    parts = [100 * number / most if most else 0.0 for number in (bar.done, bar.retried, bar.failed)]
    seen = [max(part, 6.0) if part else 0.0 for part in parts]
    scale = 100 / max(sum(seen), 100.0)
    done, retried, failed = (round(part * scale, 1) for part in seen)
    return done, retried, failed


def summary(name: str, bars: Sequence[Bar]) -> str:
    """The bars in a sentence, for readers who cannot see the graph."""
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
    """The lines of waiting pairs and waiting times in a sentence."""
    worst = max(bars, key=lambda bar: bar.backlog)
    slow = max(bars, key=lambda bar: bar.delay or 0.0)
    told = f"{name}: most waiting {worst.backlog:,} at {worst.label}" if worst.backlog else f"{name}: nobody waited"
    return told + (f"; slowest {slow.delay:.0f} s at {slow.label}" if slow.delay else "")

"""The events of a log, folded one by one into what a status page shows. Pure: no file, no clock.

A snapshot replaces everything that is known of the present; later events are laid on top. Of each kind the newest event
or the newest few are kept, so that the order of the lines does not matter, nor that a line comes twice or from another
program.
"""

from __future__ import annotations

import heapq
import json
import math
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from syncd.status.facts import Report
from syncd.status.lines import CUT, moment, rows, seconds, text, whole
from syncd.status.recorded import report_of

AHEAD = timedelta(minutes=5)  # how far the clocks of two machines may differ
HOURS = 25  # hours of activity that are kept; a page shows 24
REMEMBERED = 20_000  # lines of one hour that are recognised when they come twice
OPEN = 20_000  # pairs with events since the last snapshot that are kept; beyond, the older half is dropped
MOST = 200  # providers and problems of one snapshot that are read
KEPT = 40  # runs that are kept, and changes of state
GROWTH = math.log(1.2)  # waiting times are counted on a scale of which each step is a fifth longer than the one before

DONE = frozenset({"created", "adopted", "pushed", "pulled", "settled", "removed", "unlinked"})
TROUBLE: Mapping[str, str] = {
    "pair.retried": "retried",
    "pair.rejected": "failed",
    "pair.parked": "failed",
    "pair.dead_lettered": "failed",
    "conflict.opened": "failed",
    "field.frozen": "failed",
    "guard.tripped": "failed",
}
CHANGES = frozenset(
    {
        "daemon.started",
        "daemon.stopped",
        "daemon.recovered",
        "job.failed",
        "state.unreachable",
        "config.loaded",
        "config.rejected",
        "operator.acted",
        "capture.broken",
        "source.unreachable",
        "lane.paused",
        "lane.resumed",
        "provider.throttled",
        "alert.failed",
        "log.dropped",
    }
)
CAPTURE: Mapping[str, str] = {
    "source.unreachable": "unreachable",
    "state.unreachable": "state",
    "capture.broken": "triggers",
    "capture.acknowledged": "ok",
    "cycle.finished": "ok",
    "daemon.recovered": "ok",
}
OUT = frozenset({"down", "blocked", "frozen", "paused"})
NOBODY = frozenset(
    {"daemon_silent", "state", "capture_unreachable", "capture_triggers", "capture_settings", "capture_restored"}
)
LANES: Mapping[str, str] = {"lane.paused": "down", "lane.resumed": "ok", "provider.throttled": "throttled"}


@dataclass(frozen=True, order=True, slots=True)
class Latest:
    """An event, ordered by its time. Of two events of the same moment the graver one is the later, so that the order of
    the lines does not matter."""

    at: datetime
    grave: int
    line: str
    event: Mapping[str, Any] = field(compare=False)


@dataclass(slots=True)
class Hour:
    """What the log tells of one hour. `done` counts by provider and done, retried or failed; `waits` by provider and
    step of the scale of waiting times; `out` the snapshots in which a provider did not work (under "": in which nothing
    worked at any), of all `snapshots`; `backlog` is the largest number of waiting pairs by provider; `seen` holds
    checksums of the lines that were counted."""

    done: Counter[tuple[str, str]] = field(default_factory=Counter)
    waits: Counter[tuple[str, int]] = field(default_factory=Counter)
    snapshots: int = 0
    out: Counter[str] = field(default_factory=Counter)
    backlog: Counter[str] = field(default_factory=Counter)
    seen: set[int] = field(default_factory=set)


@dataclass
class Folded:
    """What was folded so far. `foreign` counts the lines that are no events of syncd (`cut` those of them that
    journalctl left out), `ahead` the events with a time in the future. `newest` is the time of the newest event.
    `pairs`, `lanes` and `capture` hold the newest event since the snapshot: of each pair (by provider, key and guard),
    of each provider's lane, and of capture."""

    lines: int = 0
    foreign: int = 0
    ahead: int = 0
    cut: int = 0
    newest: datetime | None = None
    snapshot: Latest | None = None
    report: Report | None = None
    pairs: dict[tuple[str, str, str], Latest] = field(default_factory=dict)
    lanes: dict[str, Latest] = field(default_factory=dict)
    capture: Latest | None = None
    process: Latest | None = None
    runs: dict[str, Latest] = field(default_factory=dict)
    changes: dict[str, Latest] = field(default_factory=dict)
    hours: dict[int, Hour] = field(default_factory=dict)


def take(folded: Folded, event: Mapping[str, Any] | None, now: datetime) -> None:
    """Fold one event; None stands for a foreign line. An event with a time in the future is counted and left out: until
    that time came, nothing newer would replace it."""
    folded.lines += 1
    at = moment(event.get("timestamp")) if event is not None else None
    if event is None or at is None:
        folded.foreign += 1
        folded.cut += int(event is CUT)
        return
    if at > now + AHEAD:
        folded.ahead += 1
        return
    folded.newest = max(folded.newest or at, at)
    name = text(event.get("event"))
    if name == "status.snapshot":
        _standing(folded, at, event)
        _snapshot(folded, _latest(at, event))
        return
    noun, _, verb = name.partition(".")
    done = noun == "pair" and verb in DONE
    if done or name in TROUBLE or name == "conflict.resolved":
        _pair(folded, at, name, event, "done" if done else TROUBLE.get(name, ""))
    elif name in CHANGES or name in CAPTURE or noun == "daemon":
        _condition(folded, name, noun, _latest(at, event))


def _latest(at: datetime, event: Mapping[str, Any]) -> Latest:
    return Latest(at, 0, _spelled(event), event)


def _spelled(event: Mapping[str, Any]) -> str:
    """The event as JSON with sorted keys: two lines are the same line where these texts are equal."""
    return json.dumps(event, sort_keys=True, default=str)


def _snapshot(folded: Folded, found: Latest) -> None:
    if folded.snapshot is not None and folded.snapshot >= found:
        return
    folded.snapshot = found
    folded.report = report_of(found.event, found.at)
    folded.pairs = {slot: latest for slot, latest in folded.pairs.items() if latest.at > found.at}
    folded.lanes = {name: latest for name, latest in folded.lanes.items() if latest.at > found.at}
    if folded.capture is not None and folded.capture.at <= found.at:
        folded.capture = None


def _is_news(folded: Folded, at: datetime) -> bool:
    return folded.snapshot is None or at > folded.snapshot.at


def _pair(folded: Folded, at: datetime, name: str, event: Mapping[str, Any], kind: str) -> None:
    provider, key = text(event.get("provider")), text(event.get("customer_key"))
    if kind:
        _active(folded, at, event, (provider, kind))
    if not _is_news(folded, at):
        return
    slot = (provider, "", text(event.get("guard"))) if name == "guard.tripped" else (provider, key, "")
    words = [name, *(str(event.get(word)) for word in ("kind", "guard", "fields", "reason") if word in event)]
    found = Latest(at, int(name in TROUBLE), " ".join(words), event)
    if slot not in folded.pairs or folded.pairs[slot] < found:
        folded.pairs[slot] = found
    if len(folded.pairs) > OPEN:
        newest = heapq.nlargest(OPEN // 2, folded.pairs.items(), key=lambda item: item[1])
        folded.pairs = dict(newest)


def _active(folded: Folded, at: datetime, event: Mapping[str, Any], what: tuple[str, str]) -> None:
    """Count the end of a look in its hour, once however often the line comes."""
    hour = _first_seen(folded, at, event)
    if hour is None:
        return
    hour.done[what] += 1
    waited = seconds(event.get("wait_s"))
    if waited is not None and what[1] == "done":
        hour.waits[what[0], math.ceil(math.log(max(waited, 0.1)) / GROWTH)] += 1


def _standing(folded: Folded, at: datetime, event: Mapping[str, Any]) -> None:
    """Count a snapshot in its hour: which providers did not work, and how many pairs waited for each."""
    hour = _first_seen(folded, at, event)
    if hour is None:
        return
    hour.snapshots += 1
    kinds = {text(row.get("kind")) for row in rows(event.get("problems"))[:MOST]}
    hour.out[""] += int(bool(kinds & NOBODY) or text(event.get("state")) == "stopped")
    for row in rows(event.get("providers"))[:MOST]:
        name = text(row.get("name"))
        hour.out[name] += int(text(row.get("state")) in OUT)
        hour.backlog[name] = max(hour.backlog[name], whole(row.get("due")) + whole(row.get("retry")))


def _first_seen(folded: Folded, at: datetime, event: Mapping[str, Any]) -> Hour | None:
    """The hour to count a line in; None for a line that was counted before, or one older than the hours that are
    kept."""
    number = int(at.timestamp()) // 3600
    if number not in folded.hours:
        folded.hours[number] = Hour()
        for old in sorted(folded.hours)[:-HOURS]:
            del folded.hours[old]
    hour = folded.hours.get(number)
    if hour is None:
        return None
    mark = zlib.crc32(_spelled(event).encode("utf-8", "replace"))
    if mark in hour.seen:
        return None
    if len(hour.seen) < REMEMBERED:
        hour.seen.add(mark)
    return hour


def _condition(folded: Folded, name: str, noun: str, found: Latest) -> None:
    provider = text(found.event.get("provider"))
    if name in CHANGES:
        _keep(folded.changes, found.line, found)
    if name == "cycle.finished":
        _keep(folded.runs, text(found.event.get("run_id")) or found.line, found)
    if noun == "daemon":
        folded.process = max(folded.process or found, found)
    if not _is_news(folded, found.at):
        return
    if name in LANES and provider:
        folded.lanes[provider] = max(folded.lanes.get(provider) or found, found)
    if name in CAPTURE:
        folded.capture = max(folded.capture or found, found)


def _keep(kept: dict[str, Latest], key: str, found: Latest) -> None:
    """Keep an event under its key, and of all keys the newest `KEPT`."""
    kept[key] = max(kept.get(key) or found, found)
    if len(kept) > KEPT:
        del kept[min(kept, key=lambda known: kept[known])]

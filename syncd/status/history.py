"""The status page's lists of the latest runs and of the latest changes of state, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from syncd.status.facts import Report
from syncd.status.fold import Folded, Latest
from syncd.status.lines import moment, table, text, whole
from syncd.status.recorded import sums

RUNS = 10
CHANGES = 12


@dataclass(frozen=True, slots=True)
class Run:
    """One cycle: its end, how grave its outcome is (a word of `sheet.SYMBOLS`), the seconds that it
    `took` where the log tells, and its counts in words (`did`)."""

    at: datetime
    grave: str
    outcome: str
    mode: str
    took: float | None
    did: str


@dataclass(frozen=True, slots=True)
class Change:
    """One event of `fold.CHANGES` as a sentence; `grave` is a word of `sheet.SYMBOLS`."""

    at: datetime
    grave: str
    what: str


def runs(folded: Folded, report: Report) -> Iterator[Run]:
    """The latest cycles that the log tells of; where it tells of none, the last one that the snapshot knows."""
    newest = sorted(folded.runs.values(), reverse=True)[:RUNS]
    for found in newest:
        event = found.event
        counts = sums(table(inner) for inner in table(event.get("counts")).values())
        took = whole(event.get("duration_ms")) / 1000 if "duration_ms" in event else None
        yield _run(found.at, text(event.get("outcome")), text(event.get("mode")), took, counts)
    last = report.last_run
    ended = moment(last.get("finished_at")) if last is not None else None
    if last is not None and ended is not None and not newest:
        began = moment(last.get("started_at"))
        took = (ended - began).total_seconds() if began is not None else None
        yield _run(ended, str(last.get("outcome")), str(last.get("mode")), took, last["counts"])


def _run(at: datetime, outcome: str, mode: str, took: float | None, counts: Mapping[str, int]) -> Run:
    did = [f"{number:,} {_DID.get(word, word)}" for word, number in counts.items() if number and word not in _QUIET]
    grave = {"ok": "ok", "partial": "warn"}.get(outcome, "bad")
    return Run(at, grave, outcome or "unknown", mode, took, ", ".join(did[:8]) or "nothing to do")


_QUIET = frozenset({"unchanged", "customers", "excluded", "again"})
_DID: Mapping[str, str] = {"retry": "to retry", "review": "for review", "dead": "given up", "ambiguous": "unclear"}


def changes(folded: Folded) -> Iterator[Change]:
    """The latest changes of state."""
    for found in sorted(folded.changes.values(), reverse=True)[:CHANGES]:
        name = str(found.event["event"])
        grave, sentence = SENTENCES[name]
        yield Change(found.at, grave, " ".join(sentence.format(**_words(found)).split()))


def _words(found: Latest) -> dict[str, str]:
    event = found.event
    reason, until = text(event.get("reason")), moment(event.get("until"))
    provider, key = text(event.get("provider")), text(event.get("customer_key"))
    whom = [f"customer {key}" if key else "", "at" if key and provider else "", provider]
    return {
        "provider": provider,
        "because": f": {reason}" if reason else "",
        "until": f"; next try {until:%H:%M} UTC" if until is not None else "",
        "action": text(event.get("action")) or "acted",
        "whom": " ".join(whom),
        "version": text(event.get("version")),
        "count": str(whole(event.get("count"))),
        "state": text(event.get("state")) or "down",
    }


SENTENCES: Mapping[str, tuple[str, str]] = {
    "daemon.started": ("ok", "syncd {version} started"),
    "daemon.stopped": ("warn", "syncd was stopped"),
    "daemon.recovered": ("ok", "syncd works again"),
    "job.failed": ("bad", "syncd met an error that it did not expect"),
    "state.unreachable": ("bad", "The state database did not answer{because}"),
    "config.loaded": ("ok", "New settings are in force"),
    "config.rejected": ("bad", "New settings were refused; the old ones stay in force"),
    "operator.acted": ("info", "A person: {action} {whom}"),
    "capture.broken": ("bad", "Changes are no longer captured{because}"),
    "source.unreachable": ("bad", "The source database did not answer{because}"),
    "lane.paused": ("bad", "{provider} {state}{because}{until}"),
    "lane.resumed": ("ok", "{provider} answers again"),
    "provider.throttled": ("info", "{provider} asked for a slower pace{until}"),
    "alert.failed": ("warn", "An alert could not be sent"),
    "log.dropped": ("warn", "{count} lines of the log were lost"),
}

"""What stands on the status page, as words and figures; the template only sets them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from syncd.status.codes import PERSON, RETRY
from syncd.status.fold import GROWTH, Folded, Hour, Latest
from syncd.status.lines import moment, table, text, whole
from syncd.status.present import column, doubt_kind
from syncd.status.recorded import remedy_of, sums
from syncd.status.remedies import LOG, PROVIDERS
from syncd.status.report import GuardFacts, Problem, ProviderReport, Report

CARDS = 12
KEYS = 8
RUNS = 10
CHANGES = 12
BARS = 24

SYMBOLS: Mapping[str, str] = {"ok": "✔", "warn": "▲", "bad": "✖", "unknown": "?", "info": "•"}


@dataclass(frozen=True, slots=True)
class Card:
    """One thing that is wrong: how grave, where, what, why, since when, for whom, and the command that leads on."""

    grave: str
    who: str
    what: str
    sentence: str
    reason: str
    fields: tuple[str, ...]
    since: datetime | None
    keys: tuple[str, ...]
    more: int
    command: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One hour: how many ended well, are tried again, or need a person; heights in parts of 100."""

    label: str
    done: int
    retried: int
    failed: int
    heights: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Row:
    """A provider's line. `line` is None when no snapshot told its figures; `p50` and `p95` are seconds."""

    name: str
    line: ProviderReport | None
    grave: str
    note: str
    bars: tuple[Bar, ...]
    summary: str
    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class Run:
    """One run: when it ended, how, how long it took in seconds, what it did."""

    at: datetime
    grave: str
    outcome: str
    mode: str
    took: float | None
    did: str


@dataclass(frozen=True, slots=True)
class Change:
    """One change of state in words."""

    at: datetime
    grave: str
    what: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """The whole page. `stale`: what it shows is the last that is known, not the present."""

    now: datetime
    grave: str
    headline: str
    lead: str
    newest: datetime | None
    figures: datetime | None
    stale: bool
    report: Report
    cards: tuple[Card, ...]
    unlisted: int
    rows: tuple[Row, ...]
    guards: tuple[GuardFacts, ...]
    runs: tuple[Run, ...]
    changes: tuple[Change, ...]
    lines: int
    foreign: int
    ahead: int
    cut: int


def sheet(folded: Folded, report: Report, now: datetime) -> Sheet:
    """Everything on the page, from the folded log and what it means now."""
    groups = _groups(report)
    grave = _gravity(report)
    headline, lead = _verdict(report, groups)
    return Sheet(
        now=now,
        grave=grave,
        headline=headline,
        lead=lead,
        newest=folded.newest,
        figures=folded.snapshot.at if folded.snapshot is not None else None,
        stale=bool(doubt_kind(report)),
        report=report,
        cards=tuple(_card(report, group, groups) for group in groups[:CARDS]),
        unlisted=report.problems_total - sum(_size(report, group, groups) for group in groups[:CARDS]),
        rows=tuple(_rows(folded, report, now)),
        guards=tuple(guard for guard in report.guards if guard.staged or guard.used),
        runs=tuple(_runs(folded, report)),
        changes=tuple(_changes(folded)),
        lines=folded.lines,
        foreign=folded.foreign,
        ahead=folded.ahead,
        cut=folded.cut,
    )


# -- the verdict and the cards ---------------------------------------------------------------------------------------


def _gravity(report: Report) -> str:
    if doubt_kind(report) in {"silent", "unknown", "clock"}:
        return "unknown"
    return {"ok": "ok", "attention": "warn"}.get(report.state, "bad")


def _verdict(report: Report, groups: Sequence[Sequence[Problem]]) -> tuple[str, str]:
    """The sentence on top, and the one below it that says what comes first."""
    doubt = doubt_kind(report)
    if doubt:
        return LOG[doubt].sentence, _DOUBTS[doubt]
    if report.state == "ok":
        return "All in order", "Every customer agrees everywhere, or is on the way."
    count = len(groups)
    headline = "One thing needs attention" if count == 1 else f"{count or 'Some'} things need attention"
    headline = "Stopped" if report.state == "stopped" else headline
    if not groups:
        return headline, "The figures below say where."
    first = groups[0][0]
    sentence = remedy_of(first.kind, first.customer_key, first.command).sentence
    return headline, f"{_who(first)}: {sentence[:1].lower()}{sentence[1:]}"


_DOUBTS: Mapping[str, str] = {
    "silent": "Nothing was logged lately. What is shown below is the last that is known, not the present.",
    "ended": "Nothing is synchronised until it runs again. Changes in the shop are kept and go out then.",
    "unknown": "There are events, but no snapshot among them; figures appear with the next one.",
    "clock": "Lines of the log carry a time in the future, so nobody can say how old they are.",
}


def _who(problem: Problem) -> str:
    return problem.provider or ("source" if problem.kind.startswith("capture_") else "syncd")


def _groups(report: Report) -> list[list[Problem]]:
    """Problems that read alike, together, in the order of the first of each."""
    groups: dict[tuple[str, str, str, int], list[Problem]] = {}
    for problem in report.problems:
        sentence = remedy_of(problem.kind, problem.customer_key, problem.command).sentence
        why = _reason(report, problem, sentence) if problem.customer_key else ""
        alike = (problem.provider, problem.kind, why, problem.code)
        groups.setdefault(alike, []).append(problem)
    return list(groups.values())


def _card(report: Report, group: Sequence[Problem], groups: Sequence[Sequence[Problem]]) -> Card:
    first = group[0]
    sentence = remedy_of(first.kind, first.customer_key, first.command).sentence
    count = _size(report, group, groups)
    keys = tuple(problem.customer_key for problem in group if problem.customer_key)[:KEYS]
    kind = _KINDS.get(first.kind) or first.kind.removeprefix("capture_").replace("_", " ")
    customers = "" if not first.customer_key else "1 customer " if count == 1 else f"{count:,} customers "
    return Card(
        grave="info" if first.code == RETRY else "warn" if first.code == PERSON else "bad" if first.code else "info",
        who=_who(first),
        what=customers + ("in review: " + kind if first.customer_key and column(first) == "review" else kind),
        sentence=sentence,
        reason=_reason(report, first, sentence),
        fields=tuple(sorted({name for problem in group for name in problem.fields})),
        since=min((problem.since for problem in group if problem.since is not None), default=None),
        keys=keys,
        more=max(count - len(keys), 0) if first.customer_key else 0,
        command=_MANY.get(first.command.rpartition(" ")[0], first.command) if len(group) > 1 else first.command,
    )


_MANY: Mapping[str, str] = {"syncd review show": "syncd review list", "syncd retry": "syncd retry --failed"}
_KINDS: Mapping[str, str] = {
    "retry": "to retry",
    "ambiguous": "with a lost answer",
    "dead": "given up",
    "adopt": "first contact",
    "calls": "many calls",
    "clock": "clocks differ",
    "state": "state unreachable",
}


def _reason(report: Report, problem: Problem, sentence: str) -> str:
    """What the sentence does not say yet: of a guard its figures, of a field no more than the card's last line has."""
    for guard in report.guards:
        if (guard.provider, f"guard_{guard.guard}") == (problem.provider, problem.kind) and not problem.customer_key:
            return f"{guard.staged:,} held back; {guard.used:,} went through, the limit is {guard.limit}"
    told = f"{', '.join(problem.fields)}: {problem.kind.replace('_', ' ')}"
    return "" if problem.reason in {sentence, told} else problem.reason


def _size(report: Report, group: Sequence[Problem], groups: Sequence[Sequence[Problem]]) -> int:
    """How many a card stands for. Where it is the only one about a figure of its provider, what that figure says: a
    snapshot lists but the first."""
    first = group[0]
    about = [each[0] for each in groups if (each[0].provider, column(each[0])) == (first.provider, column(first))]
    lines = [line for line in report.providers if line.name == first.provider]
    figure = int(getattr(lines[0], column(first))) if lines and len(about) == 1 and first.customer_key else 0
    return max(len(group), figure)


# -- providers ---------------------------------------------------------------------------------------------------------


def _rows(folded: Folded, report: Report, now: datetime) -> Iterator[Row]:
    hours = _window(folded, now)
    told = [line.name for line in report.providers]
    active = {who for hour in hours if hour is not None for who, _ in hour.done} - {""}
    lines: dict[str, ProviderReport | None] = {line.name: line for line in report.providers}
    for name in [*told, *sorted(active - set(told))]:
        line = lines.get(name)
        bars = _bars(name, hours, now)
        waits = sum((_waits(name, hour) for hour in hours if hour is not None), Counter[int]())
        yield Row(
            name=name,
            line=line,
            grave=_state_gravity(line),
            note=_note(line),
            bars=bars,
            summary=_summary(name, bars),
            p50=quantile(waits, 0.5),
            p95=quantile(waits, 0.95),
        )


def _state_gravity(line: ProviderReport | None) -> str:
    if line is None:
        return "unknown"
    return {"ok": "ok", "throttled": "info", "paused": "warn"}.get(line.state, "bad")


def _note(line: ProviderReport | None) -> str:
    if line is None:
        return ""
    remedy = PROVIDERS.get(line.state)
    return line.reason or (remedy.sentence if remedy is not None and line.state != "ok" else "")


def _window(folded: Folded, now: datetime) -> list[Hour | None]:
    last = int(now.timestamp()) // 3600
    return [folded.hours.get(number) for number in range(last - BARS + 1, last + 1)]


def _waits(name: str, hour: Hour) -> Counter[int]:
    return Counter({step: number for (who, step), number in hour.waits.items() if who == name})


def quantile(steps: Counter[int], share: float) -> float | None:
    """Seconds that this share of the waiting times did not pass, as far as the scale's steps of a fifth tell."""
    left = share * steps.total()
    for step in sorted(steps):
        left -= steps[step]
        if left <= 0:
            return math.exp(step * GROWTH)
    return None


def _bars(name: str, hours: Sequence[Hour | None], now: datetime) -> tuple[Bar, ...]:
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


def _summary(name: str, bars: Sequence[Bar]) -> str:
    done, retried, failed = (sum(getattr(bar, word) for bar in bars) for word in ("done", "retried", "failed"))
    if not done + retried + failed:
        return f"{name}: nothing happened in the last 24 hours"
    busiest = max(bars, key=lambda bar: bar.done + bar.retried + bar.failed)
    words = f"{done:,} done, {retried:,} tried again, {failed:,} need a person"
    return f"{name}, last 24 hours: {words}; most at {busiest.label} UTC"


# -- history -----------------------------------------------------------------------------------------------------------


def _runs(folded: Folded, report: Report) -> Iterator[Run]:
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


def _changes(folded: Folded) -> Iterator[Change]:
    for found in sorted(folded.changes.values(), reverse=True)[:CHANGES]:
        name = str(found.event["event"])
        grave, sentence = SENTENCES[name]
        yield Change(found.at, grave, " ".join(sentence.format(**_words(found)).split()))


def _words(found: Latest) -> dict[str, str]:
    event = found.event
    reason, until = text(event.get("reason")), moment(event.get("until"))
    return {
        "provider": text(event.get("provider")) or "everything",
        "because": f": {reason}" if reason else "",
        "until": f"; next try {until:%H:%M} UTC" if until is not None else "",
        "action": text(event.get("action")) or "acted",
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
    "operator.acted": ("info", "A person: {action} {provider}"),
    "capture.broken": ("bad", "Changes are no longer captured{because}"),
    "source.unreachable": ("bad", "The source database did not answer{because}"),
    "lane.paused": ("bad", "{provider} {state}{because}{until}"),
    "lane.resumed": ("ok", "{provider} answers again"),
    "provider.throttled": ("info", "{provider} asked for a slower pace{until}"),
    "alert.failed": ("warn", "An alert could not be sent"),
    "log.dropped": ("warn", "{count} lines of the log were lost"),
}

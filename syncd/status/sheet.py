"""The content of the status page, as words and figures; the template only lays them out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from syncd.status.activity import Bar, backlog_summary, bars_of, curve, quantile, summary, waits, window
from syncd.status.codes import PERSON, RETRY
from syncd.status.facts import GuardFacts, Problem, ProviderReport, Report
from syncd.status.fold import Folded
from syncd.status.history import Change, Run, changes, runs
from syncd.status.present import causes, column, doubt_kind
from syncd.status.recorded import remedy_of
from syncd.status.remedies import LOG, PROVIDERS, SOURCE, says_nothing

CARDS = 12  # problems on the page; further ones are counted
AXIS = 6  # hours between two labels of a graph
FEW, QUICK = 20.0, 60.0  # waiting pairs, and seconds, that the top of a graph stands for at least
KEYS = 8  # customers that one card names

SYMBOLS: Mapping[str, str] = {"ok": "✔", "warn": "▲", "bad": "✖", "unknown": "?", "info": "•"}


@dataclass(frozen=True, slots=True)
class Card:
    """Problems that read alike, as one card: how grave (a word of `SYMBOLS`), at whom, what and why, since when, the
    `keys` of the first customers and how many `more` there are, `whom` it keeps waiting, the anchor of the provider's
    `row`, and the command to type."""

    grave: str
    who: str
    what: str
    sentence: str
    reason: str
    fields: tuple[str, ...]
    since: datetime | None
    keys: tuple[str, ...]
    more: int
    whom: str
    row: str
    command: str


@dataclass(frozen=True, slots=True)
class Row:
    """A provider's row in the table, with the anchor that cards link to. `line` is None where no snapshot told the
    provider's figures; `p50` and `p95` are seconds of waiting; `waited` (pairs) and `delayed` (seconds) are the points
    of graphs over the hours."""

    name: str
    anchor: str
    line: ProviderReport | None
    grave: str
    note: str
    bars: tuple[Bar, ...]
    summary: str
    waited: str
    delayed: str
    waited_summary: str
    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """The whole page. `stale`: the log does not tell the present, and the page shows the last known status."""

    now: datetime
    grave: str
    headline: str
    lead: str
    newest: datetime | None
    figures: datetime | None
    stale: bool
    capture: str
    axis: tuple[str, ...]
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
    """The page of a folded log and of the report that `present.present` made of it."""
    groups = _groups(report)
    grave, explained = _gravity(report), len(report.problems) - len(causes(report.problems))
    headline, lead = _verdict(report, groups)
    return Sheet(
        now=now,
        grave=grave,
        headline=headline,
        lead=lead,
        newest=folded.newest,
        figures=folded.snapshot.at if folded.snapshot is not None else None,
        stale=bool(doubt_kind(report)),
        capture=SOURCE[report.capture].sentence if report.capture in SOURCE else report.capture,
        axis=tuple(bar.label for bar in bars_of("", window(folded, now), now)[::AXIS]),
        report=report,
        cards=tuple(_card(report, group, groups) for group in groups[:CARDS]),
        unlisted=report.problems_total - explained - sum(_size(report, group, groups) for group in groups[:CARDS]),
        rows=tuple(_rows(folded, report, now)),
        guards=tuple(guard for guard in report.guards if guard.staged or guard.used),
        runs=tuple(runs(folded, report)),
        changes=tuple(changes(folded)),
        lines=folded.lines,
        foreign=folded.foreign,
        ahead=folded.ahead,
        cut=folded.cut,
    )


# -- the verdict and the cards ---------------------------------------------------------------------------------------


def _gravity(report: Report) -> str:
    if doubt_kind(report) in {"unknown", "clock"}:
        return "unknown"
    return {"ok": "ok", "attention": "warn"}.get(report.state, "bad")


def _verdict(report: Report, groups: Sequence[Sequence[Problem]]) -> tuple[str, str]:
    """The headline, and the sentence below it that names the worst problem."""
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
    return problem.provider or ("Your database" if problem.kind.startswith("capture_") else "syncd")


def _groups(report: Report) -> list[list[Problem]]:
    """Problems that read alike together, in the order of the first of each, without those that another problem
    explains."""
    groups: dict[tuple[str, str, str, int], list[Problem]] = {}
    for problem in causes(report.problems):
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
    kind = _KINDS.get(first.kind) or _named(first.kind)
    customers = "" if not first.customer_key else "1 customer " if count == 1 else f"{count:,} customers "
    told = [problem.since for problem in group if problem.since is not None]
    return Card(
        grave="info" if first.code == RETRY else "warn" if first.code == PERSON else "bad" if first.code else "info",
        who=_who(first),
        what=customers + ("to be decided: " + kind if first.customer_key and column(first) == "review" else kind),
        sentence=sentence,
        reason=_reason(report, first, sentence),
        fields=tuple(sorted({name for problem in group for name in problem.fields})),
        since=min(told, default=None),
        keys=keys,
        more=max(count - len(keys), 0) if first.customer_key else 0,
        whom=_whom(report, first),
        row=_anchor(report, first.provider),
        command=_MANY.get(first.command.rpartition(" ")[0], first.command) if len(group) > 1 else first.command,
    )


def _whom(report: Report, problem: Problem) -> str:
    """How many customers a problem of a whole provider, of the source or of the daemon keeps waiting, in words; "" for
    other problems."""
    if problem.customer_key:
        return ""
    if not problem.provider:
        return "All customers, at every provider" + (f"; {report.log_rows:,} changes wait" if report.log_rows else "")
    lines = [line for line in report.providers if line.name == problem.provider]
    number = lines[0].due + lines[0].retry + lines[0].ambiguous if lines else 0
    if problem.kind in {"down", "blocked", "paused", "stalled", "delayed", "throttled"}:
        return f"{number:,} customers wait for it" if number != 1 else "1 customer waits for it"
    return ""


def _anchor(report: Report, provider: str) -> str:
    """The anchor of a provider's row: its place, since a name from a log line is not trusted as one."""
    places = [place for place, line in enumerate(report.providers, 1) if line.name == provider]
    return f"provider-{places[0]}" if places else ""


def _named(kind: str) -> str:
    guarded = kind.removeprefix("guard_")
    return f"more to {guarded} than its guard allows" if guarded != kind else kind.replace("_", " ")


_MANY: Mapping[str, str] = {"syncd review show": "syncd review list", "syncd retry": "syncd retry --failed"}
_KINDS: Mapping[str, str] = {
    "retry": "tried again",
    "ambiguous": "whose answer was lost",
    "rejected": "refused by its rules",
    "dead": "given up",
    "conflict": "changed on both sides",
    "adopt": "waits for its first match report",
    "calls": "uses many calls",
    "clock": "clocks differ",
    "clock_off": "clock is off",
    "down": "does not answer",
    "blocked": "refuses our credentials",
    "throttled": "asked us to slow down",
    "stalled": "nobody works on what is due",
    "delayed": "is slower than changes come",
    "frozen": "stopped for safety",
    "state": "cannot write its state",
    "daemon_silent": "gives no sign of life",
    "daemon_failing": "meets an error again and again",
    "capture_late": "changes are not picked up",
    "capture_triggers": "changes are not being captured",
    "capture_settings": "is not as the settings say",
    "capture_unreachable": "does not answer",
    "capture_restored": "was restored or replaced",
    "silent": "logged nothing lately",
    "ended": "was stopped",
    "unknown": "told nothing yet",
}


def _reason(report: Report, problem: Problem, sentence: str) -> str:
    """What the problem's reason adds to the kind's sentence and the card's fields, "" for nothing; of a guard, its
    figures."""
    for guard in report.guards:
        if (guard.provider, f"guard_{guard.guard}") == (problem.provider, problem.kind) and not problem.customer_key:
            return f"{guard.staged:,} held back; {guard.used:,} went through, the limit is {guard.limit}"
    nothing = problem.reason == sentence or says_nothing(problem.kind, problem.fields, problem.reason)
    return "" if nothing else problem.reason


def _size(report: Report, group: Sequence[Problem], groups: Sequence[Sequence[Problem]]) -> int:
    """How many customers a card stands for: its problems, or the provider's count where no other card belongs to that
    count. A snapshot lists only the first problems, and counts all."""
    first = group[0]
    about = [each[0] for each in groups if (each[0].provider, column(each[0])) == (first.provider, column(first))]
    lines = [line for line in report.providers if line.name == first.provider]
    figure = int(getattr(lines[0], column(first))) if lines and len(about) == 1 and first.customer_key else 0
    return max(len(group), figure)


# -- providers ---------------------------------------------------------------------------------------------------------


def _rows(folded: Folded, report: Report, now: datetime) -> Iterator[Row]:
    hours = window(folded, now)
    told = [line.name for line in report.providers]
    active = {who for hour in hours if hour is not None for who, _ in hour.done} - {""}
    lines: dict[str, ProviderReport | None] = {line.name: line for line in report.providers}
    for place, name in enumerate([*told, *sorted(active - set(told))], 1):
        line = lines.get(name)
        bars = bars_of(name, hours, now)
        steps = sum((waits(name, hour) for hour in hours if hour is not None), Counter[int]())
        yield Row(
            name=name,
            anchor=f"provider-{place}",
            line=line,
            grave=_state_gravity(line),
            note=_note(line),
            bars=bars,
            summary=summary(name, bars),
            waited=curve([float(bar.backlog) for bar in bars], 18.0, FEW),
            delayed=curve([bar.delay or 0.0 for bar in bars], 18.0, QUICK),
            waited_summary=backlog_summary(name, bars),
            p50=quantile(steps, 0.5),
            p95=quantile(steps, 0.95),
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

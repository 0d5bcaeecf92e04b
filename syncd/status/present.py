"""The status now, according to a folded log: the last snapshot, the events after it, and whether syncd still logs.
Silence is never "ok"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from syncd.status.codes import RETRY, UNREACHABLE, WORST_FIRST, worst
from syncd.status.facts import Problem, ProviderReport, Report
from syncd.status.fold import CAPTURE, DONE, LANES, NOBODY, Folded, Latest
from syncd.status.lines import text, texts
from syncd.status.recorded import command_of, judge, remedy_of
from syncd.status.remedies import LOG, PROVIDERS, SOURCE

SILENT = timedelta(seconds=100)
"""After so long without a line no daemon is believed to live: the daemon logs a snapshot every minute. A page that is
written every 20 seconds turns red within two minutes."""

Slot = tuple[str, str, str]
"""Provider, customer key and guard: the key of `Folded.pairs`."""


def present(folded: Folded, now: datetime, silent_after: timedelta = SILENT) -> Report:
    """The status of the log at `now`, as the same value that `syncd status` shows. `silent_after` without an event, the
    daemon counts as dead."""
    report = folded.report or Report("attention", UNREACHABLE, now, "ok", None, None, (), (), 0, (), None)
    if folded.pairs or folded.lanes or folded.capture is not None:
        report = _with_pairs(_with_lanes(_with_capture(report, folded.capture), folded), folded)
        state, code = judge(report)
        report = report._replace(state=state, exit_code=code)
    doubt = _doubt(folded, now, silent_after)
    if doubt is None:
        return report
    return report._replace(
        state="attention" if doubt.kind == "unknown" else "stopped",
        exit_code=worst([report.exit_code, doubt.code]),
        problems=(doubt, *report.problems),
        problems_total=report.problems_total + 1,
    )


def doubt_kind(report: Report) -> str:
    """Why the log does not tell the present: a word of `remedies.LOG`; "" where it does."""
    first = report.problems[0].kind if report.problems else ""
    return first if first in LOG else ""


def _doubt(folded: Folded, now: datetime, silent_after: timedelta) -> Problem | None:
    newest, ended = folded.newest, folded.process
    if ended is not None and ended.event.get("event") == "daemon.stopped" and ended.at == newest:
        return _problem("", "", "ended", newest)
    if newest is None or now - newest > silent_after:
        return _problem("", "", "clock" if folded.ahead else "silent", newest)
    return None if folded.report is not None else _problem("", "", "unknown", newest)


def _problem(
    provider: str, key: str, kind: str, since: datetime | None, reason: str = "", fields: tuple[str, ...] = ()
) -> Problem:
    remedy = remedy_of(kind, key)
    command = command_of(remedy, provider, key)
    return Problem(provider, key, kind, fields, reason or remedy.sentence, since, command, remedy.code)


def causes(problems: Sequence[Problem]) -> list[Problem]:
    """The problems without those that another one explains: customers that wait because of their provider's outage, and
    late changes where no daemon works."""
    out = {problem.provider for problem in problems if problem.kind in {"down", "blocked"}}
    nobody = any(problem.kind in NOBODY for problem in problems)
    return [
        problem
        for problem in problems
        if not (problem.provider in out and problem.kind in {"retry", "stalled", "delayed"})
        and not (nobody and problem.kind in {"capture_late", "stalled", "delayed"})
    ]


# -- laid on top of the snapshot ---------------------------------------------------------------------------------------


def _with_capture(report: Report, latest: Latest | None) -> Report:
    """A failure of source or state counts until a cycle ends. Missing triggers and a restored database stay: a cycle
    ends without mending them."""
    if latest is None:
        return report
    word, reason = CAPTURE[str(latest.event["event"])], text(latest.event.get("reason"))
    writable = [problem for problem in report.problems if problem.kind != "state"]
    if word == "state":
        return _changed(report, [_problem("", "", "state", latest.at, reason), *writable])
    if word == "ok":
        report = _changed(report, writable)
    if latest.event.get("command") == SOURCE["restored"].command:
        word = "restored"
    if word == report.capture or (word == "ok" and report.capture != "unreachable"):
        return report
    others = [problem for problem in report.problems if not problem.kind.startswith("capture_")]
    if word != "ok":
        others.insert(0, _problem("", "", f"capture_{word}", latest.at, reason))
    return _changed(report._replace(capture=word), others)


def _with_lanes(report: Report, folded: Folded) -> Report:
    providers, problems = list(report.providers), list(report.problems)
    for name, latest in sorted(folded.lanes.items()):
        told = text(latest.event.get("state"))
        state = told if told in PROVIDERS else LANES[str(latest.event["event"])]
        lines = [line for line in providers if line.name == name]
        if lines and lines[0].state in {"paused", "frozen", state}:
            continue  # a person's pause and a safety stop stand above what the lane says
        reason = "" if state == "ok" else text(latest.event.get("reason"))
        since = None if state == "ok" else latest.at
        providers = [
            line._replace(state=state, reason=reason, since=since) if line.name == name else line for line in providers
        ]
        problems = [p for p in problems if p.provider != name or p.kind not in {"down", "blocked"}]
        if PROVIDERS[state].code:
            problems.insert(0, _problem(name, "", state, latest.at, reason))
    return _changed(report._replace(providers=tuple(providers)), problems)


def _with_pairs(report: Report, folded: Folded) -> Report:
    problems, moved = list(report.problems), Counter[tuple[str, str]]()
    for slot, latest in sorted(folded.pairs.items()):
        found = _trouble(slot, latest)
        before = [known for known in problems if _stands_for(known, slot)]
        kept = [known for known in before if found is not None and column(known) == column(found)]
        for known in before:
            if known not in kept:
                problems.remove(known)
                moved[known.provider, column(known)] -= 1
        if found is not None and not kept:
            problems.append(found)
            moved[found.provider, column(found)] += 1
    providers = [_moved(line, moved) for line in report.providers]
    return _changed(report._replace(providers=tuple(providers)), problems)


def _trouble(slot: Slot, latest: Latest) -> Problem | None:
    """The problem that a pair's last event tells of, or None."""
    provider, key, guard = slot
    event, name = latest.event, str(latest.event["event"])
    noun, _, verb = name.partition(".")
    reason, names = text(event.get("reason")), texts(event.get("fields"))
    if (noun == "pair" and verb in DONE) or name == "conflict.resolved":
        return None
    kinds = {
        "pair.retried": "ambiguous" if reason.endswith("outcome unknown") else "retry",
        "pair.rejected": "rejected",
        "pair.dead_lettered": "dead",
        "pair.parked": text(event.get("kind")) or "review",
        "conflict.opened": "conflict",
        "field.frozen": "frozen",
        "guard.tripped": f"guard_{guard}",
    }
    return _problem(provider, key, kinds[name], latest.at, "" if guard else reason, () if guard else names)


def _stands_for(problem: Problem, slot: Slot) -> bool:
    provider, key, guard = slot
    if guard:
        return (problem.provider, problem.kind) == (provider, f"guard_{guard}")
    return (problem.provider, problem.customer_key) == (provider, key) and key != ""


def column(problem: Problem) -> str:
    """The field of `ProviderReport` that counts this problem. An `ambiguous` problem with another exit code than a
    retry's is a question."""
    if problem.kind == "ambiguous" and problem.code != RETRY:
        return "review"
    return problem.kind if problem.kind in {"retry", "ambiguous", "rejected", "dead"} else "review"


def _moved(line: ProviderReport, moved: Counter[tuple[str, str]]) -> ProviderReport:
    changes = {name: getattr(line, name) + number for (who, name), number in moved.items() if who == line.name}
    return line._replace(**{name: max(number, 0) for name, number in changes.items()})


def _changed(report: Report, problems: Sequence[Problem]) -> Report:
    more = len(problems) - len(report.problems)
    ordered = sorted(problems, key=lambda problem: WORST_FIRST.index(problem.code))
    return report._replace(problems=tuple(ordered), problems_total=report.problems_total + more)

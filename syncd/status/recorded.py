"""Reads a report back from the `status.snapshot` event that `snapshot.snapshot_event` made of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from syncd.status.codes import worst
from syncd.status.facts import GuardFacts, Problem, ProviderReport, Report
from syncd.status.lines import moment, rows, seconds, table, text, texts, whole
from syncd.status.liveness import Daemon
from syncd.status.remedies import DAEMON, LOG, MACHINE, PAIRS, PROVIDERS, SOURCE, Remedy, review
from syncd.status.report import counted, verdict

MOST_PROVIDERS = 200
MOST_PROBLEMS = 200
MOST_DAEMONS = 20


def report_of(event: Mapping[str, Any], at: datetime) -> Report:
    """The report in a snapshot; values of another type than the snapshot's are read as empty. `at` is the line's own
    time, for a snapshot without one."""
    source = table(event.get("source"))
    problems = tuple(_problem(row) for row in rows(event.get("problems"))[:MOST_PROBLEMS])
    return Report(
        state=word if (word := text(event.get("state"))) in {"ok", "attention"} else "stopped",
        exit_code=whole(event.get("exit_code")),
        at=moment(event.get("at")) or at,
        capture=text(source.get("capture")) or "ok",
        lag_s=seconds(source.get("lag_s")),
        log_rows=whole(source["log_rows"]) if "log_rows" in source else None,
        providers=tuple(_provider(row) for row in rows(event.get("providers"))[:MOST_PROVIDERS]),
        problems=problems,
        problems_total=max(whole(event.get("problems_total")), len(problems)),
        guards=tuple(_guard(row) for row in rows(event.get("guards"))[:MOST_PROVIDERS]),
        last_run=_run(event.get("last_run")),
        daemons=tuple(_daemon(row) for row in rows(event.get("daemons"))[:MOST_DAEMONS]),
        storage=text(table(event.get("storage")).get("reason")),
    )


def judge(report: Report) -> tuple[str, int]:
    """State and exit code for the present problems and providers of a report: after later events were laid on top, the
    recorded ones do not hold."""
    code = worst([problem.code for problem in report.problems] + [counted(line) for line in report.providers])
    kinds = [problem.kind for problem in report.problems]
    return verdict(code, report.capture, [line.state for line in report.providers], kinds), code


def remedy_of(kind: str, key: str, command: str = "") -> Remedy:
    """The remedy of a problem's kind, from the tables of `remedies`. Two words stand in two tables: `ambiguous` is a
    pair's state, and with a number in its command a review item; `frozen` is a provider's state, and with a customer
    key a review item."""
    if kind.startswith("capture_"):
        return SOURCE.get(kind.removeprefix("capture_"), SOURCE["settings"])
    for words in (LOG, DAEMON, MACHINE, PROVIDERS):
        if kind in words and (not key or words is not PROVIDERS):
            return words[kind]
    return review(kind) if kind not in PAIRS or _NUMBERED.fullmatch(command) else PAIRS[kind]


def command_of(remedy: Remedy, provider: str, key: str, command: str = "") -> str:
    """The command of a remedy. Of the `command` in a log line only the number is used: a page must not show an
    attacker's command."""
    numbered = _NUMBERED.fullmatch(command)
    if "{id}" in remedy.command and numbered is None:
        return "syncd review list"
    return remedy.typed(provider=provider, key=key, number=numbered[1] if numbered else "")


_NUMBERED = re.compile(r"syncd review show (\d{1,12})", re.ASCII)


def _problem(row: Mapping[str, Any]) -> Problem:
    provider, key, kind = text(row.get("provider")), text(row.get("customer_key")), text(row.get("kind"))
    command = text(row.get("command"))
    remedy = remedy_of(kind, key, command)
    return Problem(
        provider=provider,
        customer_key=key,
        kind=kind,
        fields=texts(row.get("fields")),
        reason=text(row.get("reason")) or remedy.sentence,
        since=moment(row.get("since")),
        command=command_of(remedy, provider, key, command),
        code=remedy.code,
    )


def _provider(row: Mapping[str, Any]) -> ProviderReport:
    counts = {name: whole(row.get(name)) for name in COUNTS}
    return ProviderReport(
        name=text(row.get("name")),
        adapter=text(row.get("adapter")),
        state=text(row.get("state")) or "ok",
        reason=text(row.get("reason")),
        since=moment(row.get("since")),
        oldest_due_s=seconds(row.get("oldest_due_s")),
        last_ok=moment(row.get("last_ok")),
        **counts,
    )


COUNTS = ("linked", "due", "retry", "ambiguous", "rejected", "review", "dead", "excluded", "calls_month")


def _guard(row: Mapping[str, Any]) -> GuardFacts:
    words = {name: text(row.get(name)) for name in ("provider", "guard", "limit")}
    return GuardFacts(used=whole(row.get("used")), staged=whole(row.get("staged")), **words)


def _daemon(row: Mapping[str, Any]) -> Daemon:
    return Daemon(
        host=text(row.get("host")),
        pid=whole(row.get("pid")),
        since=moment(row.get("since")),
        pulse=moment(row.get("pulse")),
        age=seconds(row.get("pulse_age_s")) or 0.0,
        state=text(row.get("state")) or "working",
        reason=text(row.get("reason")),
    )


def _run(value: object) -> Mapping[str, Any] | None:
    row = table(value)
    if not row:
        return None
    names = ("run_id", "mode", "started_at", "finished_at", "outcome")
    return {name: text(row.get(name)) or None for name in names} | {"counts": sums([table(row.get("counts"))])}


def sums(tables: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """The counts of several tables, added up by word."""
    total: dict[str, int] = {}
    for counts in tables:
        for word, number in counts.items():
            total[text(word)] = total.get(text(word), 0) + whole(number)
    return total

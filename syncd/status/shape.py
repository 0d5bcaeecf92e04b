"""The status as JSON shows it: one shape for `status --json` and for the log's `status.snapshot`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from syncd.status.facts import Problem, ProviderReport, Report
from syncd.status.liveness import Daemon

SCHEMA = 1


def as_json(report: Report) -> dict[str, Any]:
    """The documented shape, `schema` 1. Times are ISO 8601 in UTC; no customer's value is in it."""
    return {
        "schema": SCHEMA,
        "state": report.state,
        "exit_code": report.exit_code,
        "at": iso(report.at),
        "source": {"capture": report.capture, "lag_s": _seconds(report.lag_s), "log_rows": report.log_rows},
        "providers": [_provider_json(line) for line in report.providers],
        "problems": [problem_json(problem) for problem in report.problems],
        "problems_total": report.problems_total,
        "guards": [
            {"provider": g.provider, "guard": g.guard, "used": g.used, "limit": g.limit, "staged": g.staged}
            for g in report.guards
        ],
        "last_run": dict(report.last_run) if report.last_run is not None else None,
        "daemons": [_daemon_json(daemon) for daemon in report.daemons],
        "storage": {"ok": not report.storage, "reason": report.storage},
    }


def _daemon_json(daemon: Daemon) -> dict[str, Any]:
    return {
        "host": daemon.host,
        "pid": daemon.pid,
        "since": iso(daemon.since),
        "pulse": iso(daemon.pulse),
        "pulse_age_s": round(daemon.age, 1),
        "state": daemon.state,
        "reason": daemon.reason,
    }


def problem_json(problem: Problem) -> dict[str, Any]:
    """One entry of `problems`."""
    return {
        "provider": problem.provider,
        "customer_key": problem.customer_key,
        "kind": problem.kind,
        "fields": list(problem.fields),
        "reason": problem.reason,
        "since": iso(problem.since),
        "command": problem.command,
    }


def _provider_json(line: ProviderReport) -> dict[str, Any]:
    return {
        "name": line.name,
        "adapter": line.adapter,
        "state": line.state,
        "reason": line.reason,
        "since": iso(line.since),
        "linked": line.linked,
        "due": line.due,
        "retry": line.retry,
        "ambiguous": line.ambiguous,
        "rejected": line.rejected,
        "review": line.review,
        "dead": line.dead,
        "excluded": line.excluded,
        "oldest_due_s": _seconds(line.oldest_due_s),
        "last_ok": iso(line.last_ok),
        "calls_month": line.calls_month,
    }


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def iso(moment: datetime | None) -> str | None:
    """A moment in UTC as JSON shows it."""
    return None if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

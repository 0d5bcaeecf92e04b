"""The status as a file for Prometheus' textfile collector: the same figures as `syncd status`, nothing of its own."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from syncd.errors import Problem, SettingsError
from syncd.extras import install
from syncd.log import emit
from syncd.status.facts import ProviderReport, Report

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Gauge

STATES = ("linked", "due", "retry", "ambiguous", "rejected", "review", "dead", "excluded")
UP = frozenset({"ok", "throttled"})


def require(path: str) -> None:
    """Raise `SettingsError` when the file is wanted and the extra that writes it is not installed."""
    if path and importlib.util.find_spec("prometheus_client") is None:
        reason, remedy = "needs an extra of syncd.", f"Run `{install('metrics')}`."
        raise SettingsError([Problem("metrics.textfile", reason, remedy)])


def write(path: str, report: Report) -> None:
    """Replace the file in one step. Where that fails there is a warning, and the old file's time tells the rest."""
    from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

    registry = CollectorRegistry()
    _gauge(registry, "syncd_exit_code", "What `syncd status` would leave with").set(report.exit_code)
    _gauge(registry, "syncd_problems", "Things that are wrong").set(report.problems_total)
    _gauge(registry, "syncd_snapshot_timestamp_seconds", "When this was true").set(report.at.timestamp())
    _gauge(registry, "syncd_capture_ok", "1 while changes are captured").set(report.capture == "ok")
    _gauge(registry, "syncd_change_log_rows", "Changes that wait in the source").set(report.log_rows or 0)
    _gauge(registry, "syncd_change_log_lag_seconds", "How long the oldest of them waits").set(report.lag_s or 0.0)
    labelled = {
        name: Gauge(f"syncd_{name}", told, ["provider"], registry=registry)
        for name, told in {
            "provider_up": "1 while the provider answers",
            "oldest_due_seconds": "How long the oldest due customer waits",
            "calls_month": "Requests in this month",
            "last_ok_timestamp_seconds": "The last good answer",
        }.items()
    }
    customers = Gauge("syncd_customers", "Customers by what became of them", ["provider", "state"], registry=registry)
    for line in report.providers:
        for name, value in _values(line).items():
            labelled[name].labels(line.name).set(value)
        for state in STATES:
            customers.labels(line.name, state).set(getattr(line, state))
    try:
        write_to_textfile(path, registry)
    except OSError as error:
        emit("alert.failed", action="metrics", error_type=type(error).__name__)


def _gauge(registry: CollectorRegistry, name: str, told: str) -> Gauge:
    from prometheus_client import Gauge

    return Gauge(name, told, registry=registry)


def _values(line: ProviderReport) -> dict[str, float]:
    return {
        "provider_up": float(line.state in UP),
        "oldest_due_seconds": line.oldest_due_s or 0.0,
        "calls_month": float(line.calls_month),
        "last_ok_timestamp_seconds": line.last_ok.timestamp() if line.last_ok is not None else 0.0,
    }

"""The status as text for a terminal: short lines, the worst problem first, one command each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from syncd.status.facts import Problem, ProviderReport, Report
from syncd.status.remedies import DAEMON, MACHINE, PAIRS

SHOWN = 12  # lines of problems; the rest is counted
WIDTH = 100


def problem_lines(problems: Sequence[Problem], total: int | None = None) -> Iterator[str]:
    """One line for each provider and kind of problem, and the command on a line of its own. `total`: how many problems
    there are, where `problems` are only the first."""
    groups = [(first, list(group)) for first, group in groupby(problems, key=_alike)]
    for _, group in groups[:SHOWN]:
        first = group[0]
        who = first.provider or ("syncd" if first.kind in {*DAEMON, *MACHINE} else "source")
        mark = "!" if first.code else "-"
        yield shortened(f"{mark} {who}: {_sentence(group)}")
        if first.command:
            yield f"    {first.command}"
    left = (total if total is not None else len(problems)) - sum(len(group) for _, group in groups[:SHOWN])
    if left > 0:
        rest = [problem for _, group in groups[SHOWN:] for problem in group]
        asked = any(problem.command.startswith("syncd review") for problem in rest)
        yield f"  and {left} more: {'syncd review list, ' if asked else ''}syncd status --json"


def shortened(line: str) -> str:
    """A line of at most `WIDTH` characters; `explain` and the JSON have the whole text."""
    return line if len(line) <= WIDTH else line[: WIDTH - 3] + "..."


def _alike(problem: Problem) -> tuple[str, str, str, int]:
    return problem.provider, problem.kind, problem.reason if problem.kind in PAIRS else "", problem.code


def _sentence(group: Sequence[Problem]) -> str:
    first = group[0]
    kind = first.kind.removeprefix("capture_").replace("_", " ")
    about = f" ({', '.join(first.fields)})" if first.fields else ""
    since = f" since {clock(first.since)}" if first.since else ""
    if not first.customer_key:
        return f"{kind}{since}: {first.reason}"
    if len(group) == 1:
        return f"customer {first.customer_key} {kind}{about}{since}: {first.reason}"
    others = ", ".join(problem.customer_key for problem in group[:4])
    more = ", ..." if len(group) > 4 else ""
    return f"{len(group)} customers {kind}{about}: {first.reason} ({others}{more})"


def provider_rows(report: Report) -> Iterator[Sequence[object]]:
    """The rows of the table of providers, in the order of `COLUMNS`."""
    for line in report.providers:
        failing = line.rejected + line.dead
        yield (
            line.name,
            line.state,
            line.linked,
            line.due,
            line.retry + line.ambiguous,
            failing,
            line.review,
            _age(line),
            clock(line.last_ok) if line.last_ok else "-",
        )


COLUMNS = ("PROVIDER", "STATE", "LINKED", "DUE", "RETRY", "FAILED", "REVIEW", "OLDEST", "LAST OK")
NUMBERS = ("LINKED", "DUE", "RETRY", "FAILED", "REVIEW", "OLDEST")


def _age(line: ProviderReport) -> str:
    return duration(line.oldest_due_s) if line.oldest_due_s is not None else "-"


def headline(report: Report) -> str:
    """The first line: the state of capture with its lag, and the state of the whole."""
    waiting = f", {report.log_rows} changes wait" if report.log_rows else ""
    late = f", {duration(report.lag_s)} behind" if report.lag_s else ""
    return f"syncd: capture {report.capture}{waiting}{late}".ljust(WIDTH - 10) + report.state.upper().rjust(10)


def daemon_lines(report: Report) -> Iterator[str]:
    """One line for each daemon: its process and machine, since when, and its last sign of life."""
    for daemon in report.daemons:
        seen = f"last pulse {duration(daemon.age)} ago"
        silent = "SILENT, " if daemon.state == "silent" else f"{daemon.state}, " if daemon.state != "working" else ""
        yield f"daemon: {silent}pid {daemon.pid} on {daemon.host} since {clock(daemon.since)}, {seen}"
    if not report.daemons:
        yield "daemon: none is running"


def duration(seconds: float | None) -> str:
    """A length of time in the largest unit of which it has two at least; "-" for None."""
    if seconds is None:
        return "-"
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def clock(moment: datetime | None) -> str:
    """A moment in local time, with the date where it is 20 hours away or more; "-" for None."""
    if moment is None:
        return "-"
    local = moment.astimezone()
    recent = abs(datetime.now(local.tzinfo) - local) < timedelta(hours=20)
    return local.strftime("%H:%M:%S" if recent else "%Y-%m-%d %H:%M")


def joined(parts: Iterable[str]) -> str:
    """The parts of a closing line, without empty ones."""
    return ", ".join(part for part in parts if part)

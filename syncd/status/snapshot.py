"""The whole status in one line of the log, `status.snapshot`: the status page starts from the newest one and lays later
events on top."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from syncd.status.facts import Problem, Report
from syncd.status.shape import as_json, problem_json

MOST = 50  # problems in one line, as many as the log's allow-list takes


def snapshot_event(report: Report) -> dict[str, Any]:
    """The fields of `status.snapshot`: the shape of `status --json` with the problems that one line can hold."""
    return {**as_json(report), "problems": [problem_json(problem) for problem in fair_share(report.problems, MOST)]}


def dated(report: Report, first: dict[tuple[str, str], datetime]) -> Report:
    """The report with a `since` for every problem that is no single customer's: where the problem has none, the moment
    of the first report with it. The caller keeps `first` (that moment, by provider and kind) from one report to the
    next; problems that are over are dropped from it."""
    there = {(problem.provider, problem.kind) for problem in report.problems if not problem.customer_key}
    for gone in first.keys() - there:
        del first[gone]
    for what in there:
        first.setdefault(what, report.at)
    problems = [
        problem
        if problem.customer_key or problem.since is not None
        else problem._replace(since=first[problem.provider, problem.kind])
        for problem in report.problems
    ]
    return report._replace(problems=tuple(problems))


def fair_share(problems: Sequence[Problem], most: int) -> list[Problem]:
    """At most `most` of the problems, in their order: the first of every provider and kind before the second of any, so
    that fifty rejected customers at one provider do not hide the problems of the others."""
    seen: Counter[tuple[str, str]] = Counter()
    ranked = []
    for place, problem in enumerate(problems):
        alike = (problem.provider, problem.kind)
        ranked.append((seen[alike], place))
        seen[alike] += 1
    return [problems[place] for place in sorted(place for _, place in sorted(ranked)[:most])]

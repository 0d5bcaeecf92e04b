"""The name of a customer in a command's output: the key on a terminal, elsewhere the name that logs use (a key or an
alias)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from syncd.source.database import Source
    from syncd.status.facts import Problem, Report
    from syncd.store.database import State


def whom(key: str, *, asked: bool = False) -> str:
    """The name of a customer on stdout. `asked`: a person asked for personal data (`--values`), so it is the key."""
    from syncd.log import customer

    return key if asked or sys.stdout.isatty() else customer(key)


def about(text: str, key: str, *, asked: bool = False) -> str:
    """A sentence or command about this customer, with the name of `whom` in place of the key."""
    from syncd.core.alias import renamed

    shown = whom(key, asked=asked)
    return text if shown == key else renamed(text, key, shown)


def shown_problem(problem: Problem) -> Problem:
    """A problem with the customer's name of `whom` in place of the key."""
    key = problem.customer_key
    command, reason = about(problem.command, key), about(problem.reason, key)
    return problem._replace(customer_key=whom(key), command=command, reason=reason)


def shown_report(report: Report) -> Report:
    """A report with the customers' names of `whom` in place of their keys."""
    return report._replace(problems=tuple(map(shown_problem, report.problems)))


def meant(text: str, state: State, source: Source | None = None) -> str:
    """The key that a person means by this text: the text itself, unless it is the alias of a customer whom state or
    source knows."""
    from syncd.core.alias import is_alias
    from syncd.operate.names import holder

    return (holder(text, state, source) or text) if is_alias(text) else text

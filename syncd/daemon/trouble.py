"""The trouble that keeps the daemon from working: its log event, and the pause until the next try."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from syncd.errors import SafetyStop, SettingsError, SetupNeeded, SourceUnreachable, StateUnreachable, SyncdError
from syncd.log import customer, emit
from syncd.status.facts import Report

AGAIN = 600.0  # seconds after which a standing trouble is told once more
LONGEST_PAUSE = 60.0  # seconds between two tries while a database is away
PERSON_PAUSE = 10.0  # the same while a person must act: the remedy is noticed soon
_COMMAND = re.compile(r"syncd [^`\n]+")
_EVENTS: Sequence[tuple[type[SyncdError], str]] = (
    (SourceUnreachable, "source.unreachable"),
    (StateUnreachable, "state.unreachable"),
    (SafetyStop, "capture.broken"),
    (SetupNeeded, "capture.broken"),
    (SettingsError, "capture.broken"),
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """`event` is "" while the daemon can work. `pause` is in seconds; times are monotonic."""

    event: str = ""
    reason: str = ""
    pause: float = 0.0
    until: float = 0.0
    told: float = 0.0


def stand(before: Trouble, error: Exception, now: float, first_pause: float) -> Trouble:
    """The trouble that an error makes: told when it is new and every ten minutes, with a longer pause each time."""
    event, reason = told_as(error)
    longest = PERSON_PAUSE if event == "capture.broken" else LONGEST_PAUSE
    pause = min(before.pause * 2 or first_pause, longest)
    trouble = Trouble(event, reason, pause, now + pause, before.told)
    if before.event == event and now - before.told < AGAIN:
        return trouble
    command = _COMMAND.search(getattr(error, "remedy", ""))
    emit(event, reason=reason, command=command.group() if command else None, exc=_bug(error))
    return replace(trouble, told=now)


def told_as(error: Exception) -> tuple[str, str]:
    """Under which name an error is told, and how. An error that nobody expected is told by its type alone."""
    if not isinstance(error, SyncdError):
        return "job.failed", type(error).__name__
    event = next((word for kind, word in _EVENTS if isinstance(error, kind)), "job.failed")
    return event, error.message


def _bug(error: Exception) -> Exception | None:
    return None if isinstance(error, SyncdError) else error


def status_line(report: Report, trouble: Trouble) -> str:
    """The truth in one line: the worst problem, or that there is none."""
    if trouble.event:
        return f"STOPPED {trouble.reason}"
    well = sum(line.state == "ok" for line in report.providers)
    told = [f"{report.state}: {well} of {len(report.providers)} providers answer, {report.due()} customers due"]
    if report.problems:
        worst = report.problems[0]
        where = " ".join(word for word in (worst.provider, customer(worst.customer_key), worst.kind) if word)
        told.append(f"worst: {where} ({report.problems_total} in all)")
    return ", ".join(told)

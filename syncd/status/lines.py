"""Reads log lines: plain JSON, JSON behind a prefix, or wrapped by `journalctl -o json`. Any other line is foreign.

Nothing in a line is trusted: it may come from another program, from another version, or from an attacker. So each
function here takes any object and answers a value of its type.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

LONGEST = 200_000
"""Bytes of one line that its readers keep; a snapshot that journald wrapped as a byte array has about 130,000."""

LONGEST_TEXT = 300
"""Characters of one text, as many as the log writes."""

NOUNS = frozenset(
    {
        *("alert", "capture", "config", "conflict", "cycle", "daemon", "drift", "field", "guard", "lane"),
        *("job", "library", "log", "operator", "pair", "provider", "review", "scan", "source", "state", "status"),
    }
)
"""First words of event names. Another program's lines must not pass for a sign of life."""

CUT: Mapping[str, Any] = {"event": "cut"}
"""What stands for a line that `journalctl -o json` left out for its length; `--all` would have kept it."""


def events(lines: Iterable[bytes]) -> Iterator[Mapping[str, Any] | None]:
    """Each line as an event; None for a foreign one. Empty lines are skipped."""
    for line in lines:
        if line.strip():
            yield event_of(line)


def event_of(line: bytes) -> Mapping[str, Any] | None:
    """The event in a line, or None."""
    found = _object(line)
    if found is not None and "event" not in found and "MESSAGE" in found:
        message = found["MESSAGE"]  # journald gives bytes that are no plain text as an array of numbers
        if message is None:
            return CUT
        found = _object(_bytes(message) if isinstance(message, list) else str(message).encode("utf-8", "replace"))
    return found if found is not None and is_ours(found) else None


def is_ours(event: Mapping[str, Any]) -> bool:
    """Whether an object looks like an event of syncd: a name with a known first word, and some text as its time."""
    name = event.get("event")
    return isinstance(name, str) and name.partition(".")[0] in NOUNS and isinstance(event.get("timestamp"), str)


def _object(line: bytes) -> dict[str, Any] | None:
    """The JSON object at the end of a line; a prefix may hold braces of its own."""
    for opening in (b"{", b'{"event"'):
        start = line.find(opening)
        if start >= 0:
            try:
                found = json.loads(line[start:])
            except (ValueError, RecursionError):
                continue
            if isinstance(found, dict):
                return found
    return None


def _bytes(numbers: list[Any]) -> bytes:
    return bytes(number for number in numbers if type(number) is int and 0 <= number < 256)


def moment(value: object) -> datetime | None:
    """A time in UTC from its ISO form; None for anything else, also for one without a zone."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        found = datetime.fromisoformat(value)
        return found.astimezone(UTC) if found.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def text(value: object) -> str:
    """A text that can be shown: printable, bounded; "" for anything else."""
    if not isinstance(value, str):
        return ""
    if value.isprintable() and len(value) <= LONGEST_TEXT:
        return value
    return "".join(letter if letter.isprintable() else "?" for letter in value[:LONGEST_TEXT])


def whole(value: object) -> int:
    """A count, 0 for anything else."""
    return value if type(value) is int and 0 <= value < 2**53 else 0


def seconds(value: object) -> float | None:
    """A length of time in seconds, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < timedelta.max.total_seconds():
        return None
    return float(value)


def table(value: object) -> Mapping[str, Any]:
    """An object, {} for anything else."""
    return value if isinstance(value, dict) else {}


def rows(value: object) -> list[Mapping[str, Any]]:
    """The objects of a list, [] for anything else."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def texts(value: object) -> tuple[str, ...]:
    """The texts of a list, () for anything else."""
    return tuple(shown for item in value if (shown := text(item))) if isinstance(value, list) else ()

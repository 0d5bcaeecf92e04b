"""The notations of `syncd.toml`: durations, rates, guards, choices.

Every parser takes any value of TOML and raises `Wrong`. No message repeats the value: a person may have pasted a secret
into the wrong line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pydantic import BeforeValidator

from syncd.core.guards import Limit
from syncd.core.selection import Condition

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)", re.ASCII)
_RATE = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)/(s|m|h)", re.ASCII)
_LIMIT = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(%?)/(\d{1,9}(?:ms|s|m|h|d))", re.ASCII)
_LONGEST = 3650 * 86400.0
LONGEST_WINDOW = 60 * 86400.0  # seconds that the state keeps counts of operations


class Wrong(ValueError):
    """A value that cannot be used: the reason, and what to write instead."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """`Did you mean x?` for a near miss, else nothing."""
    from difflib import get_close_matches

    near = get_close_matches(str(word), list(known), n=1)
    return f"Did you mean {near[0]}?" if near else ""


def duration(value: object) -> float:
    """Seconds from `200ms`, `5s`, `10m`, `24h`, `7d`; more than nothing and at most ten years."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Wrong("is not a duration.", 'Write a number and a unit: "200ms", "5s", "10m", "24h", "7d".')
    seconds = float(match[1]) * _UNITS[match[2]]
    if not 0 < seconds <= _LONGEST:
        raise Wrong("must be longer than nothing and at most ten years.", 'Write "5s", "10m", "24h" or "7d".')
    return seconds


def rate(value: object) -> float | None:
    """Requests a second from `2/s`, `100/m`, `500/h`; None for `off`."""
    if value == "off":
        return None
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Wrong("is not a rate.", 'Write requests per unit: "2/s", "100/m", or "off".')
    if float(match[1]) == 0:
        raise Wrong("allows no request at all.", 'Write "off" for no limit, or pause the provider with `syncd pause`.')
    return float(match[1]) / _UNITS[match[2]]


def limit(value: object) -> Limit | None:
    """A guard from `50%/24h` or `200/24h`; None for `off`."""
    if value == "off":
        return None
    match = _LIMIT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Wrong("is not a guard.", 'Write a share or a count per window: "5%/24h", "200/24h", or "off".')
    amount, window = float(match[1]), duration(match[3])
    if window > LONGEST_WINDOW:
        raise Wrong("looks back further than 60 days, and no operation is counted for longer.", 'Write "5%/30d".')
    if match[2]:
        if not 0 < amount <= 100:
            raise Wrong("must be more than 0% and at most 100%.", 'Write "5%/24h", or "off" for no guard.')
        return Limit(share=amount / 100, count=None, window=window)
    if amount < 1 or not amount.is_integer():
        raise Wrong("must count whole operations, at least one.", 'A share is written with %, such as "5%/24h".')
    return Limit(share=None, count=int(amount), window=window)


def plain(value: object) -> str:
    """A value of a column, as text: a text, a whole number or a flag in the file."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or (isinstance(value, str) and value):
        return str(value)
    raise Wrong("is not a value of a column.", 'Write a text in quotes, a whole number, or true or false: "1", 1.')


def plain_values(value: object) -> tuple[str, ...]:
    """One value of a column or a list of values, each once."""
    items = value if isinstance(value, list) else [value]
    if not items:
        raise Wrong("must not be empty.", 'Name what the column holds: ["Germany", "Deutschland"].')
    return tuple(dict.fromkeys(plain(item) for item in items))


def condition(value: object) -> Condition:
    """A condition of a filter: `"null"`, `"not null"`, a value, a list of values, or `{ not = [..] }`."""
    if value == "not null":
        return Condition(null=True, negated=True)
    negated = isinstance(value, dict)
    if isinstance(value, dict):
        if set(value) != {"not"}:
            raise Wrong("is not a condition.", 'Write "null", "not null", a value, a list, or { not = [..] }.')
        value = value["not"]
    words = plain_values(value)
    values = tuple(word for word in words if word != "null")
    return Condition(values, null=len(values) < len(words), negated=negated)


def choice(*allowed: str) -> BeforeValidator:
    """A validator for one of a few words."""

    def check(value: object) -> str:
        if isinstance(value, str) and value in allowed:
            return value
        raise Wrong(f"must be one of {', '.join(allowed)}.", did_you_mean(value, allowed))

    return BeforeValidator(check)

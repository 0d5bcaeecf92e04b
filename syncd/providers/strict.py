"""Strict JSON, the time that a provider asks to wait, and text that is never sent.

Python's `json` accepts NaN, duplicate keys, NUL and lone surrogates; each of them breaks something later (a database
refuses the text, the second of two ids wins). A body with one of them is unreadable as a whole, so text with a NUL or a
lone surrogate is not sent either: it would come back in such a body.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from syncd.core.model import Values
from syncd.errors import Rejected

MAX_DEPTH = 64
MAX_DIGITS = 40
SHORTEST_WAIT = 1.0
LONGEST_WAIT = 3600.0
_UNSENDABLE = re.compile("[\\x00\\ud800-\\udfff]")
_DOUBTFUL = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")  # NUL and half a pair come in no other way
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?\Z", re.ASCII)


class Unreadable(ValueError):
    """The body is not strict JSON. The message never quotes it."""


def parse_json(body: bytes) -> Any:
    """The value in `body`; None for an empty one. Raises `Unreadable`.

    Refused: any encoding but UTF-8, a byte order mark, NaN, Infinity, numbers beyond a float or `MAX_DIGITS`,
    duplicate keys, nesting beyond `MAX_DEPTH`, NUL and lone surrogates.
    """
    if not body.strip(b" \t\r\n"):
        return None
    try:
        text = body.decode("utf-8")
        value = _DECODER.decode(text)
    except UnicodeDecodeError:
        raise Unreadable("the body is not UTF-8") from None
    except RecursionError:
        raise Unreadable("the body is nested too deeply") from None
    except Unreadable:
        raise
    except ValueError:
        raise Unreadable("the body is not JSON") from None
    if _DOUBTFUL.search(text):
        _check(value)
    elif text.count("{") + text.count("[") > MAX_DEPTH:
        _check_depth(value)
    return value


def _no_constant(_: str) -> Any:
    raise Unreadable("the body holds NaN or Infinity")


def _int(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise Unreadable("the body holds a number with too many digits")
    return int(digits)


def _float(digits: str) -> float:
    if len(digits) > MAX_DIGITS or not math.isfinite(value := float(digits)):
        raise Unreadable("the body holds a number out of range")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise Unreadable("the body holds a key twice")
    return value


_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_float, parse_int=_int, object_pairs_hook=_object)


def _check(value: Any) -> None:
    """Refuse depth, NUL and surrogates; iterative, so that the depth of a hostile body costs no stack."""
    level = [value]
    depth = 0
    while level:
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                _check_text(item)
            elif isinstance(item, dict):
                below += [*item, *item.values()]
            elif isinstance(item, list):
                below += item
        depth += any(isinstance(item, dict | list) for item in level)
        if depth > MAX_DEPTH:
            raise Unreadable("the body is nested too deeply")
        level = below


def _check_depth(value: Any) -> None:
    """The depth alone."""
    level, depth = [value], 0
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        if depth > MAX_DEPTH:
            raise Unreadable("the body is nested too deeply")
        level = [below for item in level for below in (item.values() if isinstance(item, dict) else item)]


def _check_text(text: str) -> None:
    if text.isascii():
        if "\0" in text:
            raise Unreadable("the body holds a NUL")
        return
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise Unreadable("the body holds half a surrogate pair") from None
    if "\0" in text:
        raise Unreadable("the body holds a NUL")


def is_shown(record: Mapping[str, Any], member: str) -> bool:
    """Whether a member is there as text or null; anything else leaves its field unknown, which is not empty."""
    value = record.get(member, record)  # the record itself is neither: the member is missing
    return value is None or isinstance(value, str)


def sendable(values: Values) -> Values:
    """The same values. Raises `Rejected` for text with a NUL or half a surrogate pair, naming the field."""
    for field, value in values.items():
        if isinstance(value, str) and _UNSENDABLE.search(value):
            raise Rejected(field, "holds a NUL or half a character, and no answer with it could be read; correct it")
    return values


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds to wait, 1 to 3600; None where the provider names none, or no sensible ones.

    `headers` have lower-case names. `Retry-After` (seconds or an HTTP date, RFC 9110 10.2.3) comes first, then
    `X-RateLimit-Retry-After` (seconds), then `X-RateLimit-Reset` (seconds since 1970). Moments are measured against
    the answer's own `Date`, because the provider's clock made both; `now` only serves an answer without one.
    """
    today = _moment(headers.get("date", "")) or now
    waits = (
        _seconds(headers.get("retry-after", "")),
        _until(_moment(headers.get("retry-after", "")), today),
        _seconds(headers.get("x-ratelimit-retry-after", "")),
        _reset(headers.get("x-ratelimit-reset", ""), today),
    )
    for wait in waits:
        if wait is not None:
            return min(max(wait, SHORTEST_WAIT), LONGEST_WAIT)
    return None


def _seconds(text: str) -> float | None:
    return float(text.strip()) if _NUMBER.match(text.strip()) else None


def _reset(text: str, today: datetime) -> float | None:
    moment = _seconds(text)
    return None if moment is None else moment - today.timestamp()


def _until(moment: datetime | None, today: datetime) -> float | None:
    return None if moment is None else (moment - today).total_seconds()


def _moment(text: str) -> datetime | None:
    """An HTTP date. One without a zone is UTC: RFC 9110 knows no other."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

"""An event as one line: ASCII, ordered, bounded; and an exception as fields without its message."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from traceback import walk_tb

LONGEST_LINE = 4000
"""Bytes. Up to 4096 bytes reach a pipe in one piece, also beside other writers (PIPE_BUF of Linux)."""

LONGEST_SNAPSHOT = 32_000
"""Bytes of a `status.snapshot`, which holds the whole status. journald splits a line beyond 48 kB (LineMax)."""

_HEAD = ("event", "level", "timestamp", "run_id")
_DEEPEST = 8


def ordered(event: Mapping[str, object]) -> dict[str, object]:
    """The event with event, level, timestamp and run_id first, and the other keys in their order."""
    head = {word: event[word] for word in _HEAD if word in event}
    return head | {word: value for word, value in event.items() if word not in _HEAD}


def as_json(event: Mapping[str, object]) -> str:
    """One JSON object. While the line is too long, its longest value is shortened or left out; what is lost is counted
    as `dropped`."""
    longest = LONGEST_SNAPSHOT if event.get("event") == "status.snapshot" else LONGEST_LINE
    left = dict(event)
    while len(line := _dumped(left)) > longest:
        dropped = left.pop("dropped", 0)
        word = max((word for word in left if word not in _HEAD), key=lambda word: len(_dumped(left[word])))
        value = left[word]
        if isinstance(value, list) and len(value) > 1:
            left[word] = value[: len(value) // 2]
            lost = len(value) - len(value) // 2
        else:
            del left[word]
            lost = 1
        left["dropped"] = (dropped if isinstance(dropped, int) else 0) + lost
    return line


def as_text(event: Mapping[str, object]) -> str:
    """The line for a person at a terminal: time, level, event, then key=value; tables are left out."""
    rest = [
        f"{word}={value if isinstance(value, str) and value and ' ' not in value else _dumped(value)}"
        for word, value in event.items()
        if word not in _HEAD and not isinstance(value, dict) and not _holds_tables(value)
    ]
    time = str(event.get("timestamp", ""))[11:19]
    text = " ".join([time, f"{event.get('level', ''):<7}", str(event.get("event", "")), *rest])
    return text.encode("ascii", "backslashreplace").decode("ascii")[:LONGEST_LINE]


def described(error: BaseException) -> dict[str, object]:
    """Type, causes and innermost frames of an exception. Its message may hold a customer's values and is not read."""
    codes = [(frame.f_code, line) for frame, line in walk_tb(error.__traceback__)]
    frames = [f"{_short(code.co_filename)}:{line}:{code.co_qualname}" for code, line in codes]
    return {
        "error_type": _type_name(error),
        "caused_by": [_type_name(cause) for cause in _causes(error)] or None,
        "frames": frames[-_DEEPEST:] or None,
    }


def _causes(error: BaseException) -> Iterator[BaseException]:
    for _ in range(_DEEPEST):
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if cause is None:
            return
        yield cause
        error = cause


def _type_name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _short(path: str) -> str:
    """A file's path below site-packages, else its last two parts."""
    return path.rpartition("site-packages/")[2] if "site-packages/" in path else "/".join(path.split("/")[-2:])


def _holds_tables(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict) for item in value)


def _dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))

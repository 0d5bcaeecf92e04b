"""Inputs out of a seed: real ones with pieces cut, doubled or swapped, or replaced by what has broken programs."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

SPITEFUL = (
    "\0", "\x1b[2J", "\u202e", "\ud800", "\r\n", "'", '"', "`", "\\", "%s", "{}", "[" * 400, "{" * 400, "null", "NaN",
    "Infinity", "-0", "1e999", "9" * 400, "true", "[]", "{}", '""', "=1+1", "\ufeff", "é", "Z" * 300, "../..", "@", ",",
    "2026-02-30T25:61:61Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**63, 10**30, 1.5, "", " ", "x" * 5000, "\x1b[2J", "\u202e", [], {}, [None], [[]],
    {"": None}, [{}], "2026-02-30", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00",
)  # fmt: skip


def spoiled(draw: random.Random, text: str) -> bytes:
    """The text with one to four wounds, as bytes; a few of them are no UTF-8."""
    for _ in range(draw.randint(1, 4)):
        at, end = sorted((draw.randint(0, len(text)), draw.randint(0, len(text))))
        end = min(end, at + 40)
        piece = draw.choice(("", text[at:end] * 2, draw.choice(SPITEFUL), chr(draw.randint(0, 0x2FFF))))
        text = text[:at] + piece + text[end:]
    data = text.encode("utf-8", "surrogatepass")
    if draw.random() < 0.1 and data:
        at = draw.randrange(len(data))
        data = data[:at] + bytes([draw.randrange(256)]) + data[at + 1 :]
    return data


def patch(draw: random.Random, record: Mapping[str, Any]) -> dict[str, Any]:
    """Members of a record, or of a table in it, with other values and other types."""
    chosen = draw.sample(sorted(record), min(len(record), draw.randint(1, 3)))
    return {
        name: patch(draw, record[name])
        if isinstance(record[name], dict) and record[name] and draw.random() < 0.5
        else draw.choice(VALUES)
        for name in chosen
    }


def answer(draw: random.Random, record: Mapping[str, Any]) -> str:
    """A body that is nearly the record, in one of the shapes that answers have."""
    shape = draw.choice(("{}", "[{}]", '{{"data": {}}}', '{{"Data": [{}]}}', '{{"items": [{}], "Items": []}}', ""))
    text = shape.format(json.dumps({**record, **patch(draw, record)}, default=str)) if shape else ""
    return spoiled(draw, text).decode("utf-8", "replace") if draw.random() < 0.5 else text

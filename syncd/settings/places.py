"""The line of each key in a TOML file, and the list of the file's problems.

`tomllib` does not tell lines, so `locate` walks the text once more. The text must be one that tomllib has accepted.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from syncd.errors import Problem
from syncd.settings.values import Wrong, did_you_mean

Place = tuple[str | int, ...]

_PART = re.compile(r'[A-Za-z0-9_-]+|"(?:\\.|[^"\\])*"|\'[^\']*\'')
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_ATOM = re.compile(
    r'"""(?:\\[\s\S]|[^\\])*?"""(?:"{0,2})'  # may end in up to two quotes of its own
    r"|'''[\s\S]*?'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'"
    r"|[^\s,\]}#][^,\]}#\n]*"  # numbers, booleans, dates (which may hold a blank)
)


def locate(text: str) -> dict[Place, int]:
    """The line, from 1, of every table, key and array element."""
    return _Scanner(text).document()


class _Scanner:
    """Walks over the text once; `at` is the position, `found` the lines so far."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: dict[Place, int] = {}
        self._newlines = [match.start() for match in re.finditer("\n", text)]
        self._arrays: dict[Place, int] = {}

    def document(self) -> dict[Place, int]:
        table: Place = ()
        while self._skip() < len(self.text):
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)
        return self.found

    def _skip(self) -> int:
        self.at = self._after(_BLANK)
        return self.at

    def _after(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self.text, self.at)
        return match.end() if match else self.at + 1

    def _note(self, place: Place) -> None:
        line = bisect_right(self._newlines, self.at) + 1
        for depth in range(1, len(place) + 1):
            self.found.setdefault(place[:depth], line)

    def _key(self, end: str) -> list[str]:
        """A dotted key up to and including `=` or `]`."""
        parts: list[str] = []
        while self.text[self._skip()] != end:
            if self.text[self.at] == ".":
                self.at += 1
                continue
            start, self.at = self.at, self._after(_PART)
            part = self.text[start : self.at]
            parts.append(tomllib.loads(f"key = {part}")["key"] if part[0] in "\"'" else part)
        self.at += 1
        return parts

    def _header(self) -> Place:
        start, repeated = self.at, self.text.startswith("[[", self.at)
        self.at += 2 if repeated else 1
        parts = self._key("]")
        place: Place = ()
        for part in parts[:-1]:
            place = (*place, part)
            place = (*place, self._arrays[place]) if place in self._arrays else place
        place = (*place, parts[-1])
        if repeated:
            self._arrays[place] = self._arrays.get(place, -1) + 1
            place = (*place, self._arrays[place])
        end, self.at = self.at + repeated, start
        self._note(place)
        self.at = end
        return place

    def _pair(self, table: Place) -> None:
        start = self.at
        place = (*table, *self._key("="))
        end, self.at = self.at, start
        self._note(place)
        self.at = end
        self._skip()
        self._value(place)

    def _value(self, place: Place) -> None:
        opening = self.text[self.at]
        if opening == "[":
            self._items("]", place, self._element)
        elif opening == "{":
            self._items("}", place, lambda place, _: self._pair(place))
        else:
            self.at = self._after(_ATOM)

    def _element(self, place: Place, index: int) -> None:
        self._note((*place, index))
        self._value((*place, index))

    def _items(self, end: str, place: Place, item: Callable[[Place, int], None]) -> None:
        self.at += 1
        index = 0
        while self.text[self._skip()] != end:
            if self.text[self.at] == ",":
                self.at += 1
                continue
            item(place, index)
            index += 1
        self.at += 1


def dotted(place: Place) -> str:
    """A place as text: `source.watch[0].key`."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else f'"{part}"')
    return text


@dataclass(frozen=True, slots=True)
class Findings:
    """The problems of one file, collected instead of raised. `hidden` are secrets, masked in every sentence."""

    file: str
    lines: Mapping[Place, int]
    hidden: list[str] = field(default_factory=list)
    _found: list[tuple[int, Place, Problem]] = field(default_factory=list)

    def add(self, place: Place, reason: str, remedy: str = "") -> None:
        """Add a problem at `place`. Where the file has no such key, the line is that of its table."""
        nearest = place
        while nearest and nearest not in self.lines:
            nearest = nearest[:-1]
        line = self.lines.get(nearest, 0)
        where = f"{self.file}:{line}" if line else self.file
        problem = Problem(f"{where} {dotted(place)}".rstrip(), self._masked(reason), self._masked(remedy))
        self._found.append((line, place, problem))

    def rejected(self, place: Place, error: ValidationError, known: Iterable[str]) -> None:
        """Add what a pydantic model of the table at `place` refused, but for places with a problem already. `known` are
        the keys to suggest for an unknown one."""
        names = list(known)
        for item in error.errors(include_url=False, include_input=False):
            location = tuple(part for part in item["loc"] if part != "[key]")
            if (*place, *location) not in (found for _, found, _ in self._found):
                self.add((*place, *location), *_sentence(dict(item), names))

    def clean(self, *places: Place) -> bool:
        """Whether no problem is known at, above or below any of these places: then a rule between them can be
        judged."""
        bad = [found for _, found, _ in self._found]
        return not any(seen[: len(p)] == p or p[: len(seen)] == seen for seen in bad for p in places)

    def problems(self) -> list[Problem]:
        """The problems, in the order of the file."""
        return [problem for _, _, problem in sorted(self._found, key=lambda found: found[0])]

    def _masked(self, text: str) -> str:
        for secret in self.hidden:
            text = text.replace(secret, "***")
        return text


_SENTENCES = {
    "missing": "is missing.",
    "string_type": "must be text in quotes.",
    "bool_type": "must be true or false.",
    "int_type": "must be a whole number.",
    "float_type": "must be a number.",
    "string_too_short": "must not be empty.",
    "dict_type": "must be a table.",
    "model_type": "must be a table.",
    "list_type": "must be an array.",
}


def _sentence(item: Mapping[str, Any], known: Sequence[str]) -> tuple[str, str]:
    """Reason and remedy of one error of pydantic, in syncd's words."""
    kind, context = item["type"], item.get("ctx", {})
    cause = context.get("error")
    if isinstance(cause, Wrong):
        return cause.reason, cause.remedy
    if kind == "extra_forbidden":
        return "is not a key that syncd knows here.", did_you_mean(item["loc"][-1], known)
    if kind in _SENTENCES:
        return _SENTENCES[kind], ""
    if kind == "greater_than_equal":
        return f"must be at least {context['ge']}.", ""
    if kind == "less_than_equal":
        return f"must be at most {context['le']}.", ""
    text = str(cause) if cause is not None else re.sub(r"^\w+ should", "must", str(item["msg"]))
    return text if text.endswith(".") else f"{text}.", ""

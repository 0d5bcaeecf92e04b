"""CSV cells that a spreadsheet shows as text: keys and ids may be what a stranger typed, such as a formula."""

from __future__ import annotations

import re

from syncd.cli.output import visible

_FORMULA = re.compile(r"^(?:'*[\s\x00-\x20]*[=+\-@|%＝＋－＠]|'*[\t\r\n])")
_NUMBER = re.compile(r"-?\d+")


def cell(text: str) -> str:
    """A cell for a person's eyes: control characters escaped as for a terminal, and `guarded`."""
    return guarded(visible(text))


def guarded(text: str) -> str:
    """The text, with an apostrophe before one that a spreadsheet would take for a formula: `=1+1` becomes `'=1+1`.
    Plain numbers stay as they are."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def unguarded(text: str) -> str:
    """A cell as it was before `guarded`."""
    return text[1:] if text.startswith("'") and guarded(text[1:]) == text else text

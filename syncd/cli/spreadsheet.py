"""Cells that a spreadsheet shows and never computes with."""

from __future__ import annotations

import re

_FORMULA = re.compile(r"^[\s\x00-\x20]*[=+\-@|%＝＋－＠]")
_NUMBER = re.compile(r"-?\d+")


def cell(text: str) -> str:
    """The text with an apostrophe before what a spreadsheet would take for a formula: `=1+1` becomes `'=1+1`.

    Keys and ids are text that strangers may have typed. Plain numbers stay as they are.
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text

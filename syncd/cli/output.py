"""Everything that a command prints goes through here: lines through `echo`, texts for programs through `document`,
table cells through `visible`, JSON through `json_text`.

Names, keys, ids and reasons may be what a stranger typed into a shop. Printed as it is, an ESC clears the terminal, a
line feed forges a line of syncd's, and a bidi override makes one name look like another (CVE-2021-42574). So control
characters are printed as escapes: `\\x1b[2J`. Only `echo` makes line feeds, between two arguments.
"""

from __future__ import annotations

import json
import unicodedata

import click

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that a terminal obeys or does not show: controls, formats (bidi), surrogates, private use,
unassigned, line and paragraph separators."""


def visible(text: str) -> str:
    """The text with an escape for every character of `_UNSEEN`: ESC becomes `\\x1b`."""
    if text.isprintable():
        return text
    return "".join(_escape(letter) if unicodedata.category(letter) in _UNSEEN else letter for letter in text)


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def echo(*lines: str, err: bool = False, nl: bool = True, over: bool = False) -> None:
    """Print each argument as one line; without arguments, an empty line. `over` writes over the present line, for
    progress on a terminal."""
    text = "\n".join(visible(line) for line in lines)
    click.echo(f"\r{text}" if over else text, err=err, nl=nl and not over)


def document(text: str) -> None:
    """Print a text for another program on stdout (HTML, SQL, TOML); its line feeds and tabs stay."""
    click.echo("".join(letter if letter in "\n\t" else visible(letter) for letter in text), nl=False)


def json_text(answer: object) -> str:
    """JSON on one line, readable beyond ASCII; what `visible` escapes is escaped as JSON does it."""
    text = json.dumps(answer, ensure_ascii=False, default=str)
    if text.isprintable():
        return text
    return "".join(json.dumps(letter)[1:-1] if unicodedata.category(letter) in _UNSEEN else letter for letter in text)

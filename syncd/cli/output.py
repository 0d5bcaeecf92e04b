"""The one way out: every line that a command prints goes through `echo`, every cell and JSON text through its kin.

Names, keys, ids and reasons may be what a stranger typed into a shop. Printed as it is, an ESC clears the terminal, a
line feed forges a line of ours, and a bidi override makes one name look like another (CVE-2021-42574). Here they are
text: `\\x1b[2J` stands there to be read. A line feed is ours only between two arguments of `echo`.
"""

from __future__ import annotations

import json
import unicodedata

import click

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that a terminal obeys or does not show: controls, formats (bidi), surrogates, line separators."""


def visible(text: str) -> str:
    """The text with every character that acts instead of being shown as an escape: ESC becomes `\\x1b`."""
    if text.isprintable():
        return text
    return "".join(_escape(letter) if unicodedata.category(letter) in _UNSEEN else letter for letter in text)


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def echo(*lines: str, err: bool = False, nl: bool = True, over: bool = False) -> None:
    """Each argument is one line of its own, whatever it holds; without one, an empty line. `over` begins the line
    anew, for progress on a terminal."""
    text = "\n".join(visible(line) for line in lines)
    click.echo(f"\r{text}" if over else text, err=err, nl=nl and not over)


def document(text: str) -> None:
    """A whole text of ours on stdout, for another program: HTML, SQL, TOML. Its line feeds and tabs stay."""
    click.echo("".join(letter if letter in "\n\t" else visible(letter) for letter in text), nl=False)


def json_text(answer: object) -> str:
    """JSON on one line, readable beyond ASCII; what `visible` escapes is escaped as JSON does it."""
    text = json.dumps(answer, ensure_ascii=False, default=str)
    if text.isprintable():
        return text
    return "".join(json.dumps(letter)[1:-1] if unicodedata.category(letter) in _UNSEEN else letter for letter in text)

"""Street lines and people's names, as Billbee takes them apart. Every split can be joined again without a loss."""

from __future__ import annotations

import re
from typing import Any

from syncd.core.normalise import text

_HOUSE = re.compile(
    r"\s+(?P<number>\d{1,5}(?:\s?[A-Za-z])?(?:\s?[-–/+]\s?\w{1,5})*(?:\s(?:\d/\d|bis|ter|hs|huis|[IVX]{1,4}|[A-Za-z]))?)$"
)
_LETTER = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"\w+")
_TITLES = frozenset({"dr", "prof", "dipl", "ing", "med", "herr", "frau", "hr", "fr", "dhr", "mevr", "mw", "ir", "drs"})
_PARTICLES = frozenset(
    {"von", "vom", "van", "zu", "zum", "zur", "de", "den", "der", "ter", "ten", "da", "di", "du", "la", "le", "'t"}
)


def split_street(street: str | None) -> tuple[str | None, str | None]:
    """Street and house number of a street line.

    Only a number at the end, behind a blank, is split off, so that `join_street` gives the line back (up to the width
    of one blank). All else, such as "12 Rue de la Paix" or "Straße des 17. Juni", stays whole in the street: kept as
    it is, rather than reordered.
    """
    line = text(street)
    match = _HOUSE.search(line or "")
    if line is None or match is None or not _LETTER.search(line[: match.start()]):
        return line, None
    return line[: match.start()], match["number"]


def join_street(street: Any, number: Any) -> str | None:
    """The street line of the two."""
    return joined(street, number)


def split_person(person: str | None) -> tuple[str | None, str | None]:
    """First and last name ("Ines", "van der Berg"); joined with a blank they give the text back."""
    words = (person or "").split()
    start = next((i for i, word in enumerate(words) if word.lower() in _PARTICLES), max(len(words) - 1, 0))
    return " ".join(words[:start]) or None, " ".join(words[start:]) or None


def is_person(name: str | None, first: str | None, last: str | None) -> bool:
    """Whether `name` is only this person's own name, titles and order apart, and so no company."""
    theirs = _words(joined(first, last))
    return bool(theirs) and _words(name) == theirs


def joined(*parts: Any) -> str | None:
    """All texts among `parts`, with blanks between."""
    return text(" ".join(filter(None, map(plain, parts))))


def plain(raw: Any) -> str | None:
    """A text in canonical form; None for what is no text."""
    return text(raw) if isinstance(raw, str) else None


def _words(name: str | None) -> list[str]:
    return sorted(word for word in _WORD.findall((name or "").casefold()) if word not in _TITLES)

"""The kinds of questions that a person may be asked about a pair, and the wording of those that offer records."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

FIELD_KINDS = (
    "conflict",
    "no_base",
    "pull_only",
    "first_seen",
    "read_only",
    "no_row",
    "gutted",
    "erased",
    "other_record",
    "does_not_fit",
    "frozen",
    "renumbered",
    "cannot_clear",
)
PAIR_KINDS = (
    "remote_gone",
    "remote_archived",
    "unknown_create",
    "key_taken",
    "came_back",
    "found",
    "delete_conflict",
    "taken",
)
HELD_KINDS = ("candidate", "ambiguous", "unlinked")
"""Questions that hold back a create until they are answered; they close when the customer is linked or gone."""
SURE = "sure"
_BESIDE = re.compile(r"linked to (\S+), beside (\S+): ")
BESIDE = "beside the linked record"
"""How the tombstone is marked of a second record, which a person ordered to be linked or our create made."""
_OFFER = re.compile(r"(?P<how>\w+) match with (?P<ids>\S+(?:, \S+)*): (?P<why>.*)|remote (?P<one>\S+) looks like")


class Offer(NamedTuple):
    """The records that a question offers: how sure the match report was (`how`), their ids, and its reasons (`why`)."""

    how: str = ""
    ids: tuple[str, ...] = ()
    why: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        """The offer in words, from which `offer_in` reads it again."""
        return f"{self.how} match with {', '.join(self.ids)}: {', '.join(self.why)}"


def offer_in(reason: str) -> Offer:
    """The records that a question offers; an empty offer where it names none."""
    found = _OFFER.match(reason)
    if found is None:
        return Offer()
    if found["one"]:
        return Offer(ids=(found["one"],))
    return Offer(found["how"], tuple(found["ids"].split(", ")), tuple(found["why"].split(", ")))


def in_words(ids: Sequence[str], why: Sequence[str], how: str) -> str:
    """The wording of a question that offers these records."""
    return Offer(how, tuple(ids), tuple(why)).said


def ordered_beside(linked: str, made: str) -> str:
    """The wording of the question where a person ordered one record to be linked, and our create made another."""
    return f"linked to {linked}, beside {made}: a person ordered the first, and our create made the second"


def made_beside(linked: str, ordered: str) -> str:
    """The wording of the same question where our create was answered first, and its record is linked."""
    return f"linked to {linked}, beside {ordered}: a person ordered the second while the first was being linked"


def both_in(reason: str) -> tuple[str, ...]:
    """The two records of such a question, the linked one first; empty for any other question."""
    found = _BESIDE.match(reason)
    return found.groups() if found is not None else ()

"""Whose key is it now? What the rows of the change log say, in their order: who is due and why, who has which key.

A run follows them in the state (`capture`), a plan in its mind (`operate.foresight`): by these same rules.

    row of the log                      who had the new key before       the customer with the new key
    2 gets the key 5                    nobody                           is 2, with everything known of him
    2 goes, then 1 gets the key 2       keeps record and link as `2†9`   is 1 (a shop merged two customers)
    1 and 2 swap by way of 9            is 2                             is 1
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from syncd.source.changelog import Entry


class Names(Protocol):
    """Who is known by which key."""

    def is_taken(self, key: str) -> bool:
        """Whether this key holds a link, or a create of unknown outcome, at any provider."""

    def has_left(self, key: str) -> bool:
        """Whether an earlier row of the log has told that this key's row was deleted, and no look has seen it."""

    def make_way(self, key: str) -> str | None:
        """The first owner of the key gets a name that no row has; answers it, or None where nobody is known by the
        key."""

    def move(self, old: str, new: str) -> None:
        """Everything that is known under the old key is known under the new one."""


def reasons(
    entries: Iterable[Entry], names: Names, marked: Callable[[Entry], None], *, followed: Callable[[Entry], bool]
) -> dict[str, str]:
    """Why each customer is due, by the key that is his at the end. `marked` hears of every row in its turn, `followed`
    tells of a changed key that was followed before a crash, and is not followed again: a swap that is followed twice
    would give everybody the other one's record."""
    changed: dict[str, str] = {}
    for entry in entries:
        if entry.op == "T":
            marked(entry)
            continue
        if rekeys(entry) and not followed(entry):
            _follow(names, entry, changed)
        marked(entry)
        changed[entry.key] = reason_of(entry, changed.get(entry.key, "changed"))
    return changed


def rekeys(entry: Entry) -> bool:
    """Whether a row got another key."""
    return bool(entry.was) and entry.was != entry.key


def _follow(names: Names, entry: Entry, changed: dict[str, str]) -> None:
    """Whatever is known of the customer moves along. Who had the new key before left it: he is somebody else, and keeps
    link and record under a name of his own, as a customer that is gone."""
    assert entry.was is not None  # noqa: S101 - told by `rekeys`
    moves = names.is_taken(entry.was)
    left = changed.get(entry.key) == "deleted" or names.has_left(entry.key)
    first = names.make_way(entry.key) if moves or left else None
    if first is not None:
        changed[first] = "deleted"
    if not names.is_taken(entry.key):
        names.move(entry.was, entry.key)
    changed[entry.key] = changed.pop(entry.was, "changed")
    changed.setdefault(entry.was, "changed")


def reason_of(entry: Entry, before: str) -> str:
    """Why a customer is due after one more row. What happened to the row itself outweighs what happened beside it."""
    if not entry.table or entry.op not in {"I", "D"}:
        return "changed" if before == "deleted" and entry.op != "D" else before
    return "inserted" if entry.op == "I" else "deleted"

"""Whose key is it now? The rows of the change log, read in order: who is due and why, and who has which key.

By these rules a run changes the keys in the state (`capture`), and a plan foretells them (`operate.foresight`).

    row of the log                      who had the new key before       the customer with the new key
    2 gets the key 5                    no customer had it               is 2, with its links and open intents
    2 goes, then 1 gets the key 2       keeps record and link as `2†9`   is 1 (a shop merged two customers)
    1 and 2 swap by way of 9            is 2                             is 1
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from syncd.source.changelog import Entry


class Names(Protocol):
    """The keys under which the state, or a plan, knows customers."""

    def is_taken(self, key: str) -> bool:
        """Whether this key holds a link, or a create of unknown outcome, at any provider."""

    def has_left(self, key: str) -> bool:
        """Whether an earlier row of the log says that this key's row was deleted, and no look has seen that yet."""

    def to_former_key(self, key: str) -> str | None:
        """Move the first owner of this key to a former key (`2†9`). Answers the former key, or None where the key has
        no owner."""

    def move(self, old: str, new: str) -> None:
        """Move everything that the state has under the old key to the new one."""


def reasons(
    entries: Iterable[Entry], names: Names, marked: Callable[[Entry], None], *, followed: Callable[[Entry], bool]
) -> dict[str, str]:
    """The reason why each customer is due, by its key after all these rows. `marked` is called with every row in turn.
    `followed` tells whether a changed key was followed before a crash. Such a row is not followed again: a swap that is
    followed twice gives each customer the other's record."""
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


def replaced(entries: Iterable[Entry]) -> set[str]:
    """Keys whose row was deleted and inserted again. A person's order about the first owner (`link`) does not hold for
    such a key, because the row may be another customer's."""
    gone, anew = set[str](), set[str]()
    for entry in entries:
        if entry.table and entry.op == "D":
            gone.add(entry.key)
        elif entry.table and entry.op == "I" and entry.key in gone:
            anew.add(entry.key)
    return anew


def rekeys(entry: Entry) -> bool:
    """Whether this row of the log says that a customer row got another key."""
    return bool(entry.was) and entry.was != entry.key


def _follow(names: Names, entry: Entry, changed: dict[str, str]) -> None:
    """A row got another key: everything that the state has of its customer moves along. The first owner of the new key
    is another customer: its link moves to a former key, and it is looked at as deleted."""
    assert entry.was is not None  # noqa: S101 - told by `rekeys`
    moves = names.is_taken(entry.was)
    left = changed.get(entry.key) == "deleted" or names.has_left(entry.key)
    first = names.to_former_key(entry.key) if moves or left else None
    if first is not None:
        changed[first] = "deleted"
    if not names.is_taken(entry.key):
        names.move(entry.was, entry.key)
    changed[entry.key] = changed.pop(entry.was, "changed")
    changed.setdefault(entry.was, "changed")


def reason_of(entry: Entry, before: str) -> str:
    """The reason why a customer is due after one more row of the log. An insert or deletion of the row itself outweighs
    a change of its joined rows."""
    if not entry.table or entry.op not in {"I", "D"}:
        return "changed" if before == "deleted" and entry.op != "D" else before
    return "inserted" if entry.op == "I" else "deleted"

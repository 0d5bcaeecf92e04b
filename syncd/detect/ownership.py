"""Whose key is it now? The rows of the change log, read in order: who is due and why, and who has which key.

row of the log                      who had the new key before       the customer with the new key
2 gets the key 5                    no customer had it               is 2, with its links and open intents
2 goes, then 1 gets the key 2       keeps record and link as `2†9`   is 1 (a shop merged two customers)
1 and 2 swap by way of 9            is 2                             is 1
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from syncd.core.model import Intent, Pair, former
from syncd.source.changelog import Entry
from syncd.store import mapping, work
from syncd.store.database import Transaction


class Rekeyed(NamedTuple):
    """Everything that the state has of one customer moves to another key. `succeeded`: to a former key, because another
    customer has its key now."""

    old: str
    new: str
    succeeded: bool = False


class Inserted(NamedTuple):
    """A row that our own inbound create inserted, and the open intent of that insert. `links`: the row is to be linked
    to the record that it came from."""

    pair: Pair
    intent: Intent
    links: bool


@dataclass
class Owners:
    """Who has which key after the rows of the log so far, over what the state has. Reads only; `steps` lists what has
    to change in the state.

    `before` maps a key to the key under which the state knows its customer, "" for none. `ours` are the pairs of rows
    that we inserted ourselves, `adopted` those of them that are to be linked, with the open intent. `left`:
    keys whose deletion no look has seen yet, told by rows that now count for another customer. `number` answers a
    number that no former key has.
    """

    tx: Transaction
    number: Callable[[], int]
    before: dict[str, str] = field(default_factory=dict)
    steps: list[Rekeyed | Inserted] = field(default_factory=list)
    ours: set[Pair] = field(default_factory=set)
    adopted: dict[Pair, Intent] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)

    def stored(self, key: str) -> str:
        """The key under which the state knows the customer that has this key; "" for none."""
        return self.before.get(key, key)

    def is_taken(self, key: str) -> bool:
        """Whether this key holds a link, or a create of unknown outcome, at any provider."""
        if any(pair.key == key for pair in self.adopted):
            return True
        stored = self.stored(key)
        return bool(stored) and mapping.is_taken(self.tx, stored)

    def has_left(self, key: str) -> bool:
        """Whether an earlier row of the log says that this key's row was deleted, and no look has seen that yet."""
        stored = self.stored(key)
        gone = bool(stored) and any(item.reason == "deleted" for item in work.of_customer(self.tx, stored))
        return gone or key in self.left

    def to_former_key(self, key: str) -> str | None:
        """Move the first owner of this key to a former key (`2†9`). Answers the former key, or None where the key has
        no owner."""
        if not self.is_taken(key):
            return None
        first = former(key, self.number())
        self.move(key, first, succeeded=True)
        return first

    def move(self, old: str, new: str, *, succeeded: bool = False) -> None:
        """Move everything that the state has under the old key to the new one."""
        if self.has_left(new) or old in self.left:
            self.left.add(new)
        self.left.discard(old)
        self.before[new], self.before[old] = self.stored(old), ""
        self.adopted = {_under(pair, old, new): intent for pair, intent in self.adopted.items()}
        self.ours = {_under(pair, old, new) for pair in self.ours}
        self.steps.append(Rekeyed(old, new, succeeded))


def _under(pair: Pair, old: str, new: str) -> Pair:
    return Pair(pair.provider, new) if pair.key == old else pair


def reasons(
    entries: Iterable[Entry], owners: Owners, marked: Callable[[Entry], None], *, followed: Callable[[Entry], bool]
) -> dict[str, str]:
    """The reason why each customer is due, by its key after all these rows. `marked` is called with every row that
    names a customer. `followed` tells whether a changed key was followed before a crash. Such a row is not followed
    again: a swap that is followed twice gives each customer the other's record."""
    changed: dict[str, str] = {}
    for entry in entries:
        if entry.op == "T":  # a TRUNCATE names nobody
            continue
        if rekeys(entry) and not followed(entry):
            _follow(owners, entry, changed)
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


def _follow(owners: Owners, entry: Entry, changed: dict[str, str]) -> None:
    """A row got another key: everything that the state has of its customer moves along. The first owner of the new key
    is another customer: its link moves to a former key, and it is looked at as deleted."""
    assert entry.was is not None  # noqa: S101 - told by `rekeys`
    moves = owners.is_taken(entry.was)
    left = changed.get(entry.key) == "deleted" or owners.has_left(entry.key)
    first = owners.to_former_key(entry.key) if moves or left else None
    if first is not None:
        changed[first] = "deleted"
    if not owners.is_taken(entry.key):
        owners.move(entry.was, entry.key)
    changed[entry.key] = changed.pop(entry.was, "changed")
    changed.setdefault(entry.was, "changed")


def reason_of(entry: Entry, before: str) -> str:
    """The reason why a customer is due after one more row of the log. An insert or deletion of the row itself outweighs
    a change of its joined rows."""
    if not entry.table or entry.op not in {"I", "D"}:
        return "changed" if before == "deleted" and entry.op != "D" else before
    return "inserted" if entry.op == "I" else "deleted"

"""The order among groups of one lane that are at work at the same time: the order in which they were taken.

Threads end their readings in any order. Where a guard's limit is near, pairs must pass the guard in the order in which
they became due, as a plan has foretold, and not in the order in which their records were read.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable


class Turns:
    """The groups that have not passed their guards, in the order in which they were taken. A look outside of `drain`
    draws no turn and waits for no group."""

    def __init__(self) -> None:
        self._open: list[frozenset[str]] = []
        self._moved = threading.Condition()

    def draw(self, keys: Iterable[str]) -> None:
        """These customers are taken as one group, behind all others."""
        with self._moved:
            self._open.append(frozenset(keys))

    def ahead(self, key: str) -> int:
        """How many pairs are in the groups before this customer's."""
        with self._moved:
            return self._ahead(key)

    def come(self, key: str) -> None:
        """Wait until all groups before this customer's have passed. A thread works on each of them, so all of them
        end."""
        with self._moved:
            self._moved.wait_for(lambda: self._ahead(key) == 0)

    def over(self, key: str) -> None:
        """This customer's group has passed its guards, or has ended without asking them; a second call changes
        nothing."""
        with self._moved:
            self._open = [group for group in self._open if key not in group]
            self._moved.notify_all()

    def _ahead(self, key: str) -> int:
        position = next((at for at, group in enumerate(self._open) if key in group), 0)
        return sum(len(group) for group in self._open[:position])

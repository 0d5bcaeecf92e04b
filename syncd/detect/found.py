"""What detection finds, as values: pairs that are worth a look, why, and how far a walk has come.

The walks only read. A run stores each step (`keep`); `syncd plan` collects the same steps and stores none.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from syncd.core.model import Pair
from syncd.store import progress, work
from syncd.store.database import Transaction


class Advance(NamedTuple):
    """A position goes on, under the name that it has in the state."""

    name: str
    before: str
    after: str


class Found(NamedTuple):
    """One step of a walk. `drifted`: those pairs whose row changed without a mark. `by_row`: the
    pairs were found by their rows, and those that are due already need no mark. `ends_pass`: with this step the
    provider's pass over all rows and links is over."""

    pairs: Sequence[Pair]
    reason: str
    advances: tuple[Advance, ...] = ()
    drifted: Sequence[Pair] = ()
    by_row: bool = False
    ends_pass: bool = False


def keep(tx: Transaction, found: Found, now: datetime) -> bool:
    """Mark the pairs, and store the positions. Answers False where somebody has set back a position meanwhile: the walk
    has to begin anew, so it must not go on over the new position. Example: a lane is in the middle of its first pass,
    and capture reads that the table was truncated."""
    work.mark(tx, found.pairs, found.reason, now)
    if any(progress.cursor(tx, each.name) != each.before for each in found.advances):
        return False
    for each in found.advances:
        progress.set_cursor(tx, each.name, each.after)
    return True

"""`syncd mark`: a webhook says that records changed at a provider; only their external ids are passed on.

The webhook's notice becomes a mark. A look reads both sides, so a forged, repeated or late notice costs one reading and
does no harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from syncd.store import mapping, work
from syncd.store.database import State

NOTIFIED = "notified"


@dataclass(frozen=True, slots=True)
class Marked:
    """The keys of customers that are due now, and the external ids that are linked to no customer."""

    due: tuple[str, ...]
    unknown: tuple[str, ...]


def mark(state: State, provider: str, external_ids: Sequence[str], now: datetime) -> Marked:
    """Make the pairs linked to these records due; unknown ids are left to the provider's next scan."""
    wanted = list(dict.fromkeys(external_ids))
    with state.begin() as tx:
        links = mapping.by_external_id(tx, provider, wanted)
        work.mark(tx, [link.pair for link in links.values()], NOTIFIED, now)
    due = tuple(links[each].pair.key for each in wanted if each in links)
    return Marked(due, tuple(each for each in wanted if each not in links))

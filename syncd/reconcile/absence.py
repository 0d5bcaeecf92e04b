"""What is known about a source row that a look did not find: a deletion is believed on proof alone.

Proof is a trigger's mark on the table itself, a row that counts as deleted (`[source.deleted]`), or two looks a minute
apart that find the row nowhere. A view that no longer shows the row, and an empty source, prove nothing. A filter of
the settings proves only that the customer is excluded. After a person's release of an operation that a guard held back,
the two looks are not repeated.
"""

from __future__ import annotations

from datetime import datetime

from syncd.core.endings import ABSENT_AGAIN
from syncd.core.facts import Departure
from syncd.core.guards import GRANTED
from syncd.core.model import Work
from syncd.reconcile.route import Route
from syncd.source import customers


def departed(route: Route, work: Work, *, proven: bool) -> Departure:
    """Ask the source once more. `proven`: an earlier look proved the deletion, and its question to a person is open."""
    presence = customers.presence(route.source, work.pair.key)
    if presence.in_view:
        return Departure.BACK  # the next look reads it
    if presence.deleted:
        return Departure.GONE  # the row is there, and counts as deleted
    if presence.outside:
        return Departure.OUT_OF_SCOPE
    if presence.in_table:
        shown = work.error_class == GRANTED + "unlink"  # looked at twice before the guard held it back
        return Departure.OUT_OF_SCOPE if shown or _looked_before(route, work) else Departure.UNPROVEN
    if customers.count(route.source) == 0:
        return Departure.EMPTY
    if proven or work.reason == "deleted" or work.error_class == GRANTED + "delete" or _looked_before(route, work):
        return Departure.GONE
    return Departure.UNPROVEN


def _looked_before(route: Route, work: Work) -> bool:
    """Whether an earlier look, at least a minute ago, did not find the row either; marks in between change nothing."""
    if work.error_class != "absent" or not work.error:
        return False
    return (route.clock.now() - datetime.fromisoformat(work.error)).total_seconds() >= ABSENT_AGAIN

"""The pull: a compare-and-set write into the source row."""

from __future__ import annotations

from syncd.core.case import Decided
from syncd.core.effects import Stale, Stored
from syncd.core.model import Customer, Values
from syncd.errors import Rejected
from syncd.reconcile.route import Route
from syncd.source import customers

BUSY_PAUSE = 5.0  # seconds until a locked source row is tried again


def pull(route: Route, decided: Decided, values: Values) -> Stored | Stale:
    """Write the values, if the row still is as it was read; `Stale` when the row changed since or is locked, or when
    the lease is about to run out.

    A field that its column refuses is left out of the next try. One intent covers all tries, since a refused try writes
    nothing.
    """
    progress, wanted = decided.progress, dict(values)
    assert progress is not None  # noqa: S101 - made by `exchange`
    refused: list[str] = []
    while wanted:
        written = customers.update(route.source, progress.customer, wanted, f"syncd:{route.provider}", route.lane.owned)
        match written:
            case customers.Written(customer):
                return Stored(customer=customer, refused=tuple(refused))
            case customers.Refused(name, _):
                refused.append(name if name in wanted else next(iter(wanted)))
                del wanted[refused[-1]]
            case customers.Busy():
                return Stale(BUSY_PAUSE)
            case _:
                return Stale()
    return Stored(refused=tuple(refused))


def projection(route: Route, customer: Customer | None) -> Values:
    """The row as this provider should hold it; where the provider's rules refuse the row, the row itself."""
    if customer is None:
        return {}
    try:
        return route.adapter.project(customer.values)
    except Rejected:
        return customer.values

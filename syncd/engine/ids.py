"""Keeping the column for external ids as the links are: after each group of looks, for the customers looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from syncd.core.model import Work
from syncd.reconcile import Route
from syncd.source import ids
from syncd.store import mapping


def linked_ids(route: Route, works: Sequence[Work]) -> dict[str, str]:
    """The external id of each of these customers that is linked; nothing where nobody wants them recorded."""
    if route.source.id_column is None:
        return {}
    with route.state.read() as tx:
        links = mapping.read_many(tx, route.provider, [work.pair.key for work in works])
    return {key: link.external_id for key, link in links.items() if link.external_id is not None}


def record_ids(route: Route, works: Sequence[Work], before: Mapping[str, str]) -> None:
    """Write what the looks linked, and empty what they unlinked. What an earlier system left in the column of a
    customer who was never linked stays."""
    if route.source.id_column is None:
        return
    now = linked_ids(route, works)
    gone = [key for key in before if key not in now]
    held = ids.held_ids(route.source, gone)
    emptied = {key: None for key in gone if held.get(key) == before[key]}
    ids.record(route.source, route.provider, {**now, **emptied})

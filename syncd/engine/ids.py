"""The source's column for external ids (`id_column`): written after each group of looks, for the group's customers.

A process may die between a look and the write to the column. So a note of the group is stored before the look and
deleted once the column is written. A note that a dead process left is worked off before the lane takes more pairs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from syncd.core.model import Work
from syncd.reconcile import Route
from syncd.source import ids
from syncd.store import mapping, progress
from syncd.store.database import Transaction


@contextmanager
def ids_recorded(route: Route, works: Sequence[Work]) -> Iterator[None]:
    """Wrap a group of looks: afterwards the column holds the ids of customers that the looks linked, and is empty for
    customers that they unlinked. Where a customer was never linked, an id that an earlier system wrote stays."""
    if route.source.id_column is None:
        yield
        return
    keys = [work.pair.key for work in works]
    with route.state.fenced(route.lease) as tx:
        noted = _noted(tx, route)
        linked = _linked(tx, route, [key for key in keys if key not in noted])
        _note(tx, route, {**{key: linked.get(key, "") for key in keys}, **noted})
    yield
    _record(route, keys)


def work_off_notes(route: Route) -> None:
    """Write the ids of notes that are left over: their process died, or their row was locked."""
    if route.source.id_column is None:
        return
    with route.state.read() as tx:
        noted = list(_noted(tx, route))
    if noted:
        _record(route, noted)


def _record(route: Route, keys: Sequence[str]) -> None:
    with route.state.read() as tx:
        noted, now = _noted(tx, route), _linked(tx, route, keys)
    before = {key: noted[key] for key in keys if noted.get(key) and key not in now}
    held = ids.held_ids(route.source, list(before))
    emptied = {key: None for key, external_id in before.items() if held.get(key) == external_id}
    missed = ids.write_ids(route.source, route.provider, {**now, **emptied})
    again = {key for key in missed if key in emptied or ids.fits(route.source, now[key])}
    with route.state.fenced(route.lease) as tx:
        left = {key: id_ for key, id_ in _noted(tx, route).items() if key not in keys or key in again}
        _note(tx, route, left)


def _linked(tx: Transaction, route: Route, keys: Sequence[str]) -> dict[str, str]:
    links = mapping.read_many(tx, route.provider, keys)
    return {key: link.external_id for key, link in links.items() if link.external_id is not None}


def _noted(tx: Transaction, route: Route) -> dict[str, str]:
    """The notes by customer key: the external id that was linked before the look, "" for none."""
    noted: dict[str, str] = json.loads(progress.cursor(tx, f"ids:{route.provider}") or "{}")
    return noted


def _note(tx: Transaction, route: Route, noted: Mapping[str, str]) -> None:
    progress.set_cursor(tx, f"ids:{route.provider}", json.dumps(dict(noted)) if noted else "")

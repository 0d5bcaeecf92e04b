"""`syncd links`: the list of all links, for the shop's own use. No values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from syncd.core.model import Link
from syncd.store import mapping
from syncd.store.database import State

PAGE = 500


def linked(state: State, providers: Sequence[str]) -> Iterator[Link]:
    """Every pair that holds an external id, by provider as given and then by key.

    Each page is a reading transaction of its own, so that a long list delays no writer. A link that is made meanwhile
    may be missing.
    """
    for provider in providers:
        after = ""
        while page := _page(state, provider, after):
            yield from (link for link in page if link.external_id is not None)
            after = page[-1].pair.key


def _page(state: State, provider: str, after: str) -> list[Link]:
    with state.read() as tx:
        return mapping.page(tx, provider, after, PAGE)

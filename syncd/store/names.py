"""The keys of all customers that the state knows, to look up an alias."""

from __future__ import annotations

import sqlalchemy as sa

from syncd.store.database import State
from syncd.store.schema import event, mapping, review, work


def known_keys(state: State) -> list[str]:
    """The keys of links, due pairs, questions and histories, each once."""
    tables = (mapping, work, review, event)
    with state.read() as tx:
        return [key for (key,) in tx.execute(sa.union(*(sa.select(table.c.customer_key) for table in tables))) if key]

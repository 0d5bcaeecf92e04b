"""Find the customer of an alias: logs and pages say `key-…` where the key itself may name a person."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from syncd.core.alias import alias
from syncd.source import customers
from syncd.source.database import Source
from syncd.store.database import State
from syncd.store.names import known_keys

PAGE = 1000


def holder(text: str, state: State, source: Source | None = None) -> str | None:
    """The key with this alias, or the key that is spelled like `text`; None where there is none. The state is asked
    first; in the source every key is compared."""
    found = None
    for key in chain(known_keys(state), _in_source(source) if source is not None else ()):
        if key == text:
            return key
        if found is None and alias(state.key, key) == text:
            found = key
    return found


def _in_source(source: Source) -> Iterator[str]:
    after: str | None = None
    while page := customers.page(source, after, PAGE):
        yield from (customer.key for customer in page)
        after = page[-1].key

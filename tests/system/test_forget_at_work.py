"""`syncd forget` beside a daemon that is at work on that very customer: what comes late hits nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from syncd.core.model import State as Shown
from syncd.engine.run import Installation, Options, run_cycle
from syncd.errors import ProviderError, Rejected, Temporary
from syncd.operate.erase import forget
from syncd.store import events, journal, mapping, review, work
from tests.clock import VirtualClock
from tests.contract.shop import Shop
from tests.system.shelf import NAME, Shelf, shelved


def traces(made: Installation, key: str) -> list[object]:
    """Everything in the state that names a customer."""
    with made.state.read() as tx:
        found: list[object] = [*mapping.of_customer(tx, key), *work.of_customer(tx, key), *events.events(tx, key)]
        found += [*journal.intents(tx, NAME, [key]).get(key, ()), *review.reviews(tx, key=key)]
    return found


def at_request(made: Installation, number: int, then: Exception | None) -> Callable[[str], None]:
    """A provider in whose `number`-th request about the customer he is forgotten; afterwards it answers, or fails like
    this."""
    asked: list[str] = []

    def before(key: str) -> None:
        asked.append(key)
        if key == "N1" and asked.count(key) == number:
            forget(made, "1")
            if then is not None:
                raise then

    return before


@pytest.mark.parametrize("then", [None, Temporary("503"), Rejected("name", "too long")])
@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("known", [False, True])
def test_nothing_of_a_forgotten_customer_comes_back(
    sqlite_shop: Shop, known: bool, number: int, then: ProviderError | None
) -> None:
    """Forgotten between reading and writing, or while a create or an update is on its way: no row comes back, whatever
    the provider answers; the next customer is worked on as ever."""
    shelf = Shelf()
    sqlite_shop.tables()
    with sqlite_shop.source() as source, shelved(source, {NAME: shelf}, clock=VirtualClock()) as made:
        sqlite_shop.run("INSERT INTO customers (id, number, company) VALUES (1, 'N1', 'One'), (2, 'N2', 'Two')")
        if known:
            run_cycle(made, Options())
            sqlite_shop.run("UPDATE customers SET company = 'New' WHERE id < 3")
        shelf.before = at_request(made, number, then)
        run_cycle(made, Options(look=False))

        assert traces(made, "1") == []
        assert shelf.records["N2"]["name"] == ("New" if known else "Two")
        with made.state.read() as tx:
            assert mapping.counts(tx)[NAME][Shown.LINKED] == 1

"""A provider's changes while its neighbour is in trouble: nobody waits for the slowest.

Two providers behind the daemon's real polls, with the state in memory. Requests are counted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from syncd.engine.loop import dismiss, gather, poll, steady
from syncd.engine.run import Installation, Options, run_cycle
from syncd.errors import OutcomeUnknown, Temporary, Throttled, Unauthorized
from tests.contract.shop import Shop, shop
from tests.system.shelf import Shelf, shelved

CUSTOMERS, REQUEST = 25, 0.02  # seconds
POISON = "N20"
BOUND = 60.0  # seconds until changes that do not come are given up: an end, and no measure


def _sound(_key: str) -> None:
    time.sleep(REQUEST)


def _hangs(_key: str) -> None:
    time.sleep(0.3)
    raise OutcomeUnknown("no answer in time")


def _down(_key: str) -> None:
    raise Temporary("503", status=503)


def _slows_down(_key: str) -> None:
    raise Throttled("429", status=429, retry_after=1.0)


def _refuses(_key: str) -> None:
    raise Unauthorized("401", status=401)


def _poisoned(key: str) -> None:
    time.sleep(REQUEST)
    if key == POISON:
        raise Temporary("always fails")


NEIGHBOURS: dict[str, Callable[[str], None] | None] = {
    "nobody": None,
    "sound": _sound,
    "hangs": _hangs,
    "answers 503": _down,
    "answers 429": _slows_down,
    "answers 401": _refuses,
    "one poison record": _poisoned,
}


def reached(directory: Path, beside: str) -> int:
    """How many requests a sound provider gets until it has a change of every customer, by the condition of the one
    beside it; one that hangs does so until then. Raises `TimeoutError` where the changes do not come."""
    directory.mkdir()
    done = threading.Event()

    def hangs(_key: str) -> None:
        done.wait(BOUND)

    trouble = NEIGHBOURS.get(beside, hangs)
    with (
        shop(f"sqlite:///{directory}/shop.db") as place,
        _installed(place, alone=trouble is None) as (made, shelf, other),
    ):
        other.before = trouble or _sound
        place.run("UPDATE customers SET company = 'Changed'")
        before, asked, work, end = len(shelf.writes), shelf.requests, steady(made), time.monotonic() + BOUND
        while len(shelf.writes) - before < CUSTOMERS and time.monotonic() < end:
            poll(work, 0.02)
        took, all_there = shelf.requests - asked, len(shelf.writes) - before >= CUSTOMERS
        done.set()
        for route in made.routes:
            route.lane.stop.set()
        while work.crew.busy():
            gather(work, 1.0)
        dismiss(work)
    if not all_there:
        raise TimeoutError(f"beside one that {beside}")
    return took


@contextmanager
def _installed(place: Shop, *, alone: bool) -> Iterator[tuple[Installation, Shelf, Shelf]]:
    well, other = Shelf(), Shelf()
    place.tables()
    rows = ", ".join(f"({key}, 'N{key}', 'Firm {key}')" for key in range(1, CUSTOMERS + 1))
    place.run(f"INSERT INTO customers (id, number, company) VALUES {rows}")
    shelves = {"well": well} if alone else {"other": other, "well": well}
    with place.source() as source, shelved(source, shelves) as made:
        run_cycle(made, Options())
        yield made, well, other

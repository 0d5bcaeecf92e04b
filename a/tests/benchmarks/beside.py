"""How long a provider's changes take while its neighbour is in trouble: nobody waits for the slowest.

Two providers behind the daemon's real polls, on the real clock, with the state in memory so that no disk is measured.
Of some rounds the quickest counts: it was disturbed least. Only the ratio of two figures of one run says anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from syncd.engine.loop import dismiss, gather, poll, steady
from syncd.engine.run import Installation, Options, run_cycle
from syncd.errors import OutcomeUnknown, Temporary, Throttled, Unauthorized
from tests.contract.shop import Shop, shop
from tests.system.shelf import Shelf, shelved

CUSTOMERS, ROUNDS, REQUEST = 25, 3, 0.02  # seconds
POISON = "N20"


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


def neighbours(directory: Path, names: tuple[str, ...] = tuple(NEIGHBOURS)) -> dict[str, float]:
    """Seconds until a sound provider has a change of every customer, by the condition of the one beside it."""
    return {name: _measured(directory / name.replace(" ", "-"), _sound, NEIGHBOURS[name]) for name in names}


def own_poison(directory: Path) -> float:
    """The same, alone, where the provider's own lane holds one record that fails for ever: until all others have it."""
    return _measured(directory / "own-poison", _poisoned, None)


def _measured(directory: Path, well: Callable[[str], None], beside: Callable[[str], None] | None) -> float:
    directory.mkdir()
    with (
        shop(f"sqlite:///{directory}/shop.db") as place,
        _installed(place, alone=beside is None) as (made, shelf, other),
    ):
        shelf.before, other.before = well, beside or _sound
        expected = CUSTOMERS - (1 if well is _poisoned else 0)
        return min(_round(made, place, shelf, (turn, expected)) for turn in range(ROUNDS))


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


def _round(made: Installation, place: Shop, well: Shelf, wanted: tuple[int, int]) -> float:
    turn, expected = wanted
    place.run(f"UPDATE customers SET company = 'Changed {turn}'")
    before, began, work = len(well.writes), time.perf_counter(), steady(made)
    while len(well.writes) - before < expected:
        poll(work, 0.02)
    took = time.perf_counter() - began
    made.stop.set()
    while work.crew.busy():
        gather(work, 1.0)
    dismiss(work)
    made.stop.clear()
    return took

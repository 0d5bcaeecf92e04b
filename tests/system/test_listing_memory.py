"""What is kept of a listing while it is compared: canonical fields, never the provider's whole records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakSet

import pytest

from syncd.core.model import Cursor, Page, Remote
from syncd.engine.run import Options, run_cycle
from syncd.operate.dry_run import plan
from syncd.operate.match import Notes, accept, survey
from syncd.operate.reading import chosen
from syncd.operate.rekey import rekey
from syncd.operate.verify import Audit, audit
from syncd.runtime.installation import Installation
from tests.clock import VirtualClock
from tests.contract.shop import Shop
from tests.system.shelf import Shelf
from tests.system.test_faults import SCAN, add, site

PAGES, SIZE = 10, 20


class Raw(dict[str, Any]):
    """A record as the provider sent it, of which a weak reference can be held."""

    __hash__ = object.__hash__  # type: ignore[assignment]


@dataclass
class Paged(Shelf):
    """A listing of several pages, each of records with all that the provider said; `most` is how many such records were
    alive at once while the pages were read."""

    alive: WeakSet[Raw] = field(default_factory=WeakSet)
    most: int = 0

    def scan(self, cursor: Cursor | None) -> Iterator[Page]:
        keys = list(self.records)
        for start in range(0, len(keys), SIZE):
            following = Cursor(str(start + SIZE)) if start + SIZE < len(keys) else None
            yield Page(tuple(self._whole(key) for key in keys[start : start + SIZE]), following, len(keys))
            self.most = max(self.most, len(self.alive))

    def _whole(self, key: str) -> Remote:
        raw = Raw(self.records[key])
        self.alive.add(raw)
        return self._remote(key)._replace(raw=raw)


def _match(made: Installation) -> None:
    (route,) = chosen(made, ())
    assert survey(made, route, Notes()).counts["sure"] == PAGES * SIZE


def _plan(made: Installation) -> None:
    assert len(plan(made, chosen(made, ()), scan=True).operations) == PAGES * SIZE


def _verify(made: Installation) -> None:
    (route,), result = chosen(made, ()), Audit()
    audit(made, route, 1.0, result)
    assert result.checked == {"shelf": PAGES * SIZE}


def _run(made: Installation) -> None:
    run_cycle(made, SCAN)


def _rekey(made: Installation) -> None:
    run_cycle(made, Options(scan=True, exclusive=True))
    assert rekey(made, lambda: b"another key of at least 32 characters", lambda _done: None).links == PAGES * SIZE


@pytest.mark.parametrize(
    "look", [_run, *(pytest.param(look, marks=pytest.mark.long) for look in (_match, _plan, _verify, _rekey))]
)
def test_whole_records_are_not_kept(sqlite_shop: Shop, look: Callable[[Installation], None]) -> None:
    """Of a listing of ten pages the whole records of two are alive at most: the one in hand and the one that comes."""
    shelf = Paged(lists=True)
    numbers = range(1, PAGES * SIZE + 1)
    with site(sqlite_shop, shelf, VirtualClock()) as made:
        add(sqlite_shop, 1, PAGES * SIZE)
        shelf.records = {f"N{n}": {"name": f"Firm {n}", "email": f"k{n}@example.com", "street": None} for n in numbers}
        if look is not _match:
            (route,) = chosen(made, ())
            accept(made, route, survey(made, route, Notes()).lines)
            shelf.most = 0
        look(made)
    assert 0 < shelf.most <= 2 * SIZE

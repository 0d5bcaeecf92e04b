"""A record that says which version it is: what was agreed with it once needs no second look, and nothing is missed."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from syncd.core.digest import digester
from syncd.core.model import Cursor, FieldBase, Link, Page, Pair, Remote, State
from syncd.core.writes import is_news, versioned
from syncd.engine.run import run_cycle
from syncd.providers.adapter import Capabilities, Identity
from syncd.reconcile.gather import look_up
from syncd.store import mapping
from tests.clock import VirtualClock
from tests.contract.shop import Shop
from tests.system.shelf import ABLE, KEY, NAME, Shelf
from tests.system.test_faults import SCAN, add, site

DIGEST = digester(KEY, "acme", "N1")
BASE = {name: FieldBase(DIGEST(name, "x"), DIGEST(name, name)) for name in ("name", "email")}
LINK = Link(Pair("acme", "1"), "N1", "c1", {}, BASE, State.LINKED)
REMOTE = Remote("c1", "N1", {"name": "name", "email": "email"}, version="7")


def test_a_version_is_remembered_where_everything_agrees() -> None:
    """And then it alone says that there is nothing new."""
    known = versioned(LINK, REMOTE, DIGEST)

    assert known.version == "7"
    assert not is_news(known, REMOTE._replace(values={"name": "another"}), DIGEST)
    assert is_news(known, REMOTE._replace(values={"name": "another"}, version="8"), DIGEST)
    assert is_news(known, REMOTE._replace(archived=True), DIGEST)


@pytest.mark.parametrize(
    ("link", "remote"),
    [
        (LINK._replace(state=State.REVIEW), REMOTE),
        (LINK, REMOTE._replace(provisional=True)),
        (LINK, REMOTE._replace(archived=True)),
        (LINK, REMOTE._replace(version=None)),
        (LINK, REMOTE._replace(values={"name": "name", "email": "edited"})),
        (LINK._replace(base={**BASE, "name": BASE["name"]._replace(provisional=True)}), REMOTE),
    ],
    ids=["asked about", "a promise", "archived", "without", "edited", "to be confirmed"],
)
def test_a_version_is_forgotten_where_anything_is_open(link: Link, remote: Remote) -> None:
    """What was remembered before goes, too."""
    assert versioned(link._replace(version="6"), remote, DIGEST).version is None


def version(made: object, key: str) -> str | None:
    with made.state.read() as tx:  # type: ignore[attr-defined]
        link = mapping.read(tx, Pair(NAME, key))
    return link.version if link is not None else None


def test_the_mapping_keeps_what_a_listing_is_compared_with(sqlite_shop: Shop) -> None:
    """Created, listed, edited on either side: the version follows, a listing of the same one asks for no record, and an
    edit is pulled as soon as the version says so."""
    shelf, clock = Shelf(lists=True, versions={"N1": "1", "N2": "1"}), VirtualClock()
    with site(sqlite_shop, shelf, clock) as made:
        add(sqlite_shop, 1, 2)
        run_cycle(made, SCAN)
        assert (version(made, "1"), version(made, "2")) == ("1", "1")

        asked = shelf.requests
        shelf.records["N1"]["name"] = "behind the back of the version"
        run_cycle(made, SCAN)
        assert shelf.requests == asked + 1  # the listing

        shelf.versions["N1"] = "2"
        run_cycle(made, SCAN)
        assert sqlite_shop.value("SELECT company FROM customers WHERE id = 1") == "behind the back of the version"
        assert version(made, "1") == "2"

        shelf.before = lambda _key: shelf.versions.update(N2="3")
        sqlite_shop.run("UPDATE customers SET company = 'Renamed' WHERE id = 2")
        run_cycle(made, SCAN)
        assert shelf.records["N2"]["name"] == "Renamed"
        assert version(made, "2") == "3"


# -- a listing is not kept ------------------------------------------------------------------------------------------

CROWD, PAGE = 50_000, 250
ROOM = 20e6  # bytes: 400 a record. Its raw form alone is more than five times that


@dataclass
class Crowd(Shelf):
    """A provider that can only be listed, of very many people, each with a long raw record."""

    fetched: int = 0

    @property
    def capabilities(self) -> Capabilities:
        return ABLE._replace(identity=Identity.SCAN, lists=True)

    def scan(self, cursor: Cursor | None) -> Iterator[Page]:
        for start in range(0, CROWD, PAGE):
            yield Page(tuple(person(number) for number in range(start, start + PAGE)), None, CROWD)

    def fetch(self, external_id: str) -> Remote | None:
        self.fetched += 1
        return person(int(external_id))


def person(number: int) -> Remote:
    values = {name: f"{name} of {number}" for name in ("name", "email", "street")}
    return Remote(str(number), f"N{number}", values, {"id": str(number)}, raw={"native": f"{number}" * 400, **values})


@pytest.mark.long
def test_a_listing_of_fifty_thousand_is_ids(sqlite_shop: Shop) -> None:
    """What is kept of a provider that can only be listed are keys and ids; a record with our key is read by itself."""
    crowd = Crowd()
    with site(sqlite_shop, crowd, VirtualClock()) as made:
        (route,) = made.routes
        route = replace(route, adapter=crowd)
        tracemalloc.start()
        try:
            nobody = look_up(route, "nobody", {}, since=None)
            kept, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        (found,) = look_up(route, "N4711", {}, since=None)

    assert (nobody, crowd.fetched) == ([], 1)
    assert (found.external_id, found.values["name"]) == ("4711", "name of 4711")
    assert kept < ROOM
    assert peak < 1.2 * ROOM

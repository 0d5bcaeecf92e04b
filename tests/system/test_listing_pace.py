"""First contact at the provider's pace: what a listing shows is not fetched again; a write is preceded by a reading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from syncd.engine.run import run_cycle
from syncd.operate.match import Notes, accept, survey
from syncd.operate.reading import chosen
from syncd.providers.adapter import Capabilities, Identity
from syncd.reconcile.gather import look_up
from syncd.sandbox.twin import Twin
from syncd.store import mapping
from tests.clock import VirtualClock
from tests.contract.shop import Shop
from tests.system.landscape import Landscape, landscape
from tests.system.shelf import ABLE, Shelf
from tests.system.test_faults import SCAN, add, site

CUSTOMERS, DIFFERENT = 40, 5
READS = {
    "aiotic": 1,
    "jtl": 1,
    "billbee": 3,
}  # of one record for one write; Billbee's addresses are records of their own


@pytest.fixture(params=["billbee", *(pytest.param(n, marks=pytest.mark.long) for n in READS if n != "billbee")])
def land(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Landscape]:
    """Forty customers who are all at the provider already, five of them with another city."""
    with landscape(tmp_path, CUSTOMERS, (request.param,), create="after-match") as made:
        made.sql("UPDATE customers SET name = name || ' ' || id")
        with made.site(exclusive=False) as site:
            (route,) = chosen(site, ())
            for row in made.rows():
                key = row.pop("id")
                values = row | ({"city": "Anderswo"} if key <= DIFFERENT else {})
                route.adapter.create(row["number"], route.adapter.project(values))
        made.run()  # settings are known, and everybody waits for `adopt`
        yield made


def requests(twin: Twin, since: int) -> Counter[str]:
    """Requests by what they do: listing pages, reads of one record, writes."""
    kinds: Counter[str] = Counter()
    for entry in twin.log[since:]:
        if entry.method in {"POST", "PUT", "PATCH", "DELETE"}:
            kinds["write"] += "token" not in entry.path
        else:
            kinds["one" if "<" in entry.route else "list"] += 1
    return kinds


def test_a_listing_is_read_once_and_nobody_is_fetched_to_be_compared(land: Landscape) -> None:
    """match, adopt and plan read the listing alone; the run reads it once more and, of those whom it writes, each right
    before his write; verify reads the listing alone."""
    (name,) = land.names
    twin = land.twin(name)
    for words in (("match", name), ("adopt", name, "--yes"), ("plan",)):
        since = len(twin.log)
        assert land.said(*words).code == 0
        made = requests(twin, since)
        assert (made["one"], made["write"]) == (0, 0), words
        assert 0 < made["list"] <= 3, words
    since = len(twin.log)
    result = land.run()
    made = requests(twin, since)
    assert result.counts[name].get("updated") == DIFFERENT
    writes = made["write"]
    assert writes == DIFFERENT
    read = {entry.path for entry in twin.log[since:] if entry.method == "GET" and "<" in entry.route}
    assert len(read) == READS[name] * writes  # by path: a reading that waited too long for its write is made again
    assert made["list"] <= 3
    assert len(land.twin(name).records) == CUSTOMERS
    with land.site(exclusive=False) as site, site.state.read() as tx:
        assert sum(link.external_id is not None for link in mapping.page(tx, name, "", 100)) == CUSTOMERS
    since = len(twin.log)
    land.said("verify")
    made = requests(twin, since)
    assert (made["one"], made["write"]) == (0, 0)


def test_who_is_only_here_is_looked_up_in_the_listing(land: Landscape) -> None:
    """plan and verify ask nobody for customers whom a complete listing did not show."""
    (name,) = land.names
    twin = land.twin(name)
    land.sql(
        "INSERT INTO customers (number, name, email, street, postal_code, city, country, vat_number)"
        " SELECT 'N' || id, 'Neu ' || id, 'neu' || id || '@x.example', 'Weg 1', '10317', 'Berlin', 'DE',"
        " 'DE7' || (10000000 + id) FROM customers"
    )
    land.said("adopt", name, "--yes")
    for words in (("plan", "--json"), ("verify",)):
        since = len(twin.log)
        answer = land.said(*words)
        made = requests(twin, since)
        assert (made["one"], made["write"]) == (0, 0), words
        assert 0 < made["list"] <= 3, words
        if "--json" in words:
            assert answer.data["counts"]["create"] == CUSTOMERS


def test_an_edit_between_listing_and_write_is_not_lost(sqlite_shop: Shop) -> None:
    """Who is written is read right before it: what a person typed after the listing comes to the source with the same
    look. Who was only compared is linked as the listing showed him, and the next scan sees the edit."""
    shelf, clock = Shelf(lists=True), VirtualClock()

    def typed(key: str) -> None:
        if key:
            shelf.records["N1"]["street"] = "Typed 1"
            shelf.records["N2"]["street"] = "Typed 2"

    with site(sqlite_shop, shelf, clock) as made:
        add(sqlite_shop, 1, 2)
        shelf.records = {f"N{n}": {"name": f"Firm {n}", "email": f"k{n}@example.com", "street": None} for n in (1, 2)}
        shelf.records["N1"]["email"] = None
        (route,) = chosen(made, ())
        accept(made, route, survey(made, route, Notes()).lines)
        shelf.before, asked = typed, shelf.requests
        run_cycle(made, SCAN)
        assert shelf.writes == ["N1"]
        assert shelf.requests - asked == 3  # the listing, and for the one who is written a reading and a write
        assert sqlite_shop.value("SELECT street FROM customers WHERE id = 1") == "Typed 1"
        assert shelf.records["N1"] == {"name": "Firm 1", "email": "k1@example.com", "street": "Typed 1"}
        run_cycle(made, SCAN)
        assert sqlite_shop.value("SELECT street FROM customers WHERE id = 2") == "Typed 2"
        assert shelf.writes == ["N1"]


@dataclass
class Listed(Shelf):
    """A provider that can only be listed."""

    @property
    def capabilities(self) -> Capabilities:
        return ABLE._replace(identity=Identity.SCAN, lists=True)


def test_a_listing_proves_nothing_about_a_create_that_settled_later(sqlite_shop: Shop) -> None:
    """In one long pass a customer is looked up in the listing of its beginning; a create whose answer is lost after it
    is looked up in a new one, which serves all that had settled when it began."""
    shelf, clock = Listed(lists=True), VirtualClock()
    with site(sqlite_shop, shelf, clock) as made:
        (route,) = (replace(each, adapter=shelf) for each in made.routes)
        begun = route.clock.now()
        assert look_up(route, "N1", {}, since=None) == []
        shelf.records["N1"] = {"name": "Firm 1"}
        clock.advance(60)
        settled = route.clock.now()
        assert look_up(route, "N1", {}, since=None) == look_up(route, "N1", {}, since=begun) == []
        asked = shelf.requests
        assert [each.key for each in look_up(route, "N1", {}, since=settled)] == ["N1"]
        assert look_up(route, "N2", {}, since=settled) == []
        assert shelf.requests == asked + 2  # a listing, and the record that it named

"""A customer changes in a real database and arrives at all five providers: the whole road, on each database."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.sandbox.five import NAMES
from tests.contract.shop import Shop
from tests.system.people import EXPECTED, Person, people, seen, shares_email
from tests.system.road import Road, road

FEW, ALL = 100, 500  # among a hundred there is every kind of street, number, place, name and shared address


@pytest.mark.parametrize(
    ("fixture", "count"),
    [
        ("sqlite_shop", FEW),
        pytest.param("sqlite_shop", ALL, marks=pytest.mark.long),
        *(pytest.param(name, FEW, marks=pytest.mark.long) for name in ("postgres_shop", "mariadb_shop")),
        *(pytest.param(name, ALL, marks=pytest.mark.rare) for name in ("postgres_shop", "mariadb_shop")),
    ],
)
def test_awkward_customers_reach_all_five_once_and_right(
    fixture: str, count: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """German and Dutch customers are at each provider once, every mapped field right; the next run writes nothing;
    a changed e-mail is one write a provider, and so are ten edits between two runs."""
    any_shop: Shop = request.getfixturevalue(fixture)
    everybody = people(count)
    with road(any_shop, tmp_path, count) as way, way.opened():
        first = way.run()
        assert first.total("retry", "ambiguous", "dead", "rejected") == 0
        parked = _expect_all(way, everybody)
        before = way.requests()
        again = way.run()
        assert way.requests() == before
        assert again.captured == 0
        assert again.total("created", "updated", "pulled") == 0
        _one_changed_email(way, everybody[6])
        _ten_edits(way, everybody[8])
        _expect_all(way, [p for p in everybody if p.key not in {7, 9}], parked)
        if any_shop.dialect == "sqlite":
            way.silent()


def _expect_all(way: Road, everybody: list[Person], parked: set[int] | None = None) -> set[int]:
    """Every customer's raw record at every provider; answers those that Azotte's unique e-mail keeps out."""
    left_out = set[int]()
    for name in NAMES:
        linked = set[str]()
        for person in everybody:
            link = way.link(name, person.key)
            if link.external_id is None:
                assert name == "azotte"
                assert shares_email(person)
                left_out.add(person.key)
                continue
            linked.add(link.external_id)
            wanted = EXPECTED[name](person)
            assert seen(way.twin(name).records[link.external_id], wanted) == wanted
        if parked is None:
            assert linked == way.twin(name).records.keys()
            assert len(linked) == len(everybody) - (len(left_out) if name == "azotte" else 0)
    if parked is None:
        doubled = [person for person in everybody if shares_email(person) and person.key % 25 == 0]
        assert len(left_out) == len(doubled)
        items = way.reviews("azotte")
        assert {item.kind for item in items} == {"taken"}
        assert {int(item.customer_key) for item in items} == left_out
    return left_out


def _one_changed_email(way: Road, person: Person) -> None:
    before = way.requests()
    way.change(person.key, e_mail="neu@example.org")
    way.run()
    assert {name: count - before[name] for name, count in way.requests().items()} == dict.fromkeys(NAMES, 1)
    for name in NAMES:
        wanted = EXPECTED[name](person.changed(e_mail="neu@example.org"))
        assert seen(way.record(name, person.key), wanted) == wanted


def _ten_edits(way: Road, person: Person) -> None:
    before = way.requests()
    for i in range(10):
        way.change(person.key, e_mail=f"stand{i}@example.org", mobile=f"+49 170 999{i:04d}")
    way.run()
    for name, count in way.requests().items():
        written = {e.path for e in way.twin(name).log if e.wrote}
        assert written, name
        assert count - before[name] == 1, name
        wanted = EXPECTED[name](person.changed(e_mail="stand9@example.org", mobile="+49 170 9990009"))
        assert seen(way.record(name, person.key), wanted) == wanted

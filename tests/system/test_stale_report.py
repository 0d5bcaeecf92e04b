"""A match report that is older than the customers it is about."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.operate.reading import chosen
from tests.system.landscape import Landscape, landscape
from tests.system.test_first_contact import rows

NAMES = ("aiotic", "jtl", "billbee")


@pytest.fixture
def land(tmp_path: Path) -> Iterator[Landscape]:
    """Six customers who are at three providers already, and a report about them that nobody has accepted yet."""
    with landscape(tmp_path, 6, NAMES, create="after-match") as made:
        made.sql("UPDATE customers SET name = name || ' ' || id, phone = '+49 30 770' || id")
        with made.site(exclusive=False) as site:
            for route in chosen(site, NAMES):
                for row in rows(made):
                    row.pop("id")
                    route.adapter.create(str(row["number"]), route.adapter.project(row))
        assert made.said("match", "--all", "--out", str(made.directory / "reports")).code == 0
        yield made


def names(land: Landscape, provider: str) -> dict[str, str]:
    """What the provider calls the customers with these numbers."""
    with land.site(exclusive=False) as site:
        (route,) = chosen(site, [provider])
        return {
            str(remote.key): str(remote.values["name"]) for page in route.adapter.scan(None) for remote in page.remotes
        }


STRANGER = """INSERT INTO customers (id, number, name, email, city, country, language)
VALUES (3, '7003', 'Zwiebelkuchen Holding', 'zwiebel@elsewhere.example', 'Bonn', 'DE', 'de')"""
REPLACED = ("DELETE FROM customers WHERE id = 3", STRANGER)
SWAPPED = tuple(f"UPDATE customers SET id = {new} WHERE id = {old}" for old, new in ((3, 99), (4, 3), (99, 4)))


@pytest.mark.parametrize("captured", [pytest.param(True, marks=pytest.mark.long), False])
@pytest.mark.parametrize("change", [REPLACED, SWAPPED], ids=["replaced", "swapped"])
def test_a_stale_report_links_nobody_to_a_stranger(land: Landscape, change: tuple[str, ...], *, captured: bool) -> None:
    """Key 3 is somebody else's by the time the report is accepted: no record is written over with his values."""
    before = {name: names(land, name) for name in NAMES}
    for statement in change:
        land.sql(statement)
    if captured:
        land.run()
    assert land.said("adopt", "--all", str(land.directory / "reports"), "--yes").code == 0
    for _ in range(2):
        land.run(scan=True)
    for name in NAMES:
        now = names(land, name)
        assert {number: now[number] for number in before[name]} == before[name]
    moved_along = change == SWAPPED and not captured  # each order went with its customer
    assert asked(land) == ([] if moved_along else [(name, "ambiguous") for name in sorted(NAMES)])


def asked(land: Landscape) -> list[tuple[str, str]]:
    """The questions about key 3."""
    items = land.said("review", "list", "--json").data["items"]
    return sorted((item["provider"], item["kind"]) for item in items if item["customer_key"] == "3")


@pytest.mark.parametrize(("word", "stays"), [("--link", False), pytest.param("--create", True, marks=pytest.mark.long)])
def test_what_a_person_then_says_of_the_two_is_final(land: Landscape, word: str, *, stays: bool) -> None:
    """The question offers the record of the report; a person links it all the same, or has a new one created."""
    for statement in REPLACED:
        land.sql(statement)
    land.run()
    assert land.said("adopt", "jtl", str(land.directory / "reports" / "jtl.csv"), "--yes").code == 0
    land.run()
    (item,) = land.said("review", "list", "--provider", "jtl", "--json").data["items"]
    external_id = next(each for each in item["reason"].replace(":", "").split() if each.isdigit() or "-" in each)
    answer = land.said("review", "resolve", str(item["id"]), word, *([external_id] if word == "--link" else []))
    assert answer.code == 0, answer.err
    for _ in range(2):
        land.run()
    now = names(land, "jtl")
    assert (now["7003"], "1003" in now) == ("Zwiebelkuchen Holding", stays)
    assert [name for name, kind in asked(land) if kind in {"ambiguous", "candidate"}] == []


def test_a_candidate_that_is_somebody_else_by_now_is_asked_about_again(land: Landscape) -> None:
    """A person links all candidates of a list that is older than the customer: who became somebody else is not one."""
    report = land.directory / "reports" / "jtl.csv"
    report.write_text(report.read_text(encoding="utf-8").replace("jtl,sure,3,", "jtl,probable,3,"), encoding="utf-8")
    assert land.said("adopt", "jtl", str(report), "--yes").code == 0
    for statement in REPLACED:
        land.sql(statement)
    before = names(land, "jtl")
    assert land.said("review", "resolve", "--kind", "candidate", "--provider", "jtl", "--link", "--yes").code == 0
    for _ in range(2):
        land.run()
    now = names(land, "jtl")
    assert {number: now[number] for number in before} == before
    assert asked(land) == [("jtl", "ambiguous")]


@pytest.mark.parametrize("part", [False, True])
def test_a_report_from_before_a_loss_of_links_is_refused(tmp_path: Path, *, part: bool) -> None:
    """At first contact everybody was new. Once the customers are created, the provider is removed and put back: by that
    report they are new again, and Billbee, which cannot be asked for a number, would get each a second time."""
    with landscape(tmp_path, 3, ("billbee",), create="after-match") as land:
        report = land.directory / "billbee.csv"
        assert land.said("match", "billbee", "--out", str(report)).code == 0
        assert land.said("adopt", "billbee", str(report), "--yes").code == 0
        land.run()
        assert land.remotes() == {"billbee": 3}
        settings = land.config.read_text(encoding="utf-8")
        land.change("[providers.billbee]", '[providers.other]\nadapter = "billbee"')
        assert land.said("provider", "remove", "billbee", "--yes").code == 0
        land.config.write_text(settings, encoding="utf-8")
        os.utime(report, (1_700_000_000, 1_700_000_000))
        if part:
            report.rename(f"{report}.part")
            again = land.said("match", "billbee", "--out", str(report))
            assert "goes on from" not in again.err
        else:
            answer = land.said("adopt", "billbee", str(report), "--yes")
            assert answer.code == 2
            assert f"syncd match billbee --out {report}" in answer.err
            land.run()
            assert land.said("match", "billbee", "--out", str(report)).code == 0
        assert land.said("adopt", "billbee", str(report), "--yes").code == 0
        land.run()
        assert land.remotes() == {"billbee": 3}

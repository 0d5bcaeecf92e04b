"""Providers that already have hundreds of customers: match, adopt, and not one duplicate."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from syncd.core.model import Value
from syncd.operate.reading import chosen
from syncd.sandbox.faults import Fault
from syncd.store import mapping
from tests.system.landscape import Landscape, landscape

LISTING = ("aiotic", "jtl", "billbee")
BLIND = ("invisible_collector", "azotte")  # no listing: only a look-up by our key
TABLES = ("mapping", "work", "review", "intent", "tombstone", "event", "meta", "cursor", "provider_state")


def stranger(which: int, **values: Value) -> dict[str, Value]:
    """Somebody whom the shop does not know."""
    return {
        "name": f"Quaderstein Holding {which}",
        "first_name": "Ilse",
        "last_name": "Quaderstein",
        "email": f"quader{which}@elsewhere.example",
        "phone": f"+49 40 77{which:05d}",
        "street": "Elsewhere 1",
        "postal_code": "20095",
        "city": "Hamburg",
        "country": "DE",
        "vat_number": f"DE9{which:08d}",
        "language": "de",
    } | values


def rows(land: Landscape) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(land.shop)) as shop:
        shop.row_factory = sqlite3.Row
        return [dict(row) for row in shop.execute("SELECT * FROM customers ORDER BY id")]


def existing(land: Landscape, name: str) -> Iterator[tuple[str, Mapping[str, Value]]]:
    """What the provider has before syncd comes, as (number, values); the numbers of rows are those of the groups."""
    for row in rows(land):
        key = row.pop("id")
        values: dict[str, Value] = dict(row)
        if key <= 200:
            yield str(row["number"]), values
        elif key <= 240 and name in LISTING:  # same VAT id, a number of the provider's own
            yield str(9000 + key), values | {"number": str(9000 + key), "name": "Umbenannt & Co"}
        elif 240 < key <= 260 and name in LISTING:  # same e-mail and name
            yield str(9000 + key), values | {"number": str(9000 + key), "vat_number": None}
        elif 260 < key <= 270 and name in LISTING:  # twice there
            for copy in (9300, 9600):
                number = str(copy + key)
                yield number, values | {"number": number, "email": f"copy{number}@example.com", "phone": None}
        elif 270 < key <= 280:  # our number, and somebody else
            yield str(row["number"]), stranger(key, number=row["number"])
    for other in range(8001, 8021):
        yield str(other), stranger(other, number=str(other))


def fill(land: Landscape, names: tuple[str, ...]) -> None:
    with land.site(exclusive=False) as site:
        for route in chosen(site, names):
            for number, values in existing(land, route.provider):
                route.adapter.create(number, route.adapter.project(values))


def contents(path: Path) -> dict[str, list[Any]]:
    with closing(sqlite3.connect(path)) as state:
        return {table: state.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}


@pytest.mark.long
@pytest.mark.timeout(600)
def test_thousands_of_existing_customers_get_not_one_duplicate(tmp_path: Path) -> None:
    """match tells apart who is who, adopt and a run link, fill and create exactly that, and the next run is silent."""
    with landscape(tmp_path, 320, create="after-match") as land:
        land.sql("UPDATE customers SET name = name || ' ' || id")  # else some share name and address
        land.sql("UPDATE customers SET phone = '+49 30 770' || id WHERE phone IS NULL AND street IS NULL")
        fill(land, land.names)
        before = land.remotes()
        assert before == dict.fromkeys(LISTING, 310) | dict.fromkeys(BLIND, 230)
        writes = land.writes()
        land.run()
        assert land.writes() == writes, "nothing is written before a report is accepted"
        listing = {
            "sure": 240,
            "probable": 20,
            "ambiguous": 20,
            "only_here": 40,
            "only_there": 20,
            "duplicate_there": 10,
        }
        blind = {
            "sure": 200,
            "probable": 0,
            "ambiguous": 10,
            "only_here": 110,
            "only_there": 0,
            "duplicate_there": 0,
        }
        for name in land.names:
            report = tmp_path / f"{name}.csv"
            found = land.said("match", name, "--out", str(report), "--json")
            assert found.code == 0, found.err
            assert found.data["counts"] == (listing if name in LISTING else blind), name
            accepted = land.said("adopt", name, str(report), "--yes", "--json")
            assert accepted.code == 0, accepted.err
            counts = found.data["counts"]
            assert accepted.data["accepted"]["linked"] == counts["sure"]
            assert accepted.data["accepted"]["review"] == counts["probable"] + counts["ambiguous"]
        land.run(wait=30.0)
        after = dict.fromkeys(LISTING, 350) | dict.fromkeys(BLIND, 340)
        assert land.remotes() == after
        land.run(scan=True, wait=30.0)
        writes = land.writes()
        land.run(scan=True, wait=30.0)
        assert (land.writes(), land.remotes()) == (writes, after)
        strangers = [r for r in land.twin("jtl").records.values() if "Quaderstein" in str(r["BillingAddress"])]
        assert len(strangers) == 30, "nobody else's record was overwritten"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Landscape]:
    """Three customers and two providers, one that lists and one that does not, each with existing records."""
    with landscape(tmp_path, 3, ("aiotic", "invisible_collector"), create="after-match") as land:
        with land.site(exclusive=False) as site:
            for route in chosen(site, ()):
                for row in rows(land)[:2]:
                    values = {k: v for k, v in row.items() if k != "id"}
                    values |= {"city": None, "phone": "+49 40 1234567"}
                    route.adapter.create(row["number"], route.adapter.project(values))
        yield land


def test_match_leaves_no_trace(small: Landscape) -> None:
    """A match report changes nothing at the provider and nothing in the state."""
    small.run()
    before, writes = contents(small.state), small.writes()
    for name in small.names:
        assert small.said("match", name).code == 0
    assert small.writes() == writes
    assert contents(small.state) == before


def test_adopt_needs_a_yes_without_a_terminal(small: Landscape) -> None:
    """Without a terminal nothing waits for input: adopt shows, changes nothing and exits 5."""
    answer = small.said("adopt", "aiotic")
    assert answer.code == 5
    assert "syncd adopt aiotic --yes" in answer.err
    small.run()
    assert small.remotes()["aiotic"] == 2


def test_adoption_fills_empty_sides_as_the_report_said(small: Landscape) -> None:
    """A field that is empty on one side is filled, one that differs follows the policy; the report names both."""
    report = small.directory / "m.csv"
    small.said("match", "aiotic", "--out", str(report))
    with report.open(encoding="utf-8") as file:
        lines = {line["customer_key"]: line for line in csv.DictReader(file)}
    assert (lines["1"]["kind"], lines["1"]["fills"]) == ("sure", "city | phone")
    assert lines["2"]["differs"] == "phone"
    assert small.said("adopt", "aiotic", "--yes").code == 0
    planned = small.said("plan", "--provider", "aiotic", "--json").data["counts"]
    assert planned == {"adopt": 2, "update": 2, "pull": 1, "create": 1}
    small.run()
    records = small.twin("aiotic").records
    assert records["1001"]["city"] == "Berlin"
    assert small.row(1)["phone"] == "+49 40 1234567"
    assert records["1002"]["phone_number"] == small.row(2)["phone"]


def test_an_edited_report_is_what_counts(small: Landscape) -> None:
    """adopt FILE does what the file says: a line changed from sure to ambiguous asks instead of linking."""
    report = small.directory / "m.csv"
    small.said("match", "aiotic", "--out", str(report))
    report.write_text(report.read_text().replace("aiotic,sure,2,", "aiotic,ambiguous,2,"))
    done = small.said("adopt", "aiotic", str(report), "--yes", "--json").data["accepted"]
    assert (done["linked"], done["review"]) == (1, 1)
    small.run()
    items = small.said("review", "list", "--provider", "aiotic", "--json").data["items"]
    assert [(item["kind"], item["customer_key"]) for item in items] == [("ambiguous", "2")]


def test_a_report_about_another_provider_is_refused(small: Landscape) -> None:
    """A file that is not a report about this provider is a usage error, and nothing is accepted."""
    report = small.directory / "m.csv"
    small.said("match", "aiotic", "--out", str(report))
    answer = small.said("adopt", "invisible_collector", str(report), "--yes")
    assert answer.code == 2
    assert small.said("adopt", "aiotic", str(small.config), "--yes").code == 2


def test_an_interrupted_report_goes_on_where_it_stopped(small: Landscape) -> None:
    """Look-ups that were made before an interruption are not made again."""
    report = small.directory / "ic.csv"
    twin = small.twin("invisible_collector")
    twin.faults.add(Fault("status", status=500, times=0, skip=1))
    answer = small.said("match", "invisible_collector", "--out", str(report))
    assert answer.code == 7
    assert not report.exists()
    twin.faults.clear()
    part = report.with_name("ic.csv.part")
    assert part.exists()
    asked = len(twin.log)
    again = small.said("match", "invisible_collector", "--out", str(report))
    assert (again.code, "goes on from" in again.err, "which has 1 customer." in again.err) == (0, True, True)
    paths = [entry.path for entry in twin.log[asked:]]
    assert not any(path.endswith("/1001") for path in paths)
    assert any(path.endswith("/1002") for path in paths)
    assert not part.exists()


def test_adopt_beside_a_daemon_is_carried_out_by_it(small: Landscape) -> None:
    """adopt only leaves orders, so it works while another process holds the state."""
    with small.site() as site:
        assert small.said("adopt", "aiotic", "--yes").code == 0
        with site.state.read() as tx:
            assert not [link for link in mapping.page(tx, "aiotic", "", 10) if link.external_id]
    small.run()
    with small.site() as site, site.state.read() as tx:
        assert sum(link.external_id is not None for link in mapping.page(tx, "aiotic", "", 10)) == 3


def test_a_look_up_error_is_no_absence(small: Landscape) -> None:
    """When the provider cannot be read there is no report, and adopt accepts nothing."""
    small.twin("aiotic").faults.add(Fault("status", status=503, times=0))
    answer = small.said("adopt", "aiotic", "--yes")
    assert answer.code == 7
    small.twin("aiotic").faults.clear()
    small.run()
    assert small.remotes()["aiotic"] == 2


@pytest.mark.parametrize("name", ["jtl", "invisible_collector"])
def test_two_shops_that_both_count_from_one(tmp_path: Path, name: str) -> None:
    """Where most same-number pairs contradict each other the report says so, and adopt links nobody by number."""
    with landscape(tmp_path, 12, (name,), create="after-match") as land:
        with land.site(exclusive=False) as site:
            (route,) = chosen(site, ())
            for row in rows(land):
                key = row.pop("id")
                values = row if key <= 3 else stranger(key, number=row["number"])
                route.adapter.create(row["number"], route.adapter.project(values))
        answer = land.said("match", name, "--json").data
        assert answer["numbers_apart"] is True
        assert answer["counts"]["sure"] == (3 if name == "jtl" else 0)  # by VAT id, where a listing shows all of them
        text = land.said("match", name)
        assert "different ranges" in text.out
        assert land.said("adopt", name, "--yes", "--json").data["accepted"]["linked"] == answer["counts"]["sure"]


def test_all_providers_are_matched_and_adopted_at_once(small: Landscape) -> None:
    """--all makes one report a provider, in a directory where one is named; adopt takes them from there, or anew."""
    reports = small.directory / "reports"
    found = small.said("match", "--all", "--out", str(reports), "--json")
    assert found.code == 0, found.err
    assert [each["provider"] for each in found.data["providers"]] == list(small.names)
    assert sorted(path.name for path in reports.iterdir()) == [f"{name}.csv" for name in small.names]
    done = small.said("adopt", "--all", str(reports), "--yes", "--json").data["providers"]
    assert [each["accepted"]["linked"] for each in done] == [each["counts"]["sure"] for each in done] == [2, 2]
    small.run()
    assert small.remotes() == dict.fromkeys(small.names, 3)


def test_of_all_providers_one_that_is_away_keeps_back_nobody_else(small: Landscape) -> None:
    """A provider that cannot be read is named, exit 7; the others are matched and adopted."""
    small.twin("aiotic").faults.add(Fault("status", status=503, times=0))
    answer = small.said("adopt", "--all", "--yes", "--json")
    assert (answer.code, "aiotic could not be read" in answer.err) == (7, True)
    assert [each["provider"] for each in answer.data["providers"]] == ["invisible_collector"]


@pytest.mark.parametrize("words", [("match",), ("match", "aiotic", "--all"), ("adopt",), ("adopt", "aiotic", "--all")])
def test_one_provider_or_all(small: Landscape, words: tuple[str, ...]) -> None:
    """Neither none nor both: a usage error."""
    assert small.said(*words).code == 2


def test_progress_is_told_without_a_terminal(small: Landscape, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where stderr is no terminal, a line now and then says how far the comparison is."""
    monkeypatch.setattr("syncd.cli.first_contact.PROGRESS", 0.0)
    for name in small.names:
        assert f"{name}: 2 read" in small.said("match", name).err


def test_a_provider_without_a_report_keeps_back_nobody_else(small: Landscape) -> None:
    """`match --all` while one provider is away leaves no report of it; `adopt --all` names that and adopts the rest."""
    reports = small.directory / "reports"
    small.twin("aiotic").faults.add(Fault("status", status=503, times=0))
    assert small.said("match", "--all", "--out", str(reports)).code == 7
    answer = small.said("adopt", "--all", str(reports), "--yes", "--json")
    assert (answer.code, "Traceback" in answer.err) == (2, False), answer.err
    assert [each["provider"] for each in answer.data["providers"]] == ["invisible_collector"]
    assert f"syncd match aiotic --out {reports}/aiotic.csv" in answer.err


@pytest.mark.parametrize(
    "words",
    [("match", "aiotic", "--out", "none/a.csv"), ("match", "--all", "--out", "file"), ("adopt", "--all", "file")],
)
def test_a_place_that_takes_no_report_is_named(small: Landscape, words: tuple[str, ...]) -> None:
    """A directory that is not there, or a file in the place of one, is a usage error with the path."""
    (small.directory / "file").write_text("")
    *command, place = words
    answer = small.said(*command, str(small.directory / place))
    assert (answer.code, place in answer.err) == (2, True), answer.err
